"""Certificates of operators, people who authorise batches, under a small root of their own (RFC 5280, 4.2).

They share no path with the certificates of cards: another root, no Doc 9303 extensions, another extended key usage.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from card_layout.curves import CurveError, EcPublicKey
from pki.certificates import extensions as ext
from pki.certificates.certificate import Certificate, CertificateError, Extension, load_certificate
from pki.certificates.extensions import KeyUsageBit
from pki.certificates.issue import (
    PreparedCertificate,
    key_identifier,
)
from pki.certificates.names import DistinguishedName
from pki.certificates.operator_roles import OperatorRole, encode_roles
from pki.certificates.prepared import encode_algorithm, encode_extensions, encode_time
from pki.certificates.profile import add_months
from pki.certificates.structures import CertificateContent, Validity, element
from pki.errors import PkiRefusedError
from pki.keys.algorithms import SignatureAlgorithm, elliptic_curve_key

__all__ = [
    "OPERATOR_MONTHS",
    "check_operator_certificate",
    "prepare_operator_certificate",
    "prepare_operator_root",
]

OPERATOR_MONTHS: Final = 12
"""For how long an operator's certificate is valid."""

_ROOT_MONTHS: Final = 5 * 12
_CLIENT: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]).public_bytes()
_KNOWN_CRITICAL: Final = frozenset({ext.KEY_USAGE, ext.EXTENDED_KEY_USAGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    name: bytes
    public_key: ec.EllipticCurvePublicKey
    issuer: bytes
    issuer_key: ec.EllipticCurvePublicKey


def prepare_operator_root(
    *,
    public_key: ec.EllipticCurvePublicKey,
    name: DistinguishedName,
    serial_number: int,
    not_before: datetime,
) -> PreparedCertificate:
    """The self-signed root of operators, valid for five years."""
    identifier = key_identifier(public_key)
    subject = _Subject(
        name=name.to_bytes(),
        public_key=public_key,
        issuer=name.to_bytes(),
        issuer_key=public_key,
    )
    return _compose(
        subject,
        serial_number=serial_number,
        not_before=not_before,
        months=_ROOT_MONTHS,
        extensions=[
            ext.encode_authority_key_identifier(identifier),
            ext.encode_subject_key_identifier(identifier),
            ext.encode_key_usage(frozenset({KeyUsageBit.CERTIFICATE_SIGN, KeyUsageBit.CRL_SIGN})),
            ext.encode_basic_constraints(),
        ],
    )


def prepare_operator_certificate(
    *,
    root_certificate: bytes,
    public_key: ec.EllipticCurvePublicKey,
    name: DistinguishedName,
    serial_number: int,
    not_before: datetime,
    roles: frozenset[OperatorRole] = frozenset(),
) -> PreparedCertificate:
    """One operator's certificate, valid for a year, for signing and as a TLS client; roles are for the API.

    Raises:
        PkiRefusedError: ``operator.root-expired``: it would outlive its root.
    """
    root = load_certificate(root_certificate)
    if add_months(not_before, OPERATOR_MONTHS) > root.not_after:
        raise PkiRefusedError(
            f"the root of operators ends at {root.not_after:%Y-%m-%d}, before the certificate would",
            code="operator.root-expired",
        )
    subject = _Subject(
        name=name.to_bytes(),
        public_key=public_key,
        issuer=root.subject,
        issuer_key=elliptic_curve_key(root.public_key),
    )
    return _compose(
        subject,
        serial_number=serial_number,
        not_before=not_before,
        months=OPERATOR_MONTHS,
        extensions=[
            ext.encode_authority_key_identifier(key_identifier(root.public_key)),
            ext.encode_subject_key_identifier(key_identifier(public_key)),
            ext.encode_key_usage(frozenset({KeyUsageBit.DIGITAL_SIGNATURE})),
            Extension(oid=ext.EXTENDED_KEY_USAGE, critical=True, value=_CLIENT),
            *([encode_roles(roles)] if roles else []),
        ],
    )


def check_operator_certificate(
    certificate_der: bytes, *, root_certificate: bytes, now: datetime
) -> Certificate:
    """The certificate, once it is known to be an operator's under this root and current.

    Raises:
        PkiRefusedError: ``operator.certificate-invalid``, ``operator.expired``.
    """
    try:
        certificate = load_certificate(certificate_der)
        usage = ext.decode_key_usage(certificate.extensions)
    except CertificateError as error:
        raise _invalid(f"an operator's certificate cannot be read: {error}") from error
    root = load_certificate(root_certificate)
    purpose = certificate.extensions.get(ext.EXTENDED_KEY_USAGE)
    unknown = ext.unknown_critical(certificate.extensions, known=_KNOWN_CRITICAL)
    if (
        certificate.issuer != root.subject
        or usage != frozenset({int(KeyUsageBit.DIGITAL_SIGNATURE)})
        or purpose is None
        or purpose.value != _CLIENT
        or unknown is not None
        or not certificate.verify_by(root.public_key)
    ):
        raise _invalid("a certificate is not an operator's under the root of operators")
    if not certificate.not_before <= now <= certificate.not_after:
        raise PkiRefusedError(
            f"an operator's certificate is valid from {certificate.not_before:%Y-%m-%d %H:%M:%S}Z "
            f"to {certificate.not_after:%Y-%m-%d %H:%M:%S}Z, got {now:%Y-%m-%d %H:%M:%S}Z",
            code="operator.expired",
            hint="membercard-pki operator enrol",
        )
    return certificate


def _compose(
    subject: _Subject,
    *,
    serial_number: int,
    not_before: datetime,
    months: int,
    extensions: list[Extension],
) -> PreparedCertificate:
    try:
        public_key = EcPublicKey.from_cryptography(subject.public_key)
    except CurveError as error:
        raise _invalid(f"an operator's key cannot be used: {error}") from error
    start = not_before.replace(microsecond=0)
    algorithm = SignatureAlgorithm.for_curve(subject.issuer_key.curve)
    content = asn1.encode_der(
        CertificateContent(
            version=2,
            serial_number=serial_number,
            signature_algorithm=encode_algorithm(algorithm),
            issuer=element(subject.issuer),
            validity=Validity(
                not_before=encode_time(start),
                not_after=encode_time(add_months(start, months)),
            ),
            subject=element(subject.name),
            public_key=element(public_key.to_subject_public_key_info(explicit=False)),
            issuer_unique_id=None,
            subject_unique_id=None,
            extensions=encode_extensions(extensions),
        )
    )
    return PreparedCertificate(
        serial_number=serial_number, algorithm=algorithm, to_be_signed=content
    )


def _invalid(message: str) -> PkiRefusedError:
    return PkiRefusedError(message, code="operator.certificate-invalid")
