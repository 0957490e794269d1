"""How results are written: for people or for programs; what every command of the verifier shares."""

import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from verifier.inspection.explained_material import Material
from verifier.inspection.explanation import explain_inspection
from verifier.inspection.messages import Language
from verifier.presentation import report_view, standard_output
from verifier.presentation_explained import explained_view
from verifier.result_files import document
from verifier.services.inspect_card import Inspection, InspectionRules

__all__ = ["FormatOption", "OutputFormat", "print_explained", "print_json", "print_one"]


class OutputFormat(StrEnum):
    """How results are written."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[
    OutputFormat,
    typer.Option("--format", help="How results are written: for people or for programs."),
]


def print_one(
    inspection: Inspection, output_format: OutputFormat, *, show_unverified: bool
) -> None:
    """The report of one card."""
    if output_format is OutputFormat.JSON:
        print_json(document(inspection, show_unverified=show_unverified))
        return
    console = standard_output()
    console.print(
        report_view(inspection, show_unverified=show_unverified, is_terminal=console.is_terminal)
    )


def print_explained(
    inspection: Inspection,
    rules: InspectionRules,
    *,
    language: Language,
    show_unverified: bool,
    output_format: OutputFormat,
) -> None:
    """The report, with the whole procedure as it went."""
    explained = explain_inspection(
        Material(
            snapshot=inspection.snapshot,
            policy=rules.policy,
            trust=rules.anchors,
            now=inspection.report.judged_at,
        ),
        inspection.report,
        show_unverified=show_unverified,
    )
    if output_format is OutputFormat.JSON:
        result = document(inspection, show_unverified=show_unverified)
        print_json({**result, "explanation": explained.to_json(language)})
        return
    console = standard_output()
    console.print(
        explained_view(
            inspection,
            explained,
            language,
            show_unverified=show_unverified,
            is_terminal=console.is_terminal,
        )
    )


def print_json(value: object) -> None:
    """One JSON document."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
