"""Dates of a list whose writer may have put the month first, as a spreadsheet with American settings does.

Lists write the day first. Where one date of a list is a day of the calendar only with its month first (03/24/1981), the
list has been through hands that write so, and of its other dates those that can be read both ways are doubtful.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import Final

from issuer.domain.list_row import Cell, Finding, ListRow
from issuer.domain.member_rules import MemberColumn

__all__ = ["MONTH_FIRST", "doubts_of_order", "has_month_first"]

MONTH_FIRST: Final = re.compile(rb"/(?:1[3-9]|2[0-9]|3[01])/[0-9]{4}", re.ASCII)
"""Stands in the bytes of every list that has a date with its month first."""

_WRITTEN: Final = re.compile(r"\s*([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})\s*", re.ASCII)
_MONTHS: Final = range(1, 13)
_COLUMNS: Final = (
    MemberColumn.BIRTH_DATE,
    MemberColumn.ADMISSION_DATE,
    MemberColumn.RECOGNITION_DATE,
    MemberColumn.STANDING_SINCE,
)


def has_month_first(rows: Iterable[ListRow]) -> bool:
    """Whether some date of these rows is one only with its month first."""
    return any(_is_month_first(row.cells.get(column)) for row in rows for column in _COLUMNS)


def doubts_of_order(row: ListRow) -> tuple[Finding, ...]:
    """A doubt for each date of the row that is another day with its month first."""
    return tuple(
        Finding(
            row=row.number,
            column=column,
            code="date.order-doubtful",
            sentence="other dates of the list have the month first, and this one may have it, too",
        )
        for column in _COLUMNS
        if _has_two_readings(row.cells.get(column))
    )


def _parts(cell: Cell) -> tuple[int, int, int] | None:
    match = _WRITTEN.fullmatch(cell) if isinstance(cell, str) else None
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def _is_month_first(cell: Cell) -> bool:
    parts = _parts(cell)
    if parts is None or parts[0] not in _MONTHS or parts[1] in _MONTHS:
        return False
    month, day, year = parts
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _has_two_readings(cell: Cell) -> bool:
    parts = _parts(cell)
    return parts is not None and parts[0] != parts[1] and {*parts[:2]} <= {*_MONTHS}
