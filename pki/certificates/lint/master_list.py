"""A CSCA master list as it stands: CMS SignedData around a list of certificates (ICAO 9303-12, 9; RFC 5652, 5)."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from pki.certificates.lint.element import (
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    Element,
    MalformedError,
    expect,
    read_element,
    walk,
)
from pki.certificates.lint.objects import CertificateView, EncodedView
from pki.certificates.lint.public_keys import RSA_ENCRYPTION
from pki.certificates.lint.signature_algorithms import Algorithm, SignatureKind, read_algorithm

__all__ = [
    "CONTENT_TYPE",
    "CSCA_MASTER_LIST",
    "MESSAGE_DIGEST",
    "SIGNING_TIME",
    "AttributeView",
    "MasterListView",
    "SignerView",
    "is_signed_data",
]

SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
CSCA_MASTER_LIST: Final = "2.23.136.1.1.2"
CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
SIGNING_TIME: Final = "1.2.840.113549.1.9.5"

_MAX_CERTIFICATES: Final = 10_000
_MAX_SIGNERS: Final = 64
_ISSUER_AND_SERIAL: Final = SEQUENCE
_KEY_IDENTIFIER: Final = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeView:
    """A signed attribute and its values."""

    oid: str
    values: tuple[Element, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerView:
    """A SignerInfo; ``attributes`` None where there are no signed attributes."""

    version: int
    key_identifier: bytes | None
    issuer_and_serial_number: tuple[bytes, bytes] | None
    digest_algorithm: Algorithm
    attributes: tuple[AttributeView, ...] | None
    encoded_attributes: tuple[bytes, ...] = field(repr=False)
    signed_bytes: bytes | None = field(repr=False)
    signature_algorithm: Algorithm
    signature: bytes = field(repr=False)

    def attribute(self, oid: str) -> AttributeView | None:
        """The first attribute with this object identifier."""
        return next((item for item in self.attributes or () if item.oid == oid), None)

    def is_signed_by(self, certificate: CertificateView) -> bool:
        """Whether the signer's identifier names this certificate."""
        if self.key_identifier is not None:
            return certificate.extensions.subject_key_identifier == self.key_identifier
        return self.issuer_and_serial_number == (
            certificate.issuer.encoded,
            certificate.serial_number,
        )

    def verify(self, certificate: CertificateView, content: bytes) -> bool | None:
        """Whether the certificate's key made the signature; None where that cannot be calculated."""
        algorithm = self.signature_algorithm
        if algorithm.oid == RSA_ENCRYPTION:
            # RFC 3370, 3.2: the hash is then the one of the digest algorithm.
            algorithm = replace(
                algorithm, kind=SignatureKind.RSA_PKCS1, hash_oid=self.digest_algorithm.oid
            )
        signed = content if self.signed_bytes is None else self.signed_bytes
        return algorithm.verify(certificate.public_key, self.signature, signed)


@dataclass(frozen=True, kw_only=True)
class MasterListView(EncodedView):
    """A master list; ``list_version`` None where the content is not a list, for the reason ``content_problem``."""

    version: int
    digest_algorithms: tuple[Algorithm, ...]
    content_type: str
    content: bytes | None = field(repr=False)
    content_problem: str | None
    list_version: int | None
    listed: tuple[Element, ...] = field(repr=False)
    has_certificates: bool
    certificates: tuple[Element, ...] = field(repr=False)
    has_crls: bool
    signers: tuple[SignerView, ...]

    @classmethod
    def from_element(cls, element: Element) -> "MasterListView":
        """Take a master list apart.

        Raises:
            MalformedError: it lacks a part, or has one too many.
        """
        expect(element, SEQUENCE)
        outer = element.children()
        if len(outer) != 2:
            raise MalformedError(f"content info has {len(outer)} elements, expected 2")
        expect(outer[1], 0xA0)
        signed_data = outer[1].inner()
        expect(signed_data, SEQUENCE)
        parts = list(signed_data.children())
        if len(parts) < 4:
            raise MalformedError(f"signed data has {len(parts)} elements, expected at least 4")
        version, digests, encapsulated, *optional, signers = parts
        expect(digests, SET)
        expect(signers, SET)
        if [part.tag for part in optional] not in ([], [0xA0], [0xA1], [0xA0, 0xA1]):
            raise MalformedError("signed data holds something between its content and its signers")
        fields = {part.tag: part for part in optional}
        content_parts = encapsulated.children()
        if not 1 <= len(content_parts) <= 2:
            raise MalformedError("encapsulated content has neither one nor two elements")
        content = content_parts[1].inner().octets() if len(content_parts) == 2 else None
        list_version, listed, problem = _read_list(content)
        return cls(
            element=element,
            version=version.integer(),
            digest_algorithms=tuple(read_algorithm(item) for item in digests.children()),
            content_type=content_parts[0].object_identifier(),
            content=content,
            content_problem=problem,
            list_version=list_version,
            listed=listed,
            has_certificates=0xA0 in fields,
            certificates=_bounded(fields[0xA0]) if 0xA0 in fields else (),
            has_crls=0xA1 in fields,
            signers=tuple(_signer(item) for item in signers.children()[:_MAX_SIGNERS]),
        )

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        """Every element but the insides of certificates: each of these is judged by itself.

        Raises:
            MalformedError: an element that should hold others does not.
        """
        outside = frozenset(item.start for item in self.certificates)
        found = walk(self.element, without=outside)
        if self.content is None or self.content_problem is not None:
            return found
        listed = frozenset(item.start for item in self.listed)
        return found + walk(read_element(self.content), without=listed)

    @cached_property
    def readable_certificates(self) -> tuple[CertificateView, ...]:
        """The certificates beside the list that can be taken apart."""
        found = []
        for item in self.certificates:
            try:
                found.append(CertificateView.from_element(item))
            except MalformedError:
                # The lint of each certificate tells.
                continue
        return tuple(found)

    def certificate_of(self, signer: SignerView) -> CertificateView | None:
        """The certificate beside the list that the signer names."""
        return next(
            (item for item in self.readable_certificates if signer.is_signed_by(item)), None
        )


