"""Errors as problem documents (RFC 9457): one table from our codes to HTTP, here and nowhere else."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi.responses import JSONResponse
from pydantic import ConfigDict

from card_layout.errors import CardError
from issuer.errors import (
    ConflictError,
    IssuerDataError,
    IssuerError,
    IssuerRefusedError,
    IssuerUnavailableError,
    TooManyAttemptsError,
)
from pki.errors import PkiError, PkiRefusedError
from pki.web.problem import PROBLEM_MEDIA_TYPE, ProblemDocument, answer_problem
from pki.web.reading import ReadingError

__all__ = [
    "API_CODES",
    "CODE_STATUSES",
    "PROBLEM_MEDIA_TYPE",
    "ApiError",
    "Problem",
    "ProductError",
    "problem_response",
    "reading_problem",
    "status_of",
]

ProductError = IssuerError | PkiError | CardError
"""Every error that is ours to tell."""

API_CODES: Final[Mapping[str, tuple[HTTPStatus, str]]] = {
    "api.body-malformed": (HTTPStatus.BAD_REQUEST, "the body is not what its content type says"),
    "api.body-too-large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is over its bound"),
    "api.body-timeout": (HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time"),
    "api.body-unexpected": (HTTPStatus.BAD_REQUEST, "a body where none belongs"),
    "api.header-twice": (HTTPStatus.BAD_REQUEST, "a header that belongs once stands twice"),
    "api.target-too-long": (HTTPStatus.REQUEST_URI_TOO_LONG, "path or query are over their bound"),
    "api.query-malformed": (HTTPStatus.BAD_REQUEST, "a name in the query stands twice, or is no UTF-8"),
    "api.media-type": (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the content type is another one than asked for"),
    "api.request-invalid": (HTTPStatus.UNPROCESSABLE_ENTITY, "a value is not as the description says"),
    "api.cursor-invalid": (HTTPStatus.BAD_REQUEST, "the cursor is not one that this list gave to this account"),
    "api.not-found": (HTTPStatus.NOT_FOUND, "there is nothing of that name"),
    "api.method-not-allowed": (HTTPStatus.METHOD_NOT_ALLOWED, "not with this method"),
    "api.session-restricted": (HTTPStatus.FORBIDDEN, "set a password of one's own, or show the second factor, first"),
    "api.foreign-origin": (HTTPStatus.FORBIDDEN, "another site's page asked for a change"),
    "subject.number-differs": (HTTPStatus.UNPROCESSABLE_ENTITY, "the record number that was typed is not this member's"),
    "request.none-chosen": (HTTPStatus.UNPROCESSABLE_ENTITY, "the form names no request"),
    "api.precondition-missing": (HTTPStatus.PRECONDITION_REQUIRED, "send If-Match with the entity tag that was read"),
    "api.precondition-failed": (HTTPStatus.PRECONDITION_FAILED, "somebody changed it meanwhile: read it again"),
    "api.too-busy": (HTTPStatus.SERVICE_UNAVAILABLE, "too much is going on at the same time"),
    "api.internal": (HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of this program"),
}  # fmt: skip
"""The codes that exist at the HTTP edge alone."""

CODE_STATUSES: Final[Mapping[str, HTTPStatus]] = {
    "session.ended": HTTPStatus.UNAUTHORIZED,
    "session.token-malformed": HTTPStatus.UNAUTHORIZED,
    "login.refused": HTTPStatus.UNAUTHORIZED,
    "login.second-factor-needed": HTTPStatus.FORBIDDEN,
    "account.proposal-unknown": HTTPStatus.NOT_FOUND,
    "audit.unknown-record": HTTPStatus.NOT_FOUND,
    "account.unknown": HTTPStatus.NOT_FOUND,
    "right.missing": HTTPStatus.FORBIDDEN,
    "right.step-up-needed": HTTPStatus.FORBIDDEN,
    "right.same-person": HTTPStatus.FORBIDDEN,
    "organisation.unknown": HTTPStatus.NOT_FOUND,
    "member.unknown": HTTPStatus.NOT_FOUND,
    "evidence.unknown": HTTPStatus.NOT_FOUND,
    "import.unknown": HTTPStatus.NOT_FOUND,
    "questionable.unknown": HTTPStatus.NOT_FOUND,
    "request.unknown": HTTPStatus.NOT_FOUND,
    "request.same-hands": HTTPStatus.FORBIDDEN,
    "decision.unknown": HTTPStatus.NOT_FOUND,
    "card.unknown": HTTPStatus.NOT_FOUND,
    "instance.unknown": HTTPStatus.NOT_FOUND,
    "conflict.unknown": HTTPStatus.NOT_FOUND,
    "bundle.unknown": HTTPStatus.NOT_FOUND,
    "authorisation.malformed": HTTPStatus.UNPROCESSABLE_ENTITY,
    "authorisation.none-written": HTTPStatus.NOT_FOUND,
    "correction.gone": HTTPStatus.NOT_FOUND,
    "subject.proof-gone": HTTPStatus.NOT_FOUND,
    "operation.unknown": HTTPStatus.NOT_FOUND,
    "signer.unreachable": HTTPStatus.SERVICE_UNAVAILABLE,
    "idempotency.key-reused": HTTPStatus.UNPROCESSABLE_ENTITY,
    "idempotency.outcome-unknown": HTTPStatus.CONFLICT,
    "file.too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
"""Codes whose status does not follow from the kind of their error."""

_BY_KIND: Final[tuple[tuple[type[ProductError], HTTPStatus], ...]] = (
    (TooManyAttemptsError, HTTPStatus.TOO_MANY_REQUESTS),
    (ConflictError, HTTPStatus.CONFLICT),
    (IssuerRefusedError, HTTPStatus.CONFLICT),
    (IssuerDataError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (IssuerUnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
    (PkiRefusedError, HTTPStatus.CONFLICT),
    (PkiError, HTTPStatus.SERVICE_UNAVAILABLE),
    (CardError, HTTPStatus.SERVICE_UNAVAILABLE),
)


class Problem(ProblemDocument):
    """A problem document; ``code`` is stable, ``detail`` is for people."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Forbidden",
                    "status": 403,
                    "detail": "account lan has no right requests.decide for P-01",
                    "code": "right.missing",
                }
            ]
        }
    )


class ApiError(IssuerRefusedError):
    """Something that only HTTP knows; the codes are those of ``API_CODES``."""


def problem_response(
    status: int, *, code: str, detail: str, hint: str | None = None
) -> JSONResponse:
    """The answer that tells a problem; it is never stored."""
    return answer_problem(status, code=code, detail=detail, hint=hint, challenge="Bearer")


def reading_problem(error: ReadingError) -> JSONResponse:
    """The answer to a request that cannot be read."""
    code = f"api.{error.fault}"
    status, _ = API_CODES[code]
    return problem_response(status, code=code, detail=str(error))


def status_of(error: ProductError) -> HTTPStatus:
    """The status of one of our errors."""
    if error.code in API_CODES:
        return API_CODES[error.code][0]
    if error.code in CODE_STATUSES:
        return CODE_STATUSES[error.code]
    for kind, status in _BY_KIND:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR
