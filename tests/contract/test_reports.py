"""What reports count, whatever database stands behind the register; the rules in code are the ones that SQL follows."""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.import_tables import ImportRow, ImportRowRow
from issuer.db.member_changes import MemberChangeRow
from issuer.db.member_rows import MemberRow
from issuer.db.register import SqlRegister
from issuer.db.reports import SqlReportFigures
from issuer.domain.member import Member, MemberCheck, MemberName, PortraitDigest, Standing
from issuer.domain.organisation import OrganisationCode
from issuer.domain.phone_number import PhoneNumber
from issuer.domain.report import (
    AGEING_AFTER,
    LIVE_FOR,
    NO_PORTRAIT,
    Measures,
    Quality,
    has_look_alike,
    lacks,
)
from issuer.domain.requests import RequestEventKind
from issuer.domain.rights import Role
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.papers import report_files
from issuer.papers.report_files import report_paper, write_report_workbook
from issuer.services.check_members import CheckingOfMembers
from issuer.services.reports import ReportForm, Reports
from tests.contract.requests_stage import (
    CELL,
    CLERK,
    COMMUNE,
    NEW_ISSUE,
    NOW,
    OTHER,
    PROVINCE,
    SEALER,
    Stage,
    actor,
    ids,
    member,
)

LATER = NOW + timedelta(hours=1)
READER = actor("reader", Role.AUDITOR)
WHOLE = Measures(members=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    opened = Database(
        f"sqlite:///{tmp_path / 'issuer.sqlite'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    schema.upgrade(opened)
    yield opened
    opened.close()


def perfect(number: int, **changes: object) -> Member:
    """Of whom nothing is missing, and whom nobody resembles."""
    return member(
        number,
        **{
            "name": MemberName(full=f"Nguyễn Văn {_letters(number)}", primary="Nguyễn"),
            "residence": "xã Mẫu",
            "phone": PhoneNumber("0912345678"),
            **changes,
        },
    )


def _letters(number: int) -> str:
    return "".join("ABCDEGHIKL"[int(digit)].lower() for digit in str(number)).capitalize()


def counted(database: Database, members: Sequence[Member], *, at: datetime = LATER) -> Measures:
    """What is counted of the whole register with these members in it."""
    stage = Stage(database)
    stage.fill(members)
    figures = SqlReportFigures(database)
    assert figures.count(now=at) == 4
    found = figures.line(PROVINCE)
    assert found is not None
    return found.measures


CASES: list[tuple[dict[str, object], Measures]] = [
    ({}, WHOLE),
    ({"residence": None}, Measures(members=1, incomplete=1)),
    ({"phone": None}, Measures(members=1, incomplete=1)),
    ({"recognition_date": None}, Measures(members=1, incomplete=1)),
    ({"recognition_date": None, "standing": Standing.PROBATIONARY}, WHOLE),
    ({"standing": Standing.SUSPENDED}, WHOLE),
    ({"standing": Standing.DECEASED}, Measures()),
    ({"standing": Standing.EXPELLED}, Measures()),
    ({"standing": Standing.STRUCK_OFF}, Measures()),
    (
        {"name": MemberName(full="Nguyễn Văn \u00d0an", primary="Nguyễn")},
        Measures(members=1, look_alikes=1),
    ),
]


def test_each_measure_counts_what_its_rule_says(database: Database) -> None:
    stage = Stage(database)
    stage.fill([])
    figures = SqlReportFigures(database)
    before = Measures()
    for number, (changes, expected) in enumerate(CASES, start=1):
        found = perfect(number, **changes)
        with stage.register.writing() as transaction:
            transaction.members.add([found])
        figures.count(now=LATER)
        line = figures.line(PROVINCE)
        assert line is not None
        assert line.measures == before + expected
        before = line.measures
        if expected.members:
            # The rules in code say the same as the database.
            assert lacks(found) == bool(expected.incomplete)
            assert has_look_alike(found) == bool(expected.look_alikes)


def test_a_member_without_a_portrait_is_incomplete(database: Database) -> None:
    found = replace(perfect(1), portrait=PortraitDigest(NO_PORTRAIT))
    assert lacks(found)
    assert counted(database, [found]) == Measures(members=1, incomplete=1)


def test_two_who_may_be_one_are_both_unclean(database: Database) -> None:
    twins = [perfect(1), perfect(2, name=MemberName(full="NGUYỄN VĂN Be", primary="N"))]
    other_day = perfect(
        3, name=MemberName(full="Nguyễn Văn Bé", primary="N"), birth_date=date(1980, 1, 1)
    )
    # Folded, "Bé" and "Be" are the same; the day of birth tells the third apart, and the dead one does not count.
    dead = perfect(
        4, name=MemberName(full="Nguyễn Văn Bề", primary="N"), standing=Standing.DECEASED
    )
    found = counted(database, [perfect(1), twins[1], other_day, dead])
    assert found == Measures(members=3)
    with SqlRegister(database, lambda: SEALER).writing() as transaction:
        transaction.members.add([perfect(5, name=MemberName(full="Nguyễn Văn Bẻ", primary="N"))])
    figures = SqlReportFigures(database)
    figures.count(now=LATER)
    line = figures.line(PROVINCE)
    assert line is not None
    assert line.measures == Measures(members=4, duplicates=2)
    assert line.measures.per_mille(Quality.CLEAN) == 500


def test_a_record_that_nobody_touched_for_a_year_is_not_live(database: Database) -> None:
    after = NOW + LIVE_FOR + timedelta(days=1)
    assert counted(database, [perfect(1), perfect(2)], at=after) == Measures(members=2, stale=2)
    with database.writing() as session:
        first = perfect(1).member_id
        session.execute(sa.update(MemberRow).where(MemberRow.id == first).values(version=2))
        session.add(
            MemberChangeRow(
                member_id=first, version=2, column="phone", at=NOW + timedelta(days=2), account="lan",
                kind="correction", effective=None, reason=b"x", evidence=None, old=None, new=None,
            )
        )  # fmt: skip
    figures = SqlReportFigures(database)
    figures.count(now=after)
    line = figures.line(PROVINCE)
    assert line is not None
    assert line.measures == Measures(members=2, stale=1)


def test_a_record_that_was_checked_is_live_for_another_year(database: Database) -> None:
    after = NOW + LIVE_FOR + timedelta(days=1)
    members = [perfect(1), perfect(2), perfect(3), perfect(4, standing=Standing.EXPELLED)]
    assert counted(database, members, at=after) == Measures(members=3, stale=3)
    checking = CheckingOfMembers(
        register=SqlRegister(database, lambda: SEALER), clock=lambda: NOW + timedelta(days=2)
    )
    clerk = actor("lan", Role.CLERK)
    checking.check(perfect(1).member_id, actor=clerk, version=1)
    with pytest.raises(ConflictError, match="version 1, got 2"):
        checking.check(perfect(2).member_id, actor=clerk, version=2)
    figures = SqlReportFigures(database)
    figures.count(now=after)
    line = figures.line(PROVINCE)
    assert line is not None
    assert line.measures == Measures(members=3, stale=2)
    assert checking.check_all(CELL, actor=clerk) == 3
    figures.count(now=after)
    line = figures.line(PROVINCE)
    assert line is not None
    assert line.measures == Measures(members=3)
    figures.count(now=after + LIVE_FOR)
    line = figures.line(PROVINCE)
    assert line is not None
    assert line.measures == Measures(members=3, stale=3)
    with checking.register.reading() as transaction:
        kept = transaction.members.get(perfect(2).member_id)
        acts = [each.record().action for each in transaction.audit.records()]
    assert (kept.version, kept.check) == (
        1, MemberCheck(at=NOW + timedelta(days=2), account=clerk.account),
    )  # fmt: skip
    assert acts[-2:] == ["member.checked", "organisation.members-checked"]
    with pytest.raises(IssuerRefusedError, match="nobody is recorded"):
        checking.check_all(PROVINCE, actor=clerk)
    with pytest.raises(IssuerRefusedError, match="no right"):
        checking.check_all(CELL, actor=actor("minh", Role.ENDORSER))


def test_rows_that_wait_make_it_less_right_until_somebody_decides(database: Database) -> None:
    stage = Stage(database)
    stage.fill([perfect(1), perfect(2), perfect(3)])
    with database.writing() as session:
        session.add(
            ImportRow(
                number=1, list_digest=bytes(32), account="lan", started_at=NOW, finished_at=NOW, row_count=2,
                last_row=2, taken=0, already_present=0, refused=0, questionable=2, has_checked_faces=False,
            )
        )  # fmt: skip
        session.flush()
        for row, state in ((1, "waiting"), (2, "refused")):
            session.add(
                ImportRowRow(
                    number=1, row=row, findings="[]", state=state, organisation_code=CELL,
                    content=b"x" if state == "waiting" else None, content_digest=bytes(32),
                )
            )  # fmt: skip
    figures = SqlReportFigures(database)
    figures.count(now=LATER)
    line = figures.line(COMMUNE)
    assert line is not None
    assert line.measures == Measures(members=3, waiting_rows=1)
    assert line.measures.per_mille(Quality.RIGHT) == 750


def test_a_request_ages_from_its_last_step(database: Database) -> None:
    stage = Stage(database)
    stage.fill([perfect(1), perfect(3), perfect(5)])
    requests = ids(stage.draft(1, 3, 5, wish=NEW_ISSUE))
    stage.take(RequestEventKind.WITHDRAWN, requests[2:], by=CLERK, remark="by mistake")
    figures = SqlReportFigures(database)
    for at, ageing in ((NOW + AGEING_AFTER - timedelta(days=1), 0), (NOW + AGEING_AFTER * 2, 2)):
        figures.count(now=at)
        line = figures.line(CELL)
        assert line is not None
        assert (line.measures.open_requests, line.measures.ageing_requests) == (2, ageing)


def tree(database: Database) -> SqlReportFigures:
    stage = Stage(database)
    stage.fill(
        [perfect(1), perfect(2, organisation_code=OTHER), perfect(3, organisation_code=COMMUNE)]
    )
    figures = SqlReportFigures(database)
    figures.count(now=LATER)
    return figures


def test_a_level_shows_organisations_with_all_below_them_page_by_page(database: Database) -> None:
    figures = tree(database)
    top = figures.lines(above=None, roots=None, limit=10)
    assert [(each.code, each.measures.members, each.below) for each in top.lines] == [
        (PROVINCE, 3, 2)
    ]
    first = figures.lines(above=PROVINCE, roots=None, limit=1)
    assert [(each.code, each.measures.members) for each in first.lines] == [(COMMUNE, 2)]
    second = figures.lines(above=PROVINCE, roots=None, limit=1, behind=first.end)
    assert [(each.code, each.measures.members) for each in second.lines] == [(OTHER, 1)]
    assert second.end is None
    walk = [(depth, each.code) for depth, each in figures.walk(None, None)]
    assert walk == [(0, PROVINCE), (1, COMMUNE), (2, CELL), (1, OTHER)]
    assert [each.code for _, each in figures.walk(COMMUNE, None)] == [COMMUNE, CELL]


def reports(database: Database) -> Reports:
    tree(database)
    return Reports(
        register=SqlRegister(database),
        figures=SqlReportFigures(database),
        clock=lambda: LATER + timedelta(hours=1),
    )


def test_everybody_sees_their_own_part_only(database: Database) -> None:
    office = reports(database)
    local = actor("local", Role.CLERK, at=COMMUNE)
    assert [each.code for each in office.show(actor=local, above=None, limit=9).page.lines] == [
        COMMUNE
    ]
    assert office.show(actor=local, above=COMMUNE, limit=9).page.lines[0].code == CELL
    for above in (PROVINCE, OTHER, OrganisationCode("nowhere")):
        with pytest.raises(IssuerDataError) as refused:
            office.show(actor=local, above=above, limit=9)
        assert refused.value.code == "organisation.unknown"
    nobody = actor("nobody", Role.ADMINISTRATOR)
    for act in (
        lambda: office.show(actor=nobody, above=None, limit=9),
        lambda: office.count(actor=nobody),
        lambda: office.export(actor=nobody, above=None, form=ReportForm.PDF),
    ):
        with pytest.raises(IssuerRefusedError) as missing:
            act()
        assert missing.value.code == "right.missing"
    _, lines = office.export(actor=local, above=None, form=ReportForm.XLSX)
    assert [each.code for _, each in lines] == [COMMUNE, CELL]


def test_counting_and_exports_are_recorded_and_counting_waits_a_minute(database: Database) -> None:
    office = reports(database)
    first = office.count(actor=READER)
    assert first == LATER + timedelta(hours=1)
    assert office.count(actor=READER) == first
    office.export(actor=READER, above=COMMUNE, form=ReportForm.PDF)
    with SqlRegister(database).reading() as transaction:
        found = [each.record() for each in transaction.audit.records()]
    assert [(each.action, each.organisation) for each in found if "report" in each.action] == [
        ("report.counted", None),
        ("report.exported", COMMUNE),
    ]


def test_what_was_not_counted_is_not_exported(database: Database) -> None:
    office = Reports(
        register=SqlRegister(database), figures=SqlReportFigures(database), clock=lambda: NOW
    )
    assert office.show(actor=READER, above=None, limit=9).counted_at is None
    with pytest.raises(IssuerRefusedError) as refused:
        office.export(actor=READER, above=None, form=ReportForm.PDF)
    assert refused.value.code == "report.not-counted"


def test_a_workbook_and_a_paper_hold_every_organisation(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = tree(database)
    with database.writing() as session:
        session.execute(sa.text("UPDATE organisations SET name = '=1+1' WHERE code = 'P-02'"))
    path = tmp_path / "report.xlsx"
    assert write_report_workbook(path, figures.walk(None, None), counted_at=LATER) == 4
    found = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    rows = found[2:]
    assert [row[0] for row in rows] == [PROVINCE, COMMUNE, CELL, OTHER]
    assert [str(row[1]).strip() for row in rows][3] == "=1+1"
    assert rows[0][2:7] == [1.0, 1.0, 1.0, 1.0, 3.0]
    # A name is text, whatever it looks like.
    assert b"<f>" not in zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml")
    assert report_paper(figures.walk(None, None), counted_at=LATER).startswith(b"%PDF-")
    monkeypatch.setattr(report_files, "MAX_PAPER_LINES", 3)
    with pytest.raises(IssuerRefusedError) as refused:
        report_paper(figures.walk(None, None), counted_at=LATER)
    assert refused.value.code == "report.too-long"


_COUNTS = st.integers(0, 10**7)


@given(_COUNTS, _COUNTS, st.sampled_from(Quality))
def test_all_is_said_of_all_only(good: int, bad: int, quality: Quality) -> None:
    names = {
        Quality.RIGHT: "waiting_rows",
        Quality.COMPLETE: "incomplete",
        Quality.CLEAN: "duplicates",
        Quality.LIVE: "stale",
    }
    members = good if quality is Quality.RIGHT else good + bad
    found = Measures(members=members, **{names[quality]: bad}).per_mille(quality)
    assert (found is None) == (good + bad == 0)
    if found is not None:
        assert 0 <= found <= 1000
        assert (found == 1000) == (bad == 0)
