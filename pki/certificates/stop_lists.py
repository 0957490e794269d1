"""Admitting a stop list: an authority of the trust directory must have certified whoever signed it (SPEC.md, 9.9)."""

from collections.abc import Sequence

from pki.certificates.anchor_scope import AnchorScopes, TrustPurpose
from pki.certificates.authority_certificate import Authority
from pki.certificates.certificate import CertificateList
from pki.certificates.vouched_lists import require_vouched
from pki.errors import PkiDataError, PkiRefusedError
from pki.signed.stop_list import StopList

__all__ = ["admit_stop_list"]


def admit_stop_list(
    der: bytes,
    *,
    authorities: Sequence[Authority],
    lists: Sequence[CertificateList],
    scopes: AnchorScopes | None = None,
) -> StopList:
    """Read a stop list and find out that an authority, bound to stop lists where there are scopes, vouches for its signer.

    Raises:
        PkiDataError: ``stop-list.malformed``; ``stop-list.untrusted``.
    """
    found = StopList.from_bytes(der)
    try:
        require_vouched(
            found.signer,
            at=found.this_update,
            purpose=TrustPurpose.STOP_LISTS,
            authorities=authorities,
            lists=lists,
            scopes=scopes,
        )
    except PkiRefusedError as error:
        raise PkiDataError(
            f"a stop list cannot be believed: {error}", code="stop-list.untrusted"
        ) from error
    return found
