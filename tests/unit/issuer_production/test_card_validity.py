"""The rules of a card's validity: who ends it, what holds it, and that nothing brings it back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.card_validity import (
    REPORTS,
    CardValidity,
    EndReason,
    ValidityEvent,
    ValidityStep,
    apply,
)
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError
from pki.signed.card_states import CardState, may_follow

ONE, OTHER = AccountName("one"), AccountName("other")
IN_FORCE = CardValidity(is_handed_over=True)
_WITH_REASON = {
    ValidityEvent.REPORTED: sorted(REPORTS),
    ValidityEvent.ENDED: sorted(set(EndReason) - REPORTS),
}


def step(
    event: ValidityEvent, account: AccountName = ONE, reason: EndReason | None = None
) -> ValidityStep:
    return ValidityStep(event=event, account=account, reason=reason)


ALL_STEPS = [
    step(event, account, reason)
    for event in ValidityEvent
    for reason in _WITH_REASON.get(event, [None])  # type: ignore[list-item]  # no reason at all
    for account in (ONE, OTHER)
]


def code_of(validity: CardValidity, taken: ValidityStep) -> str:
    with pytest.raises(IssuerRefusedError) as caught:
        apply(validity, taken)
    return caught.value.code


@given(st.lists(st.sampled_from(ALL_STEPS), max_size=30))
def test_no_sequence_of_events_takes_a_state_that_lists_refuse(taken: list[ValidityStep]) -> None:
    validity = CardValidity()
    reported_by: AccountName | None = None
    for each in taken:
        try:
            after = apply(validity, each)
        except IssuerRefusedError:
            continue
        assert may_follow(validity.state, after.state), (validity, each, after)
        if validity.state.is_final:
            assert after.state.is_final
        elif after.state.is_final and each.event is not ValidityEvent.ENDED:
            assert each.account != reported_by
        if each.event is ValidityEvent.REPORTED:
            reported_by = each.account
        validity = after


@given(st.lists(st.sampled_from([each for each in ALL_STEPS if each.account == ONE]), max_size=30))
def test_one_person_ends_no_card_by_their_word(taken: list[ValidityStep]) -> None:
    validity = CardValidity()
    for each in taken:
        if each.event is ValidityEvent.ENDED:
            continue
        try:
            validity = apply(validity, each)
        except IssuerRefusedError:
            continue
        assert validity.end is None


@pytest.mark.parametrize("reason", sorted(REPORTS))
def test_a_report_holds_at_once_and_ends_by_a_second_person(reason: EndReason) -> None:
    reported = apply(IN_FORCE, step(ValidityEvent.REPORTED, reason=reason))
    assert reported.state is CardState.SUSPENDED
    assert code_of(reported, step(ValidityEvent.CONFIRMED)) == "right.same-person"
    assert code_of(reported, step(ValidityEvent.REJECTED)) == "right.same-person"
    assert apply(reported, step(ValidityEvent.REJECTED, OTHER)) == IN_FORCE
    ended = apply(reported, step(ValidityEvent.CONFIRMED, OTHER))
    assert ended.state is (
        CardState.LOST if reason in {EndReason.LOST, EndReason.STOLEN} else CardState.REVOKED
    )


def test_a_rejected_report_gives_back_what_was_before_and_no_more() -> None:
    stale = replace(IN_FORCE, is_stale=True)
    reported = apply(stale, step(ValidityEvent.REPORTED, reason=EndReason.LOST))
    assert apply(reported, step(ValidityEvent.REJECTED, OTHER)).state is CardState.DATA_STALE
    barred = apply(reported, step(ValidityEvent.MEMBER_BARRED))
    assert apply(barred, step(ValidityEvent.REJECTED, OTHER)).state is CardState.SUSPENDED


def test_a_card_that_nobody_was_given_stays_so_whatever_is_reported() -> None:
    reported = apply(CardValidity(), step(ValidityEvent.REPORTED, reason=EndReason.STOLEN))
    assert reported.state is CardState.NOT_HANDED_OVER
    assert code_of(reported, step(ValidityEvent.HANDED_OVER)) == "card.held"
    ended = apply(reported, step(ValidityEvent.CONFIRMED, OTHER))
    assert ended.state is CardState.LOST
    assert code_of(ended, step(ValidityEvent.HANDED_OVER)) == "card.ended"


def test_a_found_card_never_revives() -> None:
    lost = replace(IN_FORCE, end=EndReason.LOST)
    found = apply(lost, step(ValidityEvent.COLLECTED))
    assert found.state is CardState.LOST
    for event in (ValidityEvent.GIVEN_BACK, ValidityEvent.RESUMED, ValidityEvent.HANDED_OVER):
        assert code_of(found, step(event)) == "card.ended"
    for event in (ValidityEvent.MEMBER_RESTORED, ValidityEvent.DATA_CHANGED):
        assert apply(found, step(event)).state is CardState.LOST


def test_a_replaced_card_that_is_reported_lost_becomes_lost_and_a_revoked_one_stays() -> None:
    replaced = apply(IN_FORCE, step(ValidityEvent.ENDED, reason=EndReason.REPLACED))
    assert replaced.state is CardState.REPLACED
    reported = apply(replaced, step(ValidityEvent.REPORTED, reason=EndReason.LOST))
    assert reported.state is CardState.REPLACED
    assert apply(reported, step(ValidityEvent.CONFIRMED, OTHER)).state is CardState.LOST
    revoked = replace(IN_FORCE, end=EndReason.DAMAGED)
    assert code_of(revoked, step(ValidityEvent.REPORTED, reason=EndReason.LOST)) == "card.ended"


def test_what_is_suspended_or_collected_comes_back() -> None:
    for away, back, again, never in (
        (
            ValidityEvent.SUSPENDED,
            ValidityEvent.RESUMED,
            "card.suspended-before",
            "card.not-suspended",
        ),
        (
            ValidityEvent.COLLECTED,
            ValidityEvent.GIVEN_BACK,
            "card.collected-before",
            "card.not-collected",
        ),
        (ValidityEvent.MEMBER_BARRED, ValidityEvent.MEMBER_RESTORED, None, None),
    ):
        held = apply(IN_FORCE, step(away))
        assert held.state is CardState.SUSPENDED
        assert apply(held, step(back)) == IN_FORCE
        if again is not None:
            assert code_of(held, step(away)) == again
            assert code_of(IN_FORCE, step(back)) == never
    assert code_of(CardValidity(), step(ValidityEvent.COLLECTED)) == "card.not-handed-over"


def test_a_card_is_handed_over_once_and_reported_once() -> None:
    assert code_of(IN_FORCE, step(ValidityEvent.HANDED_OVER)) == "card.handed-over-before"
    lost = step(ValidityEvent.REPORTED, reason=EndReason.LOST)
    assert code_of(apply(IN_FORCE, lost), lost) == "card.report-open"
    assert code_of(IN_FORCE, step(ValidityEvent.CONFIRMED)) == "card.not-reported"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (ValidityEvent.REPORTED, None),
        (ValidityEvent.REPORTED, EndReason.REPLACED),
        (ValidityEvent.ENDED, EndReason.LOST),
        (ValidityEvent.SUSPENDED, EndReason.LOST),
    ],
)
def test_a_step_that_names_the_wrong_reason_is_none(
    event: ValidityEvent, reason: EndReason | None
) -> None:
    with pytest.raises(ValueError, match=r"reason|reported"):
        step(event, reason=reason)
