"""Chips' keys sealed to a station: CMS AuthEnvelopedData with ECDH (RFC 5083, 5084, 5753; SPEC.md, 8.9).

One recipient, one ephemeral key. What the keys are for stands in an authenticated attribute, which everybody can
read and nobody can change; the keys themselves are encrypted. Nothing here judges: to whom may be sealed is a
question for ``pki.services.wrapping``, whether a file may still be used one for whoever opens it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from card_layout import tlv
from card_layout.tlv import Tlv
from pki.errors import PkiDataError

__all__ = [
    "KEY_BYTES",
    "MAX_CHIPS",
    "MAX_SEALED_BYTES",
    "ChipKeyTerms",
    "ChipKeysError",
    "SealedChipKeys",
    "StaticKeys",
    "seal_chip_keys",
]

KEY_BYTES: Final = 16
"""ENC, MAC and DEK are AES-128 keys (SPEC.md, 8.2)."""

MAX_CHIPS: Final = 500
MAX_SETS: Final = 17
"""Transport keys and sixteen versions of personalisation keys."""

MAX_SEALED_BYTES: Final = 1024 * 1024

_SERIAL_BYTES: Final = 10
_BATCH_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_IDENTIFIER_BYTES: Final = 20
_VERSION: Final = 1
_CONTENT_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_WRAPPED_BYTES: Final = _CONTENT_KEY_BYTES + 8
_TIME_FORMAT: Final = "%Y%m%d%H%M%SZ"

_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_OCTETS: Final = 0x04
_INTEGER: Final = 0x02
_OID: Final = 0x06
_TIME: Final = 0x18
_BITS: Final = 0x03


def _oid(*arcs: int) -> bytes:
    content = bytes((40 * arcs[0] + arcs[1],))
    for arc in arcs[2:]:
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.append(arc & 0x7F | 0x80)
        content += bytes(reversed(octets))
    return tlv.encode(_OID, content)


def _sequence(*parts: bytes) -> bytes:
    return tlv.encode(_SEQUENCE, b"".join(parts))


def _integer(value: int) -> bytes:
    return tlv.encode(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


_ID_AUTH_ENVELOPED_DATA: Final = _oid(1, 2, 840, 113549, 1, 9, 16, 1, 23)
_ID_CHIP_KEYS: Final = _oid(1, 3, 6, 1, 4, 1, 32473, 51, 1, 2)
_ID_CHIP_KEY_TERMS: Final = _oid(1, 3, 6, 1, 4, 1, 32473, 51, 1, 3)
_ID_CONTENT_TYPE: Final = _oid(1, 2, 840, 113549, 1, 9, 3)
_ID_EC_PUBLIC_KEY: Final = _oid(1, 2, 840, 10045, 2, 1)
_ID_STANDARD_DH_SHA256: Final = _oid(1, 3, 132, 1, 11, 1)
_ID_AES256_WRAP: Final = _oid(2, 16, 840, 1, 101, 3, 4, 1, 45)
_ID_AES256_GCM: Final = _oid(2, 16, 840, 1, 101, 3, 4, 1, 46)

_WRAP_ALGORITHM: Final = _sequence(_ID_AES256_WRAP)


class ChipKeysError(PkiDataError):
    """Bytes that are no sealed keys of chips, or were changed."""

    default_code = "chip-keys.malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticKeys:
    """The keys ENC, MAC and DEK that a chip holds under one version."""

    key_version: int
    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    dek: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipKeyTerms:
    """What sealed keys are for; everybody can read it, and it is authenticated with the keys.

    ``batch`` has 16 bytes, ``station`` is the SHA-256 of the station's certificate, ``not_after`` an aware time of
    whole seconds; ``key_versions`` are those of every chip, and ``current_version`` is the one that chips get.
    """

    batch: bytes
    station: bytes
    not_after: datetime
    chips: int
    key_versions: tuple[int, ...]
    current_version: int

    def __post_init__(self) -> None:
        if len(self.batch) != _BATCH_BYTES or len(self.station) != _DIGEST_BYTES:
            raise ChipKeysError("batch or station of sealed keys has a wrong length")
        if self.not_after.tzinfo is not UTC or self.not_after.microsecond:
            raise ChipKeysError("end of sealed keys is no time in UTC of whole seconds")
        if not 1 <= self.chips <= MAX_CHIPS:
            raise ChipKeysError(f"got keys of {self.chips:x} chips, expected 1 to {MAX_CHIPS:x}")
        versions = self.key_versions
        if (
            not 1 <= len(versions) <= MAX_SETS
            or list(versions) != sorted(set(versions))
            or not all(1 <= each <= 0xFF for each in versions)
            or self.current_version not in versions
        ):
            raise ChipKeysError(
                "key versions of sealed keys are not ascending, or lack the current one"
            )

    def to_bytes(self) -> bytes:
        """The value of the attribute ``chipKeyTerms``, DER."""
        return _sequence(
            _integer(_VERSION),
            tlv.encode(_OCTETS, self.batch),
            tlv.encode(_OCTETS, self.station),
            tlv.encode(_TIME, self.not_after.strftime(_TIME_FORMAT).encode("ascii")),
            _integer(self.chips),
            _sequence(*(_integer(each) for each in self.key_versions)),
            _integer(self.current_version),
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the attribute's value.

        Raises:
            ChipKeysError: ``chip-keys.malformed``.
        """
        version, batch, station, end, chips, versions, current = _children(content, 7)
        value = cls(
            batch=batch.value,
            station=station.value,
            not_after=_moment(end.value),
            chips=_small(chips),
            key_versions=tuple(_small(each) for each in _all_children(versions.to_bytes())),
            current_version=_small(current),
        )
        if _small(version) != _VERSION or value.to_bytes() != content:
            raise ChipKeysError("the terms of sealed keys are not in the one encoding")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedChipKeys:
    """A file of sealed keys, taken apart; ``recipient`` is the key identifier of the station's key."""

    terms: ChipKeyTerms
    recipient: bytes
    ephemeral_point: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    tag: bytes = field(repr=False)

    def __post_init__(self) -> None:
        sizes = (len(self.recipient), len(self.wrapped_key), len(self.nonce), len(self.tag))
        if sizes != (_IDENTIFIER_BYTES, _WRAPPED_BYTES, _NONCE_BYTES, _TAG_BYTES):
            raise ChipKeysError("a part of sealed keys has a wrong length")

    def to_bytes(self) -> bytes:
        """The file: a DER ``ContentInfo``."""
        originator = _sequence(
            _sequence(_ID_EC_PUBLIC_KEY), tlv.encode(_BITS, b"\x00" + self.ephemeral_point)
        )
        recipient = b"".join((
            _integer(3),
            tlv.encode(0xA0, tlv.encode(0xA1, tlv.parse(originator).value)),
            _sequence(_ID_STANDARD_DH_SHA256, _WRAP_ALGORITHM),
            _sequence(
                _sequence(
                    tlv.encode(0xA0, tlv.encode(_OCTETS, self.recipient)),
                    tlv.encode(_OCTETS, self.wrapped_key),
                )
            ),
        ))  # fmt: skip
        encrypted = _sequence(
            _ID_CHIP_KEYS,
            _sequence(
                _ID_AES256_GCM, _sequence(tlv.encode(_OCTETS, self.nonce), _integer(_TAG_BYTES))
            ),
            tlv.encode(0x80, self.ciphertext),
        )
        enveloped = _sequence(
            _integer(0),
            tlv.encode(_SET, tlv.encode(0xA1, recipient)),
            encrypted,
            tlv.encode(0xA1, tlv.parse(_authenticated_attributes(self.terms)).value),
            tlv.encode(_OCTETS, self.tag),
        )
        return _sequence(_ID_AUTH_ENVELOPED_DATA, tlv.encode(0xA0, enveloped))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a file in the one encoding that ``to_bytes`` writes.

        Raises:
            ChipKeysError: ``chip-keys.malformed``.
        """
        if len(content) > MAX_SEALED_BYTES:
            raise ChipKeysError(
                f"sealed keys have {len(content)} bytes, expected at most {MAX_SEALED_BYTES}"
            )
        _kind, wrapped = _children(content, 2)
        _version, recipients, encrypted, attributes, tag = _children(wrapped.value, 5)
        _version, originator, _algorithm, keys = _children(_inside(recipients), 4)
        _algorithm, point = _children(_inside(originator), 2)
        identifier, wrapped_key = _children(_inside(keys), 2)
        _kind, algorithm, ciphertext = _children(encrypted.to_bytes(), 3)
        _oid_of_gcm, parameters = _children(algorithm.to_bytes(), 2)
        nonce, _size = _children(parameters.to_bytes(), 2)
        _content_type, terms = _children(attributes.to_bytes(), 2)
        _kind, values = _children(terms.to_bytes(), 2)
        value = cls(
            terms=ChipKeyTerms.from_bytes(values.value),
            recipient=_child(identifier).value,
            ephemeral_point=point.value[1:],
            wrapped_key=wrapped_key.value,
            nonce=nonce.value,
            ciphertext=ciphertext.value,
            tag=tag.value,
        )
        if value.to_bytes() != content:
            raise ChipKeysError("sealed keys are not in the one encoding")
        return value

    def open(
        self, agree: Callable[[ec.EllipticCurvePublicKey], bytes], *, curve: ec.EllipticCurve
    ) -> dict[bytes, tuple[StaticKeys, ...]]:
        """The keys by serial, once the seal is known to hold.

        Args:
            agree: ECDH with the station's private key.
            curve: the curve of the station's key.

        Raises:
            ChipKeysError: ``chip-keys.malformed``, ``chip-keys.seal-broken``.
            KeystoreError: the station's key failed.
        """
        try:
            ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(curve, self.ephemeral_point)
        except ValueError as error:
            raise ChipKeysError("the sender's key is no point of the station's curve") from error
        try:
            content_key = aes_key_unwrap(_wrapping_key(agree(ephemeral)), self.wrapped_key)
            content = AESGCM(content_key).decrypt(
                self.nonce, self.ciphertext + self.tag, _authenticated_attributes(self.terms)
            )
        except (InvalidUnwrap, InvalidTag) as error:
            raise ChipKeysError(
                "the seal of the chips' keys does not hold: they were changed, or are another station's",
                code="chip-keys.seal-broken",
            ) from error
        keys = _read_keys(content)
        if len(keys) != self.terms.chips or any(
            tuple(each.key_version for each in sets) != self.terms.key_versions
            for sets in keys.values()
        ):
            raise ChipKeysError("the sealed keys are not those that their terms tell")
        return keys


def seal_chip_keys(
    terms: ChipKeyTerms,
    keys: Mapping[bytes, Sequence[StaticKeys]],
    *,
    station_key: ec.EllipticCurvePublicKey,
    recipient: bytes,
    random_bytes: Callable[[int], bytes],
) -> SealedChipKeys:
    """Seal chips' keys, by serial, to the key of a station, whose key identifier is ``recipient``.

    The ephemeral key is the library's own random; ``random_bytes`` draws content key and nonce.

    Raises:
        ChipKeysError: the keys are not what the terms tell.
    """
    content = _write_keys(keys)
    if _read_keys(content).keys() != keys.keys() or len(keys) != terms.chips:
        raise ChipKeysError(f"got keys of {len(keys)} chips, expected {terms.chips}")
    ephemeral = ec.generate_private_key(station_key.curve)
    content_key = random_bytes(_CONTENT_KEY_BYTES)
    nonce = random_bytes(_NONCE_BYTES)
    sealed = AESGCM(content_key).encrypt(nonce, content, _authenticated_attributes(terms))
    return SealedChipKeys(
        terms=terms,
        recipient=recipient,
        ephemeral_point=ephemeral.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        ),
        wrapped_key=aes_key_wrap(
            _wrapping_key(ephemeral.exchange(ec.ECDH(), station_key)), content_key
        ),
        nonce=nonce,
        ciphertext=sealed[:-_TAG_BYTES],
        tag=sealed[-_TAG_BYTES:],
    )


def _wrapping_key(shared_secret: bytes) -> bytes:
    """ANSI X9.63 with ``ECC-CMS-SharedInfo`` (RFC 5753, 7.2): the wrap algorithm, and its key's length in bits."""
    bits = (8 * _CONTENT_KEY_BYTES).to_bytes(4, "big")
    shared_info = _sequence(_WRAP_ALGORITHM, tlv.encode(0xA2, tlv.encode(_OCTETS, bits)))
    kdf = X963KDF(algorithm=hashes.SHA256(), length=_CONTENT_KEY_BYTES, sharedinfo=shared_info)
    return kdf.derive(shared_secret)


