"""Reports: how good the register is, level by level, in bars."""

import re
from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from issuer.api.form_fields import FormFields
from issuer.api.gate import Services
from issuer.api.languages import message
from issuer.api.merged_report_routes import merged_page
from issuer.api.once import KEY_PATTERN
from issuer.api.pages.rendering import render
from issuer.api.pages_of_lists import CursorOfPage
from issuer.api.problems import ApiError
from issuer.api.report_routes import (
    ReportListQuery,
    ReportReader,
    begin_counting,
    file_of_report,
    report_page,
)
from issuer.domain.organisation import Organisation, parse_organisation_code
from issuer.domain.report import Quality
from issuer.domain.rights import Right
from issuer.services.instance_sources import SourceState
from issuer.services.reports import ReportForm

__all__ = ["SOURCE_PILLS", "SOURCE_WORDS", "report_page_router"]

report_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/reports"
_MERGED: Final = "/reports/instances"
_Above = Annotated[str | None, Query(max_length=32)]

_QUALITIES: Final = {
    Quality.RIGHT: message("Right"),
    Quality.COMPLETE: message("Complete"),
    Quality.CLEAN: message("Clean"),
    Quality.LIVE: message("Live"),
}
_MEANINGS: Final = {
    Quality.RIGHT: message("No row of a list waits for a person's judgement."),
    Quality.COMPLETE: message("Residence, phone, day of recognition and portrait are there."),
    Quality.CLEAN: message("No likely duplicate, and no letter that only looks Vietnamese."),
    Quality.LIVE: message("Recorded or changed within the last year."),
}
SOURCE_WORDS: Final = {
    SourceState.CURRENT: message("Counted within the month"),
    SourceState.STALE: message("Counted more than a month ago"),
    SourceState.MISSING: message("Has told nothing yet"),
    SourceState.SUSPENDED: message("Suspended: counted as it told last"),
    SourceState.REPLACED: message("Another instance told newer figures"),
}
SOURCE_PILLS: Final = {
    SourceState.CURRENT: "good",
    SourceState.STALE: "care",
    SourceState.MISSING: "bad",
    SourceState.SUSPENDED: "bad",
    SourceState.REPLACED: "plain",
}
_COUNTS: Final = {
    "waiting_rows": message("Rows that wait for a judgement"),
    "incomplete": message("Members of whom something is missing"),
    "duplicates": message("Likely duplicates"),
    "look_alikes": message("Names with look-alike letters"),
    "stale": message("Not touched for a year"),
    "open_requests": message("Open requests"),
    "ageing_requests": message("Requests that nobody moved for a month"),
}


@report_page_router.get(_LIST, response_model=None)
def reports_page(
    request: Request,
    services: Services,
    caller: ReportReader,
    above: _Above = None,
    cursor: CursorOfPage = None,
) -> Response:
    """One level of the tree: an organisation, and those below it."""
    code = above or None
    here = _LIST if code is None else f"{_LIST}?{urlencode({'above': code})}"
    way: tuple[Organisation, ...] = ()
    if code is not None and caller.actor.may_somewhere(Right.READ_ORGANISATIONS):
        way = services.organisations.path(parse_organisation_code(code), actor=caller.actor)
    page = report_page(caller, services, ReportListQuery(above=code, cursor=cursor))
    further = urlencode(({"above": code} if code else {}) | {"cursor": page.next or ""})
    return render(
        request,
        "reports.html",
        caller=caller,
        way=way,
        page=page,
        here=_LIST,
        sources=None,
        qualities=_QUALITIES,
        meanings=_MEANINGS,
        counts=_COUNTS,
        file_query="" if code is None else f"&above={quote(code, safe='')}",
        first=here if cursor is not None else None,
        next=None if page.next is None else f"{_LIST}?{further}",
    )


@report_page_router.get(_MERGED, response_model=None)
def merged_reports_page(
    request: Request,
    services: Services,
    caller: ReportReader,
    above: _Above = None,
    cursor: CursorOfPage = None,
) -> Response:
    """One level of the tree, with what the instances below have told of their parts."""
    code = above or None
    here = _MERGED if code is None else f"{_MERGED}?{urlencode({'above': code})}"
    page = merged_page(caller, services, ReportListQuery(above=code, cursor=cursor))
    further = urlencode(({"above": code} if code else {}) | {"cursor": page.next or ""})
    return render(
        request,
        "reports.html",
        caller=caller,
        here=_MERGED,
        sources=page.sources,
        source_words=SOURCE_WORDS,
        source_pills=SOURCE_PILLS,
        way=(),
        page=page,
        qualities=_QUALITIES,
        meanings=_MEANINGS,
        counts=_COUNTS,
        file_query="" if code is None else f"&above={quote(code, safe='')}",
        first=here if cursor is not None else None,
        next=None if page.next is None else f"{_MERGED}?{further}",
    )


@report_page_router.get(_MERGED + "/file", response_model=None)
def merged_file_page(
    services: Services,
    caller: ReportReader,
    form: ReportForm = ReportForm.XLSX,
    above: _Above = None,
) -> Response:
    """A merged report as a file."""
    return file_of_report(services.merged_report_file, caller, form, above or None)


@report_page_router.post(_LIST + "/count", response_model=None)
def count_page(services: Services, caller: ReportReader, fields: FormFields) -> Response:
    """Have the register counted, and go on to where that can be followed."""
    key = fields.get("once", "")
    if not re.fullmatch(KEY_PATTERN, key):
        raise ApiError("the form has no key of its own", code="api.request-invalid")
    kept = begin_counting(caller, services, key, at="/operations")
    return RedirectResponse(kept.location or _LIST, status_code=303)


@report_page_router.get(_LIST + "/file", response_model=None)
def report_file_page(
    services: Services,
    caller: ReportReader,
    form: ReportForm = ReportForm.XLSX,
    above: _Above = None,
) -> Response:
    """A report as a file."""
    return file_of_report(services.report_file, caller, form, above or None)
