"""Stations' messages: signed by a station's key and sealed to the centre, so that no session stands around them."""

import base64
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from issuer.api.gate import NoSession, Services
from issuer.errors import IssuerDataError, IssuerRefusedError
from pki.errors import PkiDataError, PkiRefusedError

__all__ = ["station_router"]

station_router = APIRouter(prefix="/v1/stations", tags=["stations"])


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
