"""Commands of the centre about stations: ``stations``."""

import csv
from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_production import open_production_office
from issuer.bootstrap_station_desk import station_book_of, station_desk_of
from issuer.bootstrap_station_exchange import ExchangeRole, exchange_keys_of, read_peer
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_json_list,
    print_table,
    standard_output,
)
from issuer.cli_production_home import opened_production
from issuer.cli_rights import needs
from issuer.domain.batch import parse_batch_id
from issuer.domain.card import CardState
from issuer.domain.chip import ChipState, Serial, parse_serial
from issuer.domain.production_events import parse_station_name
from issuer.domain.rights import Right
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.stations.exchange_keys import judge_peer
from pki.bounded_files import read_bounded
from pki.durable import replace_file
from pki.signed.sealed_envelope import MAX_SEALED_BYTES

__all__ = ["stations_app"]

MAX_CHIPS_IN_AN_ORDER = 500

stations_app = typer.Typer(
    help="Stations elsewhere, at the centre: know them, give them chips, take their reports.",
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What the station is called.")]


@stations_app.command(
    "enrol",
    epilog="""\b
Examples:
  membercard-issuer --home office stations enrol station-2 --signer station-signer.cer --certificate station.cer
""",
)
@needs(Right.OPERATE_SERVICE)
def enrol_command(
    context: typer.Context,
    name: NameArgument,
    *,
    signer: Annotated[Path, typer.Option(help="The certificate of the key that signs.")],
    certificate: Annotated[
        Path, typer.Option(help="The certificate of the key that is sealed to.")
    ],
) -> None:
    """Know a station by its two certificates, which the service authority issued to this name.

    A station that was dismissed is known again; one that got new certificates goes on with them.
    """
    station = parse_station_name(name)
    peer = read_peer(signer, certificate)
    with opened_production(context) as production:
        keys = exchange_keys_of(production.opened.home, production.keystore, ExchangeRole.CENTRE)
        if peer.name != station:
            raise IssuerRefusedError(
                f"the certificates are of {peer.name!r}, expected {station}",
                code="station.other-name",
            )
        judge_peer(peer, root=keys.root, is_station=True, now=keys.clock())
        station_book_of(production.opened).enrol(
            station, peer, account=command_context(context).actor.account
        )
    standard_output().print(f"Station {station} is known.")


@stations_app.command(
    "dismiss",
    epilog="""\b
Examples:
  membercard-issuer --home office stations dismiss station-2
""",
)
@needs(Right.OPERATE_SERVICE)
def dismiss_command(context: typer.Context, name: NameArgument) -> None:
    """Work with a station no more: it is lost, stolen, or its journal is. The chips that it has are held."""
    with open_register_home(command_context(context).home) as opened:
        chips = station_book_of(opened).dismiss(
            parse_station_name(name), account=command_context(context).actor.account
        )
    standard_output().print(f"Station {name} is dismissed; {len(chips)} chips are held.")


@stations_app.command(
    "release",
    epilog="""\b
Examples:
  membercard-issuer --home office stations release 00000000000000000001
""",
)
@needs(Right.CONTROL_QUALITY)
def release_command(
    context: typer.Context,
    serial: Annotated[
        str, typer.Argument(metavar="SERIAL", help="The chip's serial: 20 hexadecimal digits.")
    ],
) -> None:
    """Take a chip from the station that has it. It is held: look at it, then `stock release`."""
    with open_register_home(command_context(context).home) as opened:
        station_book_of(opened).release(
            parse_serial(serial), account=command_context(context).actor.account
        )
    standard_output().print("The chip is taken from its station, and held.")


@stations_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office stations list
  membercard-issuer --home office stations list --format json
""",
)
@needs(Right.READ_STOCK)
def list_command(context: typer.Context, output_format: FormatOption = OutputFormat.TEXT) -> None:
    """List the stations: where each is, how far its journal is known, when it was last heard."""
    with open_register_home(command_context(context).home) as opened:
        found = station_book_of(opened).all()
    if output_format is OutputFormat.JSON:
        print_json_list(
            {
                "name": name,
                "is_elsewhere": enrolled is not None,
                "is_dismissed": enrolled is not None and enrolled.dismissed_at is not None,
                "events": events,
                "heard_at": None if heard_at is None else heard_at.isoformat(),
            }
            for name, enrolled, events, heard_at in found
        )
        return
    print_table(
        ("Station", "Where", "Events", "Heard"),
        (
            (
                name,
                "here"
                if enrolled is None
                else "dismissed"
                if enrolled.dismissed_at is not None
                else "elsewhere",
                str(events),
                "" if heard_at is None else heard_at.isoformat(timespec="seconds"),
            )
            for name, enrolled, events, heard_at in found
        ),
    )


@stations_app.command(
    "accept",
    epilog="""\b
Examples:
  membercard-issuer --home office stations accept report-17.p7m
""",
)
@needs(Right.PRODUCE_CARDS)
def accept_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="REPORT", help="What the station wrote.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take the report of a station that is on no network. Taking it again changes nothing."""
    sealed = read_bounded(file, MAX_SEALED_BYTES)
    with opened_production(context) as production:
        desk = station_desk_of(production.opened, production.keystore, production.sealer)
        station, receipt = desk.accept(sealed)
        through = desk.book.get(station.name).head.sequence
    rejected = () if receipt is None else receipt.rejected
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "station": station.name,
                "through": through,
                "rejected": [
                    {
                        "sequence": each.sequence,
                        "serial": None if each.serial is None else each.serial.hex().upper(),
                        "code": each.code,
                    }
                    for each in rejected
                ],
            }
        )
    else:
        standard_output().print(
            f"Station {station.name}: events up to {through} are taken, {len(rejected)} rejected."
        )
    if rejected:
        raise typer.Exit(1)


