"""Certificates of those who exchange sealed files: instances and stations, under the service authority (docs/bundles.md)."""

from datetime import datetime

from pki.certificates.certificate import Certificate, load_certificate
from pki.certificates.names import TEST_WORD, common_name_of
from pki.certificates.profile import ProfileKind
from pki.certificates.service_certificates import check_service_authority, check_service_certificate
from pki.errors import PkiDataError, PkiRefusedError

__all__ = ["judge_exchange_certificate"]


def judge_exchange_certificate(
    der: bytes, *, kind: ProfileKind, root: bytes, name: str, now: datetime
) -> Certificate:
    """A certificate that its root issued to this name for this purpose, and that is valid now.

    Args:
        der: the certificate.
        kind: what it must be for.
        root: the certificate of the service authority that is trusted.
        name: the common name, without the mark of a test authority.
        now: aware UTC.

    Raises:
        PkiRefusedError: ``exchange.certificate``: it is none of this kind, root or name;
            ``exchange.certificate-expired``.
        PkiDataError: the root is none (``service.authority-invalid``).
    """
    authority = check_service_authority(root)
    try:
        certificate = check_service_certificate(der, kind=kind)
        issuer_holds = certificate.issuer == authority.subject and certificate.verify_by(
            authority.public_key
        )
    except PkiDataError as error:
        raise PkiRefusedError(
            f"the certificate of {name} is no {kind.value}'s: {error}", code="exchange.certificate"
        ) from error
    if not issuer_holds:
        raise PkiRefusedError(
            f"the certificate of {name} was not issued by the service authority that is trusted here",
            code="exchange.certificate",
        )
    found = common_name_of(certificate.subject).removeprefix(f"{TEST_WORD} ")
    if found != name:
        raise PkiRefusedError(
            f"the certificate is of {found!r}, expected {name!r}", code="exchange.certificate"
        )
    for each in (certificate, load_certificate(root)):
        if not each.not_before <= now <= each.not_after:
            raise PkiRefusedError(
                f"the certificate of {name} or its root is valid from {each.not_before:%Y-%m-%d %H:%M:%S}Z "
                f"to {each.not_after:%Y-%m-%d %H:%M:%S}Z, got {now:%Y-%m-%d %H:%M:%S}Z",
                code="exchange.certificate-expired",
            )
    return certificate
