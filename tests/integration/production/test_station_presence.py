"""A station says that it is there: the office sees it, and it hears how much of its batch is left."""

import sqlite3
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from issuer.db.station_repository import SqlStationRepository
from issuer.domain.batch import BatchId
from issuer.domain.production_events import StationName
from issuer.domain.station_standing import SILENT_AFTER, StationStanding, StationState
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.station_ports import StationPresence
from issuer.stations.herald import StationHerald
from issuer.stations.messages import StationOrder, StationReport
from tests.integration.production.station_stage import (
    ANNA,
    NOW,
    Stations,
    StationUnderTest,
    prepared,
)

TWO = StationPresence(readers=("ACS 00", "ACS 01"))
BATCH = BatchId(UUID(int=7))


def standing(workshop: Any, stations: Stations) -> StationStanding:
    with workshop.database.reading() as session:
        [found] = SqlStationRepository(session, lambda: workshop.vault).standings(
            now=stations.clock.now
        )
    return found


def put_into_batch(directory: Path) -> None:
    """All cards into a batch of which nothing else is known."""
    with sqlite3.connect(directory / "issuer0.sqlite") as connection:
        connection.execute("UPDATE cards SET batch_id = ?", (BATCH.hex,))
    connection.close()


def far(stations: Stations) -> StationUnderTest:
    return stations.over_the_network("far", stations.enrol("far"))


@pytest.mark.parametrize("way", ["here", "far"])
def test_the_office_sees_readers_claims_counts_and_the_journal(
    workshop: Any, stations: Stations, way: str
) -> None:
    station = stations.here("here") if way == "here" else far(stations)
    cards = prepared(workshop, station, 3)
    put_into_batch(stations.directory)
    assert station.ledger.greet(TWO, BATCH) == 3
    assert station.visit(cards[0]).result.value == "done"
    station.ledger.find(cards[1].image.serial)
    assert station.ledger.hand_in()
    stations.clock.now += timedelta(minutes=1)
    resting = StationPresence(readers=TWO.readers, is_suspended=True)
    assert station.ledger.greet(resting, BATCH) == 2
    assert station.ledger.greet(resting, None) is None
    found = standing(workshop, stations)
    assert (found.name, found.is_elsewhere) == (way, way == "far")
    assert found.readers == TWO.readers
    assert found.state(stations.clock.now) is StationState.RESTING
    assert (found.claimed, found.cards_made, found.chips_rejected) == (1, 1, 0)
    assert (found.heard_at, found.handed_in_at) == (NOW + timedelta(minutes=1), NOW)
    assert found.head == station.journal.head
    # Tomorrow nothing was made yet.
    stations.clock.now += timedelta(days=1)
    assert standing(workshop, stations).cards_made == 0


def test_a_station_that_is_not_heard_is_silent_and_one_that_said_goodbye_is_off(
    workshop: Any, stations: Stations
) -> None:
    station = far(stations)
    station.ledger.greet(TWO, None)
    assert standing(workshop, stations).state(NOW) is StationState.WORKING
    assert standing(workshop, stations).state(NOW + SILENT_AFTER) is StationState.WORKING
    late = NOW + SILENT_AFTER + timedelta(seconds=1)
    assert standing(workshop, stations).state(late) is StationState.SILENT
    station.ledger.greet(StationPresence(readers=()), None)
    assert standing(workshop, stations).state(NOW) is StationState.OFF
    stations.book.dismiss(StationName("far"), account=ANNA)
    assert standing(workshop, stations).state(NOW) is StationState.DISMISSED
    with pytest.raises(IssuerRefusedError) as refused:
        station.ledger.greet(TWO, None)
    assert refused.value.code == "station.dismissed"


def test_what_comes_in_late_counts_for_its_own_day(workshop: Any, stations: Stations) -> None:
    station = stations.here()
    first, second = prepared(workshop, station, 2)
    assert station.visit(first).result.value == "done"
    stations.clock.now += timedelta(days=1)
    assert station.visit(second).result.value == "done"
    assert station.ledger.hand_in()
    assert standing(workshop, stations).cards_made == 1


def test_without_a_network_the_station_counts_what_it_was_given(
    workshop: Any, stations: Stations
) -> None:
    station, bundles = stations.offline("far", stations.enrol("far"))
    workshop.add_members(2)
    workshop.receive(1, 2)
    cards = [workshop.blank(number) for number in (1, 2)]
    serials = [card.image.serial for card in cards]
    bundles.take(stations.order("far", serials)[0])
    assert [station.visit(card).result.value for card in cards] == ["done", "done"]
    stations.accept(bundles.report()[0])
    workshop.bind_and_sign()
    put_into_batch(stations.directory)
    bundles.take(stations.order("far", serials)[0])
    assert station.ledger.greet(TWO, BATCH) == 2
    assert station.visit(cards[0]).result.value == "done"
    assert station.ledger.greet(TWO, BATCH) == 1
    assert station.ledger.greet(TWO, None) is None


def test_presence_and_what_is_left_have_one_form() -> None:
    report = StationReport(station=StationName("far"), at=NOW, presence=TWO, batch=BATCH)
    assert StationReport.from_bytes(report.to_bytes()) == report
    order = StationOrder(station=StationName("far"), at=NOW, left=12)
    assert StationOrder.from_bytes(order.to_bytes()) == order
    for readers in (("",), ("x" * 201,), ("x",) * 65):
        long = StationReport(
            station=StationName("far"), at=NOW, presence=StationPresence(readers=readers)
        )
        with pytest.raises(IssuerDataError):
            StationReport.from_bytes(long.to_bytes())


class Centre:
    """What a herald says, and to whom nobody answers now and then."""

    def __init__(self) -> None:
        self.heard: list[tuple[StationPresence, BatchId | None]] = []
        self.answers = True
        self.greeted = threading.Event()

    def greet(self, presence: StationPresence, batch: BatchId | None) -> int | None:
        self.heard.append((presence, batch))
        self.greeted.set()
        if not self.answers:
            raise IssuerRefusedError("dismissed", code="station.dismissed")
        return 5


def a_herald(centre: Centre, now: list[float], **more: Any) -> StationHerald:
    return StationHerald(
        centre.greet, presence=lambda: TWO, batch=lambda: BATCH, monotonic=lambda: now[0], **more
    )


def test_a_herald_speaks_at_once_when_something_changed_and_else_three_times_a_minute() -> None:
    centre, now = Centre(), [1000.0]
    answers: list[tuple[BatchId | None, int | None]] = []
    silences: list[None] = []
    herald = a_herald(
        centre, now,
        on_answer=lambda batch, left: answers.append((batch, left)),
        on_silence=lambda: silences.append(None),
    )  # fmt: skip
    for seconds, heard in ((0, 1), (1, 1), (20, 1), (30, 2), (31, 2)):
        now[0] = 1000.0 + seconds
        herald.look()
        assert len(centre.heard) == heard
    assert answers == [(BATCH, 5)] * 2
    centre.answers = False
    now[0] += 30
    herald.look()
    assert len(silences) == 1


def test_a_herald_says_goodbye() -> None:
    centre = Centre()
    with a_herald(centre, [0.0]).heralding():
        assert centre.greeted.wait(30)
    assert centre.heard[0] == (TWO, BATCH)
    assert centre.heard[-1] == (StationPresence(readers=()), None)
