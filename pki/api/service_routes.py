"""The transparency log's files, terminals' renewals, and how the service is."""

from datetime import UTC
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pki.api.caller import Auditor, Reader, Services
from pki.api.documents import (
    CheckpointDocument,
    CheckpointPage,
    Health,
    PageQuery,
    Readiness,
    TerminalAuthorityDocument,
    TerminalAuthorityList,
)
from pki.api.file_routes import BINARY_ANSWER, cacheable
from pki.api.problems import ApiError
from pki.web.reading import media_type_of

__all__ = ["service_router"]

service_router = APIRouter(prefix="/v1")

_TEXT: Final = "text/plain"
_OCTETS: Final = "application/octet-stream"
_MAX_REQUEST_BYTES: Final = 8192
_MAX_AUTHORITIES: Final = 60
_TEXT_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The file.", "content": {_TEXT: {"schema": {"type": "string"}}}},
}


def _body_of(media_type: str, example: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if media_type == _OCTETS:
        schema["format"] = "binary"
    return {
        "requestBody": {
            "required": True,
            "content": {media_type: {"schema": schema, "example": example}},
        }
    }


class _RawBody:
    """The bytes of a body of one content type."""

    def __init__(self, media_type: str) -> None:
        self._media_type = media_type

    async def __call__(self, request: Request) -> bytes:
        given = media_type_of(request.headers.get("content-type", ""))
        if given != self._media_type:
            raise ApiError(
                f"content type is {given[:60]!r}, expected {self._media_type}",
                code="api.media-type",
            )
        return await request.body()


class InclusionQuery(BaseModel):
    """Which record: by its leaf, or the newest of a card's reference."""

    model_config = ConfigDict(extra="forbid")

    index: int | None = Field(default=None, ge=0, le=2**62)
    reference: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")


@service_router.get("/health", summary="Whether the process lives", tags=["service"])
def health() -> Health:
    """Nothing is looked at."""
    return Health(status="alive")


@service_router.get("/readiness", summary="Whether it can serve", tags=["service"])
def readiness(services: Services) -> Readiness:
    """Database and journal are looked at; where one fails this is 503 with its code."""
    return Readiness(status="ready", journal_entries=services.catch_up())


@service_router.get(
    "/log/checkpoint",
    summary="The newest checkpoint",
    tags=["log"],
    response_class=Response,
    responses={**BINARY_ANSWER, **_TEXT_ANSWER},
)
def checkpoint(request: Request, services: Services) -> Response:
    """A C2SP signed note; keep it where this service cannot write."""
    found = services.checkpoint()
    if found is None:
        raise ApiError("there is no checkpoint yet", code="api.not-found")
    return cacheable(request, found, media_type=f"{_TEXT}; charset=utf-8")


@service_router.get("/log/checkpoints", summary="When checkpoints were signed", tags=["log"])
def checkpoints(
    query: Annotated[PageQuery, Query()], services: Services, _operator: Reader
) -> CheckpointPage:
    """A page of checkpoints, newest first."""
    found = services.look_up.checkpoints(after=query.after, limit=query.limit)
    return CheckpointPage(
        checkpoints=[CheckpointDocument.of(each) for each in found],
        next=found[-1].position if len(found) == query.limit else None,
    )


@service_router.get(
    "/log/inclusion-proof",
    summary="A record with its proof, for auditors",
    tags=["log"],
    response_class=Response,
    responses=_TEXT_ANSWER,
)
def inclusion_proof(
    query: Annotated[InclusionQuery, Query()], services: Services, _operator: Auditor
) -> Response:
    """One record with its salt, in the form of c2sp.org/tlog-proof; it is never published."""
    if (query.index is None) == (query.reference is None):
        raise ApiError("got both or none of index and reference", code="api.request-invalid")
    if query.reference is not None:
        proof = services.prove_inclusion_of(bytes.fromhex(query.reference))
    else:
        proof = services.prove_inclusion(query.index or 0)
    return Response(proof, media_type=f"{_TEXT}; charset=utf-8")


@service_router.post(
    "/log/growth-proof",
    summary="That the newest checkpoint only adds to an older one",
    tags=["log"],
    response_class=Response,
    responses=_TEXT_ANSWER,
    openapi_extra=_body_of(_TEXT, "pki.example/log\n512\n...\n"),
)
def growth_proof(
    body: Annotated[bytes, Depends(_RawBody(_TEXT))], services: Services, _operator: Reader
) -> Response:
    """The older checkpoint goes in as it was kept; the proof comes in the form of c2sp.org/tlog-witness."""
    return Response(services.prove_growth(body), media_type=f"{_TEXT}; charset=utf-8")


@service_router.get(
    "/terminal-authorities",
    summary="The certificates above those of terminals",
    tags=["terminals"],
)
def list_terminal_authorities(services: Services) -> TerminalAuthorityList:
    """For every terminal: the CVCA's certificates and links, and the document verifiers' that have not ended."""
    services.catch_up()
    found = services.look_up.terminal_authorities(
        today=services.now().astimezone(UTC).date(), limit=_MAX_AUTHORITIES
    )
    return TerminalAuthorityList(authorities=[TerminalAuthorityDocument.of(each) for each in found])


@service_router.post(
    "/terminal-renewals",
    status_code=201,
    summary="A terminal's next certificate",
    tags=["terminals"],
    response_class=Response,
    responses={
        201: {
            "description": "The CV certificate.",
            "content": {_OCTETS: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
    openapi_extra=_body_of(_OCTETS, "67..."),
)
def renew_terminal(
    body: Annotated[bytes, Depends(_RawBody(_OCTETS))], services: Services
) -> Response:
    """A request whose outer signature is by the terminal's current key (TR-03110-3, C.2).

    No operator is asked, and no client certificate: the current key vouches, once, as long as the terminal is in
    good standing. The same request again gets the same certificate.
    """
    if len(body) > _MAX_REQUEST_BYTES:
        raise ApiError(
            f"the request has {len(body)} bytes, expected at most {_MAX_REQUEST_BYTES}",
            code="api.body-too-large",
        )
    return Response(services.renew_terminal(body), status_code=201, media_type=_OCTETS)
