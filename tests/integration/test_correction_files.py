"""A list goes back to its committees with what is wrong, and comes in again by the same command."""

import csv
import stat
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook

from issuer.domain.member_list import MemberColumn
from issuer.imports.column_guide import CORRECTION_COLUMNS
from tests.integration.test_register_commands import Office, office, person

__all__ = ["office"]

COLUMNS = tuple(MemberColumn)
Rows = list[list[Any]]


def write_workbook(path: Path, rows: Rows) -> None:
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    for number, row in enumerate(rows):
        for position, cell in enumerate(row):
            if isinstance(cell, date):
                sheet.write_datetime(number, position, cell, day)
            elif isinstance(cell, str):
                sheet.write_string(number, position, cell)
            elif cell is not None:
                sheet.write_number(number, position, cell)
    book.close()


def read_workbook(path: Path) -> Rows:
    return CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()


def write_text(path: Path, rows: Rows) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)


def read_text(path: Path) -> Rows:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


COMMITTEES = ("P-01", "P-02", "P-03")
MAPPING = """
format = 1
header_row = 2
other_columns = "ignore"
[columns]
{columns}
[dates]
admission_date = "D.M.YYYY"
"""


def sent(committee: int) -> list[dict[str, Any]]:
    """Five people of one committee: two right, and one each refused, refused twice over and questionable."""
    base = committee * 10
    code = {"organisation_code": COMMITTEES[committee]}
    return [
        person(base + 1, **code),
        person(base + 2, **code, sex="?", home_town="=HYPERLINK(1)"),
        person(base + 3, **code, full_name="\u00d0ỗ Thị Đào"),
        person(base + 4, **code, birth_date="31/02/1990", phone="+84912345678"),
        person(base + 5, **code) | {"birth_date": date(1970, 1, base + 1)},
    ]


def corrected(rows: Rows, header_line: int, names: dict[str, str], day: str) -> Rows:
    """What a committee does: look at the cells that are named, and write them anew."""
    at = {column: rows[header_line].index(name) for column, name in names.items()}
    for row in rows[header_line + 1 :]:
        told = str(row[1]) + str(row[2])
        for column, right in (
            ("sex", "nam"), ("home_town", "xã Mẫu"), ("full_name", "Đỗ Thị Đào"), ("birth_date", day),
        ):  # fmt: skip
            if f"{column}: " in told:
                row[at[column]] = right
    return rows


KINDS: dict[str, tuple[Callable[[Path, Rows], None], Callable[[Path], Rows]]] = {
    "xlsx": (write_workbook, read_workbook),
    "csv": (write_text, read_text),
}


@pytest.fixture
def province(office: Office) -> Office:
    path = office.directory / "more.csv"
    lines = [f"{code},Đảng ủy xã {code},P,98" for code in COMMITTEES[1:]]
    path.write_text("code,name,parent_code,committee_number\n" + "\n".join(lines) + "\n")
    assert office.run("organisations", "import", path)[0] == 0
    return office


@pytest.mark.parametrize(("kind", "is_mapped"), [("xlsx", False), ("csv", True)])
def test_three_committees_correct_their_lists_and_bring_them_in_again(
    province: Office, kind: str, *, is_mapped: bool
) -> None:
    write, read = KINDS[kind]
    names = {column.value: f"Cột {column}" if is_mapped else column.value for column in COLUMNS}
    words: tuple[str | Path, ...] = ()
    if is_mapped:
        mapping = province.directory / "mapping.toml"
        lines = "\n".join(f'{column} = "{name}"' for column, name in names.items())
        mapping.write_text(MAPPING.format(columns=lines))
        words = ("--mapping", mapping)
    header_line = 1 if is_mapped else 0
    for committee in range(3):
        people = sent(committee)
        rows: Rows = [["Danh sách đảng viên"]] if is_mapped else []
        rows.append(list(names.values()))
        for each in people:
            if is_mapped:
                each["admission_date"] = "3.2.2015"
            cells = [each.get(column, "") for column in COLUMNS]
            is_text = kind == "csv"
            rows.append([f"{c:%d/%m/%Y}" if is_text and isinstance(c, date) else c for c in cells])
        path = province.directory / f"list-{committee}.{kind}"
        write(path, rows)
        back = province.directory / f"back-{committee}.{kind}"
        status, told = province.take(path, *words, "--correction", back)
        assert status == 1
        assert (told["taken"], told["refused"], told["questionable"]) == (2, 2, 1)
        assert stat.S_IMODE(back.stat().st_mode) == 0o600

        rows = read(back)
        assert tuple(rows[header_line][:3]) == CORRECTION_COLUMNS
        first = header_line + 1
        assert [int(float(row[0])) for row in rows[first:]] == [first + 2, first + 3, first + 4]
        assert "Giới tính: Giới tính phải là nam hoặc nữ." in rows[first][1]
        assert "sex: the sex is none of M, F, nam, nữ [sex.unknown]" in rows[first][2]
        write(back, corrected(rows, header_line, names, f"0{committee + 1}/02/1990"))
        again = province.directory / f"again-{committee}.{kind}"
        status, told = province.take(back, *words, "--correction", again)
        assert (status, told["taken"], told["refused"], told["questionable"]) == (0, 3, 0, 0)
        assert len(read(again)) == header_line + 1
    assert len(province.json("members", "list")[1]) == 15


def test_a_correction_file_that_was_not_corrected_comes_back_as_it_was(province: Office) -> None:
    path = province.directory / "list.csv"
    write_text(
        path, [list(COLUMNS), *([each.get(c, "") for c in COLUMNS] for each in sent(0)[1:4])]
    )
    backs = [province.directory / f"back-{number}.csv" for number in range(3)]
    province.take(path, "--correction", backs[0])
    province.take(backs[0], "--correction", backs[1])
    province.take(backs[1], "--correction", backs[2])
    rows = [read_text(back) for back in backs]
    assert rows[1] == rows[2]
    assert [row[1:] for row in rows[0]] == [row[1:] for row in rows[1]]


def test_nothing_of_a_correction_file_is_computed(province: Office) -> None:
    signs = ("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "=cmd|' /C calc'!A0")
    path = province.directory / "list.csv"
    write_text(
        path,
        [list(COLUMNS)]
        + [
            [
                (person(number, sex="?") | {"home_town": sign, "place_of_birth": sign}).get(c, "")
                for c in COLUMNS
            ]
            for number, sign in enumerate(signs, start=1)
        ],
    )
    text, book = province.directory / "back.csv", province.directory / "back.xlsx"
    province.take(path, "--correction", text)
    province.take(path, "--correction", book)
    cells = [cell for row in read_text(text) for cell in row]
    assert "'=1+1" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    column = COLUMNS.index(MemberColumn.HOME_TOWN) + 3
    assert [row[column] for row in read_workbook(book)[1:]] == list(signs)
    # A workbook that computed would be refused.
    assert province.take(book)[1]["refused"] == len(signs)
