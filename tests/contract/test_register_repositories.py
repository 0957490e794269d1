"""What the register keeps to, whatever database stands behind it."""

import hashlib
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.member_rows import MemberRow
from issuer.db.register import SqlRegister
from issuer.db.sealing import Sealer
from issuer.domain.card_number import CardNumber
from issuer.domain.member import (
    Approval,
    IssueKind,
    Member,
    MemberId,
    MemberName,
    MemberState,
    MemberStatement,
    PortraitDigest,
    Sex,
)
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.vietnamese_text import sort_key
from issuer.errors import (
    ConflictError,
    IssuerDataError,
    IssuerRefusedError,
)
from issuer.services.register_ports import MemberNumbers, MemberPage, PagePosition, Register

NOW = datetime(2026, 11, 21, 9, 30, 15, 123456, tzinfo=timezone(timedelta(hours=7)))
PROVINCE = Organisation(code=OrganisationCode("P"), name="Tỉnh ủy Giả Định", committee_number="98")
SEALER = Sealer(encryption_key=bytes(range(32)), digest_key=bytes(range(32, 64)))
COMMUNE = Organisation(
    code=OrganisationCode("P-01"), name="Đảng ủy xã Mẫu", parent_code=OrganisationCode("P")
)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        opened = Database(f"sqlite:///{tmp_path / 'issuer.sqlite'}")
        schema.upgrade(opened)
        yield opened
        opened.close()
        return
    opened = Database(request.getfixturevalue("postgresql_url"))
    schema.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture
def register(database: Database) -> Register:
    opened = SqlRegister(database, lambda: SEALER)
    with opened.writing() as transaction:
        transaction.organisations.add([PROVINCE, COMMUNE])
    return opened


def member(number: int, name: str = "Nguyễn Văn An", **changes: object) -> Member:
    statement = MemberStatement(
        card_number=CardNumber(f"98{number:06}"),
        record_number=RecordNumber(f"{number:06}AB"),
        citizen_number=CitizenNumber(f"001090{number:06}"),
        name=MemberName(full=name, primary=name),
        birth_date=date(1990, 2, 3),
        sex=Sex.FEMALE,
        place_of_birth="xã Mẫu",
        home_town="xã Mẫu, tỉnh Giả Định",
        ethnic_group="Kinh",
        admission_date=date(2015, 2, 3),
        recognition_date=date(2016, 2, 3),
        organisation_code=OrganisationCode("P-01"),
        kind=IssueKind.FIRST_ISSUE,
        ordinal=1,
    )
    fields: dict[str, object] = {
        "member_id": MemberId(uuid.UUID(int=number)),
        "statement": statement,
        "portrait": PortraitDigest(hashlib.sha256(b"portrait").digest()),
        "portrait_source": PortraitDigest(hashlib.sha256(b"source").digest()),
        "recorded_at": NOW,
    }
    return Member(**(fields | changes))  # type: ignore[arg-type]  # fields are named as in Member


def add(register: Register, *members: Member) -> None:
    with register.writing() as transaction:
        transaction.members.add(members)


def test_a_member_comes_back_as_it_was_stored(register: Register) -> None:
    stored = member(1, "Y Bhăm Êban")
    add(register, stored)
    with register.reading() as transaction:
        found = transaction.members.get(stored.member_id)
    assert found == stored
    assert found.recorded_at.tzinfo is UTC
    assert found.state is MemberState.RECORDED


def test_a_member_is_found_by_card_number(register: Register) -> None:
    add(register, member(1), member(2))
    with register.reading() as transaction:
        found = transaction.members.find_by_card_number(CardNumber("98000002"))
        assert transaction.members.find_by_card_number(CardNumber("98000003")) is None
    assert found == member(2)


def test_an_unknown_member_is_refused(register: Register) -> None:
    with register.reading() as transaction, pytest.raises(IssuerRefusedError) as refusal:
        transaction.members.get(MemberId(uuid.UUID(int=9)))
    assert refusal.value.code == "member.unknown"


