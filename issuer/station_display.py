"""What a station shows where nobody looks at a screen: plain lines, or nothing."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final, TextIO

from card_layout.atr import LifeCycle
from issuer.services.station import StationEvent, StationEventKind
from issuer.services.visit_chip import VisitOutcome, VisitResult

__all__ = ["describe_outcome", "plain_display", "silent_display"]

_BECAME: Final[Mapping[LifeCycle | None, str]] = MappingProxyType(
    {LifeCycle.OPERATIONAL: "a finished card", LifeCycle.INITIALISED: "initialised"}
)
_EventSink = Callable[[StationEvent], None]


def describe_outcome(outcome: VisitOutcome) -> str:
    """One line about one chip."""
    serial = "unknown chip" if outcome.serial is None else outcome.serial.hex().upper()
    if outcome.code is None:
        became = _BECAME.get(outcome.reached) if outcome.result is VisitResult.DONE else None
        return f"{serial} {outcome.result}" + (f": {became}" if became else "")
    return f"{serial} {outcome.result}: {outcome.message} [{outcome.code}]"


@contextmanager
def silent_display() -> Iterator[_EventSink]:
    """Shows nothing; for programs, which get the summary at the end."""
    yield lambda _event: None


@contextmanager
def plain_display(stream: TextIO | None = None) -> Iterator[_EventSink]:
    """A line for every chip, and for whatever a person must see to."""
    out = stream if stream is not None else sys.stdout

    def show(event: StationEvent) -> None:
        if event.outcome is not None:
            out.write(f"{event.reader}: {describe_outcome(event.outcome)}\n")
        elif event.kind not in (
            StationEventKind.WAITING,
            StationEventKind.STAGE,
            StationEventKind.CHIP_GONE,
            StationEventKind.GOES_ON,
            StationEventKind.STOPPED,
        ):
            out.write(f"{event.reader}: {event.text}\n")
        out.flush()

    yield show
