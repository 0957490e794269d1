"""Commands of mapping files: what a list with other columns would be read as."""

import itertools
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    print_json,
    print_table,
    standard_output,
)
from issuer.cli_rights import needs_no_right
from issuer.domain.list_row import Cell
from issuer.domain.member_list import MemberColumn
from issuer.imports.mapping import ListMapping
from issuer.imports.member_layout import load_member_mapping
from issuer.imports.open_table import open_laid_out
from issuer.imports.table import Table

__all__ = ["MappingOption", "mapping_app"]

_SHOWN_ROWS = 3

MappingOption = Annotated[
    Path | None,
    typer.Option("--mapping", help="A mapping file (TOML), where the list has other columns."),
]

mapping_app = typer.Typer(
    help="Mapping files: lists with other columns than the template's.", rich_markup_mode=None
)


@mapping_app.command(
    "check",
    epilog="""\b
Examples:
  membercard-issuer members mapping check province.toml --list members.xlsx
  membercard-issuer members mapping check province.toml --list members.csv --format json
""",
)
@needs_no_right("it reads a list and a mapping, and no home")
def check_mapping_command(
    mapping: Annotated[Path, typer.Argument(metavar="FILE", help="The mapping file (TOML).")],
    file: Annotated[Path, typer.Option("--list", help="The list: xlsx, csv or json.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show where each column comes from and how the first rows would be read; nothing is taken.

    The exit status is 1 where the mapping or the list is refused, or a cell cannot be read as the mapping says.
    """
    found = load_member_mapping(mapping)
    with open_laid_out(file, found) as table:
        first = list(itertools.islice(table.rows(), _SHOWN_ROWS))
        rows, findings = _count(table)
        others = _others(found, table)
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "rows": rows,
                "columns": [
                    {
                        "column": column,
                        "from": _source(found, column),
                        "first": [_shown(row.cells.get(column)) for row in first],
                        "unreadable": findings[column],
                    }
                    for column in MemberColumn
                ],
                "ignored": list(others),
            }
        )
    else:
        print_table(
            ("Column", "From", *(f"Row {row.number}" for row in first), "Unreadable"),
            (
                (
                    column.value,
                    _source(found, column),
                    *(_shown(row.cells.get(column)) for row in first),
                    str(findings[column] or ""),
                )
                for column in MemberColumn
            ),
        )
        console = standard_output()
        if others:
            console.print(f"Passed over: {', '.join(others)}.", markup=False)
        console.print(f"{rows} rows, {findings.total()} cells that cannot be read.")
    if findings:
        raise typer.Exit(1)


def _count(table: Table) -> tuple[int, Counter[str]]:
    rows = 0
    findings: Counter[str] = Counter()
    for row in table.rows():
        rows += 1
        findings.update(finding.column for finding in row.findings)
    return rows, findings


def _others(mapping: ListMapping, table: Table) -> tuple[str, ...]:
    return mapping.header(table.header).others


def _source(mapping: ListMapping, column: MemberColumn) -> str:
    if column in mapping.constants:
        return f'always "{mapping.constants[column]}"'
    if column not in mapping.sources:
        return "left empty"
    told = " + ".join(mapping.sources[column])
    form = mapping.dates.get(column)
    return told if form is None else f"{told} ({form.name})"


def _shown(cell: Cell) -> str:
    """A cell on the terminal: nothing in it may steer the terminal."""
    if cell is None:
        return ""
    text = cell.isoformat() if isinstance(cell, date) else str(cell)
    return "".join(each if each.isprintable() else "?" for each in text)
