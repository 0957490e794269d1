"""Cosignatures of witnesses under checkpoints (C2SP tlog-cosignature, ``cosignature/v1``): Ed25519, with a time.

A cosignature says: at this time, this was the largest tree of this log that I have seen, and it begins with every
smaller one that I saw before. The time is the witness's, not the log's.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pki.errors import PkiRefusedError
from pki.record.transparency_note import (
    NoteSignature,
    SignedNote,
    check_name,
    encode_base64,
    malformed_key,
    read_vkey,
)

__all__ = ["WitnessKey", "cosign", "cosigned_message"]

_SIGNATURE_TYPE: Final = b"\x04"
_KEY_ID_BYTES: Final = 4
_KEY_BYTES: Final = 32
_TIME_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SECONDS: Final = 253_402_300_799
"""The end of the year 9999: no time of ours is later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessKey:
    """A witness's public key under its name; ``public_key`` are the 32 bytes of RFC 8032."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        """Refuse what can be no key of a witness."""
        check_name(self.name)
        if len(self.public_key) != _KEY_BYTES:
            raise malformed_key(f"it has {len(self.public_key)} bytes, expected {_KEY_BYTES}")

    @property
    def key_id(self) -> bytes:
        """Four bytes (c2sp.org/tlog-cosignature)."""
        content = self.name.encode() + b"\n" + _SIGNATURE_TYPE + self.public_key
        return hashlib.sha256(content).digest()[:_KEY_ID_BYTES]

    def to_text(self) -> str:
        """``name+key ID+key``, as tools around signed notes take it."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(_SIGNATURE_TYPE + self.public_key)}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what ``to_text`` wrote.

        Raises:
            PkiDataError: ``log.key-malformed``.
        """
        name, key_id, data = read_vkey(text, signature_type=_SIGNATURE_TYPE)
        key = cls(name=name, public_key=data)
        if key.key_id.hex() != key_id:
            raise malformed_key(f"its ID is {key_id[:8]!r}, expected {key.key_id.hex()!r}")
        return key

    def is_signed(self, text: str, signature: bytes) -> bool:
        """Whether this key made the cosignature over a note's text at the time that it names."""
        return self._time_of(text, signature) is not None

    def first_time(self, note: SignedNote) -> datetime | None:
        """The earliest time at which this witness says to have seen the checkpoint; ``None`` where it did not sign.

        Raises:
            PkiRefusedError: ``log.signature-wrong``: a line under its name and key ID is not its.
        """
        times: list[datetime] = []
        for item in note.signatures:
            if (item.name, item.key_id) != (self.name, self.key_id):
                continue
            moment = self._time_of(note.text, item.signature)
            if moment is None:
                raise PkiRefusedError(
                    f"cosignature of {self.name!r} under the checkpoint is wrong",
                    code="log.signature-wrong",
                )
            times.append(moment)
        return min(times, default=None)

    def _time_of(self, text: str, signature: bytes) -> datetime | None:
        """The time of a cosignature by this key, ``None`` for anything else."""
        if len(signature) != _TIME_BYTES + _SIGNATURE_BYTES:
            return None
        seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
        # Nobody witnessed anything at the epoch: a time of zero is none (c2sp.org/tlog-cosignature).
        if not 1 <= seconds <= _MAX_SECONDS:
            return None
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(
                signature[_TIME_BYTES:], cosigned_message(text, seconds)
            )
        except (InvalidSignature, ValueError):
            return None
        return _EPOCH + timedelta(seconds=seconds)


def cosigned_message(text: str, seconds: int) -> bytes:
    """What a witness signs: two lines before the whole text of the checkpoint's note."""
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def cosign(
    text: str, *, key: WitnessKey, at: datetime, sign: Callable[[bytes], bytes]
) -> NoteSignature:
    """A cosignature over a checkpoint's text; ``sign`` makes Ed25519 signatures (64 bytes) with the key's other half.

    Raises:
        PkiRefusedError: ``log.signature-wrong``: what came back is not this key's.
    """
    seconds = int((at - _EPOCH).total_seconds())
    line = NoteSignature(
        name=key.name,
        key_id=key.key_id,
        signature=seconds.to_bytes(_TIME_BYTES, "big") + sign(cosigned_message(text, seconds)),
    )
    # Nothing wrong leaves the house, and no time that others would not take.
    key.first_time(SignedNote(text=text, signatures=(line,)))
    return line
