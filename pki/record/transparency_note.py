"""Checkpoints of the transparency log: signed notes (C2SP signed-note v1, tlog-checkpoint).

The log signs with ECDSA on P-256 over SHA-256, which is signature type 0x02 of c2sp.org/signed-note. Its key ID is
not the usual one: it is the first four bytes of the SHA-256 hash of the DER SubjectPublicKeyInfo alone. Other
signature types are ignored like signatures of keys that nobody named, as that specification asks.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import SignatureAlgorithm, elliptic_curve_key
from pki.keys.signer import Signer
from pki.record.transparency_tree import HASH_BYTES

__all__ = [
    "MAX_NOTE_BYTES",
    "MAX_SIGNATURES",
    "Checkpoint",
    "NoteKey",
    "NoteSignature",
    "NoteVerifier",
    "SignedNote",
    "check_name",
    "decode_base64",
    "decode_size",
    "encode_base64",
    "malformed_key",
    "read_vkey",
    "sign_note",
]

MAX_NOTE_BYTES: Final = 65536
MAX_SIGNATURES: Final = 64
_MAX_NAME_CHARACTERS: Final = 200
_SIGNATURE_TYPE_ECDSA: Final = b"\x02"
_KEY_ID_BYTES: Final = 4
_SIGNATURE_PREFIX: Final = "\N{EM DASH} "
_MAX_SIZE_DIGITS: Final = 18


class NoteVerifier(Protocol):
    """A key that verifies signatures under notes, of whatever type."""

    @property
    def name(self) -> str:
        """Whose it is."""

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell it from other keys of that name."""

    def is_signed(self, text: str, signature: bytes) -> bool:
        """Whether this key made the signature over a note's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKey:
    """A public key that verifies notes, under its name; ``spki`` is the DER SubjectPublicKeyInfo."""

    name: str
    spki: bytes

    def __post_init__(self) -> None:
        """Refuse what can be no key of a note."""
        check_name(self.name)
        self._load()

    @classmethod
    def from_public_key(cls, name: str, public_key: ec.EllipticCurvePublicKey) -> Self:
        """The key under this name.

        Raises:
            PkiDataError: ``log.key-malformed``.
        """
        spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return cls(name=name, spki=spki)

    @property
    def key_id(self) -> bytes:
        """Four bytes (c2sp.org/signed-note, signature type 0x02)."""
        return sha256(self.spki).digest()[:_KEY_ID_BYTES]

    def to_text(self) -> str:
        """``name+key ID+key``, as tools around signed notes take it."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(_SIGNATURE_TYPE_ECDSA + self.spki)}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what ``to_text`` wrote.

        Raises:
            PkiDataError: ``log.key-malformed``.
        """
        name, key_id, data = read_vkey(text, signature_type=_SIGNATURE_TYPE_ECDSA)
        key = cls(name=name, spki=data)
        if key.key_id.hex() != key_id:
            raise malformed_key(f"its ID is {key_id[:8]!r}, expected {key.key_id.hex()!r}")
        return key

    def is_signed(self, text: str, signature: bytes) -> bool:
        """Whether this key made the signature over a note's text."""
        try:
            self._load().verify(signature, text.encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def _load(self) -> ec.EllipticCurvePublicKey:
        try:
            key = load_der_public_key(self.spki)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise malformed_key("its bytes are no public key") from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(
            key.curve, ec.SECP256R1
        ):
            raise malformed_key("it is not on P-256")
        if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != self.spki:
            raise malformed_key("it is not in the one encoding")
        return key


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line: who says to have signed, with which key, and the signature."""

    name: str
    key_id: bytes
    signature: bytes

    def to_text(self) -> str:
        """The line with its end."""
        return f"{_SIGNATURE_PREFIX}{self.name} {encode_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedNote:
    """A text that ends in a line end, with at least one signature; believe it only after ``verify``."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def to_bytes(self) -> bytes:
        """The note as it stands in a file."""
        return (self.text + "\n" + "".join(item.to_text() for item in self.signatures)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a note strictly.

        Raises:
            PkiDataError: ``log.note-malformed``.
        """
        if len(data) > MAX_NOTE_BYTES:
            raise _malformed_note(f"it has {len(data)} bytes, expected at most {MAX_NOTE_BYTES}")
        try:
            whole = data.decode()
        except UnicodeDecodeError as error:
            raise _malformed_note("it is not UTF-8") from error
        if any(each < " " and each != "\n" for each in whole):
            raise _malformed_note("it holds control characters")
        # The text is separated from the signatures by the last empty line.
        text, separator, lines = whole.rpartition("\n\n")
        if not separator or not lines.endswith("\n"):
            raise _malformed_note("it has no signatures behind an empty line")
        signatures = tuple(_read_signature(line) for line in lines[:-1].split("\n"))
        if len(signatures) > MAX_SIGNATURES:
            raise _malformed_note(f"it has {len(signatures)} signatures")
        return cls(text=text + "\n", signatures=signatures)

    def verify(self, keys: Sequence[NoteVerifier]) -> tuple[NoteVerifier, ...]:
        """Which of these keys signed it; a signature by anybody else is ignored.

        Raises:
            PkiRefusedError: ``log.signature-wrong``: none of them did, or one of their signatures is wrong.
        """
        found: list[NoteVerifier] = []
        for item in self.signatures:
            for key in keys:
                if (key.name, key.key_id) != (item.name, item.key_id):
                    continue
                if not key.is_signed(self.text, item.signature):
                    raise PkiRefusedError(
                        f"signature of {key.name!r} under the checkpoint is wrong",
                        code="log.signature-wrong",
                    )
                if key not in found:
                    found.append(key)
        if not found:
            names = sorted({item.name[:60] for item in self.signatures})
            raise PkiRefusedError(
                f"checkpoint is signed by {names}, expected {sorted(key.name for key in keys)} "
                "with a known key",
                code="log.signature-wrong",
            )
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How large a log is, and its root (c2sp.org/tlog-checkpoint); ``extensions`` are lines for others."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def to_text(self) -> str:
        """The text of the note."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read the text of a note strictly.

        Raises:
            PkiDataError: ``log.checkpoint-malformed``.
        """
        lines = text.split("\n")
        if lines.pop() != "" or len(lines) < 3 or not all(lines):
            raise _malformed_checkpoint("it has not three lines or more, none of them empty")
        origin, size, root, *extensions = lines
        try:
            decoded_size, decoded_root = decode_size(size), decode_base64(root)
        except ValueError as error:
            raise _malformed_checkpoint("it has no decimal size or no base64 root") from error
        if len(decoded_root) != HASH_BYTES:
            raise _malformed_checkpoint(f"its root has {len(decoded_root)} bytes, expected 32")
        return cls(
            origin=origin, size=decoded_size, root=decoded_root, extensions=tuple(extensions)
        )

    @classmethod
    def open(cls, note: SignedNote, keys: Sequence[NoteVerifier]) -> Self:
        """The checkpoint in a note that **every** one of these keys signed, the first being the log's.

        Raises:
            PkiRefusedError: ``log.signature-wrong``; ``log.cosignature-missing``; ``log.other-origin``.
            PkiDataError: ``log.checkpoint-malformed``.
        """
        signed_by = note.verify(keys)
        missing = [key.name for key in keys if key not in signed_by]
        if missing:
            raise PkiRefusedError(
                f"checkpoint is not signed by {missing}", code="log.cosignature-missing"
            )
        checkpoint = cls.from_text(note.text)
        if checkpoint.origin != keys[0].name:
            raise PkiRefusedError(
                f"checkpoint is of log {checkpoint.origin[:80]!r}, expected {keys[0].name!r}",
                code="log.other-origin",
            )
        return checkpoint


def sign_note(text: str, *, name: str, signer: Signer) -> NoteSignature:
    """Sign a note's text under a name.

    Raises:
        PkiRefusedError: ``signing.key-mismatch``: the key does not sign with SHA-256.
        PkiDataError: ``log.key-malformed``: the key is not on P-256, or the name cannot stand in a note.
        KeystoreError: the key failed.
    """
    if signer.algorithm is not SignatureAlgorithm.ECDSA_SHA256:
        raise PkiRefusedError(
            f"key signs with {signer.algorithm.name}, expected ECDSA_SHA256",
            code="signing.key-mismatch",
        )
    key = NoteKey.from_public_key(name, elliptic_curve_key(signer.public_key))
    return NoteSignature(name=name, key_id=key.key_id, signature=signer.sign(text.encode()))


def read_vkey(text: str, *, signature_type: bytes) -> tuple[str, str, bytes]:
    """Name, key ID and key material of a verifier key (c2sp.org/signed-note) of one signature type.

    Raises:
        PkiDataError: ``log.key-malformed``.
    """
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise malformed_key(f"{text[:40]!r} has {len(parts)} parts, expected 3")
    try:
        data = decode_base64(parts[2])
    except ValueError as error:
        raise malformed_key("its third part is not base64") from error
    if data[:1] != signature_type:
        raise malformed_key(f"it is of type {data[:1].hex()}, expected {signature_type.hex()}")
    return parts[0], parts[1], data[1:]


def check_name(name: str) -> None:
    """Whether a name can stand in a note.

    Raises:
        PkiDataError: ``log.key-malformed``.
    """
    if (
        not 1 <= len(name) <= _MAX_NAME_CHARACTERS
        or "+" in name
        or any(each.isspace() or not each.isprintable() for each in name)
    ):
        raise malformed_key(
            f"its name has {len(name)} characters, expected 1 to {_MAX_NAME_CHARACTERS} "
            "without spaces and plus"
        )


def malformed_key(reason: str) -> PkiDataError:
    """That something is no key of a log or of a witness."""
    return PkiDataError(f"key of a log cannot be used: {reason}", code="log.key-malformed")


def encode_base64(data: bytes) -> str:
    """Base64 with padding (RFC 4648, 4)."""
    return base64.b64encode(data).decode()


def decode_base64(text: str) -> bytes:
    """What encodes to exactly this text.

    Raises:
        ValueError: nothing does.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    if encode_base64(data) != text:
        raise ValueError("not the one encoding")
    return data


def decode_size(text: str) -> int:
    """A decimal number of ASCII digits without leading zeroes.

    Raises:
        ValueError: it is none, or too large.
    """
    if not re.fullmatch(r"0|[1-9][0-9]*", text) or len(text) > _MAX_SIZE_DIGITS:
        raise ValueError("no decimal number")
    return int(text)


def _read_signature(line: str) -> NoteSignature:
    name, separator, encoded = line.removeprefix(_SIGNATURE_PREFIX).partition(" ")
    if not line.startswith(_SIGNATURE_PREFIX) or not separator:
        raise _malformed_note("a signature line has not the form of one")
    try:
        data = decode_base64(encoded)
    except ValueError as error:
        raise _malformed_note("a signature is not base64") from error
    if len(data) <= _KEY_ID_BYTES:
        raise _malformed_note(f"a signature has {len(data)} bytes, expected more than 4")
    try:
        check_name(name)
    except PkiDataError as error:
        raise _malformed_note("a signer's name cannot stand in a note") from error
    return NoteSignature(name=name, key_id=data[:_KEY_ID_BYTES], signature=data[_KEY_ID_BYTES:])


def _malformed_note(reason: str) -> PkiDataError:
    return PkiDataError(f"signed note cannot be read: {reason}", code="log.note-malformed")


def _malformed_checkpoint(reason: str) -> PkiDataError:
    return PkiDataError(f"checkpoint cannot be read: {reason}", code="log.checkpoint-malformed")
