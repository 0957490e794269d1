"""What a status list says about a card decides, by its age, the policy and the purpose; the unknown is never valid."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from pki.certificates.trust import TrustAnchors
from pki.signed.card_states import CardState
from pki.signed.security_object import StatusReference
from simulators.authority import TestAuthority
from tests.unit.verifier.status_office import (
    STATUS_POLICY,
    StatusOffice,
    reference_of,
    signed_policy,
)
from verifier.errors import TrustError
from verifier.inspection.checks import CheckName, CheckState
from verifier.inspection.explained_facts import facts_of_check
from verifier.inspection.explained_material import Material
from verifier.inspection.messages import FactName
from verifier.inspection.policy import Policy
from verifier.inspection.report import Report, Verdict, inspect
from verifier.inspection.snapshot import CardSnapshot
from verifier.inspection.status_rules import NewerCards

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Judge = Callable[..., Report]
REFUSING = [state for state in CardState if state not in (CardState.VALID, CardState.DATA_STALE)]


@pytest.fixture(scope="module")
def office(test_pki: TestAuthority) -> StatusOffice:
    return StatusOffice(authority=test_pki)


@pytest.fixture(scope="module")
def reference(accepted_snapshot: CardSnapshot) -> StatusReference:
    return reference_of(accepted_snapshot)


@pytest.fixture(scope="module")
def hold(anchors: TrustAnchors) -> Callable[..., TrustAnchors]:
    def hold(*lists: bytes) -> TrustAnchors:
        return replace(
            anchors, status_lists=tuple(anchors.admit_status_list(item) for item in lists)
        )

    return hold


@pytest.fixture(scope="module")
def judge(
    office: StatusOffice,
    reference: StatusReference,
    hold: Callable[..., TrustAnchors],
    accepted_snapshot: CardSnapshot,
    now: datetime,
) -> Judge:
    def judge(
        state: CardState | None,
        *,
        age: timedelta = HOUR,
        policy: str = STATUS_POLICY,
        purpose: str | None = None,
        **options: Any,
    ) -> Report:
        der = office.sign(reference, state, at=now - age, **options)
        return inspect(
            accepted_snapshot,
            trust=hold(der),
            policy=Policy.from_bytes(policy.encode()),
            now=now,
            purpose=purpose,
        )

    return judge


def test_a_valid_card_on_a_fresh_list_is_accepted_silently(judge: Judge) -> None:
    report = judge(CardState.VALID)
    assert (report.verdict, report.codes, report.notes) == (Verdict.ACCEPTED, (), ())


@pytest.mark.parametrize("state", REFUSING, ids=lambda state: state.label)
@pytest.mark.parametrize("age", [HOUR, 20 * DAY, 80 * DAY], ids=str)
def test_what_a_list_says_against_a_card_counts_however_old_it_is(
    judge: Judge, state: CardState, age: timedelta
) -> None:
    report = judge(state, age=age)
    assert (report.verdict, report.codes) == (Verdict.REFUSED, (f"status.{state.label}",))
    (check,) = [item for item in report.checks if item.name is CheckName.CARD_STATUS]
    assert check.state is CheckState.FAILED
    assert state.label.replace("-", " ") in check.sentence


def test_stale_data_is_accepted_with_a_note(judge: Judge) -> None:
    report = judge(CardState.DATA_STALE)
    assert (report.verdict, report.notes) == (Verdict.ACCEPTED, ("status.data-stale",))


@pytest.mark.parametrize("state", [CardState.VALID, CardState.DATA_STALE])
@pytest.mark.parametrize(
    ("age", "codes", "notes"),
    [
        (48 * HOUR, (), ()),
        (48 * HOUR + timedelta(seconds=1), (), ("trust.aging",)),
        (30 * DAY, (), ("trust.aging",)),
        (30 * DAY + timedelta(seconds=1), ("trust.stale",), ()),
        (-timedelta(seconds=1), ("status.list-in-future",), ()),
    ],
    ids=["fresh", "just old", "usable", "too old", "in the future"],
)
def test_a_list_is_fresh_then_usable_with_a_note_then_too_old(
    judge: Judge,
    state: CardState,
    age: timedelta,
    codes: tuple[str, ...],
    notes: tuple[str, ...],
) -> None:
    report = judge(state, age=age, lifetime=90 * DAY)
    assert report.codes == codes
    assert report.verdict is (Verdict.REFUSED if codes else Verdict.ACCEPTED)
    own = ("status.data-stale",) if state is CardState.DATA_STALE and not codes else ()
    assert report.notes == (*own, *notes)


def test_a_list_whose_next_one_is_due_is_told_of(judge: Judge) -> None:
    assert judge(CardState.VALID, lifetime=30 * timedelta(minutes=1)).notes == ("trust.aging",)


def test_a_purpose_may_live_longer_with_a_list(judge: Judge) -> None:
    text = (
        signed_policy("[status]\nfresh_hours = 2\nusable_hours = 24\n")
        + "\n[purposes.meeting]\n"
        + STATUS_POLICY.split("[purposes.inspection]\n")[1]
        + "[purposes.meeting.status]\nfresh_hours = 100\nusable_hours = 200\n"
    )
    assert judge(CardState.VALID, policy=text).notes == ()
    assert judge(CardState.VALID, policy=text, age=3 * HOUR).notes == ("trust.aging",)
    assert judge(CardState.VALID, policy=text, age=99 * HOUR).codes == ("trust.stale",)
    meeting = judge(CardState.VALID, policy=text, age=99 * HOUR, purpose="meeting")
    assert (meeting.verdict, meeting.notes) == (Verdict.ACCEPTED, ())


@pytest.mark.parametrize("newer", list(NewerCards))
def test_a_card_that_the_list_must_know_is_refused_whatever_the_policy(
    judge: Judge, newer: NewerCards
) -> None:
    text = signed_policy(f'[status]\nnewer_cards = "{newer}"\n')
    assert judge(None, policy=text).codes == ("status.unknown",)


def test_a_card_that_is_newer_than_the_list_passes_only_by_policy(
    judge: Judge, test_pki: TestAuthority, now: datetime
) -> None:
    """The card was signed at the authority's time; the list was made an hour before."""
    age = now - test_pki.created_at + HOUR
    assert judge(None, age=age).codes == ("status.newer-than-list",)
    text = signed_policy('[status]\nnewer_cards = "note"\n')
    report = judge(None, age=age, policy=text)
    assert (report.verdict, report.notes) == (Verdict.ACCEPTED, ("status.newer-than-list",))
    late = judge(None, age=40 * DAY, policy=text, lifetime=90 * DAY)
    assert late.codes == ("trust.stale",)


