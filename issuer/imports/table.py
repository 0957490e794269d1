"""Tables from files: the header names the columns, every further line is a row.

A file is judged as a whole before its first row is given out: a wrong one changes nothing. It is opened once,
and what was judged is what is read, even if somebody puts another file in its place meanwhile.
"""

import contextlib
import hashlib
import itertools
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO, Protocol

from issuer.domain.list_row import Cell, ListRow
from issuer.errors import IssuerDataError, IssuerUnavailableError

__all__ = [
    "MAX_COLUMNS",
    "MAX_FILE_BYTES",
    "MAX_LINE_CHARACTERS",
    "MAX_ROWS",
    "Header",
    "Layout",
    "Line",
    "RowMaker",
    "Sheet",
    "Table",
    "TemplateLayout",
    "digest_of",
    "is_empty",
    "is_found",
    "open_bounded",
    "plain_text",
]

MAX_FILE_BYTES = 64 * 1024 * 1024
"""The largest list taken, in bytes."""

MAX_ROWS = 400_000
"""The most rows of one list: the members of the largest province and a few more."""

MAX_COLUMNS = 256
"""The most cells of one line."""

MAX_LINE_CHARACTERS = 64 * 1024
"""The most characters of one line."""

_PATTERN_BYTES = 64
"""More than any pattern matches that a file is searched for."""

_TEXT_HINT = "the template: membercard-issuer members template"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: ``number`` counts as a spreadsheet does, the first line is 1."""

    number: int
    cells: Sequence[Cell] = field(repr=False)


class Sheet(Protocol):
    """Lines of cells that have been judged as a whole, whatever kind of file they come from."""

    @property
    def line_count(self) -> int:
        """How many lines there are at most, empty ones included."""

    def lines(self) -> Iterator[Line]:
        """All lines in their order; may be walked again."""

    def may_hold(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether text of its cells may match, in UTF-8."""


class Layout(Protocol):
    """How the lines of a file become rows of our columns."""

    @property
    def header_line(self) -> int:
        """The number of the line that names the columns."""

    @property
    def digest(self) -> bytes:
        """SHA-256 over whatever of the layout says how a file is read; empty for the template."""

    def header(self, cells: Sequence[Cell]) -> "RowMaker":
        """Find the columns in the header line.

        Raises:
            IssuerDataError: it is not the header that is expected (``file.columns``, ``mapping.*``).
        """


class RowMaker(Protocol):
    """Makes rows of lines, once the header is known."""

    def row(self, number: int, cells: Sequence[Cell]) -> ListRow | None:
        """The cells by column; ``None`` for a line without content."""

    def positions_of(self, column: str) -> tuple[int, ...]:
        """Where the cells of a column stand in a line; none where it is constant or left out."""

    def as_text(self, position: int, cell: Cell) -> str:
        """A cell as text that is read as the same content."""


@dataclass(frozen=True, slots=True)
class Header:
    """Which cell of a line belongs to which column."""

    positions: tuple[tuple[str, int], ...]
    width: int

    @classmethod
    def from_cells(
        cls,
        cells: Sequence[Cell],
        columns: Sequence[str],
        *,
        passed_over: Sequence[str] = (),
        optional: Sequence[str] = (),
    ) -> "Header":
        """Find every column in the header line; their order does not matter.

        Args:
            cells: the header line.
            columns: what must be there.
            passed_over: columns that may be there and say nothing: a correction file's own.
            optional: further columns that may be there.

        Raises:
            IssuerDataError: a column is missing, unknown or there twice (``file.columns``).
        """
        names = [cell.strip().lower() if isinstance(cell, str) else cell for cell in cells]
        while names and names[-1] in (None, ""):
            names.pop()
        columns = [*columns, *(column for column in optional if column in names)]
        missing = [column for column in columns if column not in names]
        if missing:
            raise IssuerDataError(
                f"the header line lacks {', '.join(missing)}", code="file.columns", hint=_TEXT_HINT
            )
        told = [name for name in names if name not in passed_over]
        if len(told) != len(columns):
            raise IssuerDataError(
                f"the header line has {len(told)} columns, expected the {len(columns)} of the template",
                code="file.columns",
                hint=_TEXT_HINT,
            )
        return cls(tuple((column, names.index(column)) for column in columns), len(names))

    def row(self, number: int, cells: Sequence[Cell]) -> ListRow | None:
        """The cells by column; ``None`` for a line without content."""
        width = len(cells)
        found = {
            column: cells[position] if position < width else None
            for column, position in self.positions
        }
        has_surplus = width > self.width and not all(map(is_empty, cells[self.width :]))
        if not has_surplus and all(map(is_empty, found.values())):
            return None
        return ListRow(number=number, cells=found, has_surplus=has_surplus)

    def positions_of(self, column: str) -> tuple[int, ...]:
        """Where the cells of a column stand in a line."""
        return tuple(position for name, position in self.positions if name == column)

    def as_text(self, position: int, cell: Cell) -> str:
        """A cell as text that is read as the same content."""
        del position
        return plain_text(cell)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateLayout:
    """The published template: our own names in the first line."""

    columns: Sequence[str]
    passed_over: Sequence[str] = ()
    optional: Sequence[str] = ()

    @property
    def header_line(self) -> int:
        """The first one."""
        return 1

    @property
    def digest(self) -> bytes:
        """The template reads every file alike."""
        return b""

    def header(self, cells: Sequence[Cell]) -> Header:
        """Find the columns in the header line.

        Raises:
            IssuerDataError: ``file.columns``.
        """
        return Header.from_cells(
            cells, self.columns, passed_over=self.passed_over, optional=self.optional
        )


