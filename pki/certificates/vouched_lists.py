"""Who may sign lists: an authority of the trust directory must have certified the signer for it (SPEC.md, 9.20 and 9.27)."""

from collections.abc import Sequence
from datetime import datetime

from pki.certificates.anchor_scope import AnchorScopes, TrustDemand, TrustPurpose
from pki.certificates.authority_certificate import Authority
from pki.certificates.authority_path import find_issuer
from pki.certificates.certificate import CertificateList
from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.path import check_certificate_time
from pki.certificates.revocation_lists import lists_for
from pki.errors import PkiError, PkiRefusedError

__all__ = ["require_vouched"]


def require_vouched(
    signer: ListSignerCertificate,
    *,
    at: datetime,
    purpose: TrustPurpose,
    authorities: Sequence[Authority],
    lists: Sequence[CertificateList],
    scopes: AnchorScopes | None,
) -> None:
    """An authority, bound to the purpose where there are scopes, certified the signer, and no CRL revokes it.

    Raises:
        PkiRefusedError: ``signer.untrusted``; ``at`` is when the list was made.
    """
    try:
        authority = find_issuer(
            signer.certificate,
            authorities,
            demand=None if scopes is None else TrustDemand(purpose=purpose),
            scopes=AnchorScopes() if scopes is None else scopes,
        )
        check_certificate_time(authority.certificate, at=at)
    except PkiError as error:
        raise _untrusted(
            f"no trusted authority certified its signer {signer.name}: {error}"
        ) from error
    if authority.is_test != signer.is_test:
        raise _untrusted(f"the test marks of its signer {signer.name} and of its authority differ")
    for item in lists_for(authority, authorities=authorities, lists=lists):
        if signer.serial_number in item.revoked:
            raise _untrusted(f"its signer {signer.name} was revoked")


def _untrusted(reason: str) -> PkiRefusedError:
    return PkiRefusedError(reason, code="signer.untrusted")
