"""Commands of the issuer's keys."""

from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap_production import (
    KeystoreSummary,
    create_keys,
    import_transport_key,
    import_trust_points,
    request_station,
)
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    standard_error,
    standard_output,
)
from issuer.cli_exchange_keys import exchange_keys_app
from issuer.cli_rights import needs
from issuer.domain.rights import Right
from pki.keys.open import KeystoreKind

__all__ = ["keys_app"]

keys_app = typer.Typer(help="The issuer's master keys.", rich_markup_mode=None)
keys_app.add_typer(exchange_keys_app)


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


def _conclude_keys(summary: KeystoreSummary, output_format: OutputFormat) -> None:
    if output_format is OutputFormat.JSON:
        print_json({"keys": list(summary.key_ids), "warning": summary.warning})
        return
    standard_output().print(f"The keystore holds: {', '.join(summary.key_ids)}.")
    if summary.warning is not None:
        standard_error().print(f"warning: {summary.warning}")
