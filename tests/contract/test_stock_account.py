"""What the stock of chips keeps to; SQLite always, PostgreSQL where a URL is given."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pypdfium2
import pytest
import sqlalchemy as sa

from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.db.schema import upgrade
from issuer.domain.audit import AuditRecord
from issuer.domain.chip import ChipState
from issuer.domain.rights import Actor, Role
from issuer.domain.stock_account import (
    FIRST_STORE,
    SiteAccount,
    SiteCode,
    SiteKind,
    StockClass,
    StockCount,
)
from issuer.domain.stock_acts import DayCloseState, DestructionState, StopReason, StopState
from issuer.errors import ConflictError, IssuerDataError, IssuerError, IssuerRefusedError
from issuer.papers.stock_pdf import day_close_pdf, destruction_pdf
from issuer.services import stock_room
from issuer.services.stock_services import StockServices
from tests.contract.stock_stage import (
    CONTROLLER,
    EVERYBODY,
    NOW,
    STOREKEEPER,
    OfficeStock,
    delivery_of,
    serial_of,
    staff,
    stock_services,
)

STATION = SiteCode("station-1")


@dataclass
class Stock:
    database: Database
    now: datetime = NOW
    services: StockServices = field(init=False)
    office: OfficeStock = field(init=False)

    def __post_init__(self) -> None:
        self.services = stock_services(self.database, lambda: self.now)
        self.office = OfficeStock(self.database, lambda: self.now)

    def prepare(self, chips: int = 5) -> None:
        """A station, and some chips in the store."""
        self.services.room.open_site(
            STATION, kind=SiteKind.STATION, name="Trạm 1", organisation=None, actor=STOREKEEPER
        )
        self.receive(*range(1, chips + 1))

    def receive(self, *numbers: int) -> None:
        self.services.room.receive(delivery_of(*numbers), delivery="d.csv", actor=STOREKEEPER)

    def issue(self, *numbers: int) -> None:
        self.services.room.issue(
            [serial_of(each) for each in numbers],
            source=FIRST_STORE,
            target=STATION,
            actor=STOREKEEPER,
        )

    def account(self, site: SiteCode = FIRST_STORE) -> SiteAccount:
        return self.services.room.account(site, actor=STOREKEEPER).account

    def audit(self) -> list[AuditRecord]:
        with SqlRegister(self.database).reading() as transaction:
            return [each.record() for each in transaction.audit.records()]


@pytest.fixture(scope="module")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("template") / "issuer.sqlite"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path.read_bytes()


@pytest.fixture(scope="module")
def postgresql_database(postgresql_server: str) -> Iterator[Database]:
    """One schema for all tests here, emptied behind each: to build one takes longer than any of them."""
    name = f"membercard_{uuid.uuid4().hex}"
    engine = sa.create_engine(postgresql_server)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(name))
    inside = sa.engine.make_url(postgresql_server).update_query_dict(
        {"options": f"-csearch_path={name}"}
    )
    database = Database(inside.render_as_string(hide_password=False))
    upgrade(database)
    yield database
    database.close()
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(name, cascade=True))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def stock(
    request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: bytes
) -> Iterator[Stock]:
    if request.param == "sqlite":
        (tmp_path / "issuer.sqlite").write_bytes(sqlite_template)
        database = Database(f"sqlite:///{tmp_path / 'issuer.sqlite'}")
    else:
        database = request.getfixturevalue("postgresql_database")
    with database.reading() as session:
        head = session.execute(sa.text("SELECT sequence, digest FROM audit_head")).one()
    made = Stock(database)
    made.prepare()
    yield made
    if request.param == "sqlite":
        database.close()
        return
    with database.writing() as session:
        # Without the guards that keep these tables as they are.
        session.execute(sa.text("SET LOCAL session_replication_role = replica"))
        for table in _WRITTEN:
            session.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
        session.execute(sa.text("DELETE FROM stock_sites WHERE code <> 'store'"))
        session.execute(
            sa.text("UPDATE audit_head SET sequence = :sequence, digest = :digest"),
            {"sequence": head.sequence, "digest": head.digest},
        )


_WRITTEN = (
    "audit_records",
    "card_events",
    "stock_stops",
    "stock_destruction_chips",
    "stock_destructions",
    "stock_day_closes",
    "stock_movements",
    "chips",
)


def code_of(caught: pytest.ExceptionInfo[IssuerError]) -> str:
    return caught.value.code


def test_a_delivery_is_taken_in_once(stock: Stock) -> None:
    receipt = stock.services.room.receive(
        delivery_of(4, 5, 6), delivery="second.csv", actor=STOREKEEPER
    )
    assert (receipt.listed, receipt.new) == (3, 1)
    account = stock.account()
    assert (account.received, account.total(StockClass.LEFT)) == (6, 6)
    assert account.is_balanced


def test_chips_are_issued_to_a_station_and_come_back(stock: Stock) -> None:
    stock.issue(1, 2, 3)
    assert (stock.account().received, stock.account(STATION).received) == (2, 3)
    stock.services.room.take_back(
        [serial_of(3)], source=STATION, target=FIRST_STORE, actor=STOREKEEPER
    )
    store, station = stock.account(), stock.account(STATION)
    assert (store.total(StockClass.LEFT), station.total(StockClass.LEFT)) == (3, 2)
    assert store.is_balanced
    assert station.is_balanced
    kinds = [
        (each.kind.value, each.source, each.target, each.chips)
        for each in stock.services.room.movements(STATION, actor=STOREKEEPER, limit=9)
    ]
    assert kinds == [("returned", STATION, "store", 1), ("issued", "store", STATION, 3)]


def test_a_chip_that_lies_elsewhere_is_not_issued(stock: Stock) -> None:
    stock.issue(1)
    with pytest.raises(IssuerRefusedError) as caught:
        stock.issue(1, 2)
    assert code_of(caught) == "stock.elsewhere"
    # All or none.
    assert stock.account().received == 4


@pytest.mark.parametrize(
    ("serials", "source", "target", "code"),
    [
        ([9], FIRST_STORE, STATION, "chip.not-in-stock"),
        ([1], STATION, FIRST_STORE, "stock.way"),
        ([1], FIRST_STORE, FIRST_STORE, "stock.way"),
        ([1], FIRST_STORE, SiteCode("nowhere"), "stock.site-unknown"),
        ([1, 1], FIRST_STORE, STATION, "stock.serials-malformed"),
        ([], FIRST_STORE, STATION, "stock.serials-malformed"),
    ],
)
def test_what_cannot_be_issued_is_refused(
    stock: Stock, serials: list[int], source: SiteCode, target: SiteCode, code: str
) -> None:
    with pytest.raises(IssuerError) as caught:
        stock.services.room.issue(
            [serial_of(each) for each in serials], source=source, target=target, actor=STOREKEEPER
        )
    assert code_of(caught) == code


def test_a_spoiled_chip_is_not_issued_and_comes_back(stock: Stock) -> None:
    stock.issue(1)
    stock.services.room.condemn(serial_of(1), reason="cracked", actor=CONTROLLER)
    account = stock.account(STATION)
    assert (account.total(StockClass.SPOILED), account.total(StockClass.LEFT)) == (1, 0)
    stock.services.room.take_back(
        [serial_of(1)], source=STATION, target=FIRST_STORE, actor=STOREKEEPER
    )
    with pytest.raises(IssuerRefusedError) as caught:
        stock.issue(1)
    assert code_of(caught) == "stock.not-blank"


def test_a_sample_is_a_sample_for_ever(stock: Stock) -> None:
    stock.services.room.take_samples(
        [serial_of(2)], site=FIRST_STORE, remark="phòng thí nghiệm", actor=STOREKEEPER
    )
    account = stock.account()
    assert (account.total(StockClass.SAMPLE), account.total(StockClass.LEFT)) == (1, 4)
    for act in (
        lambda: stock.issue(2),
        lambda: stock.services.room.release(serial_of(2), actor=CONTROLLER),
        lambda: stock.services.room.take_samples(
            [serial_of(2)], site=FIRST_STORE, remark="again", actor=STOREKEEPER
        ),
    ):
        with pytest.raises(IssuerRefusedError) as caught:
            act()
        assert code_of(caught) in ("stock.not-blank", "chip.sample")


def test_a_day_is_closed_by_a_count_and_another_person(stock: Stock) -> None:
    counted = stock.services.days.count(
        FIRST_STORE, StockCount(finished=0, spoiled=0, samples=0, left=5), actor=STOREKEEPER
    )
    assert counted.close.state is DayCloseState.COUNTED
    with pytest.raises(IssuerRefusedError) as caught:
        stock.services.days.close(counted.close.close_id, actor=STOREKEEPER)
    assert code_of(caught) == "right.same-person"
    closed = stock.services.days.close(counted.close.close_id, actor=CONTROLLER)
    assert (closed.state, closed.closed_by) == (DayCloseState.CLOSED, CONTROLLER.account)
    assert closed.day.isoformat() == "2026-11-21"
    with pytest.raises(ConflictError) as again:
        stock.services.days.close(counted.close.close_id, actor=CONTROLLER)
    assert code_of(again) == "stock.day-closed"


def test_of_a_large_site_the_account_is_that_of_its_last_close(
    stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at the stock counts a bounded number of chips; nothing but a close counts more of them."""
    room = stock.services.room
    monkeypatch.setattr(stock_room, "MOST_COUNTED", 4)
    whole = room.account(FIRST_STORE, actor=STOREKEEPER)
    assert (whole.account.received, whole.as_of) == (5, None), "it was never closed"
    found = stock.services.days.count(
        FIRST_STORE, StockCount(finished=0, spoiled=0, samples=0, left=5), actor=STOREKEEPER
    )
    assert room.account(FIRST_STORE, actor=STOREKEEPER).as_of is None, "nobody confirmed it"
    stock.services.days.close(found.close.close_id, actor=CONTROLLER)
    stock.receive(6, 7)
    closed = room.account(FIRST_STORE, actor=STOREKEEPER)
    assert closed.as_of == found.close.counted_at
    assert closed.account.figures == whole.account.figures
    assert closed.account.to_count() == whole.account.to_count()
    assert (closed.account.received, closed.account.last_movement) == (
        5,
        whole.account.last_movement,
    )
    store, station = room.accounts(actor=STOREKEEPER, is_patient=True)
    if store.site.code != FIRST_STORE:
        store, station = station, store
    assert (store.account.received, store.as_of) == (7, None)
    assert station.account.received == 0
    monkeypatch.setattr(stock_room, "MOST_COUNTED", 7)
    assert room.account(FIRST_STORE, actor=STOREKEEPER).account == store.account


