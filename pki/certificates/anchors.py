"""Trust anchors: the authorities of a trust directory, and what they and their stop-list signers say of signers."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from pki.certificates.anchor_scope import AnchorScopes, TrustDemand
from pki.certificates.authority_certificate import Authority, no_authority
from pki.certificates.certificate import (
    CertificateError,
    CertificateList,
    Reading,
    load_certificate_list,
)
from pki.certificates.status_lists import admit_status_list
from pki.certificates.stop_lists import admit_stop_list
from pki.certificates.trust_bundles import admit_trust_bundle
from pki.errors import PkiDataError
from pki.signed.status_list import StatusList
from pki.signed.stop_list import StopList
from pki.signed.trust_bundle import TrustBundle

__all__ = ["Authority", "TrustAnchors", "read_authorities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustAnchors:
    """The authorities that are trusted, the CRLs at hand, and the stop and status lists, each of which an authority vouches for.

    A CRL counts only where its authority signed it.
    """

    authorities: tuple[Authority, ...]
    revocation_lists: tuple[CertificateList, ...] = ()
    stop_lists: tuple[StopList, ...] = ()
    status_lists: tuple[StatusList, ...] = ()
    cleared: dict[tuple[bytes, bytes], tuple[datetime, datetime]] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )
    """Signers (DER, with the DER of their authority) that these lists do not name, and from when until when that holds.

    A cache: other lists are other anchors, and begin without it.
    """
    issuers: dict[tuple[bytes, TrustDemand | None], tuple[AnchorScopes, Authority]] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )
    """Which of these authorities issued a signer (DER) and is bound to what was demanded of it, under which scopes. A cache, too."""

    @classmethod
    def from_bytes(
        cls,
        *,
        certificates: Iterable[bytes],
        crls: Iterable[bytes],
        stop_lists: Iterable[bytes] = (),
    ) -> Self:
        """Read DER certificates, roots and links in any order, DER CRLs, and stop lists.

        Raises:
            PkiDataError: ``trust.authority-invalid``, ``trust.crl-malformed``, ``stop-list.malformed`` or
                ``stop-list.untrusted``: nothing is judged without a list that was meant to stop something.
        """
        try:
            lists = tuple(load_certificate_list(der) for der in crls)
        except CertificateError as error:
            raise PkiDataError(
                f"a CRL cannot be read: {error}", code="trust.crl-malformed"
            ) from error
        anchors = cls(
            authorities=read_authorities(dict.fromkeys(certificates)), revocation_lists=lists
        )
        admitted = tuple(anchors.admit_stop_list(der) for der in stop_lists)
        return replace(anchors, stop_lists=admitted)

    def admit_stop_list(self, der: bytes, *, scopes: AnchorScopes | None = None) -> StopList:
        """Read a stop list whose signer one of these authorities, bound to stop lists where there are scopes, has certified.

        Raises:
            PkiDataError: ``stop-list.malformed``, ``stop-list.untrusted``.
        """
        return admit_stop_list(
            der, authorities=self.authorities, lists=self.revocation_lists, scopes=scopes
        )

    def admit_status_list(self, der: bytes, *, scopes: AnchorScopes | None = None) -> StatusList:
        """Read a status list whose signer one of these authorities, bound to status lists where there are scopes, has certified.

        Raises:
            PkiDataError: ``status-list.malformed``, ``status-list.untrusted``.
        """
        return admit_status_list(
            der, authorities=self.authorities, lists=self.revocation_lists, scopes=scopes
        )

    def admit_trust_bundle(
        self, bundle: TrustBundle, *, scopes: AnchorScopes | None = None
    ) -> None:
        """Find out that one of these authorities, bound to trust bundles where there are scopes, certified its signer.

        Raises:
            PkiDataError: ``trust-bundle.untrusted``.
        """
        admit_trust_bundle(
            bundle, authorities=self.authorities, lists=self.revocation_lists, scopes=scopes
        )


def read_authorities(
    certificates: Iterable[bytes], reading: Reading = Reading.HOUSE
) -> tuple[Authority, ...]:
    """DER certificates in any order. Roots first; then links, each admitted by an authority that was admitted before it.

    Raises:
        PkiDataError: ``trust.authority-invalid``; ``certificate.algorithm-not-allowed``, for a tolerant reading.
    """
    read = [Authority.read_unproven(der, reading) for der in certificates]
    admitted = [authority for authority in read if authority.is_self_signed]
    waiting = [authority for authority in read if not authority.is_self_signed]
    while waiting:
        links = [
            item for item in waiting if Authority.from_link(item.der, admitted, reading) is not None
        ]
        if not links:
            raise no_authority(
                f"{waiting[0].name} is neither signed with its own key nor linked to an authority that is"
            )
        admitted += links
        waiting = [item for item in waiting if item not in links]
    return tuple(admitted)
