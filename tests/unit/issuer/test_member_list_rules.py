import unicodedata
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.card_number import CommitteeBlockScheme
from issuer.domain.list_row import Cell, Finding, ListRow
from issuer.domain.member import Sex
from issuer.domain.member_list import JudgedRow, MemberColumn, judge_member_row
from issuer.domain.organisation import Organisation, OrganisationCode, OrganisationTree

TODAY = date(2026, 11, 21)
ORGANISATIONS = OrganisationTree(
    [
        Organisation(code=OrganisationCode("P"), name="Tỉnh ủy", committee_number="98"),
        Organisation(
            code=OrganisationCode("P-01"), name="Đảng ủy xã", parent_code=OrganisationCode("P")
        ),
        Organisation(code=OrganisationCode("N"), name="Không số"),
    ]
)
GOOD: dict[str, Cell] = {
    "earlier_card_number": "98.000123",
    "record_number": "123456ab",
    "citizen_number": "001090000001",
    "full_name": "Y Bhăm Êban",
    "primary_name": "Êban",
    "secondary_name": "Y Bhăm",
    "birth_date": "03/02/1990",
    "sex": "Nam",
    "place_of_birth": "xã Mẫu, tỉnh Giả Định",
    "home_town": "xã Mẫu",
    "ethnic_group": "Ê Đê",
    "admission_date": "2015-02-03",
    "recognition_date": date(2016, 2, 3),
    "organisation_code": "P-01",
    "portrait": "98000123.jpg",
}


def judge(**changes: Cell) -> JudgedRow | tuple[Finding, ...]:
    return judge_member_row(
        ListRow(number=7, cells=GOOD | changes),
        organisations=ORGANISATIONS,
        scheme=CommitteeBlockScheme(),
        today=TODAY,
    )


def taken(**changes: Cell) -> JudgedRow:
    judged = judge(**changes)
    assert isinstance(judged, JudgedRow), judged
    return judged


def refused(**changes: Cell) -> list[tuple[str, str]]:
    judged = judge(**changes)
    assert not isinstance(judged, JudgedRow)
    assert all(each.row == 7 for each in judged)
    return [(each.column, each.code) for each in judged]


def test_a_good_row_is_taken() -> None:
    judged = taken()
    statement = judged.statement
    assert judged.number == 7
    assert judged.portrait_name == "98000123.jpg"
    assert statement.earlier_card_number == "98000123"
    assert statement.record_number == "123456AB"
    assert (statement.name.full, statement.name.primary, statement.name.secondary) == (
        "Y Bhăm Êban", "Êban", "Y Bhăm",
    )  # fmt: skip
    assert statement.birth_date == date(1990, 2, 3)
    assert statement.sex is Sex.MALE


def test_the_whole_name_is_primary_where_its_parts_are_not_given() -> None:
    name = taken(primary_name=None, secondary_name="").statement.name
    assert (name.primary, name.secondary) == ("Y Bhăm Êban", "")


def test_text_is_composed() -> None:
    written = {
        column: unicodedata.normalize("NFD", str(GOOD[column]))
        for column in (
            "full_name",
            "primary_name",
            "secondary_name",
            "home_town",
            "ethnic_group",
            "sex",
        )
    }
    assert taken(**written) == taken()
    assert (
        taken(**written | {"sex": unicodedata.normalize("NFD", "nữ")}).statement.sex is Sex.FEMALE
    )


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("record_number", None, "cell.empty"),
        ("record_number", "  ", "cell.empty"),
        ("earlier_card_number", 98.000123, "cell.not-text"),
        ("earlier_card_number", date(2020, 1, 1), "cell.not-text"),
        ("earlier_card_number", "98-000123", "card-number.malformed"),
        ("record_number", "12AB", "record-number.malformed"),
        ("citizen_number", 1090000001.0, "cell.not-text"),
        ("citizen_number", "1090000001", "citizen-number.malformed"),
        ("full_name", "\u0189inh Bình", "name.look-alike"),
        ("birth_date", "31/02/1990", "date.impossible"),
        ("birth_date", "1990", "date.malformed"),
        ("birth_date", 32907.0, "date.malformed"),
        ("birth_date", "2026-11-22", "birth-date.age"),
        ("birth_date", "2009-01-01", "birth-date.age"),
        ("birth_date", "1900-01-01", "birth-date.age"),
        ("admission_date", "2008-02-02", "admission-date.age"),
        ("admission_date", None, "cell.empty"),
        ("recognition_date", "2015-02-02", "recognition-date.order"),
        ("recognition_date", "2026-11-22", "recognition-date.future"),
        ("sex", "x", "sex.unknown"),
        ("sex", True, "cell.not-text"),
        ("place_of_birth", "xã <b>", "text.character"),
        ("home_town", "x" * 321, "text.too-long"),
        ("ethnic_group", "x" * 65, "text.too-long"),
        ("ethnic_group", "Kinh\u0007", "text.malformed"),
        ("organisation_code", "P-99", "organisation.unknown"),
        ("organisation_code", "N", "organisation.no-committee-number"),
        ("organisation_code", "P 1", "organisation.code-malformed"),
        ("portrait", "../secret.jpg", "portrait.name"),
        ("portrait", "a/b.jpg", "portrait.name"),
        ("portrait", "a\\b.jpg", "portrait.name"),
        ("portrait", ".hidden", "portrait.name"),
        ("portrait", "C:x.jpg", "portrait.name"),
        ("portrait", "a\u0000.jpg", "portrait.name"),
        ("portrait", "x" * 256, "portrait.name"),
    ],
)
def test_one_wrong_cell_refuses_the_row_with_one_finding(
    column: str, cell: Cell, code: str
) -> None:
    assert refused(**{column: cell}) == [(column, code)]


