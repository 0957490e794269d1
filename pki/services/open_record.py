"""Opening an authority's record: the journal, and the transparency log that every signature stands in."""

import secrets
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from pki.errors import RecordError
from pki.home import Home
from pki.record.journal import Journal, JournalEntry, JournalHead, Record
from pki.record.transparency_journal import LeafCollector, LoggedJournal
from pki.record.transparency_store import TiledLog, TreeHead
from pki.record.transparency_tree import tree_root
from pki.services.snapshots import RecordTracker, SnapshotShelf, load_state, snapshot_record
from pki.services.state import SIGNATURE_KINDS, PkiState

__all__ = ["OpenRecord", "open_record", "rebuild_log"]

_MAX_REPLACED: int = 1000


class OpenRecord:
    """A home's journal and log, open for appending by this process alone, with what they add up to.

    Whoever appends applies the entries to ``state`` (``pki.services.recorder``). Where many came since the last snapshot,
    the next one is taken before anything is appended.
    """

    def __init__(
        self, journal: LoggedJournal, *, state: PkiState, tracker: RecordTracker, home: Home
    ) -> None:
        self.state = state
        self._journal = journal
        self._tracker = tracker
        self._shelf = SnapshotShelf(home.snapshots)

    @property
    def head(self) -> JournalHead:
        """How far the journal goes."""
        return self._journal.head

    @property
    def log(self) -> TiledLog:
        """The log, for reading its tree."""
        return self._journal.log

    def append_many(self, records: Sequence[Record]) -> tuple[JournalEntry, ...]:
        """See ``LoggedJournal.append_many``."""
        if records and self._tracker.is_due:
            self._take_snapshot(records[0])
        entries = self._journal.append_many(records)
        for entry in entries:
            self._tracker.take(entry)
        return entries

    def fileno(self) -> int:
        """The journal's descriptor, see ``Journal.fileno``.

        Raises:
            RecordError: ``record.closed``.
        """
        return self._journal.fileno()

    def close(self) -> None:
        """Let go of journal, log and lock; closing twice is harmless."""
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take_snapshot(self, following: Record) -> None:
        if self.state.sequence != self.head.sequence:
            # Somebody appended and did not apply: this is not what the journal adds up to.
            return
        log = self._journal.log
        snapshot = self._tracker.snapshot(
            self.state,
            tree=TreeHead(size=log.size, root=tree_root(log, log.size)),
            acknowledged=self._journal.acknowledged,
        )
        data = snapshot.to_bytes()
        try:
            self._shelf.write(snapshot.position.sequence, data)
        except OSError:
            # Without it the next opening takes longer; signing goes on.
            self._tracker.behind = 0
            return
        (entry,) = self._journal.append_many([snapshot_record(snapshot, data, time=following.time)])
        self._tracker.take(entry)
        self._tracker.behind = 0
        self.state.apply(entry)
        self._shelf.remove_but(snapshot.position.sequence)


def open_record(home: Home) -> OpenRecord:
    """The record of a home, which the caller owns until it is closed, with its state.

    Raises:
        RecordError: ``record.locked``, ``record.damaged``, ``record.unreadable``; ``log.ahead``, ``log.damaged``,
            ``log.cut``, ``log.unreadable``, ``log.write-failed``.
    """
    state, tracker, start = load_state(home)

    def replay(entry: JournalEntry) -> None:
        state.apply(entry)
        tracker.take(entry)

    journal = LoggedJournal.open(
        home.journal,
        log_directory=home.log,
        logged_kinds=SIGNATURE_KINDS,
        replay=replay,
        random_bytes=secrets.token_bytes,
        start=start,
    )
    return OpenRecord(journal, state=state, tracker=tracker, home=home)


def rebuild_log(home: Home, *, check: Callable[[LeafCollector], None]) -> int:
    """Make the log anew from the journal, once ``check`` has approved of it; give back its number of leaves.

    The old files are kept under another name, as evidence.

    Raises:
        RecordError: as ``open_record``; whatever ``check`` raises.
    """
    collector = LeafCollector(logged_kinds=SIGNATURE_KINDS, replay=lambda _: None)
    with Journal.open(home.journal, replay=collector.take):
        check(collector)
        _put_aside(home)
        TiledLog.open(home.log, leaf_hashes=collector.leaf_hashes, acknowledged=0).close()
    return collector.size


def _put_aside(home: Home) -> None:
    if not home.log.exists():
        return
    for number in range(1, _MAX_REPLACED):
        aside = home.directory / f"log.replaced-{number}"
        if not aside.exists():
            try:
                home.log.rename(aside)
            except OSError as error:
                raise RecordError(
                    f"log {home.log} cannot be put aside: {error.strerror}",
                    code="log.write-failed",
                ) from error
            return
    raise RecordError(
        f"{home.directory} holds {_MAX_REPLACED - 1} replaced logs", code="log.write-failed"
    )
