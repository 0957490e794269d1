"""A station works with the chips that the stock has at it; what an order takes out of the store, the books say at once."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from card_layout.atr import LifeCycle
from issuer.db.audit import SqlAuditTrail
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.db.register import SqlRegister
from issuer.db.station_tables import StationClaimRow, StationRow
from issuer.db.stock_tables import StockMovementRow
from issuer.domain.batch import BatchId
from issuer.domain.chip import Serial
from issuer.domain.production_events import StationName
from issuer.domain.rights import Actor, Role
from issuer.domain.stock_account import FIRST_STORE, SiteCode
from issuer.errors import IssuerError, IssuerUnavailableError
from issuer.services.visit_chip import VisitResult
from issuer.stations.orders import WantedChips
from simulators.faults import Fault, FaultKind
from tests.contract.stock_stage import EVERYBODY, staff, stock_services
from tests.integration.production.station_stage import KEEPER, Stations, prepared, rows

ON_BOTH_DATABASES = True

FAR = StationName("far")
STORE_ALONE = staff("kho", Role.STOREKEEPER)
OPERATOR_ALONE = staff("an", Role.PRODUCTION_OPERATOR)


def serial(number: int) -> Serial:
    return Serial(number.to_bytes(10, "big"))


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(IssuerError) as refused:
        work()
    return refused.value.code


@pytest.mark.parametrize("site", ["store", "right"])
def test_a_chip_that_lies_elsewhere_is_refused_before_anything_changes_it(
    workshop: Any, stations: Stations, site: str
) -> None:
    station = stations.here("left")
    workshop.receive(1, site=site)
    card = workshop.blank(1)
    before = card.image
    refused = station.visit(card)
    assert (refused.result, refused.code) == (VisitResult.REFUSED, "chip.elsewhere")
    assert card.image == before
    assert rows(workshop, StationClaimRow) == []
    assert station.journal.events() == ()
    room = stock_services(workshop.database, stations.clock).room
    if site != FIRST_STORE:
        room.take_back([serial(1)], source=SiteCode(site), target=FIRST_STORE, actor=KEEPER)
    workshop.stock.open_site(SiteCode("left"))
    room.issue([serial(1)], source=FIRST_STORE, target=SiteCode("left"), actor=KEEPER)
    assert station.visit(card).result is VisitResult.DONE


def test_a_signed_card_is_made_where_its_chip_lies(workshop: Any, stations: Stations) -> None:
    left, right = stations.here("left"), stations.here("right")
    [card] = prepared(workshop, left)
    assert right.visit(card).code == "chip.elsewhere"
    assert card.image.state is LifeCycle.INITIALISED
    assert left.visit(card).result is VisitResult.DONE


def test_a_condemned_chip_is_ended_where_it_lies(workshop: Any, stations: Stations) -> None:
    left, right = stations.here("left"), stations.here("right")
    workshop.receive(1, site="left")
    card = workshop.blank(1)
    workshop.stock.condemn(serial(1), code="card.condemned-by-person")
    assert right.visit(card).code == "chip.elsewhere"
    assert card.image.state is LifeCycle.BLANK
    assert left.visit(card).result is VisitResult.CONDEMNED
    assert card.image.state is LifeCycle.TERMINATED


def test_a_chip_in_a_stations_hands_is_moved_and_sampled_by_nobody(
    workshop: Any, stations: Stations
) -> None:
    station = stations.here("left")
    workshop.receive(1, site="left")
    card = workshop.blank(1)
    torn = station.visit(card, Fault(kind=FaultKind.TEAR_AFTER, at=12))
    assert torn.result is VisitResult.INTERRUPTED
    room = stock_services(workshop.database, stations.clock).room
    back = {"source": SiteCode("left"), "target": FIRST_STORE, "actor": KEEPER}
    assert code_of(lambda: room.take_back([serial(1)], **back)) == "chip.claimed"
    sample = {"site": SiteCode("left"), "remark": "laboratory", "actor": KEEPER}
    assert code_of(lambda: room.take_samples([serial(1)], **sample)) == "chip.claimed"
    assert station.visit(card).result is VisitResult.DONE
    assert station.ledger.hand_in()
    assert room.take_back([serial(1)], **back) == 1


@pytest.fixture
def blanks_in_store(workshop: Any, stations: Stations) -> None:
    stations.enrol("far")
    workshop.receive(1, 2, 3)


@pytest.mark.usefixtures("blanks_in_store")
def test_an_order_takes_blanks_out_of_the_store_in_the_act_that_gives_them(
    workshop: Any, stations: Stations
) -> None:
    wanted = WantedChips(blanks=2)
    given = stations.orders.give(FAR, wanted, actor=STORE_ALONE)
    assert ([each.record.chip.serial for each in given.chips], given.issued, given.jobs) == (
        [serial(1), serial(2)],
        2,
        0,
    )
    _, movement = rows(workshop, StockMovementRow)
    assert (movement.kind, movement.source, movement.target, movement.chips) == (
        "issued",
        "store",
        "far",
        2,
    )
    assert {row.serial[-1]: row.site for row in rows(workshop, ChipRow)} == {
        1: "far",
        2: "far",
        3: "store",
    }
    assert {row.station for row in rows(workshop, StationClaimRow)} == {"far"}
    kinds = [row.kind for row in rows(workshop, CardEventRow) if row.serial == serial(1)]
    assert kinds == ["chip-received", "chip-issued", "claimed"]
    with workshop.database.reading() as session:
        *_, issued, ordered = (each.record() for each in SqlAuditTrail(session).records())
    assert (issued.action, issued.details["to"], issued.details["chips"]) == (
        "stock.issued",
        "far",
        2,
    )
    assert (ordered.action, ordered.account) == ("station.ordered", "kho")
    assert dict(ordered.details) == {
        "order": 1,
        "chips": 2,
        "jobs": 0,
        "issued": 2,
        "stopped": 0,
    }
    accounts = stock_services(workshop.database, stations.clock).room.accounts(actor=EVERYBODY)
    assert {each.site.code: each.account.received for each in accounts} == {"store": 1, "far": 2}
    assert all(each.account.is_balanced for each in accounts)

    # Asked for the same chips again, as when the file was not written: nothing moves twice.
    again = stations.orders.give(FAR, WantedChips(chips=(serial(1), serial(2))), actor=STORE_ALONE)
    assert (len(again.chips), again.issued, again.number) == (2, 0, 2)
    assert len(rows(workshop, StockMovementRow)) == 2


@pytest.mark.usefixtures("blanks_in_store")
def test_blanks_at_the_station_are_given_before_those_of_the_store(
    workshop: Any, stations: Stations
) -> None:
    room = stock_services(workshop.database, stations.clock).room
    room.issue([serial(3)], source=FIRST_STORE, target=SiteCode("far"), actor=KEEPER)
    given = stations.orders.give(FAR, WantedChips(blanks=2), actor=KEEPER)
    assert [each.record.chip.serial for each in given.chips] == [serial(3), serial(1)]
    assert given.issued == 1


@pytest.mark.usefixtures("blanks_in_store")
def test_an_order_that_fails_anywhere_has_moved_nothing(
    workshop: Any, stations: Stations, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> bytes:
        raise IssuerUnavailableError("the token is gone", code="keystore.unavailable")

    broken = stations.orders
    with monkeypatch.context() as patch:
        patch.setattr(type(broken.keys), "seal", fail)
        assert (
            code_of(lambda: broken.give(FAR, WantedChips(blanks=2), actor=KEEPER))
            == "keystore.unavailable"
        )
    assert {row.site for row in rows(workshop, ChipRow)} == {"store"}
    assert len(rows(workshop, StockMovementRow)) == 1
    assert rows(workshop, StationClaimRow) == []
    [station] = rows(workshop, StationRow)
    assert station.last_order == 0


@pytest.mark.usefixtures("blanks_in_store")
@pytest.mark.parametrize(
    ("wanted", "actor", "code"),
    [
        (WantedChips(blanks=1), OPERATOR_ALONE, "right.missing"),
        (WantedChips(blanks=1, store=SiteCode("nowhere")), KEEPER, "stock.site-unknown"),
        (WantedChips(chips=(serial(9),)), KEEPER, "chip.not-in-stock"),
        (WantedChips(blanks=501), KEEPER, "stock.serials-malformed"),
    ],
)
def test_what_an_order_refuses(
    stations: Stations, wanted: WantedChips, actor: Actor, code: str
) -> None:
    assert code_of(lambda: stations.orders.give(FAR, wanted, actor=actor)) == code


def test_a_chip_of_another_station_is_in_no_order(workshop: Any, stations: Stations) -> None:
    stations.enrol("far")
    workshop.receive(1, site="left")
    wanted = WantedChips(chips=(serial(1),))
    assert code_of(lambda: stations.orders.give(FAR, wanted, actor=KEEPER)) == "chip.elsewhere"
    nothing = stations.orders.give(FAR, WantedChips(blanks=5, is_signed=True), actor=KEEPER)
    assert nothing.chips == ()


def test_what_is_written_to_cards_is_given_by_production_alone(
    workshop: Any, stations: Stations
) -> None:
    station, bundles = stations.offline("far", stations.enrol("far"))
    workshop.add_members(1)
    workshop.receive(1)
    bundles.take(stations.orders.give(FAR, WantedChips(blanks=1), actor=STORE_ALONE).sealed)
    assert station.visit(workshop.blank(1)).result is VisitResult.DONE
    stations.accept(bundles.report()[0])
    workshop.bind_and_sign()
    wanted = WantedChips(is_signed=True)
    assert code_of(lambda: stations.orders.give(FAR, wanted, actor=STORE_ALONE)) == "right.missing"
    given = stations.orders.give(FAR, wanted, actor=OPERATOR_ALONE)
    assert (given.jobs, given.issued) == (1, 0)
    assert [row.state for row in rows(workshop, CardRow)] == ["signed"]
    with SqlRegister(workshop.database).reading() as transaction:
        assert transaction.stations.in_hands([serial(1)]) == {serial(1): FAR}


def test_an_order_that_was_lost_is_given_again_without_its_serials(
    workshop: Any, stations: Stations
) -> None:
    station, bundles = stations.offline("far", stations.enrol("far"))
    workshop.add_members(2)
    workshop.receive(1, 2, 3)
    stations.orders.give(FAR, WantedChips(blanks=3), actor=KEEPER)
    again = WantedChips(is_again=True)
    # The first order is lost; nothing else names its chips any more.
    assert stations.orders.give(FAR, WantedChips(blanks=3), actor=KEEPER).chips == ()
    given = stations.orders.give(FAR, again, actor=KEEPER)
    assert ([each.record.chip.serial for each in given.chips], given.issued) == (
        [serial(1), serial(2), serial(3)],
        0,
    )
    bundles.take(given.sealed)
    for number in (1, 2):
        assert station.visit(workshop.blank(number)).result is VisitResult.DONE
    stations.accept(bundles.report()[0])
    workshop.bind_and_sign()
    stations.orders.give(FAR, WantedChips(is_signed=True), actor=KEEPER)
    given = stations.orders.give(FAR, again, actor=KEEPER)
    assert (len(given.chips), given.jobs) == (3, 2)
    other = WantedChips(is_again=True, batch=BatchId(uuid.UUID(int=7)))
    assert stations.orders.give(FAR, other, actor=KEEPER).chips == ()
    taken = bundles.take(stations.orders.give(FAR, again, actor=KEEPER).sealed)
    # What the station has it knows better.
    assert (taken.chips, taken.jobs, taken.left_alone) == (2, 2, 1)
