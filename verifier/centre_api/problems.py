"""Errors as problem documents (RFC 9457): one table from our codes to HTTP, here and nowhere else."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ConfigDict
from starlette.exceptions import HTTPException

from pki.web.problem import PROBLEM_MEDIA_TYPE, ProblemDocument, answer_problem, first_fault
from verifier.errors import SnapshotError, TrustError, VerifierError

__all__ = [
    "PROBLEM_MEDIA_TYPE",
    "EdgeError",
    "Problem",
    "install_problem_handlers",
    "problem_response",
]

_STATUSES: Final[Mapping[str, HTTPStatus]] = {
    "centre.body-malformed": HTTPStatus.BAD_REQUEST,
    "centre.body-too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "centre.body-timeout": HTTPStatus.REQUEST_TIMEOUT,
    "centre.request-malformed": HTTPStatus.BAD_REQUEST,
    "centre.request-invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "centre.media-type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "centre.not-found": HTTPStatus.NOT_FOUND,
    "centre.method": HTTPStatus.METHOD_NOT_ALLOWED,
    "centre.range": HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    "centre.signature-missing": HTTPStatus.UNAUTHORIZED,
    "centre.signature-malformed": HTTPStatus.UNAUTHORIZED,
    "centre.signature-invalid": HTTPStatus.UNAUTHORIZED,
    "centre.request-stale": HTTPStatus.UNAUTHORIZED,
    "centre.terminal-unknown": HTTPStatus.FORBIDDEN,
    "centre.terminal-blocked": HTTPStatus.FORBIDDEN,
    "centre.reading-old": HTTPStatus.UNPROCESSABLE_ENTITY,
    "centre.journal-gap": HTTPStatus.CONFLICT,
    "centre.journal-edited": HTTPStatus.CONFLICT,
    "centre.journal-other-terminal": HTTPStatus.CONFLICT,
    "centre.journal-malformed": HTTPStatus.UNPROCESSABLE_ENTITY,
    "journal.damaged": HTTPStatus.UNPROCESSABLE_ENTITY,
    "journal.pseudonym-malformed": HTTPStatus.UNPROCESSABLE_ENTITY,
    "centre.busy": HTTPStatus.CONFLICT,
    "centre.refused": HTTPStatus.CONFLICT,
    "policy.unknown-purpose": HTTPStatus.UNPROCESSABLE_ENTITY,
}  # fmt: skip
_HTTP_CODES: Final[Mapping[int, str]] = {
    HTTPStatus.NOT_FOUND: "centre.not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "centre.method",
}


class EdgeError(VerifierError):
    """Something that only HTTP knows."""

    default_code = "centre.request-malformed"


class Problem(ProblemDocument):
    """A problem document; ``code`` is stable (docs/codes.md), ``detail`` is for people."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Forbidden",
                    "status": 403,
                    "detail": "terminal VNGATE1 was blocked",
                    "code": "centre.terminal-blocked",
                }
            ]
        }
    )


def problem_response(
    status: int, *, code: str, detail: str, hint: str | None = None
) -> JSONResponse:
    """The answer that tells a problem; it is never stored."""
    # Message signatures (RFC 9421, 5) have a header of their own beside it.
    return answer_problem(status, code=code, detail=detail, hint=hint, challenge="Signature")


def status_of(error: VerifierError) -> HTTPStatus:
    """The status of one of our errors."""
    if error.code in _STATUSES:
        return _STATUSES[error.code]
    if isinstance(error, SnapshotError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, TrustError) or error.code.startswith(("centre.database", "centre.keys")):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


def error_response(error: VerifierError) -> JSONResponse:
    """The answer to one of our errors."""
    status = status_of(error)
    # What is broken here is for the log, not for callers: it may name files.
    is_ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    detail = "the service cannot answer now" if is_ours else str(error)
    return problem_response(
        status, code=error.code, detail=detail, hint=None if is_ours else error.hint
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Have every error of the application told as a problem."""

    @app.exception_handler(VerifierError)
    def _ours(_request: Request, error: VerifierError) -> JSONResponse:
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            code="centre.request-invalid",
            detail=first_fault(error),
        )

    @app.exception_handler(HTTPException)
    def _http(_request: Request, error: HTTPException) -> JSONResponse:
        code = _HTTP_CODES.get(error.status_code, "centre.request-invalid")
        response = problem_response(error.status_code, code=code, detail=str(error.detail))
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response
