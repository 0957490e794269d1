"""The rules of `pki.certificates.lint` as the linter of the issuance cycle: what breaks a *shall* is never signed."""

from collections.abc import Sequence
from typing import Final

from pki.certificates.lint.findings import Dialect, Finding, LintProfile, Severity
from pki.certificates.lint.linter import lint
from pki.certificates.profile import ProfileKind
from pki.services.issuance import Draft, DraftKind, StrictProfileLinter

__all__ = ["RuleLinter"]

_PROFILES: Final = {
    DraftKind.AUTHORITY: LintProfile.CSCA_ROOT,
    DraftKind.LINK: LintProfile.CSCA_LINK,
    DraftKind.CRL: LintProfile.CRL,
    DraftKind.MASTER_LIST: LintProfile.MASTER_LIST,
}
"""Drafts that Doc 9303-12 has a profile for, but for signers, whose kinds differ."""

_SIGNER_PROFILES: Final = {
    ProfileKind.DOCUMENT_SIGNER: LintProfile.DOCUMENT_SIGNER,
    ProfileKind.MASTER_LIST_SIGNER: LintProfile.MASTER_LIST_SIGNER,
}

_ONLY_SIGNED_BY_THE_REAL_KEY: Final = {
    DraftKind.AUTHORITY: "lint.csca-root.self-signature",
    DraftKind.MASTER_LIST: "lint.master-list.signature",
}
"""A draft is signed with a throw-away key, so these rules can only be kept by what is issued."""


class RuleLinter:
    """The strict checks of our own readers, and then the published rules where they have a profile."""

    def __init__(self) -> None:
        self._strict = StrictProfileLinter()

    def findings(self, draft: Draft) -> Sequence[str]:
        """See ``Linter``."""
        strict = self._strict.findings(draft)
        profile = _profile_of(draft)
        if strict or profile is None:
            return strict
        dialect = Dialect.ICAO if draft.variant is None else Dialect(draft.variant.value)
        kept_later = _ONLY_SIGNED_BY_THE_REAL_KEY.get(draft.kind)
        return [
            f"{item.message} [{item.rule}]"
            for item in _errors(draft.der, profile, dialect)
            if item.rule != kept_later
        ]


def _profile_of(draft: Draft) -> LintProfile | None:
    if draft.kind is DraftKind.SIGNER:
        return None if draft.profile is None else _SIGNER_PROFILES.get(draft.profile)
    return _PROFILES.get(draft.kind)


def _errors(der: bytes, profile: LintProfile, dialect: Dialect) -> list[Finding]:
    return [
        item
        for item in lint(der, profile=profile, dialect=dialect).findings
        if item.severity is Severity.ERROR
    ]
