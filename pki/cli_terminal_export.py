"""The command that makes a terminal's directory of credentials."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pki.card_verifiable.certificate import CvCertificate
from pki.cli_terminal import PinFileOption, home_of, read_encoded, terminal_app
from pki.keys.open import open_keystore
from pki.presentation import FormatOption, OutputFormat, print_document
from pki.services.terminal_export import export_terminal, read_certificates

__all__ = ["terminal_app"]


@terminal_app.command(
    "export",
    epilog="""\b
Examples:
  membercard-pki --home gate terminal export gate.cvcert --chain pki/card-verifiable --out terminal
  membercard-pki --home gate terminal export gate.cvcert --chain pki/card-verifiable --out gate
""",
)
def export(
    context: typer.Context,
    certificate: Annotated[Path, typer.Argument(help="The terminal's certificate.")],
    *,
    chain: Annotated[
        Path,
        typer.Option(help="Folder with the CVCA's and the document verifier's certificates."),
    ],
    out: Annotated[
        Path,
        typer.Option(help="The directory to make; the home itself where the key is in a token."),
    ],
    pin_file: PinFileOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write what a verifier shows to chips: the terminal's chain and its key, which stays under the home's PIN."""
    home = home_of(context)
    own = CvCertificate.from_bytes(read_encoded(certificate))
    above = read_certificates(chain)
    keystore = open_keystore(home.keystore, pin=home.read_pin(pin_file))
    try:
        credentials = export_terminal(
            own, chain=above, keystore=keystore, keystore_directory=home.keystore, directory=out
        )
        granted = credentials.best_rights(on=datetime.now(UTC).date())
    finally:
        keystore.close()
    print_document(
        {
            "directory": str(out),
            "holder": credentials.holder_reference.text,
            "files": "expired"
            if granted is None
            else " ".join(f"DG{group}" for group in sorted(granted)) or "none",
            "valid_until": own.body.expiration_date.isoformat(),
        },
        output_format,
    )
