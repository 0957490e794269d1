"""Commands of a station beside its work: its journal, a chip that is given up, the end of the day."""

from typing import Annotated

import typer

from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    print_json,
    print_json_list,
    print_table,
    standard_output,
)
from issuer.cli_rights import OWN_STATION, needs
from issuer.cli_station_home import opened_station
from issuer.domain.chip import parse_serial
from issuer.domain.production_events import ProductionEvent
from issuer.domain.rights import Right
from issuer.services.station_ports import RejectedEvent

__all__ = ["AfterOption", "rejection_json", "station_day_app"]

AfterOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="The centre was restored from a backup and has events up to this number: the others go in again.",
    ),
]

station_day_app = typer.Typer(rich_markup_mode=None)


@station_day_app.command(
    "journal",
    epilog="""\b
Examples:
  membercard-issuer --home office station journal
  membercard-issuer --home office station journal --after 120 --format json
""",
)
@needs(Right.PRODUCE_CARDS, at_site=OWN_STATION)
def journal_command(
    context: typer.Context,
    *,
    after: Annotated[int, typer.Option(min=0, help="Only events behind this number.")] = 0,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show what happened at this station, its chain verified, and what of it the centre has."""
    with opened_station(context) as opened:
        handed_in = opened.journal.handed_in
        rejected = {each.sequence: each.code for each in opened.journal.rejections()}
        # Behind the last event there is nothing, and nothing missing.
        events = opened.journal.events(after=min(after, opened.journal.head.sequence))
    if output_format is OutputFormat.JSON:
        print_json_list(_event_json(event, handed_in, rejected) for event in events)
        return
    print_table(
        ("Number", "Time", "Serial", "Event", "Code", "Detail", "Account", "Centre"),
        (
            (
                str(event.sequence),
                event.at.isoformat(timespec="seconds"),
                "" if event.serial is None else event.serial.hex().upper(),
                event.kind.value,
                event.code or "",
                event.detail or "",
                event.account,
                rejected.get(event.sequence) or ("has it" if event.sequence <= handed_in else ""),
            )
            for event in events
        ),
    )


@station_day_app.command(
    "hand-in",
    epilog="""\b
Examples:
  membercard-issuer --home office station hand-in
  membercard-issuer --home office station hand-in --after 80
""",
)
@needs(Right.PRODUCE_CARDS, at_site=OWN_STATION)
def hand_in_command(
    context: typer.Context,
    *,
    after: AfterOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Tell the centre what it does not know yet."""
    with opened_station(context) as opened:
        if after is not None:
            opened.ledger.hand_in_again(after=after)
        has_all = opened.ledger.hand_in()
        waiting = opened.waiting()
        rejections = opened.journal.rejections()
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "waiting": waiting,
                "rejected": [rejection_json(each) for each in rejections],
            }
        )
    else:
        standard_output().print(
            "The centre has everything." if has_all else f"{waiting} events wait: no answer."
        )
    if not has_all:
        raise typer.Exit(2)


@station_day_app.command(
    "reject",
    epilog="""\b
Examples:
  membercard-issuer --home office station reject 00000000000000000001 --reason "the chip does not answer any more"
""",
)
@needs(Right.PRODUCE_CARDS, at_site=OWN_STATION)
def reject_command(
    context: typer.Context,
    serial: Annotated[
        str, typer.Argument(metavar="SERIAL", help="The chip's serial: 20 hexadecimal digits.")
    ],
    *,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the journal.")],
) -> None:
    """Give up a chip that this station has in hand, begun or finished today: its member gets another card.

    It has to be destroyed before witnesses.
    """
    with opened_station(context) as opened:
        opened.controls().reject(parse_serial(serial), reason=reason)
        opened.ledger.hand_in()
    standard_output().print("The chip is condemned. Put it aside to be destroyed.")


@station_day_app.command(
    "print-again",
    epilog="""\b
Examples:
  membercard-issuer --home office station print-again 00000000000000000001
""",
)
@needs(Right.PRODUCE_CARDS, at_site=OWN_STATION)
def print_again_command(
    context: typer.Context,
    serial: Annotated[
        str, typer.Argument(metavar="SERIAL", help="The chip's serial: 20 hexadecimal digits.")
    ],
) -> None:
    """Hand the print job of a card that was finished today to the printer once more."""
    with opened_station(context) as opened:
        copy = opened.controls().print_again(parse_serial(serial))
        opened.ledger.hand_in()
    standard_output().print(f"Copy {copy} is handed over.")


@station_day_app.command(
    "close-day",
    epilog="""\b
Examples:
  membercard-issuer --home office station close-day
  membercard-issuer --home office station close-day --format json
""",
)
@needs(Right.PRODUCE_CARDS, at_site=OWN_STATION)
def close_day_command(
    context: typer.Context, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """Close the station's day: hand everything in, destroy what was given to the station, and record that.

    A chip that was begun has to be finished or rejected first.
    """
    with opened_station(context) as opened:
        record = opened.day().close(account=opened.account)
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "events": record.head.sequence,
                "chain": record.head.chain.hex(),
                "issued": record.issued,
                "condemned": record.condemned,
                "destroyed": [each.hex() for each in record.destroyed],
            }
        )
        return
    standard_output().print(
        f"The day is closed: {record.issued} cards issued, {record.condemned} chips condemned, "
        f"the data of {len(record.destroyed)} cards destroyed."
    )


def rejection_json(rejected: RejectedEvent) -> dict[str, object]:
    """An event that the centre did not follow, for programs."""
    return {
        "sequence": rejected.sequence,
        "serial": None if rejected.serial is None else rejected.serial.hex().upper(),
        "code": rejected.code,
    }


def _event_json(
    event: ProductionEvent, handed_in: int, rejected: dict[int, str]
) -> dict[str, object]:
    return {
        "sequence": event.sequence,
        "at": event.at.isoformat(),
        "kind": event.kind.value,
        "serial": None if event.serial is None else event.serial.hex().upper(),
        "reference": None if event.reference is None else event.reference.hex(),
        "code": event.code,
        "detail": event.detail,
        "account": event.account,
        "is_handed_in": event.sequence <= handed_in,
        "rejected": rejected.get(event.sequence),
    }
