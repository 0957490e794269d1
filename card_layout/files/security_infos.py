"""SecurityInfos: what the chip says it can do (ICAO 9303-11, 9.2; SPEC.md, 3.4 and 3.11).

    SecurityInfos ::= SET OF SecurityInfo
    SecurityInfo ::= SEQUENCE {
      protocol      OBJECT IDENTIFIER,
      requiredData  ANY DEFINED BY protocol,
      optionalData  ANY DEFINED BY protocol OPTIONAL }

Infos of protocols that are not known here, and keys on curves that are not ours, are kept byte for byte, so
that a file that holds them can be compared and encoded again.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Self

from card_layout import der, tlv
from card_layout.curves import CurveError, EcPublicKey
from card_layout.errors import CardDataError
from card_layout.files.active_authentication_info import (
    ID_ACTIVE_AUTHENTICATION,
    ActiveAuthenticationInfo,
)
from card_layout.files.malformed import CardAccessError, malformed_as
from card_layout.files.numbered_keys import (
    decode_numbered_key,
    encode_numbered_key,
    has_numbered_parameters,
)
from card_layout.files.terminal_authentication_info import (
    ID_TERMINAL_AUTHENTICATION,
    TerminalAuthenticationInfo,
)
from card_layout.files.usual_keys import UsualKey, last_key

__all__ = [
    "ID_ACTIVE_AUTHENTICATION",
    "ID_CA_ECDH_3DES",
    "ID_CA_ECDH_AES_128",
    "ID_PACE_ECDH_GM_AES_128",
    "ID_PK_ECDH",
    "MAX_INFOS",
    "ActiveAuthenticationInfo",
    "ChipAuthenticationInfo",
    "ChipAuthenticationPublicKeyInfo",
    "PaceInfo",
    "SecurityInfo",
    "SecurityInfos",
    "UnknownSecurityInfo",
]

_SMARTCARD = "0.4.0.127.0.7.2.2"

ID_PACE_ECDH_GM_AES_128 = f"{_SMARTCARD}.4.2.2"
"""id-PACE-ECDH-GM-AES-CBC-CMAC-128."""

ID_CA_ECDH_3DES = f"{_SMARTCARD}.3.2.1"
ID_CA_ECDH_AES_128 = f"{_SMARTCARD}.3.2.2"
"""id-CA-ECDH-AES-CBC-CMAC-128."""

ID_PK_ECDH = f"{_SMARTCARD}.1.2"
"""id-PK-ECDH: an elliptic-curve key for chip authentication."""

MAX_INFOS = 16
"""The most infos that a reader takes in one set (SPEC.md, 3.4)."""

# DH-GM, ECDH-GM, DH-IM, ECDH-IM and ECDH-CAM, each with 3DES and AES-128, -192, -256 (9303-11, 9.2.1).
_PACE_PROTOCOLS = frozenset(
    f"{_SMARTCARD}.4.{mapping}.{cipher}" for mapping in (1, 2, 3, 4, 6) for cipher in (1, 2, 3, 4)
)
_KEY_PROTOCOLS = frozenset((ID_PK_ECDH,))
# DH and ECDH, with the same ciphers (9303-11, 9.2.5).
_CHIP_AUTHENTICATION_PROTOCOLS = frozenset(
    f"{_SMARTCARD}.3.{agreement}.{cipher}" for agreement in (1, 2) for cipher in (1, 2, 3, 4)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceInfo:
    """``PACEInfo``: one way to open the chip; ``parameter_id`` is a standardised domain (9303-11, 9.5.1)."""

    protocol: str = ID_PACE_ECDH_GM_AES_128
    version: int = 2
    parameter_id: int | None

    def __post_init__(self) -> None:
        _require_protocol(self.protocol, _PACE_PROTOCOLS, "PACEInfo")

    def to_bytes(self) -> bytes:
        """The DER SEQUENCE."""
        return _encode_numbers(self.protocol, self.version, self.parameter_id)

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """Read one DER SEQUENCE.

        Raises:
            CardAccessError: anything but a PACEInfo in DER.
        """
        with malformed_as(CardAccessError, "PACEInfo"):
            protocol, version, parameter_id = _decode_numbers(encoded)
            return cls(protocol=protocol, version=version, parameter_id=parameter_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipAuthenticationInfo:
    """``ChipAuthenticationInfo``: how the chip proves the key that ``key_id`` names (9303-11, 9.2.5)."""

    protocol: str = ID_CA_ECDH_AES_128
    version: int = 1
    key_id: int | None

    def __post_init__(self) -> None:
        _require_protocol(self.protocol, _CHIP_AUTHENTICATION_PROTOCOLS, "ChipAuthenticationInfo")

    def to_bytes(self) -> bytes:
        """The DER SEQUENCE."""
        return _encode_numbers(self.protocol, self.version, self.key_id)

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """Read one DER SEQUENCE.

        Raises:
            CardAccessError: anything but a ChipAuthenticationInfo in DER.
        """
        with malformed_as(CardAccessError, "ChipAuthenticationInfo"):
            protocol, version, key_id = _decode_numbers(encoded)
            return cls(protocol=protocol, version=version, key_id=key_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipAuthenticationPublicKeyInfo:
    """``ChipAuthenticationPublicKeyInfo`` (9303-11, 9.2.6).

    ``explicit_parameters`` tells whether the key's domain parameters are written out, as issued cards do,
    or named; ``standardised_parameters``, that they are named by the number that PACE gives them, as others'
    EF.CardSecurity does (9303-11, 9.5).
    """

    protocol: str = ID_PK_ECDH
    public_key: EcPublicKey
    key_id: int | None
    explicit_parameters: bool = True
    standardised_parameters: bool = False

    def __post_init__(self) -> None:
        _require_protocol(self.protocol, _KEY_PROTOCOLS, "ChipAuthenticationPublicKeyInfo")
        if self.explicit_parameters and self.standardised_parameters:
            raise CardAccessError("domain parameters are both written out and numbered")

    def to_bytes(self) -> bytes:
        """The DER SEQUENCE."""
        if self.standardised_parameters:
            key = encode_numbered_key(self.public_key)
        else:
            key = self.public_key.to_subject_public_key_info(explicit=self.explicit_parameters)
        return tlv.encode(
            der.SEQUENCE, _encode_protocol(self.protocol) + key + _encode_optional(self.key_id)
        )

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """Read one DER SEQUENCE.

        Raises:
            CurveError: the key is on a curve that is not ours; code ``curve.unsupported``.
            CardAccessError: anything else but a ChipAuthenticationPublicKeyInfo in DER.
        """
        with malformed_as(CardAccessError, "ChipAuthenticationPublicKeyInfo"):
            parts = tlv.parse(encoded, expected_tag=der.SEQUENCE).children()
            _require_tags(parts, (der.OBJECT_IDENTIFIER, der.SEQUENCE, der.INTEGER))
            protocol = der.decode_object_identifier(parts[0].value)
            encoded_key = parts[1].to_bytes()
            is_numbered = has_numbered_parameters(parts[1])
        try:
            if is_numbered:
                public_key = decode_numbered_key(parts[1])
            else:
                public_key = EcPublicKey.from_subject_public_key_info(encoded_key)
        except CurveError as error:
            if error.code == "curve.unsupported":
                raise
            raise CardAccessError(f"ChipAuthenticationPublicKeyInfo: {error}") from error
        with malformed_as(CardAccessError, "ChipAuthenticationPublicKeyInfo"):
            return cls(
                protocol=protocol,
                public_key=public_key,
                key_id=_decode_optional(parts),
                explicit_parameters=encoded_key
                == public_key.to_subject_public_key_info(explicit=True),
                standardised_parameters=is_numbered,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownSecurityInfo:
    """An info that is kept and not understood; ``encoded`` is the whole DER SEQUENCE."""

    protocol: str
    encoded: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if _read_protocol(self.encoded) != self.protocol:
            raise CardAccessError(f"the encoded info is not of protocol {self.protocol}")

    def to_bytes(self) -> bytes:
        """The DER SEQUENCE as it was read."""
        return self.encoded

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """Keep one DER SEQUENCE.

        Raises:
            CardAccessError: it does not begin like a SecurityInfo.
        """
        return cls(protocol=_read_protocol(encoded), encoded=encoded)


SecurityInfo = (
    PaceInfo
    | ChipAuthenticationInfo
    | ChipAuthenticationPublicKeyInfo
    | ActiveAuthenticationInfo
    | TerminalAuthenticationInfo
    | UnknownSecurityInfo
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityInfos:
    """A set of 1-16 infos, kept in the ascending order of their encodings, as DER wants a SET OF.

    Chips in the field hold sets in another order, and what they hold is signed as it is: such a set is
    read with ``is_in_der_order`` false, and keeps its order.
    """

    infos: tuple[SecurityInfo, ...]
    is_in_der_order: bool = True

    def __post_init__(self) -> None:
        if not 1 <= len(self.infos) <= MAX_INFOS:
            raise CardAccessError(
                f"SecurityInfos hold {len(self.infos)} infos, expected 1 to {MAX_INFOS}"
            )
        if self.is_in_der_order:
            object.__setattr__(
                self, "infos", tuple(sorted(self.infos, key=lambda info: info.to_bytes()))
            )

    @property
    def pace_infos(self) -> tuple[PaceInfo, ...]:
        """The ways in that PACE offers."""
        return tuple([info for info in self.infos if isinstance(info, PaceInfo)])

    @property
    def chip_authentication_infos(self) -> tuple[ChipAuthenticationInfo, ...]:
        """The ways in which the chip can prove a key."""
        return tuple([info for info in self.infos if isinstance(info, ChipAuthenticationInfo)])

    @property
    def chip_authentication_keys(self) -> tuple[ChipAuthenticationPublicKeyInfo, ...]:
        """The keys that the chip can prove, on curves of ours."""
        return tuple(
            [info for info in self.infos if isinstance(info, ChipAuthenticationPublicKeyInfo)]
        )

    @property
    def active_authentication_infos(self) -> tuple[ActiveAuthenticationInfo, ...]:
        """The algorithm of active authentication, where its key is on a curve."""
        return tuple(info for info in self.infos if isinstance(info, ActiveAuthenticationInfo))

    @property
    def terminal_authentication_infos(self) -> tuple[TerminalAuthenticationInfo, ...]:
        """That the chip checks terminals, where it does."""
        return tuple([info for info in self.infos if isinstance(info, TerminalAuthenticationInfo)])

    def to_bytes(self) -> bytes:
        """The DER SET."""
        return tlv.encode(der.SET, b"".join(info.to_bytes() for info in self.infos))

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """Read one SET OF SecurityInfo.

        Raises:
            CardAccessError: not such a set, a known protocol with other content than its own, no infos or
                more than 16.
        """
        infos, is_in_der_order = _decode_infos(encoded)
        decoded = cls(infos=infos, is_in_der_order=False)
        # They are decoded in the order in which they stand, so there is nothing to sort.
        object.__setattr__(decoded, "is_in_der_order", is_in_der_order)
        return decoded


_KIND_OF_PROTOCOL: Mapping[
    str,
    type[PaceInfo | ChipAuthenticationInfo | ActiveAuthenticationInfo | TerminalAuthenticationInfo],
] = {
    **dict.fromkeys(_PACE_PROTOCOLS, PaceInfo),
    **dict.fromkeys(_CHIP_AUTHENTICATION_PROTOCOLS, ChipAuthenticationInfo),
    ID_ACTIVE_AUTHENTICATION: ActiveAuthenticationInfo,
    ID_TERMINAL_AUTHENTICATION: TerminalAuthenticationInfo,
}


@lru_cache(maxsize=16)
def _decode_infos(encoded: bytes) -> tuple[tuple[SecurityInfo, ...], bool]:
    """All infos of a set, and whether they stand in the order of DER.

    Cached by the bytes: one inspection asks the same file of a card for one thing after another.
    """
    with malformed_as(CardAccessError, "SecurityInfos"):
        usual = last_key(encoded)
        # Whatever stands before the key otherwise than on other cards is found out below.
        with suppress(CardDataError):
            if usual is not None:
                before = _infos_before(usual.before, len(usual.info))
                is_in_der_order = before.is_in_der_order and before.last <= usual.info
                return (*before.infos, _chip_key(usual.key)), is_in_der_order
        encodings = [
            part.to_bytes() for part in tlv.parse(encoded, expected_tag=der.SET).children()
        ]
        return tuple(map(_decode_info, encodings)), encodings == sorted(encodings)


class _InfosBefore(NamedTuple):
    """What stands in a set before the chip's key."""

    infos: tuple[SecurityInfo, ...]
    is_in_der_order: bool
    last: bytes


