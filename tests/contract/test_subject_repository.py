"""What the rights of data subjects keep to, whatever database stands behind them."""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.member_rows import MemberRow
from issuer.db.models import Base
from issuer.db.personal_data import KEPT_MEMBER_COLUMNS, TABLES, Holding, blank_of
from issuer.db.production_tables import (
    CardContentsRow,
    CardRow,
    ChipRow,
    SecurityObjectRow,
    StatusListRow,
)
from issuer.db.register import SqlRegister
from issuer.db.sealing import Sealer
from issuer.domain.card import CardReference
from issuer.domain.card_number import CardNumber
from issuer.domain.card_validity import ValidityEvent, ValidityStep
from issuer.domain.data_subjects import (
    DeletionGround,
    Disclosure,
    DisclosureGround,
    Erasure,
    FileStore,
    FileToDestroy,
    RetiredNumber,
    numbers_to_retire,
)
from issuer.domain.member import (
    Member,
    MemberId,
    MemberName,
    MemberStatement,
    PortraitDigest,
    Sex,
)
from issuer.domain.member_change import ChangeKind, EvidenceDigest, FieldChange, MemberChange
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.organisation_history import OrganisationAct
from issuer.domain.phone_number import PhoneNumber
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.rights import AccountName
from issuer.errors import IssuerRefusedError
from issuer.services.directory_ports import MemberSelection
from issuer.services.register_ports import MemberNumbers, Register
from tests.contract.decided_requests import decide_for, request_of

NOW = datetime(2026, 11, 22, 2, 30, 15, 123456, tzinfo=UTC)
SEALER = Sealer(encryption_key=bytes(range(32)), digest_key=bytes(range(32, 64)))
CLERK = AccountName("clerk-1")


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
def register(database: Database) -> Register:
    opened = SqlRegister(database, lambda: SEALER)
    with opened.writing() as transaction:
        transaction.organisations.add(
            [
                Organisation(code=OrganisationCode("P"), name="P"),
                Organisation(
                    code=OrganisationCode("P-01"), name="P-01", parent_code=OrganisationCode("P")
                ),
                Organisation(code=OrganisationCode("Q"), name="Q"),
            ]
        )
        transaction.members.add([member(1), member(2, served_in="Q"), member(3, organisation="Q")])
    return opened


def member(number: int, *, organisation: str = "P-01", served_in: str | None = None) -> Member:
    return Member(
        member_id=MemberId(uuid.UUID(int=number)),
        statement=MemberStatement(
            earlier_card_number=CardNumber(f"98{number:06}"),
            record_number=RecordNumber(f"{number:06}AB"),
            citizen_number=CitizenNumber(f"001090{number:06}"),
            name=MemberName(full=f"Nguyễn Văn Số{number}", primary="Nguyễn", secondary="Văn"),
            birth_date=date(1990, 2, number),
            sex=Sex.FEMALE,
            place_of_birth="xã Mẫu",
            home_town="xã Mẫu",
            ethnic_group="Kinh",
            admission_date=date(2015, 2, 3),
            recognition_date=date(2016, 2, 3),
            organisation_code=OrganisationCode(organisation),
            residence="thôn Giả",
            phone=PhoneNumber("+84901234567"),
            served_in=None if served_in is None else OrganisationCode(served_in),
        ),
        portrait=PortraitDigest(hashlib.sha256(f"portrait {number}".encode()).digest()),
        portrait_source=PortraitDigest(hashlib.sha256(b"source").digest()),
        recorded_at=NOW,
    )


def erasure(number: int) -> Erasure:
    return Erasure(
        member_id=MemberId(uuid.UUID(int=number)),
        at=NOW,
        account=CLERK,
        proposed_by=AccountName("clerk-2"),
        ground=DeletionGround.MEMBERSHIP_ENDED,
        reference="31-QD",
        evidence=EvidenceDigest(bytes([9]) * 32),
        digest=bytes(32),
    )


def erase(register: Register, number: int) -> None:
    with register.writing() as transaction:
        stored = transaction.members.get(MemberId(uuid.UUID(int=number)))
        transaction.subjects.erase(erasure(number), numbers=numbers_to_retire(stored.statement))


