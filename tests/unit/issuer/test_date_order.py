"""Lists whose dates have the month first."""

import io
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.date_order import MONTH_FIRST, doubts_of_order, has_month_first
from issuer.domain.list_row import Cell, ListRow
from issuer.domain.member_rules import MemberColumn
from issuer.imports.open_table import open_table
from issuer.imports.table import is_found

_COLUMNS = tuple(MemberColumn)


def row(**cells: Cell) -> ListRow:
    return ListRow(number=2, cells=cells)


@pytest.mark.parametrize("written", ["03/24/1981", "3/13/1981", " 12/31/1981 ", "02/29/2020"])
def test_a_date_that_needs_its_month_first_tells_of_the_list(written: str) -> None:
    assert has_month_first([row(), row(birth_date=written)])
    assert MONTH_FIRST.search(written.encode())


@pytest.mark.parametrize(
    "cell",
    ["24/03/1981", "03/04/1981", "1981-03-24", "02/30/1981", "13/13/1981", "0/13/1981", "x", None,
     date(1981, 3, 24), 3.0, "03/24/81", "3/24"],
)  # fmt: skip
def test_no_other_cell_does(cell: Cell) -> None:
    assert not has_month_first([row(birth_date=cell)])


def test_other_columns_may_hold_what_looks_so() -> None:
    assert not has_month_first([row(residence="03/24/1981")])


@pytest.mark.parametrize(
    "column", ["birth_date", "admission_date", "recognition_date", "standing_since"]
)
@pytest.mark.parametrize("written", ["03/04/1981", "3/4/1981", "12/1/1981"])
def test_a_date_with_two_readings_is_doubtful(column: str, written: str) -> None:
    [doubt] = doubts_of_order(row(**{column: written}))
    assert (doubt.row, doubt.column, doubt.code) == (2, column, "date.order-doubtful")


@pytest.mark.parametrize(
    "cell", ["03/03/1981", "24/03/1981", "1981-03-04", date(1981, 3, 4), None, "0/4/1981"]
)
def test_a_date_with_one_reading_is_not(cell: Cell) -> None:
    assert not doubts_of_order(row(birth_date=cell))


@given(st.dates())
def test_every_date_is_certain_tells_or_is_doubtful(day: date) -> None:
    """Written month first, it tells of it, reads the same either way, or is doubtful."""
    written = row(birth_date=f"{day.month}/{day.day}/{day.year:04}")
    assert has_month_first([written]) + bool(doubts_of_order(written)) + (day.month == day.day) == 1


@pytest.mark.parametrize("name", ["list.csv", "list.json"])
def test_a_file_tells_before_its_rows_are_walked(tmp_path: Path, name: str) -> None:
    def may_hold(written: str) -> bool:
        path = tmp_path / name
        if name.endswith("json"):
            cells = ", ".join(f'"{each}": "{written}"' for each in _COLUMNS)
            path.write_text(f"[{{{cells}}}]", encoding="utf-8")
        else:
            lines = (",".join(_COLUMNS), ",".join([written] * len(_COLUMNS)))
            path.write_text("\n".join(lines), encoding="utf-8")
        with open_table(path, _COLUMNS) as table:
            assert table.row_count == 1
            found = table.may_hold(MONTH_FIRST)
            assert len(list(table.rows())) == 1
            return found

    assert may_hold("03/24/1981")
    # Any character of JSON may be written by its number: only its rows tell.
    assert may_hold("24/03/1981") == name.endswith("json")


@pytest.mark.parametrize("before", [0, (1 << 20) - 12, (1 << 20) - 1, (1 << 20) + 5])
def test_a_pattern_is_found_wherever_a_file_is_cut(before: int) -> None:
    file = io.BytesIO(b" " * before + b"03/24/1981" + b" " * 9)
    assert is_found(file, MONTH_FIRST)
    assert not is_found(io.BytesIO(b" " * before + b"24/03/1981"), MONTH_FIRST)
