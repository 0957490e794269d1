"""Distinguished names as they stand, whatever their encoding (RFC 5280, 4.1.2.4)."""

from dataclasses import dataclass, field
from typing import Final

from pki.certificates.lint.element import SEQUENCE, SET, Element, MalformedError, expect

__all__ = [
    "BMP_STRING",
    "COMMON_NAME",
    "COUNTRY",
    "IA5_STRING",
    "LOCALITY",
    "PRINTABLE_STRING",
    "SERIAL_NUMBER",
    "STATE_OR_PROVINCE",
    "TELETEX_STRING",
    "UTF8_STRING",
    "Attribute",
    "Name",
    "read_name",
]

UTF8_STRING: Final = 0x0C
PRINTABLE_STRING: Final = 0x13
TELETEX_STRING: Final = 0x14
IA5_STRING: Final = 0x16
BMP_STRING: Final = 0x1E

COMMON_NAME: Final = "2.5.4.3"
SERIAL_NUMBER: Final = "2.5.4.5"
COUNTRY: Final = "2.5.4.6"
LOCALITY: Final = "2.5.4.7"
STATE_OR_PROVINCE: Final = "2.5.4.8"

_LABELS: Final = {
    COMMON_NAME: "commonName",
    SERIAL_NUMBER: "serialNumber",
    COUNTRY: "countryName",
    LOCALITY: "localityName",
    STATE_OR_PROVINCE: "stateOrProvinceName",
    "2.5.4.10": "organizationName",
    "2.5.4.11": "organizationalUnitName",
}
_ENCODINGS: Final = {
    UTF8_STRING: "utf-8",
    PRINTABLE_STRING: "ascii",
    TELETEX_STRING: "latin-1",
    IA5_STRING: "ascii",
    BMP_STRING: "utf-16-be",
}
_MAX_ATTRIBUTES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute: its type, and the tag and content of its value."""

    oid: str
    tag: int
    content: bytes = field(repr=False)

    @property
    def label(self) -> str:
        """What findings call it."""
        return _LABELS.get(self.oid, self.oid)

    @property
    def text(self) -> str | None:
        """The text; None where the bytes are not text in the encoding that the tag announces."""
        encoding = _ENCODINGS.get(self.tag)
        if encoding is None:
            return None
        try:
            return self.content.decode(encoding)
        except UnicodeDecodeError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A distinguished name: its attributes in order, and the encoding that names are compared by."""

    encoded: bytes = field(repr=False)
    attributes: tuple[Attribute, ...]

    def is_same_as(self, other: "Name") -> bool:
        """Whether the names are equal, whatever the case, the spaces and the types of their texts (RFC 5280, 7.1)."""
        return self.encoded == other.encoded or _folded(self) == _folded(other)

    def all(self, oid: str) -> tuple[Attribute, ...]:
        """Every attribute of this type."""
        return tuple(item for item in self.attributes if item.oid == oid)

    def texts(self, oid: str) -> tuple[str, ...]:
        """The texts of every attribute of this type that has one."""
        return tuple(item.text for item in self.all(oid) if item.text is not None)


def _folded(name: Name) -> list[tuple[str, bytes]]:
    return [
        (
            item.oid,
            item.content
            if item.text is None
            else " ".join(item.text.split()).casefold().encode("utf-8", "replace"),
        )
        for item in name.attributes
    ]


def read_name(element: Element) -> Name:
    """A name: a SEQUENCE of SETs of types and values.

    Raises:
        MalformedError: it is not that.
    """
    expect(element, SEQUENCE)
    attributes: list[Attribute] = []
    for part in element.children():
        expect(part, SET)
        for pair in part.children():
            expect(pair, SEQUENCE)
            halves = pair.children()
            if len(halves) != 2:
                raise MalformedError(f"an attribute has {len(halves)} elements, expected 2")
            attributes.append(
                Attribute(
                    oid=halves[0].object_identifier(), tag=halves[1].tag, content=halves[1].content
                )
            )
    if len(attributes) > _MAX_ATTRIBUTES:
        raise MalformedError(
            f"a name has {len(attributes)} attributes, expected at most {_MAX_ATTRIBUTES}"
        )
    return Name(encoded=element.encoded, attributes=tuple(attributes))
