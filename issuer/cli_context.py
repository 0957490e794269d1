"""What every command of the issuer shares: its home directory, its output, its way of ending."""

import enum
import itertools
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from issuer.domain.rights import Actor
from issuer.identity.session_file import default_session_file

__all__ = [
    "CommandContext",
    "FormatOption",
    "OutputFormat",
    "command_context",
    "print_json",
    "print_json_list",
    "print_table",
    "standard_error",
    "standard_output",
]


class OutputFormat(enum.StrEnum):
    """How results are written."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[
    OutputFormat,
    typer.Option("--format", help="How results are written: for people or for programs."),
]


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What stands before the object of every command."""

    given_home: Path | None
    allow_development_cards: bool = False
    given_session: Path | None = None
    given_actor: Actor | None = None

    @property
    def session_file(self) -> Path:
        """Where the session of this user for this home lies."""
        return self.given_session or default_session_file(self.home)

    @property
    def actor(self) -> Actor:
        """Whoever runs the command; it is there where the command needs a right (``issuer.cli_rights.needs``)."""
        if self.given_actor is None:
            raise TypeError("the command does not need a right, so nobody was asked who they are")
        return self.given_actor

    @property
    def home(self) -> Path:
        """The home directory.

        Raises:
            typer.BadParameter: none was given.
        """
        if self.given_home is None:
            raise typer.BadParameter(
                "missing; give it before the object, or set MEMBERCARD_ISSUER_HOME",
                param_hint="--home",
            )
        return self.given_home


def command_context(context: typer.Context) -> CommandContext:
    """What the root command put into the context."""
    found = context.find_object(CommandContext)
    if found is None:
        raise TypeError("the command was not called through the root command")
    return found


def standard_output() -> Console:
    """Where results for people go; plain text where it is not a terminal."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def standard_error() -> Console:
    """Where errors and progress go."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for people on a terminal; elsewhere one line a row, its cells separated by tabs."""
    console = standard_output()
    if not console.is_terminal:
        for line in itertools.chain((columns,), rows):
            sys.stdout.write("\t".join(line) + "\n")
        return
    table = Table(*columns)
    for row in rows:
        # Cells are text: brackets in them are no markup.
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def print_json(value: object) -> None:
    """One JSON document."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def print_json_list(values: Iterable[Mapping[str, Any]]) -> None:
    """A JSON array, written element by element, so that its length costs no memory."""
    separator = "["
    for value in values:
        sys.stdout.write(separator + "\n  " + json.dumps(value, ensure_ascii=False))
        separator = ","
    sys.stdout.write("[]\n" if separator == "[" else "\n]\n")
