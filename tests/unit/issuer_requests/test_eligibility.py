"""Each rule of who gets a card, by itself."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from issuer.domain.card_number import CardNumber
from issuer.domain.eligibility import (
    RULES,
    Asking,
    Candidate,
    EligibilityFinding,
    findings,
    has_earlier_card_for_exchange,
    has_earlier_card_for_re_issue,
    has_no_card_for_new_issue,
    has_no_other_live_request,
    has_portrait,
    has_valid_record,
    is_not_suspended,
    is_of_full_standing,
    is_official,
    is_recorded_where_asked,
)
from issuer.domain.member import MemberId, PortraitDigest, Standing
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId, RequestKind

TODAY = date(2026, 11, 22)
MINE, OTHER = RequestId(uuid.UUID(int=7)), RequestId(uuid.UUID(int=8))
GOOD = Candidate(
    member_id=MemberId(uuid.UUID(int=1)),
    organisation_code=OrganisationCode("P-01"),
    standing=Standing.OFFICIAL,
    recognised_on=date(2016, 2, 3),
    portrait=PortraitDigest(bytes(32)),
    held_card_number=CardNumber("98000001"),
    cards_before=1,
)
NEW = replace(GOOD, held_card_number=None, cards_before=0)


def asking(kind: RequestKind = RequestKind.EXCHANGE, request: RequestId | None = MINE) -> Asking:
    return Asking(
        kind=kind, today=TODAY, request_id=request, organisation_code=OrganisationCode("P-01")
    )


@pytest.mark.parametrize(
    ("candidate", "kind"),
    [
        (GOOD, RequestKind.EXCHANGE),
        (GOOD, RequestKind.RE_ISSUE),
        (NEW, RequestKind.NEW_ISSUE),
        (replace(GOOD, standing=Standing.EXEMPT), RequestKind.EXCHANGE),
        (replace(GOOD, standing=Standing.ABROAD), RequestKind.EXCHANGE),
        (replace(GOOD, live_request=MINE), RequestKind.EXCHANGE),
        (replace(GOOD, recognised_on=TODAY), RequestKind.EXCHANGE),
    ],
)
def test_whoever_keeps_every_rule_gets_a_card(candidate: Candidate, kind: RequestKind) -> None:
    assert findings(candidate, asking(kind)) == ()


@pytest.mark.parametrize(
    ("rule", "candidate", "kind", "code"),
    [
        (is_official, replace(GOOD, standing=Standing.PROBATIONARY), RequestKind.EXCHANGE, "not-official"),
        (is_official, replace(GOOD, recognised_on=None), RequestKind.EXCHANGE, "not-official"),
        (is_official, replace(GOOD, recognised_on=date(2026, 11, 23)), RequestKind.EXCHANGE, "not-official"),
        (is_of_full_standing, replace(GOOD, standing=Standing.TRANSFERRED), RequestKind.EXCHANGE, "no-full-standing"),
        (is_of_full_standing, replace(GOOD, standing=Standing.DECEASED), RequestKind.EXCHANGE, "no-full-standing"),
        (is_of_full_standing, replace(GOOD, standing=Standing.STRUCK_OFF), RequestKind.EXCHANGE, "no-full-standing"),
        (is_of_full_standing, replace(GOOD, standing=Standing.EXPELLED), RequestKind.EXCHANGE, "no-full-standing"),
        (is_not_suspended, replace(GOOD, standing=Standing.SUSPENDED), RequestKind.EXCHANGE, "suspended"),
        (has_valid_record, replace(GOOD, open_doubts=2), RequestKind.EXCHANGE, "record-doubtful"),
        (has_portrait, replace(GOOD, portrait=None), RequestKind.EXCHANGE, "no-portrait"),
        (has_earlier_card_for_exchange, NEW, RequestKind.EXCHANGE, "no-earlier-card"),
        (has_earlier_card_for_re_issue, NEW, RequestKind.RE_ISSUE, "no-earlier-card"),
        (has_no_card_for_new_issue, GOOD, RequestKind.NEW_ISSUE, "has-card"),
        (is_recorded_where_asked, replace(GOOD, organisation_code=OrganisationCode("P-02")), RequestKind.EXCHANGE, "moved"),
        (has_no_other_live_request, replace(GOOD, live_request=OTHER), RequestKind.EXCHANGE, "other-request"),
    ],
)  # fmt: skip
def test_each_rule_speaks_alone_with_its_code(
    rule: Callable[[Candidate, Asking], EligibilityFinding | None],
    candidate: Candidate,
    kind: RequestKind,
    code: str,
) -> None:
    found = rule(candidate, asking(kind))
    assert found is not None
    assert found.code == f"eligibility.{code}"
    assert found.sentence == found.sentence[0].lower() + found.sentence[1:].rstrip(".")
    assert findings(candidate, asking(kind)) == (found,)


def test_every_standing_is_judged_by_exactly_one_rule() -> None:
    eligible = {
        standing
        for standing in Standing
        if not findings(replace(GOOD, standing=standing), asking())
    }
    assert eligible == {Standing.OFFICIAL, Standing.EXEMPT, Standing.ABROAD}
    for standing in set(Standing) - eligible:
        assert len(findings(replace(GOOD, standing=standing), asking())) == 1


def test_an_open_request_bars_a_new_one_before_it_has_an_identifier() -> None:
    found = findings(replace(GOOD, live_request=OTHER), asking(request=None))
    assert [each.code for each in found] == ["eligibility.other-request"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    candidate = replace(
        NEW, standing=Standing.SUSPENDED, portrait=None, open_doubts=1, live_request=OTHER
    )
    assert [each.code for each in findings(candidate, asking())] == [
        "eligibility.suspended",
        "eligibility.record-doubtful",
        "eligibility.no-portrait",
        "eligibility.no-earlier-card",
        "eligibility.other-request",
    ]


def test_sentences_name_nobody() -> None:
    candidate = replace(GOOD, live_request=OTHER)
    for rule in RULES:
        for kind in RequestKind:
            found = rule(candidate, asking(kind))
            assert found is None or "98000001" not in found.sentence
