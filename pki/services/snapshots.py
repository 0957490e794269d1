"""Taking snapshots of a home's record, and beginning from the newest that the journal vouches for.

Nothing here is believed without the journal: the entry behind a snapshot's position holds its digest, and each line that is not one of the
cards' is read from the journal itself, with its hash. What is not believed is left alone: reading begins at the first line, which tells
damage from a missing snapshot. Only the lines of cards are not read again; ``log verify`` and ``journal verify`` read everything.
"""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from pki.durable import replace_file
from pki.errors import PkiError, RecordError
from pki.home import Home
from pki.record.journal import JournalEntry, Record
from pki.record.journal_position import JournalPosition
from pki.record.snapshot import OFFSET_BYTES, Snapshot
from pki.record.transparency_journal import LeafCollector, RecordStart
from pki.record.transparency_store import TreeHead
from pki.record.transparency_tree import MemoryLevels, tree_root
from pki.services.state import FOLDED_KINDS, EntryKind, PkiState

__all__ = ["RecordTracker", "SnapshotShelf", "check_snapshot", "load_state", "snapshot_record"]

_MIN_ENTRIES: Final = 5_000
_SHARE: Final = 200
"""A snapshot is due after 5,000 entries and a half of one per cent of those before: replaying them takes seconds at most."""

_MAX_LINE_BYTES: Final = 65536
_SUFFIX: Final = ".snapshot"


class RecordTracker:
    """Follows entries in their order: where they stand, and which of them a snapshot must name."""

    def __init__(self) -> None:
        self.position = JournalPosition()
        self.behind = 0
        """How many entries came since the last snapshot."""

        self._offsets = bytearray()
        self._lines = sha256()

    def take(self, entry: JournalEntry) -> None:
        """Take the next entry in."""
        begin = self.position.offset
        if entry.kind not in FOLDED_KINDS:
            self._offsets += begin.to_bytes(OFFSET_BYTES, "big")
            self._lines.update(entry.hash)
        self.position = JournalPosition(
            sequence=entry.sequence,
            hash=entry.hash,
            offset=begin + entry.line_bytes,
            line_offset=begin,
        )
        self.behind += 1

    @property
    def is_due(self) -> bool:
        """Whether opening would have to read much."""
        return self.behind >= _MIN_ENTRIES + (self.position.sequence - self.behind) // _SHARE

    def snapshot(self, state: PkiState, *, tree: TreeHead, acknowledged: int) -> Snapshot:
        """What there is up to here."""
        return Snapshot(
            position=self.position,
            tree=tree,
            acknowledged=acknowledged,
            lines_digest=self._lines.digest(),
            offsets=bytes(self._offsets),
            counts=state.folded_counts(),
            references=state.references.to_bytes(),
        )

    def begin_at(self, snapshot: Snapshot, lines: Any) -> None:
        """Go on from a snapshot; ``lines`` is the hash over its lines."""
        self.position = snapshot.position
        self.behind = 0
        self._offsets = bytearray(snapshot.offsets)
        self._lines = lines


@dataclass(frozen=True, slots=True)
class SnapshotShelf:
    """The snapshots in a home: the newest, and the one before until the journal vouches for the newer one."""

    directory: Path

    def write(self, sequence: int, data: bytes) -> None:
        """Put one there, whole.

        Raises:
            OSError: the disk said no.
        """
        self.directory.mkdir(mode=0o700, exist_ok=True)
        replace_file(self.directory / f"{sequence}{_SUFFIX}", data)

    def remove_but(self, sequence: int) -> None:
        """Remove all others; what cannot be removed stays, and does no harm."""
        for path in self._paths():
            if path.name != f"{sequence}{_SUFFIX}":
                with contextlib.suppress(OSError):
                    path.unlink()

    def newest(self) -> int | None:
        """The entry that the newest one is of."""
        paths = self._paths()
        return int(paths[0].stem) if paths else None

    def newest_first(self) -> list[bytes]:
        """What can be read."""
        found: list[bytes] = []
        for path in self._paths():
            with contextlib.suppress(OSError):
                found.append(path.read_bytes())
        return found

    def _paths(self) -> list[Path]:
        try:
            paths = [path for path in self.directory.iterdir() if path.stem.isdecimal()]
        except OSError:
            return []
        return sorted(
            (path for path in paths if path.suffix == _SUFFIX),
            key=lambda path: int(path.stem),
            reverse=True,
        )


def check_snapshot(
    entry: JournalEntry, tracker: RecordTracker, state: PkiState, collector: LeafCollector
) -> None:
    """Whether a snapshot that the journal vouches for is what its entries before add up to, now that all were read.

    Raises:
        RecordError: ``snapshot.differs``: whoever took it was deceived, or deceived.
    """
    levels = MemoryLevels(collector.leaf_hashes)
    snapshot = tracker.snapshot(
        state,
        tree=TreeHead(size=levels.size, root=tree_root(levels, levels.size)),
        acknowledged=collector.acknowledged,
    )
    if Snapshot.digest(snapshot.to_bytes()).hex() != entry.text("digest"):
        raise RecordError(
            f"the snapshot at entry {snapshot.position.sequence} is not what the entries before it add up to",
            code="snapshot.differs",
            hint="stop signing, keep journal and snapshots as evidence, then remove the snapshots",
        )


def snapshot_record(snapshot: Snapshot, data: bytes, *, time: datetime) -> Record:
    """The entry with which the journal vouches for a snapshot."""
    return Record(
        kind=EntryKind.SNAPSHOT_TAKEN.value,
        time=time,
        fields={"entries": snapshot.position.sequence, "digest": Snapshot.digest(data).hex()},
    )


def load_state(home: Home) -> tuple[PkiState, RecordTracker, RecordStart | None]:
    """The state of the newest snapshot that the journal vouches for; else an empty one, to begin at the first line with."""
    for data in SnapshotShelf(home.snapshots).newest_first():
        # Whatever is wrong with it: the journal alone counts, and tells itself if it is damaged.
        with contextlib.suppress(PkiError, OSError, ValueError, LookupError, TypeError):
            return _load(home, data)
    return PkiState(), RecordTracker(), None


def _load(home: Home, data: bytes) -> tuple[PkiState, RecordTracker, RecordStart]:
    snapshot = Snapshot.from_bytes(data)
    state, tracker, lines = PkiState(), RecordTracker(), sha256()
    with home.journal.open("rb") as file:
        file.seek(snapshot.position.offset)
        vouching = _entry(file.readline(_MAX_LINE_BYTES))
        if (
            vouching.kind != EntryKind.SNAPSHOT_TAKEN.value
            or vouching.previous != snapshot.position.hash
            or vouching.text("digest") != Snapshot.digest(data).hex()
        ):
            raise RecordError("the journal does not vouch for the snapshot")
        for begin in range(0, len(snapshot.offsets), OFFSET_BYTES):
            file.seek(int.from_bytes(snapshot.offsets[begin : begin + OFFSET_BYTES], "big"))
            entry = _entry(file.readline(_MAX_LINE_BYTES))
            lines.update(entry.hash)
            state.apply(entry)
    if lines.digest() != snapshot.lines_digest:
        raise RecordError("the journal's lines are not those of the snapshot")
    state.take_folded(snapshot.counts, snapshot.references, sequence=snapshot.position.sequence)
    tracker.begin_at(snapshot, lines)
    start = RecordStart(
        position=snapshot.position, tree=snapshot.tree, acknowledged=snapshot.acknowledged
    )
    return state, tracker, start


def _entry(line: bytes) -> JournalEntry:
    return JournalEntry.from_bytes(line.removesuffix(b"\n"))
