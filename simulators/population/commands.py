"""``membercard-simulator population``: makes synthetic member lists."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from simulators.population.list_files import write_population
from simulators.population.member_list import (
    MAXIMUM_MEMBERS,
    MINIMUM_MEMBERS,
    draw_member_list,
)

__all__ = ["population_app"]

population_app = typer.Typer(
    help="Synthetic members, organisations and portraits.", no_args_is_help=True
)


class OutputFormat(StrEnum):
    """For people or for programs."""

    TEXT = "text"
    JSON = "json"


_EXAMPLES = """
\b
Examples:
  membercard-simulator population create --seed 2026 --out demo/population
  membercard-simulator population create --seed 7 --members 200 --out lists/large --format json
"""


@population_app.command("create", epilog=_EXAMPLES)
def create(
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")],
    out: Annotated[Path, typer.Option(help="A new or empty folder.")],
    members: Annotated[
        int,
        typer.Option(
            min=MINIMUM_MEMBERS, max=MAXIMUM_MEMBERS, help="Rows of the list, six of them wrong."
        ),
    ] = 24,
    output_format: Annotated[
        OutputFormat, typer.Option("--format", help="What to print.")
    ] = OutputFormat.TEXT,
) -> None:
    """Make a member list (xlsx and CSV) of people who do not exist, with portraits.

    Six rows are wrong and must be refused; expected.json says which, in which column, and with which code.
    """
    console = Console()
    is_shown = console.is_terminal and output_format is OutputFormat.TEXT
    with Progress(console=console, transient=True, disable=not is_shown) as progress:
        task = progress.add_task("drawing members", total=members)
        member_list = draw_member_list(
            seed, members=members, advance=lambda: progress.advance(task)
        )
    write_population(member_list, out)
    wrong = sum(1 for row in member_list.rows if row.defect is not None)
    if output_format is OutputFormat.JSON:
        summary = {"folder": str(out), "rows": members, "right": members - wrong, "wrong": wrong}
        typer.echo(json.dumps(summary))
    else:
        typer.echo(
            f"{members} synthetic members under {out}: {members - wrong} right, {wrong} to be refused"
        )
