"""BER elements read as they stand, so that a lint can say what is wrong with them (ITU-T X.690, 8 and 10).

The strict codecs refuse whatever is not DER in one word. A lint has to look past the first mistake: lengths that
are not in their shortest form and indefinite lengths are read here, and remembered. Nothing is copied until asked for.
"""

from dataclasses import dataclass, field
from typing import Final

from card_layout import der
from pki.errors import PkiDataError

__all__ = [
    "BIT_STRING",
    "BOOLEAN",
    "GENERALIZED_TIME",
    "INTEGER",
    "NULL",
    "OBJECT_IDENTIFIER",
    "OCTET_STRING",
    "SEQUENCE",
    "SET",
    "UTC_TIME",
    "Element",
    "MalformedError",
    "Path",
    "expect",
    "read_element",
    "walk",
]

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

Path = str
"""Where in an object something stands, for people: ``extensions.keyUsage``."""

_MAX_DEPTH: Final = 32
"""The deepest nesting that is looked at; a master list has 20 levels."""


_MAX_ELEMENTS: Final = 250_000
"""The most elements that are looked at in one object: a CRL with 50,000 entries has 200,000."""


class MalformedError(PkiDataError):
    """Bytes that do not hold the structure that is looked for; a lint turns this into a finding."""

    default_code = "lint.object.malformed"


@dataclass(frozen=True, slots=True)
class Element:
    """One element inside ``data``: where it starts, where its content is, where it ends; ``tag`` as its bytes spell it."""

    data: bytes = field(repr=False)
    start: int
    content_start: int
    content_end: int
    end: int
    tag: int
    is_definite: bool
    is_shortest: bool
    depth: int

    @property
    def encoded(self) -> bytes:
        """Tag, length and content as they stand."""
        return self.data[self.start : self.end]

    @property
    def content(self) -> bytes:
        """The content alone."""
        return self.data[self.content_start : self.content_end]

    @property
    def is_constructed(self) -> bool:
        """Whether the content is itself a row of elements."""
        return bool(self.data[self.start] & 0x20)

    def children(self) -> tuple["Element", ...]:
        """The elements inside.

        Raises:
            MalformedError: the element is primitive, or its content is not a row of elements.
        """
        if not self.is_constructed:
            raise MalformedError(f"tag {self.tag:02X} is primitive, expected a constructed element")
        found: list[Element] = []
        offset = self.content_start
        while offset < self.content_end:
            child = _read(self.data, offset, self.content_end, self.depth + 1)
            found.append(child)
            offset = child.end
            if len(found) > _MAX_ELEMENTS:
                raise MalformedError(f"more than {_MAX_ELEMENTS} elements stand side by side")
        return tuple(found)

    def inner(self) -> "Element":
        """The one element that fills this one.

        Raises:
            MalformedError: none, or several.
        """
        children = self.children()
        if len(children) != 1:
            raise MalformedError(f"tag {self.tag:02X} holds {len(children)} elements, expected one")
        return children[0]

    def integer(self) -> int:
        """The number of an INTEGER, of whatever sign and length.

        Raises:
            MalformedError: it is none.
        """
        expect(self, INTEGER)
        if self.content_start == self.content_end:
            raise MalformedError("an INTEGER has no content")
        return int.from_bytes(self.content, "big", signed=True)

    def object_identifier(self) -> str:
        """The dotted text of an OBJECT IDENTIFIER.

        Raises:
            MalformedError: it is none.
        """
        expect(self, OBJECT_IDENTIFIER)
        try:
            return der.decode_object_identifier(self.content)
        except der.DerError as error:
            raise MalformedError(f"an object identifier is malformed: {error}") from error

    def boolean(self) -> bool:
        """The value of a BOOLEAN: anything but 0 is true.

        Raises:
            MalformedError: it is none.
        """
        expect(self, BOOLEAN)
        if self.content_end - self.content_start != 1:
            raise MalformedError("a BOOLEAN has not one byte of content")
        return self.content != b"\x00"

    def octets(self) -> bytes:
        """The content of an OCTET STRING; the pieces of a constructed one are put together.

        Raises:
            MalformedError: it is none.
        """
        if self.tag == OCTET_STRING | 0x20:
            return b"".join(piece.octets() for piece in self.children())
        expect(self, OCTET_STRING)
        return self.content

    def bits(self) -> tuple[bytes, int]:
        """The bytes of a BIT STRING and the number of unused bits in the last one.

        Raises:
            MalformedError: it is none.
        """
        expect(self, BIT_STRING)
        content = self.content
        if not content or content[0] > 7 or (content[0] and len(content) == 1):
            raise MalformedError("a BIT STRING has no valid count of unused bits")
        return content[1:], content[0]


