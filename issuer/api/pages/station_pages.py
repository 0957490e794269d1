"""The stations: which run, what each has in hand and made today, and when it was heard."""

from typing import Final

from fastapi import APIRouter, Request, Response

from issuer.api.gate import Services
from issuer.api.languages import message
from issuer.api.pages.rendering import render
from issuer.api.station_routes import StationReader
from issuer.domain.station_standing import StationState

__all__ = ["station_page_router"]

station_page_router = APIRouter(include_in_schema=False)

_STATES: Final = {
    StationState.WORKING: ("good", message("Working")),
    StationState.RESTING: ("care", message("Resting")),
    StationState.SILENT: ("bad", message("Not heard for a while")),
    StationState.OFF: ("plain", message("Off")),
    StationState.DISMISSED: ("bad", message("Dismissed")),
}


@station_page_router.get("/stations", response_model=None)
def stations_page(request: Request, services: Services, caller: StationReader) -> Response:
    """Every station, and those that wait for a second person."""
    now = services.now()
    standings = services.station_list.show(actor=caller.actor)
    return render(
        request,
        "stations.html",
        caller=caller,
        now=now,
        stations=[(each, *_STATES[each.state(now)]) for each in standings],
        made=sum(each.cards_made for each in standings),
        rejected=sum(each.chips_rejected for each in standings),
        claimed=sum(each.claimed for each in standings),
        proposals=services.station_list.proposals(actor=caller.actor),
    )
