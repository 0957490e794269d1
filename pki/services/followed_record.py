"""A home's record as others read it: the state up to now, without the lock, and single entries without reading all."""

from typing import Final

from pki.errors import RecordError
from pki.home import Home
from pki.record.journal import JournalEntry, verify_journal
from pki.record.journal_search import find_entry
from pki.record.transparency_journal import leaf_index
from pki.services.snapshots import RecordTracker, load_state
from pki.services.state import PkiState

__all__ = ["FollowedRecord"]

_MAX_LINE_BYTES: Final = 65536


class FollowedRecord:
    """Follows a home's journal from the newest snapshot on, also while another process signs; for one thread at a time."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._state: PkiState | None = None
        self._tracker = RecordTracker()

    def catch_up(self) -> PkiState:
        """The state as of now.

        Raises:
            RecordError: ``home.missing``, ``record.damaged``, ``record.unreadable``.
        """
        self.home.settings()
        if self._state is not None:
            try:
                return self._follow(self._state)
            except RecordError:
                # Another journal may stand there now, such as a restored one: begin anew, and let that tell.
                self._state = None
        state, self._tracker, _ = load_state(self.home)
        self._state = self._follow(state)
        return self._state

    def entry_of_leaf(self, index: int) -> JournalEntry | None:
        """The entry with a leaf in the log, as far as ``catch_up`` came."""
        return self._find(index, is_leaf=True)

    def entries_of_reference(self, reference: bytes) -> list[JournalEntry]:
        """The entries of a card's reference, oldest first, as far as ``catch_up`` came.

        Raises:
            RecordError: ``record.damaged``.
        """
        state = self._state if self._state is not None else self.catch_up()
        found = [self._find(each, is_leaf=False) for each in state.references.sequences(reference)]
        return [entry for entry in found if entry is not None]

    def _find(self, number: int, *, is_leaf: bool) -> JournalEntry | None:
        return find_entry(
            self.home.journal,
            number,
            end=self._tracker.position.offset,
            number_of=leaf_index if is_leaf else lambda entry: entry.sequence,
        )

    def _entry_at(self, offset: int) -> JournalEntry:
        try:
            with self.home.journal.open("rb") as file:
                file.seek(offset)
                return JournalEntry.from_bytes(file.readline(_MAX_LINE_BYTES).removesuffix(b"\n"))
        except OSError as error:
            raise RecordError(
                f"journal {self.home.journal} cannot be read: {error.strerror}",
                code="record.unreadable",
            ) from error

    def _follow(self, state: PkiState) -> PkiState:
        last = self._tracker.position
        if last.sequence and self._entry_at(last.line_offset).hash != last.hash:
            raise RecordError(
                f"the journal does not hold entry {last.sequence} any more", code="record.damaged"
            )

        def replay(entry: JournalEntry) -> None:
            state.apply(entry)
            self._tracker.take(entry)

        verify_journal(self.home.journal, replay=replay, start=self._tracker.position)
        return state
