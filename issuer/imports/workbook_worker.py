"""The process that reads a workbook: standard input is the file, standard output one JSON line a row.

It runs with bounded memory and time, so that a workbook made to exhaust either ends this process only.
The first line is ``{"rows": n}``; each further one is a list of cells, dates as ``{"date": text}``.
"""

import datetime as dt
import json
import os
import resource
import sys

from python_calamine import CalamineError, CalamineWorkbook

from issuer.imports.table import MAX_ROWS

_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
_CPU_SECONDS = 240
_OUTPUT_BYTES = 512 * 1024 * 1024
_MAX_COLUMNS = 256


def main() -> int:
    """Read the first sheet; status 1 says that it cannot be read."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_OUTPUT_BYTES, _OUTPUT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with os.fdopen(0, "rb", closefd=False) as file:
            workbook = CalamineWorkbook.from_filelike(file)
        sheet = workbook.get_sheet_by_index(0)
        if sheet.total_width > _MAX_COLUMNS:
            return 1
        # `total_height` is the index of the last row, not how many there are.
        count = 0 if sheet.end is None else sheet.end[0] + 1
        _write({"rows": count})
        if count > MAX_ROWS + 1:
            # The reader refuses the sheet; walking it could take as long as its maker likes.
            return 0
        for row in sheet.iter_rows():
            _write([_plain(cell) for cell in row])
        sys.stdout.flush()
    except (CalamineError, MemoryError, IndexError, OSError):
        return 1
    return 0


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=True, default=str) + "\n")


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