def is_signed_data(element: Element) -> bool:
    """Whether the element has the outline of a CMS SignedData."""
    try:
        first = element.children()[:1] if element.tag == SEQUENCE else ()
    except MalformedError:
        return False
    return bool(first) and first[0].tag == OBJECT_IDENTIFIER and _is_signed_data_oid(first[0])


def _is_signed_data_oid(element: Element) -> bool:
    try:
        return element.object_identifier() == SIGNED_DATA
    except MalformedError:
        return False


def _read_list(content: bytes | None) -> tuple[int | None, tuple[Element, ...], str | None]:
    """``CscaMasterList``: version, certificates, or what is wrong with it."""
    if content is None:
        return None, (), None
    try:
        parts = read_element(content).children()
        if [part.tag for part in parts] != [INTEGER, SET]:
            return None, (), "the content is not a version and a set of certificates"
        return parts[0].integer(), _bounded(parts[1]), None
    except MalformedError as error:
        return None, (), str(error)


def _bounded(element: Element) -> tuple[Element, ...]:
    children = element.children()
    if len(children) > _MAX_CERTIFICATES:
        raise MalformedError(
            f"got {len(children)} certificates, expected at most {_MAX_CERTIFICATES}"
        )
    return children


def _signer(element: Element) -> SignerView:
    expect(element, SEQUENCE)
    parts = list(element.children())
    if len(parts) < 5:
        raise MalformedError(f"signer info has {len(parts)} elements, expected at least 5")
    version, identifier, digest_algorithm = parts[:3]
    rest = parts[3:]
    expect(identifier, _ISSUER_AND_SERIAL, _KEY_IDENTIFIER)
    attributes = rest.pop(0) if rest[0].tag == 0xA0 else None
    if len(rest) == 3 and rest[2].tag == 0xA1:
        rest.pop()
    if len(rest) != 2:
        raise MalformedError("signer info lacks an element, or has one too many")
    expect(rest[1], OCTET_STRING, OCTET_STRING | 0x20)
    issuer_and_serial_number = None
    if identifier.tag == _ISSUER_AND_SERIAL:
        halves = identifier.children()
        if len(halves) != 2:
            raise MalformedError("issuer and serial number has not two elements")
        issuer_and_serial_number = (halves[0].encoded, halves[1].content)
    return SignerView(
        version=version.integer(),
        key_identifier=identifier.content if identifier.tag == _KEY_IDENTIFIER else None,
        issuer_and_serial_number=issuer_and_serial_number,
        digest_algorithm=read_algorithm(digest_algorithm),
        attributes=None
        if attributes is None
        else tuple(_attribute(item) for item in attributes.children()),
        encoded_attributes=()
        if attributes is None
        else tuple(item.encoded for item in attributes.children()),
        # RFC 5652, 5.4: what is signed is the SET, not the tag [0] that stands in its place.
        signed_bytes=None if attributes is None else bytes((SET,)) + attributes.encoded[1:],
        signature_algorithm=read_algorithm(rest[0]),
        signature=rest[1].octets(),
    )


def _attribute(element: Element) -> AttributeView:
    expect(element, SEQUENCE)
    parts = element.children()
    if len(parts) != 2:
        raise MalformedError(f"an attribute has {len(parts)} elements, expected 2")
    expect(parts[1], SET)
    return AttributeView(oid=parts[0].object_identifier(), values=parts[1].children())
