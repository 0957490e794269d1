"""A journal whose signatures stand in a transparency log as well.

Every entry about a signature gets three fields before it is written: ``log_index``, its leaf in the log;
``log_salt``, 16 random bytes; and ``log_group``, the index of the first leaf that was appended together with it. The
leaf's entry is the journal entry's hash, which is taken over the salt, too: the log tells nothing about a
record to anybody who does not have it, and the record proves its place. That hash also covers the hash of the
entry before it, so that a checkpoint of the log seals the whole journal up to its last leaf.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pki.errors import RecordError
from pki.record.journal import Journal, JournalEntry, JournalHead, Record
from pki.record.journal_position import JournalPosition
from pki.record.transparency_store import TiledLog, TreeHead
from pki.record.transparency_tree import EMPTY_ROOT, hash_leaf

__all__ = [
    "SALT_BYTES",
    "LeafCollector",
    "LoggedJournal",
    "RecordStart",
    "leaf_index",
]

SALT_BYTES: Final = 16
_INDEX: Final = "log_index"
_SALT: Final = "log_salt"
_GROUP: Final = "log_group"


def leaf_index(entry: JournalEntry) -> int | None:
    """The leaf of an entry in the log; ``None`` for an entry that has none.

    Raises:
        RecordError: ``record.damaged``.
    """
    return entry.number(_INDEX) if _INDEX in entry.fields else None


class LeafCollector:
    """Reads a journal's entries in order, and collects the leaf hashes that the log must hold."""

    def __init__(
        self,
        *,
        logged_kinds: frozenset[str],
        replay: Callable[[JournalEntry], None],
        size: int = 0,
        acknowledged: int = 0,
    ) -> None:
        self.leaf_hashes = bytearray()
        self.size = size
        self.acknowledged = acknowledged
        """So many leaves were on the disk before anything of the last group was announced."""

        self._logged_kinds = logged_kinds
        self._replay = replay

    def take(self, entry: JournalEntry) -> None:
        """Take one entry in.

        Raises:
            RecordError: ``record.damaged``: an entry without its leaf, or with another's.
        """
        index = leaf_index(entry)
        if index is None:
            # A home that is older than its log begins with signatures that have no leaf.
            if self.size and entry.kind in self._logged_kinds:
                raise _damaged(entry, "has no leaf in the log")
        else:
            group = entry.number(_GROUP)
            if index != self.size:
                raise _damaged(entry, f"has leaf {index}, expected {self.size}")
            if group != index and not (group == self.acknowledged and group < index):
                raise _damaged(entry, f"has group {group}, expected {self.acknowledged} or {index}")
            if len(entry.text(_SALT)) != 2 * SALT_BYTES:
                raise _damaged(entry, f"has no salt of {SALT_BYTES} bytes")
            self.leaf_hashes += hash_leaf(entry.hash)
            self.size += 1
            self.acknowledged = group
        self._replay(entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStart:
    """Where a journal and its log are known to, without having been read from their beginning."""

    position: JournalPosition = field(default_factory=JournalPosition)
    tree: TreeHead = field(default_factory=lambda: TreeHead(size=0, root=EMPTY_ROOT))
    acknowledged: int = 0


class LoggedJournal:
    """A journal and its transparency log, open for appending by this process alone."""

    def __init__(
        self,
        *,
        journal: Journal,
        log: TiledLog,
        logged_kinds: frozenset[str],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._journal = journal
        self._log = log
        self._logged_kinds = logged_kinds
        self._random_bytes = random_bytes
        self.acknowledged = 0
        """See ``LeafCollector``."""

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        log_directory: Path,
        logged_kinds: frozenset[str],
        replay: Callable[[JournalEntry], None],
        random_bytes: Callable[[int], bytes],
        start: RecordStart | None = None,
    ) -> Self:
        """Lock and check the journal, check the log against it, and write what a crash kept out of the log.

        Raises:
            RecordError: ``record.locked``, ``record.damaged``, ``record.unreadable``; ``log.ahead``, ``log.damaged``,
                ``log.cut``, ``log.unreadable``, ``log.write-failed``.
        """
        begin = RecordStart() if start is None else start
        collector = LeafCollector(
            logged_kinds=logged_kinds,
            replay=replay,
            size=begin.tree.size,
            acknowledged=begin.acknowledged,
        )
        with ExitStack() as stack:
            journal = stack.enter_context(
                Journal.open(path, replay=collector.take, start=begin.position)
            )
            log = TiledLog.open(
                log_directory,
                leaf_hashes=collector.leaf_hashes,
                acknowledged=collector.acknowledged,
                base=None if start is None else start.tree,
            )
            stack.pop_all()
        opened = cls(journal=journal, log=log, logged_kinds=logged_kinds, random_bytes=random_bytes)
        opened.acknowledged = collector.acknowledged
        return opened

    @property
    def head(self) -> JournalHead:
        """How far the journal goes."""
        return self._journal.head

    @property
    def log(self) -> TiledLog:
        """The log, for reading its tree."""
        return self._log

    def append_many(self, records: Sequence[Record]) -> tuple[JournalEntry, ...]:
        """Record several things with one write to the journal and one to the log; then they are durable.

        Raises:
            RecordError: ``record.write-failed``, ``log.write-failed``: nothing may be taken as recorded, and both are
                closed; ``record.closed``.
        """
        first = self._log.size
        index = first
        marked: list[Record] = []
        for record in records:
            fields = dict(record.fields)
            if not fields.keys().isdisjoint((_INDEX, _SALT, _GROUP)):
                raise RecordError(
                    f"a record of kind {record.kind!r} names its own place in the log",
                    code="record.invalid",
                )
            if record.kind in self._logged_kinds:
                fields |= {
                    _INDEX: index,
                    _SALT: self._random_bytes(SALT_BYTES).hex(),
                    _GROUP: first,
                }
                index += 1
            marked.append(Record(kind=record.kind, time=record.time, fields=fields))
        entries = self._journal.append_many(marked)
        if index > first:
            self.acknowledged = first
            try:
                self._log.append_many([entry.hash for entry in entries if _INDEX in entry.fields])
            except BaseException:
                # The journal is ahead of the log: only a fresh opening may go on from here.
                self.close()
                raise
        return entries

    def fileno(self) -> int:
        """The journal's descriptor, see ``Journal.fileno``.

        Raises:
            RecordError: ``record.closed``.
        """
        return self._journal.fileno()

    def close(self) -> None:
        """Let go of journal, log and lock; closing twice is harmless."""
        self._log.close()
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


def _damaged(entry: JournalEntry, reason: str) -> RecordError:
    return RecordError(
        f"entry {entry.sequence} {reason}",
        code="record.damaged",
        hint="stop signing, keep the file as evidence, and compare it with the last backup",
    )
