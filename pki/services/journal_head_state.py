"""What is known of other programs' journals: the part of the PKI's state that ``pki.services.journal_heads`` is about."""

from dataclasses import dataclass

from pki.record.journal import JournalEntry

__all__ = ["JournalHeadState", "NotedHead", "noted_head"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedHead:
    """How far a journal went: ``journal`` are its 16 bytes, ``digest`` the 32 bytes of its entry ``sequence``."""

    journal: bytes
    sequence: int
    digest: bytes


class JournalHeadState:
    """The newest head of each journal, with its entry; built from journal entries, by ``pki.services.state``."""

    def __init__(self) -> None:
        self.newest: dict[bytes, tuple[NotedHead, JournalEntry]] = {}

    def apply(self, entry: JournalEntry) -> None:
        """A head was noted."""
        head = noted_head(entry)
        self.newest[head.journal] = (head, entry)


def noted_head(entry: JournalEntry) -> NotedHead:
    """The head in an entry.

    Raises:
        RecordError: ``record.damaged``: a field is missing.
        ValueError: a field is not hexadecimal.
    """
    return NotedHead(
        journal=bytes.fromhex(entry.text("journal")),
        sequence=entry.number("sequence"),
        digest=bytes.fromhex(entry.text("head")),
    )
