"""What an operator presses, and what they see."""

import io
import os
import pty
import threading
import time

import pytest
from rich.console import Console

from issuer.domain.chip import Serial
from issuer.services.station import StationEvent, StationEventKind
from issuer.services.visit_chip import VisitOutcome, VisitResult
from issuer.stations.keyboard import listening_to_keys
from issuer.stations.keys import KeyLine, Wish, WishKind
from issuer.stations.panel_display import StationPanels, big_letters, panel_display

SERIAL = Serial(bytes(range(10)))
LEFT, RIGHT = Serial(bytes(10)), Serial(bytes(9) + b"\x01")


@pytest.mark.parametrize(
    ("pressed", "wishes"),
    [
        (" ", [Wish(kind=WishKind.SUSPEND_OR_RESUME)]),
        ("q", [Wish(kind=WishKind.STOP)]),
        ("x2y", [Wish(kind=WishKind.REJECT, serial=RIGHT)]),
        ("x2n", []),
        ("x2 ", []),
        ("x9y", []),
        ("p1", [Wish(kind=WishKind.PRINT_AGAIN, serial=LEFT)]),
        ("p3", []),
        ("xq", []),
        ("zzq", [Wish(kind=WishKind.STOP)]),
        ("xx1y", []),
    ],
)
def test_keys_become_wishes_once_they_are_complete(pressed: str, wishes: list[Wish]) -> None:
    line = KeyLine(2, [LEFT, RIGHT].__getitem__)
    found = [wish for key in pressed if (wish := line.press(key)) is not None]
    assert found == wishes


def test_the_prompt_says_what_may_come_next() -> None:
    line = KeyLine(2, [LEFT, RIGHT].__getitem__)
    assert "space" in line.prompt
    line.press("x")
    assert "which reader, 1 to 2" in line.prompt
    line.press("1")
    assert line.prompt == f"reject {LEFT.hex().upper()}: y to confirm"


@pytest.mark.parametrize("key", ["x", "p"])
def test_a_reader_on_which_no_card_was_made_has_none_to_act_on(key: str) -> None:
    line = KeyLine(2, [None, RIGHT].__getitem__)
    assert line.press(key) is None
    wish = line.press("1")
    assert wish is not None
    assert wish.serial is None
    assert line.press("y") is None


def test_the_card_that_the_prompt_names_is_the_one_that_is_rejected() -> None:
    last = [LEFT]
    line = KeyLine(1, last.__getitem__)
    line.press("x")
    line.press("1")
    # The reader finishes another card before the operator confirms.
    last[0] = RIGHT
    assert line.press("y") == Wish(kind=WishKind.REJECT, serial=LEFT)


def screen(panels: StationPanels) -> str:
    console = Console(file=io.StringIO(), width=120, color_system="standard", force_terminal=True)
    console.print(panels.render())
    return console.file.getvalue()  # type: ignore[attr-defined]  # it is the buffer above


def test_a_good_card_is_green_and_rings_once_a_bad_one_red_and_rings_three_times() -> None:
    bells: list[None] = []
    panels = StationPanels(readers=("left", "right"), bell=lambda: bells.append(None))
    done = VisitOutcome(result=VisitResult.DONE, serial=SERIAL)
    panels.show(StationEvent(reader="left", kind=StationEventKind.VISIT_ENDED, outcome=done))
    shown = screen(panels)
    assert len(bells) == 1
    assert SERIAL.hex().upper() in shown
    assert "\x1b[30;42m" in shown
    assert "1 done" in shown
    bad = VisitOutcome(
        result=VisitResult.HELD, serial=SERIAL, code="chip.held", message="look at it"
    )
    panels.show(StationEvent(reader="right", kind=StationEventKind.VISIT_ENDED, outcome=bad))
    shown = screen(panels)
    assert len(bells) == 4
    assert "\x1b[37;41m" in shown
    assert "chip.held" in shown
    panels.show(StationEvent(reader="right", kind=StationEventKind.STAGE, text="personalise"))
    assert "\x1b[37;41m" not in screen(panels)


def test_a_lost_reader_is_red() -> None:
    panels = StationPanels(readers=("left",), bell=lambda: None)
    panels.show(
        StationEvent(reader="left", kind=StationEventKind.READER_LOST, text="the cable is out")
    )
    shown = screen(panels)
    assert "the cable is out" in shown
    assert "\x1b[37;41m" in shown


@pytest.mark.parametrize("word", ["OK", "STOP", "WAIT", "BUSY"])
def test_letters_are_five_lines_high_and_even(word: str) -> None:
    lines = big_letters(word).split("\n")
    assert len(lines) == 5
    assert len({len(line) for line in lines}) == 1


def test_the_whole_screen_is_used_and_given_back() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with panel_display(("left",), console=console, footer=lambda: "keys") as show:
        show(StationEvent(reader="left", kind=StationEventKind.WAITING))
    text = console.file.getvalue()  # type: ignore[attr-defined]  # it is the buffer above
    assert "\x1b[?1049h" in text
    assert text.index("\x1b[?1049h") < text.index("\x1b[?1049l")


def test_keys_are_heard_one_by_one_and_the_terminal_is_given_back() -> None:
    master, slave = pty.openpty()
    heard: list[str] = []
    has_two = threading.Event()

    def on_key(key: str) -> None:
        heard.append(key)
        if len(heard) == 2:
            has_two.set()

    try:
        with listening_to_keys(on_key, stream=slave):
            # No Enter behind them.
            os.write(master, b"x1")
            assert has_two.wait(timeout=30)
        os.write(master, b"y")
        time.sleep(0.05)
        assert heard == ["x", "1"]
    finally:
        os.close(master)
        os.close(slave)


def test_without_a_terminal_nobody_presses_keys() -> None:
    read, write = os.pipe()
    try:
        with listening_to_keys(lambda _key: pytest.fail("a key"), stream=read):
            os.write(write, b"q")
    finally:
        os.close(read)
        os.close(write)
