"""Benchmarks of a station whose chips lie behind pcscd and vpcd: one in the machine's reader, eight in readers of our own.

A process reads once where pcscd is, so that the station of the eight runs in one of its own:
``python -m tests.benchmarks.over_pcsc`` takes readers and ports as JSON and writes what it measured.
"""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from card_layout.errors import TransportError
from card_layout.transport.connection import CardConnection, CardReader
from card_layout.transport.readers import list_readers, open_reader
from simulators.card.operating_system import VirtualCard
from simulators.errors import SimulatorError
from simulators.hopper import Hopper
from simulators.image import CardImage, Timing
from simulators.vpcd import FIRST_PORT, Serving, VirtualIcc
from tests.benchmarks.measure import Announce, Record, compare_pairs
from tests.benchmarks.own_pcscd import NoPcscdError, own_pcscd
from tests.benchmarks.personalising import StationBench
from tests.benchmarks.station_bench import ledger_of, station_over

__all__ = ["measure_eight_over_pcsc", "measure_one_over_pcsc"]

_MODULE = "tests.benchmarks.over_pcsc"
_READERS = 8
_ROUNDS = 5
_PCSC_READER = "Virtual PCD 00 00"
_SECONDS_OF_ALL_ROUNDS = 300.0


def measure_one_over_pcsc(bench: StationBench, announce: Announce) -> Iterator[Record]:
    """card.personalise.wall.pcsc: one chip in the machine's first virtual reader."""
    name = "card.personalise.wall.pcsc"
    try:
        is_there = _PCSC_READER in list_readers()
    except TransportError as error:
        announce(f"{name}: left out, {error}")
        return
    if not is_there:
        announce(f"{name}: left out, PC/SC has no reader {_PCSC_READER}")
        return
    announce(f"{name}: {_ROUNDS} rounds of one chip through pcscd and vpcd")
    try:
        rounds = [_through_pcscd([bench], [_PCSC_READER], [FIRST_PORT]) for _ in range(_ROUNDS)]
    except (TransportError, SimulatorError) as error:
        announce(f"{name}: left out, {error}")
        return
    yield compare_pairs(name, rounds, goal=1.05)


def measure_eight_over_pcsc(announce: Announce) -> Iterator[Record]:
    """issuer.readers.eight.pcsc: eight chips at once in the readers of a pcscd of our own."""
    name = "issuer.readers.eight.pcsc"
    announce(f"{name}: {_ROUNDS} rounds of {_READERS} chips at once through a pcscd of our own")
    with tempfile.TemporaryDirectory(prefix="membercard-bench-") as directory:
        try:
            with own_pcscd(Path(directory), readers=_READERS) as pcscd:
                done = subprocess.run(
                    [sys.executable, "-m", _MODULE],
                    input=json.dumps(pcscd.readers),
                    env=pcscd.environment,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=_SECONDS_OF_ALL_ROUNDS,
                )
        except NoPcscdError as error:
            announce(f"{name}: left out, {error}")
            return
    if done.returncode:
        announce(f"{name}: left out, {done.stderr.strip().splitlines()[-1]}")
        return
    rounds = [(wall, chip) for wall, chip in json.loads(done.stdout)]
    yield compare_pairs(name, rounds, goal=1.10)


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


@contextmanager
def _chips_behind(
    images: Sequence[CardImage], ports: Sequence[int]
) -> Iterator[Callable[[], list[tuple[float, float]]]]:
    """The chips in a process of their own, whose computing takes nothing from the station.

    What is given back ends them, and tells what each accounted for and by how much it was late.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_the_chips(images, ports, writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as told:

            def times() -> list[tuple[float, float]]:
                os.kill(child, signal.SIGTERM)
                return [(accounted, late) for accounted, late in json.loads(told.read() or b"[]")]

            yield times
    finally:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)


def _be_the_chips(
    images: Sequence[CardImage], ports: Sequence[int], writing: int
) -> None:  # pragma: no cover - in the child
    status = 1
    try:
        with tempfile.TemporaryDirectory(prefix="membercard-bench-") as directory:
            stop = threading.Event()
            slots = []
            for number, (image, port) in enumerate(zip(images, ports, strict=True)):
                path = Path(directory) / f"{number}.json"
                image.save(path)
                slots.append(
                    _TimedIcc(
                        slot=number,
                        hopper=Hopper([path]),
                        report=lambda _line: None,
                        stop=stop,
                        port=port,
                    )
                )
            service = Serving(list(slots), stop=stop)
            signal.signal(signal.SIGTERM, lambda *_: stop.set())
            service.run(until_empty=False)
            os.write(writing, json.dumps([(each.accounted, each.late) for each in slots]).encode())
        status = 0
    finally:
        os._exit(status)


def _through_pcscd(
    benches: Sequence[StationBench], names: Sequence[str], ports: Sequence[int]
) -> tuple[float, float]:
    """Mean seconds that a chip was in its reader, had it been punctual, and what the chips accounted for."""
    images = [replace(bench.image, timing=Timing.CHIP) for bench in benches]
    with _chips_behind(images, ports) as times_of_chips, ledger_of(benches) as ledger:
        readers = [_NotedReader(open_reader(name)) for name in names]
        report = station_over(ledger, readers, count=len(readers)).run()
        if report.done != len(readers):
            raise TransportError(f"PC/SC made {report.done} cards: {report.outcomes}")
        times = times_of_chips()
    if len(times) != len(readers):
        raise TransportError("the chips did not tell their times")
    walls = [
        reader.done_at - reader.put_in_at - late
        for reader, (_, late) in zip(readers, times, strict=True)
    ]
    return statistics.mean(walls), statistics.mean(accounted for accounted, _ in times)


def _measure_in_this_process(ports: Mapping[str, int]) -> list[tuple[float, float]]:
    benches = [StationBench(number) for number in range(len(ports))]
    return [_through_pcscd(benches, list(ports), list(ports.values())) for _ in range(_ROUNDS)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure_in_this_process(json.load(sys.stdin))))
