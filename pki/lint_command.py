"""The command ``membercard-pki lint``: files in, findings out."""

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from pki.certificates.lint.documentation import rule_documents, to_markdown
from pki.certificates.lint.findings import Dialect, LintProfile
from pki.certificates.lint.linter import MAX_FILE_BYTES, LintReport, lint_file
from pki.presentation import print_table

__all__ = ["LINT_EXAMPLES", "lint_command"]

LINT_EXAMPLES: Final = """\b
Examples:
  membercard-pki lint csca.cer signer.pem csca.crl
  membercard-pki lint --dialect private --profile document-signer ds-1.cer
  membercard-pki lint --format json master-list.ml
  membercard-pki lint --rules --format json
"""

_ERRORS_FOUND: Final = 1
_UNREADABLE: Final = 2


class LintFormat(StrEnum):
    """How findings and rules are written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def lint_command(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Certificates, CRLs, master lists, CV certificates: DER or PEM."),
    ] = None,
    *,
    profile: Annotated[
        LintProfile | None,
        typer.Option(help="What every file is meant to be; found out from each file if not given."),
    ] = None,
    dialect: Annotated[
        Dialect,
        typer.Option(help="icao: elliptic curves are written out; private: they are named."),
    ] = Dialect.ICAO,
    rules: Annotated[
        bool, typer.Option("--rules", help="List the rules instead of linting.")
    ] = False,
    output_format: Annotated[
        LintFormat,
        typer.Option("--format", help="For people or for programs; markdown only for --rules."),
    ] = LintFormat.TEXT,
) -> None:
    """Check files against Doc 9303-12 and RFC 5280, ours and other people's; every finding has a code and a clause.

    Exit status: 0 no errors, 1 errors were found, 2 a file cannot be read or is no such object.
    """
    if rules:
        _print_rules(output_format)
        return
    if not files:
        raise typer.BadParameter("missing; give at least one, or --rules", param_hint="FILE")
    if output_format is LintFormat.MARKDOWN:
        raise typer.BadParameter("markdown is for --rules", param_hint="--format")
    reports = [(path, _lint(path, profile=profile, dialect=dialect)) for path in files]
    if output_format is LintFormat.JSON:
        _print_json(
            [_document(path, report) for path, found in reports for report in found or [None]]
        )
    else:
        _print_findings(reports)
    everything = [report for _, found in reports for report in found]
    if any(not found for _, found in reports) or not all(item.is_readable for item in everything):
        raise typer.Exit(_UNREADABLE)
    if any(report.errors for report in everything):
        raise typer.Exit(_ERRORS_FOUND)


def _lint(path: Path, *, profile: LintProfile | None, dialect: Dialect) -> tuple[LintReport, ...]:
    """The reports of a file; none where it cannot be opened."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError:
        return ()
    return lint_file(content, profile=profile, dialect=dialect)


def _document(path: Path, report: LintReport | None) -> dict[str, object]:
    if report is None:
        return {"file": str(path), "profile": None, "errors": None, "findings": []}
    return {
        "file": str(path),
        "profile": None if report.profile is None else report.profile.value,
        "errors": len(report.errors),
        "findings": [
            {
                "severity": item.severity.value,
                "rule": item.rule,
                "clause": item.clause,
                "path": item.path,
                "message": item.message,
            }
            for item in report.findings
        ],
    }


def _print_findings(reports: Sequence[tuple[Path, Sequence[LintReport]]]) -> None:
    for path, found in reports:
        if not found:
            print_table(Text(f"{_printable(str(path))}: cannot be opened"))
        for report in found:
            kind = "unreadable" if report.profile is None else report.profile.value
            errors = len(report.errors)
            warnings = len(report.findings) - errors
            print_table(
                Text(f"{_printable(str(path))}: {kind}, {errors} errors, {warnings} warnings")
            )
            for item in report.findings:
                where = f"{item.path}: " if item.path else ""
                line = f"  {item.severity.value} {item.rule}: {where}{item.message} ({item.clause})"
                print_table(Text(_printable(line)))


def _print_rules(output_format: LintFormat) -> None:
    if output_format is LintFormat.MARKDOWN:
        sys.stdout.write(to_markdown())
        return
    documents = rule_documents()
    if output_format is LintFormat.JSON:
        _print_json(documents)
        return
    table = Table(box=None, pad_edge=False)
    for name in ("code", "severity", "demands", "clause"):
        table.add_column(name, overflow="fold")
    for document in documents:
        table.add_row(
            *(Text(str(document[name])) for name in ("code", "severity", "demands", "clause"))
        )
    print_table(table)


def _print_json(documents: Sequence[dict[str, object]]) -> None:
    sys.stdout.write(json.dumps(documents, ensure_ascii=False, indent=2) + "\n")


def _printable(text: str) -> str:
    """Text that comes from a file or its name: nothing of it may steer the terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)