def _authenticated_attributes(terms: ChipKeyTerms) -> bytes:
    """What AES-GCM authenticates beside the keys: the attributes as a SET OF (RFC 5083, 2.2), in DER's order."""
    attributes = (
        _sequence(_ID_CONTENT_TYPE, tlv.encode(_SET, _ID_CHIP_KEYS)),
        _sequence(_ID_CHIP_KEY_TERMS, tlv.encode(_SET, terms.to_bytes())),
    )
    return tlv.encode(_SET, b"".join(sorted(attributes)))


def _write_keys(keys: Mapping[bytes, Sequence[StaticKeys]]) -> bytes:
    return _sequence(
        *(
            _sequence(
                tlv.encode(_OCTETS, serial),
                _sequence(
                    *(
                        _sequence(
                            _integer(each.key_version),
                            tlv.encode(_OCTETS, each.enc),
                            tlv.encode(_OCTETS, each.mac),
                            tlv.encode(_OCTETS, each.dek),
                        )
                        for each in keys[serial]
                    )
                ),
            )
            for serial in sorted(keys)
        )
    )


def _read_keys(content: bytes) -> dict[bytes, tuple[StaticKeys, ...]]:
    keys: dict[bytes, tuple[StaticKeys, ...]] = {}
    for chip in _all_children(content):
        serial, sets = _children(chip.to_bytes(), 2)
        if len(serial.value) != _SERIAL_BYTES:
            raise ChipKeysError(f"a serial has {len(serial.value)} bytes, expected {_SERIAL_BYTES}")
        keys[serial.value] = tuple(
            _static_keys(each.to_bytes()) for each in _all_children(sets.to_bytes())
        )
    if _write_keys(keys) != content:
        raise ChipKeysError("the chips' keys are not in the one encoding")
    return keys


