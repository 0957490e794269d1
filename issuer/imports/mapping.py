"""Mapping files: how a list with other columns than the template's is read (TOML; docs/member-list.md).

format = 1
header_row = 3
other_columns = "ignore"

[columns]
card_number = "Số thẻ"
full_name = ["Họ và chữ đệm", "Tên"]

[constants]
kind = "exchange"

[dates]
birth_date = "DD.MM.YYYY"

[values.sex]
"Nam" = "M"
"Nữ" = "F"
"""

import hashlib
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from issuer.domain.calendar_date import DateForm, parse_date_form
from issuer.domain.list_row import Cell, Finding, ListRow
from issuer.errors import IssuerDataError
from issuer.imports.table import is_empty, open_bounded, plain_text

__all__ = ["MAX_MAPPING_BYTES", "ListMapping", "MappedHeader", "load_mapping", "parse_mapping"]

MAX_MAPPING_BYTES = 256 * 1024
"""The largest mapping file taken."""

_FORMAT = 1
_MAX_HEADER_ROW = 100
_MAX_TRANSLATIONS = 10_000
_MAX_JOINED = 8
_TABLES = ("columns", "constants", "dates", "values")
_KEYS = ("format", "header_row", "other_columns", *_TABLES)
_MATCH_HINT = "membercard-issuer members mapping check FILE --list LIST shows what would be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMapping:
    """A mapping that keeps every rule of form; whether a list has the headers is seen when one is opened.

    Attributes:
        header_line: the number of the line that names the columns.
        sources: for each of our columns the headers whose cells, joined by a space, are its content.
        constants: columns that hold the same in every row.
        dates: how dates are written, for columns whose text is neither YYYY-MM-DD nor DD/MM/YYYY.
        values: what the cells of a column stand for, by their folded text.
        ignores_others: whether headers that are not named are passed over instead of refused.
        digest: SHA-256 of the file.
        passed_over: columns of ours that may be there and say nothing.
    """

    header_line: int
    sources: Mapping[str, tuple[str, ...]]
    constants: Mapping[str, str]
    dates: Mapping[str, DateForm]
    values: Mapping[str, Mapping[str, str]]
    ignores_others: bool
    digest: bytes
    passed_over: Sequence[str] = ()

    def header(self, cells: Sequence[Cell]) -> "MappedHeader":
        """Find the headers that the mapping names.

        Raises:
            IssuerDataError: one is missing (``mapping.header-missing``) or there twice (``mapping.header-twice``),
                or one is not named (``mapping.header-unknown``).
        """
        written = [_folded(cell) if isinstance(cell, str) else "" for cell in cells]
        used: set[int] = set()
        positions: dict[str, tuple[int, ...]] = {}
        for column, headers in self.sources.items():
            found = [self._position(column, header, written) for header in headers]
            used.update(found)
            positions[column] = tuple(found)
        others = tuple(
            str(cells[position]).strip()
            for position, name in enumerate(written)
            if name and position not in used and name not in self.passed_over
        )
        if others and not self.ignores_others:
            raise IssuerDataError(
                f"line {self.header_line} has {len(others)} headers that the mapping does not name, "
                f"the first is {others[0]!r}",
                code="mapping.header-unknown",
                hint='name them, or set other_columns = "ignore"',
            )
        return MappedHeader(mapping=self, positions=positions, others=others)

    def _position(self, column: str, header: str, written: Sequence[str]) -> int:
        found = [position for position, name in enumerate(written) if name == _folded(header)]
        if not found:
            raise IssuerDataError(
                f"line {self.header_line} has no header {header!r}, which the mapping takes {column} from",
                code="mapping.header-missing",
                hint=_MATCH_HINT,
            )
        if len(found) > 1:
            raise IssuerDataError(
                f"line {self.header_line} has the header {header!r} {len(found)} times",
                code="mapping.header-twice",
                hint="give the columns different headers",
            )
        return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedHeader:
    """A mapping together with where its headers stand in one list."""

    mapping: ListMapping
    positions: Mapping[str, tuple[int, ...]]
    others: tuple[str, ...] = field(repr=False)

    def row(self, number: int, cells: Sequence[Cell]) -> ListRow | None:
        """The cells by our columns; ``None`` for a line in which no column has content."""
        found: dict[str, Cell] = {}
        findings: list[Finding] = []
        for column, positions in self.positions.items():
            cell = _joined(cells, positions)
            if not is_empty(cell):
                cell = self._translated(column, cell, number, findings)
            found[column] = cell
        if not findings and all(map(is_empty, found.values())):
            return None
        return ListRow(
            number=number, cells=found | dict(self.mapping.constants), findings=tuple(findings)
        )

    def positions_of(self, column: str) -> tuple[int, ...]:
        """Where the cells of a column stand in a line; none where it is constant or left out."""
        return self.positions.get(column, ())

    def as_text(self, position: int, cell: Cell) -> str:
        """A cell as text that is read as the same content: a date as its column's form asks."""
        if isinstance(cell, date):
            for column, form in self.mapping.dates.items():
                if position in self.positions[column]:
                    return form.write(cell)
        return plain_text(cell)

    def _translated(self, column: str, cell: Cell, number: int, findings: list[Finding]) -> Cell:
        translations = self.mapping.values.get(column)
        if translations is not None and not isinstance(cell, date):
            cell = translations.get(_folded(plain_text(cell)), cell)
        form = self.mapping.dates.get(column)
        if form is None or isinstance(cell, date):
            return cell
        try:
            return form.parse(plain_text(cell).strip())
        except IssuerDataError as error:
            findings.append(
                Finding(row=number, column=column, code=error.code, sentence=str(error))
            )
            return None


