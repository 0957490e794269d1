"""Tables in the first sheet of a workbook (xlsx).

A workbook is an archive of XML from a stranger. Its archive is measured here, byte by byte; the XML is read by
another process with bounded memory and time (:mod:`issuer.imports.workbook_worker`), which can only fail, not
take this one with it.
"""

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, BinaryIO

from issuer.domain.list_row import Cell
from issuer.errors import IssuerDataError
from issuer.imports.table import MAX_ROWS, Line, is_found

__all__ = ["WORKBOOK_MAGIC", "open_workbook"]

WORKBOOK_MAGIC = b"PK\x03\x04"
"""How an archive begins, and with it every workbook of this kind."""

_MAX_ENTRIES = 2_000
_MAX_UNPACKED_BYTES = 512 * 1024 * 1024
_MAX_LINE_BYTES = 256 * 1024
_SECONDS = 300
_MACRO_MARKS = ("vbaproject", "activex", "macrosheets", "dialogsheets", "vbadata")
_LINK_MARKS = ("xl/externallinks/", "xl/connections.xml", "xl/querytables/", "xl/model/")
_CONTENT_TYPES = "[Content_Types].xml"
_WORKBOOK_ENTRY = "xl/workbook.xml"


class WorkbookSheet:
    """The first sheet, as the worker wrote it down: one JSON line a row."""

    def __init__(self, output: BinaryIO) -> None:
        """Take the first line: how many rows there are.

        Raises:
            IssuerDataError: the sheet could not be read (``file.malformed``), computes its cells
                (``file.formulas``), or has too many rows (``file.too-many-rows``).
        """
        self._output = output
        self._line_count = self._read_count()
        self._begin = output.tell()

    @property
    def line_count(self) -> int:
        """All lines, empty ones included."""
        return self._line_count

    def may_hold(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether text of its cells may match, in UTF-8."""
        return is_found(self._output, pattern)

    def lines(self) -> Iterator[Line]:
        """All lines."""
        self._output.seek(self._begin)
        number = 0
        while (answer := self._read_line()) is not None:
            if not isinstance(answer, list):
                raise _unreadable()
            number += 1
            yield Line(number, [_cell(each) if type(each) is dict else each for each in answer])

    def _read_count(self) -> int:
        answer = self._read_line()
        if not isinstance(answer, dict):
            raise _unreadable()
        if "formula" in answer:
            raise IssuerDataError(
                f"cell {answer['formula']} of the sheet is a formula",
                code="file.formulas",
                hint="copy the sheet and paste it as values",
            )
        count = answer.get("rows")
        if type(count) is not int:
            raise _unreadable()
        if count > MAX_ROWS + 1:
            raise IssuerDataError(
                f"the sheet has {count - 1} rows, expected at most {MAX_ROWS}",
                code="file.too-many-rows",
            )
        return count

    def _read_line(self) -> Any:
        line = self._output.readline(_MAX_LINE_BYTES + 1)
        if len(line) > _MAX_LINE_BYTES:
            raise IssuerDataError("a row of the sheet is too long", code="file.malformed")
        try:
            return json.loads(line) if line else None
        except (ValueError, RecursionError) as error:
            raise _unreadable() from error


@contextlib.contextmanager
def open_workbook(file: BinaryIO) -> Iterator[WorkbookSheet]:
    """The first sheet of a workbook.

    Raises:
        IssuerDataError: not a workbook, or one that cannot be read within the bounds (``file.malformed``),
            that unpacks to too much (``file.too-large``), holds macros (``file.macros``), formulas
            (``file.formulas``) or links to other data (``file.external-links``).
    """
    judge_archive(file)
    file.seek(0)
    with tempfile.TemporaryFile() as spool:
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
        yield WorkbookSheet(spool)


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
            if any(name.lower().startswith(_LINK_MARKS) for name in names):
                raise IssuerDataError(
                    "the workbook takes data from other files",
                    code="file.external-links",
                    hint="copy the sheet into a new workbook and paste it as values",
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


def _cell(value: dict[str, Any]) -> Cell:
    text = str(value.get("date", ""))
    try:
        return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
    except ValueError:
        return text


def _unreadable() -> IssuerDataError:
    return IssuerDataError(
        "the workbook cannot be read within bounded memory and time", code="file.malformed"
    )
