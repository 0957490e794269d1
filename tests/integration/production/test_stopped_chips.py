"""A chip of the stop list that a station has in its hands: its card counts for nothing, and the station is told."""

from typing import Any

import pytest
import sqlalchemy as sa

from issuer.db.production_tables import CardRow, ChipRow
from issuer.db.register import SqlRegister
from issuer.domain.card import CardState
from issuer.domain.card_validity import EndReason
from issuer.domain.chip import Serial
from issuer.domain.production_events import StationName
from issuer.domain.rights import AccountName, Role
from issuer.domain.stock_acts import StopReason
from issuer.errors import IssuerRefusedError
from issuer.services.stock_services import StockServices
from issuer.services.visit_chip import VisitResult
from simulators.faults import Fault, FaultKind
from tests.contract.stock_stage import staff, stock_services
from tests.integration.production.station_stage import (
    ANNA,
    NOW,
    Stations,
    StationUnderTest,
    prepared,
    rows,
)

ON_BOTH_DATABASES = True

KEEPER = staff("kho", Role.STOREKEEPER, now=NOW)
CONTROLLER = staff("kiem tra", Role.QUALITY_CONTROLLER, now=NOW)
TORN = Fault(kind=FaultKind.TEAR_AFTER, at=12)
CONTRADICTORY = "personalisation.card-cryptogram"


@pytest.fixture
def stock(workshop: Any, stations: Stations) -> StockServices:
    return stock_services(workshop.database, stations.clock)


def serial_of(card: Any) -> Serial:
    return Serial(card.image.serial)


def chip_of(workshop: Any, card: Any) -> ChipRow:
    [found] = [each for each in rows(workshop, ChipRow) if each.serial == card.image.serial]
    return found


def torn(workshop: Any, station: StationUnderTest) -> Any:
    """A chip that the station has begun to write, as the centre knows."""
    [card] = prepared(workshop, station)
    assert station.visit(card, TORN).result is VisitResult.INTERRUPTED
    assert station.ledger.hand_in()
    return card


def test_a_card_that_a_station_finishes_on_a_stopped_chip_counts_for_nothing(
    workshop: Any, stations: Stations, stock: StockServices
) -> None:
    station = stations.here()
    card = torn(workshop, station)
    serial = serial_of(card)
    stock.stops.report([serial], reason=StopReason.STOLEN, actor=KEEPER)
    assert station.visit(card).result is VisitResult.DONE
    assert station.ledger.hand_in()
    # The records go along with the chip, so that it may go on where the stop is lifted.
    [row] = rows(workshop, CardRow)
    assert (row.state, row.report, row.reported_by) == ("issued", "stolen", KEEPER.account)
    assert {each.code for each in station.journal.rejections()} == {"chip.stolen"}
    register = SqlRegister(workshop.database, workshop.sealer, lambda: workshop.vault)
    with pytest.raises(IssuerRefusedError) as caught, register.writing() as transaction:
        transaction.cards.hand_over(row.reference, to="x", account=AccountName("clerk"), at=NOW)
    assert caught.value.code == "chip.stolen"
    stock.stops.confirm([serial], actor=CONTROLLER)
    [row] = rows(workshop, CardRow)
    assert (row.state, row.report) == (CardState.CONDEMNED.value, None)
    assert row.ended_for is not None


def test_a_station_goes_on_with_a_chip_once_the_stop_is_lifted(
    workshop: Any, stations: Stations, stock: StockServices
) -> None:
    station = stations.here()
    card = torn(workshop, station)
    serial = serial_of(card)
    stock.stops.report([serial], reason=StopReason.MISSING, actor=KEEPER)
    assert station.visit(card, TORN).result is VisitResult.INTERRUPTED
    assert station.ledger.hand_in()
    assert station.visit(card).code == "chip.stolen"
    stock.stops.lift([serial], actor=CONTROLLER)
    assert station.visit(card).result is VisitResult.DONE
    assert station.ledger.hand_in()
    [row] = rows(workshop, CardRow)
    assert (row.state, row.report, row.ended_for) == ("issued", None, None)


