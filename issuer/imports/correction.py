"""The correction file: the rows that were refused or are questionable, as the committee sent them, and what is wrong.

It has the columns of the list that came in, so that it comes in again by the same command, corrected; three columns
stand before them and are passed over then.
"""

import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import xlsxwriter

from issuer.domain.list_row import Cell, Finding
from issuer.errors import IssuerUnavailableError
from issuer.imports.column_guide import CORRECTION_COLUMNS, GUIDE
from issuer.imports.finding_texts import in_vietnamese
from issuer.imports.table import Line, Table, plain_text
from issuer.imports.text_table import as_text_cell
from issuer.services.import_outcome import RowOutcome

__all__ = ["write_correction"]

_LABELS = {column.value: guide.label for column, guide in GUIDE.items()}
_MAX_CELL_CHARACTERS = 32_767
"""The most characters of a cell of a workbook (ECMA-376 Part 1, 18.4.12)."""


class _Writer(Protocol):
    def write(self, cells: Sequence[Cell], *, wrong: frozenset[int] = frozenset()) -> None:
        """One line; ``wrong`` are the positions to point at."""


def write_correction(out: Path, table: Table, outcomes: Iterator[RowOutcome]) -> int:
    """Write the rows with findings; as text where the name ends in .csv, else as a workbook.

    Returns:
        How many rows there are.

    Raises:
        IssuerUnavailableError: the file cannot be written (``file.unavailable``).
    """
    own = _own_positions(table.header)
    count = 0
    is_text = out.suffix.lower() == ".csv"

    def kept(cells: Sequence[Cell]) -> list[Cell]:
        return [
            table.as_text(position, cell) if is_text else cell
            for position, cell in enumerate(cells)
            if position not in own
        ]

    with _open(out, is_text=is_text) as writer:
        for line in table.preface():
            writer.write(kept(line.cells))
        writer.write([*CORRECTION_COLUMNS, *kept(table.header)])
        wanted = (outcome for outcome in outcomes if outcome.findings)
        for line, outcome in _together(table.lines(), wanted):
            count += 1
            wrong = {
                len(CORRECTION_COLUMNS) + position - sum(1 for each in own if each < position)
                for finding in outcome.findings
                for position in table.positions_of(finding.column)
            }
            writer.write(
                [
                    float(outcome.row),
                    _told(outcome.findings, _vietnamese),
                    _told(outcome.findings, _english),
                    *kept(line.cells),
                ],
                wrong=frozenset(wrong),
            )
    return count


def _own_positions(header: Sequence[Cell]) -> frozenset[int]:
    """Where an earlier correction file, corrected, has columns of ours."""
    return frozenset(position for position, cell in enumerate(header) if cell in CORRECTION_COLUMNS)


def _together(
    lines: Iterator[Line], outcomes: Iterator[RowOutcome]
) -> Iterator[tuple[Line, RowOutcome]]:
    """The lines of these rows; both come in the order of the rows."""
    for outcome in outcomes:
        for line in lines:
            if line.number == outcome.row:
                yield line, outcome
                break


def _told(findings: Sequence[Finding], say: Callable[[Finding], str]) -> str:
    return "\n".join(dict.fromkeys(map(say, findings)))


def _vietnamese(finding: Finding) -> str:
    label = _LABELS.get(finding.column, "")
    return f"{label}: {in_vietnamese(finding.code)}" if label else in_vietnamese(finding.code)


def _english(finding: Finding) -> str:
    told = f"{finding.sentence} [{finding.code}]"
    return f"{finding.column}: {told}" if finding.column else told


@contextmanager
def _open(out: Path, *, is_text: bool) -> Iterator[_Writer]:
    try:
        # It holds personal data: nobody but its owner reads it.
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if is_text:
                text = io.TextIOWrapper(
                    file, encoding="utf-8-sig", errors="replace", newline="", write_through=True
                )
                yield _TextWriter(text)
                text.flush()
                text.detach()
            else:
                book = xlsxwriter.Workbook(
                    file,
                    {
                        "constant_memory": True,
                        "strings_to_formulas": False,
                        "strings_to_urls": False,
                    },
                )
                yield _WorkbookWriter(book)
                book.close()
    except OSError as error:
        raise IssuerUnavailableError(
            f"{out} cannot be written: {error.strerror}", code="file.unavailable"
        ) from error


class _TextWriter:
    def __init__(self, file: io.TextIOWrapper) -> None:
        self._writer = csv.writer(file)

    def write(self, cells: Sequence[Cell], *, wrong: frozenset[int] = frozenset()) -> None:
        """One record; what would be computed is kept from it, and reading takes that off again."""
        del wrong
        self._writer.writerow([as_text_cell(plain_text(cell)) for cell in cells])


class _WorkbookWriter:
    """Every text is written as text: nothing of a stranger's becomes a formula or a link."""

    def __init__(self, book: Any) -> None:
        self._sheet = book.add_worksheet("correction")
        pale = {"bg_color": "#FDE9D9"}
        self._text = book.add_format({"num_format": "@", "valign": "top"})
        self._wrong = book.add_format({"num_format": "@", "valign": "top"} | pale)
        self._day = book.add_format({"num_format": "dd/mm/yyyy", "valign": "top"})
        self._wrong_day = book.add_format({"num_format": "dd/mm/yyyy", "valign": "top"} | pale)
        self._told = book.add_format({"text_wrap": True, "valign": "top"})
        self._sheet.set_column(0, 0, 8)
        self._sheet.set_column(1, 2, 48, self._told)
        self._sheet.set_column(3, 60, 18)
        self._line = 0

    def write(self, cells: Sequence[Cell], *, wrong: frozenset[int] = frozenset()) -> None:
        """One row."""
        for position, cell in enumerate(cells):
            is_wrong = position in wrong
            where = (self._line, position)
            if cell is None:
                if is_wrong:
                    self._sheet.write_blank(*where, None, self._wrong)
            elif isinstance(cell, str):
                told = self._told if position in (1, 2) else self._text
                text = cell.encode(errors="replace").decode()[:_MAX_CELL_CHARACTERS]
                self._sheet.write_string(*where, text, self._wrong if is_wrong else told)
            elif isinstance(cell, bool):
                self._sheet.write_boolean(*where, cell)
            elif isinstance(cell, date):
                self._sheet.write_datetime(*where, cell, self._wrong_day if is_wrong else self._day)
            else:
                self._sheet.write_number(*where, cell)
        self._line += 1
