"""The terminal over a reader that comes and goes: cards in and out, wrong passwords, broken journals, nothing left over."""

import gc
import weakref
from dataclasses import replace
from datetime import datetime

import pytest

from pki.certificates.trust import TrustAnchors
from simulators.card.operating_system import VirtualCard
from simulators.image import CardImage
from simulators.testing import TEST_CAN
from tests.unit.verifier.terminal_desk import PICTURE, Desk
from verifier.errors import VerifierError
from verifier.inspection.policy import Policy
from verifier.inspection.report import Verdict
from verifier.services.inspect_card import InspectionRules
from verifier.services.terminal import PASSWORD_SECONDS
from verifier.services.terminal_ports import HolderRecord, InspectionRecord
from verifier.services.terminal_state import (
    BadStateError,
    HolderAnswer,
    Outcome,
    ReadingStep,
    Stage,
    TerminalState,
)


@pytest.fixture
def desk(anchors: TrustAnchors, policy: Policy, now: datetime) -> Desk:
    desk = Desk(InspectionRules(anchors=anchors, policy=policy), now=now)
    assert desk.terminal.state.stage is Stage.READER_GONE
    assert desk.look().stage is Stage.INSERT_CARD
    return desk


def shown(state: TerminalState) -> Outcome:
    assert state.outcome is not None
    return state.outcome


def test_a_card_is_put_in_read_shown_and_its_removal_clears_all(
    desk: Desk, virtual_card: VirtualCard
) -> None:
    steps: list[ReadingStep] = []
    desk.terminal.subscribe(
        lambda state: steps.append(state.progress.step) if state.progress else None
    )
    assert desk.insert(virtual_card).stage is Stage.ENTER_PASSWORD
    state = desk.give(TEST_CAN)
    assert state.stage is Stage.RESULT
    assert shown(state).report.verdict is Verdict.ACCEPTED
    assert shown(state).portrait == PICTURE
    assert list(dict.fromkeys(steps)) == list(ReadingStep)
    assert steps == sorted(steps, key=list(ReadingStep).index)
    cleared = desk.remove()
    assert cleared == TerminalState(stage=Stage.INSERT_CARD, presentation=1)


def test_nothing_keeps_a_card_after_its_removal(desk: Desk, virtual_card: VirtualCard) -> None:
    desk.insert(virtual_card)
    outcome = weakref.ref(shown(desk.give(TEST_CAN)))
    assert outcome() is not None
    desk.remove()
    gc.collect()
    assert outcome() is None
    assert desk.terminal._password is None


def test_a_password_may_come_before_its_card(desk: Desk, virtual_card: VirtualCard) -> None:
    assert desk.give(TEST_CAN).is_password_given
    assert desk.insert(virtual_card).stage is Stage.RESULT


def test_a_password_whose_card_does_not_come_is_forgotten(
    desk: Desk, virtual_card: VirtualCard
) -> None:
    desk.give(TEST_CAN)
    desk.clock.seconds += PASSWORD_SECONDS + 1
    assert not desk.look().is_password_given
    assert desk.insert(virtual_card).stage is Stage.ENTER_PASSWORD


def test_a_password_is_forgotten_with_the_reader(desk: Desk, virtual_card: VirtualCard) -> None:
    desk.give(TEST_CAN)
    desk.reader.is_plugged = False
    assert desk.look().stage is Stage.READER_GONE
    desk.reader.is_plugged = True
    assert desk.insert(virtual_card).stage is Stage.ENTER_PASSWORD


def test_wrong_passwords_are_recorded_asked_for_again_and_slowed_down(
    desk: Desk, virtual_card: VirtualCard
) -> None:
    desk.insert(virtual_card)
    for number in (1, 2, 3):
        state = desk.give("000000")
        assert (state.stage, state.notice) == (Stage.ENTER_PASSWORD, "access.wrong-password")
        assert state.wrong_passwords == number
        assert state.outcome is None
    with pytest.raises(BadStateError) as refusal:
        desk.give(TEST_CAN)
    assert refusal.value.code == "terminal.wait"
    assert refusal.value.wait_seconds == 2.0
    # Another insertion is no new beginning.
    desk.remove()
    with pytest.raises(BadStateError):
        desk.give(TEST_CAN)
    desk.insert(virtual_card)
    desk.clock.seconds += 2.0
    assert desk.give(TEST_CAN).wrong_passwords == 0
    verdicts = [
        record.codes for record in desk.journal.records if isinstance(record, InspectionRecord)
    ]
    assert verdicts == [("access.wrong-password",)] * 3 + [()]


def test_the_reader_may_be_unplugged_at_every_command_and_is_back_by_itself(
    desk: Desk, issued_card: CardImage
) -> None:
    desk.insert(VirtualCard(issued_card))
    desk.give(TEST_CAN)
    total = desk.reader.commands
    assert total > 20
    for number in range(total):
        desk.remove()
        desk.reader.unplug_at = number
        desk.insert(VirtualCard(issued_card))
        assert shown(desk.give(TEST_CAN)).report.verdict is Verdict.UNREADABLE
        assert desk.look().stage is Stage.READER_GONE
        assert desk.terminal.state.notice == "transport.lost"
        desk.reader.card, desk.reader.is_plugged, desk.reader.unplug_at = None, True, None
        assert desk.look().stage is Stage.INSERT_CARD
    desk.insert(VirtualCard(issued_card))
    assert shown(desk.give(TEST_CAN)).report.verdict is Verdict.ACCEPTED


