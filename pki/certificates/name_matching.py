"""Distinguished names compared as RFC 5280, 7.1 wants them: letter case, spaces and kind of string do not count.

Cards' own certificates are compared byte by byte (Doc 9303-12, 7.1.1); this is for the paths of others.
"""

import unicodedata
from functools import lru_cache
from typing import Final

from card_layout import der, tlv
from card_layout.errors import CardDataError
from pki.certificates.certificate import CertificateError

__all__ = ["RelativeName", "email_addresses", "is_name_within", "relative_names"]

RelativeName = frozenset[tuple[str, str | bytes]]
"""One RelativeDistinguishedName: attribute types with prepared texts, or with the encoding of what is no text."""

_ENCODINGS: Final = {
    0x0C: "utf-8",
    0x13: "ascii",
    0x14: "latin-1",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
    0x16: "ascii",
}
"""UTF8String, PrintableString, TeletexString, UniversalString, BMPString, IA5String."""

_EMAIL_ADDRESS: Final = "1.2.840.113549.1.9.1"
_MAX_RELATIVE_NAMES: Final = 64


@lru_cache(maxsize=2048)
def relative_names(name: bytes) -> tuple[RelativeName, ...]:
    """The prepared parts of a DER ``Name``, from the root of the directory on.

    Raises:
        CertificateError: ``certificate.malformed``.
    """
    try:
        parts = tlv.parse(name, expected_tag=der.SEQUENCE).children()
        if len(parts) > _MAX_RELATIVE_NAMES:
            raise CertificateError(f"a name has {len(parts)} parts, expected at most 64")
        return tuple(_relative_name(part) for part in parts)
    except (CardDataError, ValueError) as error:
        raise CertificateError("a name is not what RFC 5280, 4.1.2.4 says") from error


def is_name_within(name: bytes, base: bytes) -> bool:
    """Whether a name stands in the subtree below ``base``, which itself belongs to it (RFC 5280, 7.1)."""
    prefix = relative_names(base)
    return relative_names(name)[: len(prefix)] == prefix


def email_addresses(name: bytes) -> tuple[str, ...]:
    """The addresses of the attribute ``emailAddress`` in a DER ``Name`` (RFC 5280, 4.2.1.10)."""
    return tuple(
        value if isinstance(value, str) else ""
        for part in relative_names(name)
        for oid, value in sorted(part, key=repr)
        if oid == _EMAIL_ADDRESS
    )


def _relative_name(part: tlv.Tlv) -> RelativeName:
    attributes = []
    if part.tag != der.SET:
        raise ValueError("a part of a name is no SET")
    for item in part.children():
        kind, value = item.children()
        if item.tag != der.SEQUENCE or kind.tag != der.OBJECT_IDENTIFIER:
            raise ValueError("a part of a name is no pair of type and value")
        attributes.append((der.decode_object_identifier(kind.value), _prepared(value)))
    if not attributes:
        raise ValueError("a part of a name is empty")
    return frozenset(attributes)


def _prepared(value: tlv.Tlv) -> str | bytes:
    """RFC 4518: normalised, case folded, no spaces at the ends and single ones within."""
    encoding = _ENCODINGS.get(value.tag)
    if encoding is None:
        return value.to_bytes()
    text = unicodedata.normalize("NFKC", value.value.decode(encoding))
    return " ".join(unicodedata.normalize("NFKC", text.casefold()).split())
