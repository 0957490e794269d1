"""Admitting a stop list: an authority of the trust directory must have certified whoever signed it (SPEC.md, 9.9)."""

from collections.abc import Sequence

from pki.certificates.authority_certificate import Authority
from pki.certificates.certificate import CertificateList
from pki.certificates.profile_checks import is_issued_by
from pki.certificates.revocation_lists import lists_for
from pki.errors import PkiDataError
from pki.signed.stop_list import StopList

__all__ = ["admit_stop_list"]


def admit_stop_list(
    der: bytes, *, authorities: Sequence[Authority], lists: Sequence[CertificateList]
) -> StopList:
    """Read a stop list and find out that an authority vouches for its signer.

    Raises:
        PkiDataError: ``stop-list.malformed``; ``stop-list.untrusted``.
    """
    found = StopList.from_bytes(der)
    signer = found.signer
    for authority in authorities:
        if (
            authority.certificate.subject == signer.certificate.issuer
            and authority.key_identifier == signer.authority_key_identifier
            and authority.is_test == signer.is_test
            and authority.not_before <= found.this_update <= authority.not_after
            and is_issued_by(signer.der, authority.der)
        ):
            for item in lists_for(authority, authorities=authorities, lists=lists):
                if signer.serial_number in item.revoked:
                    raise _untrusted(f"its signer {signer.name} was revoked")
            return found
    raise _untrusted(f"no trusted authority certified its signer {signer.name}")


def _untrusted(reason: str) -> PkiDataError:
    return PkiDataError(f"a stop list cannot be believed: {reason}", code="stop-list.untrusted")
