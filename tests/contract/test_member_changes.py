"""Changes of members over both databases: who may, what is kept, and what two people at once come to."""

import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.member_changes import MemberChangeRow
from issuer.db.register import SqlRegister
from issuer.db.sealing import Sealer
from issuer.domain.card_number import CommitteeBlockScheme
from issuer.domain.member import (
    Member,
    MemberId,
    MemberName,
    MemberStatement,
    PortraitDigest,
    Sex,
    Standing,
)
from issuer.domain.member_change import ChangeKind, MemberChange
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.errors import IssuerError, IssuerUnavailableError
from issuer.evidence.folder_store import FolderEvidenceStore
from issuer.services.change_members import ChangeOfMembers, Justification

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SEALER = Sealer(encryption_key=bytes(range(32)), digest_key=bytes(range(32, 64)))
ORGANISATIONS = (
    Organisation(code=OrganisationCode("P"), name="Tỉnh ủy Giả Định", committee_number="98"),
    Organisation(code=OrganisationCode("P-1"), name="Xã Một", parent_code=OrganisationCode("P")),
    Organisation(code=OrganisationCode("P-2"), name="Xã Hai", parent_code=OrganisationCode("P")),
)
PDF = b"%PDF-1.7 decision 12"
WHY = Justification(reason="Quyết định số 12-QĐ/ĐU", evidence=PDF)


def clerk_of(code: str | None) -> Actor:
    organisation = None if code is None else OrganisationCode(code)
    return Actor(
        account=AccountName("lan"),
        assignments=(Assignment(role=Role.CLERK, organisation=organisation),),
    )


PROVINCE = clerk_of("P")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        opened = Database(f"sqlite:///{tmp_path / 'issuer.sqlite'}")
    else:
        opened = Database(request.getfixturevalue("postgresql_url"))
    schema.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def office(database: Database, tmp_path: Path) -> ChangeOfMembers:
    register = SqlRegister(database, lambda: SEALER)
    with register.writing() as transaction:
        transaction.organisations.add(ORGANISATIONS)
        transaction.members.add([member(1), member(2)])
    return ChangeOfMembers(
        register=register,
        evidence=FolderEvidenceStore(tmp_path / "evidence", lambda: SEALER),
        scheme=CommitteeBlockScheme(),
        clock=lambda: NOW,
    )


def member(number: int) -> Member:
    return Member(
        member_id=MemberId(uuid.UUID(int=number)),
        statement=MemberStatement(
            record_number=RecordNumber(f"{number:06}AB"),
            citizen_number=CitizenNumber(f"001090{number:06}"),
            name=MemberName(full="Nguyễn Thị Hòa", primary="Nguyễn", secondary="Thị Hòa"),
            birth_date=date(1990, 2, 3),
            sex=Sex.FEMALE,
            place_of_birth="xã Mẫu",
            home_town="xã Mẫu",
            ethnic_group="Kinh",
            admission_date=date(2015, 2, 3),
            recognition_date=date(2016, 2, 3),
            organisation_code=OrganisationCode("P-1"),
            standing_since=date(2016, 2, 3),
        ),
        portrait=PortraitDigest(hashlib.sha256(b"portrait").digest()),
        portrait_source=PortraitDigest(hashlib.sha256(b"source").digest()),
        recorded_at=NOW,
    )


HOA = member(1).member_id


def correct(
    office: ChangeOfMembers,
    wanted: dict[str, str | None],
    *,
    actor: Actor = PROVINCE,
    version: int = 1,
    why: Justification = WHY,
) -> Member:
    columns = {MemberColumn(name): text for name, text in wanted.items()}
    return office.correct(HOA, columns, actor=actor, version=version, why=why)


def stored(office: ChangeOfMembers, member_id: MemberId = HOA) -> Member:
    with office.register.reading() as transaction:
        return transaction.members.get(member_id)


def history(office: ChangeOfMembers) -> list[MemberChange]:
    return list(office.history(HOA, actor=PROVINCE, limit=100).changes)


def acts(office: ChangeOfMembers) -> list[str]:
    with office.register.reading() as transaction:
        return [each.action for each in transaction.audit.records()]


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(IssuerError) as caught:
        work()
    return caught.value.code