def test_a_wrong_count_is_kept_and_does_not_close(stock: Stock) -> None:
    outcome = stock.services.days.count(
        FIRST_STORE,
        StockCount(finished=0, spoiled=0, samples=0, left=4),
        actor=STOREKEEPER,
        scanned=[serial_of(each) for each in (1, 2, 4, 5, 77)],
    )
    assert outcome.close.state is DayCloseState.DIFFERS
    assert [(each.counted, each.expected) for each in outcome.differences] == [(4, 5)]
    assert (outcome.missing, outcome.unexpected) == ((serial_of(3),), (serial_of(77),))
    assert [each.kind for each in stock.office.journal(serial=serial_of(3))][-1] == "count-missing"
    with pytest.raises(IssuerRefusedError) as caught:
        stock.services.days.close(outcome.close.close_id, actor=CONTROLLER)
    assert code_of(caught) == "stock.count-differs"
    assert [each.state for each in stock.services.days.newest(actor=CONTROLLER, limit=9)] == [
        DayCloseState.DIFFERS
    ]


def test_right_numbers_with_a_wrong_chip_do_not_close(stock: Stock) -> None:
    outcome = stock.services.days.count(
        FIRST_STORE,
        StockCount(finished=0, spoiled=0, samples=0, left=5),
        actor=STOREKEEPER,
        scanned=[serial_of(each) for each in (1, 2, 3, 4, 77)],
    )
    assert outcome.close.state is DayCloseState.DIFFERS
    assert not outcome.differences