@stations_app.command(
    "order",
    epilog="""\b
Examples:
  membercard-issuer --home office stations order station-2 --blanks 100 --out order-1.p7m
  membercard-issuer --home office stations order station-2 --signed --out order-2.p7m
  membercard-issuer --home office stations order station-2 --chips tray-4.csv --out order-3.p7m
""",
)
@needs(Right.PRODUCE_CARDS)
def order_command(
    context: typer.Context,
    name: NameArgument,
    *,
    out: Annotated[Path, typer.Option(help="Where to write the order.")],
    blanks: Annotated[
        int, typer.Option(min=0, max=MAX_CHIPS_IN_AN_ORDER, help="So many blank chips.")
    ] = 0,
    is_signed: Annotated[
        bool, typer.Option("--signed", help="The chips of signed cards that no station has begun.")
    ] = False,
    batch: Annotated[
        str | None, typer.Option(help="With --signed, of this batch only: its identifier.")
    ] = None,
    chips: Annotated[
        Path | None, typer.Option(help="These chips: csv with a column serial.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Give chips to a station that is on no network: what is to be written goes along, sealed to it.

    From then on these chips are the station's, until its day is closed.
    """
    station = parse_station_name(name)
    of_batch = None if batch is None else parse_batch_id(batch)
    wanted = dict.fromkeys(() if chips is None else _serials_of(chips))
    with open_production_office(command_context(context).home) as office:
        records = office.stock.chips()
    room = MAX_CHIPS_IN_AN_ORDER - len(wanted)
    ready = [
        record.chip.serial
        for record in records
        if is_signed
        and record.card is not None
        and record.card.state is CardState.SIGNED
        and of_batch in (None, record.card.batch_id)
    ]
    blank = [
        record.chip.serial
        for record in records
        if record.chip.state is ChipState.RECEIVED and record.chip.held is None
    ]
    with opened_production(context) as production:
        desk = station_desk_of(production.opened, production.keystore, production.sealer)
        book = station_book_of(production.opened)
        free = book.unclaimed([*ready, *blank])
        wanted |= dict.fromkeys([each for each in ready if each in free][:room])
        wanted |= dict.fromkeys([each for each in blank if each in free][:blanks])
        sealed, given = desk.order(station, list(wanted)[:MAX_CHIPS_IN_AN_ORDER], batch=None)
    try:
        replace_file(out, sealed)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{out} cannot be written: {error.strerror}", code="file.unavailable"
        ) from error
    jobs = sum(each.sealed_job is not None for each in given)
    if output_format is OutputFormat.JSON:
        print_json({"station": station, "chips": len(given), "jobs": jobs, "file": str(out)})
    else:
        standard_output().print(
            f"{len(given)} chips for station {station}, {jobs} of them with a card to write: {out}."
        )


def _serials_of(file: Path) -> tuple[Serial, ...]:
    text = read_bounded(file, 1024 * 1024).decode("utf-8-sig", errors="replace")
    rows = csv.DictReader(text.splitlines())
    return tuple(parse_serial((row.get("serial") or "").strip()) for row in rows)
