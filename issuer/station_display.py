"""What a station shows: a line a reader and the totals on a terminal, plain lines elsewhere."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from issuer.services.station import StationEvent, StationEventKind
from issuer.services.visit_chip import VisitOutcome, VisitResult

__all__ = ["describe_outcome", "plain_display", "silent_display", "terminal_display"]

_EventSink = Callable[[StationEvent], None]


def describe_outcome(outcome: VisitOutcome) -> str:
    """One line about one chip."""
    serial = "unknown chip" if outcome.serial is None else outcome.serial.hex().upper()
    if outcome.code is None:
        return f"{serial} {outcome.result}"
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


@contextmanager
def terminal_display(
    readers: tuple[str, ...], *, count: int | None, console: Console
) -> Iterator[_EventSink]:
    """A live line a reader above a bar of the total; chips that were not done stay on the screen."""
    lock = threading.Lock()
    with Progress(
        TextColumn("{task.description}"),
        TextColumn("{task.fields[stage]}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        lines: dict[str, TaskID] = {
            reader: progress.add_task(escape(reader), total=None, stage="") for reader in readers
        }
        total = progress.add_task("all readers", total=count, stage="")

        def show(event: StationEvent) -> None:
            line = lines[event.reader]
            with lock:
                if event.kind is StationEventKind.WARNING:
                    progress.console.print(
                        f"{escape(event.reader)}: {escape(event.text)}", highlight=False
                    )
                    return
                if event.kind is StationEventKind.CHIP_GONE:
                    return
                if event.outcome is None:
                    progress.update(line, stage=escape(event.text or event.kind.value))
                    return
                if event.outcome.result is VisitResult.DONE:
                    progress.advance(line)
                    progress.advance(total)
                    return
                progress.console.print(
                    f"{escape(event.reader)}: {escape(describe_outcome(event.outcome))}",
                    highlight=False,
                )

        yield show
