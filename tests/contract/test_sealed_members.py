"""What the register's database shows to whoever reads it past the program, and to a wrong keystore."""

import dataclasses
import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.member_rows import MemberRow
from issuer.db.member_seals import MemberSeals, RegisterKeyRow, SealedColumn
from issuer.db.register import SqlRegister
from issuer.db.sealing import Sealer
from issuer.domain.card_number import CardNumber
from issuer.domain.member import (
    Member,
    MemberId,
    MemberName,
    MemberStatement,
    PortraitDigest,
    Sex,
    Standing,
)
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.phone_number import PhoneNumber
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.errors import ConflictError, IssuerUnavailableError
from issuer.services.import_ports import Likeness

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SEALER = Sealer(encryption_key=bytes(range(32)), digest_key=bytes(range(32, 64)))
OTHER = Sealer(encryption_key=bytes(range(1, 33)), digest_key=bytes(range(33, 65)))
SECRETS = ("001090123456", "Bệnh viện Mẫu", "thôn Đồng Mẫu", "ngõ Thử Nghiệm", "0912345678")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        opened = Database(f"sqlite:///{tmp_path / 'issuer.sqlite'}")
    else:
        opened = Database(request.getfixturevalue("postgresql_url"))
    schema.upgrade(opened)
    with SqlRegister(opened, lambda: SEALER).writing() as transaction:
        transaction.organisations.add(
            [
                Organisation(code=OrganisationCode("P"), name="Tỉnh ủy Giả Định"),
                Organisation(code=OrganisationCode("Q"), name="Tỉnh ủy Mẫu"),
            ]
        )
    yield opened
    opened.close()


def open_register(database: Database, sealer: Sealer = SEALER) -> SqlRegister:
    return SqlRegister(database, lambda: sealer)


def member(number: int = 1, name: str = "Nguyễn Thị Hòa", **changes: object) -> Member:
    citizen, birth_place, home_town, residence, phone = SECRETS
    statement = MemberStatement(
        record_number=RecordNumber(f"{number:06}AB"),
        citizen_number=CitizenNumber(f"{int(citizen) + number - 1:012}"),
        name=MemberName(full=name, primary=name),
        birth_date=date(1990, 2, 3),
        sex=Sex.FEMALE,
        place_of_birth=birth_place,
        home_town=home_town,
        ethnic_group="Kinh",
        admission_date=date(2015, 2, 3),
        recognition_date=None,
        organisation_code=OrganisationCode("P"),
        residence=residence,
        phone=PhoneNumber(phone),
        standing=Standing.PROBATIONARY,
        standing_since=date(2026, 1, 2),
        served_in=OrganisationCode("Q"),
        earlier_card_number=CardNumber(f"97{number:06}"),
    )
    return Member(
        member_id=MemberId(uuid.UUID(int=number)),
        statement=dataclasses.replace(statement, **changes),  # type: ignore[arg-type]  # fields are named as in MemberStatement
        portrait=PortraitDigest(hashlib.sha256(b"portrait").digest()),
        portrait_source=PortraitDigest(hashlib.sha256(b"source").digest()),
        recorded_at=NOW,
    )


def add(register: SqlRegister, *members: Member) -> None:
    with register.writing() as transaction:
        transaction.members.add(members)


def get(register: SqlRegister, number: int = 1) -> Member:
    with register.reading() as transaction:
        return transaction.members.get(MemberId(uuid.UUID(int=number)))


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(IssuerUnavailableError) as caught:
        work()
    assert not any(secret in str(caught.value) for secret in SECRETS)
    return caught.value.code


def test_every_field_comes_back_as_it_was_stated(database: Database) -> None:
    bare = member(2, residence=None, phone=None, served_in=None, earlier_card_number=None)
    add(open_register(database), member(), bare)
    register = open_register(database)
    assert get(register) == member()
    assert get(register, 2) == bare


def test_the_database_holds_no_sealed_value_in_plain_text(database: Database) -> None:
    add(open_register(database), member())
    if database.is_sqlite:
        database.close()
        assert database.url.database is not None
        path = Path(database.url.database)
        files = sorted(path.parent.glob(path.name + "*"))
        content = b"".join(each.read_bytes() for each in files)
    else:
        content = copied_out(database)
    # What is not sealed is found, so the search would find what should have been.
    assert "Nguyễn Thị Hòa".encode() in content
    for secret in SECRETS:
        assert secret.encode() not in content
        assert secret.encode().hex().encode() not in content


def copied_out(database: Database) -> bytes:
    """Every row of the table as the server's own dump would write it."""
    with database.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        with driver.cursor().copy("COPY members TO STDOUT") as copy:
            return b"".join(bytes(part) for part in copy)


def test_one_citizen_number_belongs_to_one_member(database: Database) -> None:
    register = open_register(database)
    add(register, member())
    with pytest.raises(ConflictError):
        add(register, member(2, citizen_number=member().statement.citizen_number))
    with pytest.raises(ConflictError):
        add(register, member(2, earlier_card_number=member().statement.earlier_card_number))
    add(register, member(2, earlier_card_number=None), member(3, earlier_card_number=None))


