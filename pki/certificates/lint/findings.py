"""What a lint finds, and the rules that find it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Generic, TypeVar

from pki.certificates.lint.element import Path

__all__ = [
    "AUTHORITIES",
    "CARD_VERIFIABLE",
    "CERTIFICATES",
    "DOCUMENT_PKI",
    "EVERYTHING",
    "SIGNERS",
    "Dialect",
    "Finding",
    "LintProfile",
    "Rule",
    "RuleTable",
    "Severity",
    "Violation",
]


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """Breaks a *shall*: must not be issued."""

    WARNING = "warning"
    """Goes against a recommendation."""


class LintProfile(StrEnum):
    """What an object is meant to be; rules apply to some of these."""

    CSCA_ROOT = "csca-root"
    CSCA_LINK = "csca-link"
    DOCUMENT_SIGNER = "document-signer"
    MASTER_LIST_SIGNER = "master-list-signer"
    CERTIFICATE = "certificate"
    """Any other X.509 certificate: RFC 5280 and no Doc 9303."""
    CRL = "crl"
    MASTER_LIST = "master-list"
    CVCA = "cvca"
    DOCUMENT_VERIFIER = "document-verifier"
    TERMINAL = "terminal"


class Dialect(StrEnum):
    """Where the house departs from Doc 9303-12 on purpose."""

    ICAO = "icao"
    """Elliptic curves are written out (4.1.6.3)."""

    PRIVATE = "private"
    """Elliptic curves are named (RFC 5480, 2.1.1): shorter, and no parameters to compare."""


AUTHORITIES: Final = frozenset({LintProfile.CSCA_ROOT, LintProfile.CSCA_LINK})
SIGNERS: Final = frozenset({LintProfile.DOCUMENT_SIGNER, LintProfile.MASTER_LIST_SIGNER})
DOCUMENT_PKI: Final = AUTHORITIES | SIGNERS
CERTIFICATES: Final = DOCUMENT_PKI | {LintProfile.CERTIFICATE}
CARD_VERIFIABLE: Final = frozenset(
    {LintProfile.CVCA, LintProfile.DOCUMENT_VERIFIER, LintProfile.TERMINAL}
)
EVERYTHING: Final = frozenset(LintProfile)


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where a rule is broken; ``message`` says what stands there and what was expected."""

    path: Path
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A violation, together with the rule that it breaks."""

    severity: Severity
    rule: str
    clause: str
    path: Path
    message: str


_View = TypeVar("_View", contravariant=True)  # noqa: PLC0105 - `_View` reads better than the suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[_View]):
    """One demand of a standard: a stable dotted code, the clause, what is demanded, and of which profiles."""

    code: str
    clause: str
    demands: str
    profiles: frozenset[LintProfile]
    severity: Severity
    dialects: frozenset[Dialect]
    check: Callable[[_View], Iterable[Violation]] = field(repr=False)

    def applies_to(self, profile: LintProfile, dialect: Dialect) -> bool:
        """Whether objects of the profile are judged by this rule."""
        return profile in self.profiles and dialect in self.dialects

    def findings(self, view: _View, *, prefix: Path = "") -> Iterator[Finding]:
        """Every place of the object where the rule is broken; ``prefix`` is where the object itself stands."""
        for violation in self.check(view):
            yield Finding(
                severity=self.severity,
                rule=self.code,
                clause=self.clause,
                path=".".join(part for part in (prefix, violation.path) if part),
                message=violation.message,
            )


_Checked = TypeVar("_Checked")
_Check = Callable[[_Checked], Iterable[Violation]]


class RuleTable(Generic[_Checked]):
    """The rules of one subject, in the order in which they are declared."""

    def __init__(self, profiles: frozenset[LintProfile]) -> None:
        self._profiles = profiles
        self._rules: list[Rule[_Checked]] = []

    @property
    def rules(self) -> tuple[Rule[_Checked], ...]:
        """All of them."""
        return tuple(self._rules)

    def rule(
        self,
        code: str,
        *,
        clause: str,
        demands: str,
        profiles: frozenset[LintProfile] | None = None,
        severity: Severity = Severity.ERROR,
        dialects: frozenset[Dialect] = frozenset(Dialect),
    ) -> Callable[[_Check[_Checked]], _Check[_Checked]]:
        """Declare the decorated function as the check of a rule."""

        def declare(check: _Check[_Checked]) -> _Check[_Checked]:
            self._rules.append(
                Rule(
                    code=code,
                    clause=clause,
                    demands=demands,
                    profiles=self._profiles if profiles is None else profiles,
                    severity=severity,
                    dialects=dialects,
                    check=check,
                )
            )
            return check

        return declare
