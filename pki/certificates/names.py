"""Distinguished names of authorities and signers (Doc 9303-12, 7.1: country in capitals, the rest in UTF-8)."""

import re
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from card_layout import tlv
from pki.certificates.structures import element
from pki.errors import PkiDataError, PkiRefusedError

__all__ = [
    "TEST_WORD",
    "DistinguishedName",
    "common_name_of",
    "country_of",
    "is_test_name",
    "location_name",
    "name_text",
]

TEST_WORD = "TEST"
"""What every name of a test authority carries (SPEC.md, 7.5)."""

_COUNTRY = ObjectIdentifier("2.5.4.6")
_LOCALITY = ObjectIdentifier("2.5.4.7")
_ORGANISATION = ObjectIdentifier("2.5.4.10")
_COMMON_NAME = ObjectIdentifier("2.5.4.3")

_LABELS = {
    _COUNTRY.dotted_string: "C",
    _LOCALITY.dotted_string: "L",
    _ORGANISATION.dotted_string: "O",
    _COMMON_NAME.dotted_string: "CN",
}

_ENCODINGS = {
    b"\x0c": "utf-8",
    b"\x13": "ascii",
    b"\x16": "ascii",
    b"\x14": "latin-1",
    b"\x1e": "utf-16-be",
}
"""UTF8String, PrintableString, IA5String, TeletexString (Latin-1 in practice), BMPString."""

_MAX_NAME_PARTS = 16
_MAX_TEXT_CHARACTERS = 64
"""The upper bounds ub-common-name and ub-organization-name of RFC 5280, A.1."""


@asn1.sequence
class _AttributeTypeAndValue:
    oid: ObjectIdentifier
    value: asn1.TLV


@asn1.sequence
class _NameHolder:
    """A name is a SEQUENCE OF; the holder gives the library a class to decode it into."""

    parts: list[asn1.SetOf[_AttributeTypeAndValue]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DistinguishedName:
    """Country (two capitals), organisation and common name, in this order."""

    country: str
    common_name: str
    organisation: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z]{2}", self.country):
            raise PkiRefusedError(
                f"country is {self.country[:20]!r}, expected two capital letters",
                code="certificate.name-invalid",
            )
        for text in (self.common_name, self.organisation):
            if text is not None and not (
                1 <= len(text) <= _MAX_TEXT_CHARACTERS
                and text == text.strip()
                and text.isprintable()
            ):
                raise PkiRefusedError(
                    f"name has {len(text)} characters, expected 1 to {_MAX_TEXT_CHARACTERS} printable ones",
                    code="certificate.name-invalid",
                )

    @property
    def is_test(self) -> bool:
        """Whether the common name carries the word TEST."""
        return _carries_test_word(self.common_name)

    def to_bytes(self) -> bytes:
        """The DER ``Name``."""
        parts = [_part(_COUNTRY, asn1.PrintableString(self.country))]
        if self.organisation is not None:
            parts.append(_part(_ORGANISATION, self.organisation))
        parts.append(_part(_COMMON_NAME, self.common_name))
        return _encode(parts)


@lru_cache(maxsize=256)
def country_of(name: bytes) -> str:
    """The country of a DER ``Name``: two capital letters (Doc 9303-12, 7.1.1.1).

    Raises:
        PkiDataError: ``certificate.malformed``: none, several, or not two capital letters.
    """
    found = [text for oid, text in _attributes(name) if oid == _COUNTRY.dotted_string]
    if len(found) != 1 or not re.fullmatch(r"[A-Z]{2}", found[0]):
        raise PkiDataError(
            f"a name has the countries {[text[:8] for text in found]}, expected one of two capital letters",
            code="certificate.malformed",
        )
    return found[0]


@lru_cache(maxsize=256)
def common_name_of(name: bytes) -> str:
    """The one common name of a DER ``Name``.

    Raises:
        PkiDataError: ``certificate.malformed``: none, or several.
    """
    found = [text for oid, text in _attributes(name) if oid == _COMMON_NAME.dotted_string]
    if len(found) != 1:
        raise PkiDataError(
            f"a name has {len(found)} common names, expected one", code="certificate.malformed"
        )
    return found[0]


@lru_cache(maxsize=256)
def is_test_name(name: bytes) -> bool:
    """Whether any text in a DER ``Name`` carries the word TEST.

    Raises:
        PkiDataError: ``certificate.malformed``.
    """
    return any(_carries_test_word(text) for _, text in _attributes(name))


@lru_cache(maxsize=256)
def name_text(name: bytes) -> str:
    """A DER ``Name`` for people to read: ``C=VN, CN=TEST Membercard``.

    Raises:
        PkiDataError: ``certificate.malformed``.
    """
    return ", ".join(f"{_LABELS.get(oid, oid)}={text}" for oid, text in _attributes(name))


def location_name(location: str) -> bytes:
    """The DER ``Name`` that Doc 9303-12, 7.1.1.2 wants as alternative name: localityName, the three-letter state."""
    return _encode([_part(_LOCALITY, asn1.PrintableString(location))])


def _attributes(name: bytes) -> list[tuple[str, str]]:
    """Object identifiers and texts, one behind another."""
    try:
        parts = asn1.decode_der(_NameHolder, tlv.encode(0x30, name)).parts
        attributes = [item for part in parts for item in part.as_list()]
        if len(attributes) > _MAX_NAME_PARTS:
            raise _malformed()
        return [(item.oid.dotted_string, _text(item.value)) for item in attributes]
    except (ValueError, tlv.TlvError) as error:
        raise _malformed() from error


def _text(value: asn1.TLV) -> str:
    encoding = _ENCODINGS.get(value.tag_bytes)
    if encoding is None:
        raise _malformed()
    return bytes(value.data).decode(encoding)


def _carries_test_word(text: str) -> bool:
    return TEST_WORD in re.split(r"[^A-Za-z0-9]+", text)


def _malformed() -> PkiDataError:
    return PkiDataError(
        f"a name is not a sequence of at most {_MAX_NAME_PARTS} texts", code="certificate.malformed"
    )


def _part(
    oid: ObjectIdentifier, value: asn1.PrintableString | str
) -> asn1.SetOf[_AttributeTypeAndValue]:
    return asn1.SetOf([_AttributeTypeAndValue(oid=oid, value=element(asn1.encode_der(value)))])


def _encode(parts: list[asn1.SetOf[_AttributeTypeAndValue]]) -> bytes:
    return tlv.parse(asn1.encode_der(_NameHolder(parts=parts))).value
