"""Benchmarks of a whole station: its journal on disk, one worker a reader, chips that take their time."""

import contextlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from card_layout.errors import TransportError
from card_layout.transport.connection import CardConnection, CardReader
from card_layout.transport.readers import list_readers, open_reader
from issuer.cli import main as issuer
from issuer.db.local_job_seal import LocalJobSeal
from issuer.db.sealing import Sealer
from issuer.domain.batch import BatchId
from issuer.domain.card import Card, CardState
from issuer.domain.chip import Chip, ChipState, Serial
from issuer.domain.member import MemberId
from issuer.domain.production_events import JournalHead, ProductionEvent, StationName
from issuer.domain.requests import RequestId
from issuer.domain.rights import AccountName
from issuer.domain.status_allotment import StatusIndex
from issuer.personalisation.native import NativeDialect
from issuer.personalisation.quality_control import TerminalQualityControl
from issuer.services.production_ports import ChipRecord
from issuer.services.station import Station, StationTiming
from issuer.services.station_ports import ClaimedChip, DayRecord, HandInReceipt, StationPresence
from issuer.services.visit_chip import StationTask, Workbench
from issuer.stations.journal import StationJournal
from issuer.stations.journal_ledger import JournalStationLedger
from simulators.card.operating_system import VirtualCard
from simulators.errors import SimulatorError
from simulators.hopper import Hopper
from simulators.image import Timing
from simulators.vpcd import Serving, VirtualIcc
from tests.benchmarks.card_process import WiredReader, chips_in_a_process
from tests.benchmarks.measure import Announce, Record
from tests.benchmarks.personalising import PROFILE, BenchKeys, StationBench
from tests.integration.everybody import log_in_everybody

__all__ = ["measure_stations"]

_READERS = 8
_ROUNDS = 5
_PCSC_READER = "Virtual PCD 00 00"
_SLOT = 0
_SECONDS_TO_INSERT = 20.0
_MOST_MEMORY_MEGABYTES = 130.0
_MOST_MEGABYTES_A_READER = 2.0


class _GivingLink:
    """A centre that answers at once and gives each chip with its job."""

    answers_at_once = True
    events_at_once = 500

    def __init__(self, benches: Sequence[StationBench], seal: LocalJobSeal) -> None:
        self._chips = {bench.serial: _claimed(bench, seal) for bench in benches}

    def claim(self, serial: Serial, *, batch: BatchId | None) -> ClaimedChip | None:
        del batch
        return self._chips.get(serial)

    def greet(self, presence: StationPresence, *, batch: BatchId | None) -> int | None:
        del presence, batch
        return None

    def hand_in(self, events: Sequence[ProductionEvent], *, head: JournalHead) -> HandInReceipt:
        del events
        return HandInReceipt(through=head.sequence)

    def close_day(self, record: DayRecord) -> None:
        del record


def _claimed(bench: StationBench, seal: LocalJobSeal) -> ClaimedChip:
    card = Card(
        reference=bench.job.reference,
        member_id=MemberId(uuid.UUID(int=1)),
        request_id=RequestId(uuid.UUID(int=1)),
        serial=bench.serial,
        state=CardState.SIGNED,
        ordinal=1,
        status=StatusIndex(list_id=bytes(8), index=1),
        profile=PROFILE.name,
        bound_at=datetime.now(UTC),
    )
    chip = Chip(serial=bench.serial, state=ChipState.INITIALISED, public_key=bench.public_key)
    return ClaimedChip(
        record=ChipRecord(chip=chip, card=card), is_claimed=True, sealed_job=seal.seal(bench.job)
    )


class _FaultyReader:
    """A reader that fails whenever it is looked at, and takes its time for it."""

    name = "faulty"

    def is_card_present(self) -> bool:
        time.sleep(0.02)
        raise TransportError("the reader is out of order")

    def connect(self) -> CardConnection:
        raise TransportError("the reader is out of order")


