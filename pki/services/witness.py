"""A witness: somebody else's machine that looks at every checkpoint of a log, and never lets it go back.

The rules are those of C2SP tlog-witness, ``add-checkpoint``, with files instead of HTTP:

1. the checkpoint is of the log that this witness watches, and signed by it;
2. it is not smaller than the last one;
3. one of the same size is the same one;
4. a larger one comes with the proof that it begins with all of the last one;
5. what was seen, and when, is on the disk before the cosignature is made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pki.errors import PkiRefusedError
from pki.record.transparency_cosignature import WitnessKey, cosign
from pki.record.transparency_note import MAX_SIGNATURES, Checkpoint, NoteKey, SignedNote
from pki.record.transparency_proof import GrowthProof, is_growth_proof
from pki.record.transparency_tree import verify_consistency

__all__ = ["SeenCheckpoint", "Witness", "WitnessShelf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCheckpoint:
    """The largest tree that the witness cosigned: its size and root (32 bytes), and when (whole seconds)."""

    size: int
    root: bytes
    time: datetime


class WitnessShelf(Protocol):
    """What a witness remembers."""

    def read_seen(self) -> SeenCheckpoint | None:
        """The last checkpoint; ``None`` before the first.

        Raises:
            RecordError: ``witness.unusable``.
        """

    def write_seen(self, seen: SeenCheckpoint) -> None:
        """Remember durably.

        Raises:
            RecordError: ``witness.unusable``.
        """

    def keep_evidence(self, note: bytes) -> None:
        """Keep a checkpoint that convicts the log, because the log signed it.

        Raises:
            RecordError: ``witness.unusable``.
        """


class Witness:
    """One witness of one log; its shelf belongs to it alone as long as it lives."""

    def __init__(
        self,
        *,
        key: WitnessKey,
        log: NoteKey,
        shelf: WitnessShelf,
        sign: Callable[[bytes], bytes],
        now: Callable[[], datetime],
    ) -> None:
        """Bind key, memory and clock; ``sign`` makes Ed25519 signatures (64 bytes) with the other half of ``key``."""
        self._key = key
        self._log = log
        self._shelf = shelf
        self._sign = sign
        self._now = now

    def cosign(self, request: bytes) -> SignedNote:
        """The checkpoint of a request with this witness's cosignature added.

        Args:
            request: a growth proof from the last checkpoint, or a checkpoint alone: the first one, or the last one again.

        Raises:
            PkiDataError: ``log.proof-malformed``, ``log.note-malformed``, ``log.checkpoint-malformed``.
            PkiRefusedError: ``log.signature-wrong``, ``log.other-origin``; ``witness.rolled-back``, ``witness.forked``,
                ``witness.other-size``, ``log.proof-wrong``; ``witness.clock-behind``, ``witness.note-full``: nothing
                was cosigned or remembered.
            RecordError: ``witness.unusable``.
        """
        growth = GrowthProof.from_bytes(request) if is_growth_proof(request) else None
        note = SignedNote.from_bytes(request) if growth is None else growth.note
        # 1. Of this log, by its key.
        checkpoint = Checkpoint.open(note, [self._log])
        seen = self._shelf.read_seen()
        if seen is not None:
            self._check_against(seen, checkpoint, note, growth)
        elif growth is not None and growth.old_size != 0:
            raise _other_size(growth.old_size, 0)
        elif growth is not None and growth.hashes:
            raise PkiRefusedError(
                f"proof from an empty log has {len(growth.hashes)} hashes, expected none",
                code="log.proof-wrong",
            )
        if len(note.signatures) >= MAX_SIGNATURES:
            raise PkiRefusedError(
                f"checkpoint has {len(note.signatures)} signatures already, "
                f"expected less than {MAX_SIGNATURES}",
                code="witness.note-full",
            )
        moment = self._now().replace(microsecond=0)
        if seen is not None and moment < seen.time:
            raise PkiRefusedError(
                f"this clock says {moment:%Y-%m-%d %H:%M:%S}Z, "
                f"the last cosignature was made at {seen.time:%Y-%m-%d %H:%M:%S}Z",
                code="witness.clock-behind",
                hint="set the clock: the time is what a witness is believed for",
            )
        # 5. Remembered first: a crash before the signature costs a second request, and no second history.
        self._shelf.write_seen(
            SeenCheckpoint(size=checkpoint.size, root=checkpoint.root, time=moment)
        )
        line = cosign(note.text, key=self._key, at=moment, sign=self._sign)
        return SignedNote(text=note.text, signatures=(*note.signatures, line))

    def _check_against(
        self,
        seen: SeenCheckpoint,
        checkpoint: Checkpoint,
        note: SignedNote,
        growth: GrowthProof | None,
    ) -> None:
        # 2. Never back.
        if checkpoint.size < seen.size:
            raise PkiRefusedError(
                f"checkpoint has {checkpoint.size} leaves, this witness has seen {seen.size}",
                code="witness.rolled-back",
            )
        # 3. Two roots of one size are two histories, and the log signed both.
        if checkpoint.size == seen.size and checkpoint.root != seen.root:
            self._shelf.keep_evidence(note.to_bytes())
            raise PkiRefusedError(
                f"checkpoint of {checkpoint.size} leaves has another root than the one seen before: "
                "the log has two histories",
                code="witness.forked",
                hint="it is kept as evidence; tell the committee and the other witnesses",
            )
        old_size = growth.old_size if growth is not None else checkpoint.size
        if old_size != seen.size:
            raise _other_size(0 if growth is None else old_size, seen.size)
        # 4. All of the last tree is at the beginning of this one.
        verify_consistency(
            old_size=seen.size,
            old_root=seen.root,
            new_size=checkpoint.size,
            new_root=checkpoint.root,
            proof=() if growth is None else growth.hashes,
        )


def _other_size(got: int, expected: int) -> PkiRefusedError:
    return PkiRefusedError(
        f"proof is from a log of {got} leaves, this witness has seen {expected}",
        code="witness.other-size",
        hint="membercard-pki log prove --since FILE, with the checkpoint that this witness cosigned last",
    )