def test_without_a_list_a_card_is_refused_where_its_status_is_required(
    accepted_snapshot: CardSnapshot, anchors: TrustAnchors, policy: Policy, now: datetime
) -> None:
    required = Policy.from_bytes(STATUS_POLICY.encode())
    report = inspect(accepted_snapshot, trust=anchors, policy=required, now=now)
    assert (report.verdict, report.codes) == (Verdict.REFUSED, ("status.no-list",))
    report = inspect(accepted_snapshot, trust=anchors, policy=policy, now=now)
    assert (report.verdict, report.notes) == (Verdict.ACCEPTED, ())


def test_where_nobody_requires_it_a_lost_card_is_still_told_of(
    judge: Judge, policy: Policy
) -> None:
    text = STATUS_POLICY.replace(' "status.card",', "")
    assert CheckName.CARD_STATUS not in policy.required_checks()
    report = judge(CardState.LOST, policy=text)
    assert (report.verdict, report.notes) == (Verdict.ACCEPTED, ("status.lost",))


def test_the_list_with_the_highest_number_counts(
    office: StatusOffice,
    reference: StatusReference,
    hold: Callable[..., TrustAnchors],
    accepted_snapshot: CardSnapshot,
    now: datetime,
) -> None:
    required = Policy.from_bytes(STATUS_POLICY.encode())
    first = office.sign(reference, CardState.VALID, at=now - 2 * HOUR, number=1)
    second = office.sign(reference, CardState.LOST, at=now - HOUR, number=2)
    for lists in ((first, second), (second, first)):
        report = inspect(accepted_snapshot, trust=hold(*lists), policy=required, now=now)
        assert report.codes == ("status.lost",)


def test_another_authoritys_list_says_nothing_about_the_card(
    reference: StatusReference,
    accepted_snapshot: CardSnapshot,
    test_pki: TestAuthority,
    now: datetime,
) -> None:
    other = TestAuthority.create(now=test_pki.created_at, name="TEST CSCA of somebody else")
    anchors = TrustAnchors.from_bytes(
        certificates=(test_pki.root.certificate, other.root.certificate),
        crls=(test_pki.revocation_list(now=now),),
    )
    der = StatusOffice(authority=other).sign(reference, CardState.VALID, at=now - HOUR)
    held = replace(anchors, status_lists=(anchors.admit_status_list(der),))
    required = Policy.from_bytes(STATUS_POLICY.encode())
    report = inspect(accepted_snapshot, trust=held, policy=required, now=now)
    assert report.codes == ("status.no-list",)


def test_an_explanation_says_which_list_and_what_it_says(
    office: StatusOffice,
    reference: StatusReference,
    hold: Callable[..., TrustAnchors],
    accepted_snapshot: CardSnapshot,
    now: datetime,
) -> None:
    material = Material(
        snapshot=accepted_snapshot,
        policy=Policy.from_bytes(STATUS_POLICY.encode()),
        trust=hold(office.sign(reference, CardState.LOST, at=now - HOUR, number=7)),
        now=now,
    )
    facts = {
        item.name: item.value for item in facts_of_check(CheckName.CARD_STATUS, material, None)
    }
    assert facts[FactName.LIST_NUMBER] == "7"
    assert facts[FactName.CARD_STATUS] == "card-lost"


@pytest.mark.parametrize(
    "table",
    [
        "[status]\n",
        "[status]\nfresh_hours = 0\n",
        "[status]\nfresh_hours = true\n",
        "[status]\nfresh_hours = 10\nusable_hours = 9\n",
        "[status]\nusable_hours = 9000\n",
        '[status]\nnewer_cards = "accept"\n',
        "[status]\nforever = true\n",
        "status = 3\n",
    ],
)
def test_rules_that_mean_nothing_are_refused(table: str) -> None:
    with pytest.raises(TrustError) as caught:
        Policy.from_bytes(signed_policy(table).encode())
    assert caught.value.code == "policy.malformed"
