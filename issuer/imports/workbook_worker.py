"""The process that reads a workbook: standard input is the file, standard output one JSON line a row.

It runs with bounded memory and time, so that a workbook made to exhaust either ends this process only.
The first line is ``{"rows": n}``, or ``{"formula": cell}`` where the sheet computes; each further one is a list
of cells, dates as ``{"date": text}``.
"""

import datetime as dt
import json
import os
import posixpath
import re
import resource
import sys
import zipfile
from typing import BinaryIO, TextIO
from xml.etree import ElementTree as ET

from python_calamine import CalamineError, CalamineWorkbook

from issuer.imports.table import MAX_ROWS

_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
_CPU_SECONDS = 240
_OUTPUT_BYTES = 512 * 1024 * 1024
_MAX_COLUMNS = 256
_MAX_DIRECTORY_BYTES = 4 * 1024 * 1024
_WINDOW_BYTES = 1024 * 1024
_OVERLAP_BYTES = 1024
_FORMULA = re.compile(rb"<(?:[A-Za-z0-9]{1,16}:)?f[\s/>]")
_CELL = re.compile(rb'<(?:[A-Za-z0-9]{1,16}:)?c\b[^>]{0,200}?\br="([A-Z]{1,3}[0-9]{1,7})"')
_RELATION_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

UNREADABLE = (
    CalamineError,
    MemoryError,
    LookupError,
    OSError,
    ET.ParseError,
    zipfile.BadZipFile,
    ValueError,
    StopIteration,
)
"""How a workbook may turn out to be none that can be read."""


def main() -> int:
    """Read the first sheet; status 1 says that it cannot be read."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_OUTPUT_BYTES, _OUTPUT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with os.fdopen(0, "rb", closefd=False) as file:
        return write_rows(file, sys.stdout)


def write_rows(file: BinaryIO, output: TextIO) -> int:
    """The rows of a workbook's first sheet, in whichever process; gives its exit status."""
    try:
        with zipfile.ZipFile(file) as archive:
            formula = find_formula(archive)
        if formula is not None:
            _write({"formula": formula}, output)
            output.flush()
            return 0
        file.seek(0)
        sheet = CalamineWorkbook.from_filelike(file).get_sheet_by_index(0)
        if sheet.total_width > _MAX_COLUMNS:
            return 1
        # `total_height` is the index of the last row, not how many there are.
        count = 0 if sheet.end is None else sheet.end[0] + 1
        _write({"rows": count}, output)
        if count > MAX_ROWS + 1:
            # The reader refuses the sheet; walking it could take as long as its maker likes.
            return 0
        for row in sheet.iter_rows():
            _write([_plain(cell) for cell in row], output)
        output.flush()
    except UNREADABLE:
        return 1
    return 0


def find_formula(archive: zipfile.ZipFile) -> str | None:
    """The first cell of the first sheet that holds a formula: a saved value may be older than what it came from."""
    name = _first_sheet(archive)
    if name not in archive.namelist():
        # Whatever the reader makes of such a workbook, it has no sheet that could compute.
        return None
    before = b""
    with archive.open(name) as sheet:
        while chunk := sheet.read(_WINDOW_BYTES):
            window = before + chunk
            found = _FORMULA.search(window)
            if found is not None:
                cells = _CELL.findall(window[: found.start()])
                return cells[-1].decode() if cells else "?"
            before = window[-_OVERLAP_BYTES:]
    return None


def _first_sheet(archive: zipfile.ZipFile) -> str:
    """The entry of the sheet that stands first in the workbook (ECMA-376 Part 1, 18.2.19 and 15.2)."""
    workbook = _parse(archive, "xl/workbook.xml")
    relations = _parse(archive, "xl/_rels/workbook.xml.rels")
    first = next(each for each in workbook.iter() if each.tag.rpartition("}")[2] == "sheet")
    wanted = first.get(_RELATION_ID) or next(
        value for name, value in first.items() if name.rpartition("}")[2] == "id"
    )
    target = next(each.get("Target", "") for each in relations if each.get("Id") == wanted)
    return posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")


def _parse(archive: zipfile.ZipFile, name: str) -> ET.Element:
    with archive.open(name) as entry:
        content = entry.read(_MAX_DIRECTORY_BYTES + 1)
    if len(content) > _MAX_DIRECTORY_BYTES or b"<!DOCTYPE" in content:
        raise ValueError("not the directory of a workbook")
    # This process is bounded in memory and time, and what declares entities was refused above.
    return ET.fromstring(content)  # noqa: S314


def _write(value: object, output: TextIO) -> None:
    output.write(json.dumps(value, ensure_ascii=True, default=str) + "\n")


def _plain(cell: object) -> object:
    """Dates as text with a mark; what has no use in a list (a time, a duration) as its text."""
    if isinstance(cell, dt.datetime):
        is_midnight = cell.time() == dt.time()
        return {"date": (cell.date() if is_midnight else cell).isoformat()}
    if isinstance(cell, dt.date):
        return {"date": cell.isoformat()}
    if isinstance(cell, (dt.time, dt.timedelta)):
        return str(cell)
    return None if cell == "" else cell


if __name__ == "__main__":
    sys.exit(main())