def measure_stations(announce: Announce) -> Iterator[Record]:
    """card.personalise.wall, issuer.readers.eight, issuer.readers.faulty, issuer.station.memory."""
    benches = [StationBench(number) for number in range(_READERS)]
    yield from _measure_wall(benches[0], announce)
    announce(f"issuer.readers.eight: {_ROUNDS} rounds of {_READERS} chips at once")
    rounds = [_many(benches, []) for _ in range(_ROUNDS)]
    yield _ratio("issuer.readers.eight", rounds, goal=1.10)
    announce(f"issuer.readers.faulty: {_ROUNDS} rounds with and without a faulty reader")
    pairs = [
        (_many(benches[:-1], [_FaultyReader()])[0], _many(benches[:-1], [])[0])
        for _ in range(_ROUNDS)
    ]
    yield _ratio("issuer.readers.faulty", pairs, goal=1.02)
    announce("issuer.station.memory: the program with one reader and with eight")
    yield from _measure_memory()


def _ratio(name: str, pairs: Sequence[tuple[float, float]], *, goal: float) -> Record:
    return Record(
        name=name,
        value=statistics.median(first for first, _ in pairs),
        unit="s",
        baseline=statistics.median(second for _, second in pairs),
        ratio=statistics.median(first / second for first, second in pairs),
        better="lower",
        goal=goal,
    )


@contextlib.contextmanager
def _ledger_of(benches: Sequence[StationBench]) -> Iterator[JournalStationLedger]:
    """The ledger of a station with a journal on disk."""
    seal = LocalJobSeal(sealer=Sealer(encryption_key=bytes(32), digest_key=bytes(32)))
    with tempfile.TemporaryDirectory(prefix="membercard-bench-") as directory:
        journal = StationJournal.open(
            Path(directory) / "station.sqlite",
            station=StationName("bench"),
            account=AccountName("bench"),
            clock=lambda: datetime.now(UTC),
        )
        with contextlib.closing(journal):
            yield JournalStationLedger(journal, _GivingLink(benches, seal), seal)


def _station(ledger: JournalStationLedger, readers: Sequence[CardReader], *, count: int) -> Station:
    return Station(
        Workbench(
            task=StationTask.RUN,
            profile=PROFILE,
            ledger=ledger,
            chip_keys=BenchKeys(),
            dialect=NativeDialect(profile=PROFILE),
            quality_control=TerminalQualityControl(profile=PROFILE),
        ),
        readers,
        timing=StationTiming(patience=60.0),
        count=count,
        hand_in=ledger.hand_in,
    )


def _many(benches: Sequence[StationBench], others: Sequence[CardReader]) -> tuple[float, float]:
    """Mean seconds that a chip was in its reader, had it been punctual, and what the chips accounted for."""
    images = [replace(bench.image, timing=Timing.CHIP) for bench in benches]
    with chips_in_a_process(images) as readers, _ledger_of(benches) as ledger:
        report = _station(ledger, [*readers, *others], count=len(readers)).run()
        if report.done != len(readers):
            raise AssertionError(f"{report.done} of {len(readers)} cards were made: {report}")
        found = [_times(reader) for reader in readers]
    return statistics.mean(wall for wall, _ in found), statistics.mean(chip for _, chip in found)


def _times(reader: WiredReader) -> tuple[float, float]:
    accounted, late = reader.chip_times()
    return reader.done_at - reader.put_in_at - late, accounted


def _measure_wall(bench: StationBench, announce: Announce) -> Iterator[Record]:
    name = "card.personalise.wall"
    announce(f"{name}: {_ROUNDS} rounds of one chip on a wire")
    yield _ratio(name, [_many([bench], []) for _ in range(_ROUNDS)], goal=1.05)
    try:
        is_there = _PCSC_READER in list_readers()
    except TransportError as error:
        announce(f"{name}.pcsc: left out, {error}")
        return
    if not is_there:
        announce(f"{name}.pcsc: left out, PC/SC has no reader {_PCSC_READER}")
        return
    announce(f"{name}.pcsc: {_ROUNDS} rounds of one chip through pcscd and vpcd")
    try:
        yield _ratio(f"{name}.pcsc", [_through_pcscd(bench) for _ in range(_ROUNDS)], goal=1.05)
    except (TransportError, SimulatorError) as error:
        announce(f"{name}.pcsc: left out, {error}")


