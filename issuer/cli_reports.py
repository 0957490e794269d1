"""The commands ``membercard-issuer reports ...``: how good the register is, by organisation."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_reports import (
    merged_report_file,
    merged_reports_of,
    report_file,
    reports_of,
)
from issuer.cli_context import (
    FormatOption,
    OutputFormat,
    command_context,
    print_json,
    print_table,
    standard_output,
)
from issuer.cli_production_report import production_report_app
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
from issuer.domain.report import Quality
from issuer.domain.rights import Right
from issuer.errors import IssuerRefusedError
from issuer.services.merged_reports import MergedReport
from issuer.services.report_ports import ReportLine

__all__ = ["reports_app"]

_PAGE: Final = 500
_HEADS: Final = (
    "Organisation", "Name", "Members", *(each.capitalize() for each in Quality), "Ageing",
)  # fmt: skip

reports_app = typer.Typer(
    help="How right, complete, clean and live the register is, by organisation.",
    rich_markup_mode=None,
)

reports_app.add_typer(production_report_app)

OrganisationOption = Annotated[
    str | None,
    typer.Option(help="The organisation and those below it; absent: all that one may see."),
]


@reports_app.command(
    "count",
    epilog="""\b
Examples:
  membercard-issuer --home office reports count
""",
)
@needs(Right.READ_REPORTS, by_use_case=True)
def count_command(context: typer.Context, output_format: FormatOption = OutputFormat.TEXT) -> None:
    """Count the whole register anew; reports show what was counted last."""
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        counted_at = reports_of(opened).count(actor=actor)
    if output_format is OutputFormat.JSON:
        print_json({"counted_at": counted_at.isoformat()})
    else:
        standard_output().print(f"Counted at {counted_at.isoformat(timespec='seconds')}.")


@reports_app.command(
    "show",
    epilog="""\b
Examples:
  membercard-issuer --home office reports show
  membercard-issuer --home office reports show --organisation P-01 --format json
  membercard-issuer --home office reports show --with-instances
""",
)
@needs(Right.READ_REPORTS, by_use_case=True)
def show_command(
    context: typer.Context,
    organisation: OrganisationOption = None,
    *,
    with_instances: InstancesOption = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show one level of the tree: shares in per cent, as they were counted last."""
    actor = command_context(context).actor
    above = _code(organisation)
    if with_instances:
        with open_register_home(command_context(context).home) as opened:
            _show_merged(merged_reports_of(opened).show(actor=actor, above=above), output_format)
        return
    lines: list[ReportLine] = []
    with open_register_home(command_context(context).home) as opened:
        reports = reports_of(opened)
        behind: OrganisationCode | None = None
        while True:
            found = reports.show(actor=actor, above=above, limit=_PAGE, behind=behind)
            lines += found.page.lines
            behind = found.page.end
            if behind is None:
                break
    if found.counted_at is None:
        raise IssuerRefusedError(
            "the register was not counted yet",
            code="report.not-counted",
            hint="membercard-issuer reports count",
        )
    shown = lines if found.head is None else [found.head, *lines]
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "counted_at": found.counted_at.isoformat(),
                "lines": [_as_json(each) for each in shown],
            }
        )
        return
    print_table(_HEADS, (_cells(each) for each in shown))
    standard_output().print(f"Counted at {found.counted_at.isoformat(timespec='seconds')}.")


@reports_app.command(
    "export",
    epilog="""\b
Examples:
  membercard-issuer --home office reports export report.xlsx
  membercard-issuer --home office reports export P-01.pdf --organisation P-01
  membercard-issuer --home office reports export nation.xlsx --with-instances
""",
)
@needs(Right.READ_REPORTS, by_use_case=True)
def export_command(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="A name that ends in .xlsx or .pdf.")],
    *,
    organisation: OrganisationOption = None,
    with_instances: InstancesOption = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Write the report of an organisation and all below it, as a workbook or as a paper to be signed."""
    form = report_form(out)
    actor = command_context(context).actor
    with open_register_home(command_context(context).home) as opened:
        above = _code(organisation)
        if with_instances:
            content = merged_report_file(merged_reports_of(opened), form, above=above, actor=actor)
        else:
            content = report_file(reports_of(opened), form, above=above, actor=actor)
    write_report(out, content)
    if output_format is OutputFormat.JSON:
        print_json({"file": str(out), "bytes": len(content)})
    else:
        standard_output().print(f"{out}: {len(content)} bytes.", markup=False)


def _show_merged(report: MergedReport, output_format: OutputFormat) -> None:
    lines = [line for _, line in report.lines]
    if output_format is OutputFormat.JSON:
        print_json(
            {
                "own_instance": report.own,
                "counted_at": report.counted_at.isoformat(),
                "instances": sources_as_json(report),
                "lines": [{**_as_json(each), **line_source_as_json(each.source)} for each in lines],
            }
        )
        return
    print_table(
        (*_HEADS, *SOURCE_HEADS),
        ((*_cells(each), *line_source_cells(each.source)) for each in lines),
    )
    print_sources(report)


def _cells(line: ReportLine) -> tuple[str, ...]:
    return (
        line.code,
        line.name,
        str(line.measures.members),
        *(_percent(line, quality) for quality in Quality),
        f"{line.measures.ageing_requests}/{line.measures.open_requests}",
    )


def _code(text: str | None) -> OrganisationCode | None:
    return None if text is None else parse_organisation_code(text)


def _percent(line: ReportLine, quality: Quality) -> str:
    value = line.measures.per_mille(quality)
    return "-" if value is None else f"{value // 10}.{value % 10}"


def _as_json(line: ReportLine) -> dict[str, Any]:
    return {
        "code": line.code,
        "name": line.name,
        "below": line.below,
        **{f"{each}_per_mille": line.measures.per_mille(each) for each in Quality},
        **asdict(line.measures),
    }
