"""Timing profiles: what the figures account for, and that the card takes just that long (docs/performance.md)."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simulators.card.operating_system import VirtualCard
from simulators.card.timing import PROFILES, figures_of
from simulators.image import CardImage, Timing, TimingFigures

FIGURES = TimingFigures(
    bits_per_second=8_000,
    command_milliseconds=100,
    written_byte_microseconds=0,
    multiplication_milliseconds=10_000,
    key_pair_milliseconds=0,
    rsa_milliseconds=0,
)
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "performance.md"


def test_a_command_takes_its_own_time_and_that_of_every_byte(operational: CardImage) -> None:
    slept: list[float] = []
    card = VirtualCard(replace(operational, timing=FIGURES), sleep=slept.append)
    card.power_on()
    command = bytes.fromhex("00B0810000")
    answer = card.process(command)
    assert slept == [pytest.approx(0.1 + (len(command) + len(answer)) / 1_000)]


def test_points_take_the_time_of_a_multiplication(
    operational: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    slept: list[float] = []
    card = VirtualCard(replace(operational, timing=FIGURES), sleep=slept.append)
    open_terminal(card).pace(b"123456")
    assert [seconds > 10 for seconds in slept if seconds] == [False, False, True, True, False]


def test_every_signature_that_is_looked_at_takes_two_multiplications(
    guarded: CardImage, hierarchy: Any, meet: Callable[..., Any]
) -> None:
    slept: list[float] = []
    card = VirtualCard(replace(guarded, timing=FIGURES), sleep=slept.append)
    terminal = meet(card)

    def costs(action: Callable[[], object]) -> list[int]:
        slept.clear()
        action()
        return [round(seconds // 10) for seconds in slept]

    gate = hierarchy.terminal
    terminal.is_extended = True
    assert costs(lambda: terminal.present(gate.certificate)) == [0]
    assert costs(lambda: terminal.present_chain(hierarchy.domestic, gate)) == [0, 2, 0, 2]
    assert costs(lambda: terminal.prove_terminal(gate, flaw=1)) == [0, 0, 2]
    terminal.is_extended = False
    assert costs(lambda: terminal.present_chain(hierarchy.domestic, gate)) == [0, 0, 2, 0, 0, 2]
    assert costs(lambda: terminal.prove_terminal(gate)) == [0, 0, 2]
    assert costs(lambda: terminal.present(gate.certificate)) == [0, 0]


def test_without_timing_nothing_waits(
    operational: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    slept: list[float] = []
    open_terminal(VirtualCard(operational, sleep=slept.append)).pace(b"123456")
    assert slept == []
    assert figures_of(operational) is None


def test_every_profile_stands_in_the_document_with_its_figures() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = {
        cells[1].strip(" `"): [cell.split("(")[0].strip().replace(",", "") for cell in cells[2:-1]]
        for cells in (line.split("|") for line in text.splitlines() if line.startswith("| `"))
    }
    assert set(PROFILES) == set(Timing) - {Timing.OFF}
    for name in TimingFigures.__dataclass_fields__:
        assert rows[name] == [f"{getattr(figures, name):g}" for figures in PROFILES.values()]
