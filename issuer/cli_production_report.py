"""The command ``membercard-issuer reports production``: how far production has come, by organisation."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_reports import (
    merged_report_file,
    merged_reports_of,
    production_file,
    production_of,
)
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_table,
    standard_output,
)
from issuer.cli_report_files import report_form, write_report
from issuer.cli_report_sources import (
    SOURCE_HEADS,
    InstancesOption,
    line_source_as_json,
    line_source_cells,
    print_sources,
    sources_as_json,
)
from issuer.cli_rights import needs
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.production_report import Stage
from issuer.domain.rights import Right
from issuer.errors import IssuerRefusedError
from issuer.services.merged_reports import MergedReport, MergedSubject
from issuer.services.production_reports import ProductionLine, ProductionReports

__all__ = ["production_report_app"]

_PAGE = 500

production_report_app = typer.Typer(rich_markup_mode=None)


@production_report_app.command(
    "production",
    epilog="""\b
Examples:
  membercard-issuer --home office reports production
  membercard-issuer --home office reports production --organisation P-01 --out P-01.pdf
  membercard-issuer --home office reports production --with-instances --out nation.xlsx
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
    with_instances: InstancesOption = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Where all of it is written: a name that ends in .xlsx or .pdf."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show how far production has come, as it was counted last by `reports count`."""
    actor = command_context(context).actor
    above = None if organisation is None else parse_organisation_code(organisation)
    form = None if out is None else report_form(out)
    content, merged = b"", None
    with open_register_home(command_context(context).home) as opened:
        if with_instances:
            reports, subject = merged_reports_of(opened), MergedSubject.PRODUCTION
            if form is not None:
                content = merged_report_file(
                    reports, form, above=above, actor=actor, subject=subject
                )
            merged = reports.show(actor=actor, above=above, subject=subject)
            lines = [ProductionLine.of_merged(each) for _, each in merged.lines]
            counted_at = merged.counted_at
            until = _Until(deadline=merged.deadline, today=merged.today)
        else:
            production = production_of(opened)
            if form is not None:
                content = production_file(production, form, above=above, actor=actor)
            counted_at, lines = _all_lines(production, context, above)
            until = _Until(deadline=production.deadline, today=production.today())
    if out is not None:
        write_report(out, content)
    if output_format is OutputFormat.JSON:
        deadline = until.deadline
        print_json(
            {
                "counted_at": counted_at.isoformat(),
                "deadline": None if deadline is None else deadline.isoformat(),
                **({} if merged is None else _merged_as_json(merged)),
                "lines": [_as_json(each, until) for each in lines],
            }
        )
        return
    _print(lines, until, merged)
    if out is not None:
        standard_output().print(f"{out}: written.", markup=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Until:
    """Until when it is to be done, and the day on which that is looked at."""

    deadline: date | None
    today: date

    def needed(self, line: ProductionLine) -> int | None:
        """How many cards a day that takes."""
        if self.deadline is None:
            return None
        return line.progress.needed_a_day(self.deadline, today=self.today)


def _all_lines(
    production: ProductionReports, context: typer.Context, above: OrganisationCode | None
) -> tuple[datetime, list[ProductionLine]]:
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
    return first.counted_at, lines


def _print(lines: list[ProductionLine], until: _Until, merged: MergedReport | None) -> None:
    heads = (
        "Organisation", "Name", "%", *(each.value for each in Stage), "> 30 days", "A day", "Chips", "Left",
    )  # fmt: skip
    print_table(
        (*heads, *(() if merged is None else SOURCE_HEADS)),
        (
            (*_cells(each, until), *(() if merged is None else line_source_cells(each.source)))
            for each in lines
        ),
    )
    if merged is not None:
        print_sources(merged)


def _cells(line: ProductionLine, until: _Until) -> tuple[str, ...]:
    progress, needed = line.progress, until.needed(line)
    return (
        line.code,
        line.name,
        _percent(progress.per_mille),
        *(str(progress.at(stage).cards) for stage in Stage),
        str(sum(progress.at(stage).very_long for stage in Stage)),
        "-" if needed is None else str(needed),
        str(progress.stock.received),
        str(progress.stock.left),
    )


def _merged_as_json(merged: MergedReport) -> dict[str, Any]:
    return {"own_instance": merged.own, "instances": sources_as_json(merged)}


def _percent(value: int | None) -> str:
    return "-" if value is None else f"{value // 10}.{value % 10}"


def _as_json(line: ProductionLine, until: _Until) -> dict[str, Any]:
    return {
        "code": line.code,
        "name": line.name,
        "below": line.below,
        "per_mille": line.progress.per_mille,
        "left": line.progress.left,
        "needed_a_day": until.needed(line),
        "stages": {each.value: asdict(line.progress.at(each)) for each in Stage},
        "rejects": dict(line.progress.rejects),
        "spoiled_blanks": dict(line.progress.blanks),
        "stock": asdict(line.progress.stock),
        **line_source_as_json(line.source),
    }
