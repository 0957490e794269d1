"""Lists of every wrong kind end in a report, and change nothing."""

import os
import unicodedata
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from issuer.domain.card_number import CommitteeBlockScheme
from issuer.domain.list_row import Finding, ListRow, RowMemory
from issuer.domain.member_list import JudgedRow, MemberColumn, judge_member_row
from issuer.domain.organisation import Organisation, OrganisationCode, OrganisationTree
from issuer.domain.row_judge import RowJudge
from issuer.errors import IssuerDataError
from issuer.imports.open_table import open_table

COLUMNS = ("code", "name", "day")
TODAY = datetime(2026, 11, 21, tzinfo=UTC).date()
TREE = OrganisationTree(
    [Organisation(code=OrganisationCode("P"), name="Tỉnh ủy", committee_number="98")]
)
CELLS = {
    "card_number": "98.000001", "record_number": "000001AB", "citizen_number": "001090000001",
    "full_name": "Nguyễn Thị Hòa", "birth_date": "03/02/1990", "sex": "nữ",
    "place_of_birth": "xã Mẫu", "home_town": "xã Mẫu", "ethnic_group": "Kinh",
    "admission_date": "2015-02-03", "recognition_date": "2016-02-03", "organisation_code": "P",
    "kind": "first-issue", "ordinal": "1", "portrait": "a.jpg",
}  # fmt: skip


def judge(**changes: object) -> JudgedRow | tuple[Finding, ...]:
    row = ListRow(number=2, cells=CELLS | changes)  # type: ignore[arg-type]  # hostile on purpose
    return RowJudge(organisations=TREE, scheme=CommitteeBlockScheme(), today=TODAY).judge(row)


def codes(**changes: object) -> list[tuple[str, str]]:
    judged = judge(**changes)
    return [] if isinstance(judged, JudgedRow) else [(each.column, each.code) for each in judged]


@pytest.mark.parametrize(
    ("column", "content", "code"),
    [
        ("full_name", "Robert'); DROP TABLE members;--", "name.character"),
        ("full_name", "<script>alert(1)</script>", "name.character"),
        ("full_name", "Nguyễn 😀 Hòa", "name.character"),
        ("full_name", "=HYPERLINK(1)", "name.character"),
        ("full_name", "Nguyễn\u202eHòa", "name.malformed"),
        ("full_name", "Hòa\x00", "name.malformed"),
        ("full_name", "Н\u0433uyen", "name.not-transliterable"),
        ("full_name", "a" * 321, "name.too-long"),
        ("home_town", "'; DELETE FROM members; --", "text.character"),
        ("home_town", "<b>xã</b>", "text.character"),
        ("home_town", "@SUM(A1)", "text.character"),
        ("home_town", "xã Mẫu 🏠", "text.character"),
        ("birth_date", "31/02/1990", "date.impossible"),
        ("birth_date", "29/02/1991", "date.impossible"),
        ("birth_date", "02/13/1990", "date.impossible"),
        ("birth_date", "1990/02/03", "date.malformed"),
        ("birth_date", "3.2.1990", "date.malformed"),
        ("birth_date", "٠٣/٠٢/١٩٩٠", "date.malformed"),
        ("birth_date", 32907.0, "date.malformed"),
        ("citizen_number", 1090000001.0, "cell.not-text"),
        ("citizen_number", "００１０９０００００１１", "citizen-number.malformed"),
        ("ordinal", float("inf"), "ordinal.malformed"),
        ("ordinal", True, "ordinal.malformed"),
        ("portrait", "../../etc/passwd", "portrait.name"),
        ("portrait", "\ud800.jpg", "portrait.name"),
    ],
)
def test_hostile_cells_are_refused_with_their_code(column: str, content: object, code: str) -> None:
    assert (column, code) in codes(**{column: content})


def test_decomposed_text_is_the_same_as_composed() -> None:
    decomposed = {
        column: unicodedata.normalize("NFD", content) for column, content in CELLS.items()
    }
    assert judge(**decomposed) == judge()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("code,name,day\nA,Hòa,1\n".encode("utf-16"), "UTF-16"),
        ("code,name,day\nA,Hòa,1\n".encode("utf-16-be"), "null"),
        ("code,name,day\nA,Ho\u0300a,1\n".encode("cp1258"), "windows-1258"),
    ],
)
def test_other_encodings_are_refused_and_named(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(IssuerDataError) as refusal, open_table(path, COLUMNS):
        pass
    assert refusal.value.code == "file.not-utf-8"
    assert word in str(refusal.value)


def test_two_gigabytes_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    path.touch()
    os.truncate(path, 2 * 1024 * 1024 * 1024)
    with pytest.raises(IssuerDataError) as refusal, open_table(path, COLUMNS):
        pass
    assert refusal.value.code == "file.too-large"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("xl/vbaProject.bin", "file.macros"),
        ("xl/macrosheets/sheet1.xml", "file.macros"),
        ("xl/activeX/activeX1.bin", "file.macros"),
        ("xl/externalLinks/externalLink1.xml", "file.external-links"),
        ("xl/queryTables/queryTable1.xml", "file.external-links"),
        ("EncryptionInfo", None),
    ],
)
def test_what_no_list_needs_is_refused(tmp_path: Path, name: str, code: str | None) -> None:
    path = tmp_path / "list.xlsx"
    book = xlsxwriter.Workbook(path)
    book.add_worksheet().write_row(0, 0, COLUMNS)
    book.close()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    if code is None:
        with open_table(path, COLUMNS) as table:
            assert list(table.rows()) == []
        return
    with pytest.raises(IssuerDataError) as refusal, open_table(path, COLUMNS):
        pass
    assert refusal.value.code == code


_HOSTILE = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            *CELLS.values(),
            "\u00d0ỗ An",
            "  Lê  Bé ",
            "Hoà",
            "31/02/1990",
            "x" * 400,
            "a  b",
            " ",
            "-",
        ]
    ),
    st.floats(),
    st.booleans(),
    st.dates(date(1900, 1, 1), date(2030, 1, 1)),
    st.none(),
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.dictionaries(
            st.sampled_from([str(each) for each in MemberColumn]), _HOSTILE, max_size=4
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_memory_of_earlier_rows_changes_no_judgement(rows: list[dict[str, object]]) -> None:
    memory = RowMemory(frozenset(MemberColumn))

    def judged(changes: dict[str, object], kept: RowMemory | None) -> object:
        return judge_member_row(
            ListRow(number=2, cells=CELLS | changes),  # type: ignore[arg-type]  # hostile on purpose
            organisations=TREE,
            scheme=CommitteeBlockScheme(),
            today=TODAY,
            memory=kept,
        )

    for changes in [*rows, *rows]:
        assert judged(changes, memory) == judged(changes, None)
