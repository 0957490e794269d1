"""Recording and remembering in one step: the journal first, then the state that is built from it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from pki.record.journal import JournalEntry, Record
from pki.services.state import EntryKind, PkiState

__all__ = ["JournalPort", "Recorder"]


class JournalPort(Protocol):
    """Where entries become durable."""

    def append_many(self, records: Sequence[Record]) -> tuple[JournalEntry, ...]:
        """Record; what this returns is on the disk.

        Raises:
            RecordError: nothing may be taken as recorded.
        """


class Recorder:
    """Journal, state and clock of one authority."""

    def __init__(
        self, *, journal: JournalPort, state: PkiState, now: Callable[[], datetime]
    ) -> None:
        self._journal = journal
        self.state = state
        self._now = now

    def now(self) -> datetime:
        """The time, aware."""
        return self._now()

    def record(self, kind: EntryKind, **fields: str | int | None) -> None:
        """Record one thing durably."""
        self.record_many([(kind, fields)])

    def record_many(self, items: Sequence[tuple[EntryKind, dict[str, str | int | None]]]) -> None:
        """Record several things with one write."""
        moment = self._now()
        records = [Record(kind=kind.value, time=moment, fields=fields) for kind, fields in items]
        for entry in self._journal.append_many(records):
            self.state.apply(entry)
