"""How far production has come, level by level, against the deadline."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request, Response

from issuer.api.gate import Caller, Services
from issuer.api.languages import message
from issuer.api.merged_production_routes import (
    ProductionSourceDocument,
    merged_production,
    merged_production_file,
)
from issuer.api.pages.rendering import render
from issuer.api.pages.report_pages import SOURCE_PILLS, SOURCE_WORDS
from issuer.api.pages_of_lists import CursorOfPage
from issuer.api.report_routes import ReportListQuery, ReportReader, file_of_report
from issuer.domain.organisation import Organisation, parse_organisation_code
from issuer.domain.production_report import Stage
from issuer.domain.rights import Right
from issuer.services.production_reports import ProductionReport
from issuer.services.reports import ReportForm

__all__ = ["production_page_router"]

production_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/reports/production"
_MERGED: Final = "/reports/instances/production"
_PAGE: Final = 50
_Code = Annotated[str | None, Query(max_length=32)]
STAGES: Final = {
    Stage.TO_EXCHANGE: message("To exchange"),
    Stage.DECIDED: message("Decided, without a chip"),
    Stage.BOUND: message("Bound to a chip"),
    Stage.SIGNED: message("Signed"),
    Stage.PRODUCING: message("In production"),
    Stage.ISSUED: message("Finished"),
    Stage.DISPATCHED: message("On the way to the members"),
    Stage.HANDED_OVER: message("Handed over"),
    Stage.CONDEMNED: message("Condemned"),
}


@production_page_router.get(_LIST, response_model=None)
def production_page(
    request: Request,
    services: Services,
    caller: ReportReader,
    above: _Code = None,
    behind: _Code = None,
) -> Response:
    """One level of the tree: an organisation, and those below it."""
    code = parse_organisation_code(above) if above else None
    way: tuple[Organisation, ...] = ()
    if code is not None and caller.actor.may_somewhere(Right.READ_ORGANISATIONS):
        way = services.organisations.path(code, actor=caller.actor)
    report = services.production.show(
        actor=caller.actor,
        above=code,
        limit=_PAGE,
        behind=parse_organisation_code(behind) if behind else None,
    )
    following = None if report.end is None else {"behind": report.end}
    return _level(
        request, caller, _LIST, code, report, way=way, following=following, is_later=bool(behind)
    )


@production_page_router.get(_LIST + "/file", response_model=None)
def production_file_page(
    services: Services,
    caller: ReportReader,
    form: ReportForm = ReportForm.XLSX,
    above: _Code = None,
) -> Response:
    """The same as a file."""
    return file_of_report(services.production_file, caller, form, above or None)


@production_page_router.get(_MERGED, response_model=None)
def merged_production_page(
    request: Request,
    services: Services,
    caller: ReportReader,
    above: _Code = None,
    cursor: CursorOfPage = None,
) -> Response:
    """One level of the tree, with what the instances below have told of their production."""
    code = above or None
    page = merged_production(caller, services, ReportListQuery(above=code, cursor=cursor))
    following = None if page.next is None else {"cursor": page.next}
    return _level(
        request,
        caller,
        _MERGED,
        code,
        page.report,
        sources=[ProductionSourceDocument.of(each) for each in page.sources],
        following=following,
        is_later=cursor is not None,
    )


@production_page_router.get(_MERGED + "/file", response_model=None)
def merged_production_file_page(
    services: Services,
    caller: ReportReader,
    form: ReportForm = ReportForm.XLSX,
    above: _Code = None,
) -> Response:
    """The same as a file."""
    return merged_production_file(caller, services, form, above or None)


def _level(
    request: Request,
    caller: Caller,
    here: str,
    above: str | None,
    report: ProductionReport,
    *,
    following: Mapping[str, str] | None,
    is_later: bool,
    way: Sequence[Organisation] = (),
    sources: Sequence[ProductionSourceDocument] | None = None,
) -> Response:
    """One level of the tree; ``following`` asks for its next page, ``is_later`` where this is not the first."""
    chosen = {} if above is None else {"above": above}
    return render(
        request,
        "production.html",
        caller=caller,
        way=way,
        report=report,
        here=here,
        sources=sources,
        source_words=SOURCE_WORDS,
        source_pills=SOURCE_PILLS,
        stages=STAGES,
        file_query="" if above is None else f"&above={quote(above, safe='')}",
        first=f"{here}?{urlencode(chosen)}" if is_later else None,
        next=None if following is None else f"{here}?{urlencode({**chosen, **following})}",
    )
