"""Commands of questionable rows: list, look, accept, refuse."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_json_list,
    print_table,
    standard_output,
)
from issuer.cli_rights import needs
from issuer.domain.list_row import Cell
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerDataError, IssuerError, IssuerRefusedError
from issuer.services.decide_doubts import DoubtDesk
from issuer.services.import_ports import (
    DoubtState,
    ImportNumber,
    QuestionableRow,
    RowReference,
)

__all__ = ["questionable_app"]

_REFERENCE = re.compile(r"([0-9]{1,9}):([0-9]{1,9})", re.ASCII)

ImportOption = Annotated[
    int | None, typer.Option("--import", min=1, help="Only rows of this import.")
]
RowsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[IMPORT:ROW]...", help="The rows, such as 12:345.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")]
CodeOption = Annotated[
    str | None,
    typer.Option("--code", help="Every waiting row that is doubted for this code alone."),
]

questionable_app = typer.Typer(
    help="Rows of member lists that wait for a person.", rich_markup_mode=None
)


@questionable_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office members questionable list
  membercard-issuer --home office members questionable list --import 12 --state accepted
""",
)
@needs(Right.IMPORT_MEMBERS, by_use_case=True)
def list_questionable_command(
    context: typer.Context,
    number: ImportOption = None,
    state: Annotated[DoubtState, typer.Option(help="How far they have come.")] = DoubtState.WAITING,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List questionable rows and what is questionable about them."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        rows = opened.doubts().waiting(actor=actor, number=_number(number), state=state)
        if output_format is OutputFormat.JSON:
            print_json_list(_as_json(row) for row in rows)
            return
        print_table(
            ("Row", "Organisation", "Column", "Code", "Reason"),
            (
                (str(row.reference), row.organisation, each.column, each.code, each.sentence)
                for row in rows
                for each in row.findings
            ),
        )


@questionable_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-issuer --home office members questionable show 12:345
""",
)
@needs(Right.IMPORT_MEMBERS, by_use_case=True)
def show_questionable_command(
    context: typer.Context,
    row: Annotated[str, typer.Argument(metavar="IMPORT:ROW", help="The row, such as 12:345.")],
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show what one waiting row states; the audit trail records who looked."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        content = opened.doubts().look(_reference(row), actor=actor)
        cells = {column: _shown(cell) for column, cell in content.cells.items()}
        if output_format is OutputFormat.JSON:
            print_json(cells)
            return
        print_table(("Column", "Content"), cells.items())


@questionable_app.command(
    "accept",
    epilog="""\b
Examples:
  membercard-issuer --home office members questionable accept 12:345 --reason "two people, seen both"
  membercard-issuer --home office members questionable accept --code name.look-alike-read --import 12 --reason "font"
""",
)
@needs(Right.IMPORT_MEMBERS, by_use_case=True)
def accept_questionable_command(
    context: typer.Context,
    rows: RowsArgument = None,
    *,
    reason: ReasonOption,
    code: CodeOption = None,
    number: ImportOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take rows as they stand; a member comes of each whom the register has not yet.

    The exit status is 1 where a row could not be accepted.
    """
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        desk = opened.doubts()
        _each(
            _chosen(desk, actor, rows, code, number),
            lambda row: desk.accept(row, actor=actor, reason=reason),
            output_format,
            "accepted",
        )


@questionable_app.command(
    "refuse",
    epilog="""\b
Examples:
  membercard-issuer --home office members questionable refuse 12:345 --reason "the same person as 01.000123"
""",
)
@needs(Right.IMPORT_MEMBERS, by_use_case=True)
def refuse_questionable_command(
    context: typer.Context,
    rows: RowsArgument = None,
    *,
    reason: ReasonOption,
    code: CodeOption = None,
    number: ImportOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Do not take rows; the very same ones are refused at once when they come again."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        desk = opened.doubts()
        _each(
            _chosen(desk, actor, rows, code, number),
            lambda row: desk.refuse(row, actor=actor, reason=reason),
            output_format,
            "refused",
        )


def _chosen(
    desk: DoubtDesk, actor: Actor, rows: list[str] | None, code: str | None, number: int | None
) -> Iterator[RowReference]:
    if bool(rows) == (code is not None):
        raise typer.BadParameter("give either rows or --code")
    if rows:
        yield from [_reference(text) for text in rows]
        return
    # The list is read to its end before the first decision changes it.
    waiting = list(desk.waiting(actor=actor, number=_number(number)))
    for row in waiting:
        if {each.code for each in row.findings} == {code}:
            yield row.reference


def _each(
    rows: Iterator[RowReference],
    decide: Callable[[RowReference], object],
    output_format: OutputFormat,
    what: str,
) -> None:
    """Decide on each by itself: one that is refused does not hold up the others."""
    done: list[RowReference] = []
    failed: list[tuple[RowReference, IssuerError]] = []
    for row in rows:
        try:
            decide(row)
        except (IssuerRefusedError, IssuerDataError) as error:
            failed.append((row, error))
        else:
            done.append(row)
    if output_format is OutputFormat.JSON:
        print_json(
            {
                what: [str(row) for row in done],
                "failed": [
                    {"row": str(row), "code": error.code, "reason": str(error)}
                    for row, error in failed
                ],
            }
        )
    else:
        if failed:
            print_table(
                ("Row", "Code", "Reason"),
                ((str(row), error.code, str(error)) for row, error in failed),
            )
        standard_output().print(f"{len(done)} rows {what}, {len(failed)} could not be.")
    if failed:
        raise typer.Exit(1)


def _number(number: int | None) -> ImportNumber | None:
    return None if number is None else ImportNumber(number)


def _reference(text: str) -> RowReference:
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise typer.BadParameter("a row is written IMPORT:ROW, such as 12:345")
    return RowReference(ImportNumber(int(match[1])), int(match[2]))


def _as_json(row: QuestionableRow) -> dict[str, object]:
    decision = row.decision
    return {
        "row": str(row.reference),
        "organisation_code": row.organisation,
        "state": row.state.value,
        "findings": [
            {"column": each.column, "code": each.code, "reason": each.sentence}
            for each in row.findings
        ],
        "decided_by": None if decision is None else decision.by,
        "decided_at": None if decision is None else decision.at.isoformat(),
        "reason": None if decision is None else decision.reason,
        "member_id": (
            None if decision is None or decision.member_id is None else str(decision.member_id)
        ),
    }


def _shown(cell: Cell) -> str:
    if cell is None:
        return ""
    text = cell.isoformat() if isinstance(cell, date) else str(cell)
    return "".join(each if each.isprintable() else "?" for each in text)
