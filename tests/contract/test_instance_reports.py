"""Reports that go up with bundles, from a cell over its commune to the province, whatever databases stand behind them."""

import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest

from issuer.bootstrap_reports import merged_report_file
from issuer.db import schema
from issuer.db.base import Database
from issuer.db.instance_reports import SqlInstanceFigures
from issuer.db.production_figures import SqlProductionFigures
from issuer.db.reports import SqlReportFigures
from issuer.domain.bundle import Bundle
from issuer.domain.instances import InstanceName, Side
from issuer.domain.organisation import OrganisationCode
from issuer.domain.report import Measures
from issuer.domain.requests import RequestEventKind
from issuer.domain.rights import Role
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.exchange.bundle_file import bundle_from_bytes, bundle_to_bytes
from issuer.services.export_bundle import ExportedBundle
from issuer.services.instance_sources import STALE_AFTER, SourceState
from issuer.services.merged_reports import MergedReports
from issuer.services.report_ports import ReportLine
from issuer.services.reports import ReportForm
from tests.contract.bundle_stage import OPERATOR, PROVINCE_CLERK, Office, person
from tests.contract.requests_stage import (
    CELL,
    CLERK,
    COMMUNE,
    COMPILER,
    NOW,
    OTHER,
    PROVINCE,
    actor,
)
from tests.unit.pki.exchange_office import ExchangeOffice

READER = actor("reader", Role.AUDITOR)
CELL_CLERK = actor("cell-clerk", Role.CLERK, at=CELL)
LATER = NOW + timedelta(hours=1)


@dataclass
class Country:
    """A province, its commune and a cell of this, each with a register of its own."""

    province: Office
    commune: Office
    cell: Office
    databases: dict[str, Database]

    def count(self, office: Office, at: datetime) -> None:
        SqlReportFigures(self.databases[office.own.name]).count(now=at)

    def reports(self, office: Office, *, now: datetime = LATER) -> MergedReports:
        database = self.databases[office.own.name]
        return MergedReports(
            register=office.register,
            figures=SqlReportFigures(database),
            production=SqlProductionFigures(database),
            instances=SqlInstanceFigures(database),
            own=office.own.name,
            clock=lambda: now,
        )

    def lines(self) -> dict[OrganisationCode, ReportLine]:
        report = self.reports(self.province).export(actor=READER, above=None, form=ReportForm.XLSX)
        return {each.code: each for _, each in report.lines}

    def states(self, *, now: datetime = LATER) -> dict[str, tuple[str, SourceState]]:
        report = self.reports(self.province, now=now).show(actor=READER, above=None)
        return {each.source.instance: (each.source.via, each.state) for each in report.sources}

    def cell_up(self) -> None:
        made = self.cell.send(self.commune, by=CELL_CLERK)
        self.commune.receive(made, by=CLERK)

    def commune_up(self) -> None:
        self.province.receive(self.commune.send(self.province, by=CLERK), by=PROVINCE_CLERK)


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A register's file without anything in it: made once, since each country has three."""
    path = tmp_path_factory.mktemp("blank") / "register.sqlite"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    database.close()
    return path