@lru_cache(maxsize=64)
def _infos_before(start: bytes, key_bytes: int) -> _InfosBefore:
    """The infos in a set up to the last one, which has ``key_bytes``; cached, because all cards of a profile have the same."""
    header = tlv.read_header(start)
    if header.tag != der.SET or header.total != len(start) + key_bytes:
        raise CardAccessError("the set does not end with its last info")
    encodings = [part.to_bytes() for part in tlv.parse_all(start[header.size :])]
    infos = tuple(map(_decode_info, encodings))
    return _InfosBefore(infos, encodings == sorted(encodings), encodings[-1] if encodings else b"")


def _chip_key(usual: UsualKey) -> ChipAuthenticationPublicKeyInfo:
    return ChipAuthenticationPublicKeyInfo(
        public_key=usual.public_key,
        key_id=usual.key_id,
        explicit_parameters=usual.is_explicit,
    )


def _decode_info(encoded: bytes) -> SecurityInfo:
    protocol = _read_protocol(encoded)
    kind = _KIND_OF_PROTOCOL.get(protocol)
    if kind is not None:
        return kind.from_bytes(encoded)
    if protocol == ID_PK_ECDH:
        try:
            return ChipAuthenticationPublicKeyInfo.from_bytes(encoded)
        except CurveError:
            # A key on a curve that is not ours is as good as a protocol that is not known.
            return UnknownSecurityInfo.from_bytes(encoded)
    return UnknownSecurityInfo.from_bytes(encoded)


