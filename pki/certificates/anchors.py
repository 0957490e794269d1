"""Trust anchors: the authorities of a trust directory, admitted as roots or through links (Doc 9303-12, 7.1.1)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from pki.certificates import extensions as ext
from pki.certificates.certificate import (
    Certificate,
    CertificateError,
    CertificateList,
    load_certificate,
    load_certificate_list,
)
from pki.certificates.extensions import KeyUsageBit
from pki.certificates.names import country_of, name_text
from pki.certificates.profile_checks import (
    check_critical,
    check_key_usage,
    is_issued_by,
    is_test_certificate,
    required,
)
from pki.errors import PkiDataError

__all__ = ["Authority", "TrustAnchors"]


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

    @property
    def is_self_signed(self) -> bool:
        """Whether it is a root; a link certificate is signed with an earlier key instead."""
        return self.certificate.issuer == self.certificate.subject and self.certificate.verify_by(
            self.certificate.public_key
        )

    @classmethod
    def from_bytes(cls, der: bytes) -> Self:
        """Read a DER certificate that is a self-signed CSCA as Doc 9303-12, 7.1.1 profiles it.

        Raises:
            PkiDataError: ``trust.authority-invalid``.
        """
        authority = cls.read_unproven(der)
        if not authority.is_self_signed:
            raise _no_authority(f"{authority.name} is not signed with its own key")
        return authority

    @classmethod
    def from_link(cls, der: bytes, authorities: Iterable["Authority"]) -> Self | None:
        """Read a DER link certificate, with which a trusted authority vouches for its next key or name.

        It admits that key as an authority of its own; a card's path stays one certificate long. ``None`` means
        that none of the authorities signed it.

        Raises:
            PkiDataError: ``trust.authority-invalid``: it is no CSCA's certificate, or changes country or test mark.
        """
        link = cls.read_unproven(der)
        identifier = ext.decode_authority_key_identifier(link.certificate.extensions)
        for authority in authorities:
            if (
                authority.certificate.subject == link.certificate.issuer
                and authority.key_identifier == identifier
                and is_issued_by(der, authority.der)
            ):
                if (authority.country, authority.is_test) != (link.country, link.is_test):
                    raise _no_authority(
                        f"link certificate {link.name} changes the country or the test mark"
                    )
                return link
        return None

    @classmethod
    def read_unproven(cls, der: bytes) -> Self:
        """Read the certificate of a CSCA without asking who signed it: trust nothing of it.

        Raises:
            PkiDataError: ``trust.authority-invalid``.
        """
        try:
            certificate = load_certificate(der)
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
            )
        except PkiDataError as error:
            raise _no_authority(str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustAnchors:
    """The authorities that are trusted, and the CRLs at hand; a CRL counts only where its authority signed it."""

    authorities: tuple[Authority, ...]
    revocation_lists: tuple[CertificateList, ...] = ()

    @classmethod
    def from_bytes(cls, *, certificates: Iterable[bytes], crls: Iterable[bytes]) -> Self:
        """Read DER certificates, roots and links in any order, and DER CRLs.

        Raises:
            PkiDataError: ``trust.authority-invalid`` or ``trust.crl-malformed``.
        """
        try:
            lists = tuple(load_certificate_list(der) for der in crls)
        except CertificateError as error:
            raise PkiDataError(
                f"a CRL cannot be read: {error}", code="trust.crl-malformed"
            ) from error
        return cls(
            authorities=_read_authorities(dict.fromkeys(certificates)), revocation_lists=lists
        )


def _read_authorities(certificates: Iterable[bytes]) -> tuple[Authority, ...]:
    """Roots first; then links, each admitted by an authority that was admitted before it."""
    read = [Authority.read_unproven(der) for der in certificates]
    admitted = [authority for authority in read if authority.is_self_signed]
    waiting = [authority for authority in read if not authority.is_self_signed]
    while waiting:
        links = [item for item in waiting if Authority.from_link(item.der, admitted) is not None]
        if not links:
            raise _no_authority(
                f"{waiting[0].name} is neither signed with its own key nor linked to an authority that is"
            )
        admitted += links
        waiting = [item for item in waiting if item not in links]
    return tuple(admitted)


def _check_authority(certificate: Certificate) -> None:
    """Doc 9303-12, 7.1.1: a CSCA, by a root or by a link certificate, signs end entities and CRLs only."""
    constraints = ext.decode_basic_constraints(certificate.extensions)
    if constraints != (True, 0) or not certificate.extensions[ext.BASIC_CONSTRAINTS].critical:
        raise CertificateError(
            "basic constraints are not those of an authority above end entities, or not critical"
        )
    check_key_usage(certificate.extensions, {KeyUsageBit.CERTIFICATE_SIGN, KeyUsageBit.CRL_SIGN})
    check_critical(certificate.extensions)


def _no_authority(reason: str) -> PkiDataError:
    return PkiDataError(
        f"an authority's certificate cannot be trusted: {reason}", code="trust.authority-invalid"
    )
