"""Tables of comma-separated values in UTF-8 (RFC 4180); semicolons and tabs are taken too.

Vietnamese spreadsheets save "CSV" with semicolons, because the comma is their decimal sign.
"""

import csv
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from issuer.domain.list_row import ListRow
from issuer.errors import IssuerDataError
from issuer.imports.table import MAX_COLUMNS, MAX_ROWS, Header

__all__ = ["TextTable"]

_MAX_LINE_BYTES = 64 * 1024
_MAX_RECORD_CHARACTERS = 64 * 1024
_DELIMITERS = (",", ";", "\t")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class TextTable:
    """A text table whose every line has been read once and found well-formed."""

    def __init__(self, file: BinaryIO, columns: Sequence[str]) -> None:
        """Judge the whole file.

        Raises:
            IssuerDataError: not UTF-8 text (``file.not-utf-8``), not a table (``file.malformed``), other
                columns (``file.columns``), or too many rows or cells (``file.too-many-rows``,
                ``file.malformed``).
        """
        self._file = file
        self._delimiter = _find_delimiter(self._file)
        records = self._records()
        self._header = Header.from_cells(next(records, []), columns)
        self._row_count = sum(1 for _ in records)

    @property
    def row_count(self) -> int:
        """The lines below the header."""
        return self._row_count

    def rows(self) -> Iterator[ListRow]:
        """The rows that are not empty."""
        for number, record in enumerate(self._records(), start=1):
            if number == 1:
                continue
            row = self._header.row(number, record)
            if row is not None:
                yield row

    def _records(self) -> Iterator[list[str]]:
        reader = csv.reader(self._lines(), delimiter=self._delimiter, strict=True)
        count = 0
        try:
            for record in reader:
                count += 1
                if count > MAX_ROWS + 1:
                    raise IssuerDataError(
                        f"the file has more than {MAX_ROWS} rows", code="file.too-many-rows"
                    )
                if len(record) > MAX_COLUMNS or sum(map(len, record)) > _MAX_RECORD_CHARACTERS:
                    raise IssuerDataError(
                        f"line {reader.line_num} is too long for a row", code="file.malformed"
                    )
                yield record
        except csv.Error as error:
            raise IssuerDataError(
                f"line {reader.line_num} is not one of a table of comma-separated values",
                code="file.malformed",
            ) from error

    def _lines(self) -> Iterator[str]:
        self._file.seek(0)
        number = 0
        while line := self._file.readline(_MAX_LINE_BYTES + 1):
            number += 1
            if number == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if len(line) > _MAX_LINE_BYTES:
                raise IssuerDataError(
                    f"line {number} is longer than {_MAX_LINE_BYTES} bytes", code="file.malformed"
                )
            if b"\0" in line:
                raise IssuerDataError(
                    f"line {number} holds a null character", code="file.not-utf-8"
                )
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise IssuerDataError(
                    f"line {number} is not UTF-8",
                    code="file.not-utf-8",
                    hint="save the list as xlsx, or as CSV in UTF-8",
                ) from error


def _find_delimiter(file: BinaryIO) -> str:
    """The sign that the header line holds most of: the names of columns contain none of them."""
    file.seek(0)
    line = file.readline(_MAX_LINE_BYTES)
    return max(_DELIMITERS, key=lambda delimiter: line.count(delimiter.encode()))