class Table:
    """A judged file with its columns found."""

    def __init__(self, sheet: Sheet, layout: Layout, *, digest: bytes) -> None:
        """Find the columns.

        Args:
            sheet: the lines of the file.
            layout: how they become rows.
            digest: SHA-256 of the file; the table's own digest covers the layout too.

        Raises:
            IssuerDataError: other columns than the layout's (``file.columns``, ``mapping.*``).
        """
        self.digest = hashlib.sha256(digest + layout.digest).digest()
        self._sheet = sheet
        self._header_line = layout.header_line
        found = next(
            (line.cells for line in sheet.lines() if line.number == layout.header_line), ()
        )
        self.header: tuple[Cell, ...] = tuple(found)
        self._rows = layout.header(self.header)

    @property
    def row_count(self) -> int:
        """How many rows there are at most, for a progress display; empty ones are counted and not given out."""
        return max(self._sheet.line_count - self._header_line, 0)

    def rows(self) -> Iterator[ListRow]:
        """The rows that are not empty, in their order; may be walked again."""
        make = self._rows.row
        for line in self.lines():
            row = make(line.number, line.cells)
            if row is not None:
                yield row

    def lines(self) -> Iterator[Line]:
        """The lines below the header as they stand in the file."""
        return (line for line in self._sheet.lines() if line.number > self._header_line)

    def may_hold(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether text of its cells may match, in UTF-8: a look that costs less than walking the rows."""
        return self._sheet.may_hold(pattern)

    def preface(self) -> Iterator[Line]:
        """The lines above the header."""
        return itertools.islice(self._sheet.lines(), self._header_line - 1)

    def positions_of(self, column: str) -> tuple[int, ...]:
        """Where the cells of a column stand in a line; none where it is constant or left out."""
        return self._rows.positions_of(column)

    def as_text(self, position: int, cell: Cell) -> str:
        """A cell as text that is read as the same content."""
        return self._rows.as_text(position, cell)


@contextlib.contextmanager
def open_bounded(path: Path) -> Iterator[BinaryIO]:
    """A regular file of at most ``MAX_FILE_BYTES``; ``-`` takes standard input.

    Raises:
        IssuerUnavailableError: it cannot be opened or read (``file.unavailable``).
        IssuerDataError: it is larger (``file.too-large``).
    """
    if str(path) == "-":
        with tempfile.TemporaryFile() as spool:
            size = 0
            while chunk := sys.stdin.buffer.read(1 << 20):
                size += len(chunk)
                _judge_size(size)
                spool.write(chunk)
            spool.seek(0)
            yield spool
        return
    try:
        # A named pipe would otherwise keep us waiting for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise IssuerUnavailableError(
            f"{path} cannot be opened: {reason}", code="file.unavailable"
        ) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise IssuerUnavailableError(f"{path} is not a file", code="file.unavailable")
    with os.fdopen(descriptor, "rb") as file:
        _judge_size(status.st_size)
        yield file


def digest_of(file: BinaryIO) -> bytes:
    """SHA-256 of the whole file; its position is at the start again."""
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    file.seek(0)
    return digest.digest()


def is_found(file: BinaryIO, pattern: re.Pattern[bytes]) -> bool:
    """Whether a pattern of a few bytes stands anywhere in a file; its position is somewhere else afterwards."""
    file.seek(0)
    before = b""
    while chunk := file.read(1 << 20):
        if pattern.search(before + chunk):
            return True
        before = chunk[-_PATTERN_BYTES:]
    return False


def plain_text(cell: Cell) -> str:
    """A cell as people see it: a whole number has no decimal point, a date is written YYYY-MM-DD."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def is_empty(cell: Cell) -> bool:
    """Whether nothing stands there; white space is nothing."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _judge_size(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise IssuerDataError(
            f"the file has {size} bytes or more, expected at most {MAX_FILE_BYTES}",
            code="file.too-large",
        )
