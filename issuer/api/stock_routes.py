"""The stock of chips: sites and their accounts, movements, samples, closes of days, destructions, the stop list."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response

from issuer.api import stock_acts
from issuer.api.cursors import CursorScope
from issuer.api.gate import Caller, Demand, Services
from issuer.api.once import KeyHeader, answer_of
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.api.stock_documents import (
    ConfirmDestructionBody,
    CountBody,
    CountDocument,
    CountListDocument,
    DeliveryBody,
    DestructionBody,
    DestructionDocument,
    DestructionListDocument,
    DoneDocument,
    MoveBody,
    MovementDocument,
    MovementPageDocument,
    ReasonBody,
    SampleBody,
    SerialsBody,
    SiteBody,
    SiteDocument,
    SiteListDocument,
    StopBody,
    StopDocument,
    StopListDocument,
)
from issuer.domain.chip import parse_serial
from issuer.domain.rights import Right
from issuer.domain.stock_account import SiteCode
from issuer.domain.stock_acts import DayCloseId, DestructionId, StopState
from issuer.papers.stock_pdf import day_close_pdf, destruction_pdf
from issuer.services.stock_ports import ActPosition, StopPosition

__all__ = [
    "ChipDestroyer",
    "CountIdPath",
    "DayCloser",
    "DestructionIdPath",
    "SerialPath",
    "SitePath",
    "StockController",
    "StockKeeper",
    "StockReader",
    "count_paper",
    "destruction_paper",
    "movement_page",
    "stock_router",
]

stock_router = APIRouter(prefix="/v1/stock", tags=["stock"])

StockReader = Annotated[Caller, Depends(Demand(Right.READ_STOCK))]
StockKeeper = Annotated[Caller, Depends(Demand(Right.WRITE_STOCK))]
StockController = Annotated[Caller, Depends(Demand(Right.CONTROL_QUALITY))]
DayCloser = Annotated[Caller, Depends(Demand(Right.CLOSE_DAYS))]
ChipDestroyer = Annotated[Caller, Depends(Demand(Right.DESTROY_CARDS))]
SitePath = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,31}$", examples=["store"])]
SerialPath = Annotated[str, Path(pattern=r"^[0-9A-Fa-f]{20}$", examples=["00000000000000000001"])]
CountIdPath = Annotated[uuid.UUID, Path(examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])]
DestructionIdPath = Annotated[uuid.UUID, Path(examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])]
_PDF: Final = "application/pdf"
_PAPER: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {_PDF: {}}}}


class StopListQuery(ListQuery):
    """Which lines."""

    state: StopState | None = None


def movement_page(
    caller: Caller, services: ApiServices, site: str, query: ListQuery
) -> MovementPageDocument:
    """A page of a site's movements, the newest first.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerDataError: ``stock.site-unknown``.
        IssuerRefusedError: ``right.missing``.
    """
    scope = CursorScope(
        listing="stock movements", account=caller.actor.account, selection={"site": site}
    )
    before = None
    if query.cursor is not None:
        before = int.from_bytes(services.cursors.open(query.cursor, scope), "big")
    found = services.stock.room.movements(
        SiteCode(site), actor=caller.actor, limit=query.limit + 1, before=before
    )
    shown = found[: query.limit]
    has_more = len(found) > query.limit
    return MovementPageDocument(
        movements=[MovementDocument.of(each) for each in shown],
        next=services.cursors.seal(shown[-1].sequence.to_bytes(8, "big"), scope)
        if has_more
        else None,
    )


def count_paper(caller: Caller, services: ApiServices, count: uuid.UUID) -> Response:
    """The protocol of a count."""
    close = services.stock.days.show(DayCloseId(count), actor=caller.actor)
    site = services.stock.room.site(close.site, actor=caller.actor)
    return _paper(day_close_pdf(close, site), f"day-{close.site}-{close.day.isoformat()}")


def destruction_paper(caller: Caller, services: ApiServices, destruction: uuid.UUID) -> Response:
    """The protocol of a destruction."""
    made = services.stock.destructions.show(DestructionId(destruction), actor=caller.actor)
    site = services.stock.room.site(made.destruction.site, actor=caller.actor)
    return _paper(destruction_pdf(made, site), f"destruction-{destruction}")


def _behind(services: ApiServices, query: ListQuery, scope: CursorScope) -> ActPosition | None:
    if query.cursor is None:
        return None
    at, _, act_id = services.cursors.open(query.cursor, scope).decode().partition(" ")
    return ActPosition(at=datetime.fromisoformat(at), act_id=uuid.UUID(act_id))


def _cursor(services: ApiServices, scope: CursorScope, at: datetime, name: str) -> str:
    return services.cursors.seal(f"{at.isoformat()} {name}".encode(), scope)


def _paper(content: bytes, name: str) -> Response:
    return Response(
        content,
        media_type=_PDF,
        headers={
            "Content-Disposition": f'attachment; filename="{name}.pdf"',
            "Cache-Control": "no-store",
        },
    )


@stock_router.get("/sites", summary="List the sites with their accounts")
def list_sites(
    query: Annotated[ListQuery, Query()], services: Services, caller: StockReader
) -> SiteListDocument:
    """Those that the caller sees, by code."""
    scope = CursorScope(listing="stock sites", account=caller.actor.account)
    behind = None
    if query.cursor is not None:
        behind = SiteCode(services.cursors.open(query.cursor, scope).decode())
    found = services.stock.room.accounts(actor=caller.actor, limit=query.limit + 1, behind=behind)
    shown, has_more = found[: query.limit], len(found) > query.limit
    return SiteListDocument(
        sites=[SiteDocument.of(each) for each in shown],
        next=services.cursors.seal(shown[-1].site.code.encode(), scope) if has_more else None,
    )


@stock_router.post(
    "/sites", status_code=201, response_model=SiteDocument, summary="Open a store or a station"
)
def open_site(body: SiteBody, services: Services, caller: StockKeeper, key: KeyHeader) -> Response:
    """It answers for its chips from now on."""
    return answer_of(stock_acts.open_site_once(services, caller, body, key=key))


@stock_router.get("/sites/{site}", summary="Show a site's account")
def show_site(site: SitePath, services: Services, caller: StockReader) -> SiteDocument:
    """Received = good + spoiled + samples + left."""
    return SiteDocument.of(services.stock.room.account(SiteCode(site), actor=caller.actor))


@stock_router.get("/sites/{site}/movements", summary="List a site's movements")
def list_movements(
    site: SitePath, query: Annotated[ListQuery, Query()], services: Services, caller: StockReader
) -> MovementPageDocument:
    """The newest first."""
    return movement_page(caller, services, site, query)


@stock_router.post(
    "/sites/{site}/deliveries", response_model=DoneDocument, summary="Take a delivery in"
)
def receive(
    site: SitePath, body: DeliveryBody, services: Services, caller: StockKeeper, key: KeyHeader
) -> Response:
    """All or none; the answer says how many chips were new."""
    return answer_of(stock_acts.receive_once(services, caller, site, body, key=key))


@stock_router.post(
    "/sites/{site}/issues", response_model=DoneDocument, summary="Issue blanks out of a store"
)
def issue(
    site: SitePath, body: MoveBody, services: Services, caller: StockKeeper, key: KeyHeader
) -> Response:
    """To a station or another store; all or none."""
    return answer_of(stock_acts.issue_once(services, caller, site, body, key=key))


@stock_router.post(
    "/sites/{site}/returns",
    response_model=DoneDocument,
    summary="Take back what lies at a station",
)
def take_back(
    site: SitePath, body: MoveBody, services: Services, caller: StockKeeper, key: KeyHeader
) -> Response:
    """Blanks, spoiled chips, samples and finished cards; all or none."""
    return answer_of(stock_acts.return_once(services, caller, site, body, key=key))


@stock_router.post(
    "/sites/{site}/samples", response_model=DoneDocument, summary="Take blanks as samples"
)
def take_samples(
    site: SitePath, body: SampleBody, services: Services, caller: StockKeeper, key: KeyHeader
) -> Response:
    """For good; all or none."""
    return answer_of(stock_acts.sample_once(services, caller, site, body, key=key))


@stock_router.post("/chips/{serial}/condemn", response_model=DoneDocument, summary="Condemn a chip")
def condemn(
    serial: SerialPath, body: ReasonBody, services: Services, caller: ChipDestroyer, key: KeyHeader
) -> Response:
    """With the card on it, unless that may work already."""
    return answer_of(stock_acts.condemn_once(services, caller, serial, body, key=key))


@stock_router.post(
    "/chips/{serial}/release", response_model=DoneDocument, summary="Release a held chip"
)
def release(
    serial: SerialPath, services: Services, caller: StockController, key: KeyHeader
) -> Response:
    """Stations may take it again."""
    return answer_of(stock_acts.release_once(services, caller, serial, key=key))


@stock_router.post(
    "/sites/{site}/counts",
    status_code=201,
    response_model=CountDocument,
    summary="State what was counted at a site",
)
def count(
    site: SitePath, body: CountBody, services: Services, caller: StockKeeper, key: KeyHeader
) -> Response:
    """A count that differs is kept, and closes nothing."""
    return answer_of(stock_acts.count_once(services, caller, site, body, key=key))


@stock_router.get("/counts", summary="List counts and closes of days")
def list_counts(
    query: Annotated[ListQuery, Query()], services: Services, caller: StockReader
) -> CountListDocument:
    """The newest first."""
    scope = CursorScope(listing="stock counts", account=caller.actor.account)
    found = services.stock.days.newest(
        actor=caller.actor, limit=query.limit + 1, behind=_behind(services, query, scope)
    )
    shown, has_more = found[: query.limit], len(found) > query.limit
    return CountListDocument(
        counts=[CountDocument.of(each) for each in shown],
        next=_cursor(services, scope, shown[-1].counted_at, str(shown[-1].close_id))
        if has_more
        else None,
    )


@stock_router.get("/counts/{count_id}", summary="Show a count")
def show_count(count_id: CountIdPath, services: Services, caller: StockReader) -> CountDocument:
    """With who confirmed it."""
    return CountDocument.of(services.stock.days.show(DayCloseId(count_id), actor=caller.actor))


@stock_router.post("/counts/{count_id}/close", response_model=CountDocument, summary="Close a day")
def close(count_id: CountIdPath, services: Services, caller: DayCloser, key: KeyHeader) -> Response:
    """As another person than who counted."""
    return answer_of(stock_acts.close_day_once(services, caller, DayCloseId(count_id), key=key))


@stock_router.get(
    "/counts/{count_id}/protocol",
    response_class=Response,
    summary="Take the protocol of a count (PDF)",
    responses=_PAPER,
)
def take_count_protocol(count_id: CountIdPath, services: Services, caller: StockReader) -> Response:
    """As it stands now."""
    return count_paper(caller, services, count_id)


@stock_router.get("/destructions", summary="List destructions")
def list_destructions(
    query: Annotated[ListQuery, Query()], services: Services, caller: StockReader
) -> DestructionListDocument:
    """The newest first."""
    scope = CursorScope(listing="stock destructions", account=caller.actor.account)
    found = services.stock.destructions.newest(
        actor=caller.actor, limit=query.limit + 1, behind=_behind(services, query, scope)
    )
    shown, has_more = found[: query.limit], len(found) > query.limit
    return DestructionListDocument(
        destructions=[DestructionDocument.of(each) for each in shown],
        next=_cursor(services, scope, shown[-1].first_at, str(shown[-1].destruction_id))
        if has_more
        else None,
    )


@stock_router.post(
    "/destructions",
    status_code=201,
    response_model=DestructionDocument,
    summary="Witness a destruction first",
)
def witness(
    body: DestructionBody, services: Services, caller: ChipDestroyer, key: KeyHeader
) -> Response:
    """Name the chips that were destroyed."""
    return answer_of(stock_acts.witness_once(services, caller, body, key=key))


@stock_router.get("/destructions/{destruction_id}", summary="Show a destruction with its chips")
def show_destruction(
    destruction_id: DestructionIdPath, services: Services, caller: StockReader
) -> DestructionDocument:
    """By serial."""
    return DestructionDocument.of_chips(
        services.stock.destructions.show(DestructionId(destruction_id), actor=caller.actor)
    )


@stock_router.post(
    "/destructions/{destruction_id}/confirm",
    response_model=DestructionDocument,
    summary="Witness a destruction second",
)
def confirm_destruction(
    destruction_id: DestructionIdPath,
    body: ConfirmDestructionBody,
    services: Services,
    caller: ChipDestroyer,
    key: KeyHeader,
) -> Response:
    """As another person: the chips exist no more."""
    return answer_of(
        stock_acts.confirm_destruction_once(
            services, caller, DestructionId(destruction_id), body, key=key
        )
    )


@stock_router.post(
    "/destructions/{destruction_id}/withdraw",
    response_model=DestructionDocument,
    summary="Withdraw a destruction",
)
def withdraw_destruction(
    destruction_id: DestructionIdPath, services: Services, caller: ChipDestroyer, key: KeyHeader
) -> Response:
    """It did not take place."""
    return answer_of(
        stock_acts.withdraw_destruction_once(
            services, caller, DestructionId(destruction_id), key=key
        )
    )


@stock_router.get(
    "/destructions/{destruction_id}/protocol",
    response_class=Response,
    summary="Take the protocol of a destruction (PDF)",
    responses=_PAPER,
)
def take_destruction_protocol(
    destruction_id: DestructionIdPath, services: Services, caller: StockReader
) -> Response:
    """As it stands now."""
    return destruction_paper(caller, services, destruction_id)


@stock_router.get("/stops", summary="List the stop list")
def list_stops(
    query: Annotated[StopListQuery, Query()], services: Services, caller: StockReader
) -> StopListDocument:
    """The newest first."""
    scope = CursorScope(
        listing="stock stops", account=caller.actor.account, selection={"state": query.state}
    )
    behind = None
    if query.cursor is not None:
        at, _, serial = services.cursors.open(query.cursor, scope).decode().partition(" ")
        behind = StopPosition(at=datetime.fromisoformat(at), serial=parse_serial(serial))
    found = services.stock.stops.newest(
        actor=caller.actor,
        limit=query.limit + 1,
        states=() if query.state is None else (query.state,),
        behind=behind,
    )
    shown, has_more = found[: query.limit], len(found) > query.limit
    return StopListDocument(
        stops=[StopDocument.of(each) for each in shown],
        next=_cursor(services, scope, shown[-1].reported_at, shown[-1].serial.hex().upper())
        if has_more
        else None,
    )


@stock_router.post("/stops", response_model=DoneDocument, summary="Put chips on the stop list")
def report_stops(
    body: StopBody, services: Services, caller: StockKeeper, key: KeyHeader
) -> Response:
    """No station takes them from now on; all or none."""
    return answer_of(stock_acts.report_stops_once(services, caller, body, key=key))


@stock_router.post(
    "/stops/confirm", response_model=DoneDocument, summary="Confirm that chips are gone"
)
def confirm_stops(
    body: SerialsBody, services: Services, caller: ChipDestroyer, key: KeyHeader
) -> Response:
    """As another person than who reported them; for good."""
    return answer_of(stock_acts.conclude_stops_once(services, caller, body, is_gone=True, key=key))


@stock_router.post(
    "/stops/lift", response_model=DoneDocument, summary="Lift the stop of chips that were found"
)
def lift_stops(
    body: SerialsBody, services: Services, caller: ChipDestroyer, key: KeyHeader
) -> Response:
    """As another person than who reported them."""
    return answer_of(stock_acts.conclude_stops_once(services, caller, body, is_gone=False, key=key))
