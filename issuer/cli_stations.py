"""Commands of the centre about stations: ``stations``."""

from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_station_desk import (
    station_book_of,
    station_desk_of,
    station_enrolment_of,
    station_orders_of,
)
from issuer.bootstrap_station_exchange import read_peer
from issuer.bootstrap_stock import stock_of
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
from issuer.cli_station_day import rejection_json
from issuer.cli_stock_serials import read_list
from issuer.domain.batch import parse_batch_id
from issuer.domain.chip import parse_serial
from issuer.domain.instances import ExchangeCertificates
from issuer.domain.production_events import StationName, parse_station_name
from issuer.domain.rights import Right
from issuer.domain.stock_account import FIRST_STORE, SiteCode, parse_site_code
from issuer.errors import IssuerUnavailableError
from issuer.services.receive_stock import read_delivery
from issuer.stations.desk import EnrolledStation
from issuer.stations.orders import MAX_CHIPS_IN_AN_ORDER, WantedChips
from pki.bounded_files import read_bounded
from pki.durable import replace_file
from pki.signed.sealed_envelope import MAX_SEALED_BYTES

__all__ = ["stations_app"]

stations_app = typer.Typer(
    help="Stations elsewhere, at the centre: know them, give them chips, take their reports.",
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What the station is called.")]


@stations_app.command(
    "propose",
    epilog="""\b
Examples:
  membercard-issuer --home office stations propose station-2 --signer station-signer.cer --certificate station.cer
""",
)
@needs(Right.OPERATE_SERVICE, at_site="name")
def propose_command(
    context: typer.Context,
    name: NameArgument,
    *,
    signer: Annotated[Path, typer.Option(help="The certificate of the key that signs.")],
    certificate: Annotated[
        Path, typer.Option(help="The certificate of the key that is sealed to.")
    ],
) -> None:
    """Propose a station by its two certificates, which the service authority issued to this name; another confirms it.

    The same for a station that was dismissed, and for one that got new certificates.
    """
    station = parse_station_name(name)
    peer = read_peer(signer, certificate)
    with open_register_home(command_context(context).home) as opened:
        proposal = station_enrolment_of(opened).propose(
            station,
            ExchangeCertificates(signer=peer.signer_certificate, receiver=peer.certificate),
            actor=command_context(context).actor,
        )
    standard_output().print(
        f"Station {station} is proposed; fingerprint {proposal.certificates.fingerprint}",
        markup=False,
    )


@stations_app.command(
    "confirm",
    epilog="""\b
Examples:
  membercard-issuer --home office stations confirm station-2 --fingerprint 5F0C4C7E...
""",
)
@needs(Right.OPERATE_SERVICE, at_site="name")
def confirm_command(
    context: typer.Context,
    name: NameArgument,
    *,
    fingerprint: Annotated[
        str,
        typer.Option(
            help="As they read it out at the station, where keys install-exchange shows it."
        ),
    ],
) -> None:
    """Know a station that another person proposed."""
    station = parse_station_name(name)
    with open_register_home(command_context(context).home) as opened:
        station_enrolment_of(opened).confirm(
            station, fingerprint=fingerprint, actor=command_context(context).actor
        )
    standard_output().print(f"Station {station} is known.")


@stations_app.command(
    "dismiss",
    epilog="""\b
Examples:
  membercard-issuer --home office stations dismiss station-2
""",
)
@needs(Right.OPERATE_SERVICE, at_site="name")
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
@needs(Right.CONTROL_QUALITY, by_use_case=True)
def release_command(
    context: typer.Context,
    serial: Annotated[
        str, typer.Argument(metavar="SERIAL", help="The chip's serial: 20 hexadecimal digits.")
    ],
) -> None:
    """Take a chip from the station that has it. It is held: look at it, then `stock release`."""
    actor, chip = command_context(context).actor, parse_serial(serial)
    with open_register_home(command_context(context).home) as opened:
        stock_of(opened.register).room.demand_at_chip(chip, Right.CONTROL_QUALITY, actor=actor)
        station_book_of(opened).release(chip, account=actor.account)
    standard_output().print("The chip is taken from its station, and held.")


@stations_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office stations list
  membercard-issuer --home office stations list --format json
""",
)
@needs(Right.READ_STOCK, by_use_case=True)
def list_command(context: typer.Context, output_format: FormatOption = OutputFormat.TEXT) -> None:
    """List the stations of one's own part of the tree: where each is, how far its journal is known, when it was last heard, and what is proposed."""
    with open_register_home(command_context(context).home) as opened:
        shown = stock_of(opened.register).room.sites_shown(actor=command_context(context).actor)
        found = [
            each
            for each in station_book_of(opened).all()
            if shown is None or SiteCode(each[0]) in shown
        ]
        with opened.register.reading() as transaction:
            proposals = {
                each.name: each
                for each in transaction.stations.proposals()
                if shown is None or SiteCode(each.name) in shown
            }
    known = {name for name, *_ in found}
    rows = [*found, *((name, None, 0, None) for name in proposals if name not in known)]
    if output_format is OutputFormat.JSON:
        print_json_list(
            {
                "name": name,
                "is_elsewhere": enrolled is not None,
                "is_dismissed": enrolled is not None and enrolled.dismissed_at is not None,
                "events": events,
                "heard_at": None if heard_at is None else heard_at.isoformat(),
                "proposed": None
                if name not in proposals
                else {
                    "by": proposals[name].proposed_by,
                    "fingerprint": proposals[name].certificates.fingerprint,
                },
            }
            for name, enrolled, events, heard_at in rows
        )
        return
    print_table(
        ("Station", "Where", "Events", "Heard", "Proposed by", "Fingerprint"),
        (
            (
                name,
                "here" if name in known and enrolled is None else _where(enrolled),
                str(events),
                "" if heard_at is None else heard_at.isoformat(timespec="seconds"),
                proposals[name].proposed_by if name in proposals else "",
                proposals[name].certificates.fingerprint if name in proposals else "",
            )
            for name, enrolled, events, heard_at in rows
        ),
    )


def _where(enrolled: EnrolledStation | None) -> str:
    if enrolled is None:
        return "not yet known"
    return "elsewhere" if enrolled.dismissed_at is None else "dismissed"


@stations_app.command(
    "accept",
    epilog="""\b
Examples:
  membercard-issuer --home office stations accept report-17.p7m
""",
)
@needs(Right.PRODUCE_CARDS, by_use_case=True)
def accept_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="REPORT", help="What the station wrote.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take the report of a station that is on no network, by whoever makes cards at its site.

    Taking it again changes nothing, and neither does an older report behind a newer one.
    """
    sealed = read_bounded(file, MAX_SEALED_BYTES)
    actor = command_context(context).actor
    with opened_production(context) as production:
        desk = station_desk_of(production.opened, production.keystore, production.vault)
        room = stock_of(production.opened.register).room

        def demand(name: StationName) -> None:
            room.demand_at_site(SiteCode(name), Right.PRODUCE_CARDS, actor=actor)

        station, receipt = desk.accept(sealed, demand=demand)
        through = desk.book.get(station.name).head.sequence
    new = through - station.head.sequence
    rejected = () if receipt is None else receipt.rejected
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "station": station.name,
                "through": through,
                "new": new,
                "rejected": [rejection_json(each) for each in rejected],
            }
        )
    else:
        standard_output().print(
            f"Station {station.name}: {f'{new} events' if new else 'nothing new'}, events up to {through} are taken, "
            f"{len(rejected)} rejected."
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
  membercard-issuer --home office stations order station-2 --again --out order-4.p7m
""",
)
@needs(Right.READ_STOCK, by_use_case=True)
def order_command(
    context: typer.Context,
    name: NameArgument,
    *,
    out: Annotated[Path, typer.Option(help="Where to write the order.")],
    blanks: Annotated[
        int, typer.Option(min=0, max=MAX_CHIPS_IN_AN_ORDER, help="So many blank chips.")
    ] = 0,
    is_signed: Annotated[
        bool,
        typer.Option("--signed", help="The chips there whose cards are signed and not yet begun."),
    ] = False,
    is_again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="What the station has by our books and has not told of: an order that was lost.",
        ),
    ] = False,
    batch: Annotated[str | None, typer.Option(help="Of this batch only: its identifier.")] = None,
    chips: Annotated[
        Path | None, typer.Option(help="These chips: csv with a column serial.")
    ] = None,
    store: Annotated[str, typer.Option("--from", help="The store that blanks come from.")] = (
        FIRST_STORE
    ),
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Give chips to a station that is on no network: what is to be written goes along, sealed to it.

    Chips that lie in the store are issued to the station with it. All are the station's until its day is closed. Who
    keeps the stock gives blanks; what is written to cards is given by production.
    """
    station = parse_station_name(name)
    wanted = WantedChips(
        chips=() if chips is None else read_delivery(read_list(chips)),
        blanks=blanks,
        is_signed=is_signed,
        is_again=is_again,
        batch=None if batch is None else parse_batch_id(batch),
        store=parse_site_code(store),
    )
    with opened_production(context) as production:
        given = station_orders_of(production.opened, production.keystore).give(
            station, wanted, actor=command_context(context).actor
        )
    try:
        replace_file(out, given.sealed)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{out} cannot be written: {error.strerror}",
            code="file.unavailable",
            hint=f"membercard-issuer stations order {station} --again --out FILE: none is issued twice",
        ) from error
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "station": station,
                "chips": len(given.chips),
                "jobs": given.jobs,
                "issued": given.issued,
                "file": str(out),
            }
        )
    else:
        standard_output().print(
            f"{len(given.chips)} chips for station {station}, {given.jobs} of them with a card to write, "
            f"{given.issued} out of the store: {out}."
        )
