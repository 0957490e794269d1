"""Which CRLs speak for an authority: its own, and those of the keys that follow its key (Doc 9303-12, 4.2).

After a roll-over the CRL is signed with the new key and covers what the earlier keys signed. A key follows
another one where a link certificate says so: a common name alone is nobody's word.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from pki.certificates.authority_certificate import Authority
from pki.certificates.certificate import (
    CertificateList,
    Reading,
    load_certificate,
    load_certificate_list,
)
from pki.certificates.path_revocation import is_signed_list
from pki.certificates.path_rules import PathProfile, WorkBudget
from pki.certificates.profile_checks import is_issued_by

__all__ = ["lists_for"]


def lists_for(
    authority: Authority, *, authorities: Iterable[Authority], lists: Iterable[CertificateList]
) -> list[CertificateList]:
    """The CRLs that say which of the authority's signers are revoked."""
    keys = [authority, *_successors(authority, tuple(authorities))]
    return [
        item for item in lists if any(_is_list_of(item.der, key.der, key.reading) for key in keys)
    ]


def _successors(authority: Authority, authorities: Sequence[Authority]) -> list[Authority]:
    """The links by which an authority, and whoever it linked to, handed its name on."""
    found: list[Authority] = []
    waiting = [authority]
    while waiting:
        earlier = waiting.pop()
        for link in authorities:
            if (
                link not in found
                and link.certificate.issuer == earlier.certificate.subject
                and link.certificate.subject == earlier.certificate.subject
                and link.key_identifier != earlier.key_identifier
                and is_issued_by(link.der, earlier.der, link.reading)
            ):
                found.append(link)
                waiting.append(link)
    return found


@lru_cache(maxsize=1024)
def _is_list_of(crl_der: bytes, authority_der: bytes, reading: Reading) -> bool:
    """Whether this authority signed the list, under its own name and key identifier; one signature at the most."""
    return is_signed_list(
        load_certificate_list(crl_der, reading),
        load_certificate(authority_der, reading),
        profile=PathProfile.DOC_9303,
        budget=WorkBudget(max_signature_checks=1, max_steps=1),
    )
