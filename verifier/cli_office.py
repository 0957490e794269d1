"""`membercard-verifier office`: the inspection office, to which terminals seal what they read of refused cards."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pki.durable import create_file
from pki.errors import PkiError
from pki.keys.open import read_pin_file
from verifier.errors import UsageError, VerifierError
from verifier.presentation import printable
from verifier.trust.refused_cards import create_office

__all__ = ["office_app", "office_pin"]

office_app = typer.Typer(
    help="The inspection office, which opens what was kept of refused cards.", rich_markup_mode=None
)


@office_app.callback()
def office() -> None:
    """The inspection office, which opens what was kept of refused cards."""


@office_app.command(
    epilog="""\b
Examples:
  membercard-verifier office create --name "Inspection office 01" --key office.key --certificate office.cer \\
    --pin-file office.pin"""
)
def create(
    *,
    name: Annotated[str, typer.Option(help="The office's name, as its certificate shows it.")],
    key: Annotated[Path, typer.Option(help="Where the key is written, encrypted under the PIN.")],
    certificate: Annotated[
        Path, typer.Option(help="Where the certificate is written that terminals are given.")
    ],
    pin_file: Annotated[Path, typer.Option(help="File with the PIN that the office chose.")],
) -> int:
    """Make an office's key; the certificate goes to `terminal run --keep-refused`."""
    content, issued = create_office(
        name, pin=office_pin(pin_file), now=datetime.now(UTC).replace(microsecond=0)
    )
    for path, data, mode in ((key, content, 0o600), (certificate, issued, 0o644)):
        try:
            create_file(path, data, mode=mode)
        except FileExistsError as error:
            raise UsageError(f"{printable(str(path))!r} is there already") from error
        except OSError as error:
            raise VerifierError(
                f"{printable(str(path))!r} cannot be written ({error.strerror})",
                code="output.failed",
            ) from error
    sys.stdout.write(f"made {printable(str(key))} and {printable(str(certificate))}\n")
    return 0


def office_pin(path: Path) -> str:
    """The PIN of an office's key.

    Raises:
        VerifierError: ``refused-card.office``.
    """
    try:
        return read_pin_file(path)
    except PkiError as error:
        raise VerifierError(str(error), code="refused-card.office", hint=error.hint) from error
