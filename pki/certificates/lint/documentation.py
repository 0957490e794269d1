"""The rules as data for programs and as the page docs/lint.md."""

from collections.abc import Mapping
from typing import Final

from pki.certificates.lint.findings import (
    AUTHORITIES,
    CARD_VERIFIABLE,
    CERTIFICATES,
    DOCUMENT_PKI,
    EVERYTHING,
    SIGNERS,
    Dialect,
    LintProfile,
    Severity,
)
from pki.certificates.lint.registry import ALL_RULES, AnyRule

__all__ = ["rule_documents", "to_markdown"]

_GROUPS: Final[Mapping[frozenset[LintProfile], str]] = {
    EVERYTHING: "everything",
    EVERYTHING - CARD_VERIFIABLE: "everything but CV certificates",
    CERTIFICATES | {LintProfile.CRL}: "certificates, CRLs",
    CERTIFICATES: "certificates",
    DOCUMENT_PKI | {LintProfile.CRL}: "CSCA, signers, CRLs",
    DOCUMENT_PKI: "CSCA, signers",
    AUTHORITIES: "CSCA",
    SIGNERS: "signers",
    CARD_VERIFIABLE: "CV certificates",
}

_HEAD: Final = """# What the lint looks for

`membercard-pki lint FILE...` judges certificates, CRLs, CSCA master lists and card-verifiable certificates, ours and other
people's, DER or PEM. It does not decide whom to trust: it says where an object departs from Doc 9303-12 (eighth edition),
RFC 5280 and their relatives, with the clause. The authority lints whatever it is about to sign and does not sign what has an
error.

- An **error** breaks a *shall*. A *warning* goes against a recommendation.
- What an object is meant to be is found out from the object, or given with `--profile`: {profiles}.
  A certificate that is none of Doc 9303's is a `certificate`: only what RFC 5280 demands of everybody applies.
- `--dialect icao` (the default) wants the parameters of elliptic curves written out (Doc 9303-12, 4.1.6.3), `--dialect private`
  wants them named. Written-out parameters are accepted only if every value equals that of a standard curve.
- Exit status: 0 no errors, 1 errors, 2 a file that cannot be read or is none of these objects.

Codes are stable: programs may rely on them. This page is generated from the rules (`membercard-pki lint --rules --format
markdown > docs/lint.md`); `--format json` gives the same to programs. Each of the {count} rules has a good and a bad object in
the tests.
"""


def rule_documents() -> list[dict[str, object]]:
    """Every rule: code, clause, what it demands, of which profiles and in which dialects, and how bad a breach is."""
    return [
        {
            "code": rule.code,
            "severity": rule.severity.value,
            "clause": rule.clause,
            "demands": rule.demands,
            "profiles": [profile.value for profile in LintProfile if profile in rule.profiles],
            "dialects": [dialect.value for dialect in Dialect if dialect in rule.dialects],
        }
        for rule in ALL_RULES
    ]


def to_markdown() -> str:
    """The page docs/lint.md: one table for each subject, the second part of the code."""
    profiles = ", ".join(f"`{profile.value}`" for profile in LintProfile)
    subjects: dict[str, list[AnyRule]] = {}
    for rule in ALL_RULES:
        subjects.setdefault(rule.code.split(".")[1], []).append(rule)
    lines = [_HEAD.format(profiles=profiles, count=len(ALL_RULES))]
    for subject, rules in subjects.items():
        lines += [
            f"## `lint.{subject}`",
            "",
            "| rule | demands | of | clause |",
            "|---|---|---|---|",
            *map(_row, rules),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def _row(rule: AnyRule) -> str:
    names = [profile.value for profile in LintProfile if profile in rule.profiles]
    marks = "" if rule.severity is Severity.ERROR else " *(warning)*"
    if len(rule.dialects) == 1:
        marks += f" *(dialect {next(iter(rule.dialects)).value})*"
    of = _GROUPS.get(rule.profiles, ", ".join(names))
    return f"| `{rule.code}`{marks} | {rule.demands} | {of} | {rule.clause} |"
