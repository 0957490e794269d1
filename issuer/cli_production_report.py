"""The command ``membercard-issuer reports production``: how far production has come, by organisation."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_reports import production_file, production_of
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_table,
    standard_output,
)
from issuer.cli_report_files import report_form, write_report
from issuer.cli_rights import needs
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.production_report import Stage
from issuer.domain.rights import Right
from issuer.errors import IssuerRefusedError
from issuer.services.production_reports import ProductionLine, ProductionReport, ProductionReports

__all__ = ["production_report_app"]

_PAGE = 500

production_report_app = typer.Typer(rich_markup_mode=None)


@production_report_app.command(
    "production",
    epilog="""\b
Examples:
  membercard-issuer --home office reports production
  membercard-issuer --home office reports production --organisation P-01 --out P-01.pdf
""",
)
@needs(Right.READ_REPORTS, by_use_case=True)
def production_command(
    context: typer.Context,
    *,
    organisation: Annotated[
        str | None,
        typer.Option(help="The organisation and those below it; absent: all that one may see."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where all of it is written: a name that ends in .xlsx or .pdf."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show how far production has come, as it was counted last by `reports count`."""
    actor = command_context(context).actor
    above = None if organisation is None else parse_organisation_code(organisation)
    with open_register_home(command_context(context).home) as opened:
        production = production_of(opened)
        if out is not None:
            form = report_form(out)
            write_report(out, production_file(production, form, above=above, actor=actor))
        report, lines = _all_lines(production, context, above)
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "counted_at": None if report.counted_at is None else report.counted_at.isoformat(),
                "deadline": None if report.deadline is None else report.deadline.isoformat(),
                "lines": [_as_json(each, report) for each in lines],
            }
        )
        return
    print_table(
        ("Organisation", "Name", "%", *(each.value for each in Stage), "> 30 days", "A day"),
        (
            (
                each.code,
                each.name,
                _percent(each.progress.per_mille),
                *(str(each.progress.at(stage).cards) for stage in Stage),
                str(sum(each.progress.at(stage).very_long for stage in Stage)),
                str(_needed(each, report) if _needed(each, report) is not None else "-"),
            )
            for each in lines
        ),
    )
    if out is not None:
        standard_output().print(f"{out}: written.", markup=False)


def _all_lines(
    production: ProductionReports, context: typer.Context, above: OrganisationCode | None
) -> tuple[ProductionReport, list[ProductionLine]]:
    actor = command_context(context).actor
    first = found = production.show(actor=actor, above=above, limit=_PAGE)
    if first.counted_at is None:
        raise IssuerRefusedError(
            "the register was not counted yet",
            code="report.not-counted",
            hint="membercard-issuer reports count",
        )
    lines = [*(() if first.head is None else (first.head,)), *first.lines]
    while found.end is not None:
        found = production.show(actor=actor, above=above, limit=_PAGE, behind=found.end)
        lines += found.lines
    return first, lines


def _percent(value: int | None) -> str:
    return "-" if value is None else f"{value // 10}.{value % 10}"


def _needed(line: ProductionLine, report: ProductionReport) -> int | None:
    if report.deadline is None:
        return None
    return line.progress.needed_a_day(report.deadline, today=report.today)


def _as_json(line: ProductionLine, report: ProductionReport) -> dict[str, Any]:
    return {
        "code": line.code,
        "name": line.name,
        "below": line.below,
        "per_mille": line.progress.per_mille,
        "left": line.progress.left,
        "needed_a_day": _needed(line, report),
        "stages": {each.value: asdict(line.progress.at(each)) for each in Stage},
        "rejects": dict(line.progress.rejects),
        "spoiled_blanks": dict(line.progress.blanks),
    }
