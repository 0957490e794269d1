"""Proofs about the log as files that can be checked without the log.

An inclusion proof is a C2SP tlog-proof: it carries the record itself with its salt (as ``extra``), the way from
its leaf to the root, and the checkpoint that holds the root. A growth proof has the form that C2SP tlog-witness
gives to ``add-checkpoint``: whoever kept the old checkpoint learns that the new one only added to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from pki.errors import PkiDataError, PkiRefusedError, RecordError
from pki.record.journal import JournalEntry
from pki.record.transparency_journal import leaf_index
from pki.record.transparency_note import (
    MAX_NOTE_BYTES,
    Checkpoint,
    NoteVerifier,
    SignedNote,
    decode_base64,
    decode_size,
    encode_base64,
)
from pki.record.transparency_tree import (
    HASH_BYTES,
    hash_leaf,
    verify_consistency,
    verify_inclusion,
)

__all__ = ["MAX_PROOF_BYTES", "GrowthProof", "InclusionProof", "is_growth_proof"]

MAX_PROOF_BYTES: Final = 262_144
_MAGIC: Final = "c2sp.org/tlog-proof@v1"
_MAX_HASHES: Final = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """That a record stands in a log; ``record`` is its journal line, salt included."""

    record: bytes
    index: int
    hashes: tuple[bytes, ...]
    note: SignedNote

    def to_bytes(self) -> bytes:
        """The proof as it stands in a file (c2sp.org/tlog-proof)."""
        lines = [
            _MAGIC,
            f"extra {encode_base64(self.record)}",
            f"index {self.index}",
            *map(encode_base64, self.hashes),
        ]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.note.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a proof strictly.

        Raises:
            PkiDataError: ``log.proof-malformed``, ``log.note-malformed``.
        """
        lines, note = _split(data)
        if len(lines) < 3 or lines[0] != _MAGIC:
            raise _malformed(f"it does not begin with {_MAGIC}")
        try:
            return cls(
                record=decode_base64(_after(lines[1], "extra ")),
                index=decode_size(_after(lines[2], "index ")),
                hashes=_read_hashes(lines[3:]),
                note=note,
            )
        except ValueError as error:
            raise _malformed("a line is not what its place asks for") from error

    def verify(self, keys: Sequence[NoteVerifier]) -> tuple[JournalEntry, Checkpoint]:
        """Check everything; give back the record and the checkpoint that holds it.

        Args:
            keys: the log's key first, then those of witnesses that must have signed as well.

        Raises:
            PkiRefusedError: ``log.signature-wrong``, ``log.cosignature-missing``, ``log.other-origin``,
                ``log.proof-wrong``.
            PkiDataError: ``log.checkpoint-malformed``, ``log.proof-malformed``.
        """
        # 1. The checkpoint is the log's.
        checkpoint = Checkpoint.open(self.note, keys)
        return self.verify_under(checkpoint), checkpoint

    def verify_under(self, checkpoint: Checkpoint) -> JournalEntry:
        """Check everything but the checkpoint, which the caller believes and has from ``note``; give back the record.

        Raises:
            PkiRefusedError: ``log.proof-wrong``.
            PkiDataError: ``log.proof-malformed``.
        """
        # 2. The record is whole, and names this place.
        try:
            entry = JournalEntry.from_bytes(self.record)
            stated = leaf_index(entry)
        except RecordError as error:
            raise _malformed("its record is no journal entry") from error
        if stated != self.index:
            raise PkiRefusedError(
                f"record says leaf {stated}, the proof is for leaf {self.index}",
                code="log.proof-wrong",
            )
        # 3. Its leaf is in the tree.
        verify_inclusion(
            leaf_hash=hash_leaf(entry.hash),
            index=self.index,
            size=checkpoint.size,
            proof=self.hashes,
            root=checkpoint.root,
        )
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthProof:
    """That a log with a new checkpoint begins with all that it held when it had ``old_size`` leaves."""

    old_size: int
    hashes: tuple[bytes, ...]
    note: SignedNote

    def to_bytes(self) -> bytes:
        """The proof as it stands in a file (c2sp.org/tlog-witness, ``add-checkpoint``)."""
        lines = [f"old {self.old_size}", *map(encode_base64, self.hashes)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.note.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a proof strictly.

        Raises:
            PkiDataError: ``log.proof-malformed``, ``log.note-malformed``.
        """
        lines, note = _split(data)
        try:
            return cls(
                old_size=decode_size(_after(lines[0], "old ")),
                hashes=_read_hashes(lines[1:]),
                note=note,
            )
        except ValueError as error:
            raise _malformed("a line is not what its place asks for") from error

    def verify(self, old: Checkpoint, keys: Sequence[NoteVerifier]) -> Checkpoint:
        """Check that the new checkpoint continues the old one, which the caller kept; give back the new one.

        Raises:
            PkiRefusedError: as ``InclusionProof.verify``.
            PkiDataError: ``log.checkpoint-malformed``.
        """
        new = Checkpoint.open(self.note, keys)
        if old.size != self.old_size or old.origin != new.origin:
            raise PkiRefusedError(
                f"proof is about size {self.old_size} of {new.origin!r}, "
                f"the checkpoint kept has size {old.size} of {old.origin[:80]!r}",
                code="log.proof-wrong",
            )
        verify_consistency(
            old_size=old.size,
            old_root=old.root,
            new_size=new.size,
            new_root=new.root,
            proof=self.hashes,
        )
        return new


def is_growth_proof(data: bytes) -> bool:
    """Which of the two a file holds."""
    return data.startswith(b"old ")


def _split(data: bytes) -> tuple[list[str], SignedNote]:
    if len(data) > MAX_PROOF_BYTES:
        raise _malformed(f"it has {len(data)} bytes, expected at most {MAX_PROOF_BYTES}")
    # The note may hold empty lines of its own: the first one ends the proof.
    head, separator, note = data.partition(b"\n\n")
    if not separator or len(note) > MAX_NOTE_BYTES or not head.isascii():
        raise _malformed("it has no checkpoint behind an empty line")
    return head.decode().split("\n"), SignedNote.from_bytes(note)


def _read_hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    hashes = tuple(decode_base64(line) for line in lines)
    if len(hashes) > _MAX_HASHES or any(len(each) != HASH_BYTES for each in hashes):
        raise ValueError("no hashes")
    return hashes


def _after(line: str, prefix: str) -> str:
    if not line.startswith(prefix):
        raise ValueError("another line")
    return line.removeprefix(prefix)


def _malformed(reason: str) -> PkiDataError:
    return PkiDataError(f"proof cannot be read: {reason}", code="log.proof-malformed")
