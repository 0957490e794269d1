"""Commands of the stock: take chips in, give them out and take them back, samples, and what must go."""

from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_production import open_production_office
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
from issuer.cli_rights import needs
from issuer.cli_stock_days import day_app
from issuer.cli_stock_destructions import destruction_app
from issuer.cli_stock_report import stock_report_app
from issuer.cli_stock_serials import (
    ListOption,
    SerialArgument,
    SerialsArgument,
    SiteOption,
    chosen_serials,
    read_list,
)
from issuer.cli_stock_stops import stop_app
from issuer.domain.chip import parse_serial
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.rights import Right
from issuer.domain.stock_account import FIRST_STORE, SiteKind, StockClass, parse_site_code
from issuer.services.stock_room import SiteView

__all__ = ["stock_app"]

stock_app = typer.Typer(help="The stock of chips.", rich_markup_mode=None)
site_app = typer.Typer(help="The stores and stations that answer for chips.", rich_markup_mode=None)
stock_app.add_typer(stock_report_app)
stock_app.add_typer(site_app, name="site")
stock_app.add_typer(day_app, name="day")
stock_app.add_typer(destruction_app, name="destruction")
stock_app.add_typer(stop_app, name="stop")


@site_app.command(
    "add",
    epilog="""\b
Examples:
  membercard-issuer --home office stock site add station-1 --kind station --name "Trạm 1"
""",
)
@needs(Right.WRITE_STOCK, by_use_case=True)
def add_site_command(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.")],
    *,
    kind: Annotated[SiteKind, typer.Option(help="What it is for.")],
    name: Annotated[str, typer.Option(help="What people call it.")],
    organisation: Annotated[
        str | None, typer.Option(help="The organisation that it belongs to, where it is one's own.")
    ] = None,
) -> None:
    """Begin a store or a station; each answers for its own chips and closes its own days."""
    with open_register_home(command_context(context).home) as opened:
        site = stock_of(opened.register).room.open_site(
            parse_site_code(code),
            kind=kind,
            name=name,
            organisation=None if organisation is None else parse_organisation_code(organisation),
            actor=command_context(context).actor,
        )
    standard_output().print(f"Site {site.code} is open.", markup=False)


