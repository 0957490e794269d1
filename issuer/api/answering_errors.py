"""Errors reach programs as problem documents, and people as pages with the code and what to do."""

from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from card_layout.errors import CardError
from issuer.api.form_fields import local_path
from issuer.api.pages.rendering import render
from issuer.api.problems import API_CODES, problem_response, status_of
from issuer.api.remedies import remedy_of, title_of
from issuer.domain.session import Restriction
from issuer.errors import IssuerError, TooManyAttemptsError
from pki.errors import PkiError
from pki.web.problem import first_fault
from pki.web.reading import ReadingError

__all__ = ["install_error_handlers", "is_file"]

_FOR_PROGRAMS: Final = ("/v1/", "/health/", "/metrics")
_LOG_IN: Final = frozenset({"session.ended", "session.token-malformed"})
_STEP_UP: Final = "right.step-up-needed"
_PAGES_OF_RESTRICTIONS: Final = {
    Restriction.PASSWORD_CHANGE_DUE: "/password",
    Restriction.SECOND_FACTOR_DUE: "/second-factor",
}
_HTTP_CODES: Final = {
    HTTPStatus.NOT_FOUND: "api.not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "api.method-not-allowed",
}


def is_file(request: Request) -> None:
    """Say of a route of the console that it gives a file: whoever must show a key first comes back to the page before it."""
    request.state.is_file = True


def install_error_handlers(app: FastAPI) -> None:
    """Have every error of the application told to whoever asked."""

    def ours(request: Request, error: Exception) -> Response:
        if not isinstance(error, (IssuerError, PkiError, CardError)):
            raise TypeError(f"got {type(error).__name__}, expected an error of the product")
        response = _answer(
            request,
            status_of(error),
            code=error.code,
            detail=str(error),
            hint=getattr(error, "hint", None),
        )
        if isinstance(error, TooManyAttemptsError):
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    for kind in (IssuerError, PkiError, CardError):
        app.add_exception_handler(kind, ours)

    @app.exception_handler(Exception)
    def _fault(request: Request, _error: Exception) -> Response:
        return _answer(
            request,
            HTTPStatus.INTERNAL_SERVER_ERROR,
            code="api.internal",
            detail="a fault of this program",
        )

    @app.exception_handler(ReadingError)
    def _unreadable(request: Request, error: ReadingError) -> Response:
        code = f"api.{error.fault}"
        return _answer(request, API_CODES[code][0], code=code, detail=str(error))

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> Response:
        return _answer(
            request,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            code="api.request-invalid",
            detail=first_fault(error),
        )

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        code = _HTTP_CODES.get(HTTPStatus(error.status_code), "api.request-invalid")
        response = _answer(request, error.status_code, code=code, detail=str(error.detail))
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response


def _answer(
    request: Request, status: int, *, code: str, detail: str, hint: str | None = None
) -> Response:
    path = request.url.path
    if path.startswith(_FOR_PROGRAMS):
        return problem_response(status, code=code, detail=detail, hint=hint)
    elsewhere = _elsewhere(request, code)
    if elsewhere is not None:
        if request.headers.get("hx-request") == "true":
            return Response(status_code=204, headers={"HX-Redirect": elsewhere})
        return RedirectResponse(elsewhere, status_code=303)
    return render(
        request,
        "problem.html",
        caller=getattr(request.state, "caller", None),
        status=status,
        title=title_of(status),
        remedy=remedy_of(code, status),
        code=code,
        detail=detail,
        request_id=getattr(request.state, "request_id", ""),
    )


def _elsewhere(request: Request, code: str) -> str | None:
    """Where whoever has no session, or one in which something must be done first, is sent to."""
    if code in _LOG_IN:
        page = "/login"
    elif code == _STEP_UP:
        return f"/second-factor?next={quote(_came_from(request), safe='')}"
    elif code == "api.session-restricted":
        page = _PAGES_OF_RESTRICTIONS[request.state.restriction]
    else:
        return None
    if request.method != "GET":
        # What was to be sent is lost with the session.
        return page
    return f"{page}?next={quote(_address(request), safe='')}"


def _came_from(request: Request) -> str:
    """Where somebody is: the page itself, or the page from which something was sent or a file asked for, to do it again.

    A browser that goes on to a file stays where it was: it would stand where the security key was shown.
    """
    is_page = request.method == "GET" and not getattr(request.state, "is_file", False)
    if is_page:
        return _address(request)
    elsewhere = _address(request) if request.method == "GET" else "/"
    try:
        page = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return elsewhere
    if page.netloc != request.headers.get("host", ""):
        return elsewhere
    return local_path(page.path + (f"?{page.query}" if page.query else ""))


def _address(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
