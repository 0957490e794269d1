"""Which CRLs speak for an authority: its own, and those of the keys that follow its key (Doc 9303-12, 4.2).

After a roll-over the CRL is signed with the new key and covers what the earlier keys signed. A key follows
another one where a link certificate says so: a common name alone is nobody's word.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from pki.certificates import extensions as ext
from pki.certificates.authority_certificate import Authority
from pki.certificates.certificate import (
    CertificateError,
    CertificateList,
    load_certificate,
    load_certificate_list,
)
from pki.certificates.profile_checks import is_issued_by

__all__ = ["is_understood", "lists_for"]

_KNOWN_IN_LISTS = frozenset({ext.CRL_NUMBER, ext.AUTHORITY_KEY_IDENTIFIER})


def lists_for(
    authority: Authority, *, authorities: Iterable[Authority], lists: Iterable[CertificateList]
) -> list[CertificateList]:
    """The CRLs that say which of the authority's signers are revoked."""
    keys = [authority, *_successors(authority, tuple(authorities))]
    return [item for item in lists if any(_is_list_of(item.der, key.der) for key in keys)]


def is_understood(item: CertificateList) -> bool:
    """RFC 5280, 5.2 and 5.3: a list with critical extensions that are not understood proves no absence."""
    return (
        not item.has_critical_entry_extensions
        and ext.unknown_critical(item.extensions, known=_KNOWN_IN_LISTS) is None
    )


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
                and is_issued_by(link.der, earlier.der)
            ):
                found.append(link)
                waiting.append(link)
    return found


@lru_cache(maxsize=1024)
def _is_list_of(crl_der: bytes, authority_der: bytes) -> bool:
    """Whether this authority signed the list, under its own name and key identifier."""
    crl = load_certificate_list(crl_der)
    authority = load_certificate(authority_der)
    try:
        identifier = ext.decode_authority_key_identifier(crl.extensions)
        own = ext.decode_subject_key_identifier(authority.extensions)
    except CertificateError:
        return False
    return (
        crl.issuer == authority.subject
        and identifier is not None
        and identifier == own
        and crl.verify_by(authority.public_key)
    )
