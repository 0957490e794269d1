"""The certificate of a country signing certificate authority: a root, or a link to its next key (Doc 9303-12, 7.1.1)."""

from collections.abc import Iterable
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
from pki.certificates.profile_checks import (
    check_critical,
    check_key_usage,
    check_strength,
    is_issued_by,
    is_test_certificate,
    required,
)
from pki.errors import PkiDataError

__all__ = ["Authority", "no_authority"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A country signing certificate authority that is trusted because it stands in the trust directory."""

    der: bytes = field(repr=False)
    country: str
    is_test: bool
    name: str
    key_identifier: bytes = field(repr=False)
    not_before: datetime
    not_after: datetime
    certificate: Certificate = field(repr=False, compare=False)
    reading: Reading = field(default=Reading.HOUSE, compare=False)

    @property
    def is_self_signed(self) -> bool:
        """Whether it is a root; a link certificate is signed with an earlier key instead."""
        return self.certificate.issuer == self.certificate.subject and self.certificate.verify_by(
            self.certificate.public_key
        )

    @property
    def issuing_key_identifier(self) -> bytes | None:
        """Which key signed it, if it says so.

        Raises:
            CertificateError: ``certificate.malformed``.
        """
        return ext.decode_authority_key_identifier(self.certificate.extensions)

    @classmethod
    def from_bytes(cls, der: bytes) -> Self:
        """Read a DER certificate that is a self-signed CSCA as Doc 9303-12, 7.1.1 profiles it.

        Raises:
            PkiDataError: ``trust.authority-invalid``.
        """
        authority = cls.read_unproven(der)
        if not authority.is_self_signed:
            raise no_authority(f"{authority.name} is not signed with its own key")
        return authority

    @classmethod
    def from_link(
        cls, der: bytes, authorities: Iterable["Authority"], reading: Reading = Reading.HOUSE
    ) -> Self | None:
        """Read a DER link certificate, with which a trusted authority vouches for its next key or name.

        It admits that key as an authority of its own; a card's path stays one certificate long. ``None`` means
        that none of the authorities signed it.

        Raises:
            PkiDataError: ``trust.authority-invalid``: it is no CSCA's certificate, or changes country or test mark.
        """
        link = cls.read_unproven(der, reading)
        identifier = ext.decode_authority_key_identifier(link.certificate.extensions)
        for authority in authorities:
            if (
                authority.certificate.subject == link.certificate.issuer
                and authority.key_identifier == identifier
                and is_issued_by(der, authority.der, reading)
            ):
                if (authority.country, authority.is_test) != (link.country, link.is_test):
                    raise no_authority(
                        f"link certificate {link.name} changes the country or the test mark"
                    )
                return link
        return None

    @classmethod
    def read_unproven(cls, der: bytes, reading: Reading = Reading.HOUSE) -> Self:
        """Read the certificate of a CSCA without asking who signed it: trust nothing of it.

        Only what the house reads stands above a card; a tolerant reading is for those who vouch for lists.

        Raises:
            PkiDataError: ``trust.authority-invalid``.
        """
        try:
            certificate = load_certificate(der, reading)
            _check_authority(certificate)
            return cls(
                der=der,
                country=country_of(certificate.subject),
                is_test=is_test_certificate(certificate),
                name=name_text(certificate.subject),
                key_identifier=required(
                    ext.decode_subject_key_identifier(certificate.extensions),
                    "subject key identifier",
                ),
                not_before=certificate.not_before,
                not_after=certificate.not_after,
                certificate=certificate,
                reading=reading,
            )
        except PkiDataError as error:
            raise no_authority(str(error)) from error


def _check_authority(certificate: Certificate) -> None:
    """Doc 9303-12, 7.1.1: a CSCA, by a root or by a link certificate, signs end entities and CRLs only."""
    check_strength(certificate)
    constraints = ext.decode_basic_constraints(certificate.extensions)
    if constraints != (True, 0) or not certificate.extensions[ext.BASIC_CONSTRAINTS].critical:
        raise CertificateError(
            "basic constraints are not those of an authority above end entities, or not critical"
        )
    check_key_usage(certificate.extensions, {KeyUsageBit.CERTIFICATE_SIGN, KeyUsageBit.CRL_SIGN})
    if ext.EXTENDED_KEY_USAGE in certificate.extensions:
        # The root of services and operators carries one: below it no card is signed.
        raise CertificateError("the authority has an extended key usage, expected none")
    check_critical(certificate.extensions)


def no_authority(reason: str) -> PkiDataError:
    """The error of a certificate that cannot be trusted as an authority's."""
    return PkiDataError(
        f"an authority's certificate cannot be trusted: {reason}", code="trust.authority-invalid"
    )
