"""The few DER primitives that curves and files are built of (ITU-T X.690, 8 and 10); framing is `tlv`.

Larger fixed structures are declared with ``cryptography.hazmat.asn1``. These functions serve where an
open structure is walked through: SecurityInfos with unknown protocols, key parameters, file headers.
"""

from functools import lru_cache

from card_layout import tlv
from card_layout.errors import CardDataError

__all__ = [
    "BIT_STRING",
    "INTEGER",
    "OBJECT_IDENTIFIER",
    "OCTET_STRING",
    "SEQUENCE",
    "SET",
    "DerError",
    "decode_integer",
    "decode_object_identifier",
    "encode_integer",
    "encode_object_identifier",
]

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30
SET = 0x31

_MAX_INTEGER_BYTES = 72
"""Enough for every number of a 521-bit curve."""

_MAX_OBJECT_IDENTIFIER_BYTES = 32
_MAX_ARCS = 20


class DerError(CardDataError):
    """Bytes that are not the distinguished encoding of what was expected."""

    default_code = "der.malformed"


def encode_integer(number: int) -> bytes:
    """A whole INTEGER that is not negative, tag included.

    Raises:
        DerError: the number is negative or longer than any number of the card.
    """
    if number < 0 or number.bit_length() >= 8 * _MAX_INTEGER_BYTES:
        raise DerError(
            f"integer has {number.bit_length()} bits, expected 0 to {8 * _MAX_INTEGER_BYTES - 1}, not negative"
        )
    # One bit more than the number needs keeps the sign bit clear (X.690, 8.3.3).
    return tlv.encode(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def decode_integer(value: bytes) -> int:
    """The number in the value bytes of an INTEGER; no number of the card is negative.

    Raises:
        DerError: no bytes, too many, a negative number, or not the shortest form.
    """
    if not 1 <= len(value) <= _MAX_INTEGER_BYTES:
        raise DerError(f"integer has {len(value)} bytes, expected 1 to {_MAX_INTEGER_BYTES}")
    if value[0] & 0x80:
        raise DerError("integer is negative, expected 0 or more")
    if len(value) > 1 and value[0] == 0 and not value[1] & 0x80:
        raise DerError("integer is not in its shortest form")
    return int.from_bytes(value, "big")


@lru_cache(maxsize=256)
def encode_object_identifier(dotted: str) -> bytes:
    """The value bytes of an OBJECT IDENTIFIER written ``1.2.3``, without tag and length.

    Raises:
        DerError: the text is not an object identifier within the limits.
    """
    parts = dotted.split(".")
    if not 2 <= len(parts) <= _MAX_ARCS or not all(
        part.isascii() and part.isdigit() and len(part) <= 38 and str(int(part)) == part
        for part in parts
    ):
        raise DerError(f"got {dotted[:80]!r}, expected an object identifier in dotted decimals")
    arcs = [int(part) for part in parts]
    if arcs[0] > 2 or (arcs[0] < 2 and arcs[1] > 39):
        raise DerError(f"got {dotted!r}, expected an object identifier under 0, 1 or 2")
    encoded = b"".join(_encode_arc(arc) for arc in (40 * arcs[0] + arcs[1], *arcs[2:]))
    if len(encoded) > _MAX_OBJECT_IDENTIFIER_BYTES:
        raise DerError(
            f"object identifier has {len(encoded)} bytes, expected at most {_MAX_OBJECT_IDENTIFIER_BYTES}"
        )
    return encoded


@lru_cache(maxsize=256)
def decode_object_identifier(value: bytes) -> str:
    """The dotted text of the value bytes of an OBJECT IDENTIFIER.

    Raises:
        DerError: no bytes, too many, an arc cut short or not in its shortest form.
    """
    if not 1 <= len(value) <= _MAX_OBJECT_IDENTIFIER_BYTES:
        raise DerError(
            f"object identifier has {len(value)} bytes, expected 1 to {_MAX_OBJECT_IDENTIFIER_BYTES}"
        )
    if value[-1] & 0x80:
        raise DerError("object identifier ends inside an arc")
    arcs: list[int] = []
    arc = 0
    is_first_byte = True
    for byte in value:
        if is_first_byte and byte == 0x80:
            raise DerError("an arc of the object identifier is not in its shortest form")
        arc = arc << 7 | byte & 0x7F
        is_first_byte = not byte & 0x80
        if is_first_byte:
            arcs.append(arc)
            arc = 0
    if len(arcs) >= _MAX_ARCS:
        raise DerError(f"object identifier has {len(arcs) + 1} arcs, expected at most {_MAX_ARCS}")
    if arcs[0].bit_length() > 120 or any(item.bit_length() > 120 for item in arcs):
        raise DerError("an arc of the object identifier is longer than 120 bits")
    root = min(arcs[0] // 40, 2)
    return ".".join(str(item) for item in (root, arcs[0] - 40 * root, *arcs[1:]))


def _encode_arc(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(0x80 | arc & 0x7F)
    return bytes(reversed(octets))
