"""Admitting a trust bundle: an authority that is trusted already must have certified whoever signed it (SPEC.md, 7.11)."""

from collections.abc import Sequence

from pki.certificates.anchor_scope import AnchorScopes, TrustPurpose
from pki.certificates.authority_certificate import Authority
from pki.certificates.certificate import CertificateList
from pki.certificates.vouched_lists import require_vouched
from pki.errors import PkiDataError, PkiRefusedError
from pki.signed.trust_bundle import TrustBundle

__all__ = ["admit_trust_bundle"]


def admit_trust_bundle(
    found: TrustBundle,
    *,
    authorities: Sequence[Authority],
    lists: Sequence[CertificateList],
    scopes: AnchorScopes | None = None,
) -> None:
    """Find out that an authority, bound to trust bundles where there are scopes, vouches for the signer.

    Raises:
        PkiDataError: ``trust-bundle.untrusted``.
    """
    try:
        require_vouched(
            found.signer,
            at=found.this_update,
            purpose=TrustPurpose.TRUST_BUNDLES,
            authorities=authorities,
            lists=lists,
            scopes=scopes,
        )
    except PkiRefusedError as error:
        raise PkiDataError(
            f"a trust bundle cannot be believed: {error}", code="trust-bundle.untrusted"
        ) from error
