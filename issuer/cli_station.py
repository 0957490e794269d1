"""Commands of stations: ``station initialise`` and ``station personalise``."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from card_layout.atr import LifeCycle
from issuer.bootstrap_station import open_readers
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    print_json,
    standard_output,
)
from issuer.cli_rights import OWN_STATION, needs
from issuer.cli_station_bundle import bundle_app
from issuer.cli_station_clock import clock_app
from issuer.cli_station_day import station_day_app
from issuer.cli_station_home import opened_station
from issuer.cli_station_screen import (
    DEFAULT_LISTEN,
    ScreenOption,
    StationWork,
    station_page_app,
)
from issuer.domain.batch import BatchId, parse_batch_id
from issuer.domain.rights import Right
from issuer.services.station_events import StationReport
from issuer.services.visit_chip import StationTask, VisitResult

__all__ = ["station_app"]

_BATCH = re.compile(r"[0-9a-f]{32}")
_REFUSED = 1
_NOT_DONE = 2

station_app = typer.Typer(
    help="Work with chips: initialise blank ones, make cards of them.", rich_markup_mode=None
)
station_app.add_typer(station_day_app)
station_app.add_typer(station_page_app)
station_app.add_typer(bundle_app, name="bundle")
station_app.add_typer(clock_app, name="clock")

ReaderOption = Annotated[
    list[str],
    typer.Option(
        "--reader",
        help="A reader: its PC/SC name or a part of it, or scheme:rest. Repeat it for more readers.",
    ),
]
CountOption = Annotated[
    int | None, typer.Option(min=1, help="End after so many chips are done, over all readers.")
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(min=0, help="Seconds for which a reader waits for its next chip; else for ever."),
]

KeysOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--keys",
        help="Sealed keys of chips, from membercard-pki master-key wrap; without it they are derived from the master "
        "keys of this home, which a station elsewhere has none of. Repeat it for more files.",
    ),
]
BatchOption = Annotated[
    str | None,
    typer.Option("--batch", help="Take sealed keys of this batch only: 32 hexadecimal digits."),
]


@station_app.command(
    "initialise",
    epilog="""\b
Examples:
  membercard-issuer --home office station initialise --reader "Virtual PCD 00 00" --count 18
  membercard-issuer --home office station initialise --reader sim:cards/0001.json --count 1 --format json
  membercard-issuer --home office station initialise --reader "Virtual PCD 00 00" --keys station-1.keys
""",
)
@needs(Right.PRODUCE_CARDS, at_site=OWN_STATION)
def initialise_command(
    context: typer.Context,
    *,
    reader: ReaderOption,
    count: CountOption = None,
    timeout: TimeoutOption = None,
    keys: KeysOption = None,
    batch: BatchOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make blank chips of the stock ready: our keys, their files, their own key pair.

    A chip that was pulled out is put in again, and goes on. Ctrl-C ends after the chips in hand.
    """
    _run(
        context,
        StationTask.INITIALISE,
        reader,
        count=count,
        timeout=timeout,
        sealed=_sealed(keys, batch),
        output_format=output_format,
    )


