"""Benchmarks of a whole station: its journal on disk, one worker a reader, chips that take their time."""

import contextlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from card_layout.errors import TransportError
from card_layout.transport.connection import CardConnection, CardReader
from issuer.cli import main as issuer
from simulators.image import Timing
from tests.benchmarks.card_process import WiredReader, chips_in_a_process
from tests.benchmarks.measure import Announce, Record, compare_pairs
from tests.benchmarks.over_pcsc import measure_eight_over_pcsc, measure_one_over_pcsc
from tests.benchmarks.personalising import StationBench
from tests.benchmarks.station_bench import ledger_of, station_over
from tests.integration.everybody import log_in_everybody

__all__ = ["measure_stations"]

_READERS = 8
_ROUNDS = 5
_MOST_MEMORY_MEGABYTES = 130.0
_MOST_MEGABYTES_A_READER = 2.0


class _FaultyReader:
    """A reader that fails whenever it is looked at, and takes its time for it."""

    name = "faulty"

    def is_card_present(self) -> bool:
        time.sleep(0.02)
        raise TransportError("the reader is out of order")

    def connect(self) -> CardConnection:
        raise TransportError("the reader is out of order")


def measure_stations(announce: Announce) -> Iterator[Record]:
    """card.personalise.wall, issuer.readers.eight (both also over PC/SC) and .faulty, issuer.station.memory."""
    benches = [StationBench(number) for number in range(_READERS)]
    yield from _measure_wall(benches[0], announce)
    announce(f"issuer.readers.eight: {_ROUNDS} rounds of {_READERS} chips at once")
    rounds = [_many(benches, []) for _ in range(_ROUNDS)]
    yield compare_pairs("issuer.readers.eight", rounds, goal=1.10)
    yield from measure_eight_over_pcsc(announce)
    announce(f"issuer.readers.faulty: {_ROUNDS} rounds with and without a faulty reader")
    pairs = [
        (_many(benches[:-1], [_FaultyReader()])[0], _many(benches[:-1], [])[0])
        for _ in range(_ROUNDS)
    ]
    yield compare_pairs("issuer.readers.faulty", pairs, goal=1.02)
    announce("issuer.station.memory: the program with one reader and with eight")
    yield from _measure_memory()


def _many(benches: Sequence[StationBench], others: Sequence[CardReader]) -> tuple[float, float]:
    """Mean seconds that a chip was in its reader, had it been punctual, and what the chips accounted for."""
    images = [replace(bench.image, timing=Timing.CHIP) for bench in benches]
    with chips_in_a_process(images) as readers, ledger_of(benches) as ledger:
        report = station_over(ledger, [*readers, *others], count=len(readers)).run()
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
    yield compare_pairs(name, [_many([bench], []) for _ in range(_ROUNDS)], goal=1.05)
    yield from measure_one_over_pcsc(bench, announce)


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