def test_an_order_stops_what_an_offline_station_has_in_hand(
    workshop: Any, stations: Stations, stock: StockServices
) -> None:
    station, bundles = stations.offline("far", stations.enrol("far"))
    workshop.receive(1)
    card = workshop.blank(1)
    serial = serial_of(card)
    bundles.take(stations.order("far", [serial])[0])
    assert station.visit(card, Fault(kind=FaultKind.TEAR_AFTER, at=3)).result is not None
    stock.stops.report([serial], reason=StopReason.MISSING, actor=KEEPER)
    taken = bundles.take(stations.order("far", [])[0])
    assert (taken.chips, taken.left_alone, taken.stopped) == (0, 0, 1)
    assert station.visit(card).code == "chip.stolen"
    assert station.journal.in_hand() == ()
    # The centre hears what was done before, and gives the chip again where it was found.
    stations.accept(bundles.report()[0])
    stock.stops.lift([serial], actor=CONTROLLER)
    bundles.take(stations.order("far", [serial])[0])
    assert station.visit(card).result is VisitResult.DONE


def test_a_card_that_was_handed_over_before_its_stop_was_judged_ends(
    workshop: Any, stations: Stations, stock: StockServices
) -> None:
    station = stations.here()
    [card] = prepared(workshop, station)
    assert station.visit(card).result is VisitResult.DONE
    assert station.ledger.hand_in()
    serial = serial_of(card)
    stock.stops.report([serial], reason=StopReason.STOLEN, actor=KEEPER)
    with workshop.database.writing() as session:
        # As a register of before this rule may hold it.
        session.execute(
            sa.update(CardRow).values(
                state="handed-over", counts_as=2, report=None, reported_by=None
            )
        )
    stock.stops.confirm([serial], actor=CONTROLLER)
    [row] = rows(workshop, CardRow)
    assert (row.state, row.ended_for) == ("handed-over", EndReason.STOLEN.value)
    assert chip_of(workshop, card).is_stolen
    account = stock.room.account(chip_of(workshop, card).site, actor=KEEPER).account
    assert (account.is_balanced, account.stolen) == (True, 1)


@pytest.mark.parametrize("act", ["dismiss", "release", "hold"])
def test_what_two_people_judge_is_never_released_by_one(
    workshop: Any, stations: Stations, stock: StockServices, act: str
) -> None:
    station = stations.here()
    card = torn(workshop, station)
    serial = serial_of(card)
    stock.stops.report([serial], reason=StopReason.STOLEN, actor=KEEPER)
    if act == "dismiss":
        stations.book.dismiss(StationName("left"), account=ANNA)
    elif act == "release":
        stations.book.release(serial, account=ANNA)
    else:
        station.ledger.hold(serial, code=CONTRADICTORY)
        assert station.ledger.hand_in()
    assert chip_of(workshop, card).held == "chip.stolen"
    with pytest.raises(IssuerRefusedError) as caught:
        stock.room.release(serial, actor=CONTROLLER)
    assert caught.value.code == "chip.stolen"
    stock.stops.lift([serial], actor=CONTROLLER)
    # What held it besides is looked at by a person still.
    below = CONTRADICTORY if act == "hold" else "station.claim-released"
    assert chip_of(workshop, card).held == below


def test_a_hold_of_before_the_stop_holds_again_behind_it(
    workshop: Any, stations: Stations, stock: StockServices
) -> None:
    station = stations.here()
    card = torn(workshop, station)
    serial = serial_of(card)
    station.ledger.hold(serial, code=CONTRADICTORY)
    assert station.ledger.hand_in()
    stock.stops.report([serial], reason=StopReason.MISSING, actor=KEEPER)
    stock.stops.lift([serial], actor=CONTROLLER)
    assert chip_of(workshop, card).held == CONTRADICTORY
    assert station.visit(card).code == "chip.held"


def test_the_stop_list_itself_is_asked_before_a_chip_is_given_or_released(
    workshop: Any, stations: Stations, stock: StockServices
) -> None:
    station = stations.here()
    workshop.receive(1, site=station.name)
    card = workshop.blank(1)
    serial = serial_of(card)
    stock.stops.report([serial], reason=StopReason.STOLEN, actor=KEEPER)
    for held in (None, "station.claim-released"):
        with workshop.database.writing() as session:
            # What is written at the row must not be all that keeps a stolen chip away.
            session.execute(sa.update(ChipRow).values(held=held))
        if held is not None:
            with pytest.raises(IssuerRefusedError) as caught:
                stock.room.release(serial, actor=CONTROLLER)
            assert caught.value.code == "chip.stolen"
        assert station.visit(card).code == "chip.stolen"
        assert chip_of(workshop, card).held == "chip.stolen"
