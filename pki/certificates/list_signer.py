"""Signers of lists, bundles and journals: end entities under the CSCA with a purpose of their own (Doc 9303-12, 7.1.1).

Their extended key usage is critical, so that no such key can sign a card, and no document signer a list.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from pki.certificates import extensions as ext
from pki.certificates.certificate import (
    Certificate,
    CertificateError,
    Reading,
    load_certificate,
)
from pki.certificates.extensions import KeyUsageBit
from pki.certificates.names import country_of, name_text
from pki.certificates.profile import ProfileKind
from pki.certificates.profile_checks import (
    check_critical,
    check_key_usage,
    check_strength,
    is_test_certificate,
    required,
)
from pki.errors import PkiDataError

__all__ = ["ListSignerCertificate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSignerCertificate:
    """What such a signer's certificate says of itself; nothing of it is proven."""

    der: bytes = field(repr=False)
    kind: ProfileKind
    country: str
    is_test: bool
    name: str
    serial_number: int
    key_use_not_before: datetime
    key_use_not_after: datetime
    authority_key_identifier: bytes = field(repr=False)
    not_before: datetime
    not_after: datetime
    certificate: Certificate = field(repr=False, compare=False)

    @classmethod
    def from_bytes(cls, der: bytes, *, kind: ProfileKind, reading: Reading = Reading.HOUSE) -> Self:
        """Read a DER certificate of this kind; other states' signers of master lists take a tolerant reading.

        Raises:
            PkiDataError: ``signer.profile``.
        """
        try:
            certificate = load_certificate(der, reading)
            extensions = certificate.extensions
            _check(certificate, kind)
            start, end = ext.decode_private_key_usage_period(extensions) or (None, None)
            return cls(
                der=der,
                kind=kind,
                country=country_of(certificate.subject),
                is_test=is_test_certificate(certificate),
                name=name_text(certificate.subject),
                serial_number=certificate.serial_number,
                # Doc 9303-12, 7.1.1: the period is optional for these signers.
                key_use_not_before=start or certificate.not_before,
                key_use_not_after=end or certificate.not_after,
                authority_key_identifier=required(
                    ext.decode_authority_key_identifier(extensions), "authority key identifier"
                ),
                not_before=certificate.not_before,
                not_after=certificate.not_after,
                certificate=certificate,
            )
        except PkiDataError as error:
            raise PkiDataError(
                f"the certificate of a {kind.value} breaks its profile: {error}",
                code="signer.profile",
            ) from error


def _check(certificate: Certificate, kind: ProfileKind) -> None:
    check_strength(certificate)
    extensions = certificate.extensions
    purposes = ext.decode_extended_key_usage(extensions)
    if purposes != frozenset(kind.extended_key_usage) or not purposes:
        raise CertificateError(
            f"extended key usage is {sorted(purposes or ())}, expected {list(kind.extended_key_usage)}"
        )
    if not extensions[ext.EXTENDED_KEY_USAGE].critical:
        raise CertificateError("extended key usage is not critical")
    check_critical(extensions, also=frozenset({ext.EXTENDED_KEY_USAGE}))
    check_key_usage(extensions, {KeyUsageBit.DIGITAL_SIGNATURE})
    if ext.BASIC_CONSTRAINTS in extensions or ext.DOCUMENT_TYPE_LIST in extensions:
        raise CertificateError("basic constraints or a document type list stand beside the purpose")
