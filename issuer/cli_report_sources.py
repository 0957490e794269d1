"""How commands tell whose figures stand in a report that is merged from several instances."""

from typing import Annotated, Any

import typer

from issuer.cli_context import print_table, standard_output
from issuer.services.merged_reports import MergedReport, SourceLine
from issuer.services.report_ports import LineSource

__all__ = [
    "SOURCE_HEADS",
    "InstancesOption",
    "line_source_as_json",
    "line_source_cells",
    "print_sources",
    "sources_as_json",
]

SOURCE_HEADS = ("Instance", "As of")
"""Heads of the columns with whose figures a line holds, and as of when."""

InstancesOption = Annotated[
    bool,
    typer.Option(
        "--with-instances",
        help="Merge in what the instances below told of their registers, and name each of them.",
    ),
]


def line_source_cells(source: LineSource | None) -> tuple[str, str]:
    """What stands below ``SOURCE_HEADS``."""
    if source is None:
        return "-", "-"
    merged = f" +{source.merged}" if source.merged else ""
    return f"{source.instance}{merged}", source.as_of.isoformat(timespec="seconds")


def line_source_as_json(source: LineSource | None) -> dict[str, Any]:
    """The same for programs."""
    if source is None:
        return {}
    return {
        "instance": source.instance,
        "as_of": source.as_of.isoformat(),
        "merged_instances": source.merged,
    }


def print_sources(report: MergedReport) -> None:
    """Every instance below with the state of its figures, and when this register counted."""
    if report.sources:
        print_table(
            ("Instance", "Organisation", "Via", "State", "As of", "Without a line", "Production"),
            (_cells(each) for each in report.sources),
        )
    standard_output().print(
        f"{report.own} counted at {report.counted_at.isoformat(timespec='seconds')}.", markup=False
    )


def sources_as_json(report: MergedReport) -> list[dict[str, Any]]:
    """Every instance below, for programs."""
    return [
        {
            "instance": each.source.instance,
            "organisation": each.source.organisation,
            "via": each.source.via,
            "state": each.state.value,
            "as_of": None if each.source.counted_at is None else each.source.counted_at.isoformat(),
            "left_out": each.left_out,
            "states_production": each.states_production,
        }
        for each in report.sources
    ]


def _cells(line: SourceLine) -> tuple[str, ...]:
    source = line.source
    return (
        source.instance,
        source.organisation,
        source.via,
        line.state.value,
        "-" if source.counted_at is None else source.counted_at.isoformat(timespec="seconds"),
        str(line.left_out),
        "stated" if line.states_production else "not stated",
    )
