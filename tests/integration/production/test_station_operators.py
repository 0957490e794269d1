"""What an operator does at a station: suspend, resume, reject, print again."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from issuer.cli_station_operator import OperatorDesk
from issuer.db.production_tables import CardRow, ChipRow
from issuer.domain.chip import Serial
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.services.station import Station, StationTiming
from issuer.services.visit_chip import PRINTED, StationTask, Visit, VisitResult, Workbench
from issuer.stations.controls import REJECTED, StationControls
from issuer.stations.job_codec import job_from_bytes
from issuer.stations.print_folder import FolderPrintQueue
from pki.signed.sealed_envelope import unsealed
from simulators.connection import SimulatedReader
from tests.integration.production.station_stage import (
    NOW,
    Stations,
    StationUnderTest,
    prepared,
    rows,
)


class Printer:
    """A folder before a printer, and the printer's key."""

    def __init__(self, stations: Stations, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._party = stations.office.party("printer", sealed_as="station")
        self.queue = FolderPrintQueue(directory=folder, certificate=self._party.certificate)

    def job(self, name: str, reference: Any) -> Any:
        plain = unsealed(
            (self.folder / name).read_bytes(),
            own_certificate=self._party.certificate,
            agree=self._party.agree,
        )
        return job_from_bytes(plain, reference=reference)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def printer(stations: Stations, tmp_path: Path) -> Printer:
    return Printer(stations, tmp_path / "print")


def make_card(workshop: Any, station: StationUnderTest, card: Any, printer: Printer) -> list[str]:
    warnings: list[str] = []
    bench = workshop.bench(StationTask.RUN, station.ledger)
    given = {name: getattr(bench, name) for name in Workbench.__dataclass_fields__}
    connection = SimulatedReader(card).connect()
    outcome = Visit(
        Workbench(**given | {"prints": printer.queue}), connection, warn=warnings.append
    ).run()
    connection.close()
    assert outcome.result is VisitResult.DONE
    return warnings


def test_a_finished_card_is_handed_to_the_printer_sealed_and_again_when_asked(
    workshop: Any, stations: Stations, printer: Printer
) -> None:
    station = stations.here()
    [card] = prepared(workshop, station)
    assert make_card(workshop, station, card, printer) == []
    serial = Serial(card.image.serial)
    name = serial.hex().upper()
    assert printer.names() == [f"{name}-1.print"]
    [row] = rows(workshop, CardRow)
    job = printer.job(f"{name}-1.print", row.reference)
    assert job.secrets.can == card.image.secrets.can
    assert job.secrets.can.encode() not in (printer.folder / f"{name}-1.print").read_bytes()
    controls = StationControls(journal=station.journal, ledger=station.ledger, prints=printer.queue)
    assert [controls.print_again(serial), controls.print_again(serial)] == [2, 3]
    assert printer.names() == [f"{name}-{copy}.print" for copy in (1, 2, 3)]
    assert [event.code for event in station.journal.events()].count(PRINTED) == 3
    station.close_day()
    with pytest.raises(IssuerRefusedError) as refused:
        controls.print_again(serial)
    assert refused.value.code == "print.nothing"


def test_a_printer_that_is_away_makes_no_card_bad(
    workshop: Any, stations: Stations, printer: Printer
) -> None:
    station = stations.here()
    [card] = prepared(workshop, station)
    printer.folder.rmdir()
    [warning] = make_card(workshop, station, card, printer)
    assert "cannot be handed over" in warning
    controls = StationControls(journal=station.journal, ledger=station.ledger, prints=printer.queue)
    with pytest.raises(IssuerUnavailableError) as away:
        controls.print_again(Serial(card.image.serial))
    assert away.value.code == "print.unavailable"
    printer.folder.mkdir()
    assert controls.print_again(Serial(card.image.serial)) == 1


def test_keys_of_the_operator_do_what_they_say(
    workshop: Any, stations: Stations, printer: Printer
) -> None:
    station = stations.here()
    [card] = prepared(workshop, station)
    controls = StationControls(journal=station.journal, ledger=station.ledger, prints=printer.queue)
    desk = OperatorDesk(controls=controls, names=("sim:",), waiting=lambda: 3)
    running = Station(
        workshop.bench(StationTask.RUN, station.ledger),
        [SimulatedReader(card, sleep=lambda _seconds: None)],
        timing=StationTiming(poll=0.001, retry=0.01, patience=0.3),
        count=1,
        hand_in=station.ledger.hand_in,
    )
    desk.press(" ")
    desk.station = running
    assert "3 events wait" in desk.footer()
    for keys, said in (("x1y", "no card was made"), (" ", "begins no chip"), (" ", "goes on")):
        for key in keys:
            desk.press(key)
        assert said in desk.footer()
    assert running.run().done == 1
    for key in "p1":
        desk.press(key)
    assert "copy 1 is printed" in desk.footer()
    for key in "x1y":
        desk.press(key)
    assert "is rejected" in desk.footer()
    for key in "x1y":
        desk.press(key)
    assert "[production.wrong-state]" in desk.footer()
    assert station.ledger.hand_in()
    [row] = rows(workshop, CardRow)
    assert (row.state, row.condemned_for) == ("condemned", REJECTED)


def test_a_suspended_station_begins_no_chip_and_waits_without_end(
    workshop: Any, stations: Stations
) -> None:
    station = stations.here()
    workshop.receive(1, site="left")
    running = Station(
        workshop.bench(StationTask.RUN, station.ledger),
        [SimulatedReader(workshop.blank(1), sleep=lambda _seconds: None)],
        timing=StationTiming(poll=0.001, retry=0.01, patience=0.05),
        count=1,
        sleep=lambda _seconds: looks.append(None) or (len(looks) == 200 and running.resume()),
    )
    looks: list[None] = []
    running.suspend()
    assert running.is_suspended
    assert running.run().done == 1
    assert len(looks) >= 200


def test_a_card_that_quality_control_has_passed_is_not_rejected_at_its_station(
    workshop: Any, stations: Stations
) -> None:
    station = stations.here()
    [card] = prepared(workshop, station)
    assert station.visit(card).result is VisitResult.DONE
    assert station.ledger.hand_in()
    with workshop.database.writing() as session:
        session.execute(sa.update(CardRow).values(passed_by="controller", passed_at=NOW))
    controls = StationControls(journal=station.journal, ledger=station.ledger)
    with pytest.raises(IssuerRefusedError) as caught:
        controls.reject(Serial(card.image.serial), reason="misprinted")
    assert caught.value.code == "card.passed"
    assert "cards report" in (caught.value.hint or "")
    # The card counts as before; its chip waits for somebody to look, so nobody gets it meanwhile.
    [row] = rows(workshop, CardRow)
    assert (row.state, row.condemned_for) == ("issued", None)
    assert [each.held for each in rows(workshop, ChipRow)] == ["card.passed"]
    # Where nobody can be asked, the centre says so when it hears of it.
    assert [each.code for each in station.journal.rejections()] == ["card.passed"]
