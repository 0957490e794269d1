"""X.509 certificates and CRLs as ASN.1 structures, declared once for reading and writing (RFC 5280, 4.1, 5.1)."""

from typing import Annotated

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

__all__ = [
    "CertificateContent",
    "CertificateListContent",
    "EncodedExtension",
    "EncodedTime",
    "RevokedEntry",
    "Signed",
    "Validity",
    "element",
]

EncodedTime = asn1.UTCTime | asn1.GeneralizedTime
"""RFC 5280, 4.1.2.5: UTCTime through the year 2049, GeneralizedTime from 2050 on."""


@asn1.sequence
class Validity:
    """From when until when, both inclusive."""

    not_before: EncodedTime
    not_after: EncodedTime


@asn1.sequence
class EncodedExtension:
    """One extension; ``value`` is the DER inside the OCTET STRING."""

    oid: ObjectIdentifier
    critical: Annotated[bool, asn1.Default(False)]
    value: bytes


@asn1.sequence
class CertificateContent:
    """``TBSCertificate``."""

    version: Annotated[int, asn1.Explicit(0), asn1.Default(0)]
    serial_number: int
    signature_algorithm: asn1.TLV
    issuer: asn1.TLV
    validity: Validity
    subject: asn1.TLV
    public_key: asn1.TLV
    issuer_unique_id: Annotated[asn1.BitString | None, asn1.Implicit(1)]
    subject_unique_id: Annotated[asn1.BitString | None, asn1.Implicit(2)]
    extensions: Annotated[list[EncodedExtension] | None, asn1.Explicit(3)]


@asn1.sequence
class Signed:
    """``Certificate`` or ``CertificateList``: something, an algorithm and a signature."""

    content: asn1.TLV
    signature_algorithm: asn1.TLV
    signature: asn1.BitString


@asn1.sequence
class RevokedEntry:
    """One revoked certificate; Doc 9303-12, 7.1.4 has no entry extensions, reason codes included."""

    serial_number: int
    revoked_at: EncodedTime
    extensions: list[EncodedExtension] | None


@asn1.sequence
class CertificateListContent:
    """``TBSCertList`` of version 2, with the ``nextUpdate`` that RFC 5280 makes mandatory."""

    version: int
    signature_algorithm: asn1.TLV
    issuer: asn1.TLV
    this_update: EncodedTime
    next_update: EncodedTime
    revoked: list[RevokedEntry] | None
    extensions: Annotated[list[EncodedExtension] | None, asn1.Explicit(0)]


def element(encoded: bytes) -> asn1.TLV:
    """A finished encoding, to be placed inside another one."""
    return asn1.decode_der(asn1.TLV, encoded)
