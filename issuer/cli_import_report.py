"""What an import tells: a report file with every refusal, and a closing word for people or programs."""

import codecs
import contextlib
import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from issuer.cli_context import (
    OutputFormat,
    print_json,
    print_table,
    standard_error,
    standard_output,
)
from issuer.domain.list_row import Finding
from issuer.errors import IssuerUnavailableError
from issuer.imports.text_table import as_text_cell
from issuer.services.import_members import ImportProgress
from issuer.services.import_outcome import ImportSummary, RowOutcome, RowResult
from issuer.services.import_ports import ImportRecord

__all__ = [
    "ImportReport",
    "ListArgument",
    "ReportOption",
    "TemplateArgument",
    "import_progress",
    "open_report",
    "write_template",
]

_SHOWN_TO_PEOPLE = 20
_SHOWN_TO_PROGRAMS = 1_000
_REPORT_COLUMNS = ("row", "column", "code", "reason", "result")
_BYTE_ORDER_MARK = "\ufeff"

ListArgument = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="The list: xlsx, csv or json; - reads standard input."),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        help="Write every refusal and every question to this csv file: row, column, code, reason, result.",
    ),
]
TemplateArgument = Annotated[
    Path, typer.Argument(metavar="OUT", help="The file to write; - writes to standard output.")
]


class ImportReport:
    """Counts the outcomes of an import, writes findings to the report file and keeps the first for display."""

    def __init__(self, file: TextIO | None, path: Path | None) -> None:
        self._writer = None if file is None else csv.writer(file)
        self._path = path
        self._summary = ImportSummary()
        self._shown: list[tuple[RowResult, Finding]] = []
        if self._writer is not None:
            self._writer.writerow(_REPORT_COLUMNS)

    def take(self, outcome: RowOutcome) -> None:
        """One row more."""
        self._summary = self._summary.with_outcome(outcome)
        for finding in outcome.findings:
            if len(self._shown) < _SHOWN_TO_PROGRAMS:
                self._shown.append((outcome.result, finding))
            if self._writer is not None:
                self._writer.writerow(
                    (
                        finding.row,
                        finding.column,
                        finding.code,
                        as_text_cell(finding.sentence),
                        outcome.result.value,
                    )
                )

    def conclude(
        self, output_format: OutputFormat, *, what: str, record: ImportRecord | None = None
    ) -> None:
        """Say how it ended.

        Args:
            output_format: for people or for programs.
            what: the rows, in the plural.
            record: the import, where there is one.

        Raises:
            typer.Exit: with status 1, where a row was refused or waits for a person.
        """
        summary = self._summary
        if output_format is OutputFormat.JSON:
            print_json(
                {
                    "taken": summary.taken,
                    "already_present": summary.already_present,
                    "refused": summary.refused,
                    "questionable": summary.questionable,
                    "refusals": self._listed(RowResult.REFUSED),
                    "questions": self._listed(RowResult.QUESTIONABLE),
                    "report": None if self._path is None else str(self._path),
                    "import": None if record is None else record.number,
                    "faces_checked": None if record is None else record.has_checked_faces,
                }
            )
        else:
            self._print(summary, what, record)
        if summary.refused or summary.questionable:
            raise typer.Exit(1)

    def _listed(self, result: RowResult) -> list[dict[str, object]]:
        return [
            {
                "row": each.row,
                "column": each.column,
                "code": each.code,
                "reason": each.sentence,
            }
            for found, each in self._shown
            if found is result
        ]

    def _print(self, summary: ImportSummary, what: str, record: ImportRecord | None) -> None:
        console = standard_output()
        if self._shown:
            print_table(
                ("Row", "Result", "Column", "Code", "Reason"),
                (
                    (str(each.row), result.value, each.column, each.code, each.sentence)
                    for result, each in self._shown[:_SHOWN_TO_PEOPLE]
                ),
            )
            if len(self._shown) > _SHOWN_TO_PEOPLE:
                console.print(f"The first {_SHOWN_TO_PEOPLE} findings are shown.")
        told = (
            f"{summary.taken} {what} taken, {summary.already_present} already present, "
            f"{summary.refused} rows refused"
        )
        console.print(
            told + "." if record is None else f"{told}, {summary.questionable} questionable."
        )
        if self._path is not None:
            console.print(f"Every finding is in {self._path}.", markup=False)
        if record is not None and summary.questionable:
            console.print(
                "Questionable rows wait for a person: "
                f"membercard-issuer members questionable list --import {record.number}"
            )
        if record is not None and not record.has_checked_faces:
            console.print(
                "Faces in the portraits were not counted: pip install 'membercard[faces]'",
                markup=False,
            )


@contextlib.contextmanager
def import_progress(
    row_count: int, *, output_format: OutputFormat
) -> Iterator[Callable[[ImportProgress], None]]:
    """A bar on the terminal, where there is one and people read it."""
    console = standard_error()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=output_format is OutputFormat.JSON or not console.is_terminal,
    ) as bar:
        task = bar.add_task("Members", total=row_count)
        yield lambda told: bar.update(task, completed=told.rows_done)


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
