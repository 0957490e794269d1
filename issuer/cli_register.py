"""Commands of the database and of the organisations."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from issuer.bootstrap import open_register_home
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
    open_report,
    write_template,
)
from issuer.cli_organisation_changes import organisation_changes_app
from issuer.cli_rights import needs, needs_no_right
from issuer.domain.organisation import Organisation, OrganisationCode, parse_organisation_code
from issuer.domain.rights import Right
from issuer.imports.organisation_table import open_organisations, organisation_template
from issuer.services.import_organisations import import_organisations
from issuer.services.register_ports import Register

__all__ = ["organisations_app"]

_PAGE_ROWS = 500

organisations_app = typer.Typer(help="The tree of organisations.", rich_markup_mode=None)
# Without a name of their own, these become commands of the same object.
organisations_app.add_typer(organisation_changes_app)


@organisations_app.command(
    "import",
    epilog="""\b
Examples:
  membercard-issuer --home office organisations import organisations.csv
""",
)
@needs(Right.WRITE_ORGANISATIONS, by_use_case=True)
def import_organisations_command(
    context: typer.Context,
    file: ListArgument,
    report: ReportOption = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Take organisations from a list, as a whole or not at all.

    Organisations that are in the register already, and are stated alike, are left as they are.
    The exit status is 1 where a row was refused.
    """
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened, open_report(report) as found:
        with open_organisations(file) as table:
            outcomes = import_organisations(
                table.rows(),
                register=opened.register,
                actor=actor,
                now=datetime.now(UTC),
                scheme=opened.organisation_codes,
            )
        for outcome in outcomes:
            found.take(outcome)
    found.conclude(output_format, what="organisations")


@organisations_app.command(
    "list",
    epilog="""\b
Examples:
  membercard-issuer --home office organisations list
  membercard-issuer --home office organisations list --under P --limit 50 --behind P-17 --format json
""",
)
@needs(Right.READ_ORGANISATIONS, by_use_case=True)
def list_organisations_command(
    context: typer.Context,
    *,
    under: Annotated[
        str | None, typer.Option(help="Only those directly below this organisation.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    behind: Annotated[str | None, typer.Option(help="Only codes behind this one.")] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """List the open organisations of one's own part by code; organisations show --as-of looks into the past."""
    roots = command_context(context).actor.roots(Right.READ_ORGANISATIONS)
    with open_register_home(command_context(context).home) as opened:
        with opened.register.reading() as transaction:
            own = None if roots is None else transaction.organisations.below(roots)
        walk = _walk(
            opened.register,
            behind=None if behind is None else parse_organisation_code(behind),
            under=None if under is None else parse_organisation_code(under),
        )
        found = itertools.islice((each for each in walk if own is None or each.code in own), limit)
        if output_format is OutputFormat.JSON:
            print_json_list(
                {
                    "code": each.code,
                    "name": each.name,
                    "parent_code": each.parent_code,
                    "committee_number": each.committee_number,
                    "level": each.level,
                }
                for each in found
            )
            return
        print_table(
            ("Code", "Name", "Under", "Number", "Level"),
            (
                (
                    each.code,
                    each.name,
                    each.parent_code or "",
                    each.committee_number or "",
                    each.level or "",
                )
                for each in found
            ),
        )


def _walk(
    register: Register, *, behind: OrganisationCode | None, under: OrganisationCode | None
) -> Iterator[Organisation]:
    """All pages, each read in a transaction of its own."""
    while True:
        with register.reading() as transaction:
            page = transaction.organisations.page(limit=_PAGE_ROWS, behind=behind, under=under)
        yield from page.organisations
        if page.end is None:
            return
        behind = page.end


@organisations_app.command(
    "template",
    epilog="""\b
Examples:
  membercard-issuer organisations template organisations.csv
""",
)
@needs_no_right("it writes an empty list")
def organisations_template_command(
    out: TemplateArgument = Path("-"),
) -> None:
    """Write an empty list of organisations, as csv."""
    write_template(out, organisation_template())
