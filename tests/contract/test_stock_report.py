"""The report of the stock: what the books of each site say, what was destroyed and stopped, and who closed it last."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pypdfium2
import pytest
import sqlalchemy as sa
from python_calamine import CalamineWorkbook

from issuer.bootstrap_stock_report import stock_file
from issuer.db import schema
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.domain.stock_account import FIRST_STORE, SiteCode, SiteKind, StockCount
from issuer.domain.stock_acts import StopReason
from issuer.domain.stock_figures import StockFigures
from issuer.errors import IssuerRefusedError
from issuer.services import stock_room
from issuer.services.reports import ReportForm
from issuer.services.stock_ports import SiteTally
from tests.contract.cards_stage import fresh_sqlite
from tests.contract.requests_stage import COMMUNE, ORGANISATIONS
from tests.contract.stock_stage import CONTROLLER, NOW, STOREKEEPER, serial_of, staff
from tests.contract.test_stock_account import STATION, Stock

OF_COMMUNE = SiteCode("kho-xa")
UNKNOWN = serial_of(99)


@pytest.fixture(params=["sqlite", "postgresql"])
def stock(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stock]:
    """Ten chips in the store, of which one was spoiled, one destroyed, one is gone and one may be; a day was closed."""
    if request.param == "sqlite":
        database = fresh_sqlite(tmp_path)
    else:
        database = Database(request.getfixturevalue("postgresql_url"))
        schema.upgrade(database)
    with SqlRegister(database).writing() as transaction:
        transaction.organisations.add(ORGANISATIONS)
    made = Stock(database)
    made.prepare(10)
    made.issue(1, 2)
    services = made.services
    services.room.open_site(
        OF_COMMUNE, kind=SiteKind.STORE, name="=1+1 Kho xã", organisation=COMMUNE, actor=STOREKEEPER
    )
    services.room.take_samples([serial_of(3)], site=FIRST_STORE, remark="x", actor=STOREKEEPER)
    for number in (4, 5):
        services.room.condemn(serial_of(number), reason="cracked", actor=CONTROLLER)
    witnessed = services.destructions.witness(
        [serial_of(5)], site=FIRST_STORE, manner="cut", actor=STOREKEEPER
    )
    services.destructions.confirm(witnessed.destruction.destruction_id, chips=1, actor=CONTROLLER)
    # Witnessed by one alone, nothing is destroyed.
    services.destructions.witness([serial_of(3)], site=FIRST_STORE, manner="cut", actor=STOREKEEPER)
    services.stops.report(
        [serial_of(6), serial_of(7), UNKNOWN], reason=StopReason.STOLEN, actor=STOREKEEPER
    )
    services.stops.confirm([serial_of(6)], actor=CONTROLLER)
    services.stops.report([serial_of(1)], reason=StopReason.MISSING, actor=STOREKEEPER)
    services.stops.lift([serial_of(1)], actor=CONTROLLER)
    outcome = services.days.count(
        FIRST_STORE, StockCount(finished=0, spoiled=1, samples=1, left=4), actor=STOREKEEPER
    )
    services.days.close(outcome.close.close_id, actor=CONTROLLER)
    made.now = NOW + timedelta(days=1)
    yield made
    database.close()


def test_the_report_says_of_every_site_what_its_books_and_its_acts_say(stock: Stock) -> None:
    reports = stock.services.reports
    report = reports.show(actor=STOREKEEPER)
    lines = {each.view.site.code: each for each in report.lines}
    assert list(lines) == [OF_COMMUNE, STATION, FIRST_STORE]
    store = lines[FIRST_STORE]
    assert store.figures == StockFigures(
        received=7, good=0, spoiled=2, samples=1, left=4, destroyed=1, stolen=1
    )
    assert store.tally == SiteTally(destroyed=1, reported=1, confirmed=1)
    assert store.last_close is not None
    assert (store.last_close.day, store.last_close.closed_by) == (NOW.date(), "kiem tra")
    # What was lifted from the stop list is told of nobody.
    assert (lines[STATION].tally, lines[STATION].last_close) == (SiteTally(), None)
    assert lines[STATION].view.owes_since == NOW.date()
    assert lines[OF_COMMUNE].figures == StockFigures()
    assert report.total == StockFigures(
        received=9, spoiled=2, samples=1, left=6, destroyed=1, stolen=1
    )
    assert report.total.is_balanced
    # A chip that never came is stopped as well.
    assert (report.of_no_site, report.reported, report.confirmed) == (SiteTally(reported=1), 2, 1)


@pytest.mark.parametrize("stock", ["sqlite"], indirect=True)
def test_a_large_site_is_told_as_it_was_closed_unless_somebody_is_patient(
    stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock.receive(11)
    monkeypatch.setattr(stock_room, "MOST_COUNTED", 6)
    shown = stock.services.reports.show(actor=STOREKEEPER).lines[-1]
    assert (shown.figures.received, shown.figures.destroyed, shown.view.as_of) == (7, 1, NOW)
    counted = stock.services.reports.show(actor=STOREKEEPER, is_patient=True).lines[-1]
    assert (counted.figures.received, counted.figures.destroyed, counted.view.as_of) == (8, 1, None)


@pytest.mark.parametrize("stock", ["sqlite"], indirect=True)
def test_whoever_sees_a_part_gets_a_report_of_it_and_it_is_recorded(stock: Stock) -> None:
    near = Actor(
        account=AccountName("kho-xa"),
        assignments=(Assignment(role=Role.STOREKEEPER, organisation=COMMUNE),),
    )
    assert stock.services.reports.show(actor=near).of_no_site is None
    assert [each.view.site.code for each in stock.services.reports.show(actor=near).lines] == [
        OF_COMMUNE
    ]
    with pytest.raises(IssuerRefusedError) as refused:
        stock.services.reports.export(actor=staff("van thu", Role.CLERK), form=ReportForm.PDF)
    assert refused.value.code == "right.missing"
    assert not [each for each in stock.audit() if each.action == "report.exported"]
    stock_file(stock.services, ReportForm.PDF, actor=near)
    (record,) = [each for each in stock.audit() if each.action == "report.exported"]
    assert (record.account, record.subject_id, record.details) == (
        "kho-xa", "stock", {"form": "pdf", "sites": 1},
    )  # fmt: skip


@pytest.mark.parametrize("stock", ["sqlite"], indirect=True)
def test_workbook_and_paper_hold_the_same_figures(stock: Stock, tmp_path: Path) -> None:
    path = tmp_path / "stock.xlsx"
    path.write_bytes(stock_file(stock.services, ReportForm.XLSX, actor=STOREKEEPER))
    rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    heads = [str(each).partition("\n")[2] for each in rows[1]]
    by_name = {row[1]: dict(zip(heads, row, strict=True)) for row in rows[2:]}
    store = rows_of(rows, heads, FIRST_STORE)
    assert [store[each] for each in ("received", "good", "spoiled", "samples", "left", "destroyed")] == [
        7, 0, 2, 1, 4, 1,
    ]  # fmt: skip
    assert [store[each] for each in ("stopped, waiting", "gone for good")] == [1, 1]
    assert [store[each] for each in ("counted by", "closed by")] == ["kho", "kiem tra"]
    assert store["last day closed"] == NOW.date()
    # Nobody's name of a site is calculated.
    assert "=1+1 Kho xã" in by_name
    total = by_name["Cộng / Total"]
    assert [total[each] for each in ("received", "left", "stopped, waiting")] == [9, 6, 2]
    assert by_name["Chip chưa từng nhập kho / Chips of no site"]["stopped, waiting"] == 1
    station = rows_of(rows, heads, STATION)
    assert station["state"] == "Chưa đóng ngày 21/11/2026 / owes this close"

    text = text_of(stock_file(stock.services, ReportForm.PDF, actor=STOREKEEPER))
    for words in ("Cộng / Total", "9 0 2 1 6 1 2 1 –", "kiem tra", "Chưa đóng"):
        assert words in text, words
    with stock.database.writing() as session:
        session.execute(
            sa.text("UPDATE chips SET site = 'station-1' WHERE serial = :serial"),
            {"serial": serial_of(8)},
        )
    broken = text_of(stock_file(stock.services, ReportForm.PDF, actor=STOREKEEPER))
    assert broken.count("SỔ SÁCH KHÔNG KHỚP") == 2


def rows_of(rows: list[list[object]], heads: list[str], code: str) -> dict[str, object]:
    (found,) = [row for row in rows[2:] if row[0] == code]
    return dict(zip(heads, found, strict=True))


def text_of(content: bytes) -> str:
    """All of a paper's words, one blank between them."""
    document = pypdfium2.PdfDocument(content)
    pages = [page.get_textpage().get_text_range() for page in document]
    return " ".join(" ".join(pages).split())
