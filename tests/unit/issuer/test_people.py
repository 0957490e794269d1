"""Who may make, change and end accounts, and what stays in the audit trail."""

import json
from collections.abc import Callable

import pytest

from issuer.domain.account import AccountState
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.domain.session import Face
from issuer.errors import IssuerDataError, IssuerError
from issuer.services.register_ports import Register
from tests.unit.issuer.people_stage import (
    COMMUNE,
    OTHER_PASSWORD,
    OTHER_PROVINCE,
    PASSWORD,
    PROVINCE,
    Stage,
    role,
)

AN = AccountName("an")


@pytest.fixture
def stage(empty_register: Register) -> Stage:
    return Stage(register=empty_register)


def code_of(act: Callable[[], object]) -> str | None:
    try:
        act()
    except IssuerError as error:
        return error.code
    return None


def test_the_first_administrators_are_made_once(stage: Stage) -> None:
    stage.administrator()
    for name, is_provisional in (("root", False), ("root-2", True)):
        account = stage.account(name)
        assert account.is_administrator_of_all
        assert account.password is not None
        # The second one's was set by the first, for all that anybody knows.
        assert account.password.is_provisional is is_provisional
    assert code_of(lambda: stage.administrator("other")) == "account.not-first"
    assert stage.actions() == ["account.first-created"] * 2


def test_the_first_two_administrators_are_two(stage: Stage) -> None:
    one, far = AccountName("root"), AccountName("far:root")
    for second in (one, far):
        made = lambda second=second: stage.people.create_first_administrators(  # noqa: E731
            one, second, passwords=(PASSWORD, PASSWORD)
        )
        assert code_of(made) == "right.same-person"
    assert not stage.actions()


def test_an_account_is_made_with_its_roles_and_on_record(stage: Stage) -> None:
    admin = stage.administrator()
    assignments = (role(Role.CLERK, PROVINCE), role(Role.CLERK, PROVINCE), role(Role.AUDITOR))
    made = stage.people.create(AN, actor=admin, assignments=assignments, password=PASSWORD).account
    assert made == stage.account("an")
    assert made.assignments == assignments[1:]
    assert made.password is not None
    assert made.password.is_provisional
    with stage.register.reading() as transaction:
        *_, last = (each for each in transaction.audit.records())
    assert (last.action, last.account, last.subject_id) == (
        "account.created",
        "root",
        made.account_id.hex,
    )
    assert json.loads(last.details) == {"name": "an", "assignments": "clerk@P auditor@*"}


def test_nobody_without_the_right_changes_people(stage: Stage) -> None:
    admin = stage.administrator()
    an = stage.person(admin, "an", *(role(each) for each in set(Role) - {Role.ADMINISTRATOR}))
    stage.person(admin, "binh", role(Role.CLERK, COMMUNE))
    before = stage.actions()
    clerk = stage.actor(an)
    tired = Actor(account=admin.account, assignments=admin.assignments)
    binh, decider, people = AccountName("binh"), role(Role.DECIDER), stage.people
    for actor, code in ((clerk, "right.missing"), (tired, "right.step-up-needed")):
        acts: list[Callable[[], object]] = [
            lambda actor=actor: people.create(AccountName("chi"), actor=actor, password=PASSWORD),
            lambda actor=actor: people.assign(binh, decider, actor=actor),
            lambda actor=actor: people.unassign(binh, role(Role.CLERK, COMMUNE), actor=actor),
            lambda actor=actor: people.disable(binh, actor=actor),
            lambda actor=actor: people.enable(binh, actor=actor),
            lambda actor=actor: people.reset_password(binh, draw=lambda: PASSWORD, actor=actor),
            lambda actor=actor: people.end_sessions(binh, actor=actor),
        ]
        assert [code_of(act) for act in acts] == [code] * len(acts)
    assert code_of(lambda: people.show(binh, actor=clerk)) == "right.missing"
    assert code_of(lambda: people.page(actor=clerk, limit=5)) == "right.missing"
    assert code_of(lambda: people.show(an.name, actor=clerk)) is None
    assert stage.actions() == before


def test_whoever_may_not_make_accounts_makes_the_server_hash_nothing(stage: Stage) -> None:
    stage.administrator()
    before = stage.passwords.work
    nobody = Actor(account=AN)
    people = stage.people
    assert code_of(lambda: people.create(AN, actor=nobody, password=PASSWORD)) == "right.missing"
    reset = code_of(
        lambda: people.reset_password(AccountName("root"), draw=lambda: PASSWORD, actor=nobody)
    )
    assert reset == "right.missing"
    assert stage.passwords.work == before


