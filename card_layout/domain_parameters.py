"""Explicit domain parameters of an elliptic key, read as values to be compared (RFC 3279, 2.3.5; SEC 1, C.2).

Nothing is ever calculated with them: whoever reads them compares **all** of them with those of a named curve and
goes on with that curve (CVE-2020-0601). The coefficients are elements of the prime field: 66 or 65 octets, or 49
with a zero in front, are the same element, and authorities of several states write them so.
"""

from dataclasses import dataclass
from typing import Final

from card_layout import der, tlv
from card_layout.errors import CardDataError

__all__ = ["DomainParameters"]

_EC_PUBLIC_KEY: Final = der.encode_object_identifier("1.2.840.10045.2.1")
_PRIME_FIELD: Final = der.encode_object_identifier("1.2.840.10045.1.1")
_VERSIONS: Final = (1, 2, 3)
"""SEC 1, C.2: 1; 2 and 3 promise that the curve, or curve and generator, come from the seed."""

_MAX_COEFFICIENT_BYTES: Final = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainParameters:
    """y^2 = x^3 + ax + b modulo p, uncompressed generator of order n, cofactor h, and the seed that is told of a and b."""

    p: int
    a: int
    b: int
    generator: bytes
    n: int
    h: int
    seed: bytes | None

    @classmethod
    def from_algorithm(cls, algorithm: tlv.Tlv) -> "DomainParameters | None":
        """The values in an ``AlgorithmIdentifier`` of an elliptic key; ``None`` where it spells none out, or not whole.

        The cofactor may not be left out: without it the group is not said.
        """
        try:
            name, parameters = algorithm.children()
            if (name.tag, name.value) != (der.OBJECT_IDENTIFIER, _EC_PUBLIC_KEY):
                return None
            return cls._from_parameters(parameters)
        except (CardDataError, ValueError):
            # Too few or too many parts do not unpack.
            return None

    @classmethod
    def _from_parameters(cls, parameters: tlv.Tlv) -> "DomainParameters":
        version, field, curve, generator, order, cofactor = _expect(
            parameters, der.SEQUENCE
        ).children()
        kind, prime = _expect(field, der.SEQUENCE).children()
        a, b, *seeds = _expect(curve, der.SEQUENCE).children()
        if _number(version) not in _VERSIONS or len(seeds) > 1:
            raise ValueError("explicit parameters of another version")
        if _expect(kind, der.OBJECT_IDENTIFIER).value != _PRIME_FIELD:
            raise ValueError("explicit parameters over another field")
        return cls(
            p=_number(prime),
            a=_element(a),
            b=_element(b),
            generator=_expect(generator, der.OCTET_STRING).value,
            n=_number(order),
            h=_number(cofactor),
            seed=_seed(seeds[0]) if seeds else None,
        )


def _expect(item: tlv.Tlv, tag: int) -> tlv.Tlv:
    if item.tag != tag:
        raise ValueError(f"got tag {item.tag:02X}, expected {tag:02X}")
    return item


def _number(item: tlv.Tlv) -> int:
    return der.decode_integer(_expect(item, der.INTEGER).value)


def _element(item: tlv.Tlv) -> int:
    value = _expect(item, der.OCTET_STRING).value
    if not 1 <= len(value) <= _MAX_COEFFICIENT_BYTES:
        raise ValueError(f"coefficient has {len(value)} bytes")
    return int.from_bytes(value, "big")


def _seed(item: tlv.Tlv) -> bytes:
    value = _expect(item, der.BIT_STRING).value
    if not value or value[0] != 0:
        raise ValueError("seed does not end on a whole byte")
    return value[1:]
