"""Benchmarks of the terminal as offices run it: how much later than the chip its verdict comes, its start, its memory."""

import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from card_layout.transport.connection import CardConnection
from simulators.authority import TestAuthority
from simulators.image import CardImage, Timing
from simulators.issued_image import issue_image
from simulators.population.member import draw_member
from simulators.trust_directory import write_trust_directory
from tests.benchmarks.conversing import TimedReader
from tests.benchmarks.measure import Announce, Record
from verifier.bootstrap_terminal import OpenTerminal, open_terminal
from verifier.inspection.report import Verdict
from verifier.services.card_password import CardPassword
from verifier.services.terminal_state import Stage, TerminalState
from verifier.trust.terminal_home import TerminalHome

__all__ = ["measure_terminal"]

_CAN = "271828"
_ROUNDS = 11
_STARTS = 5
_LONGEST_OVERHEAD_SECONDS = 0.060
_LONGEST_START_SECONDS = 2.0
_MOST_MEMORY_MEGABYTES = 150.0


class _ArrivingCard:
    """A reader with a chip of the profile ``chip``; it notes when it first told that a card is there."""

    name = "arriving"

    def __init__(self, image: CardImage) -> None:
        self._image = image
        self._timed = TimedReader(image)
        self._is_in = False
        self.told_at = 0.0

    def put_in(self) -> None:
        """A card as it comes from the issuer."""
        self._timed = TimedReader(self._image)
        self.told_at = 0.0
        self._is_in = True

    def take_out(self) -> None:
        """The reader is empty."""
        self._is_in = False

    @property
    def chip_seconds(self) -> float:
        """What the profile accounts for, and by how much the simulation was later than that."""
        return self._timed.accounted_seconds + self._timed.late_seconds

    def is_card_present(self) -> bool:
        """What PC/SC would report."""
        is_in = self._is_in
        if is_in and self.told_at == 0.0:
            self.told_at = time.perf_counter()
        return is_in

    def connect(self) -> CardConnection:
        """Power the card."""
        return self._timed.connect()


def measure_terminal(announce: Announce) -> Iterator[Record]:
    """verifier.terminal.overhead, .start and .memory, each against what an office is promised."""
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    with tempfile.TemporaryDirectory(prefix="membercard-bench-") as name:
        folder = Path(name)
        authority = TestAuthority.create(now=now)
        write_trust_directory(folder / "trust", [authority], now=now)
        member = draw_member(Random(1), serial_number=1)
        image = issue_image(member, authority=authority, random=Random(1), can=_CAN)
        image.save(folder / "card.json")
        announce(f"verifier.terminal.overhead: {_ROUNDS} cards of the timing profile chip")
        overheads = _overheads(folder, replace(image, timing=Timing.CHIP))
        yield _against("overhead", statistics.median(overheads), _LONGEST_OVERHEAD_SECONDS, "s")
        announce(f"verifier.terminal.start: {_STARTS} starts of the program")
        starts = [_start(folder) for _ in range(_STARTS)]
    seconds = statistics.median(seconds for seconds, _ in starts)
    yield _against("start", seconds, _LONGEST_START_SECONDS, "s")
    yield _against("memory", max(memory for _, memory in starts), _MOST_MEMORY_MEGABYTES, "MB")


def _against(name: str, value: float, promised: float, unit: str) -> Record:
    return Record(
        name=f"verifier.terminal.{name}",
        value=value,
        unit=unit,
        baseline=promised,
        ratio=value / promised,
        better="lower",
        goal=1.0,
    )


def _overheads(folder: Path, image: CardImage) -> list[float]:
    """Seconds from the report of the card to the verdict, beyond what the chip took; after one warm-up."""
    reader = _ArrivingCard(image)
    with open_terminal(
        reader_name=reader.name,
        trust_directory=folder / "trust",
        home=TerminalHome(folder / "home"),
        profile_name="membercard-1-icao",
        find_reader=lambda _name: reader,
    ) as opened:
        watching = threading.Thread(target=opened.terminal.run)
        watching.start()
        try:
            found = [_overhead(opened, reader) for _ in range(_ROUNDS + 1)]
        finally:
            opened.terminal.stop()
            watching.join()
    return found[1:]


def _overhead(opened: OpenTerminal, reader: _ArrivingCard) -> float:
    _await(opened, lambda state: state.stage is Stage.INSERT_CARD, lambda: None)
    opened.terminal.give_password(CardPassword.from_can(_CAN))
    shown_at = _await(opened, lambda state: state.stage is Stage.RESULT, reader.put_in)
    outcome = opened.terminal.state.outcome
    if outcome is None or outcome.report.verdict is not Verdict.ACCEPTED:
        raise AssertionError("the card was not accepted")
    seconds = shown_at - reader.told_at - reader.chip_seconds
    reader.take_out()
    return seconds


def _await(
    opened: OpenTerminal, is_wanted: Callable[[TerminalState], bool], act: Callable[[], None]
) -> float:
    """When the terminal comes to a state."""
    times: list[float] = []
    came = threading.Event()

    def look(state: TerminalState) -> None:
        if is_wanted(state) and not times:
            times.append(time.perf_counter())
            came.set()

    end = opened.terminal.subscribe(look)
    act()
    came.wait()
    end()
    return times[0]


def _start(folder: Path) -> tuple[float, float]:
    """Seconds until the program says that it is ready, and its largest memory in MB by then; 0 where nobody tells."""
    program = Path(sys.executable).with_name("membercard-verifier")
    begin = time.perf_counter()
    process = subprocess.Popen(
        [str(program), "terminal", "run", "--reader", f"sim:{folder / 'card.json'}",
         "--trust", str(folder / "trust"), "--home", str(folder / "home"), "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise AssertionError("the terminal did not start")
        seconds = time.perf_counter() - begin
        kilobytes = 0
        with suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text("ascii")
            found = re.search(r"VmHWM:\s+(\d+) kB", status)
            kilobytes = 0 if found is None else int(found[1])
    finally:
        process.terminate()
        process.communicate()
    return seconds, kilobytes / 1024
