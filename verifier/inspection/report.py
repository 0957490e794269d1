"""From evidence to verdict: `inspect` is a pure function, so that a stored snapshot gives the same report again.

It fails closed. A card is accepted only where a policy requires checks and every one of them passed; what was not
performed, or broke, has not passed (SPEC.md, 9.19).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final

from pki.certificates.trust import TrustAnchors
from verifier.inspection.checks import CheckName, CheckResult, known_code
from verifier.inspection.codes import CODES, Severity
from verifier.inspection.examination import Examination
from verifier.inspection.holder import Holder, HolderFiles
from verifier.inspection.log_evidence import LogEvidence
from verifier.inspection.policy import DATA_CHECKS, Policy
from verifier.inspection.procedure import PROCEDURE, perform
from verifier.inspection.second_choices import second_choices
from verifier.inspection.snapshot import (
    AccessEvidence,
    CardSnapshot,
    ChipOutcome,
    Phase,
)
from verifier.inspection.terminal_evidence import TerminalEvidence

__all__ = ["Assurance", "Report", "Verdict", "inspect"]


@unique
class Verdict(StrEnum):
    """What the inspection says about the card."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    """The reading broke off for a reason that says nothing about the card."""


@unique
class Assurance(StrEnum):
    """How much was proven, whatever the policy asked for."""

    NONE = "none"
    DATA = "data"
    """The data is genuine, and perhaps copied from another chip."""
    DATA_AND_CHIP = "data-and-chip"
    """The data is genuine, and so is the chip."""


_EMPTY_POLICY: Final = "policy.empty"
_NOT_TOLD: Final = frozenset(
    {
        # One follows from the other, and a terminal without credentials knows that it has none.
        "terminal-authentication.no-credentials",
        "terminal-authentication.no-right",
        "terminal-authentication.not-needed",
        # A terminal that holds no status list was given none; where one is needed, the purpose requires the check.
        "status.no-list",
        # The terminal's own doing, too: whoever judges a snapshot alone decodes no picture.
        "portrait.not-decoded",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One inspection's outcome; ``codes`` are those of whatever stood in the way, in the order of the procedure.

    ``notes`` are codes that say how the card was read and what was let through, whatever the verdict, so that nothing
    is silent.
    """

    verdict: Verdict
    assurance: Assurance
    codes: tuple[str, ...]
    notes: tuple[str, ...]
    checks: tuple[CheckResult, ...]
    required_checks: frozenset[CheckName]
    access: AccessEvidence
    chip: ChipOutcome
    terminal: TerminalEvidence | None = None
    holder_files: HolderFiles = field(repr=False)
    judged_at: datetime
    apdu_count: int
    phase_seconds: Mapping[Phase, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def unverified_holder(self) -> Holder | None:
        """Who the card says it belongs to, whatever the verdict; ``None`` where no file tells."""
        return self.holder_files.read()

    @property
    def holder(self) -> Holder | None:
        """Who the card belongs to; ``None`` unless it was accepted."""
        return self.unverified_holder if self.verdict is Verdict.ACCEPTED else None

    def to_json(
        self, *, show_unverified: bool = False, judge_seconds: float | None = None
    ) -> dict[str, object]:
        """The report as the command prints it; unproven data is shown only where it is asked for."""
        timings = {phase.value: round(seconds, 4) for phase, seconds in self.phase_seconds.items()}
        total = sum(self.phase_seconds.values())
        if judge_seconds is not None:
            timings["judge"] = round(judge_seconds, 4)
            total += judge_seconds
        holder = self.unverified_holder if show_unverified else self.holder
        document: dict[str, object] = {
            "verdict": self.verdict.value,
            "assurance": self.assurance.value,
            "codes": list(self.codes),
            "notes": list(self.notes),
            "checks": [
                {
                    "name": check.name.value,
                    "clause": check.clause,
                    "state": check.state.value,
                    "required": check.name in self.required_checks,
                    "code": check.code,
                    "sentence": check.sentence,
                }
                for check in self.checks
            ],
            "access": {
                "path": self.access.path.value,
                "outcome": self.access.outcome.value,
                "chip_authentication": self.chip.value,
            },
            "timings": {**timings, "total": round(total, 4)},
            "apdus": self.apdu_count,
            "judged_at": self.judged_at.isoformat(),
        }
        if self.terminal is not None:
            document["terminal_authentication"] = self.terminal.to_document()
        if holder is not None:
            document["holder"] = holder.to_json()
            document["holder_is_verified"] = self.verdict is Verdict.ACCEPTED
        return document


def inspect(
    snapshot: CardSnapshot,
    *,
    trust: TrustAnchors,
    policy: Policy,
    now: datetime,
    purpose: str | None = None,
    log_evidence: LogEvidence | None = None,
) -> Report:
    """Judge the evidence of one reading; the same arguments always give the same report.

    Args:
        snapshot: what was read.
        trust: the authorities and revocation lists to judge against.
        policy: what is required, by purpose.
        now: the time to judge at, aware.
        purpose: one of the policy's, ``None`` for its default one.
        log_evidence: what is known of the signature from a transparency log; it only matters where a stop list names
            the signer and the policy allows it to.

    Raises:
        TrustError: the policy does not know the purpose; nothing that a card does raises.
        ValueError: ``now`` has no time zone.
    """
    if now.tzinfo is None:
        raise ValueError("the time to judge at has no time zone, expected an aware time")
    required = policy.required_checks(purpose)
    examination = Examination(
        snapshot,
        trust=trust,
        policy=policy,
        now=now,
        purpose=purpose,
        log_evidence=log_evidence,
    )
    for step in PROCEDURE:
        examination.record(perform(step, examination))
    results = examination.results
    verdict, codes = _verdict(snapshot, results, required, examination.passed)
    return Report(
        verdict=verdict,
        assurance=_assurance(examination.passed),
        codes=codes,
        notes=(*_notes(examination, required, codes), *examination.notes),
        checks=tuple(results.values()),
        required_checks=required,
        access=snapshot.access,
        chip=snapshot.chip.outcome,
        terminal=snapshot.terminal,
        holder_files=HolderFiles(snapshot=snapshot, decoded=examination.decoded_files),
        judged_at=now,
        apdu_count=snapshot.apdu_count,
        phase_seconds=snapshot.phase_seconds,
    )


def _verdict(
    snapshot: CardSnapshot,
    results: Mapping[CheckName, CheckResult],
    required: frozenset[CheckName],
    passed: set[CheckName],
) -> tuple[Verdict, tuple[str, ...]]:
    """SPEC.md, 9.19: accepted where every required check passed, and there was one."""
    if not required:
        # An empty policy accepts nothing, whatever the card is; it also allows no way into one.
        return Verdict.REFUSED, (_EMPTY_POLICY,)
    if required <= passed:
        return Verdict.ACCEPTED, ()
    in_the_way = [
        result.code
        for result in results.values()
        if result.code is not None and result.name in required
    ]
    if snapshot.problem is not None:
        in_the_way.append(known_code(snapshot.problem.code))
    codes = tuple(dict.fromkeys(in_the_way))
    says_nothing = bool(codes) and all(
        CODES[code].severity is not Severity.REFUSED for code in codes
    )
    return (Verdict.UNREADABLE if says_nothing else Verdict.REFUSED), codes


def _notes(
    examination: Examination, required: frozenset[CheckName], in_the_way: tuple[str, ...]
) -> tuple[str, ...]:
    """What would else be silent: second choices, and whatever did not pass that nothing required (SPEC.md, 9.24)."""
    snapshot = examination.snapshot
    notes = list(second_choices(examination))
    if snapshot.is_complete and required:
        notes += [
            result.code
            for result in examination.results.values()
            if result.code is not None and result.name not in required
        ]
    if not notes:
        return ()
    told = dict.fromkeys(note for note in notes if note not in _NOT_TOLD)
    return tuple(note for note in told if note not in in_the_way)


def _assurance(passed: set[CheckName]) -> Assurance:
    if not passed.issuperset(DATA_CHECKS):
        return Assurance.NONE
    return Assurance.DATA_AND_CHIP if CheckName.CHIP_AUTHENTICATION in passed else Assurance.DATA