def test_a_correction_is_stored_with_who_when_why_and_on_which_document(
    office: ChangeOfMembers,
) -> None:
    changed = correct(office, {"phone": "0912 345 678", "home_town": "xã Mới"})
    assert stored(office) == changed
    assert (changed.version, changed.statement.phone) == (2, "0912345678")
    lines = {each.change.column: each for each in history(office)}
    assert set(lines) == {MemberColumn.PHONE, MemberColumn.HOME_TOWN}
    home_town = lines[MemberColumn.HOME_TOWN]
    assert (home_town.change.old, home_town.change.new) == ("xã Mẫu", "xã Mới")
    assert (home_town.account, home_town.at, home_town.version) == ("lan", NOW, 2)
    assert (home_town.kind, home_town.effective) == (ChangeKind.CORRECTION, None)
    assert home_town.reason == WHY.reason
    assert home_town.evidence is not None
    assert office.evidence.get(home_town.evidence) == PDF
    assert lines[MemberColumn.PHONE].change.old is None
    with office.register.reading() as transaction:
        (record,) = transaction.audit.records()
    assert (record.action, record.subject_id) == ("member.corrected", HOA.hex)
    assert WHY.reason not in record.details
    assert "Mới" not in record.details


def test_the_database_shows_neither_values_nor_reasons(
    office: ChangeOfMembers, database: Database
) -> None:
    correct(office, {"home_town": "xã Bí Mật"})
    with database.reading() as session:
        row = session.scalars(sa.select(MemberChangeRow)).one()
        assert b"M\xe1\xba\xadt" not in row.reason + (row.old or b"") + (row.new or b"")
        assert "Quyết".encode() not in row.reason


def test_a_line_of_history_is_never_changed_and_opens_in_no_other_place(
    office: ChangeOfMembers, database: Database
) -> None:
    correct(office, {"phone": "0912345678"})
    correct(office, {"phone": "0987654321"}, version=2)
    with pytest.raises(IssuerError), database.writing() as session:
        session.execute(sa.update(MemberChangeRow).values(account="nobody"))
    with database.writing() as session:
        lines = session.scalars(sa.select(MemberChangeRow)).all()
        values = {line.version: (line.old, line.new) for line in lines}
        session.execute(sa.delete(MemberChangeRow).where(MemberChangeRow.version == 3))
        session.add(
            MemberChangeRow(
                member_id=HOA, version=3, column="phone", at=NOW, account="lan", kind="correction",
                effective=None, reason=lines[0].reason, evidence=None, old=values[2][0], new=values[2][1],
            )
        )  # fmt: skip
    with pytest.raises(IssuerUnavailableError) as refusal:
        history(office)
    assert refusal.value.code == "register.seal-broken"


def test_whoever_saw_an_older_version_changes_nothing(office: ChangeOfMembers) -> None:
    correct(office, {"phone": "0912345678"})
    assert code_of(lambda: correct(office, {"phone": "0987654321"})) == "member.changed"
    assert stored(office).statement.phone == "0912345678"
    assert len(acts(office)) == 1


def test_of_many_changes_at_once_one_wins(office: ChangeOfMembers) -> None:
    results: list[str] = []
    barrier = threading.Barrier(6)

    def work(number: int) -> None:
        barrier.wait()
        try:
            correct(office, {"phone": f"091234567{number}"})
        except IssuerError as error:
            results.append(error.code)
        else:
            results.append("changed")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["changed"] + ["member.changed"] * 5
    assert len(history(office)) == len(acts(office)) == 1


REFUSED: tuple[tuple[dict[str, str | None], str], ...] = (
    ({"phone": "x"}, "phone.malformed"),
    ({"citizen_number": "12"}, "citizen-number.malformed"),
    ({"citizen_number": "001090000002"}, "citizen-number.taken"),
    ({"record_number": "000002AB"}, "record-number.taken"),
    ({"home_town": None}, "cell.empty"),
    ({"birth_date": "31/02/1990"}, "date.impossible"),
    ({"birth_date": "2020-01-01"}, "birth-date.age"),
    ({"recognition_date": None}, "recognition-date.missing"),
    ({"recognition_date": "2014-01-01"}, "recognition-date.order"),
    ({"full_name": "Nguyễn Thị Huệ"}, "name.parts-differ"),
    ({"organisation_code": "X"}, "organisation.unknown"),
    ({"served_in": "P-1"}, "served-in.same"),
    ({"served_in": "X"}, "organisation.unknown"),
    ({"portrait": "x.jpg"}, "member.field-fixed"),
    ({"home_town": "xã Mẫu"}, "member.unchanged"),
    ({}, "member.unchanged"),
)


