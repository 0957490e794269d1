"""What terminals ask of the centre: judgements, the status of a card, and to be heard of."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from pki.web.reading import media_type_of
from verifier.centre.terminals import HealthReport
from verifier.centre_api.boundary import check_json
from verifier.centre_api.callers import Caller, MaybeCaller, Services, Signed
from verifier.centre_api.problems import EdgeError

__all__ = ["json_body", "terminal_router"]

terminal_router = APIRouter(prefix="/v1")

_JSON: Final = "application/json"
_SNAPSHOT: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            _JSON: {
                "schema": {
                    "type": "object",
                    "description": "A stored snapshot, as `membercard-verifier inspect --evidence` writes it.",
                    "required": ["format", "profile", "read_at", "files"],
                }
            }
        },
    }
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Health(BaseModel):
    """Whether the process lives."""

    status: str = Field(examples=["alive"])


class Readiness(BaseModel):
    """Whether it can serve, and by which bundle it judges."""

    status: str = Field(examples=["ready"])
    bundle_number: int | None = None
    stale: bool = Field(description="The bundle's own end is over.")


class HealthDocument(_Strict):
    """What a terminal says of itself."""

    version: str = Field(pattern=r"^[0-9A-Za-z.+-]{1,40}$", examples=["0.1.0"])
    bundle_number: int | None = Field(default=None, ge=1, le=2**62)
    journal_sequence: int | None = Field(default=None, ge=0, le=2**62)


class HealthAnswer(BaseModel):
    """What the centre says to a terminal."""

    now: datetime
    newest_bundle: int | None = Field(description="The number of the bundle that the centre has.")


class StatusQuestion(_Strict):
    """A card's place in its list, as its security object has it."""

    list_id: str = Field(pattern=r"^(?:[0-9a-f]{2}){1,32}$", examples=["8d1f00aa42c70b35"])
    index: int = Field(ge=0, le=2**62)


class StatusAnswer(BaseModel):
    """The card's state; ``null`` where no list knows it, which is never valid."""

    state: str | None = Field(examples=["valid"])
    list_number: int | None
    this_update: datetime | None


class JudgeQuery(_Strict):
    """What the card is to be judged for."""

    purpose: str | None = Field(default=None, min_length=1, max_length=64)


async def json_body(request: Request) -> str:
    """The text of a JSON body, each member once.

    Raises:
        EdgeError: ``centre.media-type``, ``centre.body-malformed``.
    """
    given = media_type_of(request.headers.get("content-type", ""))
    if given != _JSON:
        raise EdgeError(
            f"content type is {given[:60]!r}, expected {_JSON}", code="centre.media-type"
        )
    try:
        return (await request.body()).decode("utf-8")
    except UnicodeDecodeError as error:
        raise EdgeError("the body is not UTF-8", code="centre.body-malformed") from error


async def strict_json(request: Request) -> None:
    """Refuse what the framework would silently repair: a member that stands twice, NaN."""
    check_json((await json_body(request)).encode())


@terminal_router.get("/health", summary="Whether the process lives", tags=["service"])
def health() -> Health:
    """Nothing is looked at."""
    return Health(status="alive")


@terminal_router.get("/readiness", summary="Whether it can serve", tags=["service"])
def readiness(services: Services) -> Readiness:
    """Database and trust are looked at; where one fails this is 503 with its code."""
    services.check()
    bundle = services.trust().bundle
    return Readiness(
        status="ready",
        bundle_number=None if bundle is None else bundle.number,
        stale=bundle is not None and bundle.next_update < services.now(),
    )


@terminal_router.post(
    "/terminals/self/health",
    summary="A terminal says how it is",
    tags=["terminals"],
    dependencies=[Depends(strict_json)],
)
def report_health(
    document: HealthDocument, terminal: Caller, signed: Signed, services: Services
) -> HealthAnswer:
    """Kept as the terminal's last word, unless it said something later before."""
    now = services.now()
    services.register.heard(
        terminal.holder,
        HealthReport(
            version=document.version,
            bundle_number=document.bundle_number,
            journal_sequence=document.journal_sequence,
        ),
        said_at=signed.made_at,
        now=now,
    )
    bundle = services.trust().bundle
    return HealthAnswer(
        now=now.astimezone(UTC), newest_bundle=None if bundle is None else bundle.number
    )


@terminal_router.post(
    "/card-status",
    summary="The status of a card by the newest list",
    tags=["cards"],
    dependencies=[Depends(strict_json)],
)
def card_status(question: StatusQuestion, _terminal: Caller, services: Services) -> StatusAnswer:
    """For enrolled terminals: whoever could ask about every place could count a committee. Nothing is kept of it."""
    found = services.desk.card_status(bytes.fromhex(question.list_id), question.index)
    return StatusAnswer(
        state=None if found.state is None else found.state.label,
        list_number=found.list_number,
        this_update=found.this_update,
    )


@terminal_router.post(
    "/inspections",
    summary="Judge what was read of a card",
    tags=["cards"],
    response_class=Response,
    responses={
        200: {
            "description": "The report, as `membercard-verifier inspect --format json` prints it.",
            "content": {
                _JSON: {"schema": {"type": "object", "required": ["verdict", "assurance"]}}
            },
        }
    },
    openapi_extra=_SNAPSHOT,
)
def judge(
    text: Annotated[str, Depends(json_body)],
    query: Annotated[JudgeQuery, Query()],
    terminal: MaybeCaller,
    services: Services,
) -> Response:
    """The service judges, by its own trust and policy, now. Nothing of the card is kept.

    Of a snapshot that no enrolled terminal signed, what only its sender says is left out: it never proves a chip.
    """
    report = services.desk.judge(text, purpose=query.purpose, is_signed=terminal is not None)
    return JSONResponse(report.to_json())
