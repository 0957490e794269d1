"""Security objects put together from constant parts, byte for byte as ``prepare_security_object`` makes them.

All cards of one signer differ in a few values of fixed length: digests, time, status reference, signature. For each
shape (which groups, how long the index and the signature are) the reference encoder is run once over marked values;
where they come to lie is where those of a card are put. Nothing here knows DER.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from pki.errors import KeystoreError, PkiRefusedError
from pki.keys.algorithms import HashAlgorithm, SignatureAlgorithm
from pki.signed.security_object import (
    StatusReference,
    check_file_hashes,
    prepare_security_object,
)
from pki.signed.signed_data import PreparedSignedData

__all__ = ["AssembledSecurityObject", "SecurityObjectTemplate", "UnsignedSecurityObject"]

_MARKED_TIME: Final = datetime(2049, 12, 31, 23, 58, 57, tzinfo=UTC)
_MARKED_TIME_TEXT: Final = b"491231235857Z"
_MARKED_LIST: Final = bytes.fromhex("9d3be15cf0a27648")
_INDEX_HEADER_BYTES: Final = 2
"""Tag and length of the INTEGER, which stands right behind the list."""

_MAX_SHAPES: Final = 256


class UnsignedSecurityObject(Protocol):
    """A security object that lacks nothing but the signature."""

    @property
    def to_be_signed(self) -> bytes:
        """What is signed."""

    def finish(self, signature: bytes) -> bytes:
        """The DER ``ContentInfo`` with this signature in it."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Constant parts, and the gaps between them: one gap less than parts."""

    parts: tuple[bytes, ...]

    @classmethod
    def around(cls, encoded: bytes, gaps: Sequence[tuple[int, int]]) -> "_Frame":
        """What is left of ``encoded`` without the gaps (start, length), which come in order."""
        parts: list[bytes] = []
        position = 0
        for start, length in gaps:
            parts.append(encoded[position:start])
            position = start + length
        parts.append(encoded[position:])
        return cls(tuple(parts))

    def fill(self, values: Sequence[bytes]) -> bytes:
        """The parts with values in the gaps."""
        pieces = [self.parts[0]]
        for value, part in zip(values, self.parts[1:], strict=True):
            pieces += (value, part)
        return b"".join(pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """How cards with these groups and this length of index look; ``order`` says which gap takes what."""

    content: _Frame
    attributes: _Frame
    order: tuple[int, ...]
    marked: PreparedSignedData = field(repr=False)
    wholes: dict[int, _Frame] = field(default_factory=dict, repr=False)

    def whole(self, signature_length: int) -> _Frame:
        """The frame around content, attributes and a signature of this length."""
        found = self.wholes.get(signature_length)
        if found is None:
            found = self.wholes[signature_length] = _whole(self.marked, signature_length)
        return found


@dataclass(frozen=True, slots=True)
class AssembledSecurityObject:
    """One card's security object without its signature."""

    to_be_signed: bytes
    _content: bytes
    _shape: _Shape

    def finish(self, signature: bytes) -> bytes:
        """The DER ``ContentInfo`` with this signature in it."""
        whole = self._shape.whole(len(signature))
        header = len(self.to_be_signed) - _value_length(self.to_be_signed)
        return whole.fill((self._content, self.to_be_signed[header:], signature))


class SecurityObjectTemplate:
    """What is the same in all security objects of one signer."""

    def __init__(
        self,
        *,
        algorithm: SignatureAlgorithm,
        public_key: ec.EllipticCurvePublicKey,
        certificate_der: bytes,
    ) -> None:
        self._algorithm = algorithm
        self._public_key = public_key
        self._certificate_der = certificate_der
        self._shape = lru_cache(_MAX_SHAPES)(self._find_shape)

    def prepare(
        self,
        *,
        file_hashes: Mapping[int, bytes],
        signing_time: datetime,
        status_reference: StatusReference,
    ) -> UnsignedSecurityObject:
        """Everything of a security object but its signature; see ``prepare_security_object``.

        Raises:
            PkiRefusedError: ``signing.request-invalid`` or ``signing.key-mismatch``.
        """
        if signing_time.tzinfo is None:
            raise PkiRefusedError(
                "signing time has no time zone, expected an aware time",
                code="signing.request-invalid",
            )
        moment = signing_time.astimezone(UTC)
        if not 1950 <= moment.year < 2050:
            # Another type of time, which is no more than a generation away.
            return self._reference(file_hashes, signing_time, status_reference)
        hash_algorithm = self._algorithm.hash_algorithm
        check_file_hashes(file_hashes, hash_algorithm)
        numbers = tuple(sorted(file_hashes))
        index = _integer(status_reference.index)
        shape = self._shape(numbers, len(index))
        content = shape.content.fill([file_hashes[number] for number in numbers])
        values = (
            hash_algorithm.digest(content),
            moment.strftime("%y%m%d%H%M%SZ").encode(),
            status_reference.list_id,
            index,
        )
        return AssembledSecurityObject(
            shape.attributes.fill([values[each] for each in shape.order]), content, shape
        )

    def _find_shape(self, numbers: tuple[int, ...], index_length: int) -> _Shape:
        hash_algorithm = self._algorithm.hash_algorithm
        digests = {number: _marked_digest(hash_algorithm, number) for number in numbers}
        # The greatest number of this length, which five bytes may hold only as far as a status index goes.
        index_number = min(2 ** (8 * index_length - 1) - 1, 0xFFFFFFFF)
        index = _integer(index_number)
        marked = self._reference(
            digests,
            _MARKED_TIME,
            StatusReference(list_id=_MARKED_LIST, index=index_number),
        )
        content = marked.content
        attributes = marked.to_be_signed
        list_at = _find(attributes, _MARKED_LIST)
        index_at = list_at + len(_MARKED_LIST) + _INDEX_HEADER_BYTES
        if attributes[index_at : index_at + index_length] != index:
            raise _unexpected()
        digest = hash_algorithm.digest(content)
        gaps = [
            (_find(attributes, digest), len(digest)),
            (_find(attributes, _MARKED_TIME_TEXT), len(_MARKED_TIME_TEXT)),
            (list_at, len(_MARKED_LIST)),
            (index_at, index_length),
        ]
        order = tuple(sorted(range(len(gaps)), key=lambda each: gaps[each][0]))
        return _Shape(
            content=_Frame.around(
                content, [(_find(content, digests[each]), len(digests[each])) for each in numbers]
            ),
            attributes=_Frame.around(attributes, [gaps[each] for each in order]),
            order=order,
            marked=marked,
        )

    def _reference(
        self,
        file_hashes: Mapping[int, bytes],
        signing_time: datetime,
        status_reference: StatusReference,
    ) -> PreparedSignedData:
        return prepare_security_object(
            algorithm=self._algorithm,
            public_key=self._public_key,
            certificate_der=self._certificate_der,
            file_hashes=file_hashes,
            signing_time=signing_time,
            status_reference=status_reference,
        )


def _whole(marked: PreparedSignedData, signature_length: int) -> _Frame:
    signature = bytes((0xA5,)) * signature_length
    encoded = marked.finish(signature)
    attributes = marked.to_be_signed
    value = attributes[len(attributes) - _value_length(attributes) :]
    if not encoded.endswith(signature):
        raise _unexpected()
    return _Frame.around(
        encoded,
        [
            (_find(encoded, marked.content), len(marked.content)),
            (_find(encoded, value), len(value)),
            (len(encoded) - signature_length, signature_length),
        ],
    )


def _marked_digest(hash_algorithm: HashAlgorithm, number: int) -> bytes:
    return hash_algorithm.digest(b"membercard marked digest %d" % number)


def _find(encoded: bytes, marked: bytes) -> int:
    """Where a marked value lies, which must be one place."""
    position = encoded.find(marked)
    if position < 0 or encoded.find(marked, position + 1) >= 0:
        raise _unexpected()
    return position


def _integer(number: int) -> bytes:
    """The value bytes of a DER INTEGER that is not negative: one bit more than the number needs (X.690, 8.3)."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _value_length(encoded: bytes) -> int:
    """The length of the value in one DER element with a tag of one byte."""
    first = encoded[1]
    if first < 0x80:
        return first
    return int.from_bytes(encoded[2 : 2 + (first & 0x7F)], "big")


def _unexpected() -> KeystoreError:
    return KeystoreError(
        "a security object's constant parts are not where they must be",
        code="keystore.signature-wrong",
    )
