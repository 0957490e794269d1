"""How far production has come, whatever database stands behind the register: stages, ageing, rejects, the deadline."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from issuer.bootstrap_reports import production_file
from issuer.db import schema
from issuer.db.base import Database
from issuer.db.member_rows import MemberRow
from issuer.db.organisation_rows import OrganisationRow
from issuer.db.production_figures import SqlProductionFigures
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.db.reports import SqlReportFigures
from issuer.db.stock_tables import StockSiteRow
from issuer.domain.card import CardState
from issuer.domain.chip import Serial
from issuer.domain.member import Standing
from issuer.domain.production_report import Progress, Stage, StageCount
from issuer.domain.rights import Role
from issuer.domain.stock_account import FIRST_STORE
from issuer.domain.stock_figures import StockFigures
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.production_reports import ProductionReports
from issuer.services.reports import ReportForm, Reports
from tests.contract.batch_stage import CONTROLLER, STOREKEEPER, BatchStage, people
from tests.contract.cards_stage import CELL, COMMITTEE, NOW, OTHER_CELL, CardsStage, person
from tests.contract.requests_stage import CELL as CELL_OF_COMMUNE
from tests.contract.requests_stage import COMMUNE, PROVINCE

READER = person("reader", Role.AUDITOR)
STRANGER = person("stranger", Role.CLERK, at=OTHER_CELL)
DEADLINE = date(2026, 11, 25)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    opened = Database(
        f"sqlite:///{tmp_path / 'issuer.sqlite'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    schema.upgrade(opened)
    yield opened
    opened.close()


def add(stage: CardsStage, number: int, state: CardState, *, days: int = 0) -> None:
    """A card that has stood in its state for so many days."""
    since = NOW - timedelta(days=days)
    reference = stage.add_card(number, stage.add_member(number), state=CardState.ISSUED)
    with stage.database.writing() as session:
        row = session.get_one(CardRow, reference)
        row.state = state.value
        row.condemned_for = "station.key-check" if state is CardState.CONDEMNED else None
        row.bound_at, row.issued_at = since, since
        session.add(CardEventRow(at=since, kind=state.value, reference=reference))


def fill(stage: CardsStage) -> None:
    add(stage, 1, CardState.BOUND, days=31)
    add(stage, 2, CardState.SIGNED, days=8)
    add(stage, 3, CardState.PERSONALISING)
    add(stage, 4, CardState.LOCKING, days=6)
    add(stage, 5, CardState.ISSUED, days=40)
    # Their request is decided still: it waits for another chip.
    add(stage, 6, CardState.CONDEMNED, days=50)
    stage.hand_over(7, stage.add_member(7))
    stage.add_member(8)
    for number, standing in ((9, Standing.DECEASED), (10, Standing.PROBATIONARY)):
        member = stage.add_member(number)
        with stage.database.writing() as session:
            session.execute(
                sa.update(MemberRow).where(MemberRow.id == member).values(standing=standing.value)
            )


def reports(database: Database, stage: CardsStage) -> ProductionReports:
    return ProductionReports(
        reports=Reports(
            register=stage.register, figures=SqlReportFigures(database), clock=stage.clock
        ),
        figures=SqlProductionFigures(database),
        deadline=DEADLINE,
    )


def test_each_stage_counts_what_stands_there_and_for_how_long(database: Database) -> None:
    stage = CardsStage(database)
    production = reports(database, stage)
    nothing = production.show(actor=READER, above=None, limit=9)
    assert (nothing.counted_at, nothing.lines) == (None, ())
    with pytest.raises(IssuerRefusedError) as caught:
        production.export(actor=READER, above=None, form=ReportForm.XLSX)
    assert caught.value.code == "report.not-counted"
    fill(stage)
    production.reports.count(actor=READER)
    found = production.show(actor=READER, above=COMMITTEE, limit=9)
    assert found.head is not None
    assert [each.code for each in found.lines] == [CELL, OTHER_CELL]
    for progress in (found.head.progress, found.lines[0].progress):
        assert {each: progress.at(each) for each in Stage} == {
            Stage.TO_EXCHANGE: StageCount(cards=1),
            Stage.DECIDED: StageCount(cards=1),
            Stage.BOUND: StageCount(cards=1, long=1, very_long=1),
            Stage.SIGNED: StageCount(cards=1, long=1),
            Stage.PRODUCING: StageCount(cards=2),
            Stage.ISSUED: StageCount(cards=1, long=1, very_long=1),
            Stage.DISPATCHED: StageCount(),
            Stage.HANDED_OVER: StageCount(cards=1),
            Stage.CONDEMNED: StageCount(cards=1),
        }
        assert progress.rejects == {"station.key-check": 1}
        assert (progress.done, progress.left, progress.per_mille) == (1, 7, 125)
        # Today and the two days after it.
        assert progress.needed_a_day(DEADLINE, today=NOW.date()) == 3
    assert found.lines[1].progress == Progress()
    own = production.show(actor=STRANGER, above=None, limit=9)
    assert [each.code for each in own.lines] == [OTHER_CELL]
    with pytest.raises(IssuerDataError) as missing:
        production.show(actor=STRANGER, above=CELL, limit=9)
    assert missing.value.code == "organisation.unknown"


def test_a_batch_on_its_way_is_dispatched_since_it_left(database: Database, tmp_path: Path) -> None:
    stage = BatchStage(database, tmp_path / "marks", members=people(2))
    stage.initialise(1, 2)
    figures, counting = SqlProductionFigures(database), SqlReportFigures(database)
    batch = stage.open()
    stage.freeze(batch)
    stage.sign(batch)
    serials = stage.produce(batch)
    stage.control.pass_cards(batch.batch_id, serials, actor=CONTROLLER)
    stage.delivery.pack(batch.batch_id, cards_of_box=5, actor=STOREKEEPER)
    at = stage.clock() + timedelta(days=8)
    counting.count(now=at)
    assert figures.of([batch.receiver])[batch.receiver].stages == {
        Stage.ISSUED: StageCount(cards=2, long=2)
    }
    stage.delivery.dispatch(batch.batch_id, carrier="xe 7", actor=STOREKEEPER)
    counting.count(now=at)
    assert figures.of([batch.receiver])[batch.receiver].stages == {
        Stage.DISPATCHED: StageCount(cards=2, long=2)
    }
    counting.count(now=stage.clock() + timedelta(days=6))
    assert figures.of([batch.receiver])[batch.receiver].stages == {
        Stage.DISPATCHED: StageCount(cards=2)
    }


def test_it_is_counted_anew_and_a_card_that_ended_counts_no_more(database: Database) -> None:
    stage = CardsStage(database)
    production = reports(database, stage)
    reference = stage.hand_over(1, stage.add_member(1))
    production.reports.count(actor=READER)
    figures = SqlProductionFigures(database)
    assert figures.of([CELL])[CELL].done == 1
    with database.writing() as session:
        session.get_one(CardRow, reference).ended_for = "lost"
    stage.now += timedelta(minutes=2)
    assert figures.of([CELL])[CELL].done == 1
    production.reports.count(actor=READER)
    assert figures.of([CELL])[CELL].stages == {Stage.TO_EXCHANGE: StageCount(cards=1)}


def test_files_hold_every_organisation_below(database: Database, tmp_path: Path) -> None:
    stage = CardsStage(database)
    production = reports(database, stage)
    fill(stage)
    production.reports.count(actor=READER)
    paper = production_file(production, ReportForm.PDF, above=None, actor=READER)
    assert paper.startswith(b"%PDF-")
    path = tmp_path / "production.xlsx"
    path.write_bytes(production_file(production, ReportForm.XLSX, above=COMMITTEE, actor=READER))
    rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    assert [row[0] for row in rows[2:]] == [COMMITTEE, CELL, OTHER_CELL]
    assert rows[3][2:8] == [0.125, 3, 1, 1, 1, 1]
    assert rows[3][-1] == "station.key-check: 1"
    assert "25/11/2026" in str(rows[0][0])


@given(
    left=st.integers(0, 10**7),
    done=st.integers(0, 10**7),
    days=st.integers(-400, 4000),
)
def test_what_is_needed_a_day_is_enough_and_not_more(left: int, done: int, days: int) -> None:
    today = datetime(2026, 11, 23, tzinfo=UTC).date()
    progress = Progress(
        stages={Stage.BOUND: StageCount(cards=left), Stage.HANDED_OVER: StageCount(cards=done)}
    )
    needed = progress.needed_a_day(today + timedelta(days=days), today=today)
    if days < 0:
        assert needed is None
    else:
        assert needed is not None
        assert needed * (days + 1) >= left > (needed - 1) * (days + 1) or left == needed == 0
    share = progress.per_mille
    assert (share is None) == (left + done == 0)
    # All is said only of all.
    assert share is None or (share == 1000) == (left == 0)


def test_spoiled_blanks_stand_among_the_rejects_at_the_place_of_their_site(
    database: Database, tmp_path: Path
) -> None:
    stage = BatchStage(database, tmp_path / "marks", members=people(2))
    stage.initialise(1, 2, 3, 4)
    at_commune, anywhere = (Serial(number.to_bytes(10, "big")) for number in (3, 4))
    with database.writing() as session:
        place = session.scalars(
            sa.select(OrganisationRow.id).where(OrganisationRow.code == COMMUNE)
        ).one()
        session.add(
            StockSiteRow(
                code="commune", kind="store", name="Kho xã", organisation_id=place, opened_at=NOW
            )
        )
        session.flush()
        session.execute(
            sa.update(ChipRow).where(ChipRow.serial == at_commune).values(site="commune")
        )
    for serial in (at_commune, anywhere):
        stage.stock.condemn(serial, code="chip.damaged")
    batch = stage.open()
    stage.freeze(batch, sites=[FIRST_STORE])
    bound = stage.lines(batch)[0].serial
    assert bound is not None
    stage.stock.condemn(bound, code="chip.damaged")
    reports = Reports(
        register=stage.register, figures=SqlReportFigures(database), clock=stage.clock
    )
    reports.count(actor=READER)
    found = SqlProductionFigures(database).of([PROVINCE, COMMUNE, CELL_OF_COMMUNE])
    assert found[PROVINCE].reasons == {"chip.damaged": (1, 2)}
    assert found[COMMUNE].reasons == {"chip.damaged": (1, 1)}
    assert found[CELL_OF_COMMUNE].reasons == {"chip.damaged": (1, 0)}
    # The books of the sites stand where their blanks do; one that somebody moved by hand shows.
    assert found[COMMUNE].stock == StockFigures(spoiled=1)
    assert found[PROVINCE].stock == StockFigures(received=4, spoiled=3, left=1)
    assert found[CELL_OF_COMMUNE].stock == StockFigures()
    # A register that has a name among instances answers at its own organisation for sites of the whole register.
    SqlReportFigures(database, register_of=COMMUNE).count(now=stage.clock())
    named = SqlProductionFigures(database).of([PROVINCE, COMMUNE, CELL_OF_COMMUNE])
    assert named[COMMUNE].reasons == {"chip.damaged": (1, 2)}
    assert named[COMMUNE].stock == named[PROVINCE].stock == found[PROVINCE].stock
    assert named[CELL_OF_COMMUNE] == found[CELL_OF_COMMUNE]
