"""Records of inspections as the centre keeps them."""

from dataclasses import dataclass

from verifier.services.journal_chain import JournalLine, StoredHolder, StoredInspection

__all__ = ["CentreRecord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreRecord:
    """One record as the centre keeps it."""

    line: JournalLine
    record: StoredInspection | StoredHolder
    period: str | None
    card: bytes | None
    chip: bytes | None
