"""What an operator sees from across the room: one field a reader, green or red, with big letters and the bell."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from issuer.services.station import StationEvent, StationEventKind
from issuer.services.visit_chip import VisitOutcome, VisitResult

__all__ = ["StationPanels", "big_letters", "panel_display"]

_FIELD_WIDTH: Final = 36
_FONT: Final = {
    "A": (" ██ ", "█  █", "████", "█  █", "█  █"),
    "B": ("███ ", "█  █", "███ ", "█  █", "███ "),
    "I": ("███", " █ ", " █ ", " █ ", "███"),
    "K": ("█  █", "█ █ ", "██  ", "█ █ ", "█  █"),
    "O": (" ██ ", "█  █", "█  █", "█  █", " ██ "),
    "P": ("███ ", "█  █", "███ ", "█   ", "█   "),
    "S": (" ███", "█   ", " ██ ", "   █", "███ "),
    "T": ("█████", "  █  ", "  █  ", "  █  ", "  █  "),
    "U": ("█  █", "█  █", "█  █", "█  █", " ██ "),
    "W": ("█   █", "█   █", "█ █ █", "██ ██", "█   █"),
    "Y": ("█   █", " █ █ ", "  █  ", "  █  ", "  █  "),
}
_WAIT: Final = ("WAIT", "default")
_BUSY: Final = ("BUSY", "black on yellow")
_GOOD: Final = ("OK", "black on green")
_BAD: Final = ("STOP", "white on red")
_BAD_EVENTS: Final = frozenset(
    {
        StationEventKind.MUTE_CHIP,
        StationEventKind.READER_LOST,
        StationEventKind.GAVE_UP,
        StationEventKind.WARNING,
    }
)
_BELLS_WHEN_BAD: Final = 3


def big_letters(word: str) -> str:
    """A word of the letters of OK, STOP, WAIT and BUSY, five lines high."""
    return "\n".join("  ".join(_FONT[letter][row] for letter in word) for row in range(5))


@dataclass(slots=True)
class _Field:
    word: str = _WAIT[0]
    style: str = _WAIT[1]
    serial: str = ""
    text: str = ""
    done: int = 0


@dataclass(slots=True, kw_only=True)
class StationPanels:
    """The state of the screen; ``bell`` sounds once for a good card, three times where a person must come."""

    readers: tuple[str, ...]
    bell: Callable[[], None]
    footer: Callable[[], str] = lambda: ""
    _fields: dict[str, _Field] = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._fields = {reader: _Field() for reader in self.readers}

    def show(self, event: StationEvent) -> None:
        """Take one event of a worker."""
        with self._lock:
            shown = self._fields[event.reader]
            if event.outcome is not None:
                self._show_outcome(shown, event.outcome)
            elif event.kind in _BAD_EVENTS:
                shown.word, shown.style = _BAD
                shown.text = event.text
                self._ring(_BELLS_WHEN_BAD)
            elif event.kind is StationEventKind.STAGE:
                shown.word, shown.style = _BUSY
                shown.serial, shown.text = "", event.text
            elif event.text:
                shown.text = event.text

    def render(self) -> RenderableType:
        """The screen now: how a card ended stays until the next one is begun."""
        with self._lock:
            panels = [
                Panel(
                    Text(
                        f"{big_letters(each.word)}\n\n{each.serial}\n{each.text}",
                        style=each.style,
                        justify="center",
                    ),
                    title=Text(f"{number}  {reader}  ({each.done})"),
                    style=each.style,
                    width=_FIELD_WIDTH,
                    height=11,
                )
                for number, (reader, each) in enumerate(self._fields.items(), start=1)
            ]
            done = sum(each.done for each in self._fields.values())
        return Group(Columns(panels), Text(f"{done} done   {self.footer()}"))

    def _show_outcome(self, shown: _Field, outcome: VisitOutcome) -> None:
        shown.serial = "" if outcome.serial is None else outcome.serial.hex().upper()
        if outcome.result is VisitResult.DONE:
            shown.word, shown.style = _GOOD
            shown.text = ""
            shown.done += 1
            self._ring(1)
            return
        shown.word, shown.style = _BAD
        shown.text = f"{outcome.result}: {outcome.message} [{outcome.code}]"
        self._ring(_BELLS_WHEN_BAD)

    def _ring(self, times: int) -> None:
        for _ in range(times):
            self.bell()


@contextlib.contextmanager
def panel_display(
    readers: tuple[str, ...], *, console: Console, footer: Callable[[], str]
) -> Iterator[Callable[[StationEvent], None]]:
    """The whole screen of a terminal while the block runs."""
    panels = StationPanels(readers=readers, bell=console.bell, footer=footer)
    with Live(get_renderable=panels.render, console=console, screen=True, refresh_per_second=8):
        yield panels.show
