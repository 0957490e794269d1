"""Production that goes up with bundles: two instances that make cards, and the register above them that merges both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pypdfium2
import pytest
from python_calamine import CalamineWorkbook

from issuer.bootstrap_reports import merged_report_file
from issuer.db import schema
from issuer.db.base import Database
from issuer.db.instance_reports import SqlInstanceFigures
from issuer.db.production_figures import SqlProductionFigures
from issuer.db.production_tables import CardRow, StatusListRow
from issuer.db.reports import SqlReportFigures
from issuer.domain.bundle import Bundle
from issuer.domain.card import CardState
from issuer.domain.instances import Side
from issuer.domain.organisation import OrganisationCode
from issuer.domain.production_report import OTHER_REASONS, Progress, Stage, StageCount
from issuer.domain.rights import Role
from issuer.domain.stock_figures import StockFigures
from issuer.exchange.bundle_file import bundle_from_bytes, bundle_to_bytes
from issuer.services.export_bundle import ExportedBundle
from issuer.services.import_bundle import ImportReport
from issuer.services.merged_reports import MergedReport, MergedReports, MergedSubject
from issuer.services.report_ports import ReportLine
from issuer.services.reports import ReportForm
from issuer.services.state_reports import ReportStating
from tests.contract.bundle_stage import PROVINCE_CLERK, Office, person
from tests.contract.cards_stage import LIST, add_card, fresh_sqlite
from tests.contract.requests_stage import (
    CELL,
    COMMUNE,
    NOW,
    ORGANISATIONS,
    OTHER,
    PROVINCE,
    actor,
)
from tests.contract.stock_stage import OfficeStock, serial_of
from tests.unit.pki.exchange_office import ExchangeOffice

READER = actor("reader", Role.AUDITOR)
DEADLINE = (NOW + timedelta(days=2)).date()


@dataclass
class Unit:
    """One register that makes cards, or does not."""

    office: Office
    database: Database

    def receive(self, *numbers: int) -> None:
        """Chips in the store of the whole register."""
        self.stock().receive([serial_of(each) for each in numbers], delivery="box")

    def stock(self) -> OfficeStock:
        return OfficeStock(self.database, lambda: NOW)

    def make(self, number: int, state: CardState, *, organisation: OrganisationCode) -> None:
        """A card of the member of this number."""
        with self.database.writing() as session:
            if session.get(StatusListRow, LIST) is None:
                session.add(StatusListRow(list_id=LIST, size=64, created_at=NOW, is_shared=False))
        reference = add_card(
            self.office.register,
            self.database,
            number,
            person(number).member_id,
            organisation=organisation,
            request=number,
            state=CardState.ISSUED,
            now=NOW - timedelta(days=8),
        )
        with self.database.writing() as session:
            row = session.get_one(CardRow, reference)
            row.state = state.value
            if state is CardState.CONDEMNED:
                row.condemned_for = "station.key-check"

    def count(self, at: datetime) -> None:
        SqlReportFigures(self.database, register_of=self.office.own.organisation).count(now=at)


@dataclass
class Country:
    """A province, and two communes with production of their own."""

    province: Unit
    communes: tuple[Unit, Unit]

    def reports(self) -> MergedReports:
        database = self.province.database
        return MergedReports(
            register=self.province.office.register,
            figures=SqlReportFigures(database),
            production=SqlProductionFigures(database),
            instances=SqlInstanceFigures(database),
            own=self.province.office.own.name,
            clock=lambda: NOW,
            deadline=DEADLINE,
        )

    def merged(self) -> MergedReport:
        return self.reports().export(
            actor=READER, above=None, form=ReportForm.XLSX, subject=MergedSubject.PRODUCTION
        )

    def lines(self) -> dict[OrganisationCode, ReportLine]:
        return {each.code: each for _, each in self.merged().lines}

    def up(self, unit: Unit) -> ImportReport:
        return self.take(self.made(unit))

    def made(self, unit: Unit) -> ExportedBundle:
        clerk = actor("clerk", Role.CLERK, at=unit.office.own.organisation)
        return unit.office.send(self.province.office, by=clerk)

    def take(self, made: ExportedBundle) -> ImportReport:
        return self.province.office.receive(made, by=PROVINCE_CLERK)

    def opened(self, made: ExportedBundle) -> Bundle:
        return bundle_from_bytes(self.province.office.keys.open(made.content).content)

    def as_an_older_version(self, unit: Unit, made: ExportedBundle) -> ExportedBundle:
        """The same without production, as it was written before there was any."""
        bundle = self.opened(made)
        reports = tuple(
            replace(each, lines=tuple(replace(line, production=None) for line in each.lines))
            for each in bundle.reports
        )
        sealed = unit.office.keys.seal(
            bundle_to_bytes(replace(bundle, reports=reports)),
            receiver_certificate=self.province.office.party.certificate,
            at=NOW,
        )
        return replace(made, content=sealed)


@pytest.fixture
def country(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Country]:
    pki = ExchangeOffice()
    units: list[Unit] = []
    for number, (name, organisation) in enumerate(
        (("tinh-uy", PROVINCE), ("xa-mau", COMMUNE), ("xa-thu", OTHER)), start=1
    ):
        folder = tmp_path / name
        folder.mkdir()
        if number == 1 and getattr(request, "param", "sqlite") == "postgresql":
            database = Database(request.getfixturevalue("postgresql_url"))
            schema.upgrade(database)
        else:
            database = fresh_sqlite(folder)
        office = Office(
            database, pki.party(name), pki.root, organisation=organisation,
            first_id=number * 1_000_000, marks_folder=folder,
        )  # fmt: skip
        units.append(Unit(office=office, database=database))
    province, first, second = units
    # The province made a card for one of its own and, long ago, for one of the first commune.
    province.office.fill(
        [person(30, organisation_code=PROVINCE), person(1, organisation_code=COMMUNE)]
    )
    province.receive(*range(30, 40))
    province.make(30, CardState.HANDED_OVER, organisation=PROVINCE)
    first.office.fill([person(each) for each in (1, 2, 3, 4)])
    first.receive(1, 2, 3, 4, 5, 6)
    first.make(1, CardState.HANDED_OVER, organisation=CELL)
    first.make(2, CardState.ISSUED, organisation=CELL)
    first.make(3, CardState.CONDEMNED, organisation=CELL)
    first.stock().condemn(serial_of(6), code="chip.damaged")
    second.office.fill([person(each, organisation_code=OTHER) for each in (11, 12)])
    second.receive(11, 12, 13)
    second.make(11, CardState.BOUND, organisation=OTHER)
    for each in (first, second):
        province.office.enrol(each.office, Side.BELOW)
        each.office.enrol(province.office, Side.ABOVE)
        each.count(NOW)
    province.count(NOW)
    yield Country(province=province, communes=(first, second))
    for each in units:
        each.database.close()


OWN = StockFigures(received=10, good=1, left=9)
OF_FIRST = Progress(
    stages={
        Stage.TO_EXCHANGE: StageCount(cards=1),
        # The member of the condemned card waits for another one.
        Stage.DECIDED: StageCount(cards=1, long=1),
        Stage.ISSUED: StageCount(cards=1, long=1),
        Stage.HANDED_OVER: StageCount(cards=1),
        Stage.CONDEMNED: StageCount(cards=1),
    },
    rejects={"station.key-check": 1},
    blanks={"chip.damaged": 1},
    stock=StockFigures(received=6, good=2, spoiled=2, left=2),
)
OF_SECOND = Progress(
    stages={
        Stage.TO_EXCHANGE: StageCount(cards=1),
        Stage.BOUND: StageCount(cards=1, long=1),
    },
    stock=StockFigures(received=3, left=3),
)


@pytest.mark.parametrize("country", ["sqlite", "postgresql"], indirect=True)
def test_what_two_instances_produced_is_merged_and_counted_once(country: Country) -> None:
    first, second = country.communes
    lines = country.lines()
    # Nothing was told yet: of the first commune the province knows one member, and of the second nobody.
    assert lines[COMMUNE].production == Progress(stages={Stage.TO_EXCHANGE: StageCount(cards=1)})
    assert lines[PROVINCE].production.stock == OWN
    assert [each.states_production for each in country.merged().sources] == [False, False]
    country.up(first)
    country.up(second)
    lines = country.lines()
    assert lines[COMMUNE].production == OF_FIRST
    assert lines[OTHER].production == OF_SECOND
    # What is in the commune's store of the whole register is the commune's, and nothing of its cell.
    assert lines[CELL].production == replace(OF_FIRST, blanks={}, stock=StockFigures())
    own = Progress(stages={Stage.HANDED_OVER: StageCount(cards=1)}, stock=OWN)
    assert lines[PROVINCE].production == own + OF_FIRST + OF_SECOND
    sources = {code: each.source for code, each in lines.items()}
    assert {code: each.instance for code, each in sources.items() if each is not None} == {
        PROVINCE: "tinh-uy", COMMUNE: "xa-mau", CELL: "xa-mau", OTHER: "xa-thu",
    }  # fmt: skip
    # Who tells again is counted as they told last.
    first.make(4, CardState.HANDED_OVER, organisation=CELL)
    first.count(NOW + timedelta(seconds=1))
    country.up(first)
    lines = country.lines()
    assert (lines[COMMUNE].production.done, lines[PROVINCE].production.done) == (2, 3)
    assert lines[PROVINCE].production.stock.received == 19
    # What was counted before that changes nothing any more.
    first.count(NOW)
    report = country.up(first)
    assert report.record.counts["reports-unchanged"] == 1
    assert country.lines()[PROVINCE].production.done == 3


def test_a_bundle_of_an_older_version_is_taken_and_states_no_production(country: Country) -> None:
    first, second = country.communes
    made = country.made(first)
    country.take(country.as_an_older_version(first, made))
    country.up(second)
    found = {each.source.instance: each for each in country.merged().sources}
    assert (found["xa-mau"].states_production, found["xa-thu"].states_production) == (False, True)
    lines = country.lines()
    # What the province knows of the commune is counted, and said to be the province's.
    assert lines[COMMUNE].production.at(Stage.TO_EXCHANGE).cards == 1
    assert lines[COMMUNE].source is not None
    assert lines[COMMUNE].source.instance == "tinh-uy"
    assert lines[OTHER].production == OF_SECOND
    # The other figures are those of the commune, as ever.
    quality = country.reports().show(actor=READER, above=COMMUNE)
    assert next(each.measures.members for _, each in quality.lines) == 4
    # Renewed, the instance tells the very same count with production, and is taken.
    with first.office.register.writing() as transaction:
        transaction.exchange.tell_reports(country.province.office.own.name, None)
    report = country.up(first)
    assert report.record.counts["reports-new"] == 1
    assert country.lines()[COMMUNE].production == OF_FIRST
    # A newer count without production takes the older one out.
    first.count(NOW + timedelta(seconds=1))
    country.take(country.as_an_older_version(first, country.made(first)))
    assert country.lines()[COMMUNE].production.done == 0


def test_a_bundle_tells_figures_and_nobody_and_of_production_where_there_is_any(
    country: Country,
) -> None:
    first, _ = country.communes
    made = country.made(first)
    content = country.province.office.keys.open(made.content).content
    assert b'"production":' in content
    for secret in ("Nguyễn".encode(), serial_of(1).hex().encode(), b"98000001"):
        assert secret not in content
    (report,) = country.opened(made).reports
    assert report.lines[0].production == OF_FIRST
    # Reasons without room are counted together.
    for most, told in ((99, 2), (3, 2), (2, 2)):
        (report,) = _stating(first, most).stated(country.province.office.own.name, first.office.own)
        progress = report.lines[0].production
        assert progress is not None
        assert len(progress.reasons) == told
        assert (OTHER_REASONS in progress.reasons) == (most == 2)
        assert (sum(progress.rejects.values()), sum(progress.blanks.values())) == (1, 1)
    # A commune that only hands its requests up: whoever produces for it knows its cards.
    with first.database.writing() as session:
        for table in ("production_lines", "production_rejects", "production_stock"):
            session.connection().exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - our own names
    (silent,) = country.opened(country.made(first)).reports
    assert not silent.states_production
    assert silent.lines[0].measures.members == 4


def _stating(unit: Unit, most_reasons: int) -> ReportStating:
    return ReportStating(
        register=unit.office.register,
        figures=SqlReportFigures(unit.database),
        production=SqlProductionFigures(unit.database),
        instances=SqlInstanceFigures(unit.database),
        most_reasons=most_reasons,
    )


def test_files_of_the_merged_production_say_whose_it_is(country: Country, tmp_path: Path) -> None:
    first, _ = country.communes
    country.up(first)

    def file(form: ReportForm) -> bytes:
        return merged_report_file(
            country.reports(), form, above=None, actor=READER, subject=MergedSubject.PRODUCTION
        )

    path = tmp_path / "production.xlsx"
    path.write_bytes(file(ReportForm.XLSX))
    book = CalamineWorkbook.from_path(path)
    rows = book.get_sheet_by_index(0).to_python()
    heads = [str(each).partition("\n")[2] for each in rows[1]]
    lines = {row[0]: dict(zip(heads, row, strict=True)) for row in rows[2:]}
    assert list(lines) == [each.code for each in (ORGANISATIONS[0], *ORGANISATIONS[1:])]
    assert _figures(lines[COMMUNE]) == (
        1,
        6,
        2,
        2,
        "chip.damaged: 0 + 1 phôi, station.key-check: 1",
        "xa-mau",
    )
    assert _figures(lines[PROVINCE])[:4] == (2, 16, 3, 11)
    assert lines[PROVINCE]["instance"] == "tinh-uy +1"
    sources = book.get_sheet_by_index(1).to_python()
    assert [(row[0], row[-1]) for row in sources[1:]] == [
        ("xa-mau", "Có số liệu / stated"),
        ("xa-thu", "Không nêu / not stated"),
    ]
    document = pypdfium2.PdfDocument(file(ReportForm.PDF))
    text = " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())
    assert "Tiến độ sản xuất thẻ" in text
    assert "Không nêu" in text
    with country.province.office.register.reading() as transaction:
        taken = [
            each.record().details
            for each in transaction.audit.records()
            if each.record().action == "report.exported"
        ]
    assert taken[-1] == {"form": "pdf", "report": "production", "instances": 2}


def _figures(row: dict[str, object]) -> Sequence[object]:
    names = ("handed over", "chips received", "good", "left", "rejects by reason", "instance")
    return tuple(row[each] for each in names)
