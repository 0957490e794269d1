"""CMS SignedData and LDSSecurityObject as ASN.1 structures, declared once for reading and writing (RFC 5652, 5)."""

from typing import Annotated

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

__all__ = [
    "ID_CONTENT_TYPE",
    "ID_LDS_SECURITY_OBJECT",
    "ID_MESSAGE_DIGEST",
    "ID_SIGNED_DATA",
    "ID_SIGNING_TIME",
    "ID_STATUS_REFERENCE",
    "AlgorithmIdentifier",
    "Attribute",
    "ContentInfo",
    "DataGroupHash",
    "EncapsulatedContentInfo",
    "EncodedStatusReference",
    "IssuerAndSerialNumber",
    "LdsSecurityObject",
    "LdsVersionInfo",
    "SignedData",
    "SignerInfo",
]

ID_SIGNED_DATA = ObjectIdentifier("1.2.840.113549.1.7.2")
ID_LDS_SECURITY_OBJECT = ObjectIdentifier("2.23.136.1.1.1")
ID_CONTENT_TYPE = ObjectIdentifier("1.2.840.113549.1.9.3")
ID_MESSAGE_DIGEST = ObjectIdentifier("1.2.840.113549.1.9.4")
ID_SIGNING_TIME = ObjectIdentifier("1.2.840.113549.1.9.5")
ID_STATUS_REFERENCE = ObjectIdentifier("1.3.6.1.4.1.32473.51.1.1")


@asn1.sequence
class AlgorithmIdentifier:
    """RFC 5754, 2: parameters of SHA-2 are absent; NULL is accepted, too. ECDSA has none (RFC 5758, 3.2)."""

    algorithm: ObjectIdentifier
    parameters: asn1.Null | None


@asn1.sequence
class DataGroupHash:
    """The digest of one data group file."""

    number: int
    digest: bytes


@asn1.sequence
class LdsVersionInfo:
    """What version 1 of the structure adds; version 0 has none."""

    lds_version: asn1.PrintableString
    unicode_version: asn1.PrintableString


@asn1.sequence
class LdsSecurityObject:
    """Doc 9303-10, 4.6.2.3."""

    version: int
    hash_algorithm: asn1.TLV
    hashes: list[DataGroupHash]
    version_info: LdsVersionInfo | None


@asn1.sequence
class EncapsulatedContentInfo:
    """RFC 5652, 5.2."""

    content_type: ObjectIdentifier
    content: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class IssuerAndSerialNumber:
    """RFC 5652, 10.2.4."""

    issuer: asn1.TLV
    serial_number: int


@asn1.sequence
class Attribute:
    """RFC 5652, 5.3."""

    kind: ObjectIdentifier
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class SignerInfo:
    """RFC 5652, 5.3, without unsigned attributes: with any it does not decode."""

    version: int
    signer: IssuerAndSerialNumber
    digest_algorithm: asn1.TLV
    signed_attributes: Annotated[asn1.SetOf[Attribute], asn1.Implicit(0)]
    signature_algorithm: asn1.TLV
    signature: bytes


@asn1.sequence
class SignedData:
    """RFC 5652, 5.1, without CRLs: with any it does not decode."""

    version: int
    digest_algorithms: asn1.SetOf[asn1.TLV]
    content_info: EncapsulatedContentInfo
    certificates: Annotated[asn1.SetOf[asn1.TLV], asn1.Implicit(0)]
    signers: asn1.SetOf[SignerInfo]


@asn1.sequence
class ContentInfo:
    """RFC 5652, 3."""

    content_type: ObjectIdentifier
    content: Annotated[SignedData, asn1.Explicit(0)]


@asn1.sequence
class EncodedStatusReference:
    """SPEC.md, 7.3."""

    list_id: bytes
    index: int