def test_nothing_may_move_between_the_count_and_the_close(stock: Stock) -> None:
    right = StockCount(finished=0, spoiled=0, samples=0, left=5)
    outcome = stock.services.days.count(FIRST_STORE, right, actor=STOREKEEPER)
    stock.services.room.condemn(serial_of(1), reason="cracked", actor=CONTROLLER)
    with pytest.raises(ConflictError) as caught:
        stock.services.days.close(outcome.close.close_id, actor=CONTROLLER)
    assert code_of(caught) == "stock.moved-since-count"
    # One chip out and another one in leaves the numbers as they were, and is a movement all the same.
    again = stock.services.days.count(
        FIRST_STORE, StockCount(finished=0, spoiled=1, samples=0, left=4), actor=STOREKEEPER
    )
    stock.issue(2)
    stock.receive(6)
    with pytest.raises(ConflictError) as caught_again:
        stock.services.days.close(again.close.close_id, actor=CONTROLLER)
    assert code_of(caught_again) == "stock.moved-since-count"


def test_books_that_disagree_close_no_day(stock: Stock) -> None:
    with stock.database.writing() as session:
        session.execute(
            sa.text("UPDATE chips SET site = 'station-1' WHERE serial = :serial"),
            {"serial": serial_of(1)},
        )
    with pytest.raises(IssuerRefusedError) as caught:
        stock.services.days.count(
            FIRST_STORE, StockCount(finished=0, spoiled=0, samples=0, left=4), actor=STOREKEEPER
        )
    assert code_of(caught) == "stock.out-of-balance"


