"""Deciding on an import: which certificates of a verified master list a trust directory gets, for what, and why not others.

Pure: the list's report, the policy, what is in the directory and the time go in, a plan comes out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from pki.certificates.anchor_policy import combine_anchors
from pki.certificates.anchor_scope import AnchorScope
from pki.certificates.authority_certificate import Authority
from pki.certificates.authority_path import fingerprint
from pki.certificates.import_policy import ImportPolicy, ImportRule
from pki.certificates.imported_anchors import ImportedAnchors
from pki.errors import PkiDataError, PkiRefusedError
from pki.services.master_list_reading import ListedCertificate, MasterListReport

__all__ = ["MAX_AUTHORITIES", "DirectoryContents", "ImportPlan", "LeftOut", "plan_import"]

MAX_AUTHORITIES: Final = 256
"""The most files that a terminal reads from ``csca/``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryContents:
    """What a trust directory holds but for the import of this name.

    ``certificates`` are those that people put there, ``imported`` counts those of other imports; ``anchors`` is what
    policy.toml and the other imports bind, ``previous`` what the last import of this name left.
    """

    certificates: tuple[bytes, ...] = field(default=(), repr=False)
    imported: int = 0
    anchors: Mapping[str, AnchorScope] = field(default_factory=dict, repr=False)
    previous: ImportedAnchors | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A certificate that a rule is about and that is not imported, or a fingerprint that the list does not hold."""

    fingerprint: str
    name: str | None
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """The record that will stand, its certificates (roots before links), and what changes by it."""

    record: ImportedAnchors
    certificates: tuple[ListedCertificate, ...]
    left_out: tuple[LeftOut, ...]
    not_named: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    kept: int


def plan_import(
    report: MasterListReport, policy: ImportPolicy, *, present: DirectoryContents
) -> ImportPlan:
    """Decide at the time of the report.

    Raises:
        PkiRefusedError: whatever the signer was not believed for; ``master-list.country``, ``master-list.too-old``,
            ``master-list.older``, ``master-list.too-many``: nothing is imported.
    """
    judgement = report.judgement
    if judgement is None:
        raise PkiRefusedError(
            report.reason or "its signer is not believed",
            code=report.code or "master-list.signer-untrusted",
        )
    _check_list(report, policy, judgement.signer.country, present.previous)
    named = [
        (item, rule)
        for item in report.certificates
        if (rule := policy.rule_for(item.country, item.fingerprint)) is not None
    ]
    left_out = _not_listed(report, policy)
    usable: list[tuple[ListedCertificate, Authority, ImportRule]] = []
    for item, rule in named:
        try:
            usable.append((item, _usable(item, rule, present, at=report.at), rule))
        except PkiDataError as error:
            left_out.append(_left_out(item, error.code, str(error)))
    admitted, orphans = _admit([authority for _, authority, _ in usable])
    left_out += [
        _left_out(
            item,
            "master-list.link-unproven",
            "none of the roots that are imported is at the beginning of its links",
        )
        for item, authority, _ in usable
        if authority in orphans
    ]
    chosen = sorted(
        ((item, rule) for item, authority, rule in usable if authority in admitted),
        key=lambda pair: (bool(pair[0].is_link), pair[0].fingerprint),
    )
    before = {} if present.previous is None else present.previous.anchors
    after = {item.fingerprint: rule.scope for item, rule in chosen}
    # While an import is put into effect, what goes still stands beside what comes.
    total = len(set(before) | set(after)) + len(present.certificates) + present.imported
    if total > MAX_AUTHORITIES:
        raise PkiRefusedError(
            f"there would be {total} authorities in csca/, expected at most {MAX_AUTHORITIES}",
            code="master-list.too-many",
            hint="name fewer countries or certificates in import.toml",
        )
    return ImportPlan(
        record=ImportedAnchors(
            name=policy.name,
            list_fingerprint=report.master_list.fingerprint,
            signing_time=report.master_list.signing_time,
            authority=fingerprint(judgement.authority.der),
            signer=report.signer,
            anchors=after,
        ),
        certificates=tuple(item for item, _ in chosen),
        left_out=tuple(left_out),
        not_named=len(report.certificates) - len(named),
        added=tuple(sorted(set(after) - set(before))),
        removed=tuple(sorted(set(before) - set(after))),
        changed=tuple(
            sorted(name for name in set(before) & set(after) if before[name] != after[name])
        ),
        kept=sum(before.get(name) == scope for name, scope in after.items()),
    )


def _check_list(
    report: MasterListReport,
    policy: ImportPolicy,
    country: str,
    previous: ImportedAnchors | None,
) -> None:
    """The list that was meant, young enough, and never one from before the last."""
    found = report.master_list
    if country != policy.country:
        raise PkiRefusedError(
            f"the list's signer is of {country}, expected {policy.country}",
            code="master-list.country",
        )
    if report.at - found.signing_time > policy.max_age:
        raise PkiRefusedError(
            f"the list was signed at {found.signing_time:%Y-%m-%d %H:%M:%S}Z, expected at most "
            f"{policy.max_age.days} days ago",
            code="master-list.too-old",
        )
    if previous is None or found.signing_time > previous.signing_time:
        return
    # The same list may come again under another policy.
    if found.fingerprint != previous.list_fingerprint:
        raise PkiRefusedError(
            f"the list was signed at {found.signing_time:%Y-%m-%d %H:%M:%S}Z, expected a time after that of "
            f"the last one that was imported, {previous.signing_time:%Y-%m-%d %H:%M:%S}Z",
            code="master-list.older",
        )


def _usable(
    item: ListedCertificate, rule: ImportRule, present: DirectoryContents, *, at: datetime
) -> Authority:
    """What may stand in ``csca/``: a terminal reads it, it is valid, and nobody else has bound it.

    Raises:
        PkiDataError: why it may not.
    """
    if item.code is not None:
        raise PkiDataError(item.reason or "it cannot be read", code=item.code)
    # A terminal reads no other algorithms than those that a card may be signed with.
    authority = Authority.read_unproven(item.der)
    if not authority.not_before <= at <= authority.not_after:
        raise PkiDataError(
            f"it is valid from {authority.not_before:%Y-%m-%d} to {authority.not_after:%Y-%m-%d}",
            code="master-list.not-valid",
        )
    for der in present.certificates:
        other = Authority.read_unproven(der).certificate
        if other.public_key_info == authority.certificate.public_key_info:
            raise PkiDataError(
                "its key is that of an authority which somebody put into csca/: an import never changes that one",
                code="master-list.already-trusted",
            )
    try:
        combine_anchors(present.anchors, [{item.fingerprint: rule.scope}])
    except PkiDataError as error:
        raise PkiDataError(str(error), code="master-list.already-trusted") from error
    return authority


def _admit(read: Sequence[Authority]) -> tuple[list[Authority], list[Authority]]:
    """Roots, and the links that lead to one of them; the others would keep a terminal from starting."""
    admitted = [item for item in read if item.is_self_signed]
    waiting = [item for item in read if not item.is_self_signed]
    while True:
        links = [item for item in waiting if _is_admitted(item, admitted)]
        if not links:
            return admitted, waiting
        admitted += links
        waiting = [item for item in waiting if item not in links]


def _is_admitted(link: Authority, authorities: Sequence[Authority]) -> bool:
    try:
        return Authority.from_link(link.der, authorities) is not None
    except PkiDataError:
        # One that changes the country or the test mark admits nobody.
        return False


def _not_listed(report: MasterListReport, policy: ImportPolicy) -> list[LeftOut]:
    listed = {item.fingerprint for item in report.certificates}
    wanted = {name for rule in policy.rules for name in rule.certificates or ()}
    return [
        LeftOut(
            fingerprint=name,
            name=None,
            code="master-list.not-listed",
            reason="a rule names it, and the list does not hold it",
        )
        for name in sorted(wanted - listed)
    ]


def _left_out(item: ListedCertificate, code: str, reason: str) -> LeftOut:
    return LeftOut(fingerprint=item.fingerprint, name=item.name, code=code, reason=reason)
