"""Problem documents (RFC 9457): how our services tell an error; which code gets which status is each service's table."""

from http import HTTPStatus
from typing import Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

__all__ = ["PROBLEM_MEDIA_TYPE", "ProblemDocument", "answer_problem", "first_fault"]

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"

_RETRY_SECONDS: Final = "5"


class ProblemDocument(BaseModel):
    """A problem document; ``code`` is stable, ``detail`` is for people."""

    type: str = "about:blank"
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    code: str
    hint: str | None = None


def answer_problem(
    status: int, *, code: str, detail: str, challenge: str, hint: str | None = None
) -> JSONResponse:
    """The answer that tells a problem; it is never stored.

    Args:
        status: of HTTP.
        code: stable, for programs.
        detail: one sentence for people.
        challenge: how a caller shows who it is (RFC 9110, 15.5.2), where the status is 401.
        hint: what may be done about it.
    """
    headers = {"Cache-Control": "no-store"}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = _RETRY_SECONDS
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = challenge
    problem = ProblemDocument(
        title=HTTPStatus(status).phrase, status=status, detail=detail, code=code, hint=hint
    )
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status_code=status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers=headers,
    )


def first_fault(error: RequestValidationError) -> str:
    """What the first value that is not as described is called, and what is wrong with it; without the value."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])[:100]
    return f"{where}: {str(first['msg'])[:200]}"