def test_a_site_that_owes_a_close_gets_nothing_the_next_day(stock: Stock) -> None:
    stock.now = NOW + timedelta(days=1)
    with pytest.raises(IssuerRefusedError) as caught:
        stock.issue(1)
    assert code_of(caught) == "stock.day-not-closed"
    outcome = stock.services.days.count(
        FIRST_STORE, StockCount(finished=0, spoiled=0, samples=0, left=5), actor=STOREKEEPER
    )
    stock.services.days.close(outcome.close.close_id, actor=CONTROLLER)
    stock.issue(1)


def test_a_day_on_which_nothing_moved_and_chips_changed_their_class_is_closed(
    stock: Stock,
) -> None:
    def close(**counted: int) -> None:
        found = StockCount(**{"finished": 0, "spoiled": 0, "samples": 0, "left": 5} | counted)
        outcome = stock.services.days.count(FIRST_STORE, found, actor=STOREKEEPER)
        stock.services.days.close(outcome.close.close_id, actor=CONTROLLER)

    def owes_a_close() -> bool:
        with SqlRegister(stock.database).reading() as transaction:
            oldest = transaction.stock.oldest_unclosed(FIRST_STORE)
        return oldest == stock.now

    def later() -> datetime:
        return stock.now + timedelta(seconds=20)

    close()
    assert not owes_a_close()
    stock.now = later()
    one, two = serial_of(1), serial_of(2)
    stock.services.room.take_samples([one], site=FIRST_STORE, remark="x", actor=STOREKEEPER)
    assert owes_a_close()
    stock.now = later()
    close(samples=1, left=4)
    stock.now = later()
    stock.services.room.condemn(two, reason="bent", actor=CONTROLLER)
    assert owes_a_close()
    stock.now = later()
    close(samples=1, spoiled=1, left=3)
    assert not owes_a_close()
    stock.now = later()
    destructions = stock.services.destructions
    witnessed = destructions.witness([two], site=FIRST_STORE, manner="cut", actor=STOREKEEPER)
    assert not owes_a_close()
    destructions.confirm(witnessed.destruction.destruction_id, chips=1, actor=CONTROLLER)
    assert owes_a_close()
    stock.now = later()
    close(samples=1, left=3)
    assert not owes_a_close()


def test_a_day_of_work_ends_at_midnight_in_viet_nam(stock: Stock) -> None:
    # 23:59 and 00:00 there are 16:59 and 17:00 UTC.
    stock.now = NOW.replace(hour=16, minute=59)
    stock.issue(1)
    stock.now = NOW.replace(hour=17)
    with pytest.raises(IssuerRefusedError) as caught:
        stock.issue(2)
    assert code_of(caught) == "stock.day-not-closed"


