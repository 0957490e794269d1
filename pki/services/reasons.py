"""Reasons that people give for a revocation, and that the journal keeps."""

from typing import Final

from pki.errors import PkiRefusedError

__all__ = ["check_reason"]

_MAX_REASON_CHARACTERS: Final = 200


def check_reason(reason: str) -> None:
    """Whether the reason for a revocation can be recorded.

    Raises:
        PkiRefusedError: ``signing.request-invalid``.
    """
    if not (1 <= len(reason) <= _MAX_REASON_CHARACTERS and reason.isprintable()):
        raise PkiRefusedError(
            f"reason has {len(reason)} characters, expected 1 to {_MAX_REASON_CHARACTERS} printable ones",
            code="signing.request-invalid",
        )
