"""Errors as problem documents (RFC 9457): one table from our codes to HTTP, here and nowhere else."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ConfigDict
from starlette.exceptions import HTTPException

from pki.errors import KeystoreError, PkiDataError, PkiError, PkiRefusedError, RecordError
from pki.web.problem import PROBLEM_MEDIA_TYPE, ProblemDocument, answer_problem, first_fault
from pki.web.reading import ReadingError

__all__ = [
    "API_CODES",
    "PROBLEM_MEDIA_TYPE",
    "ApiError",
    "Problem",
    "install_problem_handlers",
    "problem_response",
    "reading_problem",
]

API_CODES: Final[Mapping[str, tuple[HTTPStatus, str]]] = {
    "api.body-malformed": (HTTPStatus.BAD_REQUEST, "the body is not JSON in UTF-8, each member once"),
    "api.body-too-large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is over its bound"),
    "api.body-timeout": (HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time"),
    "api.body-unexpected": (HTTPStatus.BAD_REQUEST, "a body where none belongs"),
    "api.header-twice": (HTTPStatus.BAD_REQUEST, "a header that belongs once stands twice"),
    "api.target-too-long": (HTTPStatus.REQUEST_URI_TOO_LONG, "path or query are over their bound"),
    "api.query-malformed": (HTTPStatus.BAD_REQUEST, "a name in the query stands twice, or is no UTF-8"),
    "api.media-type": (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the content type is another one than asked for"),
    "api.request-invalid": (HTTPStatus.UNPROCESSABLE_ENTITY, "a value is not as the description says"),
    "api.not-found": (HTTPStatus.NOT_FOUND, "there is nothing of that name"),
    "api.method-not-allowed": (HTTPStatus.METHOD_NOT_ALLOWED, "not with this method"),
    "api.client-certificate-missing": (HTTPStatus.UNAUTHORIZED, "come with an operator's certificate"),
    "api.client-certificate-malformed": (HTTPStatus.UNAUTHORIZED, "the proxy's header is not as agreed"),
    "api.precondition-missing": (HTTPStatus.PRECONDITION_REQUIRED, "send If-Match with the entity tag that was read"),
    "api.precondition-malformed": (HTTPStatus.BAD_REQUEST, "If-Match is no entity tag of a request"),
    "api.internal": (HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of this program"),
}  # fmt: skip
"""The codes that exist at the HTTP edge alone."""

_STATUSES: Final[Mapping[str, HTTPStatus]] = {
    "operator.certificate-invalid": HTTPStatus.UNAUTHORIZED,
    "operator.expired": HTTPStatus.UNAUTHORIZED,
    "operator.unknown": HTTPStatus.UNAUTHORIZED,
    "operator.revoked": HTTPStatus.UNAUTHORIZED,
    "operator.role-missing": HTTPStatus.FORBIDDEN,
    "request.unknown": HTTPStatus.NOT_FOUND,
    "request.own": HTTPStatus.FORBIDDEN,
    "request.changed": HTTPStatus.PRECONDITION_FAILED,
    "request.too-many": HTTPStatus.TOO_MANY_REQUESTS,
    "log.unknown-record": HTTPStatus.NOT_FOUND,
    "log.not-started": HTTPStatus.NOT_FOUND,
    "terminal.unknown": HTTPStatus.FORBIDDEN,
    "terminal.blocked": HTTPStatus.FORBIDDEN,
    "terminal.superseded": HTTPStatus.FORBIDDEN,
}
_BY_KIND: Final[tuple[tuple[type[PkiError], HTTPStatus], ...]] = (
    (PkiRefusedError, HTTPStatus.CONFLICT),
    (PkiDataError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (KeystoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (RecordError, HTTPStatus.SERVICE_UNAVAILABLE),
)
_HTTP_CODES: Final[Mapping[int, str]] = {
    HTTPStatus.NOT_FOUND: "api.not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "api.method-not-allowed",
}


class Problem(ProblemDocument):
    """A problem document; ``code`` is stable, ``detail`` is for people."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Conflict",
                    "status": 409,
                    "detail": "binh has decided on it already, expected different people",
                    "code": "request.decided-already",
                }
            ]
        }
    )


class ApiError(PkiRefusedError):
    """Something that only HTTP knows; the codes are those of ``API_CODES``."""


def problem_response(
    status: int, *, code: str, detail: str, hint: str | None = None
) -> JSONResponse:
    """The answer that tells a problem; it is never stored."""
    # There is no registered scheme for a certificate in TLS.
    return answer_problem(
        status, code=code, detail=detail, hint=hint, challenge="ClientCertificate"
    )


def reading_problem(error: ReadingError) -> JSONResponse:
    """The answer to a request that cannot be read."""
    code = f"api.{error.fault}"
    status, _ = API_CODES[code]
    return problem_response(status, code=code, detail=str(error))


def status_of(error: PkiError) -> HTTPStatus:
    """The status of one of our errors."""
    if error.code in API_CODES:
        return API_CODES[error.code][0]
    if error.code in _STATUSES:
        return _STATUSES[error.code]
    for kind, status in _BY_KIND:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def install_problem_handlers(app: FastAPI) -> None:
    """Have every error of the application told as a problem."""

    @app.exception_handler(PkiError)
    def _ours(_request: Request, error: PkiError) -> JSONResponse:
        return problem_response(
            status_of(error), code=error.code, detail=str(error), hint=error.hint
        )

    @app.exception_handler(ReadingError)
    def _unreadable(_request: Request, error: ReadingError) -> JSONResponse:
        return reading_problem(error)

    @app.exception_handler(RequestValidationError)
    def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            code="api.request-invalid",
            detail=first_fault(error),
        )

    @app.exception_handler(HTTPException)
    def _http(_request: Request, error: HTTPException) -> JSONResponse:
        code = _HTTP_CODES.get(error.status_code, "api.request-invalid")
        response = problem_response(error.status_code, code=code, detail=str(error.detail))
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response
