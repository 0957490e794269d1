"""Commands of the members: import, approve, list."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from issuer.bootstrap import RegisterHome, open_member_import, open_register_home
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_json_list,
    print_table,
    standard_error,
    standard_output,
)
from issuer.cli_import_report import (
    ListArgument,
    ReportOption,
    TemplateArgument,
    import_progress,
    open_report,
    write_template,
)
from issuer.cli_mapping import MappingOption, mapping_app, member_layout
from issuer.cli_questionable import questionable_app
from issuer.cli_rights import needs, needs_no_right
from issuer.domain.member import Member, MemberState
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.rights import Right
from issuer.imports.correction import write_correction
from issuer.imports.open_table import open_laid_out
from issuer.imports.template import ListFormat, member_template
from issuer.services.approve_members import ApprovalOutcome
from issuer.services.register_ports import PagePosition

__all__ = ["members_app"]

_SHOWN_TO_PEOPLE = 20
_PAGE_ROWS = 500
_Outcome = TypeVar("_Outcome")

members_app = typer.Typer(help="The members: import, approve, list.")
members_app.add_typer(mapping_app, name="mapping")
members_app.add_typer(questionable_app, name="questionable")


@members_app.command(
    "import",
    epilog="""\b
Examples:
  membercard-issuer --home office members import members.xlsx --portraits photos --report refused.csv
  membercard-issuer --home office members import members.xlsx --portraits photos --correction back.xlsx
  membercard-issuer --home office members import - --portraits photos < members.csv
""",
)
@needs(Right.IMPORT_MEMBERS, by_use_case=True)
def import_members_command(
    context: typer.Context,
    file: ListArgument,
    *,
    portraits: Annotated[Path, typer.Option(help="The directory of the portraits.")],
    mapping: MappingOption = None,
    report: ReportOption = None,
    correction: Annotated[
        Path | None,
        typer.Option(
            help="Write the rows that are refused or questionable to this file (xlsx or csv), "
            "with what is wrong in Vietnamese and English, for the committee to correct."
        ),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take members from a list; every row ends taken, already present, refused or questionable.

    Rows that were taken are kept where others are refused; questionable ones wait for a person.
    An import that broke off goes on when the same list is brought again. The exit status is 1
    where a row was refused or is questionable.
    """
    actor = command_context(context).actor
    with (
        open_register_home(command_context(context).home) as opened,
        open_laid_out(file, member_layout(mapping)) as table,
        open_member_import(opened, portraits) as member_import,
        open_report(report) as found,
    ):
        with import_progress(table.row_count, output_format=output_format) as progress:
            record = member_import.run(table, actor=actor, progress=progress)
        for outcome in member_import.outcomes(record):
            found.take(outcome)
        if correction is not None:
            write_correction(correction, table, member_import.outcomes(record))
        found.conclude(output_format, what="members", record=record)


