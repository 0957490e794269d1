"""How commands of the stock are told of chips: by serial, or by a list in a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from issuer.domain.chip import Serial, parse_serial
from issuer.errors import IssuerDataError, IssuerUnavailableError
from issuer.services.receive_stock import MAX_DELIVERY_BYTES, read_delivery
from pki.durable import replace_file

__all__ = [
    "ListOption",
    "SerialArgument",
    "SerialsArgument",
    "SiteOption",
    "chosen_serials",
    "read_list",
    "write_paper",
]

SerialArgument = Annotated[
    str, typer.Argument(metavar="SERIAL", help="The chip's serial: 20 hexadecimal digits.")
]
SerialsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SERIAL]...", help="Serials: 20 hexadecimal digits each."),
]
ListOption = Annotated[
    Path | None, typer.Option("--list", help="A list of chips: csv with a column serial.")
]
SiteOption = Annotated[str, typer.Option("--site", help="The code of the site.")]


def read_list(file: Path) -> bytes:
    """A list of chips; at most one byte more than it may have.

    Raises:
        IssuerUnavailableError: it cannot be read (``delivery.unavailable``).
    """
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_DELIVERY_BYTES + 1)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{file} cannot be read: {error.strerror}", code="delivery.unavailable"
        ) from error


def chosen_serials(named: Sequence[str] | None, file: Path | None) -> list[Serial]:
    """The chips that a command was told of.

    Raises:
        IssuerDataError: neither or both were given (``stock.serials-malformed``), or as ``read_delivery``.
        IssuerUnavailableError: the list cannot be read.
    """
    if bool(named) == (file is not None):
        raise IssuerDataError(
            "chips are told either by their serials or by a list",
            code="stock.serials-malformed",
            hint="SERIAL... or --list FILE",
        )
    if file is not None:
        return list(read_delivery(read_list(file)))
    return [parse_serial(each) for each in named or ()]


def write_paper(file: Path, content: bytes) -> None:
    """A protocol, whole or not at all.

    Raises:
        IssuerUnavailableError: it cannot be written (``file.unavailable``).
    """
    try:
        replace_file(file, content)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{file} cannot be written: {error.strerror}", code="file.unavailable"
        ) from error
