"""Logging in and out: who gets a session, for how long, and how often one may try."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from issuer.domain.login_attempts import key_of_account
from issuer.domain.rights import AccountName, Role
from issuer.domain.session import Face, LoginMethod, Restriction, SessionToken
from issuer.errors import IssuerError, TooManyAttemptsError
from issuer.identity.argon2_passwords import Argon2Passwords
from issuer.services.register_ports import Register
from tests.unit.issuer.people_stage import CHEAP, OTHER_PASSWORD, PASSWORD, Stage, role, token_text

AN = AccountName("an")
CONSOLE = Face.CONSOLE


@pytest.fixture
def stage(empty_register: Register) -> Stage:
    made = Stage(register=empty_register)
    made.person(made.administrator(), "an", role(Role.CLERK))
    made.clock.forward(minutes=1)
    return made


def code_of(act: Callable[[], object]) -> str | None:
    try:
        act()
    except IssuerError as error:
        return error.code
    return None


def try_in(stage: Stage, name: str, password: str, address: str | None = None) -> str | None:
    return code_of(lambda: stage.log_in.log_in(name, password, face=CONSOLE, address=address))


def test_whoever_knows_the_password_gets_a_session_that_says_who_they_are(stage: Stage) -> None:
    opened = stage.enter("an", address="192.0.2.1")
    present = stage.log_in.authenticate(token_text(opened), face=CONSOLE)
    assert present.actor.account == "an"
    assert present.actor.assignments == (role(Role.CLERK),)
    assert present.actor.stepped_up_at is None
    assert present.restriction is None
    assert stage.actions()[-1] == "session.opened"


def test_the_database_holds_no_token(stage: Stage, tmp_path: Path) -> None:
    opened = stage.enter("an")
    content = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert opened.token.digest in content
    assert opened.token.secret not in content
    assert opened.token.text not in repr(opened)


def test_roles_are_those_of_now_not_of_the_log_in(stage: Stage) -> None:
    opened = stage.enter("an")
    root = stage.account("root")
    stage.people.assign(AN, role(Role.ENDORSER), actor=stage.actor(root))
    actor = stage.log_in.authenticate(opened.token, face=CONSOLE).actor
    assert actor.assignments == (role(Role.CLERK), role(Role.ENDORSER))


def test_refusals_look_alike_and_cost_the_same_whether_there_is_an_account(stage: Stage) -> None:
    root = stage.actor(stage.account("root"))
    stage.people.create(AccountName("no-password"), actor=root)
    stage.people.create(AccountName("disabled"), actor=root, password=PASSWORD)
    stage.people.disable(AccountName("disabled"), actor=root)
    found = set()
    for name in ("an", "nobody", "no-password", "disabled", "", "\x00 ' ệ" * 99):
        before = stage.passwords.work
        with pytest.raises(IssuerError) as refusal:
            stage.log_in.log_in(name, "một mật khẩu sai", face=CONSOLE)
        found.add((str(refusal.value), refusal.value.code, stage.passwords.work - before))
    assert found == {("account or password is wrong", "login.refused", 1)}


def test_a_password_without_end_is_refused_before_any_work(stage: Stage) -> None:
    before = stage.passwords.work
    assert try_in(stage, "an", "x" * 10**6) == "password.too-long"
    assert stage.passwords.work == before


def test_failures_delay_further_attempts_and_time_unlocks(stage: Stage) -> None:
    free = stage.settings.free_attempts_by_account
    assert [try_in(stage, "an", "sai") for _ in range(free)] == ["login.refused"] * free
    with pytest.raises(TooManyAttemptsError) as refusal:
        stage.enter("an")
    assert refusal.value.retry_after == 2
    assert refusal.value.code == "login.too-many-attempts"
    # A refused attempt adds nothing to the delay.
    stage.clock.forward(seconds=2)
    assert try_in(stage, "an", "sai") == "login.refused"
    stage.clock.forward(seconds=1)
    assert try_in(stage, "an", PASSWORD) == "login.too-many-attempts"
    stage.clock.forward(seconds=1)
    assert try_in(stage, "an", PASSWORD) is None
    # Who got in begins anew.
    assert [try_in(stage, "an", "sai") for _ in range(free)] == ["login.refused"] * free


def test_no_delay_is_longer_than_the_longest(stage: Stage) -> None:
    for _ in range(40):
        try_in(stage, "an", "sai")
        stage.clock.forward(minutes=stage.settings.longest_delay_minutes)
    assert try_in(stage, "an", PASSWORD) is None


def test_names_that_no_account_has_are_delayed_alike(stage: Stage) -> None:
    for name in ("an", "nobody"):
        codes = [try_in(stage, name, "sai") for _ in range(6)]
        assert codes == ["login.refused"] * 5 + ["login.too-many-attempts"]
    with stage.register.reading() as transaction:
        delayed = [
            each for each in transaction.audit.records()
            if each.action == "login.delayed"
        ]  # fmt: skip
    assert [each.subject_id for each in delayed] == [
        key_of_account(name).hex() for name in ("an", "nobody")
    ]


def test_many_names_from_one_address_are_delayed(stage: Stage) -> None:
    free = stage.settings.free_attempts_by_address
    for number in range(free):
        assert try_in(stage, f"name-{number}", "sai", "192.0.2.1") == "login.refused"
    assert try_in(stage, "an", PASSWORD, "192.0.2.1") == "login.too-many-attempts"
    assert try_in(stage, "an", PASSWORD, "192.0.2.2") is None


def test_an_account_of_ones_own_buys_no_further_guesses_at_others(stage: Stage) -> None:
    free = stage.settings.free_attempts_by_address
    guesses = 0
    for _ in range(3 * free):
        # Between any two guesses the attacker gets into an account of their own.
        guesses += try_in(stage, f"victim-{guesses}", "sai", "192.0.2.1") == "login.refused"
        try_in(stage, "an", PASSWORD, "192.0.2.1")
    assert guesses == free


def test_attempts_at_the_same_time_get_no_further_than_one_by_one(stage: Stage) -> None:
    start = threading.Barrier(16)
    codes: list[str | None] = []

    def attempt() -> None:
        start.wait()
        codes.append(try_in(stage, "an", "sai"))

    threads = [threading.Thread(target=attempt) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes.count("login.refused") == stage.settings.free_attempts_by_account
    assert codes.count("login.too-many-attempts") == 16 - stage.settings.free_attempts_by_account


def test_a_session_ends_by_age_by_rest_and_by_logging_out(stage: Stage) -> None:
    def is_over(token: SessionToken) -> bool:
        over = code_of(lambda: stage.log_in.authenticate(token, face=CONSOLE))
        assert over in {None, "session.ended"}
        return over is not None

    minutes = stage.settings.session_idle_minutes
    rested = stage.enter("an").token
    stage.clock.forward(minutes=minutes)
    assert not is_over(rested)
    stage.clock.forward(minutes=minutes)
    assert not is_over(rested), "use keeps it"
    stage.clock.forward(minutes=minutes, seconds=1)
    assert is_over(rested)
    aged = stage.enter("an").token
    for _ in range(stage.settings.session_hours * 60 // minutes - 1):
        stage.clock.forward(minutes=minutes)
        assert not is_over(aged)
    stage.clock.forward(minutes=minutes)
    assert is_over(aged)
    left = stage.enter("an").token
    stage.log_in.log_out(left)
    stage.log_in.log_out(left)
    assert is_over(left)
    assert stage.actions().count("session.closed") == 1
    assert is_over(SessionToken(bytes(32)))


def test_a_session_holds_where_it_was_opened(stage: Stage) -> None:
    opened = stage.enter("an", face=Face.COMMAND_LINE)
    log_in = stage.log_in
    assert code_of(lambda: log_in.authenticate(opened.token, face=CONSOLE)) == "session.ended"
    # Whoever typed the password on the command line is taken to have shown enough.
    actor = log_in.authenticate(opened.token, face=Face.COMMAND_LINE).actor
    assert actor.stepped_up_at == stage.clock.now


def test_a_password_steps_up_nowhere_where_the_settings_forbid_it(stage: Stage) -> None:
    stage.settings = stage.settings.model_copy(update={"command_line_password_steps_up": False})
    opened = stage.enter("an", face=Face.COMMAND_LINE)
    present = stage.log_in.authenticate(opened.token, face=Face.COMMAND_LINE)
    assert present.actor.stepped_up_at is None


def test_a_provisional_password_opens_the_way_to_ones_own_and_nothing_else(stage: Stage) -> None:
    root = stage.actor(stage.account("root"))
    stage.people.reset_password(AN, draw=lambda: OTHER_PASSWORD, actor=root)
    log_in = stage.log_in
    for face in Face:
        opened = log_in.log_in("an", OTHER_PASSWORD, face=face)
        present = log_in.authenticate(opened.token, face=face)
        assert present.restriction is Restriction.PASSWORD_CHANGE_DUE
        assert (present.actor.assignments, present.actor.stepped_up_at) == ((), None)
    other = log_in.log_in("an", OTHER_PASSWORD, face=face)
    for new, code in ((OTHER_PASSWORD, "password.unchanged"), ("ngắn", "password.too-short")):
        assert code == code_of(
            lambda new=new: log_in.change_password(
                opened.token, face=face, old=OTHER_PASSWORD, new=new
            )
        )
    changed = log_in.change_password(opened.token, face=face, old=OTHER_PASSWORD, new=PASSWORD)
    assert changed.token != opened.token
    for ended in (opened.token, other.token):
        assert code_of(lambda ended=ended: log_in.authenticate(ended, face=face)) == "session.ended"
    present = log_in.authenticate(changed.token, face=face)
    assert present.restriction is None
    assert present.actor.assignments == (role(Role.CLERK),)
    assert try_in(stage, "an", OTHER_PASSWORD) == "login.refused"
    assert "account.password-changed" in stage.actions()


def test_a_password_is_changed_by_whoever_knows_the_old_one(stage: Stage) -> None:
    opened = stage.enter("an")
    log_in = stage.log_in
    codes = [
        code_of(
            lambda: log_in.change_password(
                opened.token, face=CONSOLE, old="sai", new=OTHER_PASSWORD
            )
        )
        for _ in range(6)
    ]
    assert codes == ["login.refused"] * 5 + ["login.too-many-attempts"]
    assert log_in.authenticate(opened.token, face=CONSOLE).actor.account == "an"


@pytest.mark.parametrize("act", ["disable", "reset"])
def test_an_account_that_changed_while_its_password_was_compared_opens_nothing(
    stage: Stage, act: str
) -> None:
    root = stage.actor(stage.account("root"))

    class SlowPasswords(Argon2Passwords):
        """While it compares, an administrator acts."""

        def matches(self, encoded: str, password: str) -> bool:
            if act == "disable":
                stage.people.disable(AN, actor=root)
            else:
                stage.people.reset_password(AN, draw=lambda: OTHER_PASSWORD, actor=root)
            return super().matches(encoded, password)

    log_in = replace(stage.log_in, passwords=SlowPasswords(CHEAP))
    assert code_of(lambda: log_in.log_in("an", PASSWORD, face=CONSOLE)) == "login.refused"


def test_a_hash_of_old_parameters_is_made_anew_at_the_next_log_in(stage: Stage) -> None:
    old = stage.account("an").password
    stronger = Argon2Passwords(replace(CHEAP, passes=2))
    log_in = replace(stage.log_in, passwords=stronger)
    log_in.log_in("an", PASSWORD, face=CONSOLE)
    new = stage.account("an").password
    assert old is not None
    assert new is not None
    assert (stronger.is_outdated(old.encoded), stronger.is_outdated(new.encoded)) == (True, False)
    assert (new.set_at, new.is_provisional) == (old.set_at, old.is_provisional)
    log_in.log_in("an", PASSWORD, face=CONSOLE)
    assert stage.account("an").password == new


def test_another_services_word_opens_a_session_for_an_account_that_there_is(stage: Stage) -> None:
    log_in = stage.log_in
    opened = log_in.log_in_as(AN, method=LoginMethod.OIDC, face=CONSOLE)
    assert log_in.authenticate(opened.token, face=CONSOLE).actor.account == "an"
    root = stage.actor(stage.account("root"))
    stage.people.disable(AN, actor=root)
    for name in (AN, AccountName("nobody")):
        refused = code_of(
            lambda name=name: log_in.log_in_as(name, method=LoginMethod.OIDC, face=CONSOLE)
        )
        assert refused == "login.refused"


def test_logging_in_forgets_what_is_over(stage: Stage) -> None:
    stage.enter("an")
    try_in(stage, "nobody", "sai")
    stage.clock.forward(days=2)
    stage.enter("an")
    with stage.register.writing() as transaction:
        assert len(transaction.sessions.of_account(stage.account("an").account_id)) == 1
        assert transaction.sessions.forget_attempts_before(stage.clock.now) == 0
