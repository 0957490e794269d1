"""The files that are made of the report of the stock; a station needs none, and loads none of what draws them."""

import tempfile
from pathlib import Path

from issuer.domain.rights import Actor
from issuer.papers.stock_report_files import stock_paper, write_stock_workbook
from issuer.services.reports import ReportForm
from issuer.services.stock_reports import StockReport
from issuer.services.stock_services import StockServices

__all__ = ["stock_file", "stock_file_of"]


def stock_file(stock: StockServices, form: ReportForm, *, actor: Actor) -> bytes:
    """The report of the stock as a file, with the figures that pages show.

    Raises:
        IssuerRefusedError: as ``StockReports.export``.
    """
    return stock_file_of(stock.reports.export(actor=actor, form=form), form)


def stock_file_of(report: StockReport, form: ReportForm) -> bytes:
    """A report of the stock that was made, as a file."""
    if form is ReportForm.PDF:
        return stock_paper(report)
    with tempfile.TemporaryDirectory(prefix="membercard-") as directory:
        path = Path(directory) / "stock.xlsx"
        write_stock_workbook(path, report)
        return path.read_bytes()
