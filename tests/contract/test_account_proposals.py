"""What takes two administrators, whatever database stands behind them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.domain.account import AccountId, AccountState
from issuer.domain.account_proposal import AccountAct, AccountProposal, ProposalNumber
from issuer.domain.rights import FOUR_EYES_ROLES, AccountName, Actor, Role
from issuer.domain.second_factor import SecondFactor
from issuer.domain.session import Face
from issuer.errors import IssuerError
from issuer.services.people import AccountChange
from pki.keys.webauthn_keys import CoseAlgorithm
from tests.contract.cards_stage import fresh_sqlite
from tests.unit.issuer.people_stage import (
    OTHER_PASSWORD,
    OTHER_PROVINCE,
    OTHER_ROOT,
    PASSWORD,
    PROVINCE,
    START,
    Stage,
    role,
)

AN, BINH = AccountName("an"), AccountName("binh")
DRAWN = "nước chảy đá mòn 2"
ALONE = frozenset({Role.CLERK, Role.ENDORSER, Role.AUDITOR})


@pytest.fixture(params=["sqlite", "postgresql"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    if request.param == "sqlite":
        database = fresh_sqlite(tmp_path)
    else:
        database = Database(request.getfixturevalue("postgresql_url"))
        schema.upgrade(database)
    made = Stage(register=SqlRegister(database))
    made.administrator()
    yield made
    database.close()


def root(stage: Stage) -> Actor:
    return stage.actor(stage.account("root"))


def code_of(act: Callable[[], object]) -> str | None:
    try:
        act()
    except IssuerError as error:
        return error.code
    return None


def confirm(stage: Stage, number: int, by: Actor) -> AccountProposal:
    return stage.confirmation.confirm(ProposalNumber(number), actor=by, draw=lambda _: DRAWN)


def only(changed: AccountChange) -> AccountProposal:
    (proposal,) = changed.proposals
    return proposal


def waiting(stage: Stage, by: Actor | None = None) -> list[tuple[str, AccountAct]]:
    found = stage.confirmation.waiting(actor=by or stage.other_administrator())
    return [(each.account, each.act) for each in found]


def last(stage: Stage) -> tuple[str, str, dict[str, object]]:
    with stage.register.reading() as transaction:
        *_, record = transaction.audit.records()
    return record.action, record.account, json.loads(record.details)


def test_the_roles_of_four_eyes_are_all_but_those_that_begin_and_watch() -> None:
    assert set(Role) - ALONE == FOUR_EYES_ROLES


@pytest.mark.parametrize("given", Role)
def test_a_role_of_four_eyes_is_given_by_two(stage: Stage, given: Role) -> None:
    made = stage.people.create(
        AN, actor=root(stage), assignments=[role(given, PROVINCE)], password=PASSWORD
    )
    assert bool(made.proposals) is (given not in ALONE)
    assert stage.account(AN).assignments == (() if made.proposals else (role(given, PROVINCE),))
    if given in ALONE:
        return
    number = only(made).number
    assert code_of(lambda: confirm(stage, number, root(stage))) == "right.same-person"
    assert stage.account(AN).assignments == ()
    assert waiting(stage) == [(AN, AccountAct.GIVE_ROLE)]
    confirm(stage, number, stage.other_administrator())
    assert stage.account(AN).assignments == (role(given, PROVINCE),)
    assert last(stage) == (
        "account.role-given",
        OTHER_ROOT,
        {"name": AN, "assignments": f"{given}@P", "proposed_by": "root"},
    )
    assert waiting(stage) == []
    late = "account.proposal-unknown"
    assert code_of(lambda: confirm(stage, number, stage.other_administrator())) == late
    # What the account has is given again by anybody; more of it is not.
    again = stage.people.assign(AN, role(given, PROVINCE), actor=root(stage))
    assert again.proposals == ()
    assert stage.people.assign(AN, role(given), actor=root(stage)).proposals


def with_key(stage: Stage, name: str) -> AccountId:
    account_id = stage.account(name).account_id
    with stage.register.writing() as transaction:
        transaction.people.add_second_factor(
            SecondFactor(
                credential_id=b"credential of " + name.encode(),
                account_id=account_id,
                label="key",
                algorithm=CoseAlgorithm.ES256,
                public_key=b"public",
                counter=0,
                created_at=START,
            )
        )
    return account_id


def test_nobody_alone_gets_into_an_account_of_four_eyes(stage: Stage) -> None:
    stage.person(root(stage), AN, role(Role.DECIDER))
    account_id = with_key(stage, AN)
    stage.people.disable(AN, actor=root(stage))
    drawn: list[str] = []

    def draw() -> str:
        drawn.append(PASSWORD)
        return PASSWORD

    people, by = stage.people, root(stage)
    before = stage.account(AN)
    enabling = only(people.enable(AN, actor=by))
    resetting = only(people.reset_password(AN, draw=draw, actor=by))
    removing = only(people.remove_second_factors(AN, actor=by))
    assert stage.account(AN) == before
    assert not drawn
    with stage.register.reading() as transaction:
        assert len(transaction.people.second_factors(account_id)) == 1
    for each in (enabling, resetting, removing):
        assert code_of(lambda each=each: confirm(stage, each.number, by)) == "right.same-person"
    other = stage.other_administrator()
    confirm(stage, enabling.number, other)
    assert stage.account(AN).state is AccountState.ACTIVE
    opened = stage.enter(AN, face=Face.COMMAND_LINE)
    confirm(stage, resetting.number, other)
    assert last(stage)[::2] == (
        "account.password-reset",
        {"name": AN, "proposed_by": "root"},
    )
    ended = code_of(lambda: stage.log_in.authenticate(opened.token, face=Face.COMMAND_LINE))
    assert ended == "session.ended"
    assert code_of(lambda: stage.enter(AN)) == "login.refused"
    stage.clock.forward(minutes=1)
    assert stage.log_in.log_in(AN, DRAWN, face=Face.CONSOLE)
    # What was proposed before was proposed for whoever had the account then.
    gone = code_of(lambda: confirm(stage, removing.number, other))
    assert gone == "account.proposal-unknown"
    confirm(stage, only(people.remove_second_factors(AN, actor=by)).number, other)
    assert last(stage)[2] == {"name": AN, "factors": 1, "proposed_by": "root"}
    with stage.register.reading() as transaction:
        assert transaction.people.second_factors(account_id) == ()


def test_whoever_got_into_an_account_gets_no_role_that_was_proposed_for_another(
    stage: Stage,
) -> None:
    stage.people.create(AN, actor=root(stage), password=PASSWORD)
    proposal = only(stage.people.assign(AN, role(Role.DECIDER), actor=root(stage)))
    stage.people.reset_password(AN, draw=lambda: OTHER_PASSWORD, actor=root(stage))
    late = code_of(lambda: confirm(stage, proposal.number, stage.other_administrator()))
    assert late == "account.proposal-unknown"


def test_who_confirms_has_the_place_the_second_factor_and_another_account(stage: Stage) -> None:
    stage.person(root(stage), "chief", role(Role.ADMINISTRATOR, PROVINCE))
    stage.person(root(stage), "far", role(Role.ADMINISTRATOR, OTHER_PROVINCE))
    stage.person(root(stage), BINH, role(Role.DECIDER))
    stage.people.create(AN, actor=root(stage), password=PASSWORD)
    number = only(stage.people.assign(AN, role(Role.DECIDER, PROVINCE), actor=root(stage))).number
    other = stage.other_administrator()
    chief, far, binh = (stage.actor(stage.account(each)) for each in ("chief", "far", BINH))
    tired = Actor(account=other.account, assignments=other.assignments)
    for actor, code in (
        (far, "right.missing"),
        # One who decides stands in for nobody while there is another administrator.
        (binh, "right.missing"),
        (tired, "right.step-up-needed"),
        (Actor(account=AN), "right.missing"),
        (Actor(account=AccountName("far:root"), assignments=other.assignments, stepped_up_at=other.stepped_up_at), "right.same-person"),
    ):  # fmt: skip
        assert code_of(lambda actor=actor: confirm(stage, number, actor)) == code
    assert waiting(stage, far) == waiting(stage, binh) == []
    assert code_of(lambda: stage.confirmation.waiting(actor=Actor(account=AN))) == "right.missing"
    assert code_of(lambda: stage.confirmation.withdraw(ProposalNumber(number), actor=far)) == (
        "right.missing"
    )
    # Whoever manages the part sees who waits there for the first role, and nobody else's.
    assert stage.people.show(AN, actor=chief).name == AN
    assert code_of(lambda: stage.people.show(AN, actor=far)) == "right.missing"
    # The account has no role yet, so that whoever manages the part may confirm one of the part.
    assert confirm(stage, number, chief).account == AN
    for absent in (number, 10**6, 2**63, 0, -1):
        found = code_of(lambda absent=absent: confirm(stage, absent, other))
        assert found == "account.proposal-unknown"


def test_nobody_confirms_what_is_proposed_for_themselves(stage: Stage) -> None:
    proposal = only(
        stage.people.assign(OTHER_ROOT, role(Role.ADMINISTRATOR, PROVINCE), actor=root(stage))
    )
    found = code_of(lambda: confirm(stage, proposal.number, stage.other_administrator()))
    assert found == "account.own"


def test_a_proposal_lapses_and_goes_with_whoever_made_it(stage: Stage) -> None:
    stage.people.create(AN, actor=root(stage), password=PASSWORD)
    proposal = only(stage.people.assign(AN, role(Role.DECIDER), actor=root(stage)))
    stage.clock.forward(days=7)
    assert waiting(stage) == [(AN, AccountAct.GIVE_ROLE)]
    stage.clock.forward(seconds=1)
    assert waiting(stage) == []
    over = code_of(lambda: confirm(stage, proposal.number, stage.other_administrator()))
    assert over == "account.proposal-over"
    again = only(stage.people.assign(AN, role(Role.DECIDER), actor=root(stage)))
    assert again.number > proposal.number
    stage.people.disable(AccountName("root"), actor=stage.other_administrator())
    # Nobody has to look whether whoever proposed it is still somebody.
    over = code_of(lambda: confirm(stage, again.number, stage.other_administrator()))
    assert over == "account.proposal-over"
    stage.confirmation.withdraw(again.number, actor=stage.other_administrator())
    assert last(stage)[0] == "account.proposal-withdrawn"
    assert waiting(stage) == []


def test_the_same_proposal_is_there_once_and_what_cannot_be_is_not_proposed(stage: Stage) -> None:
    stage.people.create(AN, actor=root(stage), assignments=[role(Role.CLERK)], password=PASSWORD)
    for _ in range(3):
        stage.people.assign(AN, role(Role.DECIDER), actor=root(stage))
    stage.people.assign(AN, role(Role.DECIDER, PROVINCE), actor=root(stage))
    assert waiting(stage) == [(AN, AccountAct.GIVE_ROLE)] * 2
    mixed = code_of(lambda: stage.people.assign(AN, role(Role.ADMINISTRATOR), actor=root(stage)))
    assert mixed == "account.administrator-alone"
    assert waiting(stage) == [(AN, AccountAct.GIVE_ROLE)] * 2


def test_one_who_decides_stands_in_where_one_administrator_is_left(stage: Stage) -> None:
    stage.person(root(stage), BINH, role(Role.DECIDER))
    stage.person(root(stage), "chi", role(Role.DECIDER, PROVINCE))
    stage.people.disable(OTHER_ROOT, actor=root(stage))
    made = stage.people.create(
        AN, actor=root(stage), assignments=[role(Role.ADMINISTRATOR)], password=PASSWORD
    )
    number = only(made).number
    binh, chi = (stage.actor(stage.account(each)) for each in (BINH, "chi"))
    assert code_of(lambda: confirm(stage, number, root(stage))) == "right.same-person"
    assert code_of(lambda: confirm(stage, number, chi)) == "right.missing"
    tired = Actor(account=binh.account, assignments=binh.assignments)
    assert code_of(lambda: confirm(stage, number, tired)) == "right.step-up-needed"
    assert waiting(stage, binh) == [(AN, AccountAct.GIVE_ROLE)]
    confirm(stage, number, binh)
    assert stage.account(AN).is_administrator_of_all
    assert waiting(stage, binh) == []
    # There are two again: nobody stands in any more.
    further = only(stage.people.assign("chi", role(Role.DECIDER), actor=root(stage)))
    assert code_of(lambda: confirm(stage, further.number, binh)) == "right.missing"


def test_what_is_confirmed_again_is_not_done_again(stage: Stage) -> None:
    stage.people.create(AN, actor=root(stage), password=PASSWORD)
    number = only(stage.people.assign(AN, role(Role.DECIDER), actor=root(stage))).number
    other = stage.other_administrator()
    assert [code_of(lambda: confirm(stage, number, other)) for _ in range(2)] == [
        None,
        "account.proposal-unknown",
    ]
