import csv
import io
import json
import re
import unicodedata
from datetime import date, datetime
from pathlib import Path

import pytest
from PIL import Image
from python_calamine import CalamineWorkbook

from simulators.errors import SimulatorError
from simulators.population.list_files import write_population
from simulators.population.member import ORGANISATIONS
from simulators.population.member_list import (
    COLUMNS,
    MINIMUM_MEMBERS,
    Cell,
    Defect,
    ListRow,
    MemberList,
    draw_member_list,
)
from simulators.population.names import NOTABLE_NAMES


@pytest.fixture(scope="module")
def member_list() -> MemberList:
    return draw_member_list(2026, members=24)


def cell(row: ListRow, column: str) -> Cell:
    return row.cells[COLUMNS.index(column)]


def text(row: ListRow, column: str) -> str:
    return str(cell(row, column))


def day(row: ListRow, column: str) -> date:
    value = cell(row, column)
    if isinstance(value, date):
        return value
    return datetime.strptime(str(value), "%d/%m/%Y").date()  # noqa: DTZ007 - a day has no zone


def right_rows(member_list: MemberList) -> list[ListRow]:
    return [row for row in member_list.rows if row.defect is None]


def test_the_same_seed_gives_the_same_list(member_list: MemberList) -> None:
    assert draw_member_list(2026, members=24) == member_list


def test_another_seed_gives_another_list(member_list: MemberList) -> None:
    assert draw_member_list(2027, members=MINIMUM_MEMBERS).rows[0] != member_list.rows[0]


@pytest.mark.parametrize("members", [MINIMUM_MEMBERS - 1, 100_001])
def test_a_list_out_of_bounds_is_refused(members: int) -> None:
    with pytest.raises(ValueError, match="members, expected"):
        draw_member_list(1, members=members)


def test_eighteen_rows_are_right_and_each_defect_stands_once(member_list: MemberList) -> None:
    assert len(right_rows(member_list)) == 18
    defects = [row.defect for row in member_list.rows if row.defect is not None]
    assert sorted(defects) == sorted(Defect)


def test_rows_are_numbered_as_the_sheet_numbers_them(member_list: MemberList) -> None:
    assert [row.number for row in member_list.rows] == list(range(2, 26))


def test_every_notable_name_stands_in_a_right_row(member_list: MemberList) -> None:
    names = {
        unicodedata.normalize("NFC", text(row, "full_name")) for row in right_rows(member_list)
    }
    assert {each.name.full for each in NOTABLE_NAMES} <= names


def test_the_notable_names_are_the_cases_that_break_software() -> None:
    full = [each.name.full for each in NOTABLE_NAMES]
    assert sum("Đ" in name for name in full) >= 2
    assert any(" " not in name for name in full)
    assert any(len(name) > 40 for name in full)
    assert {"H'Hen Niê", "K' Tem", "Y Bhăm Êban", "Giàng A Páo"} <= set(full)


def test_one_right_row_is_decomposed_text(member_list: MemberList) -> None:
    decomposed = [
        row
        for row in right_rows(member_list)
        if not unicodedata.is_normalized("NFC", text(row, "full_name"))
    ]
    assert len(decomposed) == 1


def test_right_rows_keep_the_rules_of_form(member_list: MemberList) -> None:
    for row in right_rows(member_list):
        assert re.fullmatch(r"([0-9]{2}\.[0-9]{6})?", text(row, "earlier_card_number"))
        assert re.fullmatch(r"[0-9]{6}[A-Z]{1,3}", text(row, "record_number"))
        assert re.fullmatch(r"[0-9]{12}", text(row, "citizen_number"))
        assert text(row, "organisation_code") in {each.code for each in ORGANISATIONS}
        assert text(row, "sex") in {"M", "F", "nam", "nữ"}


def test_members_are_eighteen_at_admission_and_recognised_later(member_list: MemberList) -> None:
    for row in right_rows(member_list):
        birth, admission = day(row, "birth_date"), day(row, "admission_date")
        eighteenth = date(birth.year + 18, birth.month, min(birth.day, 28))
        assert eighteenth <= admission <= day(row, "recognition_date") <= date(2024, 12, 31)


@pytest.mark.parametrize("column", ["record_number", "citizen_number", "portrait"])
def test_numbers_of_right_rows_are_unique(member_list: MemberList, column: str) -> None:
    values = [cell(row, column) for row in right_rows(member_list)]
    assert len(set(values)) == len(values)


def test_name_parts_hold_the_words_of_the_whole_name(member_list: MemberList) -> None:
    for row in right_rows(member_list):
        parts = f"{text(row, 'primary_name')} {text(row, 'secondary_name')}".split()
        assert not parts or sorted(parts) == sorted(text(row, "full_name").split())


def test_a_repeated_card_number_repeats_an_earlier_right_row(member_list: MemberList) -> None:
    repeated = next(r for r in member_list.rows if r.defect is Defect.CARD_NUMBER_REPEATED)
    originals = [
        row
        for row in right_rows(member_list)
        if cell(row, "earlier_card_number") == cell(repeated, "earlier_card_number")
    ]
    assert [row.number < repeated.number for row in originals] == [True]