def add_card(database: Database, number: int, *, state: str = "handed-over") -> bytes:
    reference = number.to_bytes(16, "big")
    with database.writing() as session:
        if session.get(StatusListRow, bytes(8)) is None:
            session.add(StatusListRow(list_id=bytes(8), size=100, created_at=NOW, is_shared=False))
        session.add(
            ChipRow(
                serial=number.to_bytes(10, "big"), site="store",
                state="received", key_curve=None, key_point=None,
                held=None, condemned_for=None, delivery="D", received_at=NOW,
            )
        )  # fmt: skip
        session.flush()
    with SqlRegister(database).writing() as transaction:
        decide_for(
            transaction,
            [MemberId(uuid.UUID(int=number))],
            organisation=OrganisationCode("P-01"),
            at=NOW,
        )
    with database.writing() as session:
        session.add(
            CardRow(
                reference=reference, member_id=uuid.UUID(int=number),
                request_id=request_of(MemberId(uuid.UUID(int=number))), serial=number.to_bytes(10, "big"),
                state=state, ordinal=1, profile="member", status_list=bytes(8), status_index=number,
                document_number_digest=hashlib.sha256(reference).digest(), sealed_secrets=b"sealed",
                bound_at=NOW, issued_at=NOW, handed_over_at=NOW, handed_over_to="Trần Thị Nhận",
                condemned_for=None,
            )
        )  # fmt: skip
        session.flush()
        session.add(CardContentsRow(reference=reference, sealed=b"contents", prepared_at=NOW))
        session.flush()
        session.add(SecurityObjectRow(reference=reference, file=b"signed"))
    return reference


def raw(database: Database, number: int) -> dict[str, object]:
    with database.reading() as session:
        row = session.get(MemberRow, uuid.UUID(int=number))
        assert row is not None
        return {column.name: getattr(row, column.name) for column in MemberRow.__table__.columns}


def test_every_table_says_what_becomes_of_the_data_of_people() -> None:
    assert set(Base.metadata.tables) == set(TABLES)
    with_member = {
        name for name, table in Base.metadata.tables.items() if "member_id" in table.columns
    }
    assert not {name for name in with_member if TABLES[name] in (Holding.NOBODY, Holding.STAFF)}


def test_every_column_of_a_member_is_blanked_or_kept_on_purpose() -> None:
    for column in MemberRow.__table__.columns:
        if column.name not in KEPT_MEMBER_COLUMNS:
            assert blank_of(column.name) is not None or column.nullable, column.name


def test_a_deleted_record_tells_nothing_and_is_no_members(
    database: Database, register: Register
) -> None:
    before = raw(database, 1)
    erase(register, 1)
    after = raw(database, 1)
    assert {name for name in before if before[name] == after[name]} <= KEPT_MEMBER_COLUMNS | {
        # What was empty, or the same for everybody, before.
        "earlier_card_number", "served_in_id", "standing_since", "state", "approved_at", "approved_by", "checked_at",
        "checked_by",
    }  # fmt: skip
    assert after["erased_at"] == NOW
    assert after["version"] == 2
    with register.reading() as transaction:
        with pytest.raises(IssuerRefusedError) as refusal:
            transaction.members.get(MemberId(uuid.UUID(int=1)))
        assert refusal.value.code == "member.unknown"
        assert transaction.members.several([MemberId(uuid.UUID(int=n)) for n in (1, 2)]) == (
            member(2, served_in="Q"),
        )
        assert transaction.members.count() == 2
        assert [each.member_id.int for each in transaction.members.page(limit=9).members] == [2, 3]
        statement = member(1).statement
        numbers = MemberNumbers(
            earlier_card_number=statement.earlier_card_number,
            record_number=statement.record_number,
            citizen_number=statement.citizen_number,
        )
        assert transaction.members.holders_of([numbers]) == ()
        assert transaction.subjects.erasure_of(MemberId(uuid.UUID(int=1))) == erasure(1)
        assert transaction.subjects.erasure_of(MemberId(uuid.UUID(int=2))) is None


def test_all_records_can_be_deleted_one_after_another(register: Register) -> None:
    for number in (1, 2, 3):
        erase(register, number)
    with register.reading() as transaction:
        assert transaction.members.count() == 0
    with pytest.raises(IssuerRefusedError) as refusal:
        erase(register, 1)
    assert refusal.value.code == "member.unknown"