def read_element(data: bytes) -> Element:
    """The one element that fills ``data``.

    Raises:
        MalformedError: anything else, trailing bytes included.
    """
    found = _read(data, 0, len(data), 0)
    if found.end != len(data):
        raise MalformedError(f"tag {found.tag:02X} spans {found.end} bytes, got {len(data)}")
    return found


def expect(element: Element, *tags: int) -> None:
    """Refuse an element with any other tag.

    Raises:
        MalformedError: it has another one.
    """
    if element.tag not in tags:
        wanted = ", ".join(f"{tag:02X}" for tag in tags)
        raise MalformedError(f"got tag {element.tag:02X}, expected {wanted}")


def walk(root: Element, *, without: frozenset[int] = frozenset()) -> tuple[Element, ...]:
    """The element and everything inside it; elements that start at the offsets ``without`` are left out.

    Raises:
        MalformedError: a constructed element does not hold elements, or there are too many, or too deep.
    """
    found: list[Element] = []
    waiting = [root]
    while waiting:
        element = waiting.pop()
        found.append(element)
        if len(found) > _MAX_ELEMENTS:
            raise MalformedError(f"the object has more than {_MAX_ELEMENTS} elements")
        if element.is_constructed:
            waiting += [
                child for child in reversed(element.children()) if child.start not in without
            ]
    return tuple(found)


def _read(data: bytes, start: int, end: int, depth: int) -> Element:
    """One element between ``start`` and ``end``."""
    if depth > _MAX_DEPTH:
        raise MalformedError(f"elements are nested more than {_MAX_DEPTH} deep")
    tag, position = _read_tag(data, start, end)
    if position >= end:
        raise MalformedError(f"bytes end after tag {tag:02X}, expected a length")
    first = data[position]
    position += 1
    if first == 0x80:
        if not data[start] & 0x20:
            raise MalformedError(f"tag {tag:02X} is primitive and has an indefinite length")
        content_end = _end_of_contents(data, position, end, depth)
        return Element(data, start, position, content_end, content_end + 2, tag, False, True, depth)
    length, is_shortest = first, True
    if first > 0x80:
        octets = data[position : min(position + (first & 0x7F), end)]
        if len(octets) < first & 0x7F or len(octets) > 8:
            raise MalformedError(
                f"length of tag {tag:02X} is cut short, or has more than eight bytes"
            )
        length = int.from_bytes(octets, "big")
        position += len(octets)
        is_shortest = length >= 0x80 and octets[0] != 0
    if length > end - position:
        raise MalformedError(f"tag {tag:02X} announces {length} bytes, got {end - position}")
    content_end = position + length
    return Element(data, start, position, content_end, content_end, tag, True, is_shortest, depth)


def _end_of_contents(data: bytes, position: int, end: int, depth: int) -> int:
    """Where the content of an element with indefinite length ends: before two bytes of zero."""
    count = 0
    while data[position : position + 2] != b"\x00\x00":
        count += 1
        if position >= end or count > _MAX_ELEMENTS:
            raise MalformedError("an indefinite length has no end, or too many elements before it")
        position = _read(data, position, end, depth + 1).end
    if position + 2 > end:
        raise MalformedError("an indefinite length has no end")
    return position


def _read_tag(data: bytes, start: int, end: int) -> tuple[int, int]:
    if start >= end:
        raise MalformedError("no bytes, expected a tag")
    tag = data[start]
    position = start + 1
    if tag & 0x1F == 0x1F:
        for _ in range(3):
            if position >= end:
                raise MalformedError(f"bytes end inside tag {tag:02X}")
            tag = tag << 8 | data[position]
            position += 1
            if not tag & 0x80:
                return tag, position
        raise MalformedError(f"tag {tag:02X} is longer than three bytes")
    return tag, position
