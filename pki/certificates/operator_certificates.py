"""Judging certificates of operators, people who authorise batches and call the API (RFC 5280, 4.2).

They stand under the root of services and operators and share no path with the certificates of cards: another root, no
Doc 9303 extensions, another extended key usage. The same certificate serves in TLS and for signatures. Homes of before
there was one root for both have operators under a root of operators alone; those are read as they are.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pki.certificates import extensions as ext
from pki.certificates.certificate import Certificate, CertificateError, load_certificate
from pki.certificates.extensions import KeyUsageBit
from pki.certificates.profile import ProfileKind
from pki.errors import PkiRefusedError

__all__ = ["check_operator_certificate"]

_KNOWN_CRITICAL: Final = frozenset({ext.KEY_USAGE, ext.EXTENDED_KEY_USAGE})
_PURPOSES: Final = frozenset(ProfileKind.OPERATOR.extended_key_usage)


def check_operator_certificate(
    certificate_der: bytes, *, roots: Sequence[bytes], now: datetime
) -> Certificate:
    """The certificate, once it is known to be an operator's under one of the roots and current.

    Raises:
        PkiRefusedError: ``operator.certificate-invalid``, ``operator.expired``.
    """
    try:
        certificate = load_certificate(certificate_der)
        usage = ext.decode_key_usage(certificate.extensions)
        purposes = ext.decode_extended_key_usage(certificate.extensions)
    except CertificateError as error:
        raise _invalid(f"an operator's certificate cannot be read: {error}") from error
    unknown = ext.unknown_critical(certificate.extensions, known=_KNOWN_CRITICAL)
    if (
        usage != frozenset({int(KeyUsageBit.DIGITAL_SIGNATURE)})
        or purposes != _PURPOSES
        or ext.BASIC_CONSTRAINTS in certificate.extensions
        or unknown is not None
        or not any(_is_issued_by(certificate, load_certificate(root)) for root in roots)
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


def _is_issued_by(certificate: Certificate, root: Certificate) -> bool:
    return certificate.issuer == root.subject and certificate.verify_by(root.public_key)


def _invalid(message: str) -> PkiRefusedError:
    return PkiRefusedError(message, code="operator.certificate-invalid")
