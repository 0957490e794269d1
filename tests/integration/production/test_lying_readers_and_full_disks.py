"""A reader that lies makes no card, and a full disk stops the station before the next command; both have a code."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from card_layout.atr import LifeCycle
from issuer.db.local_job_seal import LocalJobSeal
from issuer.db.production_tables import CardRow
from issuer.domain.production_events import ProductionEventKind, StationName
from issuer.errors import IssuerUnavailableError
from issuer.services.station import Station, StationTiming
from issuer.services.visit_chip import StationTask, Visit, VisitResult
from issuer.stations.journal import StationJournal
from issuer.stations.journal_ledger import JournalStationLedger
from simulators.connection import SimulatedReader
from tests.integration.production.station_stage import ANNA, NOW, Stations, prepared, rows


class LyingReader:
    """A reader that tells of its chip what it likes."""

    name = "lying"

    def __init__(self, card: Any) -> None:
        self._inner = SimulatedReader(card, sleep=lambda _seconds: None)
        self.said: list[bytes] = []

    def is_card_present(self) -> bool:
        return True

    def connect(self) -> Any:
        return LyingConnection(self, self._inner.connect())

    def atr(self, told: bytes) -> bytes:
        return told

    def answer(self, connection: Any, command: bytes) -> bytes:
        return bytes(connection.transmit(command))


class LyingConnection:
    def __init__(self, reader: LyingReader, inner: Any) -> None:
        self._reader = reader
        self._inner = inner

    @property
    def atr(self) -> bytes:
        return self._reader.atr(self._inner.atr)

    def transmit(self, command: bytes) -> bytes:
        answer = self._reader.answer(self._inner, command)
        self._reader.said.append(answer)
        return answer

    def reset(self) -> bytes:
        return self._reader.atr(self._inner.reset())

    def close(self) -> None:
        self._inner.close()


class SaysYes(LyingReader):
    """All is well, whatever is asked; the chip is never told."""

    def answer(self, connection: Any, command: bytes) -> bytes:
        del connection, command
        return b"\x90\x00"


class SaysNo(LyingReader):
    """As a locked card answers, from the first command on."""

    def answer(self, connection: Any, command: bytes) -> bytes:
        del connection, command
        return b"\x6d\x00"


class SaysFinished(LyingReader):
    """The answer to reset is that of a finished card."""

    finished = b""

    def atr(self, told: bytes) -> bytes:
        return self.finished or told


class SaysAgain(LyingReader):
    """Says what another chip has said to the same commands."""

    script: tuple[bytes, ...] = ()

    def answer(self, connection: Any, command: bytes) -> bytes:
        del connection, command
        number = len(self.said)
        return self.script[number] if number < len(self.script) else b"\x90\x00"


class DropsTheLock(LyingReader):
    """Passes everything on but the last write, and says that it was carried out."""

    last_writes = 0

    def answer(self, connection: Any, command: bytes) -> bytes:
        if command[1] == 0xF0:
            self.last_writes += 1
            if self.last_writes == 2:
                return b"\x90\x00"
        return super().answer(connection, command)


def visit(workshop: Any, station: Any, reader: LyingReader) -> Any:
    connection = reader.connect()
    try:
        return Visit(workshop.bench(StationTask.RUN, station.ledger), connection).run()
    finally:
        connection.close()


@pytest.mark.parametrize("kind", [SaysYes, SaysNo, SaysFinished, SaysAgain, DropsTheLock])
def test_a_lying_reader_makes_no_card_and_the_chip_goes_on_in_an_honest_one(
    workshop: Any, stations: Stations, kind: type[LyingReader]
) -> None:
    station = stations.here()
    first, second = prepared(workshop, station, 2)
    honest = LyingReader(first)
    assert visit(workshop, station, honest).result is VisitResult.DONE
    SaysAgain.script = tuple(honest.said)
    connection = SimulatedReader(first).connect()
    SaysFinished.finished = connection.atr
    connection.close()

    lied = visit(workshop, station, kind(second))
    assert lied.result is not VisitResult.DONE
    assert lied.code
    assert second.image.state is not LifeCycle.OPERATIONAL
    assert station.ledger.hand_in()
    # What a station held, a person looks at and releases at the centre.
    for record in workshop.stock.chips():
        if record.chip.held is not None:
            workshop.stock.release(record.chip.serial)
    last = station.visit(second)
    assert last.result is VisitResult.DONE, last
    assert station.ledger.hand_in()
    assert {row.state for row in rows(workshop, CardRow)} == {"issued"}


def test_a_reader_that_sees_a_chip_where_there_is_none_makes_nothing(
    workshop: Any, tmp_path: Path
) -> None:
    reader = SimulatedReader(tmp_path / "nothing.json")
    reader.is_card_present = lambda: True  # type: ignore[method-assign]  # this is the lie
    timing = StationTiming(poll=0.001, retry=0.01, patience=0.2)
    report = Station(workshop.bench(StationTask.RUN), [reader], timing=timing).run()
    assert (report.done, report.outcomes) == (0, ())


def test_a_full_disk_stops_the_station_before_the_next_command_and_it_goes_on_with_room(
    workshop: Any, stations: Stations, tmp_path: Path
) -> None:
    station = stations.here()
    [card] = prepared(workshop, station)
    assert station.claim(card.image.serial).is_claimed
    station.journal.close()
    opened: list[sqlite3.Connection] = []

    def small_disk(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        opened.append(connection)
        return connection

    journal = StationJournal.open(
        tmp_path / "left.sqlite",
        station=StationName("left"),
        account=ANNA,
        clock=lambda: NOW,
        connect=small_disk,
    )
    seal = LocalJobSeal(sealer=workshop.sealer())
    ledger = JournalStationLedger(journal, station.link, seal)
    [connection] = opened
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    for detail in ("x" * 400, None):
        with pytest.raises(IssuerUnavailableError) as full:
            fill(journal, detail)
        assert full.value.code == "station.journal-full"
    before = card.image
    with pytest.raises(IssuerUnavailableError) as stopped:
        workshop.visit(card, StationTask.RUN, ledger=ledger)
    assert stopped.value.code == "station.journal-full"
    assert card.image.state is before.state
    connection.execute("PRAGMA max_page_count = 1000000").fetchone()
    outcome, _ = workshop.visit(card, StationTask.RUN, ledger=ledger)
    assert outcome.result is VisitResult.DONE
    assert ledger.hand_in()
    assert rows(workshop, CardRow)[0].state == "issued"
    journal.close()


def fill(journal: StationJournal, detail: str | None) -> None:
    for _ in range(1000):
        journal.append(ProductionEventKind.NOTED, None, code="test.filling", detail=detail)
