"""Why a certificate's path holds or does not, step by step, for people: ``membercard-pki certificate verify``.

A document signer is judged as a terminal judges it (SPEC.md, 9.6 to 9.9), except for what only a card can tell: its
document code and its state. Anything else is judged by the same validator with its settings off.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pki.certificates import trust
from pki.certificates.anchors import TrustAnchors
from pki.certificates.certificate import load_certificate
from pki.certificates.path import DOC_9303_RULES, PathProfile, PathRules, PathStep, PathValidator
from pki.certificates.path_rules import described
from pki.certificates.revocation_lists import lists_for
from pki.errors import PkiError

__all__ = ["PathExplanation", "TrustBytes", "explain_path"]

_MAX_PATH_LENGTH: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustBytes:
    """The DER files of a trust directory."""

    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...] = ()
    stop_lists: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PathExplanation:
    """What was looked at, and the code of what does not hold; ``code`` None where the path holds."""

    subject: str
    steps: tuple[PathStep, ...]
    code: str | None
    path: tuple[str, ...] = ()


def explain_path(
    der: bytes,
    *,
    trusted: TrustBytes,
    profile: PathProfile,
    at: datetime,
    intermediates: Sequence[bytes] = (),
) -> PathExplanation:
    """Judge a DER certificate at a time and tell every step.

    Raises:
        PkiDataError: something of the trust directory, or an intermediate certificate, cannot be read.
    """
    if profile is PathProfile.DOC_9303:
        anchors = TrustAnchors.from_bytes(
            certificates=trusted.certificates, crls=trusted.crls, stop_lists=trusted.stop_lists
        )
        return _explain_signer(der, anchors, at=at)
    rules = PathRules(max_path_length=_MAX_PATH_LENGTH, profile=profile)
    validator = PathValidator.from_bytes(
        anchors=[(certificate, None) for certificate in trusted.certificates],
        rules=rules,
        intermediates=intermediates,
        lists=trusted.crls,
    )
    steps: list[PathStep] = []
    try:
        certificate = load_certificate(der, profile.reading)
    except PkiError as error:
        return _unread(error)
    subject = described(certificate)
    try:
        valid = validator.validate(certificate, at=at, trace=steps)
    except PkiError as error:
        steps.append(
            PathStep(subject=subject, check="verdict", sentence=str(error), code=error.code)
        )
        return PathExplanation(subject=subject, steps=tuple(steps), code=error.code)
    names = [described(item) for item in (valid.path.anchor.certificate, *valid.path.certificates)]
    return PathExplanation(subject=subject, steps=tuple(steps), code=None, path=tuple(names))


def _explain_signer(der: bytes, anchors: TrustAnchors, *, at: datetime) -> PathExplanation:
    """Each step of a terminal, until one does not hold."""
    try:
        signer = trust.load_signer(der)
    except PkiError as error:
        return _unread(error)
    steps: list[PathStep] = []

    def noted(check: str, clause: str, judge: Callable[[], str]) -> bool:
        try:
            sentence, code = f"{judge()} (SPEC.md, {clause})", None
        except PkiError as error:
            sentence, code = str(error), error.code
        steps.append(PathStep(subject=signer.name, check=check, sentence=sentence, code=code))
        return code is None

    def profile_holds() -> str:
        codes = ", ".join(sorted(signer.document_codes))
        mark = ", marked as a test" if signer.is_test else ""
        return f"it is a document signer for {codes}{mark}"

    def path_holds() -> str:
        authority = trust.find_authority(der, anchors)
        length = DOC_9303_RULES.max_path_length
        return f"{authority.name} issued it; a path has {length} certificate below its authority"

    def times_hold() -> str:
        authority = trust.find_authority(der, anchors)
        trust.check_validity(der, authority, signing_time=at, now=at)
        return f"signer, its private key and its authority are valid at {at:%Y-%m-%d %H:%M:%S}Z"

    def is_not_revoked() -> str:
        authority = trust.find_authority(der, anchors)
        trust.check_revocation(der, authority, anchors, now=at)
        lists = lists_for(
            authority, authorities=anchors.authorities, lists=anchors.revocation_lists
        )
        return f"{len(lists)} lists of its authority and {len(anchors.stop_lists)} stop lists do not name it"

    holds = all(
        noted(check, clause, judge)
        for check, clause, judge in (
            ("profile", "9.6", profile_holds),
            ("path", "9.7", path_holds),
            ("validity", "9.8", times_hold),
            ("revocation", "9.9", is_not_revoked),
        )
    )
    if not holds:
        return PathExplanation(subject=signer.name, steps=tuple(steps), code=steps[-1].code)
    authority = trust.find_authority(der, anchors)
    return PathExplanation(
        subject=signer.name, steps=tuple(steps), code=None, path=(authority.name, signer.name)
    )


def _unread(error: PkiError) -> PathExplanation:
    """Not even a certificate of the kind that was asked for."""
    step = PathStep(subject="?", check="profile", sentence=str(error), code=error.code)
    return PathExplanation(subject="?", steps=(step,), code=error.code)
