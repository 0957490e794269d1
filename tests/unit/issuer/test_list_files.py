"""Lists from files: spreadsheets and text, good ones and hostile ones."""

import io
import os
import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issuer.domain.list_row import Cell, ListRow
from issuer.errors import IssuerDataError, IssuerUnavailableError
from issuer.imports import table as table_module
from issuer.imports import text_table, workbook
from issuer.imports.open_table import open_table

COLUMNS = ("code", "name", "day")


def read(path: Path) -> list[ListRow]:
    with open_table(path, COLUMNS) as table:
        return list(table.rows())


def refusal_code(path: Path) -> str:
    with pytest.raises(IssuerDataError) as refusal:
        read(path)
    return refusal.value.code


def text_file(directory: Path, content: str | bytes) -> Path:
    path = directory / "list.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def spreadsheet(directory: Path, rows: list[list[Cell]]) -> Path:
    path = directory / "list.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    dates = book.add_format({"num_format": "yyyy-mm-dd"})
    for number, row in enumerate(rows):
        for position, cell in enumerate(row):
            if isinstance(cell, date):
                sheet.write_datetime(number, position, cell, dates)
            elif isinstance(cell, str):
                sheet.write_string(number, position, cell)
            elif cell is not None:
                sheet.write(number, position, cell)
    book.close()
    return path


def with_entries(path: Path, changes: dict[str, bytes | None]) -> Path:
    """The archive with some entries replaced, added or (None) left out."""
    with zipfile.ZipFile(path) as archive:
        entries: dict[str, bytes | None] = {
            entry.filename: archive.read(entry) for entry in archive.infolist()
        }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (entries | changes).items():
            if content is not None:
                archive.writestr(name, content)
    return path


def test_a_text_list_is_read_row_by_row_with_spreadsheet_numbers(tmp_path: Path) -> None:
    path = text_file(tmp_path, 'day,code,name\r\n1,A,"Lê, An"\r\n\r\n,,\r\n2,B,Bé\r\n')
    assert read(path) == [
        ListRow(number=2, cells={"code": "A", "name": "Lê, An", "day": "1"}),
        ListRow(number=5, cells={"code": "B", "name": "Bé", "day": "2"}),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_and_the_byte_order_mark_do_not_matter(
    tmp_path: Path, delimiter: str
) -> None:
    lines = (("Code", "name ", "DAY"), ("A", "Bé", "1"))
    content = "\ufeff" + "\n".join(delimiter.join(line) for line in lines)
    assert read(text_file(tmp_path, content))[0].cells == {"code": "A", "name": "Bé", "day": "1"}


def test_cells_beyond_the_header_are_noted(tmp_path: Path) -> None:
    rows = read(text_file(tmp_path, "code,name,day\nA,B,1,\nA,B,1,x\nA\n"))
    assert [row.has_surplus for row in rows] == [False, True, False]
    assert rows[2].cells == {"code": "A", "name": None, "day": None}


def test_a_formula_in_a_text_list_is_text(tmp_path: Path) -> None:
    assert read(text_file(tmp_path, "code,name,day\n=1+1,B,1\n"))[0].cells["code"] == "=1+1"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file.columns"),
        (b"\n", "file.columns"),
        (b"code,name\nA,B\n", "file.columns"),
        (b"code,name,day,extra\nA,B,1,2\n", "file.columns"),
        (b"code,name,day,day\nA,B,1,2\n", "file.columns"),
        (b"\xff\xfec\x00o\x00d\x00e\x00", "file.not-utf-8"),
        (b"code,name,day\nA,\xff,1\n", "file.not-utf-8"),
        (b"code,name,day\nA,B\x00,1\n", "file.not-utf-8"),
        (b'code,name,day\nA,"B,1\n', "file.malformed"),
        (b'code,name,day\nA,"B"x,1\n', "file.malformed"),
        (b"code,name,day\n" + b"x" * 70_000, "file.malformed"),
        (b"code,name,day\n" + b"," * 300, "file.malformed"),
        (b'code,name,day\n"' + b"x\n" * 40_000 + b'",B,1\n', "file.malformed"),
        (bytes.fromhex("D0CF11E0A1B11AE1") + bytes(512), "file.not-supported"),
        (b"%PDF-1.7\n", "file.columns"),
    ],
)
def test_a_wrong_text_list_is_refused_as_a_whole(tmp_path: Path, content: bytes, code: str) -> None:
    assert refusal_code(text_file(tmp_path, content)) == code


def test_a_list_that_is_wrong_at_its_end_gives_no_row(tmp_path: Path) -> None:
    path = text_file(tmp_path, b"code,name,day\n" + b"A,B,1\n" * 1000 + b"A,\xff,1\n")
    assert refusal_code(path) == "file.not-utf-8"


def test_too_many_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_table, "MAX_ROWS", 3)
    monkeypatch.setattr(workbook, "MAX_ROWS", 3)
    lines: list[list[Cell]] = [["code", "name", "day"], *([["A", "B", "1"]] * 3)]
    assert len(read(text_file(tmp_path, "code,name,day\n" + "A,B,1\n" * 3))) == 3
    assert len(read(spreadsheet(tmp_path, lines))) == 3
    assert (
        refusal_code(text_file(tmp_path, "code,name,day\n" + "A,B,1\n" * 4)) == "file.too-many-rows"
    )
    assert refusal_code(spreadsheet(tmp_path, [*lines, ["A", "B", "1"]])) == "file.too-many-rows"


def test_a_file_that_is_too_large_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "MAX_FILE_BYTES", 100)
    assert refusal_code(text_file(tmp_path, b"x" * 101)) == "file.too-large"


