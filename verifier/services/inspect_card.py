"""The use case: read the card in a reader and judge what it gave."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from card_layout.transport.connection import CardReader
from pki.certificates.trust import TrustAnchors
from pki.record.transparency_policy import LogPolicy
from verifier.inspection.holder import read_portrait
from verifier.inspection.log_evidence import LogEvidence, digest_of_signature
from verifier.inspection.policy import Policy
from verifier.inspection.portrait_evidence import PortraitOutcome
from verifier.inspection.report import Report, inspect
from verifier.inspection.snapshot import CardSnapshot
from verifier.services.card_password import CardPassword
from verifier.services.clock import Clock

__all__ = [
    "CardReading",
    "Inspection",
    "InspectionRules",
    "PortraitTrial",
    "ProofSource",
    "inspect_card",
    "log_evidence_of",
]

CardReading = Callable[[CardReader, CardPassword], CardSnapshot]
"""The port to a card: whatever the card does, it gives back a snapshot."""

PortraitTrial = Callable[[bytes], PortraitOutcome]
"""The port to a decoder of pictures: whatever the picture is, it tells what came of it, in bounded time."""


ProofSource = Callable[[bytes], bytes | None]
"""The port to inclusion proofs: the file for a signature, by the digest of its signed attributes, if there is one."""


def _no_proof(_digest: bytes) -> bytes | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionRules:
    """What a card is judged by; ``at`` replaces the time of day, ``purpose`` the policy's default one."""

    anchors: TrustAnchors
    policy: Policy
    log_policy: LogPolicy | None = None
    proofs: ProofSource = _no_proof
    purpose: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One inspection: the evidence, the report made from it, and how long judging took."""

    snapshot: CardSnapshot = field(repr=False)
    report: Report
    judge_seconds: float


def inspect_card(
    reader: CardReader,
    password: CardPassword,
    *,
    read: CardReading,
    try_portrait: PortraitTrial,
    rules: InspectionRules,
    clock: Clock,
) -> Inspection:
    """Read one card, try its picture, and judge all of it.

    Raises:
        TrustError: the policy does not know the purpose, and nothing was read; or the card's proof cannot be read.
    """
    # A wrong purpose is found out before anybody has to put a card in.
    rules.policy.required_checks(rules.purpose)
    snapshot = read(reader, password)
    log_evidence = log_evidence_of(snapshot, rules)
    begin = clock.monotonic()
    image = read_portrait(snapshot)
    if image is not None:
        snapshot = replace(snapshot, portrait=try_portrait(image))
    report = inspect(
        snapshot,
        trust=rules.anchors,
        policy=rules.policy,
        now=rules.at if rules.at is not None else clock.now(),
        purpose=rules.purpose,
        log_evidence=log_evidence,
    )
    return Inspection(
        snapshot=snapshot, report=report, judge_seconds=max(0.0, clock.monotonic() - begin)
    )


def log_evidence_of(snapshot: CardSnapshot, rules: InspectionRules) -> LogEvidence:
    """What lies ready about this card's signature; nothing is looked for that policy does not ask for."""
    digest = digest_of_signature(snapshot) if rules.policy.allow_signed_before_compromise else None
    return LogEvidence(
        log_policy=rules.log_policy, proof=None if digest is None else rules.proofs(digest)
    )
