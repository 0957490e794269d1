"""What the commands share: the home they work in, and the option for its PIN."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pki.home import Home

__all__ = ["CliContext", "PinFileOption", "cli_context"]

PinFileOption = Annotated[
    Path | None,
    typer.Option(help="File with the keystore's PIN; the one given at creation is remembered."),
]


@dataclass(frozen=True, slots=True)
class CliContext:
    """What stands before the object of a command."""

    given_home: Path | None

    @property
    def home(self) -> Home:
        """The home.

        Raises:
            typer.BadParameter: none was given.
        """
        if self.given_home is None:
            raise typer.BadParameter(
                "missing; give it before the object, or set MEMBERCARD_PKI_HOME",
                param_hint="--home",
            )
        return Home(self.given_home)


def cli_context(context: typer.Context) -> CliContext:
    """The context that the root command made."""
    found = context.find_object(CliContext)
    if found is None:
        raise TypeError("the command was not called through the root command")
    return found