def load_mapping(
    path: Path,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    date_columns: Sequence[str] = (),
    passed_over: Sequence[str] = (),
) -> ListMapping:
    """The mapping in a file; ``-`` takes standard input.

    Args:
        path: the file.
        columns: ours, all of them.
        optional: those that a mapping may leave out; they are empty then.
        date_columns: those that hold dates.
        passed_over: columns of our own files that say nothing about a member.

    Raises:
        IssuerUnavailableError: the file cannot be read (``file.unavailable``).
        IssuerDataError: it is no mapping (``mapping.*``).
    """
    with open_bounded(path) as file:
        content = file.read(MAX_MAPPING_BYTES + 1)
    return parse_mapping(
        content, columns, optional=optional, date_columns=date_columns, passed_over=passed_over
    )


def parse_mapping(
    content: bytes,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    date_columns: Sequence[str] = (),
    passed_over: Sequence[str] = (),
) -> ListMapping:
    """As :func:`load_mapping`, of the file's content."""
    if len(content) > MAX_MAPPING_BYTES:
        raise IssuerDataError(
            f"the mapping has more than {MAX_MAPPING_BYTES} bytes", code="mapping.too-large"
        )
    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        where = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "not UTF-8"
        raise IssuerDataError(
            f"the mapping is no TOML document: {where}", code="mapping.malformed"
        ) from error
    _judge_keys(document, columns)
    tables = {name: document.get(name, {}) for name in _TABLES}
    sources = {name: _headers(name, value) for name, value in tables["columns"].items()}
    constants = {
        name: _text(f"constants.{name}", value) for name, value in tables["constants"].items()
    }
    both = sources.keys() & constants.keys()
    if both:
        raise IssuerDataError(
            f"column {min(both)} is mapped and constant", code="mapping.column-twice"
        )
    missing = [
        column
        for column in columns
        if column not in sources and column not in constants and column not in optional
    ]
    if missing:
        raise IssuerDataError(
            f"the mapping says nothing of {', '.join(missing)}",
            code="mapping.column-missing",
            hint="name their headers under [columns], or their value under [constants]",
        )
    return ListMapping(
        header_line=_header_row(document),
        sources=sources,
        constants=constants,
        dates={
            name: _date_form(name, value, sources, date_columns)
            for name, value in tables["dates"].items()
        },
        values={
            name: _translations(name, value, sources) for name, value in tables["values"].items()
        },
        ignores_others=_ignores_others(document),
        digest=hashlib.sha256(content).digest(),
        passed_over=tuple(passed_over),
    )