class _NotedReader:
    """A PC/SC reader that notes when it first told that a chip is there, and when it was let go."""

    def __init__(self, inner: CardReader) -> None:
        self.name = inner.name
        self._inner = inner
        self.put_in_at = 0.0
        self.done_at = 0.0

    def is_card_present(self) -> bool:
        is_present = not self.done_at and self._inner.is_card_present()
        if is_present and not self.put_in_at:
            self.put_in_at = time.perf_counter()
        return is_present

    def connect(self) -> CardConnection:
        connection = self._inner.connect()

        def close() -> None:
            self.done_at = time.perf_counter()
            connection.close()

        return _NotedConnection(connection, close)


class _NotedConnection:
    def __init__(self, inner: CardConnection, close: Callable[[], object]) -> None:
        self._inner = inner
        self._close = close

    @property
    def atr(self) -> bytes:
        return self._inner.atr

    def transmit(self, command: bytes) -> bytes:
        return self._inner.transmit(command)

    def reset(self) -> bytes:
        return self._inner.reset()

    def close(self) -> None:
        self._close()


class _TimedIcc(VirtualIcc):
    """A virtual chip behind the driver that waits until its answer is due, and notes by how much it was late."""

    accounted = 0.0
    late = 0.0
    begin = 0.0

    def _serve(self, connection: socket.socket, card: VirtualCard) -> Any:
        card._sleep = self._wait
        return super()._serve(connection, card)

    def _answer(self, *arguments: Any) -> bool:  # type: ignore[override]  # it notes the time on itself
        self.begin = time.perf_counter()
        return VirtualIcc._answer(*arguments)

    def _wait(self, seconds: float) -> None:
        end = self.begin + seconds
        time.sleep(max(0.0, end - time.perf_counter()))
        self.accounted += seconds
        self.late += time.perf_counter() - end


def _through_pcscd(bench: StationBench) -> tuple[float, float]:
    """Seconds that one chip was in a reader of PC/SC, had it been punctual, and what it accounted for."""
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="membercard-bench-") as directory:
        path = Path(directory) / "card.json"
        replace(bench.image, timing=Timing.CHIP).save(path)
        icc = _TimedIcc(slot=_SLOT, hopper=Hopper([path]), report=lambda _line: None, stop=stop)
        service = Serving([icc], stop=stop)
        thread = threading.Thread(target=lambda: service.run(until_empty=True))
        thread.start()
        try:
            with _ledger_of([bench]) as ledger:
                reader = _NotedReader(open_reader(_PCSC_READER))
                report = _station(ledger, [reader], count=1).run()
        finally:
            service.end()
            thread.join(_SECONDS_TO_INSERT)
    if report.done != 1:
        raise TransportError(f"PC/SC did not make the card: {report.outcomes}")
    return reader.done_at - reader.put_in_at - icc.late, icc.accounted


def _measure_memory() -> Iterator[Record]:
    with tempfile.TemporaryDirectory(prefix="membercard-bench-") as directory:
        home = Path(directory) / "home"
        pin = Path(directory) / "pin"
        if issuer(["--home", str(home), "database", "upgrade"]):
            raise AssertionError("the database was not made")
        log_in_everybody(home)
        words = ["keys", "create", "--keystore", "file", "--pin-file", str(pin)]
        if issuer(["--home", str(home), *words]):
            raise AssertionError("the keystore was not made")
        one, many = (_most_memory(home, readers) for readers in (1, _READERS))
    yield _against("issuer.station.memory", one, _MOST_MEMORY_MEGABYTES)
    yield _against(
        "issuer.station.memory.reader", (many - one) / (_READERS - 1), _MOST_MEGABYTES_A_READER
    )


def _against(name: str, value: float, promised: float) -> Record:
    return Record(
        name=name,
        value=value,
        unit="MB",
        baseline=promised,
        ratio=value / promised,
        better="lower",
        goal=1.0,
    )


def _most_memory(home: Path, readers: int) -> float:
    """The most memory of the program in MB while its readers wait for chips."""
    program = Path(sys.executable).with_name("membercard-issuer")
    words = [f"--reader=sim:{home / f'{number}.json'}" for number in range(readers)]
    process = subprocess.Popen(
        [str(program), "--home", str(home), "station", "run", *words, "--timeout", "2"],
        stdout=subprocess.PIPE,
        text=True,
    )
    found = 0
    while process.poll() is None:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text("ascii")
            match = re.search(r"VmHWM:\s+(\d+) kB", status)
            found = found if match is None else int(match[1])
        time.sleep(0.05)
    process.communicate()
    return found / 1024
