"""Admitting a status list: an authority of the trust directory must have certified whoever signed it (SPEC.md, 9.27)."""

from collections.abc import Sequence

from pki.certificates.anchor_scope import AnchorScopes, TrustPurpose
from pki.certificates.authority_certificate import Authority
from pki.certificates.certificate import CertificateList
from pki.certificates.vouched_lists import require_vouched
from pki.errors import PkiDataError, PkiRefusedError
from pki.signed.status_list import StatusList

__all__ = ["admit_status_list"]


def admit_status_list(
    der: bytes,
    *,
    authorities: Sequence[Authority],
    lists: Sequence[CertificateList],
    scopes: AnchorScopes | None = None,
) -> StatusList:
    """Read a status list and find out that an authority, bound to status lists where there are scopes, vouches for its signer.

    Raises:
        PkiDataError: ``status-list.malformed``; ``status-list.untrusted``.
    """
    found = StatusList.from_bytes(der)
    try:
        require_vouched(
            found.signer,
            at=found.this_update,
            purpose=TrustPurpose.STATUS_LISTS,
            authorities=authorities,
            lists=lists,
            scopes=scopes,
        )
    except PkiRefusedError as error:
        raise PkiDataError(
            f"a status list cannot be believed: {error}", code="status-list.untrusted"
        ) from error
    return found