def test_organisations_are_a_tree(register: Register) -> None:
    with register.reading() as transaction:
        organisations = transaction.organisations
        assert organisations.all() == (PROVINCE, COMMUNE)
        assert organisations.get(COMMUNE.code) == COMMUNE
        assert organisations.issuing_committee(COMMUNE.code) == PROVINCE
        assert organisations.tree().committee_number(COMMUNE.code) == "98"
        with pytest.raises(IssuerDataError) as refusal:
            organisations.get(OrganisationCode("X"))
    assert refusal.value.code == "organisation.unknown"


@pytest.mark.parametrize(
    "organisation",
    [
        Organisation(code=OrganisationCode("P"), name="again"),
        Organisation(code=OrganisationCode("Q"), name="Q", parent_code=OrganisationCode("missing")),
    ],
)
def test_organisations_that_contradict_the_register_are_refused_together(
    register: Register, organisation: Organisation
) -> None:
    other = Organisation(code=OrganisationCode("R"), name="R")
    with pytest.raises(ConflictError), register.writing() as transaction:
        transaction.organisations.add([other, organisation])
    with register.reading() as transaction:
        assert len(transaction.organisations.all()) == 2


@pytest.mark.parametrize("number", ["card_number", "record_number", "citizen_number_digest"])
def test_each_number_belongs_to_one_member(
    register: Register, database: Database, number: str
) -> None:
    add(register, member(1), member(2), member(3))
    with database.reading() as session:
        mine = sa.select(getattr(MemberRow, number)).where(MemberRow.card_number == "98000001")
        taken = session.scalar(mine)
    steal = sa.update(MemberRow).where(MemberRow.card_number == "98000002").values({number: taken})
    with pytest.raises(ConflictError) as refusal, database.writing() as session:
        session.execute(steal)
    assert "98000001" not in str(refusal.value)
    with register.reading() as transaction:
        assert transaction.members.count() == 3


def test_members_that_contradict_the_register_are_refused_together(register: Register) -> None:
    add(register, member(1))
    with pytest.raises(ConflictError):
        add(register, member(2), member(1, member_id=MemberId(uuid.uuid4())))
    with register.reading() as transaction:
        assert transaction.members.count() == 1


def test_a_member_of_an_unknown_organisation_is_refused(register: Register) -> None:
    statement = replace(member(1).statement, organisation_code=OrganisationCode("X"))
    with pytest.raises(ConflictError):
        add(register, member(1, statement=statement))


def test_nothing_at_all_can_be_added(register: Register) -> None:
    with register.writing() as transaction:
        transaction.members.add([])
        transaction.organisations.add([])
        assert transaction.members.approve([], Approval(by="x", at=NOW)) == frozenset()
        assert transaction.members.holders_of([]) == ()


def numbers(card: int, record: int, citizen: int) -> MemberNumbers:
    return MemberNumbers(
        card_number=member(card).statement.card_number,
        record_number=member(record).statement.record_number,
        citizen_number=member(citizen).statement.citizen_number,
    )


def test_holders_of_any_of_the_numbers_are_found_once_each(register: Register) -> None:
    add(register, *(member(number) for number in range(1, 5)))
    with register.reading() as transaction:
        found = transaction.members.holders_of(
            [numbers(1, 2, 3), numbers(1, 1, 1), numbers(9, 9, 9)]
        )
        many = transaction.members.holders_of([numbers(n, n, n) for n in range(1, 1501)])
    assert {each.statement.card_number for each in found} == {"98000001", "98000002", "98000003"}
    assert len(found) == 3
    assert len(many) == 4


def test_an_approval_is_recorded_once(register: Register) -> None:
    add(register, member(1), member(2), member(3))
    ids = [member(1).member_id, member(2).member_id]
    first = Approval(by="Ban Thường vụ", at=NOW)
    with register.writing() as transaction:
        assert transaction.members.approve(ids, first) == frozenset(ids)
    with register.writing() as transaction:
        later = Approval(by="somebody else", at=NOW + timedelta(days=1))
        assert transaction.members.approve([*ids, MemberId(uuid.uuid4())], later) == frozenset()
    with register.reading() as transaction:
        found = transaction.members.get(ids[0])
        assert transaction.members.count() == 3
        assert transaction.members.count(state=MemberState.APPROVED) == 2
    assert found.approval == first
    assert found.state is MemberState.APPROVED