def test_spoiled_chips_and_samples_are_destroyed_before_two_witnesses(stock: Stock) -> None:
    stock.services.room.condemn(serial_of(1), reason="cracked", actor=CONTROLLER)
    stock.services.room.take_samples(
        [serial_of(2)], site=FIRST_STORE, remark="laboratory", actor=STOREKEEPER
    )
    made = stock.services.destructions.witness(
        [serial_of(1), serial_of(2)], site=FIRST_STORE, manner="cắt vụn", actor=STOREKEEPER
    )
    identifier = made.destruction.destruction_id
    with pytest.raises(IssuerRefusedError) as same:
        stock.services.destructions.confirm(identifier, chips=2, actor=STOREKEEPER)
    assert code_of(same) == "right.same-person"
    with pytest.raises(ConflictError) as differs:
        stock.services.destructions.confirm(identifier, chips=1, actor=CONTROLLER)
    assert code_of(differs) == "stock.destruction-differs"
    done = stock.services.destructions.confirm(identifier, chips=2, actor=CONTROLLER)
    assert done.destruction.state is DestructionState.DESTROYED
    account = stock.account()
    assert (account.total(StockClass.SPOILED), account.total(StockClass.SAMPLE)) == (1, 1)
    assert account.to_count() == StockCount(finished=0, spoiled=0, samples=0, left=3)
    with pytest.raises(ConflictError) as again:
        stock.services.destructions.confirm(identifier, chips=2, actor=CONTROLLER)
    assert code_of(again) == "stock.destruction-concluded"
    with pytest.raises(IssuerRefusedError) as gone:
        stock.services.destructions.witness(
            [serial_of(1)], site=FIRST_STORE, manner="again", actor=STOREKEEPER
        )
    assert code_of(gone) == "stock.not-in-hand"


def test_a_good_blank_is_not_destroyed(stock: Stock) -> None:
    with pytest.raises(IssuerRefusedError) as caught:
        stock.services.destructions.witness(
            [serial_of(1)], site=FIRST_STORE, manner="cut", actor=STOREKEEPER
        )
    assert code_of(caught) == "stock.not-spoiled"


def test_a_chip_stands_in_one_destruction_until_it_is_withdrawn(stock: Stock) -> None:
    stock.services.room.condemn(serial_of(1), reason="cracked", actor=CONTROLLER)
    made = stock.services.destructions.witness(
        [serial_of(1)], site=FIRST_STORE, manner="cut", actor=STOREKEEPER
    )
    with pytest.raises(IssuerRefusedError) as caught:
        stock.services.destructions.witness(
            [serial_of(1)], site=FIRST_STORE, manner="cut", actor=CONTROLLER
        )
    assert code_of(caught) == "stock.destruction-open"
    stock.services.destructions.withdraw(made.destruction.destruction_id, actor=CONTROLLER)
    stock.services.destructions.witness(
        [serial_of(1)], site=FIRST_STORE, manner="cut", actor=CONTROLLER
    )


def test_a_stolen_blank_is_stopped_at_once_and_for_good_once_another_confirms(stock: Stock) -> None:
    stock.services.stops.report([serial_of(1)], reason=StopReason.STOLEN, actor=STOREKEEPER)
    with pytest.raises(IssuerRefusedError) as held:
        stock.issue(1)
    assert code_of(held) == "chip.stolen"
    with pytest.raises(IssuerRefusedError) as released:
        stock.services.room.release(serial_of(1), actor=CONTROLLER)
    assert code_of(released) == "chip.stolen"
    # Until it is confirmed the site answers for it: its day does not close without the chip.
    assert stock.account().to_count().left == 5
    with pytest.raises(IssuerRefusedError) as same:
        stock.services.stops.confirm([serial_of(1)], actor=STOREKEEPER)
    assert code_of(same) == "right.same-person"
    (stop,) = stock.services.stops.confirm([serial_of(1)], actor=CONTROLLER)
    assert stop.state is StopState.CONFIRMED
    account = stock.account()
    assert (account.received, account.total(StockClass.LEFT), account.stolen) == (4, 4, 1)
    assert account.is_balanced
    (record,) = [each for each in stock.office.chips() if each.chip.serial == serial_of(1)]
    assert (record.chip.state, record.chip.condemned_for) == (ChipState.CONDEMNED, "chip.stolen")
    with pytest.raises(ConflictError) as lifted:
        stock.services.stops.lift([serial_of(1)], actor=CONTROLLER)
    assert code_of(lifted) == "stop.concluded"