@stock_app.command(
    "account",
    epilog="""\b
Examples:
  membercard-issuer --home office stock account
  membercard-issuer --home office stock account --format json
""",
)
@needs(Right.READ_STOCK, by_use_case=True)
def account_command(
    context: typer.Context, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """Show the account of each site: received = good + spoiled + samples + left."""
    with open_register_home(command_context(context).home) as opened:
        views = stock_of(opened.register).room.accounts(
            actor=command_context(context).actor, is_patient=True
        )
    if output_format is OutputFormat.JSON:
        print_json_list(_document(each) for each in views)
        return
    print_table(
        ("Site", "Kind", "Received", "Good", "Spoiled", "Samples", "Left", "Stolen", "Books"),
        (
            (
                each.site.code,
                each.site.kind.value,
                str(each.account.received),
                *(str(each.account.total(stock_class)) for stock_class in StockClass),
                str(each.account.stolen),
                "agree" if each.account.is_balanced else "DIFFER",
            )
            for each in views
        ),
    )


def _document(view: SiteView) -> dict[str, object]:
    return {
        "site": view.site.code,
        "kind": view.site.kind.value,
        "name": view.site.name,
        "organisation": view.site.organisation,
        "received": view.account.received,
        "stolen": view.account.stolen,
        "balanced": view.account.is_balanced,
        **{each.value: view.account.total(each) for each in StockClass},
        "in_hand": {each.value: view.account.in_hand.get(each, 0) for each in StockClass},
    }


@stock_app.command(
    "receive",
    epilog="""\b
Examples:
  membercard-issuer --home office stock receive delivery.csv
  membercard-issuer --home office stock receive delivery.csv --site store-north
""",
)
@needs(Right.WRITE_STOCK, by_use_case=True)
def receive_command(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The delivery list: csv with a column serial.")
    ],
    site: SiteOption = FIRST_STORE,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take the chips of a delivery into the stock, all or none.

    Taking the same list again changes nothing.
    """
    content = read_list(file)
    with open_register_home(command_context(context).home) as opened:
        receipt = stock_of(opened.register).room.receive(
            content,
            delivery=file.name,
            site=parse_site_code(site),
            actor=command_context(context).actor,
        )
    if output_format is OutputFormat.JSON:
        print_json({"listed": receipt.listed, "new": receipt.new})
    else:
        standard_output().print(f"{receipt.new} of {receipt.listed} chips are new in the stock.")


@stock_app.command(
    "issue",
    epilog="""\b
Examples:
  membercard-issuer --home office stock issue --list box-7.csv --to station-1
  membercard-issuer --home office stock issue 00000000000000000001 --to station-1
""",
)
@needs(Right.WRITE_STOCK, by_use_case=True)
def issue_command(
    context: typer.Context,
    serials: SerialsArgument = None,
    *,
    to: Annotated[str, typer.Option("--to", help="The station, or another store.")],
    file: ListOption = None,
    source: Annotated[str, typer.Option("--from", help="The store.")] = FIRST_STORE,
) -> None:
    """Give blanks out of a store; the station answers for them from then on."""
    with open_register_home(command_context(context).home) as opened:
        count = stock_of(opened.register).room.issue(
            chosen_serials(serials, file),
            source=parse_site_code(source),
            target=parse_site_code(to),
            actor=command_context(context).actor,
        )
    standard_output().print(f"{count} chips are issued to {to}.", markup=False)


@stock_app.command(
    "return",
    epilog="""\b
Examples:
  membercard-issuer --home office stock return --list left.csv --from station-1
""",
)
@needs(Right.WRITE_STOCK, by_use_case=True)
def return_command(
    context: typer.Context,
    serials: SerialsArgument = None,
    *,
    source: Annotated[str, typer.Option("--from", help="The station.")],
    file: ListOption = None,
    to: Annotated[str, typer.Option("--to", help="The store.")] = FIRST_STORE,
) -> None:
    """Take back what lies at a station: blanks left, spoiled chips, samples, finished cards."""
    with open_register_home(command_context(context).home) as opened:
        count = stock_of(opened.register).room.take_back(
            chosen_serials(serials, file),
            source=parse_site_code(source),
            target=parse_site_code(to),
            actor=command_context(context).actor,
        )
    standard_output().print(f"{count} chips are back in {to}.", markup=False)


@stock_app.command(
    "sample",
    epilog="""\b
Examples:
  membercard-issuer --home office stock sample 00000000000000000001 --purpose "laboratory"
""",
)
@needs(Right.WRITE_STOCK, by_use_case=True)
def sample_command(
    context: typer.Context,
    serials: SerialsArgument = None,
    *,
    purpose: Annotated[str, typer.Option(help="What for; it is kept in the journal.")],
    file: ListOption = None,
    site: SiteOption = FIRST_STORE,
) -> None:
    """Take blanks out as samples, for good: no station makes cards of them."""
    with open_register_home(command_context(context).home) as opened:
        count = stock_of(opened.register).room.take_samples(
            chosen_serials(serials, file),
            site=parse_site_code(site),
            remark=purpose,
            actor=command_context(context).actor,
        )
    standard_output().print(f"{count} chips are samples.")


@stock_app.command(
    "movements",
    epilog="""\b
Examples:
  membercard-issuer --home office stock movements --site station-1
""",
)
@needs(Right.READ_STOCK, by_use_case=True)
def movements_command(
    context: typer.Context,
    site: SiteOption = FIRST_STORE,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show what came to a site and went from it; the newest first."""
    with open_register_home(command_context(context).home) as opened:
        found = stock_of(opened.register).room.movements(
            parse_site_code(site), actor=command_context(context).actor, limit=limit
        )
    if output_format is OutputFormat.JSON:
        print_json_list(
            {
                "sequence": each.sequence,
                "at": each.at.isoformat(),
                "account": each.account,
                "kind": each.kind.value,
                "from": each.source,
                "to": each.target,
                "chips": each.chips,
            }
            for each in found
        )
        return
    print_table(
        ("Time", "What", "From", "To", "Chips", "By"),
        (
            (
                each.at.isoformat(timespec="seconds"),
                each.kind.value,
                each.source or "",
                each.target or "",
                str(each.chips),
                each.account,
            )
            for each in found
        ),
    )


@stock_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office stock list
  membercard-issuer --home office stock list --format json
""",
)
@needs(Right.READ_STOCK, by_use_case=True)
def list_stock_command(
    context: typer.Context, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List every chip that was ever received at the sites of one's own part of the tree, by serial."""
    command = command_context(context)
    with open_production_office(command.home) as office:
        shown = office.room.sites_shown(actor=command.actor)
        records = office.stock.chips(sites=shown)
    if output_format is OutputFormat.JSON:
        print_json_list(
            {
                "serial": record.chip.serial.hex().upper(),
                "state": record.chip.state.value,
                "held": record.chip.held,
                "condemned_for": record.chip.condemned_for,
                "card": None if record.card is None else record.card.reference.hex(),
            }
            for record in records
        )
        return
    print_table(
        ("Serial", "State", "Held or condemned for", "Card"),
        (
            (
                record.chip.serial.hex().upper(),
                record.chip.state.value,
                record.chip.held or record.chip.condemned_for or "",
                "" if record.card is None else record.card.state.value,
            )
            for record in records
        ),
    )


@stock_app.command(
    "release",
    epilog="""\b
Examples:
  membercard-issuer --home office stock release 00000000000000000001
""",
)
@needs(Right.CONTROL_QUALITY, by_use_case=True)
def release_command(context: typer.Context, serial: SerialArgument) -> None:
    """Let stations take a chip again that was held, once a person has looked at it."""
    with open_register_home(command_context(context).home) as opened:
        stock_of(opened.register).room.release(
            parse_serial(serial), actor=command_context(context).actor
        )
    standard_output().print("The chip is released.")


@stock_app.command(
    "condemn",
    epilog="""\b
Examples:
  membercard-issuer --home office stock condemn 00000000000000000001 --reason "cracked"
""",
)
@needs(Right.DESTROY_CARDS, by_use_case=True)
def condemn_command(
    context: typer.Context,
    serial: SerialArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the journal.")],
) -> None:
    """Take a chip, and the card on it, out of production for good.

    The member can be bound to another chip. A station that gets the chip terminates it.
    A card that may work already is destroyed instead (stock destruction).
    """
    with open_register_home(command_context(context).home) as opened:
        stock_of(opened.register).room.condemn(
            parse_serial(serial), reason=reason, actor=command_context(context).actor
        )
    standard_output().print("The chip is condemned. Put it into a station to terminate it.")


@stock_app.command(
    "journal",
    epilog="""\b
Examples:
  membercard-issuer --home office stock journal
  membercard-issuer --home office stock journal --serial 00000000000000000001 --format json
""",
)
@needs(Right.READ_STOCK, by_use_case=True)
def journal_command(
    context: typer.Context,
    serial: Annotated[str | None, typer.Option(help="Only this chip.")] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show what happened to the chips of one's own part of the tree and their cards, in order."""
    command = command_context(context)
    chip = None if serial is None else parse_serial(serial)
    with open_production_office(command.home) as office:
        shown = office.room.sites_shown(actor=command.actor)
        events = office.stock.journal(serial=chip, sites=shown)
    if output_format is OutputFormat.JSON:
        print_json_list(
            {
                "sequence": event.sequence,
                "at": event.at.isoformat(),
                "kind": event.kind,
                "serial": None if event.serial is None else event.serial.hex().upper(),
                "reference": None if event.reference is None else event.reference.hex(),
                "code": event.code,
                "detail": event.detail,
            }
            for event in events
        )
        return
    print_table(
        ("Time", "Serial", "Event", "Code", "Detail"),
        (
            (
                event.at.isoformat(timespec="seconds"),
                "" if event.serial is None else event.serial.hex().upper(),
                event.kind,
                event.code or "",
                event.detail or "",
            )
            for event in events
        ),
    )
