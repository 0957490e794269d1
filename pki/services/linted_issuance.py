"""Linting what is about to be signed: nothing with an error gets as far as the authority's key.

The prepared content is signed with a key that the whole world has, the result is linted, and after the real
signature what was signed is compared with what was linted.
"""

from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout import tlv
from pki.certificates.lint.findings import Dialect, Finding, LintProfile, Severity
from pki.certificates.lint.linter import lint
from pki.errors import PkiRefusedError
from pki.keys.algorithms import SignatureAlgorithm
from pki.keys.signer import Signer
from pki.keys.software import SoftwareSigner

__all__ = ["LintedContent", "Prepared", "lint_prepared"]

_CURVES: Final[dict[SignatureAlgorithm, ec.EllipticCurve]] = {
    SignatureAlgorithm.ECDSA_SHA256: ec.SECP256R1(),
    SignatureAlgorithm.ECDSA_SHA384: ec.SECP384R1(),
    SignatureAlgorithm.ECDSA_SHA512: ec.SECP521R1(),
}

_THROW_AWAY_SCALAR: Final = 2
"""The private key that everybody knows: what is signed with it can never be taken for something issued."""

_SELF_SIGNATURE: Final = "lint.csca-root.self-signature"
"""Only the real key can satisfy this rule: it is applied to what was signed."""


class Prepared(Protocol):
    """A certificate or CRL that lacks nothing but its signature."""

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """What it will be signed with."""

    @property
    def to_be_signed(self) -> bytes:
        """What will be signed."""

    def sign(self, signer: Signer) -> bytes:
        """The finished DER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintedContent:
    """Content that passed the lint; ``warnings`` are recommendations that it does not follow."""

    to_be_signed: bytes = field(repr=False)
    profile: LintProfile
    dialect: Dialect
    warnings: tuple[Finding, ...]

    def check_signed(self, signed: bytes) -> None:
        """Whether exactly this was signed, and the finished object passes the lint as well.

        Raises:
            PkiRefusedError: ``issuance.content-changed``, ``issuance.lint-failed``: it must not get out.
        """
        try:
            content = tlv.parse(signed, expected_tag=0x30).children()[0].to_bytes()
        except (tlv.TlvError, IndexError) as error:
            raise _changed() from error
        if content != self.to_be_signed:
            raise _changed()
        _refuse_errors(
            lint(signed, profile=self.profile, dialect=self.dialect).findings, self.profile
        )


def lint_prepared(
    prepared: Prepared, *, profile: LintProfile, dialect: Dialect = Dialect.PRIVATE
) -> LintedContent:
    """Lint prepared content before it is recorded and signed; ``dialect`` says how its curve is to be given.

    Raises:
        PkiRefusedError: ``issuance.lint-failed``: it breaks a *shall*; the text names the rule.
    """
    key = ec.derive_private_key(_THROW_AWAY_SCALAR, _CURVES[prepared.algorithm])
    rehearsed = prepared.sign(SoftwareSigner(key))
    findings = tuple(
        item
        for item in lint(rehearsed, profile=profile, dialect=dialect).findings
        if item.rule != _SELF_SIGNATURE
    )
    _refuse_errors(findings, profile)
    return LintedContent(
        to_be_signed=prepared.to_be_signed, profile=profile, dialect=dialect, warnings=findings
    )


def _refuse_errors(findings: tuple[Finding, ...], profile: LintProfile) -> None:
    errors = [item for item in findings if item.severity is Severity.ERROR]
    if errors:
        first = errors[0]
        raise PkiRefusedError(
            f"the {profile.value} breaks {len(errors)} rules, the first {first.rule} "
            f"({first.clause}) at {first.path or 'its beginning'}: {first.message}",
            code="issuance.lint-failed",
            hint="docs/lint.md explains the rules; nothing is issued",
        )


def _changed() -> PkiRefusedError:
    return PkiRefusedError(
        "what was signed is not what was linted", code="issuance.content-changed"
    )