@station_app.command(
    "personalise",
    epilog="""\b
Examples:
  membercard-issuer --home office station personalise --reader "Virtual PCD 00 00" --reader "Virtual PCD 00 01" --count 18
  membercard-issuer --home office station personalise --reader sim:cards/0001.json --timeout 5 --format json
""",
)
@needs(Right.PRODUCE_CARDS, at_site=OWN_STATION)
def personalise_command(
    context: typer.Context,
    *,
    reader: ReaderOption,
    count: CountOption = None,
    timeout: TimeoutOption = None,
    keys: KeysOption = None,
    batch: BatchOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Make signed cards: write, read back as a terminal does, compare, lock, prove the lock.

    Any chip may be put in; its serial tells which card it becomes. A card that was pulled out
    is put in again, and goes on. Ctrl-C ends after the cards in hand.
    """
    _run(
        context,
        StationTask.PERSONALISE,
        reader,
        count=count,
        timeout=timeout,
        sealed=_sealed(keys, batch),
        output_format=output_format,
    )


@station_app.command(
    "run",
    epilog="""\b
Examples:
  membercard-issuer --home office station run --reader "Virtual PCD 00 00" --reader "Virtual PCD 00 01"
  membercard-issuer --home office station run --reader sim:cards/0001.json --count 1 --format json
  membercard-issuer --home office station run --reader "Virtual PCD 00 00" --keys station-1.keys
  membercard-issuer --home office station run --screen --open --reader "Virtual PCD 00 00"
""",
)
@needs(Right.PRODUCE_CARDS, at_site=OWN_STATION)
def run_command(
    context: typer.Context,
    *,
    reader: ReaderOption,
    count: CountOption = None,
    timeout: TimeoutOption = None,
    batch: Annotated[
        str | None, typer.Option(help="Make cards of this batch only: its identifier.")
    ] = None,
    keys: KeysOption = None,
    key_batch: Annotated[
        str | None,
        typer.Option(
            "--key-batch", help="Take sealed keys of this batch only: 32 hexadecimal digits."
        ),
    ] = None,
    has_screen: Annotated[
        bool,
        typer.Option("--screen", help="Serve the operator's screen to a browser of this computer."),
    ] = False,
    listen: Annotated[
        str,
        typer.Option(
            help="With --screen: the loopback address and port of the page; port 0 takes any free one."
        ),
    ] = DEFAULT_LISTEN,
    open_page: Annotated[
        bool, typer.Option("--open", help="With --screen: open it in this user's browser.")
    ] = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take whatever is put in as far as it can go: blank chips become initialised ones, signed cards finished ones.

    What the station has in hand and does is on its own disk first; the centre is told when it answers. A chip that was
    pulled out is put in again, and goes on. Ctrl-C ends after the chips in hand.

    With --screen the address of the page is told on standard error. It pairs one browser; `station page` tells the next.
    """
    _run(
        context,
        StationTask.RUN,
        reader,
        count=count,
        timeout=timeout,
        sealed=_sealed(keys, key_batch),
        output_format=output_format,
        screen=ScreenOption(listen=listen, is_opened=open_page) if has_screen else None,
        batch=None if batch is None else parse_batch_id(batch),
    )


def _run(
    context: typer.Context,
    task: StationTask,
    readers: list[str],
    *,
    count: int | None,
    timeout: float | None,
    sealed: tuple[Sequence[Path], bytes | None],
    output_format: OutputFormat,
    batch: BatchId | None = None,
    screen: ScreenOption | None = None,
) -> None:
    files, key_batch = sealed
    is_silent = output_format is OutputFormat.JSON
    with opened_station(context, batch=batch) as opened:
        opened.require_keys(files)
        work = StationWork(
            opened=opened,
            task=task,
            readers=open_readers(tuple(dict.fromkeys(readers))),
            count=count,
            patience=timeout,
            chip_keys=opened.sealed_keys(files, batch=key_batch) if files else None,
        )
        if screen is None:
            report = work.run(is_silent=is_silent)
        else:
            report = work.run_with_screen(screen, is_silent=is_silent)
        waiting = opened.waiting()
    _conclude(task, report, count=count, output_format=output_format, waiting=waiting)
    status = _exit_status(report, count)
    if status:
        raise typer.Exit(status)


def _sealed(files: Sequence[Path] | None, batch: str | None) -> tuple[Sequence[Path], bytes | None]:
    """The files of sealed keys, and the only batch that they may be of."""
    if batch is None:
        return files or (), None
    if not files:
        raise typer.BadParameter("needs --keys", param_hint="--batch")
    if not _BATCH.fullmatch(batch):
        raise typer.BadParameter("expected 32 hexadecimal digits", param_hint="--batch")
    return files, bytes.fromhex(batch)


def _conclude(
    task: StationTask,
    report: StationReport,
    *,
    count: int | None,
    output_format: OutputFormat,
    waiting: int = 0,
) -> None:
    results = Counter(outcome.result for outcome in report.outcomes)
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "task": task.value,
                "count": count,
                "done": report.done,
                "results": {result.value: results[result] for result in VisitResult},
                "visits": [
                    {
                        "serial": None if outcome.serial is None else outcome.serial.hex().upper(),
                        "result": outcome.result.value,
                        "code": outcome.code,
                        "message": outcome.message,
                    }
                    for outcome in report.outcomes
                ],
                "readers_given_up": list(report.readers_given_up),
                "events_waiting": waiting,
            }
        )
        return
    others = ", ".join(
        f"{results[result]} {result}"
        for result in VisitResult
        if result is not VisitResult.DONE and results[result]
    )
    expected = "" if count is None else f" of {count}"
    done = Counter(each.reached for each in report.outcomes if each.result is VisitResult.DONE)
    cards, blanks = done[LifeCycle.OPERATIONAL], done[LifeCycle.INITIALISED]
    standard_output().print(
        f"{report.done}{expected} chips done by station {task}: {cards} finished cards, {blanks} initialised."
        + (f" Also: {others}." if others else "")
        + (f" {waiting} events wait to be handed in." if waiting else "")
    )


def _exit_status(report: StationReport, count: int | None) -> int:
    """A chip that was pulled out and finished later is no failure; one that was rejected is."""
    if count is not None and report.done >= count:
        return 0
    if report.readers_given_up or any(
        outcome.result in (VisitResult.REFUSED, VisitResult.HELD, VisitResult.CONDEMNED)
        for outcome in report.outcomes
    ):
        return _REFUSED
    return _NOT_DONE if count is not None else 0
