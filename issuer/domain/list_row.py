"""Rows of a list as they come from a spreadsheet or a text file, and what is found wrong with them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, TypeVar, cast

from issuer.errors import IssuerDataError

__all__ = ["Cell", "Finding", "ListRow", "RowMemory", "RowReader"]

Cell = str | float | bool | date | None
"""What a cell holds; ``None`` and white space mean that it is empty."""

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: where, its stable code, and a sentence that holds no personal data."""

    row: int
    column: str
    code: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRow:
    """One row: ``number`` counts as a spreadsheet does (the first line is 1), ``cells`` by column.

    ``findings`` are what was wrong with it already when the file was read.
    """

    number: int
    cells: Mapping[str, Cell] = field(repr=False)
    has_surplus: bool = False
    findings: tuple[Finding, ...] = ()


class RowMemory:
    """What the same text in the same column was read as in earlier rows of a list: places, groups, dates repeat.

    Only what was taken is kept, and of each column a bounded number of texts.
    """

    def __init__(self, columns: Collection[str]) -> None:
        """Nothing is kept yet of these columns, and nothing ever of others."""
        self.values: Mapping[str, dict[Cell, Any]] = {column: {} for column in columns}


class RowReader:
    """Takes the fields of one row one by one and keeps every finding, so that all are reported at once."""

    def __init__(self, row: ListRow, memory: RowMemory | None = None) -> None:
        self._row = row
        self._cells = row.cells
        self._kept = (memory or _NO_MEMORY).values
        self.findings: list[Finding] = list(row.findings)
        if row.has_surplus:
            self.refuse("", "row.surplus-cells", "the row has cells beyond the last column")

    def refuse(self, column: str, code: str, sentence: str) -> None:
        """Note that this column is wrong."""
        self.findings.append(
            Finding(row=self._row.number, column=column, code=code, sentence=sentence)
        )

    def has_findings(self, *columns: str) -> bool:
        """Whether one of these columns is already known to be wrong."""
        return bool(self.findings) and any(finding.column in columns for finding in self.findings)

    def cell(self, column: str) -> Cell:
        """What the cell holds, white space around text removed; ``None`` where it is empty."""
        cell = self._cells.get(column)
        if isinstance(cell, str):
            return cell.strip(_AROUND_TEXT) or None
        return cell

    def required(self, column: str, parse: Callable[[str], _Value]) -> _Value | None:
        """The value of a text cell that must be there; ``None`` where it is wrong, which is noted."""
        value = self.optional(column, parse)
        if value is None and self.cell(column) is None:
            self.miss(column)
        return value

    def miss(self, column: str) -> None:
        """Note that nothing stands there, unless it is known already what is wrong with it."""
        if not self.has_findings(column):
            self.refuse(column, "cell.empty", "the cell is empty")

    def optional(self, column: str, parse: Callable[[str], _Value]) -> _Value | None:
        """The value of a text cell; ``None`` where it is empty, or wrong, which is noted."""
        cell = self._cells.get(column)
        if isinstance(cell, str):
            return self._parsed(column, cell, parse)
        if cell is not None:
            # A number cell has lost its leading zeros, and which ones cannot be known.
            kind = "a date" if isinstance(cell, date) else "a number"
            self.refuse(column, "cell.not-text", f"the cell holds {kind}, expected text")
        return None

    def any_cell(self, column: str, parse: Callable[[Cell], _Value]) -> _Value | None:
        """The value of a cell of any kind that must be there; ``None`` where it is wrong, which is noted."""
        cell = self._cells.get(column)
        value = (
            self._parsed(column, cell, parse)
            if isinstance(cell, str)
            else self.checked(column, partial(parse, cell))
            if cell is not None
            else None
        )
        if value is None and self.cell(column) is None:
            self.miss(column)
        return value

    def checked(self, column: str, decide: Callable[[], _Value]) -> _Value | None:
        """What ``decide`` gives; ``None`` where it refuses, which is noted."""
        try:
            return decide()
        except IssuerDataError as error:
            self.refuse(column, error.code, str(error))
            return None

    def _parsed(self, column: str, text: str, parse: Callable[[str], _Value]) -> _Value | None:
        kept = self._kept.get(column)
        if kept is not None and (known := kept.get(text)) is not None:
            return cast("_Value", known)
        stripped = text.strip(_AROUND_TEXT)
        if not stripped:
            return None
        try:
            value = parse(stripped)
        except IssuerDataError as error:
            self.refuse(column, error.code, str(error))
            return None
        if kept is not None and len(kept) < _MOST_KEPT:
            kept[text] = value
        return value


_AROUND_TEXT = " \u00a0\t\r\n"
"""What keyboards and spreadsheets put around text; other control characters stay to be refused."""

_NO_MEMORY = RowMemory(())
_MOST_KEPT = 20_000
