"""The values of extensions as they stand, decoded one by one: what cannot be decoded is told and passed over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from pki.certificates import extensions as ext
from pki.certificates.lint.element import (
    BOOLEAN,
    INTEGER,
    NULL,
    SEQUENCE,
    SET,
    Element,
    MalformedError,
    expect,
    read_element,
)
from pki.certificates.lint.names import Name, read_name

__all__ = [
    "AUTHORITY_INFORMATION_ACCESS",
    "CERTIFICATE_ISSUER",
    "DELTA_CRL_INDICATOR",
    "FRESHEST_CRL",
    "HOLD_INSTRUCTION",
    "INHIBIT_ANY_POLICY",
    "INVALIDITY_DATE",
    "ISSUING_DISTRIBUTION_POINT",
    "MASTER_LIST_SIGNING",
    "NAMES",
    "NAME_CHANGE",
    "NAME_CONSTRAINTS",
    "NETSCAPE_CERTIFICATE_TYPE",
    "POLICY_CONSTRAINTS",
    "POLICY_MAPPINGS",
    "REASON_CODE",
    "SUBJECT_DIRECTORY_ATTRIBUTES",
    "SUBJECT_INFORMATION_ACCESS",
    "AlternativeName",
    "AuthorityKeyIdentifier",
    "BasicConstraints",
    "DistributionPoint",
    "DocumentTypes",
    "ExtensionItem",
    "Extensions",
    "KeyUsage",
    "PrivateKeyUsagePeriod",
    "read_extensions",
]

AUTHORITY_INFORMATION_ACCESS: Final = "1.3.6.1.5.5.7.1.1"
SUBJECT_INFORMATION_ACCESS: Final = "1.3.6.1.5.5.7.1.11"
SUBJECT_DIRECTORY_ATTRIBUTES: Final = "2.5.29.9"
REASON_CODE: Final = "2.5.29.21"
HOLD_INSTRUCTION: Final = "2.5.29.23"
INVALIDITY_DATE: Final = "2.5.29.24"
DELTA_CRL_INDICATOR: Final = "2.5.29.27"
ISSUING_DISTRIBUTION_POINT: Final = "2.5.29.28"
CERTIFICATE_ISSUER: Final = "2.5.29.29"
NAME_CONSTRAINTS: Final = "2.5.29.30"
POLICY_MAPPINGS: Final = "2.5.29.33"
POLICY_CONSTRAINTS: Final = "2.5.29.36"
FRESHEST_CRL: Final = "2.5.29.46"
INHIBIT_ANY_POLICY: Final = "2.5.29.54"
NETSCAPE_CERTIFICATE_TYPE: Final = "2.16.840.1.113730.1.1"
NAME_CHANGE: Final = "2.23.136.1.1.6.1"
MASTER_LIST_SIGNING: Final = "2.23.136.1.1.3"

NAMES: Final = {
    ext.SUBJECT_KEY_IDENTIFIER: "subjectKeyIdentifier",
    ext.KEY_USAGE: "keyUsage",
    ext.PRIVATE_KEY_USAGE_PERIOD: "privateKeyUsagePeriod",
    ext.SUBJECT_ALTERNATIVE_NAME: "subjectAltName",
    ext.ISSUER_ALTERNATIVE_NAME: "issuerAltName",
    ext.BASIC_CONSTRAINTS: "basicConstraints",
    ext.CRL_NUMBER: "cRLNumber",
    ext.CRL_DISTRIBUTION_POINTS: "cRLDistributionPoints",
    ext.CERTIFICATE_POLICIES: "certificatePolicies",
    ext.AUTHORITY_KEY_IDENTIFIER: "authorityKeyIdentifier",
    ext.EXTENDED_KEY_USAGE: "extKeyUsage",
    ext.DOCUMENT_TYPE_LIST: "documentTypeList",
    AUTHORITY_INFORMATION_ACCESS: "authorityInfoAccess",
    SUBJECT_INFORMATION_ACCESS: "subjectInfoAccess",
    SUBJECT_DIRECTORY_ATTRIBUTES: "subjectDirectoryAttributes",
    REASON_CODE: "reasonCode",
    HOLD_INSTRUCTION: "holdInstructionCode",
    INVALIDITY_DATE: "invalidityDate",
    DELTA_CRL_INDICATOR: "deltaCRLIndicator",
    ISSUING_DISTRIBUTION_POINT: "issuingDistributionPoint",
    CERTIFICATE_ISSUER: "certificateIssuer",
    NAME_CONSTRAINTS: "nameConstraints",
    POLICY_MAPPINGS: "policyMappings",
    POLICY_CONSTRAINTS: "policyConstraints",
    FRESHEST_CRL: "freshestCRL",
    INHIBIT_ANY_POLICY: "inhibitAnyPolicy",
    NETSCAPE_CERTIFICATE_TYPE: "netscapeCertType",
    NAME_CHANGE: "nameChange",
}
"""What findings call an extension; any other goes by its object identifier."""

_MAX_EXTENSIONS: Final = 64
_MAX_ITEMS: Final = 256
"""The most names, policies or distribution points that are looked at in one extension."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionItem:
    """One extension; ``encodes_default`` where the criticality FALSE is written out."""

    oid: str
    critical: bool
    encodes_default: bool
    value: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """What findings call it."""
        return NAMES.get(self.oid, self.oid)

    @property
    def path(self) -> str:
        """Where it stands."""
        return f"extensions.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUsage:
    """The numbers of the bits that are set, and whether zero bits trail behind the last of them."""

    bits: frozenset[int]
    has_trailing_zeros: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityKeyIdentifier:
    """RFC 5280, 4.2.1.1."""

    key_identifier: bytes | None
    has_issuer: bool
    has_serial_number: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicConstraints:
    """RFC 5280, 4.2.1.9; ``encodes_default`` where cA FALSE is written out."""

    is_authority: bool
    path_length: int | None
    encodes_default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKeyUsagePeriod:
    """The two times as the texts that stand there."""

    not_before: bytes | None
    not_after: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeName:
    """The tags of all names, and the directory names among them."""

    tags: tuple[int, ...]
    directory_names: tuple[Name, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionPoint:
    """RFC 5280, 4.2.1.13; ``uris`` are those of the full name."""

    has_name: bool
    uris: tuple[bytes, ...]
    other_names: int
    has_reasons: bool
    has_issuer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentTypes:
    """ICAO 9303-12, 7.1.1.6; each code with the tag that it is encoded with."""

    version: int
    codes: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """All extensions in their order; values that were decoded, and why others were not."""

    items: tuple[ExtensionItem, ...] = ()
    malformed: tuple[tuple[ExtensionItem, str], ...] = ()
    key_usage: KeyUsage | None = None
    authority_key_identifier: AuthorityKeyIdentifier | None = None
    subject_key_identifier: bytes | None = None
    basic_constraints: BasicConstraints | None = None
    private_key_usage_period: PrivateKeyUsagePeriod | None = None
    policies: tuple[str, ...] | None = None
    subject_alternative_name: AlternativeName | None = None
    issuer_alternative_name: AlternativeName | None = None
    extended_key_usage: tuple[str, ...] | None = None
    distribution_points: tuple[DistributionPoint, ...] | None = None
    document_types: DocumentTypes | None = None
    crl_number: bytes | None = None
    has_name_change: bool = False

    def all(self, oid: str) -> tuple[ExtensionItem, ...]:
        """Every extension with this object identifier: there should be one at most."""
        return tuple(item for item in self.items if item.oid == oid)

    def has(self, oid: str) -> bool:
        """Whether there is one with this object identifier."""
        return any(item.oid == oid for item in self.items)


def read_extensions(element: Element) -> Extensions:
    """The extensions of a certificate, CRL or CRL entry: a SEQUENCE of them.

    Raises:
        MalformedError: it is not that; a value that cannot be decoded is a finding and no error.
    """
    expect(element, SEQUENCE)
    children = element.children()
    if len(children) > _MAX_EXTENSIONS:
        raise MalformedError(f"got {len(children)} extensions, expected at most {_MAX_EXTENSIONS}")
    items = tuple(_item(child) for child in children)
    first: dict[str, ExtensionItem] = {}
    for item in items:
        first.setdefault(item.oid, item)
    decoder = _Decoder(first)
    return Extensions(
        items=items,
        key_usage=decoder.decode(ext.KEY_USAGE, _key_usage),
        authority_key_identifier=decoder.decode(
            ext.AUTHORITY_KEY_IDENTIFIER, _authority_key_identifier
        ),
        subject_key_identifier=decoder.decode(ext.SUBJECT_KEY_IDENTIFIER, Element.octets),
        basic_constraints=decoder.decode(ext.BASIC_CONSTRAINTS, _basic_constraints),
        private_key_usage_period=decoder.decode(
            ext.PRIVATE_KEY_USAGE_PERIOD, _private_key_usage_period
        ),
        policies=decoder.decode(ext.CERTIFICATE_POLICIES, _policies),
        subject_alternative_name=decoder.decode(ext.SUBJECT_ALTERNATIVE_NAME, _alternative_name),
        issuer_alternative_name=decoder.decode(ext.ISSUER_ALTERNATIVE_NAME, _alternative_name),
        extended_key_usage=decoder.decode(ext.EXTENDED_KEY_USAGE, _extended_key_usage),
        distribution_points=decoder.decode(ext.CRL_DISTRIBUTION_POINTS, _distribution_points),
        document_types=decoder.decode(ext.DOCUMENT_TYPE_LIST, _document_types),
        crl_number=decoder.decode(ext.CRL_NUMBER, _crl_number),
        has_name_change=decoder.decode(NAME_CHANGE, _null) is not None,
        # The last argument, because the list is complete only when everything was decoded.
        malformed=tuple(decoder.malformed),
    )


_Value = TypeVar("_Value")


class _Decoder:
    """Decodes values, and keeps a list of those that cannot be."""

    def __init__(self, items: dict[str, ExtensionItem]) -> None:
        self._items = items
        self.malformed: list[tuple[ExtensionItem, str]] = []

    def decode(self, oid: str, kind: Callable[[Element], _Value]) -> _Value | None:
        item = self._items.get(oid)
        if item is None:
            return None
        try:
            return kind(read_element(item.value))
        except MalformedError as error:
            self.malformed.append((item, str(error)))
            return None


def _item(element: Element) -> ExtensionItem:
    expect(element, SEQUENCE)
    parts = element.children()
    if len(parts) not in {2, 3}:
        raise MalformedError(f"an extension has {len(parts)} elements, expected 2 or 3")
    critical = parts[1].boolean() if len(parts) == 3 else False
    return ExtensionItem(
        oid=parts[0].object_identifier(),
        critical=critical,
        encodes_default=len(parts) == 3 and not critical,
        value=parts[-1].octets(),
    )


def _key_usage(element: Element) -> KeyUsage:
    octets, unused = element.bits()
    if len(octets) > 2:
        raise MalformedError(f"key usage has {len(octets)} bytes, expected at most 2")
    bits = frozenset(
        index for index in range(8 * len(octets)) if octets[index // 8] & 0x80 >> index % 8
    )
    written = 8 * len(octets) - unused
    return KeyUsage(bits=bits, has_trailing_zeros=written > max(bits, default=-1) + 1)


def _authority_key_identifier(element: Element) -> AuthorityKeyIdentifier:
    parts = _tagged(element, 0x80, 0xA1, 0x82)
    return AuthorityKeyIdentifier(
        key_identifier=parts[0x80].content if 0x80 in parts else None,
        has_issuer=0xA1 in parts,
        has_serial_number=0x82 in parts,
    )


def _basic_constraints(element: Element) -> BasicConstraints:
    expect(element, SEQUENCE)
    parts = list(element.children())
    is_authority, encodes_default, path_length = False, False, None
    if parts and parts[0].tag == BOOLEAN:
        is_authority = parts.pop(0).boolean()
        encodes_default = not is_authority
    if parts and parts[0].tag == INTEGER:
        path_length = parts.pop(0).integer()
    _finished(parts)
    return BasicConstraints(
        is_authority=is_authority, path_length=path_length, encodes_default=encodes_default
    )


def _private_key_usage_period(element: Element) -> PrivateKeyUsagePeriod:
    parts = _tagged(element, 0x80, 0x81)
    return PrivateKeyUsagePeriod(
        not_before=parts[0x80].content if 0x80 in parts else None,
        not_after=parts[0x81].content if 0x81 in parts else None,
    )


def _policies(element: Element) -> tuple[str, ...]:
    policies = []
    for item in _items(element, SEQUENCE, least=1):
        expect(item, SEQUENCE)
        parts = item.children()
        if len(parts) not in {1, 2}:
            raise MalformedError(f"a policy has {len(parts)} elements, expected 1 or 2")
        policies.append(parts[0].object_identifier())
    return tuple(policies)


def _alternative_name(element: Element) -> AlternativeName:
    names = _items(element, SEQUENCE, least=1)
    return AlternativeName(
        tags=tuple(name.tag for name in names),
        directory_names=tuple(read_name(name.inner()) for name in names if name.tag == 0xA4),
    )


def _extended_key_usage(element: Element) -> tuple[str, ...]:
    return tuple(item.object_identifier() for item in _items(element, SEQUENCE, least=1))


def _distribution_points(element: Element) -> tuple[DistributionPoint, ...]:
    return tuple(_distribution_point(item) for item in _items(element, SEQUENCE, least=1))


def _distribution_point(element: Element) -> DistributionPoint:
    parts = _tagged(element, 0xA0, 0x81, 0xA2)
    uris: list[bytes] = []
    others = 0
    if 0xA0 in parts:
        name = parts[0xA0].inner()
        # fullName [0] holds general names; a name relative to the issuer [1] holds no address.
        expect(name, 0xA0, 0xA1)
        for general in name.children() if name.tag == 0xA0 else ():
            if general.tag == 0x86:
                uris.append(general.content)
            else:
                others += 1
    return DistributionPoint(
        has_name=0xA0 in parts,
        uris=tuple(uris),
        other_names=others,
        has_reasons=0x81 in parts,
        has_issuer=0xA2 in parts,
    )


def _document_types(element: Element) -> DocumentTypes:
    expect(element, SEQUENCE)
    parts = element.children()
    if len(parts) != 2:
        raise MalformedError(f"document type list has {len(parts)} elements, expected 2")
    codes = _items(parts[1], SET, least=0)
    return DocumentTypes(
        version=parts[0].integer(), codes=tuple((code.tag, code.content) for code in codes)
    )


def _crl_number(element: Element) -> bytes:
    element.integer()
    return element.content


def _null(element: Element) -> bool:
    expect(element, NULL)
    if element.content_start != element.content_end:
        raise MalformedError("NULL has content")
    return True


def _items(element: Element, tag: int, *, least: int) -> Sequence[Element]:
    expect(element, tag)
    items = element.children()
    if not least <= len(items) <= _MAX_ITEMS:
        raise MalformedError(f"got {len(items)} items, expected {least} to {_MAX_ITEMS}")
    return items


def _tagged(element: Element, *tags: int) -> dict[int, Element]:
    """The parts of a SEQUENCE of optional elements, which stand in the order of their tags."""
    expect(element, SEQUENCE)
    parts = element.children()
    found = [part.tag for part in parts]
    if found != [tag for tag in tags if tag in found]:
        raise MalformedError(
            f"got tags {[f'{tag:02X}' for tag in found[:8]]}, expected some of "
            f"{[f'{tag:02X}' for tag in tags]} in this order"
        )
    return {part.tag: part for part in parts}


def _finished(parts: Sequence[Element]) -> None:
    if parts:
        raise MalformedError(f"tag {parts[0].tag:02X} stands where nothing is expected")
