"""Decisions, and the configuration of who decides."""

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from issuer.domain.decisions import (
    MAX_REQUESTS_OF_DECISION,
    AttachedDocument,
    Decision,
    DecisionId,
    DecisionState,
    DocumentDigest,
    DocumentSignature,
    parse_decision_number,
)
from issuer.domain.organisation import OrganisationCode
from issuer.domain.request_policy import HandsRule, NumberRule, RequestPolicy
from issuer.domain.requests import RequestEventKind, RequestKind
from issuer.domain.rights import AccountName
from issuer.errors import IssuerDataError, IssuerRefusedError
from pki.signed.authorisation import MAX_CARDS

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
AN, BINH = AccountName("an"), AccountName("binh")
PREPARED = Decision(
    decision_id=DecisionId(uuid.UUID(int=1)),
    number="12-QĐ/TU",
    decided_on=date(2026, 11, 20),
    committee=OrganisationCode("P"),
    document=AttachedDocument(
        digest=DocumentDigest(bytes(32)), signature=DocumentSignature.PRESENT
    ),
    requests=3,
    prepared_by=AN,
    prepared_at=NOW,
)
PLACE = tuple(OrganisationCode(each) for each in ("P", "P-01", "P-01-02"))


def code_of(decision: Decision, account: AccountName) -> str:
    with pytest.raises(IssuerRefusedError) as caught:
        decision.confirmed(account, NOW)
    return caught.value.code


def test_a_decision_takes_two_people() -> None:
    assert code_of(PREPARED, AN) == "right.same-person"
    confirmed = PREPARED.confirmed(BINH, NOW)
    assert confirmed.state is DecisionState.CONFIRMED
    assert (confirmed.confirmed_by, confirmed.confirmed_at, confirmed.version) == (BINH, NOW, 2)


def test_a_decision_is_confirmed_once_and_not_after_it_was_dropped() -> None:
    for ended in (PREPARED.confirmed(BINH, NOW), PREPARED.dropped(AN)):
        assert code_of(ended, BINH) == "decision.wrong-state"
        for change in (
            lambda each=ended: each.dropped(BINH),
            lambda each=ended: each.with_requests(1),
        ):
            with pytest.raises(IssuerRefusedError) as caught:
                change()
            assert caught.value.code == "decision.wrong-state"


def test_a_decision_without_document_or_requests_is_none() -> None:
    assert code_of(replace(PREPARED, document=None), BINH) == "decision.no-document"
    assert code_of(replace(PREPARED, requests=0), BINH) == "decision.empty"


def test_a_decision_holds_what_one_authorisation_can_speak_for() -> None:
    assert MAX_REQUESTS_OF_DECISION == MAX_CARDS
    full = PREPARED.with_requests(MAX_REQUESTS_OF_DECISION - 3)
    with pytest.raises(IssuerRefusedError) as caught:
        full.with_requests(1)
    assert caught.value.code == "decision.too-many-requests"


@pytest.mark.parametrize("number", ["123-QĐ/TU", "7", "12 QD/BTCTW", "01-QĐNS/ĐU"])
def test_numbers_as_decisions_bear_them_are_taken(number: str) -> None:
    assert parse_decision_number(number) == number


@pytest.mark.parametrize("number", ["", "-1", "1-", "x\n", "1" * 65, "<1>", "1\u2028"])
def test_other_numbers_are_refused(number: str) -> None:
    with pytest.raises(IssuerDataError) as caught:
        parse_decision_number(number)
    assert caught.value.code == "decision.number-malformed"


@pytest.mark.parametrize(
    ("level", "committee"), [(0, "P"), (1, "P-01"), (2, "P-01-02"), (3, "P-01-02")]
)
def test_which_level_decides_is_configuration(level: int, committee: str) -> None:
    assert RequestPolicy(deciding_level=level).deciding_committee(PLACE) == committee


def test_which_numbers_are_kept_is_configuration() -> None:
    keeping = RequestPolicy()
    assert [keeping.needs_number(kind) for kind in RequestKind] == [True, False, False]
    renewing = RequestPolicy(exchange_number=NumberRule.NEW, re_issue_number=NumberRule.NEW)
    assert [renewing.needs_number(kind) for kind in RequestKind] == [True, True, True]


_EARLIER = (
    RequestEventKind.DRAFTED,
    RequestEventKind.PROPOSED,
    RequestEventKind.ENDORSED,
    RequestEventKind.COMPILED,
)


@pytest.mark.parametrize("hands", list(HandsRule))
@pytest.mark.parametrize("step", list(RequestEventKind))
@pytest.mark.parametrize("taken", _EARLIER)
def test_hands_are_kept_apart_as_configured(
    hands: HandsRule, step: RequestEventKind, taken: RequestEventKind
) -> None:
    deciding = step in (RequestEventKind.TABLED, RequestEventKind.DECIDED)
    endorsing = step is RequestEventKind.ENDORSED and taken is RequestEventKind.PROPOSED
    barred = {
        HandsRule.EVERY_LEVEL: deciding or endorsing,
        HandsRule.DECISION: deciding,
        HandsRule.FOUR_EYES: False,
    }[hands]
    policy = RequestPolicy(hands=hands)
    policy.keep_apart(AN, step, taken=frozenset())
    if not barred:
        policy.keep_apart(AN, step, taken=frozenset({taken}))
        return
    with pytest.raises(IssuerRefusedError) as caught:
        policy.keep_apart(AN, step, taken=frozenset({taken}))
    assert caught.value.code == "request.same-hands"
