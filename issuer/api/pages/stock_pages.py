"""Pages of the stock: the sites with their accounts, what comes and goes, samples, and the close of a day."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from issuer.api import stock_acts
from issuer.api.cursors import MAX_CURSOR_CHARACTERS
from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Services
from issuer.api.pages import stock_words
from issuer.api.pages.form_keys import form_key
from issuer.api.pages.rendering import render
from issuer.api.pages.stock_forms import ASKED_AGAIN, body_of, number_of, serials_of, told
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, status_of
from issuer.api.stock_documents import (
    CountBody,
    CountDocument,
    DoneDocument,
    MoveBody,
    ReasonBody,
    SampleBody,
    SiteBody,
)
from issuer.api.stock_routes import (
    CountIdPath,
    DayCloser,
    SitePath,
    StockKeeper,
    StockReader,
    count_paper,
    movement_page,
)
from issuer.api.upload_forms import form_of
from issuer.domain.rights import Right
from issuer.domain.stock_account import SiteCode
from issuer.domain.stock_acts import DayCloseId
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.operation_ports import KeptAnswer
from issuer.services.receive_stock import MAX_DELIVERY_BYTES

__all__ = ["stock_page_router"]

stock_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/stock"
_MOVEMENTS: Final = 15
_COUNTS: Final = 30
_MAX_FIELDS: Final = 8
_Told = IssuerDataError | IssuerRefusedError


class SiteQuery(BaseModel):
    """Which page of movements, and what was done just now."""

    cursor: str | None = Field(default=None, min_length=1, max_length=MAX_CURSOR_CHARACTERS)
    done: int | None = Field(default=None, ge=0, le=10**9)


_FIRST_PAGE: Final = SiteQuery()


@stock_page_router.get(_LIST, response_model=None)
def stock_page(
    request: Request,
    services: Services,
    caller: StockReader,
    new: Annotated[int | None, Query(ge=0, le=10**9)] = None,
) -> Response:
    """The sites with their accounts, and what was counted last."""
    return _overview(request, services, caller, new=new)


@stock_page_router.post(_LIST, response_model=None)
def open_site(
    request: Request, services: Services, caller: StockKeeper, fields: FormFields
) -> Response:
    """Open a store or a station."""
    key = form_key(fields)
    try:
        body = body_of(
            SiteBody,
            code=fields.get("code", "").strip(),
            kind=fields.get("kind", ""),
            name=fields.get("name", "").strip(),
            organisation=fields.get("organisation", "").strip() or None,
        )
        stock_acts.open_site_once(services, caller, body, key=key)
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in ASKED_AGAIN:
            raise
        return _overview(request, services, caller, fields=fields, error=error)
    return RedirectResponse(f"{_LIST}/sites/{body.code}", status_code=303)


@stock_page_router.post(_LIST + "/receive", response_model=None)
async def receive(request: Request, services: Services, caller: StockKeeper) -> Response:
    """Take a delivery list in; sent twice, it is done once."""
    async with form_of(request, max_files=1, max_fields=_MAX_FIELDS) as form:
        upload = form.get("list")
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        if not isinstance(upload, UploadFile) or upload.filename is None:
            raise ApiError("the form brings no list", code="api.request-invalid")
        content = await upload.read(MAX_DELIVERY_BYTES + 1)
        name = upload.filename[-100:]
    key = form_key(fields)

    def work() -> Response:
        try:
            # A site that is none is refused before anything is marked.
            site = services.stock.room.site(SiteCode(fields.get("site", "")), actor=caller.actor)
            kept = stock_acts.receive_file_once(
                services, caller, site.code, content, delivery=name, key=key
            )
        except (IssuerDataError, IssuerRefusedError) as error:
            if error.code in ASKED_AGAIN:
                raise
            return _overview(request, services, caller, error=error)
        done = DoneDocument.model_validate_json(kept.body)
        return RedirectResponse(f"{_LIST}?new={done.chips}", status_code=303)

    return await run_in_threadpool(work)


@stock_page_router.get(_LIST + "/sites/{site}", response_model=None)
def site_page(
    site: SitePath,
    request: Request,
    services: Services,
    caller: StockReader,
    query: Annotated[SiteQuery, Query()],
) -> Response:
    """One site: its account, its movements, and what can be done there."""
    return _site(request, services, caller, site, query=query)


@stock_page_router.post(_LIST + "/sites/{site}", response_model=None)
def act_at_site(
    site: SitePath, request: Request, services: Services, caller: StockReader, fields: FormFields
) -> Response:
    """Issue, take back, take samples or condemn; whose right it is says the use case."""
    key = form_key(fields)
    try:
        kept = _act(services, caller, site, fields, key)
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in ASKED_AGAIN:
            raise
        return _site(request, services, caller, site, fields=fields, error=error)
    done = DoneDocument.model_validate_json(kept.body)
    return RedirectResponse(f"{_LIST}/sites/{site}?done={done.chips}", status_code=303)


@stock_page_router.get(_LIST + "/sites/{site}/count", response_model=None)
def count_form(
    site: SitePath, request: Request, services: Services, caller: StockKeeper
) -> Response:
    """What has to be counted; what the records say is not told before."""
    return _count_form(request, services, caller, site)


@stock_page_router.post(_LIST + "/sites/{site}/count", response_model=None)
def count(
    site: SitePath, request: Request, services: Services, caller: StockKeeper, fields: FormFields
) -> Response:
    """Keep the count, and say what came of it; what is missing is told here and nowhere else."""
    key = form_key(fields)
    try:
        body = body_of(
            CountBody,
            finished=number_of(fields, "finished"),
            spoiled=number_of(fields, "spoiled"),
            samples=number_of(fields, "samples"),
            left=number_of(fields, "left"),
            scanned=serials_of(fields, "scanned"),
        )
        kept = stock_acts.count_once(services, caller, site, body, key=key)
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in ASKED_AGAIN:
            raise
        return _count_form(request, services, caller, site, fields=fields, error=error)
    return _count(request, services, caller, CountDocument.model_validate_json(kept.body))


@stock_page_router.get(_LIST + "/counts", response_model=None)
def counts_page(request: Request, services: Services, caller: StockReader) -> Response:
    """Counts and closes, the newest first."""
    return render(
        request,
        "stock_counts.html",
        caller=caller,
        counts=services.stock.days.newest(actor=caller.actor, limit=_COUNTS),
        words=stock_words,
    )


@stock_page_router.get(_LIST + "/counts/{count_id}", response_model=None)
def count_page(
    count_id: CountIdPath, request: Request, services: Services, caller: StockReader
) -> Response:
    """One count; whoever may close it does it here."""
    close = services.stock.days.show(DayCloseId(count_id), actor=caller.actor)
    return _count(request, services, caller, CountDocument.of(close))


@stock_page_router.get(_LIST + "/counts/{count_id}/protocol", response_model=None)
def count_protocol(count_id: CountIdPath, services: Services, caller: StockReader) -> Response:
    """Its protocol."""
    return count_paper(caller, services, count_id)


@stock_page_router.post(_LIST + "/counts/{count_id}", response_model=None)
def close_day(
    count_id: CountIdPath,
    request: Request,
    services: Services,
    caller: DayCloser,
    fields: FormFields,
) -> Response:
    """Close the day, as the second person."""
    try:
        stock_acts.close_day_once(services, caller, DayCloseId(count_id), key=form_key(fields))
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in ASKED_AGAIN:
            raise
        close = services.stock.days.show(DayCloseId(count_id), actor=caller.actor)
        return _count(request, services, caller, CountDocument.of(close), error=error)
    return RedirectResponse(f"{_LIST}/counts/{count_id}", status_code=303)


def _act(
    services: ApiServices, caller: Caller, site: str, fields: Mapping[str, str], key: str
) -> KeptAnswer:
    serials = serials_of(fields)

    def move(once: Callable[..., KeptAnswer]) -> KeptAnswer:
        body = body_of(MoveBody, serials=serials, to=fields.get("to", ""))
        return once(services, caller, site, body, key=key)

    match fields.get("act"):
        case "issue":
            return move(stock_acts.issue_once)
        case "return":
            return move(stock_acts.return_once)
        case "sample":
            body = body_of(SampleBody, serials=serials, purpose=fields.get("remark", "").strip())
            return stock_acts.sample_once(services, caller, site, body, key=key)
        case "condemn":
            reason = body_of(ReasonBody, reason=fields.get("remark", "").strip())
            if len(serials) != 1:
                raise IssuerDataError(
                    "one chip is condemned at a time", code="stock.serials-malformed"
                )
            return stock_acts.condemn_once(services, caller, serials[0], reason, key=key)
        case _:
            raise ApiError("the form asks for nothing known", code="api.request-invalid")


def _overview(
    request: Request,
    services: ApiServices,
    caller: Caller,
    *,
    new: int | None = None,
    fields: Mapping[str, str] | None = None,
    error: _Told | None = None,
) -> Response:
    return render(
        request,
        "stock.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        views=services.stock.room.accounts(actor=caller.actor),
        counts=services.stock.days.newest(actor=caller.actor, limit=5),
        may_write=caller.actor.may_somewhere(Right.WRITE_STOCK),
        new=new,
        fields=fields or {},
        words=stock_words,
        **told(error),
    )


def _site(
    request: Request,
    services: ApiServices,
    caller: Caller,
    site: str,
    *,
    query: SiteQuery = _FIRST_PAGE,
    fields: Mapping[str, str] | None = None,
    error: _Told | None = None,
) -> Response:
    code, cursor = SiteCode(site), query.cursor
    here = f"{_LIST}/sites/{site}"
    page = movement_page(caller, services, site, ListQuery(limit=_MOVEMENTS, cursor=cursor))
    return render(
        request,
        "stock_site.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        view=services.stock.room.account(code, actor=caller.actor),
        others=[
            each for each in services.stock.room.sites(actor=caller.actor) if each.code != code
        ],
        page=page,
        first=None if cursor is None else here,
        next=None if page.next is None else f"{here}?cursor={page.next}",
        may_write=caller.actor.may_somewhere(Right.WRITE_STOCK),
        may_condemn=caller.actor.may_somewhere(Right.DESTROY_CARDS),
        done=query.done,
        fields=fields or {},
        words=stock_words,
        **told(error),
    )


def _count_form(
    request: Request,
    services: ApiServices,
    caller: Caller,
    site: str,
    *,
    fields: Mapping[str, str] | None = None,
    error: _Told | None = None,
) -> Response:
    return render(
        request,
        "stock_count_form.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        site=services.stock.room.site(SiteCode(site), actor=caller.actor),
        fields=fields or {},
        **told(error),
    )


def _count(
    request: Request,
    services: ApiServices,
    caller: Caller,
    count: CountDocument,
    *,
    error: _Told | None = None,
) -> Response:
    return render(
        request,
        "stock_count.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        count=count,
        site=services.stock.room.site(SiteCode(count.site), actor=caller.actor),
        may_close=count.state.value == "counted"
        and count.counted_by != caller.actor.account
        and caller.actor.may_somewhere(Right.CLOSE_DAYS),
        words=stock_words,
        **told(error),
    )
