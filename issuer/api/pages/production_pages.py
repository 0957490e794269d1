"""How far production has come, level by level, against the deadline."""

from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request, Response

from issuer.api.gate import Services
from issuer.api.languages import message
from issuer.api.pages.rendering import render
from issuer.api.report_routes import ReportReader, file_of_report
from issuer.domain.organisation import Organisation, parse_organisation_code
from issuer.domain.production_report import Stage
from issuer.domain.rights import Right
from issuer.services.reports import ReportForm

__all__ = ["production_page_router"]

production_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/reports/production"
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
    chosen = {} if code is None else {"above": code}
    return render(
        request,
        "production.html",
        caller=caller,
        way=way,
        report=report,
        stages=STAGES,
        file_query="" if code is None else f"&above={quote(code, safe='')}",
        first=f"{_LIST}?{urlencode(chosen)}" if behind else None,
        next=None
        if report.end is None
        else f"{_LIST}?{urlencode({**chosen, 'behind': report.end})}",
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
