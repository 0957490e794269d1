"""Admitting a stop list: an authority of the trust directory must have certified whoever signed it (SPEC.md, 9.9)."""

from collections.abc import Sequence

from pki.certificates.anchor_scope import AnchorScopes, TrustDemand, TrustPurpose
from pki.certificates.authority_certificate import Authority
from pki.certificates.authority_path import find_issuer
from pki.certificates.certificate import CertificateList
from pki.certificates.path import check_certificate_time
from pki.certificates.revocation_lists import lists_for
from pki.errors import PkiDataError, PkiError
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
    signer = found.signer
    try:
        authority = find_issuer(
            signer.certificate,
            authorities,
            demand=None if scopes is None else TrustDemand(purpose=TrustPurpose.STOP_LISTS),
            scopes=AnchorScopes() if scopes is None else scopes,
        )
        check_certificate_time(authority.certificate, at=found.this_update)
    except PkiError as error:
        raise _untrusted(
            f"no trusted authority certified its signer {signer.name}: {error}"
        ) from error
    if authority.is_test != signer.is_test:
        raise _untrusted(f"the test marks of its signer {signer.name} and of its authority differ")
    for item in lists_for(authority, authorities=authorities, lists=lists):
        if signer.serial_number in item.revoked:
            raise _untrusted(f"its signer {signer.name} was revoked")
    return found


def _untrusted(reason: str) -> PkiDataError:
    return PkiDataError(f"a stop list cannot be believed: {reason}", code="stop-list.untrusted")
