"""Pages of people, for whoever may manage them: accounts, their roles, and what ends them.

A password that an administrator sets is drawn here, shown once, and provisional: its owner sets another one first.
"""

import secrets
from collections.abc import Callable
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Services
from issuer.api.pages import words
from issuer.api.pages.rendering import render
from issuer.api.people_routes import Manager, NamePath, NumberPath
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, status_of
from issuer.api.remedies import remedy_of
from issuer.domain.account import parse_account_name
from issuer.domain.account_proposal import AccountProposal, ProposalNumber
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = ["people_page_router"]

people_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/people"
_PAGE: Final = 50
_PASSWORD_DIGITS: Final = 24
_STEP_UP: Final = "right.step-up-needed"

_Error = IssuerDataError | IssuerRefusedError


@people_page_router.get(_LIST, response_model=None)
def people_page(
    request: Request,
    services: Services,
    caller: Manager,
    behind: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
) -> Response:
    """Accounts by name, and the form for a new one."""
    return _list(request, services, caller, behind=behind)


@people_page_router.post(_LIST, response_model=None)
def create_account(
    request: Request, services: Services, caller: Manager, fields: FormFields
) -> Response:
    """A new account; its password is shown once, unless another service says who they are."""
    password = None if fields.get("elsewhere") == "yes" else _new_password()
    try:
        made = services.people.create(
            parse_account_name(fields.get("name", "").strip()),
            actor=caller.actor,
            assignments=(_assignment(fields),),
            password=password,
        )
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code == _STEP_UP:
            raise
        return _list(request, services, caller, fields=dict(fields), error=error)
    return _one(request, services, caller, made.account.name, password=password)


@people_page_router.get(_LIST + "/{name}", response_model=None)
def person_page(name: NamePath, request: Request, services: Services, caller: Manager) -> Response:
    """One account."""
    return _one(request, services, caller, parse_account_name(name))


@people_page_router.post(_LIST + "/{name}", response_model=None)
def change_account(
    name: NamePath, request: Request, services: Services, caller: Manager, fields: FormFields
) -> Response:
    """Give or take a role, disable, enable, set a password, forget security keys, end sessions."""
    account = parse_account_name(name)
    actor, people = caller.actor, services.people
    drawn: list[str] = []
    acts: dict[str, Callable[[], object]] = {
        "assign": lambda: people.assign(account, _assignment(fields), actor=actor),
        "unassign": lambda: people.unassign(account, _assignment(fields), actor=actor),
        "disable": lambda: people.disable(account, actor=actor),
        "enable": lambda: people.enable(account, actor=actor),
        "reset": lambda: people.reset_password(account, draw=_drawing(drawn), actor=actor),
        "forget-keys": lambda: people.remove_second_factors(account, actor=actor),
        "end-sessions": lambda: people.end_sessions(account, actor=actor),
    }
    act = acts.get(fields.get("act", ""))
    if act is None:
        raise ApiError("the form does nothing", code="api.request-invalid")
    try:
        act()
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in {_STEP_UP, "right.missing", "account.unknown"}:
            raise
        return _one(request, services, caller, account, error=error)
    if drawn:
        return _one(request, services, caller, account, password=drawn[0])
    return RedirectResponse(f"{_LIST}/{quote(account, safe='')}", status_code=303)


@people_page_router.post("/account-proposals/{number}", response_model=None)
def settle_proposal(
    number: NumberPath, request: Request, services: Services, caller: Manager, fields: FormFields
) -> Response:
    """Confirm what another administrator proposed, or have it withdrawn."""
    confirmation, drawn = services.account_confirmation, list[str]()
    acts: dict[str, Callable[[], AccountProposal]] = {
        "confirm": lambda: confirmation.confirm(
            ProposalNumber(number), actor=caller.actor, draw=lambda _: _drawing(drawn)()
        ),
        "withdraw": lambda: confirmation.withdraw(ProposalNumber(number), actor=caller.actor),
    }
    act = acts.get(fields.get("act", ""))
    if act is None:
        raise ApiError("the form does nothing", code="api.request-invalid")
    try:
        settled = act()
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in {_STEP_UP, "right.missing"}:
            raise
        return _list(request, services, caller, error=error)
    if drawn:
        return _one(request, services, caller, settled.account, password=drawn[0])
    return RedirectResponse(f"{_LIST}/{quote(settled.account, safe='')}", status_code=303)


def _drawing(drawn: list[str]) -> Callable[[], str]:
    """Draws a password and leaves it where it can be shown."""

    def draw() -> str:
        drawn.append(_new_password())
        return drawn[-1]

    return draw


def _new_password() -> str:
    return "".join(secrets.choice("0123456789") for _ in range(_PASSWORD_DIGITS))


def _assignment(fields: FormFields) -> Assignment:
    role, code = fields.get("role", ""), fields.get("organisation", "").strip()
    if role not in set(Role):
        raise ApiError("the form names no role", code="api.request-invalid")
    return Assignment(role=Role(role), organisation=parse_organisation_code(code) if code else None)


def _list(
    request: Request,
    services: ApiServices,
    caller: Caller,
    *,
    behind: str | None = None,
    fields: dict[str, str] | None = None,
    error: _Error | None = None,
) -> Response:
    found = services.people.page(
        actor=caller.actor,
        limit=_PAGE + 1,
        behind=None if behind is None else AccountName(behind),
    )
    accounts = found[:_PAGE]
    status, problem = _problem_of(error)
    return render(
        request,
        "people.html",
        caller=caller,
        status=status,
        accounts=accounts,
        **_waiting(services, caller),
        fields=fields or {},
        first=None if behind is None else _LIST,
        next=f"{_LIST}?behind={quote(accounts[-1].name)}" if len(found) > _PAGE else None,
        words=words,
        **problem,
    )


def _one(
    request: Request,
    services: ApiServices,
    caller: Caller,
    name: AccountName,
    *,
    password: str | None = None,
    error: _Error | None = None,
) -> Response:
    status, problem = _problem_of(error)
    return render(
        request,
        "person.html",
        caller=caller,
        status=status,
        account=services.people.show(name, actor=caller.actor),
        **_waiting(services, caller, name),
        is_own=name == caller.actor.account,
        password=password,
        words=words,
        **problem,
    )


def _waiting(
    services: ApiServices, caller: Caller, name: AccountName | None = None
) -> dict[str, object]:
    """What waits for another administrator, for one account or for all; a page shows the oldest."""
    found = [
        each
        for each in services.account_confirmation.waiting(actor=caller.actor)
        if name in (None, each.account)
    ]
    return {
        "proposals": found[:_PAGE],
        "more_proposals": max(len(found) - _PAGE, 0),
        "own": caller.actor.account,
    }


def _problem_of(error: _Error | None) -> tuple[int, dict[str, str]]:
    if error is None:
        return 200, {}
    status = int(status_of(error))
    return status, {"code": error.code, "remedy": remedy_of(error.code, status)}