def test_a_card_that_is_taken_out_too_early_is_asked_for_again(
    desk: Desk, issued_card: CardImage
) -> None:
    desk.insert(VirtualCard(issued_card))
    desk.reader.unplug_at = 12
    desk.give(TEST_CAN)
    desk.reader.is_plugged, desk.reader.unplug_at = True, None
    state = desk.remove()
    assert (state.stage, state.notice) == (Stage.INSERT_CARD, "terminal.card-removed-early")


def test_a_card_that_could_not_be_read_may_be_tried_again_where_it_lies(
    desk: Desk, issued_card: CardImage
) -> None:
    desk.insert(VirtualCard(issued_card))
    desk.reader.unplug_at = 12
    desk.give(TEST_CAN)
    desk.reader.is_plugged, desk.reader.unplug_at = True, None
    desk.terminal.try_again()
    assert shown(desk.give(TEST_CAN)).report.verdict is Verdict.ACCEPTED
    with pytest.raises(BadStateError):
        desk.terminal.try_again()


def test_nothing_is_shown_of_an_inspection_that_is_not_on_record(
    desk: Desk, virtual_card: VirtualCard
) -> None:
    desk.journal.refuses_with = VerifierError("the disk is full", code="journal.unavailable")
    desk.insert(virtual_card)
    state = desk.give(TEST_CAN)
    assert (state.stage, state.notice) == (Stage.REMOVE_CARD, "journal.unavailable")
    assert state.outcome is None
    desk.journal.refuses_with = None
    desk.remove()
    desk.insert(virtual_card)
    assert shown(desk.give(TEST_CAN)).record == 1


def test_an_inspection_that_breaks_leaves_the_next_one_whole(
    desk: Desk, virtual_card: VirtualCard
) -> None:
    def break_off(*_: object) -> None:
        raise ZeroDivisionError("secret of the card")

    desk.examine, working = break_off, desk.examine  # type: ignore[assignment]
    desk.insert(virtual_card)
    state = desk.give(TEST_CAN)
    assert (state.stage, state.notice) == (Stage.REMOVE_CARD, "verifier.error")
    desk.examine = working
    desk.remove()
    desk.insert(virtual_card)
    assert desk.give(TEST_CAN).stage is Stage.RESULT


def test_the_holders_answer_is_recorded_beside_the_verdict_and_never_is_one(
    desk: Desk, virtual_card: VirtualCard
) -> None:
    desk.insert(virtual_card)
    before = desk.give(TEST_CAN)
    desk.terminal.answer_for_holder(HolderAnswer.NO, presentation=1)
    state = desk.terminal.state
    assert state.answer is HolderAnswer.NO
    assert state.outcome is before.outcome
    assert shown(state).report.verdict is Verdict.ACCEPTED
    record = desk.journal.records[-1]
    assert isinstance(record, HolderRecord)
    assert (record.inspection, record.answer) == (1, HolderAnswer.NO)
    with pytest.raises(BadStateError):
        desk.terminal.answer_for_holder(HolderAnswer.COMPARED_YES, presentation=2)
    desk.remove()
    with pytest.raises(BadStateError):
        desk.terminal.answer_for_holder(HolderAnswer.COMPARED_YES, presentation=1)
    assert len(desk.journal.records) == 2


def test_an_answer_that_cannot_be_recorded_counts_as_not_given(
    desk: Desk, virtual_card: VirtualCard
) -> None:
    desk.insert(virtual_card)
    desk.give(TEST_CAN)
    desk.journal.refuses_with = VerifierError("the disk is full", code="journal.unavailable")
    with pytest.raises(VerifierError):
        desk.terminal.answer_for_holder(HolderAnswer.COMPARED_YES, presentation=1)
    assert desk.terminal.state.answer is None


def test_the_screen_can_be_cleared_while_the_card_is_in(
    desk: Desk, virtual_card: VirtualCard
) -> None:
    desk.insert(virtual_card)
    desk.give(TEST_CAN)
    desk.terminal.dismiss()
    state = desk.look()
    assert (state.stage, state.outcome) == (Stage.REMOVE_CARD, None)
    assert desk.remove().stage is Stage.INSERT_CARD


def test_a_record_names_nobody(desk: Desk, virtual_card: VirtualCard) -> None:
    desk.insert(virtual_card)
    holder = shown(desk.give(TEST_CAN)).report.holder
    assert holder is not None
    text = repr(desk.journal.records)
    for value in (holder.full_name, holder.citizen_number, holder.card_number, TEST_CAN):
        assert str(value) not in text


def test_no_portrait_is_kept_of_a_card_that_is_not_accepted(
    policy: Policy, now: datetime, virtual_card: VirtualCard
) -> None:
    nobody = TrustAnchors.from_bytes(certificates=(), crls=())
    desk = Desk(InspectionRules(anchors=nobody, policy=policy), now=now)
    working = desk.examine_card
    desk.examine = lambda password, tell: replace(working(password, tell), portrait=PICTURE)
    desk.look()
    desk.insert(virtual_card)
    outcome = shown(desk.give(TEST_CAN))
    assert (outcome.report.verdict, outcome.portrait) == (Verdict.REFUSED, None)
    assert outcome.report.holder is None


def test_stopping_ends_the_watch(desk: Desk) -> None:
    desk.terminal.stop()
    desk.terminal.run()
    assert desk.terminal._is_stopped