def test_a_chip_that_was_found_comes_back_through_another_person(stock: Stock) -> None:
    stock.services.stops.report([serial_of(1)], reason=StopReason.MISSING, actor=STOREKEEPER)
    with pytest.raises(IssuerRefusedError) as same:
        stock.services.stops.lift([serial_of(1)], actor=STOREKEEPER)
    assert code_of(same) == "right.same-person"
    stock.services.stops.lift([serial_of(1)], actor=CONTROLLER)
    stock.issue(1)
    # It can get lost once more.
    stock.services.stops.report([serial_of(1)], reason=StopReason.MISSING, actor=STOREKEEPER)


def test_a_found_sample_is_a_sample_again(stock: Stock) -> None:
    stock.services.room.take_samples(
        [serial_of(1)], site=FIRST_STORE, remark="laboratory", actor=STOREKEEPER
    )
    stock.services.stops.report([serial_of(1)], reason=StopReason.MISSING, actor=STOREKEEPER)
    stock.services.stops.lift([serial_of(1)], actor=CONTROLLER)
    (record,) = [each for each in stock.office.chips() if each.chip.serial == serial_of(1)]
    assert record.chip.held == "chip.sample"


def test_a_box_that_was_stolen_on_its_way_is_not_taken_in(stock: Stock) -> None:
    stock.services.stops.report(
        [serial_of(8), serial_of(9)], reason=StopReason.STOLEN, actor=STOREKEEPER
    )
    with pytest.raises(IssuerRefusedError) as caught:
        stock.receive(7, 8)
    assert code_of(caught) == "chip.stolen"
    assert stock.account().received == 5
    stock.services.stops.lift([serial_of(8)], actor=CONTROLLER)
    stock.receive(7, 8)


def test_who_has_no_right_changes_nothing(stock: Stock) -> None:
    clerk = staff("van thu", Role.CLERK, Role.DECIDER, Role.ADMINISTRATOR)
    tired = Actor(account=CONTROLLER.account, assignments=CONTROLLER.assignments)
    before = len(stock.audit())
    acts = {
        "right.missing": [
            lambda by: stock.services.room.receive(delivery_of(9), delivery="d", actor=by),
            lambda by: stock.services.room.issue(
                [serial_of(1)], source=FIRST_STORE, target=STATION, actor=by
            ),
            lambda by: stock.services.room.take_samples(
                [serial_of(1)], site=FIRST_STORE, remark="x", actor=by
            ),
            lambda by: stock.services.room.condemn(serial_of(1), reason="x", actor=by),
            lambda by: stock.services.room.release(serial_of(1), actor=by),
            lambda by: stock.services.room.account(FIRST_STORE, actor=by),
            lambda by: stock.services.days.count(
                FIRST_STORE, StockCount(finished=0, spoiled=0, samples=0, left=5), actor=by
            ),
            lambda by: stock.services.destructions.witness(
                [serial_of(1)], site=FIRST_STORE, manner="x", actor=by
            ),
            lambda by: stock.services.stops.report(
                [serial_of(1)], reason=StopReason.STOLEN, actor=by
            ),
        ]
    }
    for act in acts["right.missing"]:
        with pytest.raises(IssuerRefusedError) as caught:
            act(clerk)
        assert code_of(caught) == "right.missing"
    with pytest.raises(IssuerRefusedError) as stale:
        stock.services.room.condemn(serial_of(1), reason="x", actor=tired)
    assert code_of(stale) == "right.step-up-needed"
    assert stock.services.room.accounts(actor=clerk) == ()
    assert len(stock.audit()) == before


