"""Commands of the keys with which stations and the centre talk: ``keys request-exchange``, ``keys install-exchange``."""

from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap_station_exchange import ExchangeRole, install_exchange, request_exchange
from issuer.cli_context import command_context, standard_output
from issuer.cli_rights import needs
from issuer.domain.instances import ExchangeCertificates
from issuer.domain.rights import Right

__all__ = ["exchange_keys_app"]

exchange_keys_app = typer.Typer(rich_markup_mode=None)

StationOption = Annotated[
    bool, typer.Option("--station", help="This home is a station; else it is the centre.")
]


@exchange_keys_app.command(
    "request-exchange",
    epilog="""\b
Examples:
  membercard-issuer --home station-2 keys request-exchange --station --name station-2 --out requests
  membercard-issuer --home office keys request-exchange --name centre --out requests
""",
)
@needs(Right.OPERATE_SERVICE)
def request_command(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="What this side is called.")],
    out: Annotated[Path, typer.Option(help="The folder for the two requests (PKCS#10, DER).")],
    is_station: StationOption = False,
) -> None:
    """Make the two keys of this side, one to sign and one to be sealed to, and the requests for their certificates."""
    role = ExchangeRole.STATION if is_station else ExchangeRole.CENTRE
    files = request_exchange(command_context(context).home, out, role=role, name=name)
    standard_output().print(f"Have them certified: {', '.join(str(each) for each in files)}.")


@exchange_keys_app.command(
    "install-exchange",
    epilog="""\b
Examples:
  membercard-issuer --home station-2 keys install-exchange --station certificates
""",
)
@needs(Right.OPERATE_SERVICE)
def install_command(
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="service-root.cer and our two: instance.cer and instance-signer.cer at the centre; station.cer, "
            "station-signer.cer, centre.cer and centre-signer.cer at a station.",
        ),
    ],
    *,
    is_station: StationOption = False,
) -> None:
    """Judge and keep the certificates of this side, and at a station those of the centre."""
    role = ExchangeRole.STATION if is_station else ExchangeRole.CENTRE
    own, centre = install_exchange(command_context(context).home, folder, role=role)
    standard_output().print(
        f"We are {own.name}." + ("" if centre is None else f" The centre is {centre.name}.")
    )
    if is_station:
        certificates = ExchangeCertificates(signer=own.signer_certificate, receiver=own.certificate)
        standard_output().print(
            f"Read this out to the centre: fingerprint {certificates.fingerprint}", markup=False
        )