@members_app.command(
    "approve",
    epilog="""\b
Examples:
  membercard-issuer --home office members approve --all --by "deciding committee"
  membercard-issuer --home office members approve --card-number 01.000123 --by "deciding committee"
""",
)
@needs(Right.DECIDE)
def approve_members_command(
    context: typer.Context,
    *,
    by: Annotated[str, typer.Option(help="The body that decided.")],
    every: Annotated[
        bool, typer.Option("--all", help="Every member that is recorded and not approved.")
    ] = False,
    card_number: Annotated[
        list[str] | None, typer.Option(help="This member; may be repeated.")
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Record the deciding body's approval: from then on a card may be made.

    The exit status is 1 where a member could not be approved.
    """
    if every == bool(card_number):
        raise typer.BadParameter("give either --all or --card-number")
    with open_register_home(command_context(context).home) as opened:
        approval = opened.approval()
        if every:
            with opened.register.reading() as transaction:
                total = transaction.members.count(state=MemberState.RECORDED)
            outcomes = approval.approve_all(by=by)
        else:
            numbers = [opened.scheme.parse(text) for text in card_number or ()]
            total = len(numbers)
            outcomes = approval.approve(numbers, by=by)
        approved, refused = 0, list[ApprovalOutcome]()
        for outcome in _with_progress(outcomes, total=total, output_format=output_format):
            if outcome.code is None:
                approved += 1
            else:
                refused.append(outcome)
        _conclude_approval(opened, approved, refused, output_format)


@members_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office members list
  membercard-issuer --home office members list --state recorded --limit 50
  membercard-issuer --home office members list --format json
""",
)
@needs(Right.READ_MEMBERS, at="organisation")
def list_members_command(
    context: typer.Context,
    state: Annotated[MemberState | None, typer.Option(help="Only members in this state.")] = None,
    organisation: Annotated[
        str | None, typer.Option(help="Only members of the organisation with this code.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List members in Vietnamese order: by given name, then family name."""
    code = None if organisation is None else parse_organisation_code(organisation)
    with open_register_home(command_context(context).home) as opened:
        if code is not None:
            with opened.register.reading() as transaction:
                transaction.organisations.get(code)
        members = itertools.islice(_walk(opened, state=state, organisation_code=code), limit)
        if output_format is OutputFormat.JSON:
            print_json_list(_member_as_json(opened, member) for member in members)
            return
        print_table(
            ("Card number", "Name", "Born", "Organisation", "State"),
            (
                (
                    opened.scheme.display(member.statement.card_number),
                    member.statement.name.full,
                    member.statement.birth_date.isoformat(),
                    member.statement.organisation_code,
                    member.state.value,
                )
                for member in members
            ),
        )


@members_app.command(
    "template",
    epilog="""\b
Examples:
  membercard-issuer members template members.xlsx
  membercard-issuer members template members.csv
  membercard-issuer members template - --as json
""",
)
@needs_no_right("it writes an empty list")
def members_template_command(
    out: TemplateArgument = Path("-"),
    form: Annotated[
        ListFormat | None,
        typer.Option(
            "--as", help="The kind of file; else the name's ending tells, and csv without one."
        ),
    ] = None,
) -> None:
    """Write an empty member list as xlsx, csv or json; docs/member-list.md explains its columns."""
    if form is None:
        ending = out.suffix.lower().removeprefix(".")
        form = ListFormat(ending) if ending in tuple(ListFormat) else ListFormat.CSV
    write_template(out, member_template(form))


def _with_progress(
    outcomes: Iterable[_Outcome], *, total: int, output_format: OutputFormat
) -> Iterator[_Outcome]:
    """The outcomes as they come, with a bar on the terminal."""
    console = standard_error()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=output_format is OutputFormat.JSON or not console.is_terminal,
    ) as progress:
        task = progress.add_task("Members", total=total)
        for outcome in outcomes:
            yield outcome
            progress.advance(task)


def _walk(opened: RegisterHome, **selection: Any) -> Iterator[Member]:
    """All pages of the list, each read in a transaction of its own."""
    behind: PagePosition | None = None
    while True:
        with opened.register.reading() as transaction:
            page = transaction.members.page(limit=_PAGE_ROWS, behind=behind, **selection)
        yield from page.members
        if page.end is None:
            return
        behind = page.end


def _member_as_json(opened: RegisterHome, member: Member) -> dict[str, object]:
    statement, approval = member.statement, member.approval
    return {
        "member_id": str(member.member_id),
        "card_number": opened.scheme.display(statement.card_number),
        "full_name": statement.name.full,
        "birth_date": statement.birth_date.isoformat(),
        "organisation_code": statement.organisation_code,
        "kind": statement.kind.value,
        "ordinal": statement.ordinal,
        "state": member.state.value,
        "recorded_at": member.recorded_at.isoformat(),
        "approved_by": None if approval is None else approval.by,
        "approved_at": None if approval is None else approval.at.isoformat(),
    }


def _conclude_approval(
    opened: RegisterHome,
    approved: int,
    refused: list[ApprovalOutcome],
    output_format: OutputFormat,
) -> None:
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "approved": approved,
                "refused": [
                    {
                        "member_id": str(each.member_id),
                        "card_number": opened.scheme.display(each.card_number),
                        "code": each.code,
                        "reason": each.sentence,
                    }
                    for each in refused
                ],
            }
        )
    else:
        console = standard_output()
        if refused:
            print_table(
                ("Card number", "Code", "Reason"),
                (
                    (opened.scheme.display(each.card_number), each.code or "", each.sentence)
                    for each in refused[:_SHOWN_TO_PEOPLE]
                ),
            )
        console.print(f"{approved} members approved, {len(refused)} not.")
    if refused:
        raise typer.Exit(1)
