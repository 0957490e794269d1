"""``station clock``: what the clocks of a station say, and the way on after its clock ran ahead."""

from datetime import datetime
from typing import Annotated

import typer

from issuer.cli_context import FormatOption, OutputFormat, print_json, print_table, standard_output
from issuer.cli_rights import OWN_STATION, needs
from issuer.cli_station_home import opened_station
from issuer.domain.chip_plan import TRUST_POINTS_FILE
from issuer.domain.rights import Right
from issuer.stations.clock_correction import ClockCorrection, parse_watch

__all__ = ["clock_app"]

clock_app = typer.Typer(
    help="The clock of this station beside its journal, and the way on after it ran ahead.",
    rich_markup_mode=None,
)


@clock_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-issuer --home office station clock show
  membercard-issuer --home office station clock show --format json
""",
)
@needs(Right.PRODUCE_CARDS, at_site=OWN_STATION)
def show_command(
    context: typer.Context, *, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """Say what time this computer tells, when the journal was last written, and whether the station waits for that."""
    with opened_station(context) as opened:
        found = ClockCorrection(journal=opened.journal).look()
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "now": found.now.isoformat(timespec="seconds"),
                "last_event": _text(found.latest),
                "newest_order": _text(found.order_written_at),
                "is_behind": found.is_behind,
            }
        )
        return
    print_table(
        ("Clock", "Time"),
        (
            ("this computer", found.now.astimezone().isoformat(timespec="seconds")),
            ("last event of the journal", _local(found.latest)),
            ("newest order of the centre", _local(found.order_written_at)),
        ),
    )
    if found.is_behind:
        standard_output().print(
            "The clock runs behind the journal, so no chip is begun. Set it; where it is right and had run ahead, "
            "correct it: membercard-issuer station clock correct."
        )


@clock_app.command(
    "correct",
    epilog="""\b
Examples:
  membercard-issuer --home office station clock correct --watch "2026-11-22 21:05" --reason "the battery was empty"
""",
)
@needs(Right.PRODUCE_CARDS, at_site=OWN_STATION)
def correct_command(
    context: typer.Context,
    *,
    watch: Annotated[
        str,
        typer.Option(
            metavar="'YYYY-MM-DD HH:MM'",
            help="Day and time as your own watch shows them, not this computer.",
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why the clock had run ahead; the centre reads it.")],
) -> None:
    """Go on after the clock had run ahead: the journal was written in the future, and the clock is right again.

    What was written keeps its time; the correction stands in the journal, and the centre is told.
    """
    with opened_station(context) as opened:
        correction = ClockCorrection(journal=opened.journal)
        holds_date = any(
            file.name == TRUST_POINTS_FILE for file in opened.profile.application_files
        )
        written = correction.made_ahead() if holds_date else ()
        event = correction.correct(watch=parse_watch(watch), reason=reason)
        opened.ledger.hand_in()
    standard_output().print(
        f"The journal goes on from {event.at.astimezone():%Y-%m-%d %H:%M}: event {event.sequence}."
    )
    if written:
        standard_output().print(
            f"Cards written while the clock ran ahead: {len(written)}. They hold its day, and refuse terminals whose "
            "certificates end before it: reject each before the day is closed, membercard-issuer station reject SERIAL."
        )
        standard_output().print("\n".join(serial.hex().upper() for serial in written))


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _local(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone().isoformat(timespec="seconds")
