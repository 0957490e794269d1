"""The settings of path validation, what it works on, and what it may cost."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from pki.certificates.anchor_scope import AnchorScope, TrustDemand
from pki.certificates.certificate import Certificate, Reading
from pki.certificates.name_matching import relative_names
from pki.certificates.names import name_text
from pki.certificates.policy_graph import ANY_POLICY
from pki.errors import PkiDataError, PkiRefusedError

__all__ = [
    "DOC_9303_RULES",
    "Path",
    "PathAnchor",
    "PathProfile",
    "PathRules",
    "WorkBudget",
    "described",
    "is_same_name",
    "refused",
]


class PathProfile(Enum):
    """What is demanded of every certificate of a path beyond the algorithm of RFC 5280, 6.1."""

    PATH_ALONE = "path-alone"
    """Nothing: what PKITS tests."""

    RFC_5280 = "rfc-5280"
    """That authorities kept to RFC 5280, 4: what a relying party need not check, and strict ones do."""

    DOC_9303 = "doc-9303"
    """Doc 9303-12: names equal in every byte, key identifiers that fit, no algorithm but our own."""

    @property
    def reading(self) -> Reading:
        """How certificates and lists are read under this profile."""
        return Reading.HOUSE if self is PathProfile.DOC_9303 else Reading.TOLERANT


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRules:
    """The settings; ``max_path_length`` counts the certificates below the anchor, the last one included."""

    max_path_length: int
    profile: PathProfile
    demand: TrustDemand | None = None
    extended_key_usage: str | None = None
    require_revocation: bool = True
    initial_policies: frozenset[str] = frozenset({ANY_POLICY})
    require_explicit_policy: bool = False
    inhibit_policy_mapping: bool = False
    inhibit_any_policy: bool = False
    max_signature_checks: int = 256
    max_steps: int = 20_000


DOC_9303_RULES: Final = PathRules(max_path_length=1, profile=PathProfile.DOC_9303)
"""Doc 9303-12, 4.3: a card's path is one certificate below the country's authority."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathAnchor:
    """A trusted certificate and what it is trusted for; ``scope`` counts where the rules make a demand."""

    certificate: Certificate
    scope: AnchorScope | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """An anchor and the certificates below it, the one that is judged last."""

    anchor: PathAnchor
    certificates: tuple[Certificate, ...]

    def issuer_of(self, index: int) -> Certificate:
        """The certificate above the one at ``index``."""
        return self.anchor.certificate if index == 0 else self.certificates[index - 1]


@dataclass(slots=True)
class WorkBudget:
    """What one judgement may cost; hostile graphs end by it, and not by a clock."""

    max_signature_checks: int
    max_steps: int
    signature_checks: int = field(default=0)
    steps: int = field(default=0)

    @classmethod
    def of(cls, rules: PathRules) -> "WorkBudget":
        """A fresh budget."""
        return cls(rules.max_signature_checks, rules.max_steps)

    def count_signature(self) -> None:
        """One signature is about to be checked.

        Raises:
            PkiRefusedError: ``path.work-exceeded``.
        """
        self.signature_checks += 1
        if self.signature_checks > self.max_signature_checks:
            raise refused(
                "work-exceeded", f"more than {self.max_signature_checks} signatures to check"
            )

    def count_steps(self, count: int = 1) -> None:
        """So many certificates, names or lists are about to be looked at.

        Raises:
            PkiRefusedError: ``path.work-exceeded``.
        """
        self.steps += count
        if self.steps > self.max_steps:
            raise refused("work-exceeded", f"more than {self.max_steps} steps")


def is_same_name(one: bytes, other: bytes, profile: PathProfile) -> bool:
    """Whether two DER names are the same: in every byte under Doc 9303, else as RFC 5280, 7.1 compares them."""
    if one == other:
        return True
    return profile is not PathProfile.DOC_9303 and relative_names(one) == relative_names(other)


def described(certificate: Certificate) -> str:
    """The subject for people; the serial number where the name is empty or cannot be shown."""
    try:
        text = name_text(certificate.subject)
    except PkiDataError:
        text = ""
    return text or f"certificate {certificate.serial_number:x}"


def refused(reason: str, text: str) -> PkiRefusedError:
    """The error of a path that does not hold, with the code ``path.REASON``."""
    return PkiRefusedError(f"the path does not hold: {text}", code=f"path.{reason}")
