"""Tables in the first sheet of a workbook (xlsx).

A workbook is an archive of XML from a stranger. Its archive is measured here, byte by byte; the XML is read by
another process with bounded memory and time (:mod:`issuer.imports.workbook_worker`), which can only fail, not
take this one with it.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import IO, Any, BinaryIO

from issuer.domain.list_row import Cell, ListRow
from issuer.errors import IssuerDataError
from issuer.imports.table import MAX_ROWS, Header

__all__ = ["WORKBOOK_MAGIC", "open_workbook"]

WORKBOOK_MAGIC = b"PK\x03\x04"
"""How an archive begins, and with it every workbook of this kind."""

_MAX_ENTRIES = 2_000
_MAX_UNPACKED_BYTES = 512 * 1024 * 1024
_MAX_LINE_CHARACTERS = 256 * 1024
_SECONDS = 300
_MACRO_MARKS = ("vbaproject", "activex", "macrosheets", "dialogsheets", "vbadata")
_CONTENT_TYPES = "[Content_Types].xml"
_WORKBOOK_ENTRY = "xl/workbook.xml"


class WorkbookTable:
    """The first sheet, as the worker wrote it down: one JSON line a row."""

    def __init__(self, output: IO[str], columns: Sequence[str]) -> None:
        """Take the first two lines: how many rows there are, and the header.

        Raises:
            IssuerDataError: the sheet could not be read (``file.malformed``), has too many rows
                (``file.too-many-rows``), or other columns (``file.columns``).
        """
        self._output = output
        self._row_count = self._read_count()
        self._header = Header.from_cells(self._read_cells() or [], columns)

    @property
    def row_count(self) -> int:
        """The lines below the header, empty ones included."""
        return max(self._row_count - 1, 0)

    def rows(self) -> Iterator[ListRow]:
        """The rows that are not empty."""
        number = 1
        while (cells := self._read_cells()) is not None:
            number += 1
            row = self._header.row(number, cells)
            if row is not None:
                yield row

    def _read_count(self) -> int:
        answer = self._read_line()
        if not isinstance(answer, dict) or "rows" not in answer:
            raise _unreadable()
        count = int(answer["rows"])
        if count > MAX_ROWS + 1:
            raise IssuerDataError(
                f"the sheet has {count - 1} rows, expected at most {MAX_ROWS}",
                code="file.too-many-rows",
            )
        return count

    def _read_cells(self) -> list[Cell] | None:
        answer = self._read_line()
        return [_cell(value) for value in answer] if isinstance(answer, list) else None

    def _read_line(self) -> Any:
        line = self._output.readline(_MAX_LINE_CHARACTERS + 1)
        if len(line) > _MAX_LINE_CHARACTERS:
            raise IssuerDataError("a row of the sheet is too long", code="file.malformed")
        return json.loads(line) if line else None


@contextlib.contextmanager
def open_workbook(file: BinaryIO, columns: Sequence[str]) -> Iterator[WorkbookTable]:
    """The table in the first sheet of a workbook.

    Raises:
        IssuerDataError: not a workbook, or one that cannot be read within the bounds (``file.malformed``),
            that unpacks to too much (``file.too-large``), or holds macros (``file.macros``).
    """
    judge_archive(file)
    file.seek(0)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        try:
            # The worker inherits the open file itself, so it reads what was judged; -P keeps the current
            # directory from lending it modules.
            status = subprocess.run(
                (sys.executable, "-P", "-m", "issuer.imports.workbook_worker"),
                stdin=file,
                stdout=spool,
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise _unreadable() from error
        if status != 0:
            raise _unreadable()
        spool.seek(0)
        yield WorkbookTable(spool, columns)


def judge_archive(file: BinaryIO) -> None:
    """Unpack every entry once, counting, and look for what no list needs.

    Raises:
        IssuerDataError: as :func:`open_workbook`.
    """
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if len(entries) > _MAX_ENTRIES:
                raise IssuerDataError(
                    f"the archive has {len(entries)} entries, expected at most {_MAX_ENTRIES}",
                    code="file.malformed",
                )
            names = [entry.filename for entry in entries]
            if len(set(names)) != len(names):
                raise IssuerDataError(
                    "an entry of the archive stands there twice", code="file.malformed"
                )
            if any(mark in name.lower() for name in names for mark in _MACRO_MARKS):
                raise IssuerDataError(
                    "the workbook holds macros",
                    code="file.macros",
                    hint="save it as a plain xlsx workbook",
                )
            if _WORKBOOK_ENTRY not in names or _CONTENT_TYPES not in names:
                raise IssuerDataError("the archive is not an xlsx workbook", code="file.malformed")
            # What an entry says of its size is its own claim: only unpacking tells.
            left = _MAX_UNPACKED_BYTES
            for entry in entries:
                with archive.open(entry) as unpacked:
                    while chunk := unpacked.read(1 << 20):
                        left -= len(chunk)
                        if left < 0:
                            raise IssuerDataError(
                                f"the workbook unpacks to more than {_MAX_UNPACKED_BYTES} bytes",
                                code="file.too-large",
                            )
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
    ) as error:
        # RuntimeError is how the library says that an entry is encrypted.
        raise IssuerDataError(
            "the workbook's archive cannot be unpacked", code="file.malformed"
        ) from error


def _cell(value: Any) -> Cell:
    if isinstance(value, dict):
        text = str(value.get("date", ""))
        try:
            return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
        except ValueError:
            return text
    if value is None or isinstance(value, (str, float, int, bool)):
        return value
    return str(value)


def _unreadable() -> IssuerDataError:
    return IssuerDataError(
        "the workbook cannot be read within bounded memory and time", code="file.malformed"
    )