def test_a_retired_number_is_given_to_nobody_and_a_person_may_come_back(register: Register) -> None:
    erase(register, 1)
    own = member(1).statement
    with register.reading() as transaction:
        asked = [
            RetiredNumber(kind="record-number", number=own.record_number),
            RetiredNumber(kind="card-number", number=own.record_number),
            RetiredNumber(kind="record-number", number="999999ZZ"),
        ]
        assert list(transaction.subjects.retired(asked)) == asked[:1]
    for taken in (
        replace(member(7).statement, record_number=own.record_number),
        replace(member(7).statement, earlier_card_number=own.earlier_card_number),
    ):
        with pytest.raises(IssuerRefusedError) as refusal:
            add(register, replace(member(7), statement=taken))
        assert refusal.value.code == "number.retired"
        assert own.record_number not in str(refusal.value)
    again = replace(member(7).statement, citizen_number=own.citizen_number)
    add(register, replace(member(7), statement=again))


def add(register: Register, new: Member) -> None:
    with register.writing() as transaction:
        transaction.members.add([new])


def test_what_was_made_for_a_card_is_destroyed_and_the_card_register_stays(
    database: Database, register: Register
) -> None:
    reference = add_card(database, 1)
    other = add_card(database, 2)
    with register.writing() as transaction:
        transaction.cards.take(
            CardReference(reference),
            ValidityStep(event=ValidityEvent.SUSPENDED, account=AccountName("clerk")),
            at=NOW,
            remark="một lý do",
        )
    erase(register, 1)
    with register.reading() as transaction:
        [change] = transaction.cards.changes(CardReference(reference))
        assert (change.event, change.remark) == (ValidityEvent.SUSPENDED, "")
    with database.reading() as session:
        card = session.get(CardRow, reference)
        assert card is not None
        assert (card.sealed_secrets, card.handed_over_to) == (b"", None)
        assert card.document_number_digest == hashlib.sha256(reference).digest()
        for kept in (CardContentsRow, SecurityObjectRow):
            assert session.get(kept, reference) is None
            assert session.get(kept, other) is not None
        other_card = session.get(CardRow, other)
        assert other_card is not None
        assert other_card.handed_over_to == "Trần Thị Nhận"
    with register.reading() as transaction:
        (found,) = transaction.subjects.cards_of(MemberId(uuid.UUID(int=1)))
        assert found.reference == reference


def change(number: int, evidence: bytes | None) -> MemberChange:
    return MemberChange(
        member_id=MemberId(uuid.UUID(int=number)),
        version=2,
        at=NOW,
        account=CLERK,
        kind=ChangeKind.CORRECTION,
        effective=None,
        reason="ghi sai",
        evidence=None if evidence is None else EvidenceDigest(evidence),
        change=FieldChange(column=MemberColumn.RESIDENCE, old="thôn Giả", new="thôn Mới"),
    )


def test_history_goes_with_the_record(register: Register) -> None:
    for number in (1, 2):
        with register.writing() as transaction:
            stored = transaction.members.get(MemberId(uuid.UUID(int=number)))
            transaction.members.change(replace(stored, version=2), [change(number, None)])
    erase(register, 1)
    with register.reading() as transaction:
        for number, expected in ((1, ()), (2, (change(2, None),))):
            found = transaction.members.history(MemberId(uuid.UUID(int=number)), limit=9)
            assert found.changes == expected


def test_a_picture_and_a_document_go_once_nobody_uses_them(register: Register) -> None:
    shared, own = bytes([1]) * 32, bytes([2]) * 32
    add(register, replace(member(8), portrait=member(1).portrait))
    for number, evidence in ((1, shared), (2, own), (8, shared)):
        with register.writing() as transaction:
            stored = transaction.members.get(MemberId(uuid.UUID(int=number)))
            transaction.members.change(replace(stored, version=2), [change(number, evidence)])
    erase(register, 1)
    erase(register, 2)
    with register.writing() as transaction:
        waiting = transaction.subjects.files_to_destroy()
        assert {(each.store, each.digest) for each in waiting} == {
            (FileStore.EVIDENCE, own),
            (FileStore.PORTRAITS, member(2).portrait),
        }
        for each in waiting:
            transaction.subjects.file_was_destroyed(each)
    erase(register, 8)
    with register.reading() as transaction:
        assert transaction.subjects.files_to_destroy() == (
            FileToDestroy(store=FileStore.EVIDENCE, digest=shared),
            FileToDestroy(store=FileStore.PORTRAITS, digest=member(1).portrait),
        )