def test_a_name_that_the_machine_readable_zone_cannot_hold_is_refused() -> None:
    assert refused(full_name="Ƀa Na", primary_name=None, secondary_name=None) == [
        ("full_name", "name.not-transliterable")
    ]


def test_the_parts_hold_the_words_of_the_full_name() -> None:
    assert refused(primary_name="Niê") == [("primary_name", "name.parts-differ")]
    assert refused(secondary_name=None) == [("primary_name", "name.parts-differ")]
    assert refused(primary_name=None, secondary_name="Y Bhăm Êban") == [
        ("primary_name", "name.primary-empty")
    ]


def test_a_long_name_without_parts_does_not_fit() -> None:
    words = " ".join(["Nguyễn"] * 20)
    assert refused(full_name=words, primary_name=None, secondary_name=None) == [
        ("full_name", "name.too-long")
    ]
    half = " ".join(["Nguyễn"] * 10)
    assert (
        taken(full_name=words, primary_name=half, secondary_name=half).statement.name.full == words
    )


def test_all_findings_of_a_row_are_reported_at_once() -> None:
    assert refused(birth_date="x", sex="x", portrait=None) == [
        ("birth_date", "date.malformed"),
        ("sex", "sex.unknown"),
        ("portrait", "cell.empty"),
    ]


def test_cells_beyond_the_last_column_refuse_the_row() -> None:
    judged = judge_member_row(
        ListRow(number=7, cells=GOOD, has_surplus=True),
        organisations=ORGANISATIONS,
        scheme=CommitteeBlockScheme(),
        today=TODAY,
    )
    assert not isinstance(judged, JudgedRow)
    assert [each.code for each in judged] == ["row.surplus-cells"]


def test_no_finding_quotes_personal_data() -> None:
    judged = judge(
        full_name="Geheim 1",
        citizen_number="123secret",
        place_of_birth="Ort<",
        earlier_card_number="98.12secret",
    )
    assert not isinstance(judged, JudgedRow)
    text = " ".join(each.sentence for each in judged)
    assert not any(word in text for word in ("Geheim", "secret", "Ort<"))


_cells = st.one_of(
    st.none(), st.text(max_size=30), st.floats(), st.booleans(), st.dates(), st.datetimes(),
    st.sampled_from([cell for cell in GOOD.values() if cell is not None]),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(list(MemberColumn)), _cells))
def test_any_cells_are_taken_or_refused_with_a_finding(changes: dict[str, Cell]) -> None:
    judged = judge(**changes)
    if isinstance(judged, JudgedRow):
        assert judged.statement.organisation_code in ORGANISATIONS
    else:
        assert judged
        assert all(each.code and each.sentence for each in judged)


def test_a_birthday_today_makes_eighteen() -> None:
    born = date(2008, 11, 21)
    assert taken(birth_date=born, admission_date=TODAY, recognition_date=TODAY)
    later = date(2008, 11, 22)
    assert refused(birth_date=later, admission_date=TODAY, recognition_date=TODAY) == [
        ("birth_date", "birth-date.age")
    ]


def test_a_spreadsheet_date_with_a_time_of_day_is_refused() -> None:
    assert refused(birth_date=datetime(1990, 2, 3, 12, tzinfo=UTC)) == [
        ("birth_date", "date.malformed")
    ]
