"""Stations: how each stands, for the office; and their messages, which are signed and sealed and need no session."""

import base64
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from issuer.api.cursors import CursorScope
from issuer.api.gate import Caller, Demand, NoSession, Services
from issuer.api.pages_of_lists import ListQuery
from issuer.domain.production_events import StationName
from issuer.domain.rights import Right
from issuer.domain.station_standing import StationStanding, StationState
from issuer.errors import IssuerDataError, IssuerRefusedError
from pki.errors import PkiDataError, PkiRefusedError

__all__ = ["StationReader", "station_router"]

station_router = APIRouter(prefix="/v1/stations", tags=["stations"])

StationReader = Annotated[Caller, Depends(Demand(Right.READ_STOCK))]


class StationDocument(BaseModel):
    """One station, as far as it was heard."""

    model_config = ConfigDict(extra="forbid")

    name: str
    state: StationState
    is_elsewhere: bool
    readers: list[str]
    claimed: int
    cards_made_today: int
    chips_rejected_today: int
    heard_at: datetime | None
    handed_in_at: datetime | None
    day_closed_at: datetime | None
    events: int
    chain: str

    @classmethod
    def of(cls, standing: StationStanding, *, now: datetime) -> Self:
        """The document of a station."""
        return cls(
            name=standing.name,
            state=standing.state(now),
            is_elsewhere=standing.is_elsewhere,
            readers=list(standing.readers),
            claimed=standing.claimed,
            cards_made_today=standing.cards_made,
            chips_rejected_today=standing.chips_rejected,
            heard_at=standing.heard_at,
            handed_in_at=standing.handed_in_at,
            day_closed_at=standing.closed_at,
            events=standing.head.sequence,
            chain=standing.head.chain.hex(),
        )


class StationListDocument(BaseModel):
    """A page of stations, by name."""

    model_config = ConfigDict(extra="forbid")

    stations: list[StationDocument]
    next: str | None


@station_router.get("", summary="The stations, and how each stands")
def list_stations(
    query: Annotated[ListQuery, Query()], services: Services, caller: StationReader
) -> StationListDocument:
    """Those that the caller sees: what each said of itself last, and how far its journal is known."""
    scope = CursorScope(listing="stations", account=caller.actor.account)
    behind = None
    if query.cursor is not None:
        behind = StationName(services.cursors.open(query.cursor, scope).decode())
    found = services.station_list.show(actor=caller.actor, limit=query.limit + 1, behind=behind)
    shown, has_more = found[: query.limit], len(found) > query.limit
    now = services.now()
    return StationListDocument(
        stations=[StationDocument.of(each, now=now) for each in shown],
        next=services.cursors.seal(shown[-1].name.encode(), scope) if has_more else None,
    )


class StationMessage(BaseModel):
    """A sealed message (SPEC.md, sealed files), in base64."""

    model_config = ConfigDict(extra="forbid")

    message: Annotated[str, Field(max_length=6_000_000, examples=["MIIB..."])]


@station_router.post("/messages", summary="A station reports, and asks for a chip")
def station_message(
    _caller: Annotated[
        None, Depends(NoSession("a message is signed by the key of a station that is known here"))
    ],
    services: Services,
    content: StationMessage,
) -> StationMessage:
    """The answer is sealed to the station that signed the message, and names it by its digest."""
    if services.stations is None:
        raise IssuerRefusedError(
            "no stations elsewhere work with this centre", code="exchange.not-installed"
        )
    try:
        sealed = base64.b64decode(content.message, validate=True)
    except ValueError as error:
        raise IssuerDataError(
            "the message is not in base64", code="station.message-malformed"
        ) from error
    try:
        answer = services.stations.answer(sealed)
    except PkiDataError as error:
        raise IssuerDataError(str(error), code=error.code) from error
    except PkiRefusedError as error:
        raise IssuerRefusedError(str(error), code=error.code) from error
    return StationMessage(message=base64.b64encode(answer).decode("ascii"))