def test_each_defect_spoils_its_own_column_only(member_list: MemberList) -> None:
    by_defect = {row.defect: row for row in member_list.rows}
    assert re.fullmatch(
        r"[0-9]{2}-[0-9]{6}", text(by_defect[Defect.CARD_NUMBER_MALFORMED], "earlier_card_number")
    )
    assert cell(by_defect[Defect.DATE_IMPOSSIBLE], "birth_date") == "31/02/1985"
    unknown = by_defect[Defect.ORGANISATION_UNKNOWN]
    assert text(unknown, "organisation_code") not in {each.code for each in ORGANISATIONS}
    assert by_defect[Defect.PORTRAIT_MISSING].portrait is None


def test_every_right_portrait_decodes_and_fits_the_chip(member_list: MemberList) -> None:
    for row in right_rows(member_list):
        assert row.portrait is not None
        assert 12_000 <= len(row.portrait) <= 20_000
        with Image.open(io.BytesIO(row.portrait)) as picture:
            picture.load()
            assert (picture.format, picture.size, picture.mode) == ("JPEG", (480, 640), "RGB")


def test_the_unreadable_portrait_does_not_decode(member_list: MemberList) -> None:
    row = next(r for r in member_list.rows if r.defect is Defect.PORTRAIT_UNREADABLE)
    assert row.portrait is not None
    with Image.open(io.BytesIO(row.portrait)) as picture, pytest.raises(OSError, match="truncated"):
        picture.load()


def test_organisations_form_a_small_tree_marked_as_sample_data() -> None:
    top, *others = ORGANISATIONS
    assert len(ORGANISATIONS) == 3
    assert top.parent_code is None
    assert {each.parent_code for each in others} == {top.code}
    assert all("dữ liệu mẫu" in each.name for each in ORGANISATIONS)


def test_spreadsheet_and_csv_hold_the_same(member_list: MemberList, tmp_path: Path) -> None:
    write_population(member_list, tmp_path / "list")
    workbook = CalamineWorkbook.from_path(str(tmp_path / "list" / "members.xlsx"))
    sheet = workbook.get_sheet_by_index(0).to_python()
    with (tmp_path / "list" / "members.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    as_text = [
        [
            value.isoformat()
            if isinstance(value, date)
            else f"{value:.0f}"
            if isinstance(value, float)
            else str(value)
            for value in row
        ]
        for row in sheet
    ]
    assert tuple(as_text[0]) == COLUMNS
    assert len(as_text) == 25
    assert as_text == rows
    assert any(isinstance(value, date) for row in sheet for value in row)


def test_numbers_are_text_cells(member_list: MemberList, tmp_path: Path) -> None:
    write_population(member_list, tmp_path)
    sheet = (
        CalamineWorkbook.from_path(str(tmp_path / "members.xlsx")).get_sheet_by_index(0).to_python()
    )
    assert all(isinstance(value, str) for row in sheet for value in row[:3])


def test_files_of_the_same_seed_are_the_same_bytes(member_list: MemberList, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_population(member_list, tmp_path / folder)
    first = {
        path.relative_to(tmp_path / "one"): path.read_bytes()
        for path in (tmp_path / "one").rglob("*")
        if path.is_file()
    }
    second = {
        path.relative_to(tmp_path / "two"): path.read_bytes()
        for path in (tmp_path / "two").rglob("*")
        if path.is_file()
    }
    assert len(first) == 4 + 23
    assert first == second


def test_the_expectation_names_row_column_and_code(member_list: MemberList, tmp_path: Path) -> None:
    write_population(member_list, tmp_path)
    expected = json.loads((tmp_path / "expected.json").read_text("utf-8"))
    assert (expected["rows"], expected["accepted"]) == (24, 18)
    assert [each["row"] for each in expected["refused"]] == [
        row.number for row in member_list.rows if row.defect is not None
    ]
    assert all(each["column"] in COLUMNS for each in expected["refused"])
    assert {each["code"] for each in expected["refused"]} == {str(each) for each in Defect}


def test_the_missing_portrait_has_no_file(member_list: MemberList, tmp_path: Path) -> None:
    write_population(member_list, tmp_path)
    missing = next(r for r in member_list.rows if r.defect is Defect.PORTRAIT_MISSING)
    present = {path.name for path in (tmp_path / "portraits").iterdir()}
    assert present == {row.portrait_name for row in member_list.rows} - {missing.portrait_name}


def test_a_folder_that_holds_something_is_left_alone(
    member_list: MemberList, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(SimulatorError) as caught:
        write_population(member_list, tmp_path)
    assert caught.value.code == "population.folder-not-empty"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_made_is_reported(member_list: MemberList, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SimulatorError) as caught:
        write_population(member_list, tmp_path / "file" / "list")
    assert caught.value.code == "population.not-written"
