"""Chips at which a person has to look: they keep no other from being finished, and go on once they are released."""

import sqlite3
from typing import Any

import pytest

from card_layout.atr import LifeCycle
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.domain.chip import Serial
from issuer.domain.production_events import StationName
from issuer.domain.stock_account import FIRST_STORE, SiteCode
from issuer.errors import IssuerRefusedError
from issuer.services.visit_chip import VisitResult
from simulators.faults import Fault, FaultKind
from tests.contract.stock_stage import stock_services
from tests.integration.production.station_stage import (
    ANNA,
    KEEPER,
    RUN,
    Stations,
    StationUnderTest,
    prepared,
    rows,
)

ON_BOTH_DATABASES = True


def serial_of(card: Any) -> Serial:
    return Serial(card.image.serial)


@pytest.fixture
def station(stations: Stations) -> StationUnderTest:
    return stations.here()


@pytest.fixture
def cards(workshop: Any, station: StationUnderTest) -> list[Any]:
    """Two cards that stopped at the proof of their lock: operational, and the centre knows of neither's beginning."""
    first, *others = prepared(workshop, station, 3)
    outcome, apdus = workshop.visit(first, RUN, ledger=station.ledger)
    assert outcome.result is VisitResult.DONE
    assert station.ledger.hand_in()
    for card in others:
        assert station.ledger.find(serial_of(card)) is not None
    for card in others:
        torn = station.visit(card, Fault(kind=FaultKind.TEAR_AFTER, at=apdus - 1))
        assert torn.result is VisitResult.INTERRUPTED
        assert card.image.state is LifeCycle.OPERATIONAL
    return others


def states(workshop: Any) -> dict[int, str]:
    return {row.serial[-1]: row.state for row in rows(workshop, CardRow)}


def test_a_card_whose_events_were_rejected_keeps_no_other_from_being_finished(
    workshop: Any, stations: Stations, station: StationUnderTest, cards: list[Any]
) -> None:
    rejected, good = cards
    stations.book.release(serial_of(rejected), account=ANNA)
    assert station.ledger.hand_in()
    assert {each.serial for each in station.journal.rejections()} == {rejected.image.serial}
    assert station.visit(good).result is VisitResult.DONE
    again = station.visit(rejected)
    assert (again.result, again.code) == (VisitResult.REFUSED, "card.already-issued")
    assert station.close_day().issued == 2
    assert states(workshop) == {1: "issued", 2: "signed", 3: "issued"}


def test_a_job_that_cannot_be_opened_keeps_no_other_card_from_being_finished(
    station: StationUnderTest, stations: Stations, cards: list[Any]
) -> None:
    broken, good = cards
    station.journal.close()
    connection = sqlite3.connect(stations.directory / "left.sqlite")
    connection.execute(
        "UPDATE chips SET sealed_job = zeroblob(200) WHERE serial = ?", (broken.image.serial,)
    )
    connection.commit()
    connection.close()
    again = stations.here()
    assert again.visit(good).result is VisitResult.DONE
    refused = again.visit(broken)
    assert (refused.result, refused.code) == (VisitResult.REFUSED, "production.seal-broken")


def test_a_card_that_is_held_at_its_lock_goes_on_once_a_person_has_released_it(
    workshop: Any, station: StationUnderTest, cards: list[Any]
) -> None:
    card, other = cards
    station.ledger.hold(serial_of(card), code="personalisation.refused", detail="it says no")
    refused = station.visit(card)
    assert (refused.result, refused.code) == (VisitResult.REFUSED, "chip.held")
    assert refused.serial == card.image.serial
    assert station.visit(other).result is VisitResult.DONE
    assert station.ledger.hand_in()
    assert states(workshop) == {1: "issued", 2: "locking", 3: "issued"}
    workshop.stock.release(serial_of(card))
    assert station.visit(card).result is VisitResult.DONE
    assert station.ledger.hand_in()
    assert station.journal.rejections() == ()
    assert states(workshop) == {1: "issued", 2: "issued", 3: "issued"}


def test_a_held_chip_goes_on_at_no_station_whatever_its_journal_says(
    workshop: Any, station: StationUnderTest, cards: list[Any]
) -> None:
    assert station.ledger.hand_in()
    with workshop.database.writing() as session:
        for row in session.query(ChipRow):
            row.held = "chip.looked-at"
    assert station.visit(cards[0]).result is VisitResult.DONE
    assert station.ledger.hand_in()
    assert [each.code for each in station.journal.rejections()] == ["chip.held"]
    assert states(workshop) == {1: "issued", 2: "locking", 3: "locking"}
    assert {row.held for row in rows(workshop, ChipRow)} == {"chip.looked-at"}
    # It may be given up all the same.
    station.ledger.condemn(serial_of(cards[1]), code="card.rejected", detail="")
    assert station.ledger.hand_in()
    assert states(workshop) == {1: "issued", 2: "locking", 3: "condemned"}


def test_what_a_station_does_with_a_chip_that_was_taken_from_it_is_not_followed_and_warns(
    workshop: Any, stations: Stations, station: StationUnderTest, cards: list[Any]
) -> None:
    taken, other = cards
    stations.book.release(serial_of(taken), account=ANNA)
    workshop.stock.release(serial_of(taken))
    station.link.is_cut = True
    assert station.visit(taken).result is VisitResult.DONE
    station.link.is_cut = False
    assert station.ledger.hand_in()
    assert {each.code for each in station.journal.rejections()} == {"station.not-claimed"}
    assert states(workshop) == {1: "issued", 2: "signed", 3: "locking"}
    said = [row.detail for row in rows(workshop, CardEventRow) if row.kind == "event-rejected"]
    assert said[-1].endswith("of station left: issued")
    # The register has it as signed, and its station said that it works: one person's word does not end it.
    with pytest.raises(IssuerRefusedError) as caught:
        workshop.stock.condemn(serial_of(taken), code="card.condemned-by-person")
    assert caught.value.code == "card.may-be-operational"
    assert station.visit(other).result is VisitResult.DONE


def test_a_successor_under_another_name_finishes_the_chips_of_a_dismissed_station(
    workshop: Any, stations: Stations
) -> None:
    workshop.stock.open_site(SiteCode("right"))
    lost = stations.here("left")
    [card] = prepared(workshop, lost)
    serial = serial_of(card)
    torn = lost.visit(card, Fault(kind=FaultKind.TEAR_AFTER, at=20))
    assert torn.result is VisitResult.INTERRUPTED
    assert lost.ledger.hand_in()
    stations.book.dismiss(StationName("left"), account=ANNA)
    lost.journal.close()
    (stations.directory / "left.sqlite").rename(stations.directory / "lost")
    with pytest.raises(IssuerRefusedError) as refused:
        stations.here("left").ledger.find(serial)
    assert (refused.value.code, "another name" in (refused.value.hint or "")) == (
        "station.dismissed",
        True,
    )
    stock = stock_services(workshop.database, stations.clock)
    workshop.stock.release(serial)
    stock.room.take_back([serial], source=SiteCode("left"), target=FIRST_STORE, actor=KEEPER)
    stock.room.issue([serial], source=FIRST_STORE, target=SiteCode("right"), actor=KEEPER)
    successor = stations.here("right")
    assert successor.visit(card).result is VisitResult.DONE
    assert successor.ledger.hand_in()
    assert states(workshop) == {1: "issued"}
