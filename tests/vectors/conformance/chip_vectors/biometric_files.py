"""EF.DG3 and EF.DG4 as the tests make them, and a reader of their own that knows one reason a case (9303-10, 4.7.3).

The biometric data blocks are headers and noise: no picture is in them, and none is decoded.
"""

from collections.abc import Callable
from typing import Final

from card_layout import tlv

FINGER_TAG, IRIS_TAG = 0x63, 0x76
_FORMAT_OWNER: Final = b"\x01\x01"
FORMATS: Final = {FINGER_TAG: (b"\x00\x07", b"FIR\x00"), IRIS_TAG: (b"\x00\x09", b"IIR\x00")}
"""ISO/IEC 19794-4 and 19794-6: CBEFF format type, and the identifier that begins the block."""

_TYPES: Final = {FINGER_TAG: 0x08, IRIS_TAG: 0x10}
_SUBTYPES: Final = {
    FINGER_TAG: frozenset({0x05, 0x06, 0x09, 0x0A, 0x0D, 0x0E, 0x11, 0x12, 0x15, 0x16}),
    IRIS_TAG: frozenset({0x01, 0x02}),
}
"""Fingers of the right and the left hand, right and left eye (ISO/IEC 19785-3)."""


def header(
    tag: int,
    subtype: int | None,
    *,
    owner: bytes | None = _FORMAT_OWNER,
    format_type: bytes | None = None,
) -> bytes:
    """The biometric header template's content; ``owner`` or type empty leave the object out."""
    kind = FORMATS[tag][0] if format_type is None else format_type
    content = tlv.encode(0x80, b"\x01\x01") + tlv.encode(0x81, bytes((_TYPES[tag],)))
    if subtype is not None:
        content += tlv.encode(0x82, bytes((subtype,)))
    if owner:
        content += tlv.encode(0x87, owner)
    if kind:
        content += tlv.encode(0x88, kind)
    return content


def template(
    tag: int, header_content: bytes, *, block_tag: int = 0x5F2E, identifier: bytes | None = None
) -> bytes:
    """The content of one biometric information template."""
    begin = FORMATS[tag][1] if identifier is None else identifier
    block = begin + b"010\x00" + bytes(range(256)) * 2
    return tlv.encode(0xA1, header_content) + tlv.encode(block_tag, block)


def group(*templates: bytes, number: int | None = None, template_tag: int = 0x7F60) -> bytes:
    """The content of the biometric information group template."""
    count = len(templates) if number is None else number
    return tlv.encode(0x02, bytes((count,))) + b"".join(
        tlv.encode(template_tag, item) for item in templates
    )


def data_group(tag: int, *subtypes: int | None) -> bytes:
    """A right file with so many templates."""
    items = (template(tag, header(tag, subtype)) for subtype in subtypes)
    return tlv.encode(tag, tlv.encode(0x7F61, group(*items)))


def wrap(tag: int, *templates: bytes) -> bytes:
    """A file around templates that need not be right."""
    return tlv.encode(tag, tlv.encode(0x7F61, group(*templates)))


class StructureError(Exception):
    """The file is wrong for the reason that the check is about."""


Check = Callable[[bytes, int], None]


def check_tag(data: bytes, tag: int) -> None:
    """Cases 1: the file begins with its template's tag."""
    _require(data[:1] == bytes((tag,)), "template tag")


def check_length(data: bytes, tag: int) -> None:
    """Cases 2: the length is in the shortest form and fills the file."""
    check_tag(data, tag)
    size, used = _length(data, 1)
    _require(1 + used + size == len(data), "length")


def check_group(data: bytes, tag: int) -> None:
    """Cases 3: one biometric information group template fills the file."""
    check_length(data, tag)
    found = _children(tlv.parse(data).value)
    _require([item.tag for item in found] == [0x7F61], "group template")


def check_number(data: bytes, tag: int) -> None:
    """Cases 4: the number of instances comes first, is one byte and is true."""
    check_group(data, tag)
    found = _group_items(data)
    _require(bool(found) and found[0].tag == 0x02 and len(found[0].value) == 1, "number")
    _require(found[0].value[0] == len(found) - 1, "number of instances")


def check_template(data: bytes, tag: int) -> None:
    """Cases 5: every instance is a biometric information template."""
    check_number(data, tag)
    _require(all(item.tag == 0x7F60 for item in _group_items(data)[1:]), "template tag")


def check_header(data: bytes, tag: int) -> None:
    """Cases 6: every template begins with one header template, whose objects are in order."""
    check_template(data, tag)
    for item in _group_items(data)[1:]:
        parts = _children(item.value)
        _require(bool(parts) and parts[0].tag == 0xA1, "header template")
        tags = [part.tag for part in _children(parts[0].value)]
        _require(tags == sorted(set(tags)) and set(tags) <= set(range(0x80, 0x89)), "header")


def check_owner(data: bytes, tag: int) -> None:
    """Cases 7: the format's owner is there, and is ISO/IEC JTC 1/SC 37."""
    for objects in _headers(data, tag):
        _require(objects.get(0x87) == _FORMAT_OWNER, "format owner")


def check_type(data: bytes, tag: int) -> None:
    """Cases 8: the format type is there, and is that of the kind of picture."""
    for objects in _headers(data, tag):
        _require(objects.get(0x88) == FORMATS[tag][0], "format type")


def check_subtype(data: bytes, tag: int) -> None:
    """Cases 9: the subtype names one finger or one eye; a finger's must be there."""
    for objects in _headers(data, tag):
        found = objects.get(0x82)
        if found is None:
            _require(tag == IRIS_TAG, "subtype")
        else:
            _require(len(found) == 1 and found[0] in _SUBTYPES[tag], "subtype")


def check_block(data: bytes, tag: int) -> None:
    """Cases 10: the biometric data block has its tag, simple or constructed."""
    check_header(data, tag)
    for item in _group_items(data)[1:]:
        blocks = _children(item.value)[1:]
        _require([block.tag for block in blocks] in ([0x5F2E], [0x7F2E]), "data block")
        _require(bool(blocks[0].value), "data block")


def check_consistency(data: bytes, tag: int) -> None:
    """Cases 11: the block begins with the identifier of the format that the header names."""
    check_block(data, tag)
    for item, objects in zip(_group_items(data)[1:], _headers(data, tag), strict=True):
        identifiers = dict(FORMATS.values())
        block = _children(item.value)[1].value
        expected = identifiers.get(objects.get(0x88, b""), b"?")
        _require(block.startswith(expected), "format identifier")


def _headers(data: bytes, tag: int) -> list[dict[int, bytes]]:
    check_header(data, tag)
    return [
        {part.tag: part.value for part in _children(_children(item.value)[0].value)}
        for item in _group_items(data)[1:]
    ]


def _group_items(data: bytes) -> tuple[tlv.Tlv, ...]:
    return _children(_children(tlv.parse(data).value)[0].value)


def _children(value: bytes) -> tuple[tlv.Tlv, ...]:
    try:
        return tlv.parse_all(value)
    except tlv.TlvError as error:
        raise StructureError(str(error)) from error


def _length(data: bytes, offset: int) -> tuple[int, int]:
    first = data[offset]
    if first < 0x80:
        return first, 1
    count = first & 0x7F
    size = int.from_bytes(data[offset + 1 : offset + 1 + count], "big")
    _require(1 <= count <= 4 and size >= (0x80 if count == 1 else 1 << 8 * (count - 1)), "length")
    return size, 1 + count


def _require(condition: bool, what: str) -> None:  # noqa: FBT001 -- one fact and its name
    if not condition:
        raise StructureError(what)