def _read_protocol(encoded: bytes) -> str:
    with malformed_as(CardAccessError, "SecurityInfo"):
        parts = tlv.parse(encoded, expected_tag=der.SEQUENCE).children()
        if not 2 <= len(parts) <= 3 or parts[0].tag != der.OBJECT_IDENTIFIER:
            raise CardAccessError(
                f"SecurityInfo holds {len(parts)} objects, expected a protocol and one or two more"
            )
        return der.decode_object_identifier(parts[0].value)


def _encode_protocol(protocol: str) -> bytes:
    return tlv.encode(der.OBJECT_IDENTIFIER, der.encode_object_identifier(protocol))


def _encode_optional(number: int | None) -> bytes:
    return b"" if number is None else der.encode_integer(number)


@lru_cache(maxsize=256)
def _encode_numbers(protocol: str, version: int, number: int | None) -> bytes:
    return tlv.encode(
        der.SEQUENCE,
        _encode_protocol(protocol) + der.encode_integer(version) + _encode_optional(number),
    )


def _decode_numbers(encoded: bytes) -> tuple[str, int, int | None]:
    parts = tlv.parse(encoded, expected_tag=der.SEQUENCE).children()
    _require_tags(parts, (der.OBJECT_IDENTIFIER, der.INTEGER, der.INTEGER))
    protocol = der.decode_object_identifier(parts[0].value)
    return protocol, der.decode_integer(parts[1].value), _decode_optional(parts)


def _decode_optional(parts: tuple[tlv.Tlv, ...]) -> int | None:
    return der.decode_integer(parts[2].value) if len(parts) == 3 else None


def _require_tags(parts: tuple[tlv.Tlv, ...], expected: tuple[int, int, int]) -> None:
    """The three expected tags, of which the last may be left out."""
    found = tuple(part.tag for part in parts)
    if found not in (expected, expected[:2]):
        raise CardAccessError(
            f"got tags {[f'{tag:02X}' for tag in found[:4]]}, expected {[f'{tag:02X}' for tag in expected]}"
        )


def _require_protocol(protocol: str, known: frozenset[str], what: str) -> None:
    if protocol not in known:
        raise CardAccessError(f"{what} has protocol {protocol}, expected one of its own")
