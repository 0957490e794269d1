"""A station whose disk is really full, at every amount of room: nothing is sent that is not written, and it goes on with room."""

import random
from pathlib import Path
from typing import Any

import pytest

from card_layout.atr import LifeCycle
from issuer.db.production_tables import CardRow
from issuer.db.station_tables import StationDayRow
from issuer.domain.production_events import ProductionEventKind
from issuer.errors import IssuerUnavailableError
from issuer.services.visit_chip import StationTask, VisitResult
from simulators.card.operating_system import VirtualCard
from tests.integration.production.small_disk import (
    NoNameSpaceError,
    SmallDisk,
    on_a_small_disk,
)
from tests.integration.production.station_stage import Stations, prepared, rows

KIBIBYTES = 768
ROOMS = range(40)
"""Pages that are left: from none at all to more than a card and its day take."""

SAMPLE = (0, 2, 5, 9, 14, 39)
FULL = "station.journal-full"
EVENT_BEFORE = {
    LifeCycle.PERSONALISING: ProductionEventKind.PERSONALISATION_BEGUN,
    LifeCycle.PERSONALISED: ProductionEventKind.PERSONALISATION_BEGUN,
    LifeCycle.OPERATIONAL: ProductionEventKind.LOCK_INTENDED,
}
"""What must stand in the journal before a chip can be so."""


class FullStation:
    """One signed card, and everything put back to the start before each amount of room."""

    def __init__(self, workshop: Any, stations: Stations, disk: SmallDisk) -> None:
        self.workshop = workshop
        self.stations = stations
        self.disk = disk
        stations.directory = disk.directory
        station = stations.here()
        [card] = prepared(workshop, station)
        station.journal.close()
        self.image = card.image
        self.card: VirtualCard = card
        self._register = Path(workshop.database.url.database)
        workshop.database.close()
        self._files = {path: path.read_bytes() for path in (self._register, self._journal)}

    @property
    def _journal(self) -> Path:
        return self.disk.directory / "left.sqlite"

    def put_back(self) -> None:
        self.workshop.database.close()
        for path, content in self._files.items():
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            path.write_bytes(content)
        self.card = VirtualCard(self.image, random=random.Random(3).randbytes)

    def visit(self) -> str:
        """The code of what went wrong, or the result; the journal is opened and closed by each visit."""
        try:
            station = self.stations.here()
        except IssuerUnavailableError as error:
            return error.code
        try:
            outcome, _ = self.workshop.visit(self.card, StationTask.RUN, ledger=station.ledger)
        except IssuerUnavailableError as error:
            return error.code
        finally:
            station.journal.close()
        return str(outcome.code or outcome.result.value)

    def close_day(self) -> str:
        try:
            station = self.stations.here()
        except IssuerUnavailableError as error:
            return error.code
        try:
            station.close_day()
        except IssuerUnavailableError as error:
            return error.code
        finally:
            station.journal.close()
        return "closed"

    def told(self) -> list[ProductionEventKind]:
        """What the journal says, once there is room to read it."""
        station = self.stations.here()
        events = [event.kind for event in station.journal.events()]
        station.journal.close()
        return events

    def sealed(self) -> list[bytes]:
        station = self.stations.here()
        jobs = [station.journal.job_of(each) for each in station.journal.jobs_held()]
        station.journal.close()
        return [each for each in jobs if each is not None]


def live_through(station: FullStation, pages: int) -> list[str]:
    """One card and one day with so many pages left at first, then with room; how each attempt ended."""
    station.put_back()
    with station.disk.filled(pages_left=pages):
        first = station.visit()
    assert first in (FULL, VisitResult.DONE.value), first
    needed = EVENT_BEFORE.get(station.card.image.state)
    assert needed is None or needed in station.told(), (pages, needed)
    if first == FULL:
        assert station.visit() == VisitResult.DONE.value
    assert station.card.image.state is LifeCycle.OPERATIONAL
    jobs = station.sealed()
    assert jobs
    with station.disk.filled(pages_left=pages):
        closed = station.close_day()
    assert closed in (FULL, "closed"), closed
    if closed == FULL:
        assert station.close_day() == "closed"
    kept = b"".join(path.read_bytes() for path in station.disk.directory.iterdir())
    assert not [job for job in jobs if job[-40:] in kept]
    assert [row.state for row in rows(station.workshop, CardRow)] == ["issued"]
    assert [row.issued for row in rows(station.workshop, StationDayRow)] == [1]
    return [first, closed]


@pytest.mark.parametrize(
    "rooms",
    [pytest.param(SAMPLE, id="some"), pytest.param(ROOMS, id="all", marks=pytest.mark.slow)],
)
def test_a_station_on_a_full_disk_stops_and_goes_on_with_room(
    workshop: Any, stations: Stations, tmp_path: Path, rooms: Any
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    workshop.database.close()

    def work(disk: SmallDisk) -> list[list[str]]:
        station = FullStation(workshop, stations, disk)
        return [live_through(station, pages) for pages in rooms]

    try:
        ends = on_a_small_disk(small, kibibytes=KIBIBYTES, work=work)
    except NoNameSpaceError as error:
        pytest.skip(f"nobody may mount a disk here: {error}")
    assert len(ends) == len(rooms)
    # With no room nothing is begun; with enough everything is done at once; and both happened.
    assert ends[0] == [FULL, FULL]
    assert ends[-1] == [VisitResult.DONE.value, "closed"]
