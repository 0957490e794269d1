"""The report of the stock as a file, for programs and for the console."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from issuer.api.gate import Services
from issuer.api.report_routes import FILES_OF_REPORTS, answer_with_file
from issuer.api.stock_routes import StockReader
from issuer.services.reports import ReportForm

__all__ = ["stock_report_page_router", "stock_report_router"]

stock_report_router = APIRouter(prefix="/v1/stock", tags=["stock"])
stock_report_page_router = APIRouter(include_in_schema=False)

_NAME: Final = "stock"


class StockFileQuery(BaseModel):
    """Which file."""

    model_config = ConfigDict(extra="forbid")

    form: ReportForm = ReportForm.XLSX


@stock_report_router.get(
    "/file",
    response_class=Response,
    summary="Take the report of the stock as a file",
    responses=FILES_OF_REPORTS,
)
def take_stock_file(
    query: Annotated[StockFileQuery, Query()], services: Services, caller: StockReader
) -> Response:
    """Every site that the caller sees, with what was destroyed and stopped, and its last close; it is recorded."""
    content = services.stock_file(query.form, actor=caller.actor)
    return answer_with_file(content, query.form, name=_NAME)


@stock_report_page_router.get("/stock/file", response_model=None)
def stock_file_page(
    services: Services, caller: StockReader, form: ReportForm = ReportForm.XLSX
) -> Response:
    """The same from the console."""
    return answer_with_file(services.stock_file(form, actor=caller.actor), form, name=_NAME)