def test_every_act_is_in_the_audit_trail(stock: Stock) -> None:
    stock.issue(1, 2)
    stock.services.room.condemn(serial_of(1), reason="cracked", actor=CONTROLLER)
    stock.services.room.take_back(
        [serial_of(1)], source=STATION, target=FIRST_STORE, actor=STOREKEEPER
    )
    made = stock.services.destructions.witness(
        [serial_of(1)], site=FIRST_STORE, manner="cut", actor=STOREKEEPER
    )
    stock.services.destructions.confirm(made.destruction.destruction_id, chips=1, actor=CONTROLLER)
    stock.services.room.take_samples(
        [serial_of(3)], site=FIRST_STORE, remark="laboratory", actor=STOREKEEPER
    )
    stock.services.stops.report([serial_of(4)], reason=StopReason.STOLEN, actor=STOREKEEPER)
    stock.services.stops.confirm([serial_of(4)], actor=CONTROLLER)
    outcome = stock.services.days.count(
        FIRST_STORE, StockCount(finished=0, spoiled=0, samples=1, left=1), actor=STOREKEEPER
    )
    stock.services.days.close(outcome.close.close_id, actor=CONTROLLER)
    assert [(each.action, each.account) for each in stock.audit()] == [
        ("stock.site-opened", "kho"),
        ("stock.received", "kho"),
        ("stock.issued", "kho"),
        ("chip.condemned", "kiem tra"),
        ("stock.returned", "kho"),
        ("stock.destruction-witnessed", "kho"),
        ("stock.destroyed", "kiem tra"),
        ("stock.sampled", "kho"),
        ("chip.stop-reported", "kho"),
        ("chip.stop-confirmed", "kiem tra"),
        ("stock.counted", "kho"),
        ("stock.day-closed", "kiem tra"),
    ]


def test_a_movement_is_never_changed(stock: Stock) -> None:
    for statement in ("UPDATE stock_movements SET chips = 1", "DELETE FROM stock_movements"):
        with pytest.raises(IssuerError), stock.database.writing() as session:
            session.execute(sa.text(statement))
    assert stock.account().received == 5


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stock_day_closes SET state = 'closed', closed_by = counted_by, closed_at = counted_at",
        "UPDATE stock_day_closes SET state = 'closed'",
        "UPDATE stock_day_closes SET counted_left = 4",
    ],
)
def test_the_database_too_keeps_a_close_to_two_people_and_right_numbers(
    stock: Stock, statement: str
) -> None:
    stock.services.days.count(
        FIRST_STORE, StockCount(finished=0, spoiled=0, samples=0, left=5), actor=STOREKEEPER
    )
    with pytest.raises(ConflictError), stock.database.writing() as session:
        session.execute(sa.text(statement))


def test_unknown_things_are_refused_by_name(stock: Stock) -> None:
    nothing = stock.services.days.count(
        FIRST_STORE, StockCount(finished=0, spoiled=0, samples=0, left=5), actor=STOREKEEPER
    ).close.close_id
    acts = {
        "stock.site-unknown": lambda: stock.account(SiteCode("nowhere")),
        "stop.unknown": lambda: stock.services.stops.confirm([serial_of(1)], actor=CONTROLLER),
        "stock.destruction-unknown": lambda: stock.services.destructions.show(
            nothing,  # type: ignore[arg-type]  # an identifier of something else
            actor=CONTROLLER,
        ),
        "stock.site-exists": lambda: stock.services.room.open_site(
            STATION, kind=SiteKind.STORE, name="x", organisation=None, actor=STOREKEEPER
        ),
    }
    for code, act in acts.items():
        with pytest.raises((IssuerDataError, IssuerRefusedError)) as caught:
            act()
        assert code_of(caught) == code


def test_the_protocols_are_papers_with_both_people(stock: Stock) -> None:
    stock.services.room.condemn(serial_of(1), reason="cracked", actor=CONTROLLER)
    site = stock.services.room.account(FIRST_STORE, actor=EVERYBODY).site
    made = stock.services.destructions.witness(
        [serial_of(1)], site=FIRST_STORE, manner="cắt vụn", actor=STOREKEEPER
    )
    done = stock.services.destructions.confirm(
        made.destruction.destruction_id, chips=1, actor=CONTROLLER
    )
    outcome = stock.services.days.count(
        FIRST_STORE, StockCount(finished=0, spoiled=0, samples=0, left=4), actor=STOREKEEPER
    )
    closed = stock.services.days.close(outcome.close.close_id, actor=CONTROLLER)
    for content, words in (
        (destruction_pdf(done, site), ["kho", "kiem tra", "cắt vụn", serial_of(1).hex()]),
        (day_close_pdf(closed, site), ["kho", "kiem tra", "21/11/2026", "5 = 0 + 1 + 0 + 4"]),
    ):
        text = text_of(content)
        assert [each for each in words if each.upper() not in text.upper()] == []


def text_of(content: bytes) -> str:

    document = pypdfium2.PdfDocument(content)
    text = "\n".join(page.get_textpage().get_text_range() for page in document)
    document.close()
    return text
