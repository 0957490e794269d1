"""Where the database holds data about people: every table and, of what is blanked, every column is named here.

A table that is not named makes a test fail: whoever adds one says what becomes of it when somebody asks for their
data, or for its deletion.
"""

import enum
import secrets
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

__all__ = ["FORGOTTEN_TABLES", "KEPT_MEMBER_COLUMNS", "TABLES", "Holding", "blank_of"]


class Holding(enum.Enum):
    """What becomes of a table's rows about a person when their record is deleted."""

    BLANKED = "the row stays, and everything that tells who the person was is overwritten"
    DELETED = "the rows are deleted"
    PSEUDONYMOUS = "the rows name the person by a random identifier only, and stay"
    NOBODY = "the table is about things, not about people in the register"
    STAFF = "the table is about those who work with the register, in their office"


TABLES: Final[Mapping[str, Holding]] = {
    "account_assignments": Holding.STAFF,
    "account_proposals": Holding.STAFF,
    "accounts": Holding.STAFF,
    "allotted_numbers": Holding.PSEUDONYMOUS,
    "audit_head": Holding.NOBODY,
    "audit_records": Holding.PSEUDONYMOUS,
    "batch_authorisations": Holding.NOBODY,
    "batch_events": Holding.NOBODY,
    "batch_requests": Holding.PSEUDONYMOUS,
    "batches": Holding.NOBODY,
    "card_acknowledgements": Holding.PSEUDONYMOUS,
    "card_changes": Holding.BLANKED,
    "bundle_conflicts": Holding.BLANKED,
    "bundles": Holding.NOBODY,
    "card_contents": Holding.DELETED,
    "card_events": Holding.PSEUDONYMOUS,
    "cards": Holding.BLANKED,
    "chips": Holding.NOBODY,
    "decision_requests": Holding.PSEUDONYMOUS,
    "decisions": Holding.NOBODY,
    "deletion_proposals": Holding.DELETED,
    "disclosures": Holding.PSEUDONYMOUS,
    "erasures": Holding.PSEUDONYMOUS,
    "files_to_destroy": Holding.PSEUDONYMOUS,
    "import_chunks": Holding.NOBODY,
    "import_rows": Holding.BLANKED,
    "imports": Holding.NOBODY,
    "instance_report_lines": Holding.NOBODY,
    "instance_reports": Holding.NOBODY,
    "instances": Holding.NOBODY,
    "kept_requests": Holding.STAFF,
    "linked_members": Holding.BLANKED,
    "linked_requests": Holding.PSEUDONYMOUS,
    "login_attempts": Holding.STAFF,
    "member_changes": Holding.DELETED,
    "members": Holding.BLANKED,
    "number_blocks": Holding.NOBODY,
    "number_state": Holding.NOBODY,
    "operations": Holding.STAFF,
    "organisation_versions": Holding.NOBODY,
    "organisations": Holding.NOBODY,
    "production_lines": Holding.NOBODY,
    "production_rejects": Holding.NOBODY,
    "production_stock": Holding.NOBODY,
    "register_keys": Holding.NOBODY,
    "report_lines": Holding.NOBODY,
    "request_events": Holding.BLANKED,
    "requests": Holding.PSEUDONYMOUS,
    "retired_numbers": Holding.PSEUDONYMOUS,
    "second_factors": Holding.STAFF,
    "security_objects": Holding.DELETED,
    "sessions": Holding.STAFF,
    "station_chains": Holding.NOBODY,
    "station_claims": Holding.NOBODY,
    "station_days": Holding.STAFF,
    "station_proposals": Holding.STAFF,
    "station_rejections": Holding.NOBODY,
    "stations": Holding.STAFF,
    "status_index_sets": Holding.NOBODY,
    "status_lists": Holding.NOBODY,
    "stock_day_closes": Holding.STAFF,
    "stock_destruction_chips": Holding.NOBODY,
    "stock_destructions": Holding.STAFF,
    "stock_movements": Holding.STAFF,
    "stock_sites": Holding.NOBODY,
    "stock_stops": Holding.STAFF,
    "status_publications": Holding.NOBODY,
}

FORGOTTEN_TABLES: Final = tuple(
    sorted(name for name, held in TABLES.items() if held in (Holding.BLANKED, Holding.DELETED))
)
"""Those whose rows about a person are overwritten or deleted, and whose older versions must go, too."""

KEPT_MEMBER_COLUMNS: Final = frozenset(
    {"id", "version", "organisation_id", "standing", "recorded_at", "erased_at"}
)
"""Columns of members that stay as they are; the version and the time of deletion are set."""

_NO_DAY: Final = date(1900, 1, 1)


def _random_text(length: int) -> str:
    # Never equal to a number, which has digits first, nor to another one that was blanked.
    return "x" + secrets.token_hex(length)[: length - 1]


_BLANKS: Final[Mapping[str, Callable[[], Any]]] = {
    "earlier_card_number": lambda: None,
    "record_number": lambda: _random_text(9),
    "citizen_number": lambda: b"",
    "citizen_number_digest": lambda: secrets.token_bytes(32),
    "full_name": lambda: "",
    "primary_name": lambda: "",
    "secondary_name": lambda: "",
    "sort_key": lambda: b"",
    "search_key": lambda: b"",
    "name_key": lambda: b"",
    "likeness_digest": lambda: secrets.token_bytes(32),
    "birth_date": lambda: _NO_DAY,
    "sex": lambda: "M",
    "place_of_birth": lambda: b"",
    "home_town": lambda: b"",
    "residence": lambda: None,
    "phone": lambda: None,
    "ethnic_group": lambda: "",
    "admission_date": lambda: _NO_DAY,
    "recognition_date": lambda: None,
    "served_in_id": lambda: None,
    "standing_since": lambda: None,
    "portrait": lambda: bytes(32),
    "portrait_source": lambda: bytes(32),
    "checked_at": lambda: None,
    "checked_by": lambda: None,
}


def blank_of(column: str) -> Any:
    """What stands in a column of members once the record is deleted.

    Raises:
        KeyError: nobody has said it: a mistake of the program.
    """
    return _BLANKS[column]()