def _judge_keys(document: Mapping[str, Any], columns: Sequence[str]) -> None:
    for name in document:
        if name not in _KEYS:
            raise IssuerDataError(
                f"the mapping has {name!r}, expected only {', '.join(_KEYS)}",
                code="mapping.unknown-key",
            )
    if document.get("format") != _FORMAT or isinstance(document.get("format"), bool):
        raise IssuerDataError(f"the mapping does not say format = {_FORMAT}", code="mapping.format")
    for table in _TABLES:
        entries = document.get(table, {})
        if not isinstance(entries, dict):
            raise IssuerDataError(f"{table} is no table", code="mapping.malformed")
        for name in entries:
            if name not in columns:
                raise IssuerDataError(
                    f"{table} names {name!r}, which is no column of the template",
                    code="mapping.unknown-column",
                    hint="the columns: membercard-issuer members template",
                )


def _header_row(document: Mapping[str, Any]) -> int:
    value = document.get("header_row", 1)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_HEADER_ROW:
        raise IssuerDataError(
            f"header_row is no number from 1 to {_MAX_HEADER_ROW}", code="mapping.header-row"
        )
    return value


def _ignores_others(document: Mapping[str, Any]) -> bool:
    value = document.get("other_columns", "refuse")
    if value not in ("refuse", "ignore"):
        raise IssuerDataError(
            'other_columns is neither "refuse" nor "ignore"', code="mapping.other-columns"
        )
    return bool(value == "ignore")


def _headers(column: str, value: object) -> tuple[str, ...]:
    headers = value if isinstance(value, list) else [value]
    if not 1 <= len(headers) <= _MAX_JOINED:
        raise IssuerDataError(
            f"columns.{column} names {len(headers)} headers, expected 1 to {_MAX_JOINED}",
            code="mapping.malformed",
        )
    return tuple(_text(f"columns.{column}", header) for header in headers)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise IssuerDataError(f"{name} is no text", code="mapping.malformed")
    return value


def _date_form(
    column: str,
    value: object,
    sources: Mapping[str, tuple[str, ...]],
    date_columns: Sequence[str],
) -> DateForm:
    if column not in date_columns:
        raise IssuerDataError(
            f"dates names {column}, which holds no date", code="mapping.unknown-column"
        )
    if column not in sources:
        raise IssuerDataError(
            f"dates names {column}, which no header is given for", code="mapping.column-missing"
        )
    return parse_date_form(_text(f"dates.{column}", value))


def _translations(
    column: str, value: object, sources: Mapping[str, tuple[str, ...]]
) -> Mapping[str, str]:
    if column not in sources:
        raise IssuerDataError(
            f"values names {column}, which no header is given for", code="mapping.column-missing"
        )
    if not isinstance(value, dict) or not 1 <= len(value) <= _MAX_TRANSLATIONS:
        raise IssuerDataError(
            f"values.{column} is no table of 1 to {_MAX_TRANSLATIONS} values",
            code="mapping.malformed",
        )
    translations: dict[str, str] = {}
    for written, meant in value.items():
        if not isinstance(meant, str):
            raise IssuerDataError(
                f"values.{column} gives {written!r} a meaning that is no text",
                code="mapping.malformed",
            )
        folded = _folded(written)
        if translations.setdefault(folded, meant) != meant:
            raise IssuerDataError(
                f"values.{column} has two meanings for {written!r}", code="mapping.value-twice"
            )
    return translations


def _joined(cells: Sequence[Cell], positions: Sequence[int]) -> Cell:
    if len(positions) == 1:
        position = positions[0]
        return cells[position] if position < len(cells) else None
    parts = [cells[position] for position in positions if position < len(cells)]
    return " ".join(plain_text(part).strip() for part in parts if not is_empty(part)) or None


def _folded(text: str) -> str:
    """Headers and values are the same whatever their case, spaces and normalisation form."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
