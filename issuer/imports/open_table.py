"""Opens a list, whatever its kind: told by its first bytes, not by its name."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from issuer.errors import IssuerDataError
from issuer.imports.table import Table, open_bounded
from issuer.imports.text_table import TextTable
from issuer.imports.workbook import WORKBOOK_MAGIC, open_workbook

__all__ = ["open_table"]

_OLD_OFFICE_MAGIC = bytes.fromhex("D0CF11E0A1B11AE1")


@contextlib.contextmanager
def open_table(path: Path, columns: Sequence[str]) -> Iterator[Table]:
    """A table with exactly these columns; ``-`` takes standard input.

    Raises:
        IssuerUnavailableError: the file cannot be opened (``file.unavailable``).
        IssuerDataError: the file is refused as a whole (``file.*``).
    """
    with open_bounded(path) as file:
        start = file.read(len(_OLD_OFFICE_MAGIC))
        if start == _OLD_OFFICE_MAGIC:
            raise IssuerDataError(
                "the file is an old or password-protected workbook",
                code="file.not-supported",
                hint="save it as a plain xlsx workbook, without a password",
            )
        if start.startswith(WORKBOOK_MAGIC):
            with open_workbook(file, columns) as table:
                yield table
        else:
            yield TextTable(file, columns)
