"""Evidence that somebody stopped waiting for: a cut that nothing can change any more."""

from datetime import UTC, datetime

import pytest

from verifier.inspection.snapshot import (
    AccessOutcome,
    AccessPath,
    CardSnapshot,
    ChipOutcome,
    FileOutcome,
    Phase,
)
from verifier.inspection.terminal_evidence import TerminalEvidence, TerminalOutcome
from verifier.reading.evidence import Evidence

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Clock:
    """Seconds that pass when it is told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def cut(evidence: Evidence) -> CardSnapshot:
    return evidence.snapshot(profile="membercard-1", read_at=NOW)


def note_everything(evidence: Evidence) -> None:
    """All that a reading may still note after its time."""
    with evidence.timed(Phase.FILES):
        evidence.note_file("EF.DG1", FileOutcome.READ, content=b"late")
        evidence.note_access(AccessPath.PACE_CAN, AccessOutcome.SUCCEEDED, None)
        evidence.forget_access()
        evidence.note_chip(ChipOutcome.PROVEN, None)
        evidence.note_active_authentication(bytes(8), b"late")
        evidence.note_terminal(TerminalEvidence(outcome=TerminalOutcome.NOT_ATTEMPTED, code="late"))
        evidence.compare_password("late")
        evidence.note_fallback("chip-authentication.fallback")
    evidence.complete()
    evidence.break_off("transport.lost")


def test_a_sealed_reading_broke_off_in_its_phase_with_the_code_it_was_sealed_with() -> None:
    clock = Clock()
    evidence = Evidence(clock)
    evidence.note_access(AccessPath.PACE_CAN, AccessOutcome.BROKEN_OFF, None)
    with evidence.timed(Phase.ACCESS):
        clock.seconds = 2.5
        evidence.seal("reading.limit")
        sealed = cut(evidence)
    assert not sealed.is_complete
    assert sealed.problem is not None
    assert (sealed.problem.phase, sealed.problem.code) == (Phase.ACCESS, "reading.limit")
    assert sealed.phase_seconds == {Phase.ACCESS: 2.5}
    assert sealed.access.outcome is AccessOutcome.BROKEN_OFF


def test_nothing_that_comes_after_the_seal_is_kept() -> None:
    evidence = Evidence(Clock())
    with evidence.timed(Phase.ACCESS):
        evidence.note_file("EF.COM", FileOutcome.READ, content=b"in time")
        evidence.seal("reading.limit")
        sealed = cut(evidence)
        note_everything(evidence)
        evidence.seal("reading.broken")
    assert cut(evidence) == sealed
    assert list(sealed.files) == ["EF.COM"]


def test_what_is_noted_before_the_seal_counts() -> None:
    unsealed = Evidence(Clock())
    note_everything(unsealed)
    assert cut(unsealed) != cut(Evidence(Clock()))


@pytest.mark.parametrize("code", [None, "transport.lost"])
def test_a_reading_that_came_to_its_own_end_keeps_it_under_the_seal(code: str | None) -> None:
    evidence = Evidence(Clock())
    if code is None:
        evidence.complete()
    else:
        evidence.break_off(code)
    before = cut(evidence)
    evidence.seal("reading.limit")
    assert cut(evidence) == before
