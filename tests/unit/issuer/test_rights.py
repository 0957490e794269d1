from datetime import UTC, datetime, timedelta

import pytest

from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import (
    ROLE_RIGHTS,
    STEP_UP_RIGHTS,
    STEP_UP_TIME,
    AccountName,
    Actor,
    Assignment,
    Right,
    Role,
    two_different_people,
)
from issuer.errors import IssuerRefusedError

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
PROVINCE = (OrganisationCode("T01"),)
COMMUNE = (*PROVINCE, OrganisationCode("T01.002"))
OTHER = (OrganisationCode("T02"),)


def actor(*assignments: Assignment, stepped_up_at: datetime | None = None) -> Actor:
    return Actor(account=AccountName("an"), assignments=assignments, stepped_up_at=stepped_up_at)


def code_of(person: Actor, right: Right, place: tuple[OrganisationCode, ...]) -> str | None:
    try:
        person.demand(right, place=place, now=NOW)
    except IssuerRefusedError as error:
        return error.code
    return None


def test_whoever_has_no_role_may_do_nothing() -> None:
    assert {code_of(actor(), right, PROVINCE) for right in Right} == {"right.missing"}


def test_a_role_reaches_its_organisation_and_all_below_it() -> None:
    clerk = actor(Assignment(role=Role.CLERK, organisation=COMMUNE[-1]))
    assert code_of(clerk, Right.WRITE_MEMBERS, COMMUNE) is None
    assert code_of(clerk, Right.WRITE_MEMBERS, (*COMMUNE, OrganisationCode("cell"))) is None
    assert code_of(clerk, Right.WRITE_MEMBERS, PROVINCE) == "right.missing"
    assert code_of(clerk, Right.WRITE_MEMBERS, OTHER) == "right.missing"
    assert code_of(clerk, Right.WRITE_MEMBERS, ()) == "right.missing"
    assert clerk.roots(Right.WRITE_MEMBERS) == {COMMUNE[-1]}
    assert actor(Assignment(role=Role.CLERK)).roots(Right.WRITE_MEMBERS) is None


@pytest.mark.parametrize(
    ("age", "code"),
    [
        (timedelta(0), None),
        (STEP_UP_TIME, None),
        (STEP_UP_TIME + timedelta(seconds=1), "right.step-up-needed"),
        (timedelta(seconds=-1), "right.step-up-needed"),
        (None, "right.step-up-needed"),
    ],
)
def test_a_second_factor_counts_for_its_time(age: timedelta | None, code: str | None) -> None:
    shown = None if age is None else NOW - age
    decider = actor(Assignment(role=Role.DECIDER), stepped_up_at=shown)
    assert code_of(decider, Right.DECIDE, PROVINCE) == code


def test_what_lies_in_no_one_part_of_the_tree_takes_the_right_in_any_and_the_second_factor() -> (
    None
):
    codes = []
    for role, shown in ((Role.CLERK, NOW), (Role.CLERK, None), (Role.DECIDER, NOW)):
        person = actor(Assignment(role=role, organisation=COMMUNE[-1]), stepped_up_at=shown)
        try:
            person.demand_somewhere(Right.EXPORT_MEMBERS, now=NOW)
        except IssuerRefusedError as error:
            codes.append(error.code)
    assert codes == ["right.step-up-needed", "right.missing"]


def test_whoever_makes_cards_or_compares_proofs_may_export_what_that_takes() -> None:
    for rights in ROLE_RIGHTS.values():
        if rights & {Right.PRODUCE_CARDS, Right.FREEZE_BATCHES}:
            assert Right.EXPORT_CARDS in rights
        if Right.IMPORT_MEMBERS in rights:
            assert Right.EXPORT_MEMBERS in rights


def test_every_right_is_somebodys_and_no_role_has_all_steps_to_a_card() -> None:
    assert set().union(*ROLE_RIGHTS.values()) == set(Right)
    assert set(ROLE_RIGHTS) == set(Role)
    assert set(Right) > STEP_UP_RIGHTS
    path = {Right.PROPOSE, Right.ENDORSE, Right.DECIDE, Right.PRODUCE_CARDS}
    assert max(len(path & rights) for rights in ROLE_RIGHTS.values()) == 1


def test_an_auditor_sees_no_member() -> None:
    assert Right.READ_MEMBERS not in ROLE_RIGHTS[Role.AUDITOR]


def test_one_person_is_not_two() -> None:
    two_different_people(AccountName("an"), AccountName("binh"), act="a decision")
    with pytest.raises(IssuerRefusedError) as caught:
        two_different_people(AccountName("an"), AccountName("an"), act="a decision")
    assert caught.value.code == "right.same-person"
