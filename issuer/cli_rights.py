"""Every command names the right that it needs, or says why it needs none; a command that does neither is refused."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, NoReturn, ParamSpec, TypeVar, cast

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_people import log_in_of
from issuer.cli_context import CommandContext, command_context
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.rights import Actor, Right
from issuer.domain.session import Face, Restriction
from issuer.domain.stock_account import SiteCode
from issuer.errors import IssuerRefusedError
from issuer.identity.session_file import read_session
from issuer.services.places import place_of
from issuer.services.register_ports import RegisterTransaction

__all__ = [
    "OWN_STATION",
    "Need",
    "commands_of",
    "deny_undeclared",
    "need_of",
    "needs",
    "needs_no_right",
]

OWN_STATION: Final = "the station of this home"
"""Stands for a parameter that names a site."""

_MARK: Final = "membercard_need"
_Words = ParamSpec("_Words")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a command asks for.

    Attributes:
        right: the right; ``None`` where none is needed.
        at: the command's parameter that names the organisation whose matter it is; without it, or where it was not
            given, the matter is the whole register's.
        at_site: the command's parameter that names a site of the stock, whose organisation's matter it is;
            ``OWN_STATION`` where it is the site of the station of this home. The matter of a site that is nobody's, or
            is not there yet, is the whole register's.
        is_demanded_by_use_case: the use case demands the right at each place that it touches; before it, whoever has
            the right nowhere is refused.
        reason: why no right is needed.
        unless: the parameter with which the command looks at no home at all, and needs no right.
    """

    right: Right | None = None
    at: str | None = None
    at_site: str | None = None
    is_demanded_by_use_case: bool = False
    reason: str | None = None
    unless: str | None = None


def needs(
    right: Right,
    *,
    at: str | None = None,
    at_site: str | None = None,
    by_use_case: bool = False,
    unless: str | None = None,
) -> Callable[[Callable[_Words, _Result]], Callable[_Words, _Result]]:
    """Let a command run only for somebody who is logged in and has this right; the command gets their ``Actor``.

    Args:
        right: what is demanded.
        at: see ``Need``.
        at_site: see ``Need``.
        by_use_case: see ``Need.is_demanded_by_use_case``.
        unless: see ``Need``.
    """
    need = Need(
        right=right, at=at, at_site=at_site, is_demanded_by_use_case=by_use_case, unless=unless
    )

    def decorate(command: Callable[_Words, _Result]) -> Callable[_Words, _Result]:
        @functools.wraps(command)
        def guarded(*args: _Words.args, **kwargs: _Words.kwargs) -> _Result:
            if unless is not None and kwargs[unless] is not None:
                return command(*args, **kwargs)
            # The library's context is not an instance of the class that it shows to commands.
            context = cast("typer.Context", kwargs["context"])
            named = at or (None if at_site == OWN_STATION else at_site)
            code = None if named is None else kwargs[named]
            actor = _demand(command_context(context), need, right, code)
            # The context is the command's own: what stands in it ends with the command.
            context.obj = replace(command_context(context), given_actor=actor)
            return command(*args, **kwargs)

        setattr(guarded, _MARK, need)
        return guarded

    return decorate


def needs_no_right(
    reason: str,
) -> Callable[[Callable[_Words, _Result]], Callable[_Words, _Result]]:
    """Let a command run for anybody; ``reason`` says why that is right."""

    def decorate(command: Callable[_Words, _Result]) -> Callable[_Words, _Result]:
        setattr(command, _MARK, Need(reason=reason))
        return command

    return decorate


def need_of(command: Callable[..., Any] | None) -> Need | None:
    """What a command asks for; ``None`` where it does not say."""
    found = getattr(command, _MARK, None)
    return found if isinstance(found, Need) else None


def commands_of(app: typer.Typer, *before: str) -> Iterator[tuple[str, typer.models.CommandInfo]]:
    """Every command below an app, with the words that call it."""
    for command in app.registered_commands:
        name = str(command.name or getattr(command.callback, "__name__", ""))
        yield " ".join((*before, name)), command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            # The commands of a group without a name are those of the group around it.
            words = (*before, str(group.name)) if group.name else before
            yield from commands_of(group.typer_instance, *words)


def deny_undeclared(app: typer.Typer, *before: str) -> None:
    """From here on a command that does not say what it needs runs for nobody; ``before`` are the words before it."""
    for words, command in commands_of(app, *before):
        if need_of(command.callback) is None:
            command.callback = _refuser(words)


def _refuser(words: str) -> Callable[[], NoReturn]:
    def refuse() -> NoReturn:
        raise IssuerRefusedError(
            f"command {words} does not say which right it needs", code="right.undeclared"
        )

    return refuse


def _demand(command: CommandContext, need: Need, right: Right, code: object) -> Actor:
    with open_register_home(command.home) as opened:
        token = read_session(command.session_file)
        log_in = log_in_of(opened.register, opened.settings.people)
        present = log_in.authenticate(token, face=Face.COMMAND_LINE)
        if present.restriction is Restriction.PASSWORD_CHANGE_DUE:
            raise IssuerRefusedError(
                "the password was set by somebody else, and must be changed first",
                code="password.change-due",
                hint=f"membercard-issuer login {present.actor.account}",
            )
        actor = present.actor
        if need.is_demanded_by_use_case:
            if not actor.may_somewhere(right):
                actor.demand(right, place=(), now=datetime.now(UTC))
            return actor
        with opened.register.reading() as transaction:
            if need.at_site is not None:
                own = opened.settings.station.name
                wanted = _organisation_of_site(transaction, code if isinstance(code, str) else own)
            else:
                wanted = parse_organisation_code(code) if isinstance(code, str) else None
            place = place_of(transaction.organisations, wanted)
        actor.demand(right, place=place, now=datetime.now(UTC))
        return actor


def _organisation_of_site(transaction: RegisterTransaction, name: str) -> OrganisationCode | None:
    """Whose site it is; ``None`` where it is nobody's, or is not there."""
    return next(
        (each.organisation for each in transaction.stock.sites() if each.code == SiteCode(name)),
        None,
    )
