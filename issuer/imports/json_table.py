"""Lists in JSON (RFC 8259): one array of flat objects, whose names are the columns.

The array is read object by object, so that its length costs no memory; one object is bounded like a line.
"""

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NoReturn

from issuer.domain.list_row import Cell
from issuer.errors import IssuerDataError
from issuer.imports.table import MAX_COLUMNS, MAX_LINE_CHARACTERS, MAX_ROWS, Line

__all__ = ["JsonSheet", "is_json"]

_CHUNK_BYTES = 64 * 1024
_WHITE_SPACE = " \t\r\n"
_HINT = 'expected one array of objects: [{"record_number": "000001AB", ...}, ...]'


def is_json(start: bytes) -> bool:
    """Whether a file that begins so is meant as JSON: no header line of a table begins with a bracket."""
    return start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"[", b"{")


class JsonSheet:
    """An array whose every object has been read once; the union of their names is the header line.

    The first object is line 2, as the first row under a header is.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Judge the whole file.

        Raises:
            IssuerDataError: not UTF-8 text (``file.not-utf-8``), no array of flat objects (``file.malformed``),
                or too many of them or of their names (``file.too-many-rows``, ``file.malformed``).
        """
        self._file = file
        names: dict[str, int] = {}
        self._line_count = 1
        for pairs in self._objects():
            self._line_count += 1
            if self._line_count > MAX_ROWS + 1:
                raise IssuerDataError(
                    f"the file has more than {MAX_ROWS} rows", code="file.too-many-rows"
                )
            for name, _ in pairs:
                names.setdefault(name, len(names))
            if len(names) > MAX_COLUMNS:
                raise _malformed(f"the objects have more than {MAX_COLUMNS} names")
        self._positions = names

    @property
    def line_count(self) -> int:
        """The objects, and one line for their names."""
        return self._line_count

    def may_hold(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether text of its cells may match, in UTF-8."""
        # Any character may be written by its number, so that no look at the bytes tells.
        del pattern
        return True

    def lines(self) -> Iterator[Line]:
        """The names, then the objects' values in the order of the names."""
        yield Line(1, list(self._positions))
        width = len(self._positions)
        for number, pairs in enumerate(self._objects(), start=2):
            cells: list[Cell] = [None] * width
            for name, value in pairs:
                cells[self._positions[name]] = value
            yield Line(number, cells)

    def _objects(self) -> Iterator[Sequence[tuple[str, Cell]]]:
        """Decode one object at a time from a window over the file."""
        self._file.seek(0)
        window = _Window(self._file)
        if window.next_sign() != "[":
            raise _malformed("the document is no array")
        window.skip()
        if window.next_sign() == "]":
            window.skip()
        else:
            while True:
                yield window.take_object()
                sign = window.next_sign()
                window.skip()
                if sign == "]":
                    break
                if sign != ",":
                    raise _malformed("the objects of the array are not separated by commas")
        if window.next_sign():
            raise _malformed("something follows the array")


class _Window:
    """The part of the text that is being decoded."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._decoder = json.JSONDecoder(
            object_pairs_hook=_flat_object, parse_constant=_refuse_constant
        )
        self._text = ""
        self._at = 0
        self._is_whole = False

    def next_sign(self) -> str:
        """The next character that is no white space, left where it is; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _WHITE_SPACE:
                    return self._text[self._at]
                self._at += 1
            if self._is_whole:
                return ""
            self._read()

    def skip(self) -> None:
        """Go behind the character that ``next_sign`` gave."""
        self._at += 1

    def take_object(self) -> Sequence[tuple[str, Cell]]:
        """Decode the object that begins here; the window grows until it holds all of it, up to its bound."""
        if self.next_sign() != "{":
            raise _malformed("an element of the array is no object")
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError as error:
                raise _malformed("an object holds other objects or arrays") from error
            except ValueError as error:
                # Either the rest of the object has not been read, or it is none.
                if self._is_whole or len(self._text) - self._at > MAX_LINE_CHARACTERS:
                    raise _malformed(
                        "an element of the array is no object, or too long for a row"
                    ) from error
                self._read()
                continue
            if end - self._at > MAX_LINE_CHARACTERS:
                raise _malformed("an object is too long for a row")
            self._at = end
            return value.pairs if isinstance(value, _Pairs) else ()

    def _read(self) -> None:
        chunk = self._file.read(_CHUNK_BYTES)
        self._is_whole = not chunk
        try:
            text = self._decode(chunk, self._is_whole)
        except UnicodeDecodeError as error:
            raise IssuerDataError("the file is not UTF-8", code="file.not-utf-8") from error
        self._text = self._text[self._at :] + text
        self._at = 0


class _Pairs:
    """One decoded object; a class of its own, so that an object within an object is told from a value."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Cell]]) -> None:
        self.pairs = pairs


def _flat_object(pairs: list[tuple[str, Any]]) -> _Pairs:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _malformed("an object has a name twice")
    for _, value in pairs:
        if value is not None and not isinstance(value, (str, int, float, bool)):
            raise _malformed("an object holds other objects or arrays")
    return _Pairs(pairs)


def _refuse_constant(name: str) -> NoReturn:
    raise _malformed(f"{name} is no value of JSON")


def _malformed(sentence: str) -> IssuerDataError:
    return IssuerDataError(sentence, code="file.malformed", hint=_HINT)
