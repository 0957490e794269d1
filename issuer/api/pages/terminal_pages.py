"""Page on which somebody confirms, with their security key, the terminal at which they work."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from issuer.api.form_fields import FormFields
from issuer.api.gate import AnySession, Caller, Services
from issuer.api.pages.rendering import render
from issuer.api.problems import status_of
from issuer.api.remedies import remedy_of
from issuer.domain.rights import STEP_UP_TIME
from issuer.domain.session import Session
from issuer.errors import IssuerRefusedError

__all__ = ["terminal_page_router"]

terminal_page_router = APIRouter(include_in_schema=False)

_PAGE: Final = "/security-keys/terminal"
OwnTerminal = Annotated[
    Caller, Depends(AnySession("everybody confirms the terminal at which they work"))
]


@terminal_page_router.get(_PAGE, response_model=None)
def terminal_page(request: Request, services: Services, caller: OwnTerminal) -> Response:
    """Asks for the code; whoever has not shown their key lately shows it first."""
    services.terminals.require_shown(caller.token)
    return _form(request, caller)


@terminal_page_router.post(_PAGE, response_model=None)
def confirm_terminal(
    request: Request, services: Services, caller: OwnTerminal, fields: FormFields
) -> Response:
    """Let the terminal that shows this code do what needs the second factor."""
    code = fields.get("code", "")
    try:
        confirmed = services.terminals.confirm(caller.token, code)
    except IssuerRefusedError as error:
        if error.code != "terminal-code.unknown":
            raise
        return _form(request, caller, code=code, error=error)
    return _form(request, caller, confirmed=confirmed)


def _form(
    request: Request,
    caller: Caller,
    *,
    code: str = "",
    confirmed: Session | None = None,
    error: IssuerRefusedError | None = None,
) -> Response:
    status = 200 if error is None else int(status_of(error))
    shown = None if confirmed is None else confirmed.stepped_up_at
    return render(
        request,
        "terminal_confirmation.html",
        caller=caller,
        status=status,
        typed=code[:20],
        confirmed=confirmed,
        until=None if shown is None else shown + STEP_UP_TIME,
        **({} if error is None else {"code": error.code, "remedy": remedy_of(error.code, status)}),
    )
