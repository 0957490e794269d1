"""Tables of comma-separated values in UTF-8 (RFC 4180); semicolons and tabs are taken too.

Vietnamese spreadsheets save "CSV" with semicolons, because the comma is their decimal sign.
"""

import codecs
import csv
import re
from collections.abc import Iterator
from typing import BinaryIO

from issuer.errors import IssuerDataError
from issuer.imports.table import MAX_COLUMNS, MAX_LINE_CHARACTERS, MAX_ROWS, Line, is_found

__all__ = ["FORMULA_STARTS", "TextSheet", "as_text_cell"]

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text cell for a formula."""

_MAX_LINE_BYTES = 64 * 1024
_DELIMITERS = (",", ";", "\t")
_BYTE_ORDER_MARK = codecs.BOM_UTF8
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HINT = "save the list as xlsx, or as CSV in UTF-8"


def as_text_cell(text: str) -> str:
    """Text as our own files write it: an apostrophe keeps a spreadsheet from computing it; reading takes it off."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _as_meant(text: str) -> str:
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA_STARTS) else text


class TextSheet:
    """A text table whose every line has been read once and found well-formed."""

    def __init__(self, file: BinaryIO) -> None:
        """Judge the whole file.

        Raises:
            IssuerDataError: not UTF-8 text (``file.not-utf-8``), not a table (``file.malformed``), or too many
                rows or cells (``file.too-many-rows``, ``file.malformed``).
        """
        self._file = file
        _judge_encoding(file)
        self._delimiter = _find_delimiter(self._file)
        self._line_count = sum(1 for _ in self._records())

    @property
    def line_count(self) -> int:
        """All records, the header included."""
        return self._line_count

    def may_hold(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether text of its cells may match, in UTF-8."""
        return is_found(self._file, pattern)

    def lines(self) -> Iterator[Line]:
        """All records."""
        for number, record in enumerate(self._records(), start=1):
            has_apostrophe = "'" in "".join(record)
            yield Line(number, list(map(_as_meant, record)) if has_apostrophe else record)

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
                # Where every record so far had one line, this one is bounded as its line is.
                is_long = reader.line_num > count and sum(map(len, record)) > MAX_LINE_CHARACTERS
                if is_long or len(record) > MAX_COLUMNS:
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
                    f"line {number} holds a null character", code="file.not-utf-8", hint=_HINT
                )
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise IssuerDataError(
                    f"line {number} is not UTF-8; an older program may have saved it as windows-1258",
                    code="file.not-utf-8",
                    hint=_HINT,
                ) from error


def _judge_encoding(file: BinaryIO) -> None:
    file.seek(0)
    if file.read(2) in _UTF_16_MARKS:
        raise IssuerDataError("the file is UTF-16 text", code="file.not-utf-8", hint=_HINT)


def _find_delimiter(file: BinaryIO) -> str:
    """The sign that the header line holds most of: the names of columns contain none of them."""
    file.seek(0)
    line = file.readline(_MAX_LINE_BYTES)
    return max(_DELIMITERS, key=lambda delimiter: line.count(delimiter.encode()))