def test_another_keystore_is_told_at_once_and_writes_nothing(database: Database) -> None:
    add(open_register(database), member())
    other = open_register(database, OTHER)
    assert code_of(lambda: get(other)) == "register.other-key"
    assert code_of(lambda: add(other, member(2))) == "register.other-key"
    mine = open_register(database)
    with mine.reading() as transaction:
        assert transaction.members.count() == 1
    assert get(mine) == member()


def test_a_register_without_keys_counts_members_and_reads_none(database: Database) -> None:
    add(open_register(database), member())
    without = SqlRegister(database)
    assert code_of(lambda: get(without)) == "register.without-keys"
    with without.reading() as transaction:
        assert transaction.members.count() == 1


def test_a_key_of_which_only_one_half_is_right_is_told_too(database: Database) -> None:
    add(open_register(database), member())
    half = Sealer(encryption_key=OTHER.encryption_key, digest_key=SEALER.digest_key)
    assert code_of(lambda: get(open_register(database, half))) == "register.seal-broken"


def test_a_mark_that_was_rolled_back_binds_nobody(database: Database) -> None:
    other = open_register(database, OTHER)

    def fail_after_adding() -> None:
        with other.writing() as transaction:
            transaction.members.add([member()])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_adding()
    mine = open_register(database)
    add(mine, member())
    assert get(mine) == member()
    assert code_of(lambda: add(other, member(2))) == "register.other-key"


def test_of_two_keystores_that_begin_one_register_at_once_one_wins(database: Database) -> None:
    results: list[str] = []
    barrier = threading.Barrier(2)

    def work(sealer: Sealer, number: int) -> None:
        barrier.wait()
        try:
            add(open_register(database, sealer), member(number))
        except IssuerUnavailableError as error:
            results.append(error.code)
        else:
            results.append("added")

    threads = [
        threading.Thread(target=work, args=(sealer, number))
        for number, sealer in enumerate((SEALER, OTHER), start=1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["added", "register.other-key"]
    with database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(RegisterKeyRow)) == 1


def test_a_value_moved_from_another_member_does_not_open(database: Database) -> None:
    register = open_register(database)
    columns = ("citizen_number", "place_of_birth", "home_town", "residence", "phone")
    theirs = len(columns) + 1
    add(register, *(member(number) for number in range(1, theirs + 1)))
    for number, column in enumerate(columns, start=1):
        mine = MemberRow.id == uuid.UUID(int=number)
        source = sa.select(getattr(MemberRow, column)).where(MemberRow.id == uuid.UUID(int=theirs))
        with database.writing() as session:
            value = session.scalar(source)
            session.execute(sa.update(MemberRow).where(mine).values({column: value}))
        with pytest.raises(IssuerUnavailableError) as refusal:
            get(register, number)
        assert refusal.value.code == "register.seal-broken"
    assert get(register, theirs) == member(theirs)


def test_a_value_moved_to_another_column_does_not_open(database: Database) -> None:
    register = open_register(database)
    add(register, member())
    with database.writing() as session:
        session.execute(sa.update(MemberRow).values(home_town=MemberRow.place_of_birth))
    assert code_of(lambda: get(register)) == "register.seal-broken"


def test_members_with_one_folded_name_and_birth_date_are_alike(database: Database) -> None:
    register = open_register(database)
    add(
        register,
        member(1, name="Nguyễn Thị Hòa"),
        member(2, name="NGUYỄN THỊ HOÀ"),
        member(3, name="Nguyễn Thị Hoa"),
        member(4, name="Nguyễn Thị Hòa", birth_date=date(1990, 2, 4)),
        member(5, name="Nguyễn Thị Huế"),
    )
    with register.reading() as transaction:
        wanted = Likeness(full_name="nguyen thi hoa", birth_date=date(1990, 2, 3))
        found = transaction.members.alike([wanted])
        assert transaction.members.alike([]) == ()
    assert sorted(each.member_id.int for each in found) == [1, 2, 3]


def test_every_sealed_column_is_bound_to_its_own_name() -> None:
    seals = MemberSeals(SEALER)
    row = uuid.UUID(int=1).bytes
    for column in SealedColumn:
        sealed = seals.seal(column, "x", row)
        for other in SealedColumn:
            if other is column:
                assert seals.open(other, sealed, row) == "x"
            else:
                with pytest.raises(IssuerUnavailableError):
                    seals.open(other, sealed, row)


def test_members_sealed_in_one_transaction_are_stored_by_another(database: Database) -> None:
    register = open_register(database)
    # More than one statement of SQLite takes, with one left over.
    members = [member(number) for number in range(1, 2_342)]
    with register.reading() as transaction:
        sealed = transaction.members.sealed(members)
        assert transaction.members.count() == 0
    with register.writing() as transaction:
        transaction.members.add(sealed.only({each.member_id for each in members[1:]}))
    with register.reading() as transaction:
        assert transaction.members.count() == len(members) - 1
    for number in (2, 1_171, 2_341):
        assert get(register, number) == members[number - 1]


def test_members_sealed_under_the_keys_of_another_keystore_are_not_stored(
    database: Database,
) -> None:
    add(open_register(database), member())
    other = open_register(database, OTHER)
    with other.reading() as transaction:
        assert code_of(lambda: transaction.members.sealed([member(2)])) == "register.other-key"
