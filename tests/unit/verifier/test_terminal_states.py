"""The state machine of the terminal by itself: whatever happens in whatever order, it keeps to its rules."""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.certificates.trust import TrustAnchors
from verifier.inspection.explanation import Explanation
from verifier.inspection.policy import Policy
from verifier.inspection.report import Report, Verdict, inspect
from verifier.inspection.snapshot import AccessOutcome, CardSnapshot
from verifier.services.terminal_state import (
    BadStateError,
    CardPresent,
    Dismissed,
    Event,
    HolderAnswer,
    HolderAnswered,
    Judged,
    NotRecorded,
    Outcome,
    PasswordGiven,
    Progress,
    Progressed,
    ReaderEmpty,
    ReaderGone,
    ReadingStep,
    Stage,
    TerminalState,
    TryAgain,
    advance,
    back_off_seconds,
)

_NOTHING_EXPLAINED = Explanation(access=(), steps=(), beside=(), apdu_count=0)


@pytest.fixture(scope="session")
def report(
    accepted_snapshot: CardSnapshot, anchors: TrustAnchors, policy: Policy, now: datetime
) -> Report:
    return inspect(accepted_snapshot, trust=anchors, policy=policy, now=now)


def outcome_of(report: Report, kind: str) -> Outcome:
    if kind == "wrong":
        access = replace(report.access, outcome=AccessOutcome.WRONG_PASSWORD)
        report = replace(report, access=access, verdict=Verdict.UNREADABLE)
    else:
        report = replace(report, verdict=Verdict(kind))
    return Outcome(report=report, explanation=_NOTHING_EXPLAINED, purpose="inspection", record=1)


PRESENTATIONS = st.integers(0, 3)
EVENTS = st.one_of(
    st.just(("gone",)),
    st.just(("empty",)),
    st.just(("present",)),
    st.just(("password",)),
    st.just(("again",)),
    st.just(("dismiss",)),
    st.tuples(st.just("progress"), PRESENTATIONS),
    st.tuples(st.just("not-recorded"), PRESENTATIONS),
    st.tuples(st.just("answer"), PRESENTATIONS),
    st.tuples(
        st.just("judged"),
        PRESENTATIONS,
        st.sampled_from(["accepted", "refused", "unreadable", "wrong"]),
    ),
)


def event_of(item: tuple[object, ...], report: Report, at: float) -> Event:
    presentation = item[1] if len(item) > 1 else 0
    assert isinstance(presentation, int)
    if item[0] == "judged":
        outcome = outcome_of(report, str(item[2]))
        return Judged(presentation=presentation, outcome=outcome, at=at)
    progress = Progress(step=ReadingStep.CHIP, files=2)
    events: dict[object, Event] = {
        "gone": ReaderGone(code="transport.lost"),
        "empty": ReaderEmpty(),
        "present": CardPresent(),
        "password": PasswordGiven(at=at),
        "again": TryAgain(),
        "dismiss": Dismissed(),
        "progress": Progressed(presentation=presentation, progress=progress),
        "not-recorded": NotRecorded(presentation=presentation, code="journal.unavailable"),
        "answer": HolderAnswered(presentation=presentation, answer=HolderAnswer.NO),
    }
    return events[item[0]]


@given(st.lists(EVENTS, max_size=40))
def test_whatever_happens_data_is_shown_only_while_its_card_is_in(
    report: Report, items: list[tuple[object, ...]]
) -> None:
    state, is_in = TerminalState(), False
    for at, item in enumerate(items):
        event = event_of(item, report, float(at))
        if isinstance(event, CardPresent):
            is_in = True
        elif isinstance(event, ReaderGone | ReaderEmpty):
            is_in = False
        before = state
        try:
            state = advance(state, event)
        except BadStateError:
            assert isinstance(event, PasswordGiven | HolderAnswered | TryAgain)
            continue
        assert (state.outcome is not None) == (state.stage is Stage.RESULT)
        assert (state.progress is not None) == (state.stage is Stage.READING)
        assert state.stage not in (Stage.RESULT, Stage.READING, Stage.ENTER_PASSWORD) or is_in
        assert state.answer is None or state.stage is Stage.RESULT
        assert state.presentation >= before.presentation
        if state.outcome is not None and state.answer is not None:
            assert state.outcome.report.verdict is Verdict.ACCEPTED
        # A second look that finds the same changes nothing at all: screens are not drawn anew for it.
        if isinstance(event, ReaderGone | ReaderEmpty | CardPresent):
            assert advance(state, event) is state


def test_a_result_of_another_presentation_is_not_shown(report: Report) -> None:
    state = TerminalState(stage=Stage.READING, presentation=2, progress=Progress())
    late = Judged(presentation=1, outcome=outcome_of(report, "accepted"), at=0.0)
    assert advance(state, late) is state


@pytest.mark.parametrize("stage", [Stage.READER_GONE, Stage.REMOVE_CARD, Stage.RESULT])
def test_a_password_that_nobody_waits_for_is_refused(stage: Stage) -> None:
    with pytest.raises(BadStateError) as refusal:
        advance(TerminalState(stage=stage), PasswordGiven(at=0.0))
    assert refusal.value.code == "terminal.bad-state"


def test_the_waiting_grows_with_every_wrong_password_up_to_a_minute() -> None:
    assert [back_off_seconds(wrong) for wrong in range(10)] == [0, 0, 0, 2, 4, 8, 16, 32, 60, 60]
    assert back_off_seconds(1000) == 60


def test_a_card_that_gave_nothing_does_not_end_the_waiting(report: Report) -> None:
    waiting = TerminalState(
        stage=Stage.READING, presentation=1, progress=Progress(), wrong_passwords=5, next_try_at=9.0
    )
    lost = outcome_of(report, "unreadable")
    access = replace(lost.report.access, outcome=AccessOutcome.BROKEN_OFF)
    broken = Outcome(
        report=replace(lost.report, access=access),
        explanation=_NOTHING_EXPLAINED,
        purpose="inspection",
        record=1,
    )
    state = advance(waiting, Judged(presentation=1, outcome=broken, at=10.0))
    assert (state.wrong_passwords, state.next_try_at) == (5, 9.0)