def test_an_administrator_of_a_part_manages_that_part(stage: Stage) -> None:
    admin = stage.administrator()
    chief = stage.actor(stage.person(admin, "chief", role(Role.ADMINISTRATOR, PROVINCE)))
    people = stage.people
    inside, outside = role(Role.CLERK, COMMUNE), role(Role.CLERK, OTHER_PROVINCE)
    people.create(AN, actor=chief, assignments=[inside])
    people.create(AccountName("binh"), actor=admin, assignments=[outside])
    people.create(AccountName("chi"), actor=admin, assignments=[inside, outside])
    assert code_of(lambda: people.assign(AN, role(Role.ENDORSER, PROVINCE), actor=chief)) is None
    for act in (
        lambda: people.create(AccountName("dung"), actor=chief, assignments=[outside]),
        lambda: people.create(AccountName("dung"), actor=chief),
        lambda: people.assign(AN, outside, actor=chief),
        lambda: people.assign(AN, role(Role.CLERK), actor=chief),
        lambda: people.assign(AccountName("binh"), inside, actor=chief),
        # Half of what chi does is somebody else's.
        lambda: people.disable(AccountName("chi"), actor=chief),
        lambda: people.disable(admin.account, actor=chief),
    ):
        assert code_of(act) == "right.missing"
    assert [each.name for each in people.page(actor=chief, limit=9)] == ["an", "chief"]
    everybody = [each.name for each in people.page(actor=admin, limit=9)]
    assert everybody == ["an", "binh", "chi", "chief", "root", "root-2"]
    assert [each.name for each in people.page(actor=admin, limit=2, behind=AN)] == ["binh", "chi"]


def test_nobody_changes_their_own_account(stage: Stage) -> None:
    admin = stage.administrator()
    people, root = stage.people, admin.account
    for act in (
        lambda: people.assign(root, role(Role.ADMINISTRATOR, PROVINCE), actor=admin),
        lambda: people.unassign(root, role(Role.ADMINISTRATOR), actor=admin),
        lambda: people.disable(root, actor=admin),
        lambda: people.enable(root, actor=admin),
        lambda: people.reset_password(root, draw=lambda: OTHER_PASSWORD, actor=admin),
    ):
        assert code_of(act) == "account.own"


def test_the_last_administrator_stays(stage: Stage) -> None:
    admin = stage.administrator()
    whole = role(Role.ADMINISTRATOR)
    second = stage.other_administrator()
    assert code_of(lambda: stage.people.disable(admin.account, actor=second)) is None
    # Whoever was disabled a moment ago may still hold an actor.
    for act in (
        lambda: stage.people.disable(second.account, actor=admin),
        lambda: stage.people.unassign(second.account, whole, actor=admin),
    ):
        assert code_of(act) == "account.last-administrator"
    assert stage.account(second.account).is_administrator_of_all


def test_a_name_is_given_to_nobody_else(stage: Stage) -> None:
    admin = stage.administrator()
    stage.people.create(AN, actor=admin)
    stage.people.disable(AN, actor=admin)
    assert code_of(lambda: stage.people.create(AN, actor=admin)) == "account.name-taken"


def test_a_role_is_given_only_for_an_organisation_that_there_is(stage: Stage) -> None:
    admin = stage.administrator()
    stage.people.create(AN, actor=admin)
    nowhere = Assignment(role=Role.CLERK, organisation=OrganisationCode("Z"))
    with pytest.raises(IssuerDataError) as refusal:
        stage.people.assign(AN, nowhere, actor=admin)
    assert refusal.value.code == "organisation.unknown"


def test_whoever_is_disabled_or_reset_is_logged_out_and_enabled_again(stage: Stage) -> None:
    admin = stage.administrator()
    stage.person(admin, "an", role(Role.CLERK))
    opened = stage.enter("an")
    stage.people.disable(AN, actor=admin)
    ended = "session.ended"
    assert code_of(lambda: stage.log_in.authenticate(opened.token, face=Face.CONSOLE)) == ended
    assert code_of(lambda: stage.enter("an")) == "login.refused"
    assert stage.people.enable(AN, actor=admin).account.state is AccountState.ACTIVE
    opened = stage.enter("an")
    stage.people.reset_password(AN, draw=lambda: OTHER_PASSWORD, actor=admin)
    assert code_of(lambda: stage.log_in.authenticate(opened.token, face=Face.CONSOLE)) == ended
    assert code_of(lambda: stage.enter("an")) == "login.refused"
    for word in ("disabled", "enabled", "password-reset"):
        assert f"account.{word}" in stage.actions()


def test_sessions_of_others_are_ended_by_right_and_ones_own_always(stage: Stage) -> None:
    admin = stage.administrator()
    an = stage.actor(stage.person(admin, "an", role(Role.CLERK)))
    kept = stage.enter("root")
    stage.enter("an")
    assert stage.people.end_sessions(AN, actor=admin) == 2
    stage.enter("an")
    assert stage.people.end_sessions(AN, actor=an) == 1
    assert stage.log_in.authenticate(kept.token, face=Face.CONSOLE).actor.account == "root"


def test_the_trail_holds_no_password(stage: Stage) -> None:
    admin = stage.administrator()
    stage.person(admin, "an", role(Role.CLERK))
    with stage.register.reading() as transaction:
        text = repr(list(transaction.audit.records()))
    assert PASSWORD not in text
    assert OTHER_PASSWORD not in text
    assert "argon2" not in text
    assert "argon2" not in repr(stage.account("an"))
