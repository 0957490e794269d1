"""A station whose journal was put back gets nothing more, before it has touched a chip; and a centre that was put back says so."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from issuer.db.production_tables import CardRow
from issuer.db.station_tables import StationClaimRow, StationRow
from issuer.domain.production_events import JournalHead
from issuer.errors import IssuerRefusedError
from issuer.services.station_ports import StationPresence
from issuer.services.visit_chip import VisitResult
from simulators.faults import Fault, FaultKind
from tests.integration.production.station_stage import Stations, StationUnderTest, prepared, rows

READY = StationPresence(readers=("ACS 00",))
Make = Callable[[], StationUnderTest]


@pytest.fixture(params=["here", "far"])
def make_station(stations: Stations, request: pytest.FixtureRequest) -> Make:
    """The station, opened anew over the journal that lies there now."""
    if request.param == "here":
        return lambda: stations.here("far")
    party = stations.enrol("far")
    return lambda: stations.over_the_network("far", party)


def journal_of(stations: Stations) -> Path:
    return stations.directory / "far.sqlite"


def copy_of(station: StationUnderTest, path: Path) -> bytes:
    """The journal as a backup program takes it while the station is off."""
    station.journal.close()
    return path.read_bytes()


def put_back(path: Path, content: bytes) -> None:
    for log in path.parent.glob(f"{path.name}-*"):
        log.unlink()
    path.write_bytes(content)


def copy_database(source: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(source)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


def claims(workshop: Any) -> dict[bytes, bool]:
    return {row.serial: row.released_at is None for row in rows(workshop, StationClaimRow)}


def test_an_older_copy_gets_no_chip_and_touches_none(
    workshop: Any, stations: Stations, make_station: Make
) -> None:
    station = make_station()
    first, second = prepared(workshop, station, 2)
    path = journal_of(stations)
    kept = copy_of(station, path)
    station = make_station()
    assert station.visit(first).result is VisitResult.DONE
    assert station.ledger.hand_in()
    station.journal.close()
    put_back(path, kept)

    station = make_station()
    before = (second.image, claims(workshop), [row.state for row in rows(workshop, CardRow)])
    for _ in range(2):
        refused = station.visit(second)
        assert (refused.result, refused.code) == (VisitResult.REFUSED, "station.journal-back")
    assert before == (
        second.image,
        claims(workshop),
        [row.state for row in rows(workshop, CardRow)],
    )
    with pytest.raises(IssuerRefusedError) as told:
        station.ledger.greet(READY, None)
    assert told.value.code == "station.journal-back"


def test_every_older_copy_of_a_visit_is_noticed(
    workshop: Any, stations: Stations, make_station: Make
) -> None:
    station = make_station()
    first, second = prepared(workshop, station, 2)
    path = journal_of(stations)
    copies: dict[int, bytes] = {}
    # Each is torn a little later, until none is.
    for apdu in range(2, 60, 3):
        outcome = station.visit(first, Fault(kind=FaultKind.TEAR_BEFORE, at=apdu))
        if outcome.result is VisitResult.DONE:
            break
        head = station.journal.head.sequence
        copies.setdefault(head, copy_of(station, path))
        station = make_station()
    assert outcome.result is VisitResult.DONE
    assert station.ledger.hand_in()
    station.journal.close()
    newest = path.read_bytes()
    assert len(copies) >= 3
    for copy in copies.values():
        put_back(path, copy)
        station = make_station()
        assert station.visit(second).code == "station.journal-back"
        station.journal.close()
    put_back(path, newest)
    assert make_station().visit(second).result is VisitResult.DONE


def test_a_copy_that_went_on_by_itself_is_noticed_by_its_chain(
    workshop: Any, stations: Stations, make_station: Make
) -> None:
    station = make_station()
    first, second, third = prepared(workshop, station, 3)
    path = journal_of(stations)
    for card in (first, second):
        station.visit(card, Fault(kind=FaultKind.TEAR_AFTER, at=6))
    kept = copy_of(station, path)
    station = make_station()
    assert station.visit(first).result is VisitResult.DONE
    assert station.ledger.hand_in()
    station.journal.close()
    put_back(path, kept)

    station = make_station()
    station.link.is_cut = True
    assert station.visit(second).result is VisitResult.DONE
    station.link.is_cut = False
    [known] = rows(workshop, StationRow)
    assert station.journal.head.sequence == known.sequence
    assert station.journal.head.chain != known.chain
    refused = station.visit(third)
    assert (refused.result, refused.code) == (VisitResult.REFUSED, "station.journal-back")


def test_a_station_that_stands_twice_works_once(
    workshop: Any, stations: Stations, make_station: Make
) -> None:
    station = make_station()
    first, second = prepared(workshop, station, 2)
    path = journal_of(stations)
    doubled = copy_of(station, path)
    station = make_station()
    assert station.visit(first).result is VisitResult.DONE
    assert station.ledger.hand_in()
    original = copy_of(station, path)
    put_back(path, doubled)
    double = make_station()
    assert double.visit(second).code == "station.journal-back"
    double.journal.close()
    put_back(path, original)
    assert make_station().visit(second).result is VisitResult.DONE


def test_a_receipt_that_a_power_cut_took_back_is_asked_for_again(
    workshop: Any, make_station: Make
) -> None:
    station = make_station()
    [card] = prepared(workshop, station)
    assert station.journal.handed_in == station.journal.head.sequence > 0
    station.journal.remember("handed-in", "0")
    assert station.ledger.greet(READY, None) is None
    station.journal.remember("handed-in", "0")
    assert station.visit(card).result is VisitResult.DONE


def test_a_head_that_is_made_up_is_refused_by_its_chain(make_station: Make, workshop: Any) -> None:
    station = make_station()
    [card] = prepared(workshop, station)
    known = station.journal.known
    for head in (
        JournalHead(sequence=known.sequence, chain=bytes(32)),
        JournalHead(sequence=known.sequence - 1, chain=known.chain),
        JournalHead(),
    ):
        for ask in (
            lambda head=head: station.link.claim(card.image.serial, batch=None, known=head),
            lambda head=head: station.link.greet(READY, batch=None, known=head),
        ):
            with pytest.raises(IssuerRefusedError) as refused:
                ask()
            assert refused.value.code == "station.journal-back"
    assert not any(claims(workshop).values())


def test_a_centre_that_was_restored_says_so_and_is_told_again(
    workshop: Any, stations: Stations, make_station: Make
) -> None:
    station = make_station()
    first, second = prepared(workshop, station, 2)
    assert station.visit(first, Fault(kind=FaultKind.TEAR_AFTER, at=3)).code == "transport.lost"
    assert station.ledger.hand_in()
    register = stations.directory / "issuer0.sqlite"
    backup = stations.directory / "backup.sqlite"
    copy_database(register, backup)
    assert station.visit(first).result is VisitResult.DONE
    assert station.ledger.hand_in()
    assert "issued" in {row.state for row in rows(workshop, CardRow)}
    copy_database(backup, register)
    through = rows(workshop, StationRow)[0].sequence
    refused = station.visit(second)
    assert (refused.result, refused.code) == (VisitResult.REFUSED, "station.centre-back")
    station.ledger.note("look", serial=None, code="station.noted")
    with pytest.raises(IssuerRefusedError) as told:
        station.ledger.hand_in()
    assert told.value.code == "station.centre-back"
    assert f"the centre has {through} of them" in str(told.value)
    with pytest.raises(IssuerRefusedError) as more:
        station.ledger.hand_in_again(after=through + 100)
    assert more.value.code == "station.not-handed-in"
    station.ledger.hand_in_again(after=through)
    assert station.ledger.hand_in()
    assert station.journal.rejections() == ()
    assert "issued" in {row.state for row in rows(workshop, CardRow)}
    assert station.visit(second).result is VisitResult.DONE
