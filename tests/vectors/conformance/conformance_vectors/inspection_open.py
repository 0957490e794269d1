"""Why some ids of the inspection systems' catalogue have no vector."""

NOT_APPLICABLE: dict[str, str] = {}
OPEN: dict[str, str] = {}
