"""Reading the transparency log without owning it: checking it as a whole, and proving single things about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
from pki.services.log_keeper import check_checkpoint, log_key_of, read_checkpoint
from pki.services.state import SIGNATURE_KINDS, PkiState

__all__ = ["LogReport", "log_key", "prove_growth", "prove_inclusion", "verify_log"]


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
    state = PkiState()
    _replay(home, state)
    return log_key_of(state)


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
    collector, head = _replay(home, state)
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
        keys = [key if key is not None else log_key_of(state), *cosigners]
        for note in kept:
            check_checkpoint(read_checkpoint(note, keys), levels)
    return LogReport(
        head=head,
        leaves=levels.size,
        root=tree_root(levels, levels.size),
        waiting=waiting,
        sealed=sealed,
        checkpoints=len(kept),
    )


def prove_inclusion(
    home: Home,
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
    note, checkpoint, key, found = _find(
        home, lambda entry: _is_sought(entry, index=index, reference=reference), under=under
    )
    if not found:
        raise PkiRefusedError("the log holds no such record", code="log.unknown-record")
    sealed = [entry for entry in found if (leaf_index(entry) or 0) < checkpoint.size]
    if not sealed:
        raise PkiRefusedError(
            f"record has leaf {leaf_index(found[-1])}, the checkpoint {checkpoint.size} leaves",
            code="log.not-sealed",
            hint="membercard-pki log checkpoint",
        )
    leaf = leaf_index(sealed[-1]) or 0
    proof = InclusionProof(
        record=sealed[-1].to_bytes(),
        index=leaf,
        hashes=inclusion_proof(LogFiles(home.log), leaf, checkpoint.size),
        note=note,
    )
    # Nothing wrong leaves the house: damage of the log's files shows here, and not at the reader's.
    proof.verify([key])
    return proof


def prove_growth(home: Home, old_note: bytes) -> GrowthProof:
    """The proof that the newest checkpoint only added to an older one of this log, which somebody kept.

    Raises:
        PkiRefusedError: ``log.not-started``, ``log.out-of-range``, ``log.proof-wrong``, ``log.signature-wrong``,
            ``log.other-origin``.
        RecordError, PkiDataError: home, journal, log or a checkpoint are damaged.
    """
    note, checkpoint, key, _ = _find(home, lambda _: False)
    old = read_checkpoint(old_note, [key])
    proof = GrowthProof(
        old_size=old.size,
        hashes=consistency_proof(LogFiles(home.log), old.size, checkpoint.size),
        note=note,
    )
    proof.verify(old, [key])
    return proof


def _find(
    home: Home, is_sought: Callable[[JournalEntry], bool], *, under: bytes | None = None
) -> tuple[SignedNote, Checkpoint, NoteKey, list[JournalEntry]]:
    """The checkpoint given, or the newest one, with the log's key, and the entries that are sought."""
    own = home.read_checkpoint() if under is None else under
    state = PkiState()
    found: list[JournalEntry] = []
    _replay(home, state, lambda entry: found.append(entry) if is_sought(entry) else None)
    key = log_key_of(state)
    if own is None:
        raise PkiRefusedError(
            "there is no checkpoint yet",
            code="log.not-started",
            hint="membercard-pki log checkpoint",
        )
    note = SignedNote.from_bytes(own)
    return note, Checkpoint.open(note, [key]), key, found


def _is_sought(entry: JournalEntry, *, index: int | None, reference: bytes | None) -> bool:
    leaf = leaf_index(entry)
    if leaf is None:
        return False
    return leaf == index or (
        reference is not None and entry.fields.get("reference") == reference.hex()
    )


def _replay(
    home: Home, state: PkiState, look: Callable[[JournalEntry], None] = lambda _: None
) -> tuple[LeafCollector, JournalHead]:
    home.settings()

    def take(entry: JournalEntry) -> None:
        state.apply(entry)
        look(entry)

    collector = LeafCollector(logged_kinds=SIGNATURE_KINDS, replay=take)
    return collector, verify_journal(home.journal, replay=collector.take)
