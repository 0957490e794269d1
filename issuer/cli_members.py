"""Commands of the members: import, list, template."""

import gc
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import RegisterHome, open_member_import, open_register_home
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json_list,
    print_table,
)
from issuer.cli_import_report import (
    ListArgument,
    ReportOption,
    TemplateArgument,
    import_progress,
    open_report,
    write_template,
)
from issuer.cli_mapping import MappingOption, mapping_app
from issuer.cli_member_checks import member_checks_app
from issuer.cli_member_records import member_records_app
from issuer.cli_questionable import questionable_app
from issuer.cli_rights import needs, needs_no_right
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.rights import Actor, Right
from issuer.imports.correction import write_correction
from issuer.imports.member_layout import member_layout
from issuer.imports.open_table import open_laid_out
from issuer.imports.template import ListFormat, member_template
from issuer.services.directory_ports import DirectoryPosition, MemberLine, MemberSelection

__all__ = ["members_app"]

_SHOWN_TO_PEOPLE = 20
_PAGE_ROWS = 500

members_app = typer.Typer(
    help="The members: import, list, look at and change.", rich_markup_mode=None
)
# Without a name of their own, these become commands of the same object.
members_app.add_typer(member_records_app)
members_app.add_typer(member_checks_app)
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
            # The program itself lives to the end: its collector need not walk it with every few hundred rows.
            gc.freeze()
            record = member_import.run(table, actor=actor, progress=progress)
        for outcome in member_import.outcomes(record):
            found.take(outcome)
        if correction is not None:
            write_correction(correction, table, member_import.outcomes(record))
        found.conclude(output_format, what="members", record=record)


@members_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office members list
  membercard-issuer --home office members list --organisation P-01 --limit 50
  membercard-issuer --home office members list --format json
""",
)
@needs(Right.READ_MEMBERS, by_use_case=True)
def list_members_command(
    context: typer.Context,
    organisation: Annotated[
        str | None,
        typer.Option(
            help="Only members recorded in this organisation or below it; absent: all whom one may see."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List members in Vietnamese order: by given name, then family name. It is recorded who was shown."""
    actor = command_context(context).actor
    roots = None if organisation is None else frozenset({parse_organisation_code(organisation)})
    with open_register_home(command_context(context).home) as opened:
        lines = _walk(opened, MemberSelection(roots=roots), actor=actor, limit=limit)
        # What is refused is refused before a word is printed.
        first = list(itertools.islice(lines, 1))
        lines = itertools.chain(first, lines)
        if output_format is OutputFormat.JSON:
            print_json_list(_line_as_json(opened, line) for line in lines)
            return
        print_table(
            ("Record number", "Name", "Born", "Organisation", "Standing", "Earlier card"),
            (
                (
                    line.record_number,
                    line.full_name,
                    line.birth_date.isoformat(),
                    line.organisation_code,
                    line.standing.value,
                    _earlier_card(opened, line) or "",
                )
                for line in lines
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


def _walk(
    opened: RegisterHome, selection: MemberSelection, *, actor: Actor, limit: int | None
) -> Iterator[MemberLine]:
    """Page by page, each recorded as it is shown; no more are read than are shown."""
    left = limit
    behind: DirectoryPosition | None = None
    while left is None or left > 0:
        page = opened.reading().page(
            selection,
            actor=actor,
            limit=_PAGE_ROWS if left is None else min(left, _PAGE_ROWS),
            behind=behind,
        )
        yield from page.lines
        left = None if left is None else left - len(page.lines)
        behind = page.end
        if behind is None:
            return


def _line_as_json(opened: RegisterHome, line: MemberLine) -> dict[str, object]:
    return {
        "member_id": str(line.member_id),
        "record_number": line.record_number,
        "full_name": line.full_name,
        "birth_date": line.birth_date.isoformat(),
        "organisation_code": line.organisation_code,
        "standing": line.standing.value,
        "earlier_card_number": _earlier_card(opened, line),
        "version": line.version,
    }


def _earlier_card(opened: RegisterHome, line: MemberLine) -> str | None:
    number = line.earlier_card_number
    return None if number is None else opened.scheme.display(number)
