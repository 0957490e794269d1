"""The signed SecurityInfos of EF.CardSecurity: a ``ContentInfo`` with opaque content (SPEC.md, 5.8; RFC 5652).

Parsing proves nothing: call ``verify_signature``, and then see whose certificate it is.
"""

from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ObjectIdentifier

from pki.certificates.certificate import CertificateError, load_certificate
from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import HashAlgorithm, elliptic_curve_key
from pki.signed.decoding import (
    SecurityObjectError,
    decode,
    expect,
    expect_oid,
    only,
    read_hash_algorithm,
    read_signature_algorithm,
    whole,
)
from pki.signed.signed_data import MAX_ATTRIBUTES, MAX_SIGNED_BYTES
from pki.signed.structures import (
    ID_CONTENT_TYPE,
    ID_MESSAGE_DIGEST,
    ID_SIGNED_DATA,
    Attribute,
    ContentInfo,
    SignerInfo,
)

__all__ = ["CardSecurityObject", "CardSecurityObjectError"]

_ID_SECURITY_OBJECT = ObjectIdentifier("0.4.0.127.0.7.3.2.1")


class CardSecurityObjectError(PkiDataError):
    """Bytes that are not such an object, or one that does not verify."""

    default_code = "card-security.not-proven"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSecurityObject:
    """A parsed object; ``content`` is the DER SET OF SecurityInfo that it is about."""

    content: bytes = field(repr=False)
    hash_algorithm: HashAlgorithm
    signer_certificate: bytes = field(repr=False)
    signer_name: tuple[bytes, int] = field(repr=False)
    """Issuer and serial number by which the signer is named."""
    message_digest: bytes = field(repr=False)
    signed_attributes: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, content_info: bytes) -> Self:
        """Parse a DER ``ContentInfo`` that carries SecurityInfos.

        Raises:
            CardSecurityObjectError: anything else, or an algorithm that is not allowed.
        """
        if len(content_info) > MAX_SIGNED_BYTES:
            raise CardSecurityObjectError(
                f"the object has {len(content_info)} bytes, expected at most {MAX_SIGNED_BYTES}"
            )
        try:
            return cls._parse(content_info)
        except SecurityObjectError as error:
            raise CardSecurityObjectError(f"EF.CardSecurity cannot be read: {error}") from error

    @classmethod
    def _parse(cls, content_info: bytes) -> Self:
        outer = decode(ContentInfo, content_info, "EF.CardSecurity")
        expect_oid("content type", outer.content_type, ID_SIGNED_DATA)
        signed = outer.content
        expect("version of SignedData", signed.version, 3)
        content_type = signed.content_info.content_type
        expect_oid("encapsulated content type", content_type, _ID_SECURITY_OBJECT)
        signer = only("signers", signed.signers.as_list())
        expect("version of SignerInfo", signer.version, 1)
        attributes = signer.signed_attributes.as_list()
        named = decode(
            ObjectIdentifier, _attribute(attributes, ID_CONTENT_TYPE), "content type attribute"
        )
        expect_oid("content type attribute", named, _ID_SECURITY_OBJECT)
        return cls(
            content=signed.content_info.content,
            hash_algorithm=_hash_algorithm(
                signer, only("digest algorithms", signed.digest_algorithms.as_list())
            ),
            signer_certificate=whole(only("certificates", signed.certificates.as_list())),
            signer_name=(whole(signer.signer.issuer), signer.signer.serial_number),
            message_digest=decode(
                bytes, _attribute(attributes, ID_MESSAGE_DIGEST), "message digest"
            ),
            signed_attributes=asn1.encode_der(signer.signed_attributes),
            signature=signer.signature,
        )

    def verify_signature(self) -> None:
        """Check message digest and signature with the certificate that the object carries.

        Raises:
            CardSecurityObjectError: they are not that certificate's.
        """
        if self.hash_algorithm.digest(self.content) != self.message_digest:
            raise CardSecurityObjectError("the message digest does not match the content")
        try:
            certificate = load_certificate(self.signer_certificate)
        except CertificateError as error:
            raise CardSecurityObjectError(f"the certificate cannot be used: {error}") from error
        if (certificate.issuer, certificate.serial_number) != self.signer_name:
            raise CardSecurityObjectError("the certificate carried is not the signer's")
        try:
            elliptic_curve_key(certificate.public_key).verify(
                self.signature,
                self.signed_attributes,
                ec.ECDSA(self.hash_algorithm.to_cryptography()),
            )
        except (InvalidSignature, PkiRefusedError) as error:
            raise CardSecurityObjectError("the signature does not verify") from error


def _hash_algorithm(signer: SignerInfo, digest_identifier: asn1.TLV) -> HashAlgorithm:
    """The one hash that signature, signer and SignedData name."""
    algorithm = read_signature_algorithm(signer.signature_algorithm).hash_algorithm
    for identifier in (signer.digest_algorithm, digest_identifier):
        found = read_hash_algorithm("digest algorithm", identifier)
        if found is not algorithm:
            raise SecurityObjectError(
                f"digest algorithm is {found.name}, expected {algorithm.name}"
            )
    return algorithm


def _attribute(items: list[Attribute], kind: ObjectIdentifier) -> bytes:
    """The one value of the one signed attribute of this kind (RFC 5652, 11)."""
    if len(items) > MAX_ATTRIBUTES:
        raise SecurityObjectError(
            f"got {len(items)} signed attributes, expected at most {MAX_ATTRIBUTES}"
        )
    name = f"signed attributes {kind.dotted_string}"
    item = only(name, [item for item in items if item.kind == kind])
    return whole(only(f"values of {name}", item.values.as_list()))
