"""The command ``membercard-issuer stock report``: the books of every site, with what was destroyed, stopped and closed."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from issuer.bootstrap import open_register_home
from issuer.bootstrap_stock import stock_of
from issuer.bootstrap_stock_report import stock_file_of
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
from issuer.domain.rights import Right
from issuer.services.stock_reports import SiteLine, StockReport

__all__ = ["stock_report_app"]

stock_report_app = typer.Typer(rich_markup_mode=None)


@stock_report_app.command(
    "report",
    epilog="""\b
Examples:
  membercard-issuer --home office stock report
  membercard-issuer --home office stock report --out stock.pdf
""",
)
@needs(Right.READ_STOCK, by_use_case=True)
def stock_report_command(
    context: typer.Context,
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="Where it is written as well: a name that ends in .xlsx or .pdf."),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show the books of every site, what was destroyed and stopped there, and its last close; every chip is counted."""
    actor = command_context(context).actor
    form = None if out is None else report_form(out)
    with open_register_home(command_context(context).home) as opened:
        reports = stock_of(opened.register).reports
        report = (
            reports.show(actor=actor, is_patient=True)
            if form is None
            else reports.export(actor=actor, form=form, is_patient=True)
        )
    if out is not None and form is not None:
        write_report(out, stock_file_of(report, form))
    if output_format is OutputFormat.JSON:
        print_json(_document(report))
        return
    print_table(
        ("Site", "Received", "Good", "Spoiled", "Samples", "Left", "Destroyed", "Stop list", "Closed", "Books"),
        (_cells(each) for each in report.lines),
    )  # fmt: skip
    if out is not None:
        standard_output().print(f"{out}: written.", markup=False)


def _cells(line: SiteLine) -> tuple[str, ...]:
    found, tally, close = line.figures, line.tally, line.last_close
    return (
        line.view.site.code,
        *map(str, (found.received, found.good, found.spoiled, found.samples, found.left, found.destroyed)),
        f"{tally.confirmed}+{tally.reported}" if tally.reported else str(tally.confirmed),
        "-" if close is None else close.day.isoformat(),
        "agree" if line.view.account.is_balanced else "DIFFER",
    )  # fmt: skip


def _document(report: StockReport) -> dict[str, Any]:
    return {
        "made_at": report.made_at.isoformat(),
        "total": asdict(report.total),
        "stop_list": {"reported": report.reported, "confirmed": report.confirmed},
        "sites": [_line(each) for each in report.lines],
    }


def _line(line: SiteLine) -> dict[str, Any]:
    site, close, owes = line.view.site, line.last_close, line.view.owes_since
    return {
        "site": site.code,
        "kind": site.kind.value,
        "name": site.name,
        "organisation": site.organisation,
        **asdict(line.figures),
        "balanced": line.view.account.is_balanced,
        "stop_list": {"reported": line.tally.reported, "confirmed": line.tally.confirmed},
        "owes_since": None if owes is None else owes.isoformat(),
        "last_close": None
        if close is None
        else {
            "day": close.day.isoformat(),
            "counted_by": close.counted_by,
            "counted_at": close.counted_at.isoformat(),
            "closed_by": close.closed_by,
            "closed_at": None if close.closed_at is None else close.closed_at.isoformat(),
        },
    }
