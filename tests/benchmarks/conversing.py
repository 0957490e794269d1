"""Benchmarks of the conversation itself: PACE alone, and a whole inspection of a chip that takes its time."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.files.card_access import CardAccess
from card_layout.iso7816.channel import CardChannel
from card_layout.protocols.file_reading import learn_extended_lengths, read_card_access
from card_layout.protocols.pace import PacePassword, perform_pace
from card_layout.transport.connection import CardConnection
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.image import CardImage, Timing
from tests.benchmarks.calls import CallRecorder, bare_seconds, necessary_calls
from tests.benchmarks.inspecting import CAN, CardStream
from tests.benchmarks.measure import Announce, Record, compare, wall_seconds
from tests.benchmarks.wire import WatchedReader

__all__ = ["TimedReader", "measure_conversing"]


_CARDS = 16
_NECESSARY = {"drawn": 1, "derived": 1, "products": 3}
"""The mapping's key and the nonce; the mapping, the own key of the agreement, and the agreement."""

_ROUNDS_OF_WALL_TIME = 5


def measure_conversing(announce: Announce) -> Iterator[Record]:
    """protocol.pace.cpu (and .necessary), card.inspect.wall with two timing profiles."""
    stream = CardStream(cards=_CARDS)
    yield from _measure_pace(stream, announce)
    yield from _measure_wall_time(stream, announce)


def _measure_pace(stream: CardStream, announce: Announce) -> Iterator[Record]:
    recorder = CallRecorder()
    _pace_seconds(stream.images[0], lambda work: _recorded(recorder, work), recorder)
    announce(f"one PACE: {recorder}")
    images = itertools.cycle(stream.images)
    for name, calls in (
        ("protocol.pace.cpu", recorder.counts),
        ("protocol.pace.cpu.necessary", necessary_calls(recorder.counts, **_NECESSARY)),
    ):
        announce(f"{name}: 31 rounds of 8 cards")
        yield compare(
            name,
            value=lambda: sum(_pace_seconds(next(images)) for _ in range(8)) / 8,
            baseline=bare_seconds(calls, curve=ec.SECP256R1(), exchanges=[], hashed=[]),
            unit="s",
            goal=None,
            rounds=31,
        )


def _recorded(recorder: CallRecorder, work: Callable[[], object]) -> None:
    with recorder.recording():
        work()


def _pace_seconds(
    image: CardImage,
    run: Callable[[Callable[[], object]], object] = lambda work: work(),
    recorder: CallRecorder | None = None,
) -> float:
    """CPU time of the terminal for PACE with the card access number, without what the virtual card took."""
    reader = WatchedReader(image) if recorder is None else WatchedReader(image, recorder.paused)
    connection = reader.connect()
    try:
        channel = CardChannel(connection)
        content = read_card_access(channel)
        if content is None:
            raise AssertionError("the card has no EF.CardAccess")
        learn_extended_lengths(channel)
        (pace_info,) = CardAccess.from_bytes(content).security_infos.pace_infos
        card_seconds = reader.card_seconds
        begin = time.thread_time()
        run(lambda: perform_pace(channel, pace_info=pace_info, password=PacePassword.can(CAN)))
        return time.thread_time() - begin - (reader.card_seconds - card_seconds)
    finally:
        connection.close()


class TimedReader:
    """A virtual card that waits as long as its timing profile says, its own simulation included.

    ``accounted_seconds`` is what the profile accounts for, ``late_seconds`` by how much the simulation was later than
    that: it computes slowly, and a sleep ends late on a machine that has other work.
    """

    def __init__(self, image: CardImage) -> None:
        self.name = "timed"
        self.accounted_seconds = 0.0
        self.late_seconds = 0.0
        self._inner = SimulatedReader(VirtualCard(image, sleep=self._wait))
        self._begin = 0.0

    def is_card_present(self) -> bool:
        """It always is."""
        return True

    def connect(self) -> CardConnection:
        """Power the card."""
        return _TimedConnection(self, self._inner.connect())

    def begin_command(self) -> None:
        """The card's time begins."""
        self._begin = time.perf_counter()

    def _wait(self, seconds: float) -> None:
        end = self._begin + seconds
        time.sleep(max(0.0, end - time.perf_counter()))
        self.accounted_seconds += seconds
        self.late_seconds += time.perf_counter() - end


class _TimedConnection:
    def __init__(self, reader: TimedReader, inner: CardConnection) -> None:
        self._reader = reader
        self._inner = inner

    @property
    def atr(self) -> bytes:
        return self._inner.atr

    def transmit(self, command: bytes) -> bytes:
        self._reader.begin_command()
        return self._inner.transmit(command)

    def reset(self) -> bytes:
        return self._inner.reset()

    def close(self) -> None:
        self._inner.close()


class _TimedInspections:
    """Inspections on the clock, one card after another; what the profile accounts for is that of the last one."""

    def __init__(self, stream: CardStream, timing: Timing) -> None:
        self._stream = stream
        self._images = itertools.cycle(replace(image, timing=timing) for image in stream.images)
        self._accounted_seconds = 0.0

    def seconds(self) -> float:
        """Wall time of the next one, from connecting to the report, had the card been as punctual as its profile."""
        reader = TimedReader(next(self._images))
        seconds = wall_seconds(lambda: self._stream.judge(self._stream.read_from(reader)))
        self._accounted_seconds = reader.accounted_seconds
        return seconds - reader.late_seconds

    def accounted(self) -> float:
        """What the chip took of it."""
        return self._accounted_seconds


def _measure_wall_time(stream: CardStream, announce: Announce) -> Iterator[Record]:
    for timing in (Timing.CHIP, Timing.CONTACTLESS_FAST):
        name = "card.inspect.wall" + ("" if timing is Timing.CHIP else f".{timing}")
        announce(f"{name}: {_ROUNDS_OF_WALL_TIME} rounds of one card")
        inspections = _TimedInspections(stream, timing)
        yield compare(
            name,
            value=inspections.seconds,
            baseline=inspections.accounted,
            unit="s",
            goal=1.05,
            rounds=_ROUNDS_OF_WALL_TIME,
        )
