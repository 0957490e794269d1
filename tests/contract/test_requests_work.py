"""Requests from draft to decided, whatever database stands behind them."""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db import schema
from issuer.db.base import Database
from issuer.domain.card_number import CardNumber
from issuer.domain.decisions import DecisionState, DocumentSignature
from issuer.domain.member import MemberId, Standing
from issuer.domain.request_policy import HandsRule, NumberRule, RequestPolicy
from issuer.domain.requests import (
    ReissueReason,
    RequestEventKind,
    RequestId,
    RequestKind,
    RequestState,
)
from issuer.domain.rights import Role
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.draft_requests import Wish
from issuer.services.move_requests import RequestSteps
from issuer.services.request_ports import RequestPosition, RequestQuestion, RequestStep
from tests.contract.cards_stage import CardsStage
from tests.contract.requests_stage import (
    CELL,
    CLERK,
    COMMUNE,
    COMPILER,
    DRAFT,
    ENDORSER,
    FIRST,
    NEW_ISSUE,
    NOW,
    OTHER,
    PROVINCE,
    SECOND,
    Portraits,
    Stage,
    actor,
    codes,
    ids,
    member,
)

Event, State = RequestEventKind, RequestState


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = (
        f"sqlite:///{tmp_path / 'issuer.sqlite'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    opened = Database(url)
    schema.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def stage(database: Database) -> Stage:
    opened = Stage(database)
    opened.fill([member(number) for number in range(1, 11)])
    return opened


def test_requests_go_from_the_cell_to_numbers(stage: Stage) -> None:
    stage.grant()
    exchanges = stage.compiled(2, 4, 6, 8)
    new_issues = stage.compiled(1, 3, wish=NEW_ISSUE)
    decision, outcomes = stage.prepare([*exchanges, *new_issues])
    assert codes(outcomes) == [None] * 6
    assert {each.state for each in outcomes} == {State.TABLED}
    outcomes = stage.confirm(decision)
    assert codes(outcomes) == [None] * 6
    assert stage.states() == {State.DECIDED: 6}
    numbers = {each: stage.get(each).card_number for each in (*exchanges, *new_issues)}
    assert [numbers[each] for each in exchanges] == [f"97{each:06}" for each in (2, 4, 6, 8)]
    assert {numbers[each] for each in new_issues} == {"98000001", "98000002"}
    confirmed = stage.decision(decision.decision_id)
    assert confirmed.state is DecisionState.CONFIRMED
    assert (confirmed.prepared_by, confirmed.confirmed_by, confirmed.requests) == (
        "first",
        "second",
        6,
    )
    assert [each.kind for each in stage.line(exchanges[0])] == [
        Event.DRAFTED, Event.PROPOSED, Event.ENDORSED, Event.COMPILED, Event.TABLED, Event.DECIDED,
    ]  # fmt: skip
    assert [each.account for each in stage.line(exchanges[0])] == [
        "clerk", "clerk", "endorser", "compiler", "first", "second",
    ]  # fmt: skip
    assert stage.actions().count("request.decided") == 6
    assert stage.actions().count("decision.confirmed") == 1


def test_ordinals_count_the_cards_of_a_member(stage: Stage) -> None:
    exchange, first = ids([*stage.draft(2), *stage.draft(1, wish=NEW_ISSUE)])
    assert (stage.get(exchange).ordinal, stage.get(first).ordinal) == (2, 1)
    (stated,) = ids(stage.draft(4, wish=Wish(kind=RequestKind.EXCHANGE, ordinal=5)))
    assert stage.get(stated).ordinal == 5


def test_whoever_may_have_no_card_gets_no_draft(database: Database) -> None:
    stage = Stage(database)
    stage.fill(
        [
            member(1),
            member(2, standing=Standing.SUSPENDED),
            member(4, standing=Standing.PROBATIONARY, recognition_date=None),
            member(6, organisation_code=OTHER),
            member(8),
        ]
    )
    outcomes = stage.draft(1, 2, 4, 6, 8, 99)
    assert codes(outcomes) == [
        "eligibility.no-earlier-card",
        "eligibility.suspended",
        "eligibility.not-official",
        "right.missing",
        None,
        "member.unknown",
    ]
    assert stage.states() == {State.DRAFT: 1}


def test_the_same_drafts_again_are_found(stage: Stage) -> None:
    first = stage.draft(2, 4)
    again = stage.draft(2, 4, 6)
    assert ids(again)[:2] == ids(first)
    assert [each.is_changed for each in again] == [False, False, True]
    other = stage.draft(2, wish=Wish(kind=RequestKind.RE_ISSUE, reason=ReissueReason.LOST))
    assert codes(other) == ["eligibility.other-request"]


def test_a_re_issue_without_reason_is_no_wish(stage: Stage) -> None:
    with pytest.raises(IssuerDataError) as caught:
        stage.draft(2, wish=Wish(kind=RequestKind.RE_ISSUE))
    assert caught.value.code == "request.reason"


def test_steps_are_repeated_without_harm_and_skipped_by_nobody(stage: Stage) -> None:
    requests = ids(stage.draft(2, 4, 6, 8))
    assert codes(stage.take(Event.ENDORSED, requests, by=ENDORSER)) == ["request.wrong-state"] * 4
    assert codes(stage.take(Event.PROPOSED, requests[:2], by=CLERK)) == [None] * 2
    again = stage.take(Event.PROPOSED, requests, by=CLERK)
    assert [(each.code, each.is_changed) for each in again] == [
        (None, False), (None, False), (None, True), (None, True),
    ]  # fmt: skip
    assert stage.actions().count("request.proposed") == 4
    unknown = RequestId(uuid.UUID(int=7))
    assert codes(stage.take(Event.ENDORSED, [unknown, requests[0]], by=ENDORSER)) == [
        "request.unknown",
        None,
    ]


def test_each_level_keeps_to_its_rights_and_its_part_of_the_tree(stage: Stage) -> None:
    requests = ids(stage.draft(2))
    assert codes(stage.take(Event.PROPOSED, requests, by=ENDORSER)) == ["right.missing"]
    elsewhere = actor("elsewhere", Role.CLERK, at=OTHER)
    assert codes(stage.take(Event.PROPOSED, requests, by=elsewhere)) == ["right.missing"]
    stage.take(Event.PROPOSED, requests, by=CLERK)
    stage.take(Event.ENDORSED, requests, by=ENDORSER)
    # The commune's endorser does not compile for the province, which decides.
    assert codes(stage.take(Event.COMPILED, requests, by=ENDORSER)) == ["right.missing"]
    assert codes(stage.take(Event.COMPILED, requests, by=COMPILER)) == [None]
    commune_decider = actor("commune", Role.DECIDER, at=COMMUNE)
    with pytest.raises(IssuerRefusedError) as caught:
        stage.prepare(requests, by=commune_decider)
    assert caught.value.code == "right.missing"
    stale = replace(FIRST, stepped_up_at=None)
    with pytest.raises(IssuerRefusedError) as caught:
        stage.prepare(requests, by=stale)
    assert caught.value.code == "right.step-up-needed"


def test_which_committee_decides_is_configuration(database: Database) -> None:
    stage = Stage(database, policy=RequestPolicy(deciding_level=1))
    stage.fill([member(2)])
    commune = {
        name: actor(name, role, at=COMMUNE)
        for name, role in (
            ("e", Role.ENDORSER),
            ("c", Role.ENDORSER),
            ("d", Role.DECIDER),
            ("f", Role.DECIDER),
        )
    }
    requests = ids(stage.draft(2))
    stage.take(Event.PROPOSED, requests, by=CLERK)
    stage.take(Event.ENDORSED, requests, by=commune["e"])
    assert codes(stage.take(Event.COMPILED, requests, by=commune["c"])) == [None]
    _, outcomes = stage.prepare(requests)
    assert codes(outcomes) == ["decision.other-committee"]
    decision, outcomes = stage.prepare(
        requests, by=commune["d"], draft=replace(DRAFT, committee=COMMUNE)
    )
    assert codes(outcomes) == [None]
    assert codes(stage.confirm(decision, by=commune["f"])) == [None]


def test_what_is_sent_back_says_why_and_comes_again(stage: Stage) -> None:
    requests = ids(stage.draft(2))
    stage.take(Event.PROPOSED, requests, by=CLERK)
    with pytest.raises(IssuerDataError) as caught:
        stage.take(Event.SENT_BACK, requests, by=ENDORSER)
    assert caught.value.code == "request.remark"
    assert codes(stage.take(Event.SENT_BACK, requests, by=ENDORSER, remark="ảnh mờ")) == [None]
    again = stage.take(Event.SENT_BACK, requests, by=ENDORSER, remark="ảnh mờ")
    assert [(each.code, each.is_changed) for each in again] == [(None, False)]
    assert stage.line(requests[0])[-1].remark == "ảnh mờ"
    assert codes(stage.take(Event.PROPOSED, requests, by=CLERK)) == [None]
    # Remarks are words of people: the trail holds none.
    with stage.register.reading() as transaction:
        assert "ảnh mờ" not in str([each.record() for each in transaction.audit.records()])


def test_a_withdrawn_request_makes_room_for_another(stage: Stage) -> None:
    requests = ids(stage.draft(2))
    assert codes(stage.take(Event.WITHDRAWN, requests, by=CLERK, remark="nhầm")) == [None]
    (again,) = ids(stage.draft(2))
    assert again != requests[0]
    assert stage.states() == {State.WITHDRAWN: 1, State.DRAFT: 1}


def test_who_lost_eligibility_or_the_portrait_is_not_proposed(stage: Stage) -> None:
    requests = ids(stage.draft(2, 4))
    _set_standing(stage, 2, Standing.EXPELLED)
    assert codes(stage.take(Event.PROPOSED, requests, by=CLERK)) == [
        "eligibility.no-full-standing",
        None,
    ]
    stage.stores.portraits.clear()
    _set_standing(stage, 2, Standing.OFFICIAL)
    assert codes(stage.take(Event.PROPOSED, requests[:1], by=CLERK)) == ["portrait.lost"]


def test_whoever_took_a_step_does_not_decide(stage: Stage) -> None:
    both = actor("both", Role.ENDORSER, Role.DECIDER, at=PROVINCE)
    requests = ids(stage.draft(2, 4))
    stage.take(Event.PROPOSED, requests, by=CLERK)
    stage.take(Event.ENDORSED, requests, by=ENDORSER)
    stage.take(Event.COMPILED, requests[:1], by=both)
    stage.take(Event.COMPILED, requests[1:], by=COMPILER)
    decision, outcomes = stage.prepare(requests, by=both)
    assert codes(outcomes) == ["request.same-hands", None]
    assert codes(stage.confirm(decision)) == [None]
    decision, outcomes = stage.prepare(requests[:1], draft=replace(DRAFT, number="13"))
    assert codes(outcomes) == [None]
    with pytest.raises(IssuerRefusedError) as caught:
        stage.confirm(decision, by=both)
    assert caught.value.code == "request.same-hands"
    assert stage.get(requests[0]).state is State.TABLED


def test_whoever_prepared_does_not_confirm_not_even_the_rest(stage: Stage) -> None:
    decision, _ = stage.prepare(stage.compiled(2))
    for _ in range(2):
        with pytest.raises(IssuerRefusedError) as caught:
            stage.confirm(decision, by=FIRST)
        assert caught.value.code == "right.same-person"
        stage.confirm(decision)


def test_the_database_itself_lets_nobody_confirm_their_own_decision(stage: Stage) -> None:
    decision, _ = stage.prepare(stage.compiled(2))
    forged = replace(
        decision, requests=1, version=3, confirmed_by=FIRST.account, confirmed_at=stage.clock()
    )
    with pytest.raises(ConflictError), stage.register.writing() as transaction:
        transaction.decisions.store(forged)


def test_a_member_who_died_before_the_confirmation_gets_no_number(stage: Stage) -> None:
    stage.grant()
    requests = stage.compiled(1, 3, 5, wish=NEW_ISSUE)
    decision, _ = stage.prepare(requests)
    _set_standing(stage, 3, Standing.DECEASED)
    outcomes = stage.confirm(decision)
    assert codes(outcomes) == [None, "eligibility.no-full-standing", None]
    assert [stage.get(each).state for each in requests] == [
        State.DECIDED, State.COMPILED, State.DECIDED,
    ]  # fmt: skip
    assert [stage.get(each).card_number for each in requests] == ["98000001", None, "98000002"]


def test_a_decision_without_numbers_is_refused_before_it_is_confirmed(stage: Stage) -> None:
    stage.grant(1, 1)
    decision, _ = stage.prepare(stage.compiled(1, 3, wish=NEW_ISSUE))
    with pytest.raises(IssuerRefusedError) as caught:
        stage.confirm(decision)
    assert caught.value.code == "numbers.exhausted"
    assert stage.decision(decision.decision_id).state is DecisionState.PREPARED
    stage.grant(10, 20)
    assert codes(stage.confirm(decision)) == [None, None]


def test_a_confirmation_that_ran_out_of_numbers_is_taken_up_again(stage: Stage) -> None:
    stage.grant(1, 5)
    decision, _ = stage.prepare(stage.compiled(1, 3, 5, 7, 9, wish=NEW_ISSUE))
    # One of the block's numbers turns out to be held: only then is it known that one is missing.
    with stage.register.writing() as transaction:
        transaction.members.add([member(20, earlier_card_number=CardNumber("98000003"))])
    outcomes = stage.confirm(decision)
    assert codes(outcomes) == [None] * 4 + ["numbers.exhausted"]
    assert stage.states() == {State.DECIDED: 4, State.TABLED: 1}
    stage.grant(10, 20)
    third = actor("third", Role.DECIDER, at=PROVINCE)
    assert codes(stage.confirm(decision, by=third)) == [None]
    assert stage.states() == {State.DECIDED: 5}
    assert stage.confirm(decision) == []


def test_a_dropped_decision_gives_its_requests_back_and_its_number_free(stage: Stage) -> None:
    requests = stage.compiled(2, 4, 6, 8)
    decision, _ = stage.prepare(requests)
    assert codes(stage.drop(decision)) == [None] * 4
    assert stage.drop(decision) == []
    assert stage.states() == {State.COMPILED: 4}
    second, outcomes = stage.prepare(requests, by=SECOND)
    assert second.decision_id != decision.decision_id
    assert codes(outcomes) == [None] * 4
    with pytest.raises(IssuerRefusedError) as caught:
        stage.confirm(decision)
    assert caught.value.code == "decision.wrong-state"
    assert codes(stage.confirm(second, by=FIRST)) == [None] * 4
    with pytest.raises(IssuerRefusedError) as caught:
        stage.drop(second)
    assert caught.value.code == "decision.wrong-state"


def test_preparing_is_taken_up_again_by_the_same_person_with_the_same_document(
    stage: Stage,
) -> None:
    requests = stage.compiled(2, 4)
    decision, _ = stage.prepare(requests[:1])
    again, outcomes = stage.prepare(requests)
    assert again.decision_id == decision.decision_id
    assert [each.is_changed for each in outcomes] == [False, True]
    assert stage.decision(decision.decision_id).requests == 2
    for by, draft in (
        (SECOND, DRAFT),
        (FIRST, replace(DRAFT, document=DRAFT.document + b"%%EOF\n")),
    ):
        with pytest.raises(ConflictError) as caught:
            stage.prepare(requests, by=by, draft=draft)
        assert caught.value.code == "decision.number-used"


def test_where_the_settings_ask_for_it_the_document_is_signed(stage: Stage) -> None:
    requests = stage.compiled(2)
    decision, _ = stage.prepare(requests)
    assert decision.document is not None
    assert decision.document.signature is DocumentSignature.ABSENT
    strict = RequestPolicy(needs_signed_document=True)
    confirming = replace(stage.confirming, desk=replace(stage.confirming.desk, policy=strict))
    with pytest.raises(IssuerRefusedError) as caught:
        confirming.confirm(decision.decision_id, actor=SECOND)
    assert caught.value.code == "document.not-signed"
    assert stage.decision(decision.decision_id).state is DecisionState.PREPARED
    preparing = replace(stage.preparing, desk=replace(stage.preparing.desk, policy=strict))
    with pytest.raises(IssuerRefusedError) as caught:
        preparing.prepare(replace(DRAFT, number="9-QĐ/TU"), requests, actor=FIRST)
    assert caught.value.code == "document.not-signed"
    for seen in DocumentSignature:
        if seen is DocumentSignature.PRESENT:
            strict.require_signature(seen)
        else:
            with pytest.raises(IssuerRefusedError):
                strict.require_signature(seen)
        RequestPolicy().require_signature(seen)


def test_a_decision_is_confirmed_as_it_was_seen(stage: Stage) -> None:
    decision, _ = stage.prepare(stage.compiled(2, 4))
    with pytest.raises(ConflictError) as caught:
        stage.confirming.confirm(decision.decision_id, actor=SECOND, requests=1)
    assert caught.value.code == "decision.changed-meanwhile"
    assert codes(stage.confirming.confirm(decision.decision_id, actor=SECOND, requests=2)) == [
        None,
        None,
    ]


def test_a_lost_document_is_noticed_before_anything_is_decided(stage: Stage) -> None:
    decision, _ = stage.prepare(stage.compiled(2))
    stage.stores.documents.clear()
    with pytest.raises(IssuerRefusedError) as caught:
        stage.confirm(decision)
    assert caught.value.code == "document.lost"
    assert stage.decision(decision.decision_id).state is DecisionState.PREPARED


def test_a_request_that_somebody_else_changed_is_refused(stage: Stage) -> None:
    requests = ids(stage.draft(2))
    seen = {requests[0]: 1}
    stage.take(Event.PROPOSED, requests, by=CLERK, versions=seen)
    outcomes = stage.take(Event.ENDORSED, requests, by=ENDORSER, versions=seen)
    assert codes(outcomes) == ["request.changed-meanwhile"]
    stale = stage.get(requests[0])
    event = stage.line(requests[0])[0]
    with pytest.raises(ConflictError) as caught, stage.register.writing() as transaction:
        transaction.requests.store(
            [RequestStep(request=replace(stale, version=stale.version + 2), event=event)]
        )
    assert caught.value.code == "request.changed-meanwhile"


def test_the_database_keeps_one_live_request_for_a_member(stage: Stage) -> None:
    (request,) = ids(stage.draft(2))
    twin = replace(stage.get(request), request_id=RequestId(uuid.UUID(int=5)))
    event = stage.line(request)[0]
    with pytest.raises(ConflictError), stage.register.writing() as transaction:
        transaction.requests.add([RequestStep(request=twin, event=event)])


@pytest.mark.parametrize(
    "verb", ["UPDATE request_events SET account = 'x'", "DELETE FROM request_events"]
)
def test_a_time_line_is_never_rewritten(stage: Stage, verb: str) -> None:
    stage.draft(2)
    with pytest.raises(sa.exc.DBAPIError), stage.database.engine.begin() as connection:
        connection.exec_driver_sql(verb)


def test_a_list_is_walked_in_pages_and_narrowed(stage: Stage) -> None:
    stage.draft(2, 4, 6, 8, 10)
    stage.draft(1, 3, wish=NEW_ISSUE)

    def walk(question: RequestQuestion) -> list[MemberId]:
        found: list[MemberId] = []
        behind: RequestPosition | None = None
        while True:
            with stage.register.reading() as transaction:
                page = transaction.requests.page(question, limit=2, behind=behind)
            found += [each.member_id for each in page.requests]
            if page.end is None:
                return found
            behind = page.end

    assert [each.int for each in walk(RequestQuestion())] == [2, 4, 6, 8, 10, 1, 3]
    assert len(walk(RequestQuestion(kind=RequestKind.NEW_ISSUE))) == 2
    assert len(walk(RequestQuestion(states={State.DRAFT}, below={COMMUNE}))) == 7
    assert walk(RequestQuestion(below={OTHER})) == []
    assert walk(RequestQuestion(below={CELL}, states=set())) == []
    assert len(walk(RequestQuestion(member_id=MemberId(uuid.UUID(int=4))))) == 1


def test_two_clerks_at_once_draft_one_request(stage: Stage) -> None:
    found: list[str | None] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        clerk = Stage(stage.database, stores=stage.stores, first_id=10_000 * number)
        start.wait()
        found.extend(codes(clerk.draft(2)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [None] * 4
    assert stage.states() == {State.DRAFT: 1}


def test_numbers_are_renewed_where_that_is_configured(database: Database) -> None:
    stage = Stage(
        database, policy=RequestPolicy(exchange_number=NumberRule.NEW, hands=HandsRule.FOUR_EYES)
    )
    stage.fill([member(2)])
    stage.grant(7, 9)
    (request,) = stage.compiled(2)
    decision, _ = stage.prepare([request])
    stage.confirm(decision)
    assert stage.get(request).card_number == "98000007"


def _set_standing(stage: Stage, number: int, standing: Standing) -> None:
    with stage.database.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE members SET standing = :standing WHERE record_number = :record"),
            {"standing": standing.value, "record": f"{number:06}AB"},
        )


def test_a_decided_request_with_a_card_is_not_withdrawn(database: Database) -> None:
    stage = CardsStage(database)
    stage.add_card(1, stage.add_member(1))
    with stage.register.reading() as transaction:
        (found,) = transaction.requests.page(RequestQuestion(), limit=10).requests
        assert transaction.requests.with_cards([found.request_id]) == {found.request_id}
    steps = RequestSteps(
        register=stage.register,
        portraits=Portraits({}),
        policy=RequestPolicy(),
        clock=lambda: NOW,
    )
    for each in (FIRST, SECOND):
        (taken,) = steps.take([found.request_id], Event.WITHDRAWN, actor=each, remark="abroad")
        assert taken.code == "request.has-card"


def test_what_is_withdrawn_after_the_decision_can_be_asked_for_again(stage: Stage) -> None:
    wanted = stage.compiled(4)
    decision, _ = stage.prepare(wanted)
    stage.confirm(decision)
    for each in (FIRST, SECOND):
        assert codes(stage.take(Event.WITHDRAWN, wanted, by=each, remark="moved abroad")) == [None]
    assert stage.get(wanted[0]).state is State.WITHDRAWN
    again = stage.compiled(4)
    other, _ = stage.prepare(again, draft=replace(DRAFT, number="13-QĐ/TU"))
    # The number that the member keeps is free for it.
    assert codes(stage.confirm(other)) == [None]
    assert stage.get(again[0]).card_number == "97000004"
