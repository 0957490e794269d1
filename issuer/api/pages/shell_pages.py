"""What every page of the console needs around it: style and script, language, coming in and going out."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from issuer.api.form_fields import FormFields, local_path
from issuer.api.gate import (
    SESSION_COOKIE,
    AnySession,
    Caller,
    NoSession,
    Services,
    caller_of,
    client_address,
)
from issuer.api.languages import LANGUAGE_COOKIE, Language
from issuer.api.pages.rendering import render, static_file
from issuer.api.pages.session_cookie import set_session_cookie
from issuer.api.problems import ApiError, status_of
from issuer.api.remedies import remedy_of
from issuer.domain.account import MIN_PASSWORD_CHARACTERS
from issuer.domain.session import Face
from issuer.errors import IssuerDataError, IssuerRefusedError, TooManyAttemptsError

__all__ = ["STATIC_FILES", "shell_router"]

shell_router = APIRouter(include_in_schema=False)

STATIC_FILES: Final = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "htmx-2.0.11.min.js": "text/javascript; charset=utf-8",
    "icons.svg": "image/svg+xml",
    "mark.svg": "image/svg+xml",
    "organisation-picker.js": "text/javascript; charset=utf-8",
    "security-key.js": "text/javascript; charset=utf-8",
}
OwnPassword = Annotated[
    Caller, Depends(AnySession("everybody sets their own password", allows_restricted=True))
]
_LANGUAGE_TIME: Final = timedelta(days=400)


@shell_router.get(
    "/static/{name}",
    dependencies=[Depends(NoSession("style and script hold nothing of the register"))],
)
def static(name: str) -> Response:
    """A file of style or script."""
    if name not in STATIC_FILES:
        raise ApiError("there is no such file", code="api.not-found")
    # The address changes with the content.
    return Response(
        static_file(name),
        media_type=STATIC_FILES[name],
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )


@shell_router.get(
    "/login", dependencies=[Depends(NoSession("here people log in"))], response_model=None
)
def login_page(
    request: Request,
    services: Services,
    target: Annotated[str, Query(alias="next", max_length=2000)] = "/",
) -> Response:
    """The form; whoever is in goes on."""
    try:
        caller_of(request, services)
    except (IssuerRefusedError, IssuerDataError):
        pass
    else:
        return RedirectResponse(local_path(target), status_code=303)
    return render(
        request,
        "login.html",
        caller=None,
        target=local_path(target),
        account="",
        by_oidc=services.oidc is not None,
    )


@shell_router.post(
    "/login", dependencies=[Depends(NoSession("here people log in"))], response_model=None
)
def log_in(request: Request, services: Services, fields: FormFields) -> Response:
    """Begin a session, and go on to where one wanted to."""
    target, account = local_path(fields.get("next", "/")), fields.get("account", "")[:64]
    try:
        opened = services.log_in.log_in(
            account,
            fields.get("password", ""),
            face=Face.CONSOLE,
            address=client_address(request),
        )
    except (IssuerRefusedError, IssuerDataError) as error:
        status = status_of(error)
        response: Response = render(
            request,
            "login.html",
            caller=None,
            status=status,
            target=target,
            account=account,
            by_oidc=services.oidc is not None,
            code=error.code,
            remedy=remedy_of(error.code, status),
        )
        if isinstance(error, TooManyAttemptsError):
            response.headers["Retry-After"] = str(error.retry_after)
        return response
    response = RedirectResponse(target, status_code=303)
    set_session_cookie(response, opened.token)
    return response


@shell_router.post("/logout", response_model=None)
def log_out(
    services: Services,
    caller: Annotated[
        Caller,
        Depends(AnySession("everybody may end their own session", allows_restricted=True)),
    ],
) -> Response:
    """End the session."""
    services.log_in.log_out(caller.token)
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(SESSION_COOKIE, secure=True, httponly=True, samesite="strict")
    # Whoever sits down next finds nothing in the browser's stores.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@shell_router.get("/password", response_model=None)
def password_page(
    request: Request,
    caller: OwnPassword,
    target: Annotated[str, Query(alias="next", max_length=2000)] = "/",
) -> Response:
    """The form to set a password of one's own."""
    return _password_form(request, caller, target=local_path(target))


@shell_router.post("/password", response_model=None)
def change_password(
    request: Request, services: Services, caller: OwnPassword, fields: FormFields
) -> Response:
    """Set it; every other session of the account ends, and this one gets another token."""
    target = local_path(fields.get("next", "/"))
    if fields.get("new", "") != fields.get("again", ""):
        differ = IssuerDataError("the two new passwords differ", code="password.differs")
        return _password_form(request, caller, target=target, error=differ)
    try:
        opened = services.log_in.change_password(
            caller.token, face=Face.CONSOLE, old=fields.get("old", ""), new=fields.get("new", "")
        )
    except (IssuerRefusedError, IssuerDataError) as error:
        if error.code == "session.ended":
            raise
        return _password_form(request, caller, target=target, error=error)
    response = RedirectResponse(target, status_code=303)
    set_session_cookie(response, opened.token)
    return response


def _password_form(
    request: Request,
    caller: Caller,
    *,
    target: str,
    error: IssuerRefusedError | IssuerDataError | None = None,
) -> Response:
    status = 200 if error is None else int(status_of(error))
    problem = {} if error is None else {"code": error.code, "remedy": remedy_of(error.code, status)}
    return render(
        request, "password.html", caller=caller, status=status, target=target,
        least=MIN_PASSWORD_CHARACTERS, **problem,
    )  # fmt: skip


@shell_router.post(
    "/language",
    dependencies=[Depends(NoSession("it changes words and nothing else"))],
    response_model=None,
)
def choose(fields: FormFields) -> Response:
    """Keep the reader's language, and go back to the page."""
    chosen = fields.get("language", "")
    response = RedirectResponse(local_path(fields.get("next", "/")), status_code=303)
    if chosen in set(Language):
        response.set_cookie(
            LANGUAGE_COOKIE,
            chosen,
            max_age=int(_LANGUAGE_TIME.total_seconds()),
            secure=True,
            httponly=True,
            samesite="strict",
        )
    return response


@shell_router.get("/keyboard", response_model=None)
def keyboard(
    request: Request,
    caller: Annotated[Caller, Depends(AnySession("it explains keys and nothing else"))],
) -> Response:
    """Which key does what."""
    return render(request, "keyboard.html", caller=caller)