NAMES = (
    "Trần An",
    "Lê Ánh",
    "Vũ Ân",
    "Đinh Bé",
    "Đỗ Đạt",
    "Y Bhăm Êban",
    "Hạnh",
    "An Hòa",
    "An Hóa",
)


def walk(register: Register, limit: int, **selection: object) -> list[Member]:
    members: list[Member] = []
    behind: PagePosition | None = None
    while True:
        with register.reading() as transaction:
            page: MemberPage = transaction.members.page(limit=limit, behind=behind, **selection)  # type: ignore[arg-type]  # names are those of the port
        assert len(page.members) <= limit
        members += page.members
        if page.end is None:
            return members
        behind = page.end


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_together_are_the_list_in_vietnamese_order(register: Register, limit: int) -> None:
    # Twins in name are told apart by their identifiers, so no page loses or repeats one.
    add(
        register,
        *(member(number, name) for number, name in enumerate(reversed(NAMES * 2), start=1)),
    )
    listed = walk(register, limit)
    assert [each.statement.name.full for each in listed] == [name for name in NAMES for _ in "12"]
    assert len({each.member_id for each in listed}) == 2 * len(NAMES)
    assert [sort_key(each.statement.name.full) for each in listed] == sorted(
        map(sort_key, NAMES * 2)
    )


def test_pages_can_be_of_one_state_and_one_organisation(register: Register) -> None:
    add(register, *(member(number) for number in range(1, 6)))
    with register.writing() as transaction:
        transaction.members.approve([member(2).member_id], Approval(by="x", at=NOW))
    assert len(walk(register, 2, state=MemberState.RECORDED)) == 4
    assert len(walk(register, 2, state=MemberState.APPROVED)) == 1
    assert len(walk(register, 2, organisation_code=OrganisationCode("P-01"))) == 5
    assert walk(register, 2, organisation_code=OrganisationCode("P")) == []


def test_a_transaction_that_raises_leaves_nothing(register: Register) -> None:
    def fail_after_adding() -> None:
        with register.writing() as transaction:
            transaction.members.add([member(1)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_adding()
    with register.reading() as transaction:
        assert transaction.members.count() == 0


def test_a_reading_transaction_stores_nothing(register: Register) -> None:
    with register.reading() as transaction:
        transaction.members.add([member(1)])
    with register.reading() as transaction:
        assert transaction.members.count() == 0


def test_members_added_at_the_same_time_are_all_there(register: Register) -> None:
    """Several threads, each with transactions that read before they write."""
    failures: list[Exception] = []

    def work(first: int) -> None:
        try:
            for number in range(first, first + 10):
                with register.writing() as transaction:
                    transaction.members.count()
                    transaction.members.add([member(number)])
        except Exception as error:  # noqa: BLE001 - whatever it is, the test has to see it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(start,)) for start in (100, 200, 300, 400)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with register.reading() as transaction:
        assert transaction.members.count() == 40


def test_one_number_taken_by_many_at_once_goes_to_one(register: Register) -> None:
    results: list[str] = []

    def work() -> None:
        try:
            add(register, member(1, member_id=MemberId(uuid.uuid4())))
        except ConflictError:
            results.append("refused")
        else:
            results.append("taken")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["refused"] * 5 + ["taken"]


def test_a_time_without_a_zone_is_never_stored(register: Register) -> None:
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(ValueError, match="without a time zone"):
        add(register, member(1, recorded_at=naive))


def test_the_database_itself_refuses_a_member_approved_by_nobody(
    register: Register, database: Database
) -> None:
    add(register, member(1))
    with pytest.raises(ConflictError), database.writing() as session:
        session.execute(sa.update(MemberRow).values(state="approved"))
