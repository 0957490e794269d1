"""Commands of production: ``keys`` and ``stock``."""

from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap_production import (
    KeystoreSummary,
    create_keys,
    import_transport_key,
    import_trust_points,
    open_production_office,
    request_station,
)
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_json_list,
    print_table,
    standard_error,
    standard_output,
)
from issuer.cli_exchange_keys import exchange_keys_app
from issuer.cli_rights import needs
from issuer.domain.chip import parse_serial
from issuer.domain.rights import Right
from issuer.errors import IssuerUnavailableError
from issuer.services.receive_stock import MAX_DELIVERY_BYTES, receive_stock
from pki.keys.open import KeystoreKind

__all__ = ["keys_app", "stock_app"]

_CONDEMNED_BY_PERSON = "card.condemned-by-person"

keys_app = typer.Typer(help="The issuer's master keys.", rich_markup_mode=None)
keys_app.add_typer(exchange_keys_app)
stock_app = typer.Typer(help="The stock of chips.", rich_markup_mode=None)

SerialArgument = Annotated[
    str, typer.Argument(metavar="SERIAL", help="The chip's serial: 20 hexadecimal digits.")
]


@keys_app.command(
    "create",
    epilog="""\b
Examples:
  membercard-issuer --home office keys create --keystore auto --pin-file secrets/issuer.pin
  membercard-issuer --home office keys create --sealed --pin-file secrets/issuer.pin
""",
)
@needs(Right.OPERATE_SERVICE)
def create_keys_command(
    context: typer.Context,
    pin_file: Annotated[
        Path, typer.Option(help="The file of the PIN; made with a random PIN where there is none.")
    ],
    keystore: Annotated[
        KeystoreKind, typer.Option(help="Where the keys live; auto prefers a PKCS#11 token.")
    ] = KeystoreKind.AUTO,
    output_format: FormatOption = OutputFormat.TEXT,
    *,
    sealed: Annotated[
        bool,
        typer.Option("--sealed", help="No master key of chips here: their keys come sealed."),
    ] = False,
) -> None:
    """Make the issuer's keystore: the personalisation master key, and the key of the card data.

    The path of the PIN file is remembered in the settings.
    """
    summary = create_keys(
        command_context(context).home, kind=keystore, pin_file=pin_file, is_sealed=sealed
    )
    _conclude_keys(summary, output_format)


@keys_app.command(
    "import-transport",
    epilog="""\b
Examples:
  membercard-issuer --home office keys import-transport secrets/transport.key
""",
)
@needs(Right.OPERATE_SERVICE)
def import_transport_command(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The master key: 64 hexadecimal digits.")
    ],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take in the master key of the chip maker's transport keys."""
    summary = import_transport_key(command_context(context).home, file)
    _conclude_keys(summary, output_format)


@keys_app.command(
    "import-trust-point",
    epilog="""\b
Examples:
  membercard-issuer --home office keys import-trust-point pki/card-verifiable/VNMEMBER00001.cvcert
""",
)
@needs(Right.OPERATE_SERVICE)
def import_trust_point_command(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="A self-signed certificate of the CVCA.")
    ],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take in the CVCA certificates that new cards trust; each card gets the two newest that are valid."""
    held = import_trust_points(command_context(context).home, files)
    names = [item.body.holder_reference.text for item in held]
    if output_format is OutputFormat.JSON:
        print_json({"trust_points": names})
    else:
        standard_output().print(f"New cards trust: {', '.join(names[:2])}.")


@keys_app.command(
    "request-station",
    epilog="""\b
Examples:
  membercard-issuer --home office keys request-station --name "Station 1" --out station-1.csr
""",
)
@needs(Right.OPERATE_SERVICE)
def request_station_command(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="What the station is called.")],
    out: Annotated[Path, typer.Option(help="Where to write the request (PKCS#10, DER).")],
) -> None:
    """Make the key to which chips' keys are sealed, and the request for its certificate.

    Asking again writes another request for the same key.
    """
    request_station(command_context(context).home, out, name=name)
    standard_output().print("Have it certified: membercard-pki service issue --station.")


@stock_app.command(
    "receive",
    epilog="""\b
Examples:
  membercard-issuer --home office stock receive delivery.csv
""",
)
@needs(Right.WRITE_STOCK)
def receive_command(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The delivery list: csv with a column serial.")
    ],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take the chips of a delivery into the stock, all or none.

    Taking the same list again changes nothing.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_DELIVERY_BYTES + 1)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{file} cannot be read: {error.strerror}", code="delivery.unavailable"
        ) from error
    with open_production_office(command_context(context).home) as office:
        receipt = receive_stock(content, delivery=file.name, ledger=office.stock)
    if output_format is OutputFormat.JSON:
        print_json({"listed": receipt.listed, "new": receipt.new})
    else:
        standard_output().print(f"{receipt.new} of {receipt.listed} chips are new in the stock.")


@stock_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office stock list
  membercard-issuer --home office stock list --format json
""",
)
@needs(Right.READ_STOCK)
def list_stock_command(
    context: typer.Context, output_format: FormatOption = OutputFormat.TEXT
) -> None:
    """List every chip that was ever received, by serial."""
    with open_production_office(command_context(context).home) as office:
        records = office.stock.chips()
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
@needs(Right.CONTROL_QUALITY)
def release_command(context: typer.Context, serial: SerialArgument) -> None:
    """Let stations take a chip again that was held, once a person has looked at it."""
    with open_production_office(command_context(context).home) as office:
        office.stock.release(parse_serial(serial))
    standard_output().print("The chip is released.")


@stock_app.command(
    "condemn",
    epilog="""\b
Examples:
  membercard-issuer --home office stock condemn 00000000000000000001 --reason "cracked"
""",
)
@needs(Right.DESTROY_CARDS)
def condemn_command(
    context: typer.Context,
    serial: SerialArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the journal.")],
    destroyed: Annotated[
        bool, typer.Option("--destroyed", help="The chip was destroyed before witnesses.")
    ] = False,
) -> None:
    """Take a chip, and the card on it, out of production for good.

    The member can be bound to another chip. A station that gets the chip terminates it.
    A card that may work already is condemned only once it is destroyed.
    """
    with open_production_office(command_context(context).home) as office:
        office.stock.condemn(
            parse_serial(serial), code=_CONDEMNED_BY_PERSON, detail=reason, is_destroyed=destroyed
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
@needs(Right.READ_STOCK)
def journal_command(
    context: typer.Context,
    serial: Annotated[str | None, typer.Option(help="Only this chip.")] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show what happened to chips and cards, in order."""
    with open_production_office(command_context(context).home) as office:
        events = office.stock.journal(serial=None if serial is None else parse_serial(serial))
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


def _conclude_keys(summary: KeystoreSummary, output_format: OutputFormat) -> None:
    if output_format is OutputFormat.JSON:
        print_json({"keys": list(summary.key_ids), "warning": summary.warning})
        return
    standard_output().print(f"The keystore holds: {', '.join(summary.key_ids)}.")
    if summary.warning is not None:
        standard_error().print(f"warning: {summary.warning}")
