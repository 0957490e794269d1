"""Every command of the issuer names the right that it needs, or says why it needs none."""

import inspect
from collections.abc import Mapping

import pytest
import typer

from issuer.cli import app, main, whole_app
from issuer.cli_rights import OWN_STATION, commands_of, deny_undeclared, need_of, needs
from issuer.domain.rights import ROLE_RIGHTS, Right
from pki.lazy_commands import LazyCommands, LazyGroup

COMMANDS = list(commands_of(whole_app()))
NEED_NONE = {
    "database upgrade", "database show", "database check", "organisations template",
    "members template", "members mapping check", "people create-first-administrators", "login", "logout", "whoami", "step-up",
    "serve", "api describe", "jobs run",
    "backup create", "backup verify", "backup restore",
}  # fmt: skip
"""A command that joins these is looked at by whoever reads this list."""

OF_THE_WHOLE_REGISTER = {
    "audit checkpoint", "numbers recover", "status publish", "status states", "status take", "status show",
    "keys create", "keys import-transport", "keys import-trust-point", "keys request-station",
    "keys request-exchange", "keys install-exchange", "instances request", "instances install",
    "cards expire",
}  # fmt: skip
"""Keys, the trail, the lists of status and the register itself belong to no organisation. A command that joins these asks nobody for a part of the tree."""

NAMES_OF_PLACES = {
    "organisation", "committee", "code", "above", "below", "receiver", "to", "into", "place", "site", "serial",
    "serials", "batch", "reference", "references", "card", "member", "decision", "instance", "conflict",
}  # fmt: skip
"""What parameters of commands are called that name a matter of some organisation."""


def _lazy_commands() -> Mapping[str, LazyCommands]:
    group = typer.main.get_group(app)
    assert isinstance(group, LazyGroup)
    return group.lazy


def test_the_whole_tree_is_walked() -> None:
    words = {words for words, _ in COMMANDS}
    assert len(words) == len(COMMANDS) > 30
    assert {"members import", "batches sign", "people assign", "login"} <= words
    assert {each.split()[0] for each in words} == set(_lazy_commands())


@pytest.mark.parametrize("name", sorted(_lazy_commands()))
def test_the_list_of_commands_says_what_a_command_says_of_itself(name: str) -> None:
    listed = _lazy_commands()[name]
    loaded = listed.load(name)
    said = " ".join((loaded.help or "").split("\n\n", maxsplit=1)[0].split())
    assert listed.help == said


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[words for words, _ in COMMANDS])
def test_a_command_says_what_it_needs(words: str, command: typer.models.CommandInfo) -> None:
    need = need_of(command.callback)
    assert need is not None
    assert (need.right is None) == (words in NEED_NONE)
    assert (need.right is None) == bool(need.reason)
    assert command.callback is not None
    inner = inspect.unwrap(command.callback)
    if need.at is not None:
        assert need.at in inspect.signature(inner).parameters
    if need.unless is not None:
        assert inspect.signature(inner).parameters[need.unless].default is None
    if need.right is not None:
        assert "context" in inspect.signature(inner).parameters
        assert any(need.right in rights for rights in ROLE_RIGHTS.values())
    if need.is_demanded_by_use_case:
        # Who leaves the demand to a use case must at least hand it the actor.
        assert "actor" in inspect.getsource(inner)


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[words for words, _ in COMMANDS])
def test_a_command_demands_its_right_at_the_place_that_it_touches(
    words: str, command: typer.models.CommandInfo
) -> None:
    need = need_of(command.callback)
    assert need is not None
    assert command.callback is not None
    if need.right is None or need.is_demanded_by_use_case:
        return
    names = set(inspect.signature(inspect.unwrap(command.callback)).parameters)
    is_at_a_place = need.at is not None or need.at_site is not None
    assert is_at_a_place != (words in OF_THE_WHOLE_REGISTER)
    if need.at_site is not None:
        assert need.at_site == OWN_STATION or need.at_site in names
    elif need.at is None:
        # One command says whose register this is, before there is a tree to look it up in.
        assert not names & NAMES_OF_PLACES or words == "instances request"


def test_every_command_of_the_whole_register_is_there() -> None:
    assert {words for words, _ in COMMANDS} >= OF_THE_WHOLE_REGISTER


def undeclared() -> typer.Typer:
    made, group = typer.Typer(), typer.Typer()
    ran: list[str] = []

    @made.callback()
    def root() -> None:
        """A root."""

    @group.command("do")
    def do() -> None:
        ran.append("do")

    made.add_typer(group, name="thing")
    made.info.context_settings = {"obj": ran}
    return made


def test_a_command_that_says_nothing_runs_for_nobody() -> None:
    made = undeclared()
    before = [need_of(command.callback) for _, command in commands_of(made)]
    assert before == [None]
    deny_undeclared(made)
    with pytest.raises(Exception, match="thing do does not say which right it needs") as refusal:
        made(args=["thing", "do"], standalone_mode=False)
    assert getattr(refusal.value, "code", None) == "right.undeclared"
    assert made.info.context_settings == {"obj": []}


def test_a_command_with_a_right_still_shows_its_parameters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["members", "list", "--help"]) == 0
    text = capsys.readouterr().out
    assert "--organisation" in text
    assert "--format" in text


def test_a_right_is_named_by_the_table_alone() -> None:
    @needs(Right.READ_MEMBERS, at="organisation")
    def command(context: typer.Context, organisation: str | None = None) -> None:
        """A command."""

    need = need_of(command)
    assert need is not None
    assert (need.right, need.at) == (Right.READ_MEMBERS, "organisation")
