"""Which authority issued a certificate: the path of one certificate, by the general validator under Doc 9303's profile."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from pki.certificates.anchor_scope import AnchorScope, AnchorScopes, TrustDemand
from pki.certificates.authority_certificate import Authority
from pki.certificates.certificate import Certificate, load_certificate
from pki.certificates.path import DOC_9303_RULES, PathAnchor, PathRules, PathValidator
from pki.certificates.profile_checks import is_issued_by

__all__ = ["find_issuer", "fingerprint", "issuing_anchor", "scope_of"]


def fingerprint(der: bytes) -> str:
    """The SHA-256 digest of a certificate, in hex: how a policy names it."""
    return hashlib.sha256(der).hexdigest()


def find_issuer(
    certificate: Certificate,
    authorities: Sequence[Authority],
    *,
    demand: TrustDemand | None,
    scopes: AnchorScopes,
) -> Authority:
    """The authority among these that issued the certificate and, where something is demanded, is bound to it.

    Raises:
        PkiRefusedError: ``path.*``.
        PkiDataError: ``certificate.malformed``.
    """
    # Only authorities of the issuer's name can matter: the others' scopes need not be worked out.
    named = [item for item in authorities if item.certificate.subject == certificate.issuer]
    bound = tuple(
        (item.der, None if demand is None else scope_of(item, authorities, scopes))
        for item in named
    )
    anchor = issuing_anchor(certificate.der, bound, demand)
    return next(item for item in named if item.der == anchor)


def scope_of(
    authority: Authority, authorities: Sequence[Authority], scopes: AnchorScopes
) -> AnchorScope:
    """What an authority is bound to: what the policy says of its certificate, else of the authority that vouched for its key.

    A roll-over does not change what is trusted: the next key's root and link have the scope of the key that linked to it.
    """
    if not scopes.named:
        return scopes.otherwise
    seen: list[Authority] = []
    waiting = [authority]
    while waiting:
        item = waiting.pop(0)
        seen.append(item)
        named = scopes.named.get(fingerprint(item.der))
        if named is not None:
            return named
        waiting += [
            other
            for other in authorities
            if other not in seen
            and other not in waiting
            and (_is_same_key(item, other) or _is_linked_by(item, other))
        ]
    return scopes.otherwise


def _is_same_key(one: Authority, other: Authority) -> bool:
    return (
        one.certificate.subject == other.certificate.subject
        and one.certificate.public_key_info == other.certificate.public_key_info
    )


def _is_linked_by(link: Authority, earlier: Authority) -> bool:
    return (
        not link.is_self_signed
        and link.certificate.issuer == earlier.certificate.subject
        and is_issued_by(link.der, earlier.der, link.reading)
    )


@lru_cache(maxsize=256)
def issuing_anchor(
    der: bytes, bound: tuple[tuple[bytes, AnchorScope | None], ...], demand: TrustDemand | None
) -> bytes:
    """The certificate of the anchor among ``bound`` that issued the one in ``der``; cached by everything that it depends on.

    Raises:
        PkiRefusedError: ``path.*``.
        PkiDataError: ``certificate.malformed``.
    """
    rules = PathRules(
        max_path_length=DOC_9303_RULES.max_path_length,
        profile=DOC_9303_RULES.profile,
        demand=demand,
    )
    validator = PathValidator(
        anchors=[
            PathAnchor(certificate=load_certificate(anchor), scope=scope) for anchor, scope in bound
        ],
        rules=rules,
    )
    return validator.build(load_certificate(der)).anchor.certificate.der