def test_what_breaks_a_rule_changes_nothing(office: ChangeOfMembers) -> None:
    # All in one database: making one costs more than all of these together.
    for wanted, code in REFUSED:
        assert (wanted, code_of(lambda wanted=wanted: correct(office, wanted))) == (wanted, code)
    assert stored(office) == member(1)
    assert history(office) == []
    assert acts(office) == []


def test_a_name_is_changed_with_its_parts_and_found_under_its_new_keys(
    office: ChangeOfMembers,
) -> None:
    changed = correct(office, {"full_name": "Nguyễn Thị Huệ", "secondary_name": "Thị Huệ"})
    assert changed.statement.name == MemberName(
        full="Nguyễn Thị Huệ", primary="Nguyễn", secondary="Thị Huệ"
    )
    with office.register.reading() as transaction:
        listed = transaction.members.page(limit=5).members
    assert [each.statement.name.full for each in listed] == ["Nguyễn Thị Hòa", "Nguyễn Thị Huệ"]


def test_a_rule_that_was_broken_before_does_not_stand_in_the_way(office: ChangeOfMembers) -> None:
    with office.register.writing() as transaction:
        broken = replace(member(1).statement, recognition_date=date(2014, 1, 1))
        transaction.members.change(replace(member(1), statement=broken, version=2), [])
    assert correct(office, {"phone": "0912345678"}, version=2).statement.phone == "0912345678"


def test_a_change_has_a_reason(office: ChangeOfMembers) -> None:
    for reason in ("", " ", "a\nb", "x" * 801):
        why = Justification(reason=reason)
        with pytest.raises(IssuerError) as refusal:
            correct(office, {"phone": "0912345678"}, why=why)
        assert refusal.value.code == "change.reason"


@pytest.mark.parametrize(
    "actor",
    [
        clerk_of("P-2"),
        Actor(account=AccountName("x"), assignments=(Assignment(role=Role.DECIDER),)),
    ],
)
def test_nobody_changes_or_reads_members_where_they_have_no_right(
    office: ChangeOfMembers, actor: Actor
) -> None:
    assert code_of(lambda: correct(office, {"phone": "0912345678"}, actor=actor)) == "right.missing"
    outsider = clerk_of("P-2")
    assert code_of(lambda: office.history(HOA, actor=outsider, limit=1)) == "right.missing"
    assert stored(office) == member(1)


def standing(
    office: ChangeOfMembers, to: Standing, since: date, *, version: int = 1, actor: Actor = PROVINCE
) -> Member:
    return office.change_standing(
        HOA, to, since=since, actor=actor, version=version, why=Justification(reason="x")
    )


def test_a_change_of_standing_is_an_event_with_its_day(office: ChangeOfMembers) -> None:
    changed = standing(office, Standing.SUSPENDED, date(2026, 10, 1))
    assert changed.statement.standing is Standing.SUSPENDED
    assert changed.statement.standing_since == date(2026, 10, 1)
    lines = {each.change.column: each for each in history(office)}
    event = lines[MemberColumn.STANDING]
    assert (event.kind, event.effective) == (ChangeKind.EVENT, date(2026, 10, 1))
    assert (event.change.old, event.change.new) == ("official", "suspended")
    assert acts(office) == ["member.standing-changed"]


