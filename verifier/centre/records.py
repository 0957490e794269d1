"""Records of inspections as the centre keeps them."""

from dataclasses import dataclass
from datetime import datetime

from verifier.services.journal_chain import JournalLine, StoredHolder, StoredInspection

__all__ = ["CentreRecord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreRecord:
    """One record as the centre keeps it."""

    line: JournalLine
    record: StoredInspection | StoredHolder
    at: datetime
    """When it counts as made: what bears a time that has not come counts as of when it came in."""
    period: str | None
    card: bytes | None
    chip: bytes | None