def _static_keys(content: bytes) -> StaticKeys:
    version, *keys = _children(content, 4)
    if any(len(each.value) != KEY_BYTES for each in keys):
        raise ChipKeysError(f"a key of a chip has not {KEY_BYTES} bytes")
    enc, mac, dek = (each.value for each in keys)
    return StaticKeys(key_version=_small(version), enc=enc, mac=mac, dek=dek)


def _moment(content: bytes) -> datetime:
    try:
        return datetime.strptime(content.decode("ascii"), _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise ChipKeysError("the end of sealed keys is no time") from error


def _small(item: Tlv) -> int:
    if not 1 <= len(item.value) <= 2:
        raise ChipKeysError("a number in sealed keys is too long")
    return int.from_bytes(item.value, "big")


def _inside(item: Tlv) -> bytes:
    """The one element inside, whole."""
    return _child(item).to_bytes()


def _child(item: Tlv) -> Tlv:
    return _only(_all_children(item.to_bytes()))


def _only(items: tuple[Tlv, ...]) -> Tlv:
    if len(items) != 1:
        raise ChipKeysError(f"got {len(items)} elements in sealed keys, expected one")
    return items[0]


def _children(content: bytes, count: int) -> tuple[Tlv, ...]:
    """So many elements inside the one element; tags are compared by encoding again."""
    found = _all_children(content)
    if len(found) != count:
        raise ChipKeysError(f"got {len(found)} elements in sealed keys, expected {count}")
    return found


def _all_children(content: bytes) -> tuple[Tlv, ...]:
    try:
        return tlv.parse(content).children()
    except tlv.TlvError as error:
        raise ChipKeysError("sealed keys are no DER") from error
