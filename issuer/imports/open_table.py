"""Opens a list, whatever its kind: told by its first bytes, not by its name."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from issuer.errors import IssuerDataError
from issuer.imports.json_table import JsonSheet, is_json
from issuer.imports.table import Layout, Sheet, Table, TemplateLayout, digest_of, open_bounded
from issuer.imports.text_table import TextSheet
from issuer.imports.workbook import WORKBOOK_MAGIC, open_workbook

__all__ = ["open_laid_out", "open_table"]

_OLD_OFFICE_MAGIC = bytes.fromhex("D0CF11E0A1B11AE1")
_START_BYTES = 64


@contextlib.contextmanager
def open_table(path: Path, columns: Sequence[str]) -> Iterator[Table]:
    """A table with exactly these columns; ``-`` takes standard input.

    Raises:
        IssuerUnavailableError: the file cannot be opened (``file.unavailable``).
        IssuerDataError: the file is refused as a whole (``file.*``).
    """
    with open_laid_out(path, TemplateLayout(columns=columns)) as table:
        yield table


@contextlib.contextmanager
def open_laid_out(path: Path, layout: Layout) -> Iterator[Table]:
    """A table whose columns are found by a layout: the template's, or a mapping.

    Raises:
        IssuerUnavailableError: the file cannot be opened (``file.unavailable``).
        IssuerDataError: the file is refused as a whole (``file.*``, ``mapping.*``).
    """
    with open_bounded(path) as file:
        digest = digest_of(file)
        start = file.read(_START_BYTES)
        if start.startswith(_OLD_OFFICE_MAGIC):
            raise IssuerDataError(
                "the file is an old or password-protected workbook",
                code="file.not-supported",
                hint="save it as a plain xlsx workbook, without a password",
            )
        if start.startswith(WORKBOOK_MAGIC):
            with open_workbook(file) as workbook:
                yield Table(workbook, layout, digest=digest)
            return
        sheet: Sheet = JsonSheet(file) if is_json(start) else TextSheet(file)
        yield Table(sheet, layout, digest=digest)
