"""A terminal is confirmed with the key that its owner shows in the console, once and soon, and nobody else's."""

import secrets
from collections.abc import Callable
from datetime import timedelta

import pytest

from issuer.domain.rights import STEP_UP_TIME, Right, Role
from issuer.domain.second_factor import CHALLENGE_LIFETIME
from issuer.domain.session import Face, SessionToken
from issuer.services.register_ports import Register
from issuer.services.terminal_confirmation import TerminalConfirmation
from tests.unit.issuer.people_stage import Stage, role
from tests.unit.issuer.test_second_factors import code_of, register, show

DECIDER = role(Role.DECIDER)


@pytest.fixture
def stage(empty_register: Register) -> Stage:
    made = Stage(register=empty_register)
    admin = made.administrator()
    for name in ("an", "binh"):
        made.person(admin, name, DECIDER)
    made.clock.forward(minutes=1)
    return made


def terminals_of(
    stage: Stage, *, draw: Callable[[int], bytes] = secrets.token_bytes
) -> TerminalConfirmation:
    return TerminalConfirmation(
        register=stage.register, log_in=stage.log_in, clock=stage.clock, random_bytes=draw
    )


def at_console(stage: Stage, name: str) -> SessionToken:
    """A console in which the key was shown just now."""
    token = stage.enter(name).token
    return show(stage, token, register(stage, token))


def may_decide(stage: Stage, terminal: SessionToken) -> bool:
    actor = stage.log_in.authenticate(terminal, face=Face.COMMAND_LINE).actor
    return code_of(lambda: actor.demand(Right.DECIDE, place=(), now=stage.clock())) is None


def test_a_key_that_was_shown_in_the_console_counts_at_the_terminal(stage: Stage) -> None:
    console, terminals = at_console(stage, "an"), terminals_of(stage)
    terminal = stage.enter("an", face=Face.COMMAND_LINE).token
    assert not may_decide(stage, terminal)
    code = terminals.begin(terminal)
    assert not may_decide(stage, terminal)
    confirmed = terminals.confirm(console, f" {code.text.lower().replace('-', ' ')} ")
    assert confirmed.token_digest == terminal.digest
    assert may_decide(stage, terminal)
    stage.clock.forward(seconds=int(STEP_UP_TIME.total_seconds()) + 1)
    assert not may_decide(stage, terminal)
    with stage.register.reading() as transaction:
        records = [each.record() for each in transaction.audit.records()]
    (record,) = [each for each in records if each.action == "session.terminal-confirmed"]
    assert record.account == "an"
    assert record.details["session"] == str(confirmed.session_id)


def test_a_code_holds_once_for_a_while_and_for_its_own_account(stage: Stage) -> None:
    began, terminals = stage.enter("an").token, terminals_of(stage)
    key = register(stage, began)
    console, other = show(stage, began, key), at_console(stage, "binh")
    terminal = stage.enter("an", face=Face.COMMAND_LINE).token
    first = terminals.begin(terminal).text
    assert code_of(lambda: terminals.confirm(other, first)) == "terminal-code.unknown"
    second = terminals.begin(terminal).text
    assert code_of(lambda: terminals.confirm(console, first)) == "terminal-code.unknown"
    for nothing in ("", "A", second[:-1], "É" * 8, "\0" * 8, second + second):
        assert code_of(lambda typed=nothing: terminals.confirm(console, typed)) == (
            "terminal-code.unknown"
        )
    assert not may_decide(stage, terminal)
    terminals.confirm(console, second)
    assert code_of(lambda: terminals.confirm(console, second)) == "terminal-code.unknown"
    third = terminals.begin(terminal).text
    stage.clock.forward(seconds=int(CHALLENGE_LIFETIME.total_seconds()) + 1)
    again = show(stage, stage.enter("an").token, key)
    assert code_of(lambda: terminals.confirm(again, third)) == "terminal-code.unknown"


def test_a_console_without_a_key_that_was_shown_lately_confirms_nothing(stage: Stage) -> None:
    terminals = terminals_of(stage)
    token = stage.enter("an").token
    key = register(stage, token)
    terminal = stage.enter("an", face=Face.COMMAND_LINE).token
    code = terminals.begin(terminal).text
    assert code_of(lambda: terminals.confirm(token, code)) == "right.step-up-needed"
    due = stage.enter("an").token
    assert code_of(lambda: terminals.confirm(due, code)) == "session.restricted"
    assert code_of(lambda: terminals.confirm(terminal, code)) == "session.ended"
    shown = show(stage, due, key)
    stage.clock.forward(seconds=int(STEP_UP_TIME.total_seconds()) + 1)
    assert code_of(lambda: terminals.require_shown(shown)) == "right.step-up-needed"
    assert not may_decide(stage, terminal)


def test_whoever_has_no_key_gets_no_code(stage: Stage) -> None:
    terminal = stage.enter("an", face=Face.COMMAND_LINE).token
    assert code_of(lambda: terminals_of(stage).begin(terminal)) == "second-factor.missing"
    stage.log_in.log_out(terminal)
    assert code_of(lambda: terminals_of(stage).begin(terminal)) == "session.ended"


def test_codes_are_drawn_evenly_from_characters_that_nobody_mistakes(stage: Stage) -> None:
    register(stage, stage.enter("an").token)
    terminal = stage.enter("an", face=Face.COMMAND_LINE).token
    every = iter([bytes(range(start, start + 8)) for start in range(0, 256, 8)])
    codes = [terminals_of(stage, draw=lambda _: next(every)).begin(terminal) for _ in range(32)]
    drawn = "".join(each.text.replace("-", "") for each in codes)
    assert {drawn.count(each) for each in set(drawn)} == {8}
    assert len(set(drawn)) == 32
    assert not set("ILOU") & set(drawn)
    assert codes[0].until - codes[0].begun_at == timedelta(minutes=5)
