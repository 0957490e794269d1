"""Coming in by another service's word (OpenID Connect): away to it, and back.

The cookie of an attempt goes along when the provider sends the browser back, which the session's own cookie must not; that
is why the way back ends on a page of ours that goes on by itself: from there the session's cookie is sent.
"""

from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from issuer.api.form_fields import local_path
from issuer.api.gate import NoSession, Services
from issuer.api.pages.rendering import render
from issuer.api.pages.session_cookie import set_session_cookie
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, status_of
from issuer.api.remedies import remedy_of
from issuer.errors import IssuerDataError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.oidc_login import OidcAttempt, OidcLogin

__all__ = ["ATTEMPT_COOKIE", "oidc_router"]

oidc_router = APIRouter(include_in_schema=False)

ATTEMPT_COOKIE: Final = "__Host-membercard-issuer-oidc"
_ATTEMPT_CHARACTERS: Final = 64
_ATTEMPT_TIME: Final = timedelta(minutes=10)
_NO_SESSION: Final = NoSession("here people log in by another service's word")


def _login(services: ApiServices) -> OidcLogin:
    if services.oidc is None:
        raise ApiError("no other service says who people are here", code="api.not-found")
    return services.oidc


# A form that led to the provider would be stopped by our own policy (CSP, form-action): it is a link.
@oidc_router.get("/login/oidc/begin", dependencies=[Depends(_NO_SESSION)], response_model=None)
def begin(
    request: Request,
    services: Services,
    target: Annotated[str, Query(alias="next", max_length=2000)] = "/",
) -> Response:
    """Away to the provider."""
    target = local_path(target)
    try:
        begun = _login(services).begin()
    except IssuerUnavailableError as error:
        return _failed(request, error, target=target)
    response = RedirectResponse(begun.url, status_code=303)
    response.set_cookie(
        ATTEMPT_COOKIE,
        begun.attempt.text + quote(target, safe=""),
        max_age=int(_ATTEMPT_TIME.total_seconds()),
        secure=True,
        httponly=True,
        samesite="lax",
        path="/",
    )
    return response


@oidc_router.get("/login/oidc", dependencies=[Depends(_NO_SESSION)], response_model=None)
def come_back(
    request: Request,
    services: Services,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str | None, Query(max_length=4096)] = None,
) -> Response:
    """Back from the provider; what else it says is not asked for."""
    login = _login(services)
    kept = request.cookies.get(ATTEMPT_COOKIE, "")
    target = local_path(unquote(kept[_ATTEMPT_CHARACTERS:], errors="replace"))
    try:
        attempt = OidcAttempt.from_text(kept[:_ATTEMPT_CHARACTERS])
        opened = login.finish(attempt, state=state, code=code)
    except (IssuerRefusedError, IssuerDataError, IssuerUnavailableError) as error:
        response = _failed(request, error, target=target)
    else:
        response = render(request, "gone_on.html", caller=None, target=target)
        set_session_cookie(response, opened.token)
    # An attempt is for once, however it ended.
    response.delete_cookie(ATTEMPT_COOKIE, secure=True, httponly=True, samesite="lax", path="/")
    return response


def _failed(
    request: Request,
    error: IssuerRefusedError | IssuerDataError | IssuerUnavailableError,
    *,
    target: str,
) -> Response:
    status = int(status_of(error))
    return render(
        request, "login.html", caller=None, status=status, target=target, account="", by_oidc=True,
        code=error.code, remedy=remedy_of(error.code, status),
    )  # fmt: skip
