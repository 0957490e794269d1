"""Sticks are carried in any order, and some are lost: a station and its centre still come to know the same."""

from typing import Any

import pytest

from issuer.db import station_heads
from issuer.db.production_tables import CardEventRow, ChipRow
from issuer.db.station_tables import StationChainRow
from issuer.domain.chip import Serial
from issuer.errors import IssuerRefusedError
from issuer.services.visit_chip import VisitResult
from issuer.stations.bundles import StationBundles
from tests.integration.production.station_stage import (
    ANNA,
    Party,
    Stations,
    StationUnderTest,
    rows,
)

ON_BOTH_DATABASES = True


@pytest.fixture
def party(stations: Stations) -> Party:
    return stations.enrol("far")


@pytest.fixture
def cards(workshop: Any) -> list[Any]:
    workshop.receive(1, 2, 3)
    return [workshop.blank(number) for number in (1, 2, 3)]


@pytest.fixture
def offline(
    stations: Stations, party: Party, cards: list[Any]
) -> tuple[StationUnderTest, StationBundles]:
    """A station on no network that was given three blanks."""
    station, bundles = stations.offline("far", party)
    bundles.take(stations.order("far", [Serial(card.image.serial) for card in cards])[0])
    return station, bundles


def everything(workshop: Any) -> list[Any]:
    return [
        [(row.serial, row.state, row.held) for row in rows(workshop, ChipRow)],
        [(row.kind, row.serial, row.detail) for row in rows(workshop, CardEventRow)],
        [row.last for row in rows(workshop, StationChainRow)],
    ]


def test_an_older_report_behind_a_newer_one_tells_nothing_new(
    workshop: Any,
    stations: Stations,
    offline: tuple[StationUnderTest, StationBundles],
    cards: list[Any],
) -> None:
    station, bundles = offline
    reports = []
    for card in cards:
        assert station.visit(card).result is VisitResult.DONE
        reports.append(bundles.report()[0])
    stations.accept(reports[1])
    before = everything(workshop)
    known, receipt = stations.accept(reports[0])
    assert receipt is not None
    assert (receipt.through, receipt.rejected) == (known.head.sequence, ())
    assert everything(workshop) == before
    # The newest one goes on from where the centre is.
    stations.accept(reports[2])
    for report in reports:
        _, receipt = stations.accept(report)
        assert receipt is not None
        assert receipt.through == station.journal.head.sequence
    assert {row.state for row in rows(workshop, ChipRow)} == {"initialised"}


def test_an_older_report_of_a_journal_that_went_another_way_is_refused(
    workshop: Any, stations: Stations, party: Party, cards: list[Any]
) -> None:
    order = stations.order("far", [Serial(card.image.serial) for card in cards])[0]
    station, bundles = stations.offline("far", party)
    bundles.take(order)
    station.journal.close()
    path = stations.directory / "far.sqlite"
    copy = path.read_bytes()
    station, bundles = stations.offline("far", party)
    for card in cards[:2]:
        station.visit(card)
    stations.accept(bundles.report()[0])
    station.journal.close()

    for log in path.parent.glob(f"{path.name}-*"):
        log.unlink()
    path.write_bytes(copy)
    station, bundles = stations.offline("far", party)
    station.visit(cards[2])
    older = bundles.report()[0]
    before = everything(workshop)
    with pytest.raises(IssuerRefusedError) as refused:
        stations.accept(older)
    assert refused.value.code == "station.journal-back"
    assert everything(workshop) == before


def test_a_report_that_lay_about_for_long_is_looked_at_by_a_person(
    stations: Stations,
    offline: tuple[StationUnderTest, StationBundles],
    cards: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    station, bundles = offline
    station.visit(cards[0])
    old, events = bundles.report()
    stations.accept(old)
    monkeypatch.setattr(station_heads, "_EVENTS_KEPT", 1)
    station.visit(cards[1])
    stations.accept(bundles.report()[0])
    assert events > 1
    with pytest.raises(IssuerRefusedError) as refused:
        stations.accept(old)
    assert refused.value.code == "station.journal-back"


def test_an_order_tells_what_the_centre_rejected(
    stations: Stations,
    offline: tuple[StationUnderTest, StationBundles],
    cards: list[Any],
) -> None:
    station, bundles = offline
    serial = Serial(cards[0].image.serial)
    station.visit(cards[0])
    stations.book.release(serial, account=ANNA)
    _, receipt = stations.accept(bundles.report()[0])
    assert receipt is not None
    assert {each.serial for each in receipt.rejected} == {serial}
    # The first order is lost on its way.
    stations.order("far", [])
    taken = bundles.take(stations.order("far", [])[0])
    assert taken.rejected == receipt.rejected == station.journal.rejections()
    assert station.visit(cards[0]).code == "station.not-in-bundle"
    assert bundles.take(stations.order("far", [])[0]).rejected == ()


def test_a_rejection_that_is_told_again_takes_no_chip_that_was_given_anew(
    workshop: Any,
    stations: Stations,
    offline: tuple[StationUnderTest, StationBundles],
    cards: list[Any],
) -> None:
    station, bundles = offline
    serial = Serial(cards[0].image.serial)
    station.visit(cards[0])
    stations.book.release(serial, account=ANNA)
    stations.accept(bundles.report()[0])
    workshop.stock.release(serial)
    taken = bundles.take(stations.order("far", [serial])[0])
    assert (taken.chips, len(taken.rejected)) == (1, 3)
    again = bundles.take(stations.order("far", [])[0])
    assert again.rejected == ()
    assert [record.chip.serial for record in station.journal.in_hand()].count(serial) == 1