@pytest.fixture
def country(request: pytest.FixtureRequest, tmp_path: Path, blank: Path) -> Iterator[Country]:
    """The province's register is a file or a server; the others are files."""
    urls = {each: f"sqlite:///{tmp_path / each}.sqlite" for each in ("xa-mau", "chi-bo")}
    urls["tinh-uy"] = (
        f"sqlite:///{tmp_path / 'tinh-uy.sqlite'}"
        if getattr(request, "param", "sqlite") == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    for each in ("xa-mau", "chi-bo", "tinh-uy"):
        shutil.copy(blank, tmp_path / f"{each}.sqlite")
    databases = {name: Database(url) for name, url in urls.items()}
    pki = ExchangeOffice()
    made: dict[str, Office] = {}
    for number, (name, organisation) in enumerate(
        (("tinh-uy", PROVINCE), ("xa-mau", COMMUNE), ("chi-bo", CELL)), start=1
    ):
        if not urls[name].startswith("sqlite"):
            schema.upgrade(databases[name])
        made[name] = Office(
            databases[name], pki.party(name), pki.root, organisation=organisation,
            first_id=number * 1_000_000, marks_folder=tmp_path / name,
        )  # fmt: skip
    country = Country(made["tinh-uy"], made["xa-mau"], made["chi-bo"], databases)
    # The province knows three of its own and, from long ago, one of the cell; the cell knows best.
    country.province.fill(
        [person(1)] + [person(each, organisation_code=OTHER) for each in (11, 12, 13)]
    )
    country.commune.fill([person(1), person(2)])
    country.cell.fill([person(each) for each in range(1, 6)])
    country.province.enrol(country.commune, Side.BELOW)
    country.commune.enrol(country.province, Side.ABOVE)
    country.commune.enrol(country.cell, Side.BELOW)
    country.cell.enrol(country.commune, Side.ABOVE)
    yield country
    for each in databases.values():
        each.close()


@pytest.mark.parametrize("country", ["sqlite", "postgresql"], indirect=True)
def test_what_each_instance_counted_is_merged_upward_and_nobody_is_counted_twice(
    country: Country,
) -> None:
    with pytest.raises(IssuerRefusedError) as refused:
        country.reports(country.province).show(actor=READER, above=None)
    assert refused.value.code == "report.not-counted"
    country.count(country.province, LATER)
    # Nothing was told yet: what the province knows itself is counted, and the silent instance is named.
    assert country.states() == {"xa-mau": ("xa-mau", SourceState.MISSING)}
    assert country.lines()[PROVINCE].measures.members == 4
    assert country.commune.exporting.export(country.province.own.name, actor=CLERK) is None

    country.count(country.commune, NOW)
    country.commune_up()
    assert country.states() == {
        "chi-bo": ("xa-mau", SourceState.MISSING),
        "xa-mau": ("xa-mau", SourceState.CURRENT),
    }
    lines = country.lines()
    assert (lines[PROVINCE].measures.members, lines[CELL].measures.members) == (5, 2)

    country.count(country.cell, NOW - timedelta(days=1))
    country.cell_up()
    country.commune_up()
    lines = country.lines()
    assert {code: each.measures.members for code, each in lines.items()} == {
        PROVINCE: 8, COMMUNE: 5, CELL: 5, OTHER: 3,
    }  # fmt: skip
    # Each line says whose it is and as of when: the oldest of what is merged in it.
    sources = {code: each.source for code, each in lines.items()}
    assert {code: (each.instance, each.as_of, each.merged) for code, each in sources.items() if each} == {
        PROVINCE: ("tinh-uy", NOW - timedelta(days=1), 2),
        COMMUNE: ("xa-mau", NOW - timedelta(days=1), 1),
        CELL: ("chi-bo", NOW - timedelta(days=1), 0),
        OTHER: ("tinh-uy", LATER, 0),
    }  # fmt: skip
    assert country.states()["chi-bo"] == ("xa-mau", SourceState.CURRENT)
    # What was told is not told again; what was counted anew is.
    assert country.commune.exporting.export(country.province.own.name, actor=CLERK) is None
    with country.commune.register.writing() as transaction:
        transaction.members.add([person(6, organisation_code=COMMUNE)])
    country.count(country.commune, LATER)
    country.commune_up()
    assert country.lines()[PROVINCE].measures.members == 9


def test_whoever_is_late_or_suspended_is_said_to_be_so_and_still_counted(country: Country) -> None:
    country.count(country.province, LATER)
    country.count(country.commune, NOW)
    country.commune_up()
    on_time = NOW + STALE_AFTER
    assert country.states(now=on_time)["xa-mau"][1] is SourceState.CURRENT
    late = on_time + timedelta(seconds=1)
    assert country.states(now=late)["xa-mau"][1] is SourceState.STALE
    country.province.instances.suspend(country.commune.own.name, actor=OPERATOR)
    assert country.states()["xa-mau"][1] is SourceState.SUSPENDED
    assert country.lines()[COMMUNE].measures.members == 2


def test_reports_are_shown_to_their_own_part_of_the_tree_alone(country: Country) -> None:
    for office in (country.cell, country.commune, country.province):
        country.count(office, NOW)
    country.cell_up()
    country.commune_up()
    reports = country.reports(country.province)
    elsewhere = actor("elsewhere", Role.CLERK, at=OTHER)
    shown = reports.show(actor=elsewhere, above=None)
    assert shown.sources == ()
    assert [each.code for _, each in shown.lines] == [OTHER]
    with pytest.raises(IssuerDataError) as refused:
        reports.show(actor=elsewhere, above=CELL)
    assert refused.value.code == "organisation.unknown"
    with pytest.raises(IssuerRefusedError) as refused:
        reports.show(actor=actor("porter", Role.ADMINISTRATOR), above=None)
    assert refused.value.code == "right.missing"
    shown = reports.show(actor=actor("near", Role.CLERK, at=CELL), above=CELL)
    assert [each.measures.members for _, each in shown.lines] == [5]
    assert [each.source.instance for each in shown.sources] == ["chi-bo"]


def test_an_instance_counts_its_own_part_alone_and_names_nobody(country: Country) -> None:
    country.count(country.commune, NOW)
    made = country.commune.send(country.province, by=CLERK)
    content = country.province.keys.open(made.content).content
    bundle = bundle_from_bytes(content)
    assert "Nguyễn".encode() not in content
    assert not bundle.members
    ours, silent = bundle.reports

    def forged(changed: Bundle) -> ExportedBundle:
        sealed = country.commune.keys.seal(
            bundle_to_bytes(changed),
            receiver_certificate=country.province.party.certificate,
            at=NOW,
        )
        return replace(made, content=sealed)

    stranger = replace(ours.lines[1], code=OTHER)
    outside = replace(silent, organisation=OTHER, place=(PROVINCE, OTHER))
    for reports, code in (
        ((replace(ours, lines=(*ours.lines, stranger)), silent), "bundle.not-theirs"),
        ((ours, outside), "bundle.not-theirs"),
        ((ours, replace(outside, place=(PROVINCE, COMMUNE, OTHER))), "bundle.not-theirs"),
        ((ours, replace(silent, instance=InstanceName("tinh-uy"))), "bundle.not-theirs"),
        ((ours, silent, replace(silent, instance=InstanceName("khac"))), "bundle.not-theirs"),
        ((replace(ours, instance=InstanceName("khac")), silent), "bundle.not-theirs"),
        (
            (replace(ours, counted_at=NOW + timedelta(days=9)), silent),
            "bundle.from-the-future",
        ),
    ):
        with pytest.raises(IssuerRefusedError) as refused:
            country.province.receive(forged(replace(bundle, reports=reports)), by=PROVINCE_CLERK)
        assert refused.value.code == code, reports
    country.count(country.province, LATER)
    assert country.states() == {"xa-mau": ("xa-mau", SourceState.MISSING)}
    # What is told from above is no report.
    country.province.receive(made, by=PROVINCE_CLERK)
    down = Bundle(
        sender=country.province.own.name, receiver=country.commune.own.name, sequence=1,
        created_at=NOW, reports=(ours,),
    )  # fmt: skip
    sealed = country.province.keys.seal(
        bundle_to_bytes(down), receiver_certificate=country.commune.party.certificate, at=NOW
    )
    with pytest.raises(IssuerRefusedError) as refused:
        country.commune.receive(replace(made, content=sealed), by=CLERK)
    assert refused.value.code == "bundle.not-theirs"


@pytest.mark.parametrize("country", ["sqlite", "postgresql"], indirect=True)
def test_figures_from_before_what_is_known_are_not_taken(country: Country) -> None:
    country.count(country.province, LATER)
    country.count(country.commune, NOW)
    country.commune_up()
    with country.commune.register.writing() as transaction:
        transaction.members.add([person(7)])
    country.count(country.commune, NOW - timedelta(days=3))
    made = country.commune.send(country.province, by=CLERK)
    report = country.province.receive(made, by=PROVINCE_CLERK)
    assert report.record.counts["reports-unchanged"] == 1
    assert country.lines()[COMMUNE].measures == Measures(members=2, incomplete=2)


def test_a_file_of_the_merged_report_names_every_instance(country: Country) -> None:
    country.count(country.province, LATER)
    country.count(country.commune, NOW)
    country.commune_up()
    reports = country.reports(country.province)
    for form in ReportForm:
        content = merged_report_file(reports, form, above=None, actor=READER)
        if form is ReportForm.PDF:
            assert content.startswith(b"%PDF-")
            continue
        with zipfile.ZipFile(BytesIO(content)) as book:
            sheets = [each for each in book.namelist() if "worksheets/sheet" in each]
            texts = "".join(book.read(each).decode() for each in sheets)
        for word in ("xa-mau", "chi-bo", "Chưa báo cáo / missing", "22/11/2026 08:00 UTC"):
            assert word in texts, word
    with country.province.register.reading() as transaction:
        actions = [each.action for each in transaction.audit.records()]
    assert actions.count("report.exported") == len(ReportForm)


def test_a_province_that_was_restored_is_told_again(country: Country, tmp_path: Path) -> None:
    country.count(country.province, LATER)
    backup = tmp_path / "backup.sqlite"
    country.databases["tinh-uy"].close()
    shutil.copy(tmp_path / "tinh-uy.sqlite", backup)
    country.count(country.commune, NOW)
    requests = country.commune.endorsed(2)
    country.commune_up()
    country.province.take(RequestEventKind.COMPILED, requests, by=COMPILER)
    country.commune.receive(country.province.send(country.commune, by=PROVINCE_CLERK), by=CLERK)
    restored = Database(f"sqlite:///{backup}")
    province = country.province.restored(restored)
    country.databases["tinh-uy"] = restored
    country.province = province
    assert country.states() == {"xa-mau": ("xa-mau", SourceState.MISSING)}
    province.instances.recover(country.commune.own.name, actor=OPERATOR)
    country.commune.receive(province.send(country.commune, by=PROVINCE_CLERK), by=CLERK)
    # What was counted before it was lost comes once more, though nothing was counted anew.
    earlier = country.commune.exporting.again(province.own.name, 1, actor=CLERK)
    province.receive(earlier, by=PROVINCE_CLERK)
    again = country.commune.send(province, by=CLERK)
    assert again.record.counts["reports"] == 2
    province.receive(again, by=PROVINCE_CLERK)
    assert country.states()["xa-mau"] == ("xa-mau", SourceState.CURRENT)
    assert country.lines()[COMMUNE].measures.members == 2
