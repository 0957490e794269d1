"""The states of a request, and random walks through them."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.card_number import CardNumber
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import (
    LIVE_STATES,
    TRANSITIONS,
    CardRequest,
    ReissueReason,
    RequestEvent,
    RequestEventKind,
    RequestId,
    RequestKind,
    RequestState,
    check_reason,
    next_request_state,
    parse_remark,
    parse_request_id,
    right_for,
    steps_taken_by,
)
from issuer.domain.rights import AccountName, Right
from issuer.errors import IssuerDataError, IssuerRefusedError

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DRAFT = CardRequest(
    request_id=RequestId(uuid.UUID(int=1)),
    member_id=MemberId(uuid.UUID(int=2)),
    organisation_code=OrganisationCode("P-01"),
    kind=RequestKind.EXCHANGE,
    ordinal=2,
    created_at=NOW,
)
Event, State = RequestEventKind, RequestState


def test_the_straight_way_leads_from_draft_to_fulfilled() -> None:
    request = DRAFT
    states = [request.state]
    for kind in (
        Event.PROPOSED, Event.ENDORSED, Event.COMPILED, Event.TABLED, Event.DECIDED, Event.FULFILLED,
    ):  # fmt: skip
        request = request.after(kind)
        states.append(request.state)
    assert states == [
        State.DRAFT, State.PROPOSED, State.ENDORSED, State.COMPILED, State.TABLED, State.DECIDED,
        State.FULFILLED,
    ]  # fmt: skip
    assert request.version == 7


@pytest.mark.parametrize("state", [State.PROPOSED, State.ENDORSED, State.COMPILED])
def test_what_is_sent_back_is_proposed_again(state: RequestState) -> None:
    returned = replace(DRAFT, state=state).after(Event.SENT_BACK)
    assert returned.state is State.RETURNED
    assert returned.after(Event.PROPOSED).state is State.PROPOSED


@pytest.mark.parametrize("state", [State.FULFILLED, State.WITHDRAWN])
@pytest.mark.parametrize("kind", list(Event))
def test_nothing_happens_to_what_has_ended(state: RequestState, kind: RequestEventKind) -> None:
    with pytest.raises(IssuerRefusedError) as caught:
        next_request_state(state, kind)
    assert caught.value.code == "request.wrong-state"


def test_only_a_tabled_request_can_be_decided() -> None:
    assert [state for state, kind in TRANSITIONS if kind is Event.DECIDED] == [State.TABLED]
    ways = {state for (state, _), after in TRANSITIONS.items() if after is State.DECIDED}
    assert ways == {State.TABLED, State.DECIDED}
    assert TRANSITIONS[State.DECIDED, Event.WITHDRAWAL_ASKED] is State.DECIDED


def test_a_tabled_or_decided_request_is_not_sent_back_and_a_tabled_one_not_withdrawn() -> None:
    assert (State.TABLED, Event.SENT_BACK) not in TRANSITIONS
    assert (State.TABLED, Event.WITHDRAWN) not in TRANSITIONS
    assert (State.DECIDED, Event.SENT_BACK) not in TRANSITIONS


def test_what_was_decided_is_taken_back_by_those_who_decide_and_loses_its_number() -> None:
    decided = replace(DRAFT, state=State.DECIDED, card_number=CardNumber("98000001"))
    asked = decided.after(Event.WITHDRAWAL_ASKED)
    assert (asked.state, asked.card_number) == (State.DECIDED, decided.card_number)
    withdrawn = asked.after(Event.WITHDRAWN)
    assert (withdrawn.state, withdrawn.card_number) == (State.WITHDRAWN, None)
    for kind in (Event.WITHDRAWAL_ASKED, Event.WITHDRAWN):
        assert right_for(State.DECIDED, kind) is Right.DECIDE
    assert right_for(State.DRAFT, Event.WITHDRAWN) is Right.PROPOSE


@given(st.lists(st.sampled_from(list(Event)), max_size=30))
def test_random_walks_keep_to_the_rules(walk: list[RequestEventKind]) -> None:
    request, seen = DRAFT, [Event.DRAFTED]
    for kind in walk:
        try:
            after = request.after(kind)
        except IssuerRefusedError:
            continue
        seen.append(kind)
        assert after.version == request.version + 1
        assert (after.member_id, after.kind, after.ordinal) == (DRAFT.member_id, DRAFT.kind, 2)
        assert request.is_live
        request = after
    assert request.is_live == (request.state in LIVE_STATES)
    if request.state in (State.DECIDED, State.FULFILLED):
        last_proposal = len(seen) - 1 - seen[::-1].index(Event.PROPOSED)
        # Behind the last proposal every level has spoken, in its order.
        steps = [each for each in seen[last_proposal:] if each is not Event.UNTABLED]
        first = [steps.index(each) for each in (Event.ENDORSED, Event.COMPILED, Event.TABLED, Event.DECIDED)]  # fmt: skip
        assert first == sorted(first)
    assert seen.count(Event.DECIDED) <= 1
    assert seen.count(Event.TABLED) - seen.count(Event.UNTABLED) in (0, 1)


def test_every_step_asks_for_a_right_and_sending_back_for_that_of_the_next_level() -> None:
    for state, kind in TRANSITIONS:
        assert isinstance(right_for(state, kind), Right)
    assert right_for(State.PROPOSED, Event.SENT_BACK) is Right.ENDORSE
    assert right_for(State.ENDORSED, Event.SENT_BACK) is Right.COMPILE
    assert right_for(State.COMPILED, Event.SENT_BACK) is Right.DECIDE
    with pytest.raises(IssuerRefusedError):
        right_for(State.DRAFT, Event.SENT_BACK)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (RequestKind.RE_ISSUE, None),
        (RequestKind.EXCHANGE, ReissueReason.LOST),
        (RequestKind.NEW_ISSUE, ReissueReason.DAMAGED),
    ],
)
def test_a_re_issue_says_why_and_nothing_else_does(
    kind: RequestKind, reason: ReissueReason | None
) -> None:
    with pytest.raises(IssuerDataError) as caught:
        replace(DRAFT, kind=kind, reason=reason)
    assert caught.value.code == "request.reason"
    check_reason(RequestKind.RE_ISSUE, ReissueReason.DATA_CHANGED)
    check_reason(RequestKind.EXCHANGE, None)


@pytest.mark.parametrize("ordinal", [0, 100, -1])
def test_an_ordinal_fits_into_the_card(ordinal: int) -> None:
    with pytest.raises(IssuerDataError) as caught:
        replace(DRAFT, ordinal=ordinal)
    assert caught.value.code == "request.ordinal"


@pytest.mark.parametrize("text", ["", "   ", "a" * 401, "x\ny", "<b>"])
def test_a_remark_is_a_line_of_text(text: str) -> None:
    with pytest.raises(IssuerDataError) as caught:
        parse_remark(text)
    assert caught.value.code == "request.remark"
    assert parse_remark(" ảnh  mờ ") == "ảnh mờ"


def test_an_identifier_is_a_uuid() -> None:
    assert parse_request_id(str(DRAFT.request_id)) == DRAFT.request_id
    with pytest.raises(IssuerDataError) as caught:
        parse_request_id("42")
    assert caught.value.code == "request.id-malformed"


def test_the_steps_of_a_person_are_those_of_every_round() -> None:
    line = [
        RequestEvent(at=NOW, account=AccountName(account), kind=kind)
        for account, kind in (
            ("an", Event.DRAFTED),
            ("an", Event.PROPOSED),
            ("bình", Event.SENT_BACK),
            ("chi", Event.PROPOSED),
        )
    ]
    assert steps_taken_by(AccountName("an"), line) == {Event.DRAFTED, Event.PROPOSED}
    assert steps_taken_by(AccountName("dung"), line) == frozenset()
