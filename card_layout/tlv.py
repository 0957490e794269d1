"""BER-TLV with strict limits: the only TLV codec of the product (SPEC.md, 2).

Accepted: tags of one to three bytes, definite lengths in their shortest form, at most ``MAX_LENGTH``
bytes of value. What is accepted encodes again to the same bytes.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from card_layout.errors import CardDataError

__all__ = [
    "MAX_LENGTH",
    "MAX_OBJECTS",
    "FixedObjects",
    "Header",
    "Tlv",
    "TlvError",
    "concatenate",
    "encode",
    "encode_header",
    "parse",
    "parse_all",
    "read_header",
]

MAX_LENGTH = 0xFFFFFF
"""The longest value accepted, in bytes; no file of the card comes near it."""

MAX_OBJECTS = 1024
"""The most data objects accepted side by side in one template."""


class TlvError(CardDataError):
    """Bytes that are not BER-TLV within the limits."""

    default_code = "tlv.malformed"


class Header(NamedTuple):
    """Tag and length as they stand in front of a value: ``size`` bytes of header, ``length`` of value."""

    tag: int
    length: int
    size: int

    @property
    def total(self) -> int:
        """Header and value together, in bytes."""
        return self.size + self.length


class Tlv(NamedTuple):
    """One data object: ``tag`` as the number its bytes spell (0x5F1F), ``value`` without tag and length."""

    tag: int
    value: bytes

    @property
    def is_constructed(self) -> bool:
        """Whether the value is itself a sequence of data objects (bit 6 of the first tag byte)."""
        return bool(_tag_bytes(self.tag)[0] & 0x20)

    def to_bytes(self) -> bytes:
        """Tag, shortest length, value."""
        return encode(self.tag, self.value)

    def children(self) -> tuple["Tlv", ...]:
        """The data objects inside a constructed one.

        Raises:
            TlvError: the object is primitive, or its value is not a sequence of data objects.
        """
        if not self.is_constructed:
            raise TlvError(f"tag {self.tag:02X} is primitive, expected a template")
        return parse_all(self.value)


def encode(tag: int, value: bytes) -> bytes:
    """One data object with the length in its shortest form.

    Raises:
        TlvError: the tag is not a tag, or the value is longer than ``MAX_LENGTH``.
    """
    return _header_bytes(tag, len(value)) + value


def encode_header(tag: int, length: int) -> bytes:
    """Tag and shortest length, for a value that is put behind them without being copied once more.

    Raises:
        TlvError: as ``encode``.
    """
    return _header_bytes(tag, length)


def read_header(data: bytes, offset: int = 0) -> Header:
    """Tag and length at ``offset``; the value need not be there yet (so a file's size is learnt from its start).

    Raises:
        TlvError: the bytes end inside the header, or break a limit.
    """
    tag, start, end = _locate(data, offset)
    return Header(tag, end - start, start - offset)


def parse(data: bytes, *, expected_tag: int | None = None) -> Tlv:
    """Exactly one data object that fills ``data``.

    Raises:
        TlvError: anything else, trailing bytes and another tag than ``expected_tag`` included.
    """
    tag, start, end = _locate(data, 0)
    if expected_tag is not None and tag != expected_tag:
        raise TlvError(f"got tag {tag:02X}, expected {expected_tag:02X}")
    if end != len(data):
        raise TlvError(f"tag {tag:02X} spans {end} bytes, got {len(data)}")
    return Tlv(tag, data[start:])


def parse_all(data: bytes) -> tuple[Tlv, ...]:
    """The data objects that fill ``data`` side by side; no bytes give none.

    Raises:
        TlvError: bytes left over, or more than ``MAX_OBJECTS`` objects.
    """
    objects: list[Tlv] = []
    size = len(data)
    offset = 0
    while offset < size:
        if len(objects) == MAX_OBJECTS:
            raise TlvError(f"more than {MAX_OBJECTS} data objects side by side")
        tag, start, end = _locate(data, offset)
        if end > size:
            raise TlvError(f"tag {tag:02X} announces {end - start} bytes, got {size - start}")
        objects.append(Tlv(tag, data[start:end]))
        offset = end
    return tuple(objects)


class FixedObjects:
    """Data objects that stand side by side in one order in every file of a kind, taken apart in one pass.

    A look for the usual form only: whatever else there is, is left to `parse_all`, and to those who can say what is wrong.
    """

    __slots__ = ("_tags", "_templates")

    def __init__(self, *tags: int, within: Sequence[int] = ()) -> None:
        """Name the tags in their order, and the templates around them, the outermost first.

        Raises:
            TlvError: one of them is not a tag.
        """
        encoded = [_tag_bytes(tag) for tag in tags]
        self._tags = tuple([(item[0], item[1:], len(item) + 1) for item in encoded])
        self._templates = tuple(within)

    def values(self, data: bytes) -> list[bytes] | None:
        """Their values where ``data`` is exactly these objects in their templates, else ``None``."""
        values: list[bytes] = []
        size = len(data)
        offset = 0
        try:
            for template in self._templates:
                tag, offset, end = _locate(data, offset)
                if tag != template or end != size:
                    return None
            for first, others, header_size in self._tags:
                start = offset + header_size
                if data[offset] != first or (others and data[offset + 1 : start - 1] != others):
                    return None
                length = data[start - 1]
                if length < 0x80:
                    offset = start + length
                else:
                    _, start, offset = _locate(data, offset)
                values.append(data[start:offset])
        except (IndexError, TlvError):
            return None
        # An object that is cut short ends behind the data, where no other can follow.
        return values if offset == size else None


def concatenate(objects: Iterable[Tlv]) -> bytes:
    """The encodings one behind another, as they stand inside a template."""
    return b"".join(item.to_bytes() for item in objects)


def _locate(data: bytes, offset: int) -> tuple[int, int, int]:
    """The tag at ``offset``, and where its value begins and ends; the value need not be there."""
    try:
        tag = data[offset]
        position = offset + 1
        if not tag or tag & 0x1F == 0x1F:
            tag, position = _read_tag(data, offset)
        length = data[position]
    except IndexError:
        # It reads the tag once more, and finds out what there is none of.
        tag, position = _read_tag(data, offset)
        raise TlvError(f"bytes end after tag {tag:02X}, expected a length") from None
    position += 1
    if length < 0x80:
        return tag, position, position + length
    count = length & 0x7F
    if count == 0 or count > 3:
        raise TlvError(
            f"length of tag {tag:02X} begins with {length:02X}, expected a definite length of at most 3 bytes"
        )
    octets = data[position : position + count]
    if len(octets) < count:
        raise TlvError(f"bytes end inside the length of tag {tag:02X}")
    length = int.from_bytes(octets, "big")
    if length < 0x80 or octets[0] == 0:
        raise TlvError(f"length of tag {tag:02X} is not in its shortest form")
    position += count
    return tag, position, position + length


def _read_tag(data: bytes, offset: int) -> tuple[int, int]:
    if offset >= len(data):
        raise TlvError("no bytes, expected a tag")
    first = data[offset]
    if first in (0x00, 0xFF):
        raise TlvError(f"tag begins with padding byte {first:02X}")
    position = offset + 1
    if first & 0x1F != 0x1F:
        return first, position
    tag = first
    # ISO/IEC 7816-4, 5.2.2.1: tags have one to three bytes.
    for index in range(2):
        if position >= len(data):
            raise TlvError(f"bytes end inside tag {tag:02X}")
        byte = data[position]
        position += 1
        tag = tag << 8 | byte
        # A second byte under 1F would fit one byte in X.690; ICAO 9303-10 has such tags (5F01, 5F0E), so they pass.
        if index == 0 and byte == 0x80:
            raise TlvError(f"tag {tag:04X} is not in its shortest form")
        if not byte & 0x80:
            return tag, position
    raise TlvError(f"tag {tag:06X} is longer than 3 bytes")


@lru_cache(maxsize=4096)
def _header_bytes(tag: int, length: int) -> bytes:
    """Kept, because a reader or writer of cards meets the same few tags with the same few lengths."""
    if length > MAX_LENGTH:
        raise TlvError(f"value of tag {tag:02X} has {length} bytes, expected at most {MAX_LENGTH}")
    if length < 0x80:
        return _tag_bytes(tag) + bytes((length,))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return _tag_bytes(tag) + bytes((0x80 | len(octets),)) + octets


@lru_cache(maxsize=256)
def _tag_bytes(tag: int) -> bytes:
    if not 0 < tag <= 0xFFFFFF:
        raise TlvError(f"{tag:#x} is not a tag")
    octets = tag.to_bytes((tag.bit_length() + 7) // 8, "big")
    found, size = _read_tag(octets, 0)
    if size != len(octets) or found != tag:
        raise TlvError(f"{tag:#x} is not a tag")
    return octets
