"""Commands of a station that is on no network: ``station bundle``."""

from pathlib import Path
from typing import Annotated

import typer

from issuer.cli_context import FormatOption, OutputFormat, print_json, standard_output
from issuer.cli_rights import OWN_STATION, needs
from issuer.cli_station_day import AfterOption, rejection_json
from issuer.cli_station_home import opened_station
from issuer.domain.rights import Right
from issuer.errors import IssuerUnavailableError
from issuer.stations.bundles import TakenOrder
from pki.bounded_files import read_bounded
from pki.durable import replace_file
from pki.signed.sealed_envelope import MAX_SEALED_BYTES

__all__ = ["bundle_app"]

bundle_app = typer.Typer(
    help="A station on no network: reports go out as files, orders come in.", rich_markup_mode=None
)


@bundle_app.command(
    "out",
    epilog="""\b
Examples:
  membercard-issuer --home station-2 station bundle out report-17.p7m
  membercard-issuer --home station-2 station bundle out report-18.p7m --after 80
""",
)
@needs(Right.PRODUCE_CARDS, at_site=OWN_STATION)
def out_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="REPORT", help="Where to write the report.")],
    *,
    after: AfterOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write what the centre does not know yet, signed by this station and sealed to the centre.

    It may be made and carried as often as one likes: the centre takes every event once.
    """
    with opened_station(context) as opened:
        if after is not None:
            opened.ledger.hand_in_again(after=after)
        sealed, events = opened.bundles().report()
    try:
        replace_file(file, sealed)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{file} cannot be written: {error.strerror}", code="file.unavailable"
        ) from error
    if output_format is OutputFormat.JSON:
        print_json({"events": events, "file": str(file)})
    else:
        standard_output().print(f"{events} events: {file}.")


@bundle_app.command(
    "in",
    epilog="""\b
Examples:
  membercard-issuer --home station-2 station bundle in order-3.p7m
""",
)
@needs(Right.PRODUCE_CARDS, at_site=OWN_STATION)
def in_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="ORDER", help="What the centre wrote.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take an order of the centre, once: chips to work on, with what is to be written to them.

    What the centre rejected since is named, and ends the command with status 1: the order is taken all the same. The file is overwritten and removed when the day is closed.
    """
    sealed = read_bounded(file, MAX_SEALED_BYTES)
    with opened_station(context) as opened:
        taken = opened.bundles().take(sealed, file=file)
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "order": taken.number,
                "chips": taken.chips,
                "jobs": taken.jobs,
                "left_alone": taken.left_alone,
                "stopped": taken.stopped,
                "through": taken.through,
                "rejected": [rejection_json(each) for each in taken.rejected],
            }
        )
    else:
        _print_taken(taken)
    if taken.rejected:
        raise typer.Exit(1)


def _print_taken(taken: TakenOrder) -> None:
    out = standard_output()
    out.print(
        f"Order {taken.number}: {taken.chips} chips, {taken.jobs} with a card to write; "
        f"the centre has events up to {taken.through}."
    )
    if taken.stopped:
        out.print(
            f"{taken.stopped} of the station's chips are on the stop list: keep them apart and say so."
        )
    for each in taken.rejected:
        chip = "a chip" if each.serial is None else f"chip {each.serial.hex().upper()}"
        out.print(
            f"The centre did not follow event {each.sequence}: put {chip} aside ({each.code}).",
            markup=False,
        )
