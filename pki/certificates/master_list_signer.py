"""Who signed a master list, and whether a trusted authority vouches for that (Doc 9303-12, 5.3, 7.1.1 and 9)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from pki.certificates.anchor_scope import AnchorScope, AnchorScopes, TrustDemand, TrustPurpose
from pki.certificates.anchors import read_authorities
from pki.certificates.authority_certificate import Authority
from pki.certificates.authority_path import fingerprint, scope_of
from pki.certificates.certificate import (
    Certificate,
    CertificateList,
    Reading,
    load_certificate_list,
)
from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.path import PathAnchor, PathProfile, PathRules, PathValidator
from pki.certificates.path_judgement import check_certificate_time
from pki.certificates.path_revocation import check_status
from pki.certificates.profile import ProfileKind
from pki.certificates.revocation_lists import lists_for
from pki.errors import PkiDataError, PkiError, PkiRefusedError

__all__ = ["ListAuthorities", "ListSignerJudgement", "judge_list_signer"]

_FOR_LISTS: Final = AnchorScope(purposes=frozenset({TrustPurpose.MASTER_LISTS}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAuthorities:
    """The authorities at hand, what each is bound to, and the CRLs at hand.

    Other states' authorities are read tolerantly: they stand above a list here, and above no card.
    """

    authorities: tuple[Authority, ...]
    scopes: AnchorScopes
    lists: tuple[CertificateList, ...] = field(default=(), repr=False)

    @classmethod
    def from_bytes(
        cls,
        *,
        bound: Iterable[bytes] = (),
        anchors: Mapping[str, AnchorScope] | None = None,
        given: Iterable[bytes] = (),
        crls: Iterable[bytes] = (),
    ) -> Self:
        """Read DER certificates, roots and links in any order, and DER CRLs.

        Args:
            bound: those of a trust directory.
            anchors: what its policy binds them to; one that binds none binds none to master lists.
            given: those that somebody names for this one list.
            crls: anybody's; one counts only where an authority signed it.

        Raises:
            PkiDataError: ``trust.authority-invalid``, ``trust.crl-malformed``.
        """
        named = tuple(dict.fromkeys(given))
        try:
            authorities = read_authorities(dict.fromkeys((*named, *bound)), Reading.TOLERANT)
        except PkiDataError as error:
            raise PkiDataError(str(error), code="trust.authority-invalid") from error
        try:
            lists = tuple(load_certificate_list(der, Reading.TOLERANT) for der in crls)
        except PkiDataError as error:
            raise PkiDataError(
                f"a CRL cannot be read: {error}", code="trust.crl-malformed"
            ) from error
        scopes = {**(anchors or {}), **{fingerprint(der): _FOR_LISTS for der in named}}
        return cls(authorities=authorities, scopes=AnchorScopes(named=scopes), lists=lists)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSignerJudgement:
    """A signer that may be believed; ``has_current_crl`` tells whether a current CRL says that it is not revoked."""

    signer: ListSignerCertificate
    authority: Authority
    has_current_crl: bool


def judge_list_signer(
    certificate: bytes,
    *,
    trusted: ListAuthorities,
    signing_time: datetime,
    at: datetime,
    requires_crl: bool,
) -> ListSignerJudgement:
    """Profile, path of one certificate to an authority bound to master lists, validity then and now, revocation.

    Raises:
        PkiDataError: ``master-list.signer-profile``.
        PkiRefusedError: ``master-list.signing-time``: it was signed after ``at``, or not while the key signs;
            ``master-list.signer-untrusted``, ``master-list.signer-expired``, ``master-list.signer-revoked``,
            ``master-list.revocation-unknown``.
    """
    try:
        signer = ListSignerCertificate.from_bytes(
            certificate, kind=ProfileKind.MASTER_LIST_SIGNER, reading=Reading.TOLERANT
        )
    except PkiDataError as error:
        raise PkiDataError(str(error), code="master-list.signer-profile") from error
    authority = _authority_of(signer, trusted)
    _check_times(signer, authority, signing_time=signing_time, at=at)
    return ListSignerJudgement(
        signer=signer,
        authority=authority,
        has_current_crl=_check_revocation(
            signer, authority, trusted, at=at, requires_crl=requires_crl
        ),
    )


def _authority_of(signer: ListSignerCertificate, trusted: ListAuthorities) -> Authority:
    """By name, key identifier, signature and binding; Doc 9303-12, 7.1.1: one country."""
    named = [
        item
        for item in trusted.authorities
        if item.certificate.subject == signer.certificate.issuer
        and item.key_identifier == signer.authority_key_identifier
    ]
    anchors = [
        PathAnchor(
            certificate=item.certificate, scope=scope_of(item, trusted.authorities, trusted.scopes)
        )
        for item in named
    ]
    rules = PathRules(
        max_path_length=1,
        profile=PathProfile.RFC_5280,
        demand=TrustDemand(purpose=TrustPurpose.MASTER_LISTS),
        extended_key_usage=ProfileKind.MASTER_LIST_SIGNER.extended_key_usage[0],
    )
    try:
        path = PathValidator(anchors=anchors, rules=rules).build(signer.certificate)
    except PkiError as error:
        raise PkiRefusedError(
            f"no authority that is trusted for master lists certified {signer.name}: {error}",
            code="master-list.signer-untrusted",
        ) from error
    found = next(item for item in named if item.certificate is path.anchor.certificate)
    if (found.country, found.is_test) != (signer.country, signer.is_test):
        raise PkiRefusedError(
            f"country or test mark of {signer.name} and of its authority differ",
            code="master-list.signer-untrusted",
        )
    return found


def _check_times(
    signer: ListSignerCertificate, authority: Authority, *, signing_time: datetime, at: datetime
) -> None:
    start = max(signer.not_before, signer.key_use_not_before)
    end = min(signer.not_after, signer.key_use_not_after)
    if not start <= signing_time <= min(end, at):
        raise PkiRefusedError(
            f"the list was signed at {signing_time:%Y-%m-%d %H:%M:%S}Z, expected a time from "
            f"{start:%Y-%m-%d %H:%M:%S}Z, when its signer's key may sign, to {min(end, at):%Y-%m-%d %H:%M:%S}Z",
            code="master-list.signing-time",
        )
    for moment, certificates in (
        (signing_time, (authority.certificate,)),
        (at, (signer.certificate, authority.certificate)),
    ):
        for certificate in certificates:
            _check_valid(certificate, at=moment)


def _check_valid(certificate: Certificate, *, at: datetime) -> None:
    try:
        check_certificate_time(certificate, at=at)
    except PkiRefusedError as error:
        raise PkiRefusedError(str(error), code="master-list.signer-expired") from error


def _check_revocation(
    signer: ListSignerCertificate,
    authority: Authority,
    trusted: ListAuthorities,
    *,
    at: datetime,
    requires_crl: bool,
) -> bool:
    """Whatever any CRL of the authority names is revoked, however old the list; where one is required, it is current."""
    lists = lists_for(authority, authorities=trusted.authorities, lists=trusted.lists)
    try:
        check_status(signer.certificate, lists, now=at, profile=PathProfile.RFC_5280)
    except PkiRefusedError as error:
        is_unknown = error.code == "path.revocation-unknown"
        if is_unknown and not requires_crl:
            return False
        raise PkiRefusedError(
            str(error),
            code=f"master-list.{'revocation-unknown' if is_unknown else 'signer-revoked'}",
        ) from error
    return True