def test_the_bound_of_files_is_64_mebibytes(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.touch()
    os.truncate(path, 64 * 1024 * 1024 + 1)
    assert refusal_code(path) == "file.too-large"


def test_what_is_no_file_cannot_be_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", ".", "pipe", "x" * 300, "nul\0"):
        with pytest.raises(IssuerUnavailableError) as refusal:
            read(tmp_path / name)
        assert refusal.value.code == "file.unavailable"


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(b"code,name,day\nA,B,1\n")

    monkeypatch.setattr("sys.stdin", Input())
    assert [row.number for row in read(Path("-"))] == [2]


def test_a_spreadsheet_keeps_the_kinds_of_its_cells(tmp_path: Path) -> None:
    path = spreadsheet(
        tmp_path,
        [
            ["code", "name", "day"],
            ["001", 7, date(1990, 2, 3)],
            [],
            [True, "Hòa", datetime(1990, 2, 3, 4, 5)],  # noqa: DTZ001 - spreadsheets know no zones
            ["last", "=1+1", None],
        ],
    )
    rows = read(path)
    assert [row.number for row in rows] == [2, 4, 5]
    assert rows[0].cells == {"code": "001", "name": 7.0, "day": date(1990, 2, 3)}
    assert rows[1].cells["code"] is True
    assert isinstance(rows[1].cells["day"], datetime)
    assert rows[2].cells == {"code": "last", "name": "=1+1", "day": None}


def test_the_last_row_of_a_spreadsheet_is_read_wherever_the_table_begins(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    sheet.write_row(0, 2, COLUMNS)
    sheet.write_row(1, 2, ("A", "B", "C"))
    sheet.write_row(2, 2, ("D", "E", "F"))
    book.close()
    assert [row.cells["code"] for row in read(path)] == ["A", "D"]


def test_only_the_first_sheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    book = xlsxwriter.Workbook(path)
    book.add_worksheet().write_row(0, 0, COLUMNS)
    book.add_worksheet().write_row(0, 0, ("other",))
    book.close()
    assert read(path) == []


def test_a_workbook_that_computes_is_refused_and_names_the_cell(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, COLUMNS)
    sheet.write_row(1, 0, ("A", "B", "C"))
    sheet.write_formula(2, 1, '=HYPERLINK("http://example.invalid")', None, "A")
    book.close()
    with pytest.raises(IssuerDataError) as refusal:
        read(path)
    assert refusal.value.code == "file.formulas"
    assert "B3" in str(refusal.value)


def test_formulas_of_other_sheets_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    book = xlsxwriter.Workbook(path)
    book.add_worksheet("list").write_row(0, 0, COLUMNS)
    book.add_worksheet("sums").write_formula(0, 0, "=1+1", None, 2)
    book.close()
    assert read(path) == []


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return spreadsheet(tmp_path, [["code", "name", "day"], ["A", "B", "1"]])


def test_a_workbook_with_macros_is_refused(good: Path) -> None:
    assert refusal_code(with_entries(good, {"xl/vbaProject.bin": b"macro"})) == "file.macros"


@pytest.mark.parametrize("name", ["xl/externalLinks/externalLink1.xml", "xl/connections.xml"])
def test_a_workbook_that_takes_data_from_elsewhere_is_refused(good: Path, name: str) -> None:
    assert refusal_code(with_entries(good, {name: b"<x/>"})) == "file.external-links"


def test_another_archive_is_refused(good: Path) -> None:
    assert refusal_code(with_entries(good, {"xl/workbook.xml": None})) == "file.malformed"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<worksheet",
        b"\0" * 100,
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet>&a;</worksheet>',
        b'<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>99999</v></c></row></sheetData></worksheet>',
        # Two cells at the corners of the largest sheet: 17 thousand million cells between them.
        (
            b'<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
            b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
        ),
        b'<worksheet><sheetData><row r="1"><c r="A99999999999999999999"><v>1</v></c></row></sheetData></worksheet>',
    ],
)
def test_a_sheet_of_rubbish_is_refused(good: Path, content: bytes) -> None:
    code = refusal_code(with_entries(good, {"xl/worksheets/sheet1.xml": content}))
    assert code in ("file.malformed", "file.columns", "file.too-many-rows")


def test_a_workbook_that_unpacks_to_too_much_is_refused(
    good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "_MAX_UNPACKED_BYTES", 20 * 1024 * 1024)
    bomb = with_entries(good, {"xl/media/image1.png": bytes(21 * 1024 * 1024)})
    assert bomb.stat().st_size < 100_000
    assert refusal_code(bomb) == "file.too-large"


def test_an_archive_with_too_many_entries_is_refused(good: Path) -> None:
    assert (
        refusal_code(with_entries(good, {f"x{n}": b"" for n in range(2_000)})) == "file.malformed"
    )


def test_a_workbook_that_takes_too_long_is_refused(
    good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "_SECONDS", 0.001)
    assert refusal_code(good) == "file.malformed"


@pytest.mark.parametrize("kept", [4, 30, 200, -1, -30])
def test_a_truncated_workbook_is_refused(good: Path, kept: int) -> None:
    good.write_bytes(good.read_bytes()[:kept])
    assert refusal_code(good) == "file.malformed"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_workbook_with_changed_bytes_is_read_or_refused(good: Path, data: st.DataObject) -> None:
    content = bytearray(good.read_bytes())
    changed = good.with_name("changed.xlsx")
    for _ in range(3):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    changed.write_bytes(content)
    try:
        read(changed)
    except IssuerDataError as error:
        assert error.code.startswith("file.")  # noqa: PT017 - most, but not all changes are found
