"""Reading the transparency log without owning it: checking it as a whole, and proving single things about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from pki.errors import PkiRefusedError
from pki.home import Home
from pki.record.journal import JournalEntry, JournalHead, verify_journal
from pki.record.transparency_journal import LeafCollector, leaf_index
from pki.record.transparency_note import Checkpoint, NoteKey, NoteVerifier, SignedNote
from pki.record.transparency_proof import GrowthProof, InclusionProof
from pki.record.transparency_store import LogFiles, check_files
from pki.record.transparency_tree import (
    MemoryLevels,
    consistency_proof,
    inclusion_proof,
    tree_root,
)
from pki.services.followed_record import FollowedRecord
from pki.services.log_keeper import check_checkpoint, log_key_of, read_checkpoint
from pki.services.snapshots import RecordTracker, SnapshotShelf, check_snapshot
from pki.services.state import SIGNATURE_KINDS, EntryKind, PkiState

__all__ = ["LogProver", "LogReport", "log_key", "replay_all", "verify_log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """What a check of journal and log found.

    ``waiting`` leaves are in the journal and not in the log, because a crash came between; the next opening
    appends them. ``sealed`` leaves stand under the newest checkpoint of the home, if there is one.
    """

    head: JournalHead
    leaves: int
    root: bytes
    waiting: int
    sealed: int | None
    checkpoints: int


def log_key(home: Home) -> NoteKey:
    """The key that verifies this home's checkpoints.

    Raises:
        PkiRefusedError: ``log.not-started``.
        RecordError: ``home.missing``, ``record.damaged``, ``record.unreadable``.
    """
    return log_key_of(FollowedRecord(home).catch_up())


def verify_log(
    home: Home, *, kept: Sequence[bytes], key: NoteKey | None, cosigners: Sequence[NoteVerifier]
) -> LogReport:
    """Check journal and log against each other, and both against checkpoints; also while another process signs.

    Args:
        home: the authority's home.
        kept: checkpoints that were kept elsewhere.
        key: the log's key, kept elsewhere; ``None`` takes the one in the journal.
        cosigners: keys that must have signed each of the checkpoints kept elsewhere.

    Raises:
        RecordError: ``record.damaged``, ``record.unreadable``; ``log.ahead``, ``log.damaged``, ``log.cut``.
        PkiRefusedError: ``log.cut``, ``log.inconsistent``; ``log.signature-wrong``, ``log.cosignature-missing``,
            ``log.other-origin``; ``log.not-started``.
        PkiDataError: ``log.note-malformed``, ``log.checkpoint-malformed``.
    """
    files = LogFiles(home.log)
    own = home.read_checkpoint()
    # Whoever signs meanwhile writes the journal first: what is in the log now must be in the journal then.
    size_before = files.size
    state = PkiState()
    collector, head = replay_all(home, state)
    levels = MemoryLevels(collector.leaf_hashes)
    waiting = check_files(
        files,
        levels,
        acknowledged=collector.acknowledged,
        may_be_ahead=size_before <= levels.size,
    )
    sealed = None
    if own is not None:
        checkpoint = read_checkpoint(own, [log_key_of(state)])
        check_checkpoint(checkpoint, levels)
        sealed = checkpoint.size
    if kept:
        for note in kept:
            keys = [key if key is not None else log_key_of(state, note), *cosigners]
            check_checkpoint(read_checkpoint(note, keys), levels)
    return LogReport(
        head=head,
        leaves=levels.size,
        root=tree_root(levels, levels.size),
        waiting=waiting,
        sealed=sealed,
        checkpoints=len(kept),
    )


class LogProver:
    """Proves things about a home's log; it may be kept, and reads then only what is new. For many threads."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._record = FollowedRecord(home)
        self._lock = Lock()

    def inclusion(
        self,
        *,
        index: int | None = None,
        reference: bytes | None = None,
        under: bytes | None = None,
    ) -> InclusionProof:
        """The proof that a record stands in the log under a checkpoint; of several, the newest record under it.

        ``under`` is a checkpoint that was kept, with whatever cosignatures it bears; ``None`` takes the home's newest.

        Raises:
            PkiRefusedError: ``log.not-started``; ``log.unknown-record``: there is no such record; ``log.not-sealed``: it
                is newer than the checkpoint.
            RecordError, PkiDataError: home, journal, log or checkpoint are damaged.
        """
        with self._lock:
            note, checkpoint, key = self._checkpoint(under)
            found: list[JournalEntry | None] = []
            if index is not None:
                found.append(self._record.entry_of_leaf(index))
            if reference is not None:
                found += self._record.entries_of_reference(reference)
        leaves = [
            (leaf, entry)
            for entry in found
            if entry is not None and (leaf := leaf_index(entry)) is not None
        ]
        if not leaves:
            raise PkiRefusedError("the log holds no such record", code="log.unknown-record")
        sealed = [(leaf, entry) for leaf, entry in leaves if leaf < checkpoint.size]
        if not sealed:
            raise PkiRefusedError(
                f"record has leaf {leaves[-1][0]}, the checkpoint {checkpoint.size} leaves",
                code="log.not-sealed",
                hint="membercard-pki log checkpoint",
            )
        leaf, entry = sealed[-1]
        proof = InclusionProof(
            record=entry.to_bytes(),
            index=leaf,
            hashes=inclusion_proof(LogFiles(self._home.log), leaf, checkpoint.size),
            note=note,
        )
        # Nothing wrong leaves the house: damage of journal or log shows here, and not at the reader's.
        proof.verify([key])
        return proof

    def growth(self, old_note: bytes) -> GrowthProof:
        """The proof that the newest checkpoint only added to an older one of this log, which somebody kept.

        Raises:
            PkiRefusedError: ``log.not-started``, ``log.out-of-range``, ``log.proof-wrong``, ``log.signature-wrong``,
                ``log.other-origin``.
            RecordError, PkiDataError: home, journal, log or a checkpoint are damaged.
        """
        with self._lock:
            note, checkpoint, key = self._checkpoint(None)
        old = read_checkpoint(old_note, [key])
        proof = GrowthProof(
            old_size=old.size,
            hashes=consistency_proof(LogFiles(self._home.log), old.size, checkpoint.size),
            note=note,
        )
        proof.verify(old, [key])
        return proof

    def _checkpoint(self, under: bytes | None) -> tuple[SignedNote, Checkpoint, NoteKey]:
        """The checkpoint given or the newest, with the log's key; what it seals is in the journal that is read after it."""
        own = self._home.read_checkpoint() if under is None else under
        key = log_key_of(self._record.catch_up())
        if own is None:
            raise PkiRefusedError(
                "there is no checkpoint yet",
                code="log.not-started",
                hint="membercard-pki log checkpoint",
            )
        note = SignedNote.from_bytes(own)
        return note, Checkpoint.open(note, [key]), key


def replay_all(
    home: Home, state: PkiState, *, known_head: JournalHead | None = None
) -> tuple[LeafCollector, JournalHead]:
    """Read a home's journal from its first line to its end, and compare the newest snapshot with it.

    Raises:
        RecordError: ``home.missing``, ``record.damaged``, ``record.cut``, ``record.unreadable``; ``snapshot.differs``.
    """
    home.settings()
    newest = SnapshotShelf(home.snapshots).newest()
    tracker = RecordTracker()

    def take(entry: JournalEntry) -> None:
        if entry.kind == EntryKind.SNAPSHOT_TAKEN.value and entry.sequence - 1 == newest:
            check_snapshot(entry, tracker, state, collector)
        state.apply(entry)
        tracker.take(entry)

    collector = LeafCollector(logged_kinds=SIGNATURE_KINDS, replay=take)
    return collector, verify_journal(home.journal, known_head=known_head, replay=collector.take)
