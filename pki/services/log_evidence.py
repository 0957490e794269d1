"""Evidence about cards' signatures: cosigned checkpoints are collected, and proofs under them are handed out."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pki.errors import PkiRefusedError
from pki.home import Home
from pki.record.journal import JournalEntry, verify_journal
from pki.record.transparency_cosignature import WitnessKey
from pki.record.transparency_evidence import SIGNED_OBJECT_KIND
from pki.record.transparency_journal import LeafCollector, leaf_index
from pki.record.transparency_note import MAX_SIGNATURES, Checkpoint, NoteSignature, SignedNote
from pki.record.transparency_policy import LogPolicy
from pki.record.transparency_proof import InclusionProof
from pki.record.transparency_tree import MemoryLevels, inclusion_proof
from pki.services.authority import require_signer
from pki.services.log_keeper import check_checkpoint, log_key_of
from pki.services.state import SIGNATURE_KINDS, PkiState

__all__ = ["CardProof", "ExportReport", "collect_cosignatures", "export_proofs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardProof:
    """The proof of one card's signature; ``digest`` is the SHA-256 hash of the signed attributes, as hexadecimal digits."""

    digest: str
    content: bytes
    known_since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """How many proofs were made, and how many signatures no cosigned checkpoint covers."""

    proven: int
    not_covered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cosigned:
    note: SignedNote
    checkpoint: Checkpoint
    known_since: datetime


def collect_cosignatures(
    home: Home, notes: Sequence[bytes], *, witnesses: Sequence[WitnessKey]
) -> Checkpoint:
    """Put the cosignatures of witnesses under copies of one checkpoint together, and keep it; give it back.

    Every copy must be one that this log signed and still holds; signatures by anybody else are left out.

    Raises:
        PkiRefusedError: ``log.not-started``; ``log.signature-wrong``, ``log.other-origin``, ``log.cut``,
            ``log.inconsistent``; ``log.cosignature-missing``: none of these witnesses signed, or the copies differ.
        PkiDataError: ``log.note-malformed``, ``log.checkpoint-malformed``.
        RecordError: home or journal are damaged.
    """
    state, levels = _read(home, lambda _: None)
    key = log_key_of(state)
    copies = [SignedNote.from_bytes(data) for data in notes]
    texts = {note.text for note in copies}
    if len(texts) != 1:
        raise PkiRefusedError(
            f"the files hold {len(texts)} checkpoints, expected copies of one",
            code="log.cosignature-missing",
        )
    checkpoint = Checkpoint.open(copies[0], [key])
    check_checkpoint(checkpoint, levels)
    text = texts.pop()
    known = {(each.name, each.key_id) for each in witnesses}
    of_log, *kept = _kept_signatures(home, text) or [
        next(item for item in copies[0].signatures if _is_by(item, {(key.name, key.key_id)}))
    ]
    new = [item for note in copies for item in note.signatures if _is_by(item, known)]
    # What was collected before was judged then, and stays, whoever is asked about now.
    merged = SignedNote(
        text=text, signatures=tuple(dict.fromkeys((of_log, *kept, *new)))[:MAX_SIGNATURES]
    )
    Checkpoint.open(merged, [key])
    if not [each for each in witnesses if each.first_time(merged) is not None]:
        raise PkiRefusedError(
            f"checkpoint is not cosigned by {[each.name for each in witnesses]}",
            code="log.cosignature-missing",
        )
    home.publish_cosigned(checkpoint.size, merged.to_bytes())
    return checkpoint


def _kept_signatures(home: Home, text: str) -> list[NoteSignature]:
    """What is kept under this checkpoint, the log's own signature first; nothing where it is new."""
    for data in home.read_cosigned():
        note = SignedNote.from_bytes(data)
        if note.text == text:
            return list(note.signatures)
    return []


def _is_by(item: NoteSignature, keys: Collection[tuple[str, bytes]]) -> bool:
    return (item.name, item.key_id) in keys


def export_proofs(
    home: Home, signer_id: str, *, policy: LogPolicy, take: Callable[[CardProof], None]
) -> ExportReport:
    """Hand out the oldest proof that there is of each signature that a signer made over a card.

    Raises:
        PkiRefusedError: ``signer.unknown``; ``log.not-started``; ``log.cut``, ``log.inconsistent``.
        PkiDataError, RecordError: home, journal or a checkpoint are damaged.
    """
    found: list[JournalEntry] = []

    def look(entry: JournalEntry) -> None:
        if entry.kind == SIGNED_OBJECT_KIND and entry.text("signer") == signer_id:
            found.append(entry)

    state, levels = _read(home, look)
    require_signer(state, signer_id)
    cosigned = sorted(_cosigned(home, levels, policy), key=lambda item: item.checkpoint.size)
    sizes = [item.checkpoint.size for item in cosigned]
    oldest_from = _oldest_from(cosigned)
    proven = 0
    for entry in found:
        leaf = leaf_index(entry)
        first = len(sizes) if leaf is None else bisect_right(sizes, leaf)
        if leaf is None or first == len(sizes):
            continue
        oldest = oldest_from[first]
        proof = InclusionProof(
            record=entry.to_bytes(),
            index=leaf,
            hashes=inclusion_proof(levels, leaf, oldest.checkpoint.size),
            note=oldest.note,
        )
        # Nothing wrong leaves the house; the checkpoint itself was judged before.
        proof.verify_under(oldest.checkpoint)
        take(
            CardProof(
                digest=entry.text("digest"),
                content=proof.to_bytes(),
                known_since=oldest.known_since,
            )
        )
        proven += 1
    return ExportReport(proven=proven, not_covered=len(found) - proven)


def _oldest_from(cosigned: Sequence[_Cosigned]) -> list[_Cosigned]:
    """For each place, the checkpoint from there on that witnesses had seen first."""
    found: list[_Cosigned] = []
    for item in reversed(cosigned):
        found.append(item if not found or item.known_since <= found[-1].known_since else found[-1])
    return found[::-1]


def _cosigned(home: Home, levels: MemoryLevels, policy: LogPolicy) -> Iterator[_Cosigned]:
    """The kept checkpoints that have the policy's quorum."""
    for data in home.read_cosigned():
        note = SignedNote.from_bytes(data)
        try:
            checkpoint, moment = policy.open(note)
        except PkiRefusedError as error:
            if error.code != "log.quorum-missing":
                raise
            continue
        check_checkpoint(checkpoint, levels)
        yield _Cosigned(note=note, checkpoint=checkpoint, known_since=moment)


def _read(home: Home, look: Callable[[JournalEntry], None]) -> tuple[PkiState, MemoryLevels]:
    home.settings()
    state = PkiState()

    def take(entry: JournalEntry) -> None:
        state.apply(entry)
        look(entry)

    collector = LeafCollector(logged_kinds=SIGNATURE_KINDS, replay=take)
    verify_journal(home.journal, replay=collector.take)
    return state, MemoryLevels(collector.leaf_hashes)
