"""Tables from files: the header names the columns, every further line is a row.

A file is judged as a whole before its first row is given out: a wrong one changes nothing. It is opened once,
and what was judged is what is read, even if somebody puts another file in its place meanwhile.
"""

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from issuer.domain.list_row import Cell, ListRow
from issuer.errors import IssuerDataError, IssuerUnavailableError

__all__ = [
    "MAX_COLUMNS",
    "MAX_FILE_BYTES",
    "MAX_ROWS",
    "Header",
    "Table",
    "open_bounded",
]

MAX_FILE_BYTES = 64 * 1024 * 1024
"""The largest list taken, in bytes."""

MAX_ROWS = 400_000
"""The most rows of one list: the members of the largest province and a few more."""

MAX_COLUMNS = 256
"""The most cells of one line."""

_TEXT_HINT = "the template: membercard-issuer members template"


class Table(Protocol):
    """A table that has been judged as a whole."""

    @property
    def row_count(self) -> int:
        """How many rows it has at most, for a progress display; empty ones are counted and not given out."""

    def rows(self) -> Iterator[ListRow]:
        """The rows that are not empty, in their order; may be walked once."""


@dataclass(frozen=True, slots=True)
class Header:
    """Which cell of a line belongs to which column."""

    positions: tuple[tuple[str, int], ...]
    width: int

    @classmethod
    def from_cells(cls, cells: Sequence[Cell], columns: Sequence[str]) -> "Header":
        """Find every column in the header line; their order does not matter.

        Raises:
            IssuerDataError: a column is missing, unknown or there twice (``file.columns``).
        """
        names = [cell.strip().lower() if isinstance(cell, str) else cell for cell in cells]
        while names and names[-1] in (None, ""):
            names.pop()
        missing = [column for column in columns if column not in names]
        if missing:
            raise IssuerDataError(
                f"the header line lacks {', '.join(missing)}", code="file.columns", hint=_TEXT_HINT
            )
        if len(names) != len(columns):
            raise IssuerDataError(
                f"the header line has {len(names)} columns, expected the {len(columns)} of the template",
                code="file.columns",
                hint=_TEXT_HINT,
            )
        return cls(tuple((column, names.index(column)) for column in columns), len(columns))

    def row(self, number: int, cells: Sequence[Cell]) -> ListRow | None:
        """The cells by column; ``None`` for a line without content."""
        if all(_is_empty(cell) for cell in cells):
            return None
        return ListRow(
            number=number,
            cells={
                column: cells[position] if position < len(cells) else None
                for column, position in self.positions
            },
            has_surplus=not all(_is_empty(cell) for cell in cells[self.width :]),
        )


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


def _judge_size(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise IssuerDataError(
            f"the file has {size} bytes or more, expected at most {MAX_FILE_BYTES}",
            code="file.too-large",
        )


def _is_empty(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())
