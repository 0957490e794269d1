"""What an import tells: a report file with every refusal, and a closing word for people or programs."""

import codecs
import contextlib
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TextIO

import typer

from issuer.cli_context import OutputFormat, print_json, print_table, standard_output
from issuer.domain.list_row import Finding
from issuer.errors import IssuerUnavailableError
from issuer.services.import_outcome import ImportSummary, RowOutcome

__all__ = [
    "ImportReport",
    "ListArgument",
    "ReportOption",
    "TemplateArgument",
    "open_report",
    "write_template",
]

_SHOWN_TO_PEOPLE = 20
_SHOWN_TO_PROGRAMS = 1_000
_REPORT_COLUMNS = ("row", "column", "code", "reason")
_BYTE_ORDER_MARK = "\ufeff"

ListArgument = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="The list: xlsx, csv or json; - reads standard input."),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report", help="Write every refusal to this csv file: row, column, code, reason."
    ),
]
TemplateArgument = Annotated[
    Path, typer.Argument(metavar="OUT", help="The file to write; - writes to standard output.")
]


class ImportReport:
    """Counts the outcomes of an import, writes refusals to the report file and keeps the first for display."""

    def __init__(self, file: TextIO | None, path: Path | None) -> None:
        self._writer = None if file is None else csv.writer(file)
        self._path = path
        self._summary = ImportSummary()
        self._shown: list[Finding] = []
        if self._writer is not None:
            self._writer.writerow(_REPORT_COLUMNS)

    def take(self, outcome: RowOutcome) -> None:
        """One row more."""
        self._summary = self._summary.with_outcome(outcome)
        for finding in outcome.findings:
            if len(self._shown) < _SHOWN_TO_PROGRAMS:
                self._shown.append(finding)
            if self._writer is not None:
                self._writer.writerow((finding.row, finding.column, finding.code, finding.sentence))

    def conclude(self, output_format: OutputFormat, *, what: str) -> None:
        """Say how it ended.

        Raises:
            typer.Exit: with status 1, where a row was refused.
        """
        summary = self._summary
        if output_format is OutputFormat.JSON:
            print_json(
                {
                    "taken": summary.taken,
                    "already_present": summary.already_present,
                    "refused": summary.refused,
                    "refusals": [
                        {
                            "row": each.row,
                            "column": each.column,
                            "code": each.code,
                            "reason": each.sentence,
                        }
                        for each in self._shown
                    ],
                    "report": None if self._path is None else str(self._path),
                }
            )
        else:
            self._print(summary, what)
        if summary.refused:
            raise typer.Exit(1)

    def _print(self, summary: ImportSummary, what: str) -> None:
        console = standard_output()
        if self._shown:
            print_table(
                ("Row", "Column", "Code", "Reason"),
                (
                    (str(each.row), each.column, each.code, each.sentence)
                    for each in self._shown[:_SHOWN_TO_PEOPLE]
                ),
            )
            if len(self._shown) > _SHOWN_TO_PEOPLE:
                console.print(f"The first {_SHOWN_TO_PEOPLE} refusals are shown.")
        console.print(
            f"{summary.taken} {what} taken, {summary.already_present} already present, "
            f"{summary.refused} rows refused."
        )
        if self._path is not None:
            console.print(f"Every refusal is in {self._path}.", markup=False)


@contextlib.contextmanager
def open_report(path: Path | None) -> Iterator[ImportReport]:
    """A report that also goes to a file, where one is named.

    Raises:
        IssuerUnavailableError: the file cannot be written (``file.unavailable``).
    """
    if path is None:
        yield ImportReport(None, None)
        return
    with _writing(path) as file:
        # Spreadsheets take a text file for UTF-8 only where it says so.
        file.write(_BYTE_ORDER_MARK)
        yield ImportReport(file, path)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[TextIO]:
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be written: {error.strerror}", code="file.unavailable"
        ) from error
    with file:
        yield file


def write_template(out: Path, content: bytes) -> None:
    """An empty list; ``-`` writes it to standard output.

    Raises:
        IssuerUnavailableError: the file cannot be written (``file.unavailable``).
    """
    if str(out) == "-":
        # The mark is for spreadsheets that open a file; in a pipe it would be part of the first column.
        sys.stdout.buffer.write(content.removeprefix(codecs.BOM_UTF8))
        sys.stdout.buffer.flush()
        return
    try:
        out.write_bytes(content)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{out} cannot be written: {error.strerror}", code="file.unavailable"
        ) from error
