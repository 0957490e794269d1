"""Between a finished card and its printer the station may die: the job is handed over later, and once."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from issuer.errors import IssuerUnavailableError
from issuer.services.visit_chip import PRINTED, Visit, VisitResult
from issuer.stations.controls import StationControls
from issuer.stations.waiting_prints import WaitingPrints
from simulators.connection import SimulatedReader
from tests.integration.production.station_stage import (
    ANNA,
    RUN,
    Stations,
    StationUnderTest,
    prepared,
)


class KilledError(BaseException):
    pass


@dataclass
class Printer:
    """What it was given; ``fault`` happens instead of the next hand-overs."""

    jobs: dict[tuple[bytes, int], Any] = field(default_factory=dict)
    fault: BaseException | None = None

    def hand_over(self, job: Any, *, copy: int) -> None:
        if self.fault is not None:
            raise self.fault
        self.jobs[(job.serial, copy)] = job


def visit(station: StationUnderTest, card: Any, printer: Printer) -> Any:
    bench = replace(station.workshop.bench(RUN, station.ledger), prints=printer)
    connection = SimulatedReader(card, sleep=lambda _seconds: None).connect()
    try:
        return Visit(bench, connection).run()
    finally:
        connection.close()


def printed(station: StationUnderTest) -> list[Any]:
    return [event.serial for event in station.journal.events() if event.code == PRINTED]


def waiting(station: StationUnderTest, printer: Printer) -> WaitingPrints:
    return WaitingPrints(journal=station.journal, ledger=station.ledger, prints=printer)


@pytest.mark.parametrize("when", ["at the next start", "with the day"])
def test_a_job_that_a_kill_kept_from_the_printer_is_handed_over_later_and_once(
    workshop: Any, stations: Stations, when: str
) -> None:
    station, printer = stations.here(), Printer(fault=KilledError())
    card, other = prepared(workshop, station, 2)
    with pytest.raises(KilledError):
        visit(station, card, printer)
    printer.fault = None
    # The card tells nobody that it was not printed.
    assert visit(station, card, printer).code == "card.already-issued"
    assert visit(station, other, printer).result is VisitResult.DONE
    assert set(printer.jobs) == {(other.image.serial, 1)}
    if when == "at the next start":
        assert waiting(station, printer).hand_over() == 1
        assert waiting(station, printer).hand_over() == 0
    assert station.day(printer).close(account=ANNA).issued == 2
    assert set(printer.jobs) == {(other.image.serial, 1), (card.image.serial, 1)}
    assert sorted(printed(station)) == sorted([card.image.serial, other.image.serial])
    assert waiting(station, printer).hand_over() == 0


def test_a_day_does_not_destroy_what_the_printer_has_not(workshop: Any, stations: Stations) -> None:
    away = IssuerUnavailableError("the folder is away", code="print.unavailable")
    station, printer = stations.here(), Printer(fault=away)
    [card] = prepared(workshop, station)
    assert visit(station, card, printer).result is VisitResult.DONE
    with pytest.raises(IssuerUnavailableError) as caught:
        station.day(printer).close(account=ANNA)
    assert caught.value.code == "print.unavailable"
    assert len(station.journal.jobs_held()) == 1
    printer.fault = None
    station.day(printer).close(account=ANNA)
    assert set(printer.jobs) == {(card.image.serial, 1)}
    assert station.journal.jobs_held() == ()


def test_a_card_that_was_rejected_is_printed_no_more(workshop: Any, stations: Stations) -> None:
    away = IssuerUnavailableError("the folder is away", code="print.unavailable")
    station, printer = stations.here(), Printer(fault=away)
    [card] = prepared(workshop, station)
    assert visit(station, card, printer).result is VisitResult.DONE
    controls = StationControls(journal=station.journal, ledger=station.ledger, prints=printer)
    controls.reject(card.image.serial, reason="scratched")
    printer.fault = None
    assert waiting(station, printer).hand_over() == 0
    station.ledger.record_terminated(card.image.serial)
    assert station.day(printer).close(account=ANNA).condemned == 1
    assert printer.jobs == {}