def test_disclosures_are_remembered_in_order_and_never_changed(
    database: Database, register: Register
) -> None:
    given = [
        Disclosure(
            member_id=MemberId(uuid.UUID(int=1)),
            at=NOW + timedelta(days=number),
            account=CLERK,
            recipient=f"Ủy ban {number}",
            ground=ground,
            reference="12-CV",
            what="name",
        )
        for number, ground in enumerate(DisclosureGround)
    ]
    with register.writing() as transaction:
        for each in given:
            transaction.subjects.add_disclosure(each)
    erase(register, 1)
    with register.reading() as transaction:
        assert transaction.subjects.disclosures_of(MemberId(uuid.UUID(int=1))) == tuple(given)
        assert transaction.subjects.disclosures_of(MemberId(uuid.UUID(int=2))) == ()
    for statement in ("UPDATE disclosures SET recipient = 'x'", "DELETE FROM disclosures"):
        with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
            connection.execute(sa.text(statement))


def test_members_are_found_where_they_are_recorded_and_where_they_are_served(
    register: Register,
) -> None:
    def within(*codes: str) -> list[int]:
        with register.reading() as transaction:
            found = transaction.subjects.members_within([OrganisationCode(each) for each in codes])
            return [each.int for each in found]

    assert within("P-01") == [1, 2]
    assert within("Q") == [2, 3]
    assert within("P") == []
    assert within() == []
    erase(register, 2)
    assert within("P-01", "Q") == [1, 3]


def test_who_was_deleted_is_counted_and_moved_no_more(
    database: Database, register: Register
) -> None:
    erase(register, 1)
    before = raw(database, 1)
    old, new = OrganisationCode("P-01"), OrganisationCode("Q")
    act = OrganisationAct(at=NOW, account=CLERK, reason="sáp nhập", evidence=None)
    with register.writing() as transaction:
        assert transaction.members.count_in(old) == 1
        assert transaction.members.move_all(old, new, on=NOW.date(), act=act) == 1
        assert transaction.members.count_in(old) == 0
    assert raw(database, 1) == before
    with register.reading() as transaction:
        assert transaction.members.history(MemberId(uuid.UUID(int=1)), limit=9).changes == ()


def test_who_was_deleted_stands_in_no_list(register: Register) -> None:
    erase(register, 2)
    with register.reading() as transaction:
        for roots, expected in ((None, [1, 3]), (["P"], [1]), (["Q"], [3])):
            selection = MemberSelection(
                roots=None if roots is None else frozenset(map(OrganisationCode, roots))
            )
            first = transaction.directory.page(selection, limit=1)
            found = [each.member_id.int for each in first.lines]
            if first.end is not None:
                following = transaction.directory.page(selection, limit=9, behind=first.end)
                found += [each.member_id.int for each in following.lines]
            assert found == expected


def test_an_sqlite_file_holds_nothing_of_a_deleted_record(tmp_path: Path) -> None:
    path = tmp_path / "issuer.sqlite"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    register = SqlRegister(database, lambda: SEALER)
    with register.writing() as transaction:
        transaction.organisations.add([Organisation(code=OrganisationCode("P-01"), name="P")])
        transaction.members.add([member(1), member(2)])
    add_card(database, 1)
    database.forget_old_versions()
    traces = (
        "Số1".encode(),
        b"000001AB",
        b"98000001",
        "Thị Nhận".encode(),
        member(1).portrait_source,
    )
    assert all(trace in path.read_bytes() for trace in traces)
    stored = raw(database, 1)
    add(register, replace(member(9), portrait_source=PortraitDigest(bytes(32))))
    with database.writing() as session:
        session.execute(
            sa.update(MemberRow)
            .values(portrait_source=bytes(32))
            .where(MemberRow.id != uuid.UUID(int=1))
        )
    erase(register, 1)
    database.forget_old_versions()
    left = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    for trace in (
        *traces,
        stored["citizen_number"],
        stored["phone"],
        stored["citizen_number_digest"],
    ):
        assert isinstance(trace, bytes)
        assert trace not in left
    assert "Số2".encode() in left
    database.close()
