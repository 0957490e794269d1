"""Mapping files: lists with other columns than the template's."""

from datetime import date
from pathlib import Path

import pytest
import xlsxwriter

from issuer.errors import IssuerDataError
from issuer.imports.mapping import ListMapping, load_mapping, parse_mapping
from issuer.imports.open_table import open_laid_out

COLUMNS = ("name", "born", "sex", "kind", "note")
GOOD = """
format = 1
header_row = 2
other_columns = "ignore"
[columns]
name = ["Họ và chữ đệm", "Tên"]
born = "Ngày sinh"
sex = "GIỚI  TÍNH"
[constants]
kind = "exchange"
[dates]
born = "DD.MM.YYYY"
[values.sex]
Nam = "M"
"Nữ" = "F"
1 = "M"
"""
HEADER = "STT;Họ và chữ đệm;Tên;Ngày sinh;Giới tính"


def mapping(text: str = GOOD) -> ListMapping:
    return parse_mapping(text.encode(), COLUMNS, optional=("note",), date_columns=("born",))


def test_columns_constants_dates_and_values_are_read_as_the_mapping_says(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(
        f"Danh sách;;;;\n{HEADER}\n1;Nguyễn Văn;An;03.02.1990;nam\n2;;;;\n3;Lê;Bé;1990-02-03;Khác\n"
    )
    with open_laid_out(path, mapping()) as table:
        rows = list(table.rows())
        assert table.row_count == 3
    assert [row.number for row in rows] == [3, 5]
    assert rows[0].cells == {
        "name": "Nguyễn Văn An", "born": date(1990, 2, 3), "sex": "M", "kind": "exchange",
    }  # fmt: skip
    assert rows[0].findings == ()
    assert rows[1].cells["sex"] == "Khác"
    assert [(each.column, each.code) for each in rows[1].findings] == [("born", "date.malformed")]


def test_date_cells_and_number_cells_of_a_workbook_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    sheet.write_row(1, 0, HEADER.split(";"))
    sheet.write_row(2, 1, ("Lê", "Bé"))
    sheet.write_datetime(2, 3, date(1990, 2, 3), book.add_format({"num_format": "dd/mm/yyyy"}))
    sheet.write_number(2, 4, 1)
    book.close()
    with open_laid_out(path, mapping()) as table:
        (row,) = table.rows()
    assert (row.cells["born"], row.cells["sex"]) == (date(1990, 2, 3), "M")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("format = 1", "format = 2", "mapping.format"),
        ("format = 1", "format = true", "mapping.format"),
        ("format = 1", "", "mapping.format"),
        ("format = 1", "format = ", "mapping.malformed"),
        ("format = 1", "format = 1\nformats = 1", "mapping.unknown-key"),
        ("header_row = 2", "header_row = 0", "mapping.header-row"),
        ("header_row = 2", 'header_row = "2"', "mapping.header-row"),
        ('"ignore"', '"perhaps"', "mapping.other-columns"),
        ('born = "Ngày sinh"', 'birth = "Ngày sinh"', "mapping.unknown-column"),
        ('born = "Ngày sinh"', "born = 1", "mapping.malformed"),
        ('born = "Ngày sinh"', "born = []", "mapping.malformed"),
        ('born = "Ngày sinh"', "", "mapping.column-missing"),
        ('kind = "exchange"', 'kind = "exchange"\nsex = "M"', "mapping.column-twice"),
        ('kind = "exchange"', "kind = 1", "mapping.malformed"),
        ("DD.MM.YYYY", "DD.MM.YY", "mapping.date-form"),
        ("DD.MM.YYYY", "DD.MM", "mapping.date-form"),
        ("DD.MM.YYYY", "DD.DD.YYYY", "mapping.date-form"),
        ("DD.MM.YYYY", "DD.MM.YYYY HH", "mapping.date-form"),
        ('born = "DD', 'sex = "DD', "mapping.unknown-column"),
        ("[values.sex]", "[values.kind]", "mapping.column-missing"),
        ("[values.sex]", "[values.other]", "mapping.unknown-column"),
        ('Nam = "M"', 'Nam = "M"\nNAM = "F"', "mapping.value-twice"),
        ('Nam = "M"', "Nam = 1", "mapping.malformed"),
        ("[constants]", "[[constants]]", "mapping.malformed"),
    ],
)  # fmt: skip
def test_each_mistake_of_a_mapping_has_its_code(old: str, new: str, code: str) -> None:
    assert old in GOOD
    with pytest.raises(IssuerDataError) as refusal:
        mapping(GOOD.replace(old, new, 1))
    assert refusal.value.code == code


def test_text_that_is_no_toml_or_too_long_is_refused(tmp_path: Path) -> None:
    for content, code in (
        (b"\xff", "mapping.malformed"),
        (b"a = [" + b"[" * 10_000, "mapping.malformed"),
        (b"#" * (256 * 1024 + 1), "mapping.too-large"),
    ):
        path = tmp_path / "mapping.toml"
        path.write_bytes(content)
        with pytest.raises(IssuerDataError) as refusal:
            load_mapping(path, COLUMNS)
        assert refusal.value.code == code


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (HEADER.replace("Ngày sinh", "Sinh"), "mapping.header-missing"),
        (HEADER + ";Tên", "mapping.header-twice"),
        ("", "mapping.header-missing"),
    ],
)
def test_a_list_without_the_headers_is_refused(tmp_path: Path, header: str, code: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"x;y\n{header}\n1;2;3;4;5\n")
    with pytest.raises(IssuerDataError) as refusal, open_laid_out(path, mapping()):
        pass
    assert refusal.value.code == code


def test_headers_that_are_not_named_are_refused_unless_the_mapping_ignores_them(
    tmp_path: Path,
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"x;y\n{HEADER}\n")
    strict = mapping(GOOD.replace('"ignore"', '"refuse"'))
    with pytest.raises(IssuerDataError) as refusal, open_laid_out(path, strict):
        pass
    assert refusal.value.code == "mapping.header-unknown"
    assert "'STT'" in str(refusal.value)
    with open_laid_out(path, mapping()) as table:
        assert mapping().header(table.header).others == ("STT",)
