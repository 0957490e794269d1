"""What is done with accounts by a request that carries a key; what takes two administrators is proposed by it.

A password that goes along is neither kept with the answer nor part of what a key stands for: a digest of something so
short would give it away. The same request with another password is answered as the first one was.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel

from issuer.api.entity_tags import require_match
from issuer.api.gate import Caller
from issuer.api.once import Receipt, carry_out_once, mark_of
from issuer.api.people_documents import (
    AccountBody,
    AccountChangeDocument,
    AccountDocument,
    AssignmentDocument,
    PasswordBody,
    PersonDocument,
    ProposalDocument,
    SettledProposalDocument,
    assignment_of,
)
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.domain.account import Account, parse_account_name
from issuer.domain.account_proposal import AccountProposal, ProposalNumber
from issuer.domain.rights import AccountName
from issuer.services.operation_ports import KeptAnswer, RequestMark
from issuer.services.people import AccountChange

__all__ = [
    "ACTS_WITHOUT_MORE",
    "act_once",
    "change_roles_once",
    "create_once",
    "reset_password_once",
    "settle_once",
    "shown_person",
]

_PEOPLE: Final = "/v1/people"
_PASSWORD: Final = {"password"}
_Act = Callable[[ApiServices, Caller, AccountName], "AccountChangeDocument"]


def shown_person(caller: Caller, services: ApiServices, name: AccountName) -> PersonDocument:
    """One account, and what waits with it.

    Raises:
        IssuerRefusedError: ``right.missing``, ``account.unknown``.
    """
    account = services.people.show(name, actor=caller.actor)
    waiting = services.account_confirmation.waiting(actor=caller.actor)
    return PersonDocument.with_proposals(
        account, [each for each in waiting if each.account == name]
    )


def create_once(
    services: ApiServices, caller: Caller, body: AccountBody, *, key: str
) -> KeptAnswer:
    """Make an account."""

    def act() -> Receipt:
        made = services.people.create(
            parse_account_name(body.account),
            actor=caller.actor,
            assignments=tuple(assignment_of(each) for each in body.assignments),
            password=None if body.password is None else body.password.get_secret_value(),
        )
        return Receipt(
            status=HTTPStatus.CREATED,
            location=_address(made.account.name),
            document=_changed(made),
        )

    return carry_out_once(services, _mark(caller, key, "make an account", body), act)


def change_roles_once(
    services: ApiServices,
    caller: Caller,
    name: AccountName,
    body: AssignmentDocument,
    *,
    gives: bool,
    if_match: str | None,
    key: str,
) -> KeptAnswer:
    """Give a role for a part of the tree, or take it."""

    def act() -> AccountChangeDocument:
        assignment, people = assignment_of(body), services.people
        if gives:
            return _changed(people.assign(name, assignment, actor=caller.actor))
        return _taken(people.unassign(name, assignment, actor=caller.actor))

    what = "give a role" if gives else "take a role"
    return _on_person(services, caller, name, body, act, what=what, if_match=if_match, key=key)


def reset_password_once(
    services: ApiServices,
    caller: Caller,
    name: AccountName,
    body: PasswordBody,
    *,
    if_match: str | None,
    key: str,
) -> KeptAnswer:
    """Set a provisional password, or propose that: whoever confirms it sets one then."""

    def act() -> AccountChangeDocument:
        return _changed(
            services.people.reset_password(name, draw=_password_of(body), actor=caller.actor)
        )

    return _on_person(
        services, caller, name, body, act, what="reset the password", if_match=if_match, key=key
    )


def _end_sessions(
    services: ApiServices, caller: Caller, name: AccountName
) -> AccountChangeDocument:
    ended = services.people.end_sessions(name, actor=caller.actor)
    return AccountChangeDocument(
        person=AccountDocument.of(services.people.show(name, actor=caller.actor)),
        sessions_ended=ended,
    )


ACTS_WITHOUT_MORE: Final[Mapping[str, _Act]] = {
    "disable": lambda services, caller, name: _taken(
        services.people.disable(name, actor=caller.actor)
    ),
    "enable": lambda services, caller, name: _changed(
        services.people.enable(name, actor=caller.actor)
    ),
    "remove second factors": lambda services, caller, name: _changed(
        services.people.remove_second_factors(name, actor=caller.actor)
    ),
    "end sessions": _end_sessions,
}
"""Acts on an account that ask for nothing more than its name."""


def act_once(
    services: ApiServices,
    caller: Caller,
    name: AccountName,
    body: BaseModel,
    *,
    what: str,
    if_match: str | None,
    key: str,
) -> KeptAnswer:
    """One of ``ACTS_WITHOUT_MORE``."""
    act = ACTS_WITHOUT_MORE[what]
    return _on_person(
        services,
        caller,
        name,
        body,
        lambda: act(services, caller, name),
        what=what,
        if_match=if_match,
        key=key,
    )


def settle_once(
    services: ApiServices,
    caller: Caller,
    number: int,
    body: BaseModel,
    *,
    confirms: bool,
    key: str,
) -> KeptAnswer:
    """Confirm what another administrator proposed, or have it withdrawn."""
    confirmation = services.account_confirmation

    def settle() -> AccountProposal:
        if not confirms:
            return confirmation.withdraw(ProposalNumber(number), actor=caller.actor)
        given = body if isinstance(body, PasswordBody) else PasswordBody()
        draw = _password_of(given)
        return confirmation.confirm(
            ProposalNumber(number), actor=caller.actor, draw=lambda _: draw()
        )

    def act() -> Receipt:
        settled = settle()
        return Receipt(
            status=HTTPStatus.OK,
            location=_address(settled.account),
            document=SettledProposalDocument(proposal=ProposalDocument.of(settled)),
        )

    what = f"{'confirm' if confirms else 'withdraw'} account proposal {number}"
    return carry_out_once(services, _mark(caller, key, what, body), act)


def _on_person(
    services: ApiServices,
    caller: Caller,
    name: AccountName,
    body: BaseModel,
    act: Callable[[], AccountChangeDocument],
    *,
    what: str,
    if_match: str | None,
    key: str,
) -> KeptAnswer:
    def as_read() -> Receipt:
        require_match(if_match, shown_person(caller, services, name))
        return Receipt(status=HTTPStatus.OK, location=_address(name), document=act())

    return carry_out_once(services, _mark(caller, key, f"{what} of {name}", body), as_read)


def _mark(caller: Caller, key: str, what: str, body: BaseModel) -> RequestMark:
    has_password = getattr(body, "password", None) is not None
    content = f"{has_password} {body.model_dump_json(exclude=_PASSWORD)}".encode()
    return mark_of(caller.actor.account, key, what=what, content=content)


def _password_of(body: PasswordBody) -> Callable[[], str]:
    """Gives the password when one is to be set.

    Raises:
        ApiError: the request has none (``api.request-invalid``).
    """

    def draw() -> str:
        if body.password is None:
            raise ApiError("password: a password is to be set", code="api.request-invalid")
        return body.password.get_secret_value()

    return draw


def _changed(change: AccountChange) -> AccountChangeDocument:
    return AccountChangeDocument(
        person=AccountDocument.of(change.account),
        proposals=[ProposalDocument.of(each) for each in change.proposals],
    )


def _taken(account: Account) -> AccountChangeDocument:
    return AccountChangeDocument(person=AccountDocument.of(account))


def _address(name: AccountName) -> str:
    return f"{_PEOPLE}/{quote(name, safe='')}"