def test_standings_follow_each_other_in_time_and_end_with_a_final_one(
    office: ChangeOfMembers,
) -> None:
    standing(office, Standing.SUSPENDED, date(2026, 10, 1))
    earlier = date(2026, 9, 30)
    later = date(2026, 11, 22)
    official = Standing.OFFICIAL
    assert code_of(lambda: standing(office, official, earlier, version=2)) == "standing.order"
    assert code_of(lambda: standing(office, official, later, version=2)) == "change.future"
    standing(office, Standing.EXPELLED, date(2026, 10, 2), version=2)
    today = NOW.date()
    assert code_of(lambda: standing(office, official, today, version=3)) == "standing.final"
    # A mistake is put right all the same, and history says that it was one.
    right = correct(office, {"standing": "suspended"}, version=3)
    assert right.statement.standing is Standing.SUSPENDED


def test_who_becomes_official_was_recognised_on_that_day(office: ChangeOfMembers) -> None:
    correct(office, {"standing": "probationary", "recognition_date": None})
    changed = standing(office, Standing.OFFICIAL, date(2026, 5, 1), version=2)
    assert changed.statement.recognition_date == date(2026, 5, 1)


def transfer(
    office: ChangeOfMembers, to: str, *, actor: Actor = PROVINCE, version: int = 1
) -> Member:
    return office.transfer(
        HOA,
        OrganisationCode(to),
        on=date(2026, 11, 1),
        actor=actor,
        version=version,
        why=Justification(reason="x"),
    )


def test_a_transfer_needs_the_right_on_both_sides(office: ChangeOfMembers) -> None:
    assert code_of(lambda: transfer(office, "P-2", actor=clerk_of("P-1"))) == "right.missing"
    assert code_of(lambda: transfer(office, "X")) == "organisation.unknown"
    changed = transfer(office, "P-2")
    assert changed.statement.organisation_code == "P-2"
    with office.register.reading() as transaction:
        page = transaction.members.page(limit=5, organisation_code=OrganisationCode("P-2"))
    assert [each.member_id for each in page.members] == [HOA]


def test_a_temporary_resident_is_served_elsewhere_until_the_transfer(
    office: ChangeOfMembers,
) -> None:
    why = Justification(reason="x")
    day = date(2026, 3, 1)
    two = OrganisationCode("P-2")
    served = office.serve_in(HOA, two, since=day, actor=PROVINCE, version=1, why=why)
    assert stored(office).statement.served_in == "P-2"
    assert served.statement.organisation_code == "P-1"
    assert transfer(office, "P-2", version=2).statement.served_in is None


def test_pages_of_history_together_are_all_of_it(office: ChangeOfMembers) -> None:
    correct(office, {"phone": "0912345678", "home_town": "a", "residence": "b"})
    correct(office, {"phone": None, "home_town": "c"}, version=2)
    for limit in (1, 2, 3, 100):
        assert [(each.version, each.change.column.value) for each in walk(office, limit)] == [
            (3, "phone"),
            (3, "home_town"),
            (2, "residence"),
            (2, "phone"),
            (2, "home_town"),
        ]


def walk(office: ChangeOfMembers, limit: int) -> list[MemberChange]:
    found: list[MemberChange] = []
    page = office.history(HOA, actor=PROVINCE, limit=limit)
    found += page.changes
    while page.end is not None:
        page = office.history(HOA, actor=PROVINCE, limit=limit, behind=page.end)
        assert len(page.changes) <= limit
        found += page.changes
    return found


def test_a_way_up_through_a_few_organisations_is_found(office: ChangeOfMembers) -> None:
    with office.register.reading() as transaction:
        tree = transaction.organisations.around([OrganisationCode("P-2"), OrganisationCode("X")])
        nothing = transaction.organisations.around([])
    assert tree.place(OrganisationCode("P-2")) == ("P", "P-2")
    assert len(tree) == 2
    assert len(nothing) == 0


def test_the_document_of_what_is_refused_is_not_kept(
    office: ChangeOfMembers, tmp_path: Path
) -> None:
    assert code_of(lambda: correct(office, {"phone": "x"})) == "phone.malformed"
    assert code_of(lambda: correct(office, {"home_town": "xã Mẫu"})) == "member.unchanged"
    assert code_of(lambda: correct(office, {"phone": "0912345678"}, version=7)) == "member.changed"
    assert not (tmp_path / "evidence").exists()
    correct(office, {"phone": "0912345678"})
    assert len([each for each in (tmp_path / "evidence").rglob("*") if each.is_file()]) == 1
