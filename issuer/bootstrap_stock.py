"""Puts the use cases of the stock together, and the files that are made of its report."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from issuer.domain.rights import Actor
from issuer.papers.stock_report_files import stock_paper, write_stock_workbook
from issuer.services.close_days import ClosingOfDays
from issuer.services.destroy_chips import DestructionOfChips
from issuer.services.production_ports import Clock
from issuer.services.register_ports import Register
from issuer.services.reports import ReportForm
from issuer.services.stock_desk import StockDesk
from issuer.services.stock_reports import StockReport, StockReports
from issuer.services.stock_room import StockRoom
from issuer.services.stock_services import StockServices
from issuer.services.stop_chips import StopList

__all__ = ["stock_file", "stock_file_of", "stock_of"]


def _now() -> datetime:
    return datetime.now(UTC)


def stock_of(register: Register, *, clock: Clock = _now) -> StockServices:
    """The use cases of the stock over a register; no key is needed."""
    desk = StockDesk(register=register, clock=clock)
    room = StockRoom(desk=desk)
    return StockServices(
        room=room,
        days=ClosingOfDays(desk=desk),
        destructions=DestructionOfChips(desk=desk),
        stops=StopList(desk=desk),
        reports=StockReports(desk=desk, room=room),
    )


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
