"""What the audit trail keeps to, whatever database stands behind it."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from issuer.db import schema
from issuer.db.audit import AuditHeadRow, SqlAuditTrail
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_chain import ChainedRecord, first_head, link
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.rights import AccountName
from issuer.errors import ConflictError, IssuerUnavailableError
from issuer.services.audit_ports import AuditQuestion
from issuer.services.register_ports import Register

NOW = datetime(2026, 11, 22, 9, 30, 15, 123456, tzinfo=timezone(timedelta(hours=7)))
ROOT = Organisation(code=OrganisationCode("P"), name="Tỉnh ủy Giả Định")


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
    return SqlRegister(database)


def act(number: int, **changes: object) -> AuditRecord:
    fields: dict[str, object] = {
        "at": NOW + timedelta(seconds=number),
        "account": AccountName("clerk-1"),
        "action": "member.changed",
        "subject": AuditSubject.MEMBER,
        "subject_id": f"m-{number}",
        "organisation": OrganisationCode("P-01"),
        "details": {"field": "phone", "number": number, "nothing": None},
    }
    return AuditRecord(**(fields | changes))  # type: ignore[arg-type]  # named as in AuditRecord


def append(register: Register, *records: AuditRecord) -> None:
    with register.writing() as transaction:
        for record in records:
            transaction.audit.append(record)


def add_root_and_say_so(register: Register) -> None:
    with register.writing() as transaction:
        transaction.organisations.add([ROOT])
        transaction.audit.append(act(1))


def whole_trail(register: Register) -> list[ChainedRecord]:
    with register.reading() as transaction:
        return list(transaction.audit.records())


def assert_chained(register: Register) -> None:
    """Written here from the rule, record by record, as the verifier in the product is not asked."""
    with register.reading() as transaction:
        head = transaction.audit.head()
    at = first_head(head.trail_id)
    for number, stored in enumerate(whole_trail(register), start=1):
        assert stored.sequence == number
        expected, at = link(at, stored.record())
        assert stored == expected
    assert at == head


def test_records_come_back_as_they_were_appended_in_one_chain(register: Register) -> None:
    acts = [act(1), act(2, organisation=None, details={}), act(3, subject=AuditSubject.SERVICE)]
    append(register, *acts[:2])
    append(register, acts[2])
    stored = whole_trail(register)
    assert [each.record() for each in stored] == acts
    assert [each.sequence for each in stored] == [1, 2, 3]
    assert all(each.at.tzinfo is UTC for each in stored)
    assert_chained(register)


def test_two_trails_share_no_digest(register: Register, tmp_path: Path) -> None:
    other_database = Database(f"sqlite:///{tmp_path / 'other.sqlite'}")
    schema.upgrade(other_database)
    other = SqlRegister(other_database)
    append(register, act(1))
    append(other, act(1))
    assert whole_trail(register)[0].digest != whole_trail(other)[0].digest
    other_database.close()


def test_a_dropped_transaction_leaves_no_gap(register: Register) -> None:
    append(register, act(1))

    def append_and_add(*organisations: Organisation) -> None:
        with register.writing() as transaction:
            transaction.audit.append(act(2))
            transaction.organisations.add(organisations)

    with pytest.raises(ConflictError):
        append_and_add(ROOT, ROOT)
    append_and_add(ROOT)
    append(register, act(3))
    assert [each.subject_id for each in whole_trail(register)] == ["m-1", "m-2", "m-3"]
    assert_chained(register)


def test_a_record_stands_and_falls_with_the_change_it_tells_of(register: Register) -> None:
    with register.writing() as transaction:
        transaction.organisations.add([ROOT])
        transaction.audit.append(act(1))
        assert transaction.audit.head().sequence == 0
    with register.reading() as transaction:
        assert transaction.organisations.all() == (ROOT,)
        assert transaction.audit.head().sequence == 1


def test_a_transaction_that_says_nothing_leaves_the_trail_alone(register: Register) -> None:
    with register.writing() as transaction:
        transaction.organisations.add([ROOT])
    assert whole_trail(register) == []


def test_a_transaction_that_only_reads_takes_no_record(register: Register) -> None:
    with (
        register.reading() as transaction,
        pytest.raises(ValueError, match=r"^member\.changed happens in a transaction that only"),
    ):
        transaction.audit.append(act(1))


def test_a_savepoint_takes_no_record(database: Database) -> None:
    with database.writing() as session:
        trail = SqlAuditTrail(session)
        with session.begin_nested(), pytest.raises(ValueError, match="savepoint"):
            trail.append(act(1))
        trail.append(act(2))
    assert [each.subject_id for each in whole_trail(SqlRegister(database))] == ["m-2"]


def test_a_savepoint_writes_nothing_of_what_waits(database: Database) -> None:
    with database.writing() as session:
        trail = SqlAuditTrail(session)
        trail.append(act(1))
        with session.begin_nested():
            pass
        trail.append(act(2))
    assert_chained(SqlRegister(database))
    assert len(whole_trail(SqlRegister(database))) == 2


def test_two_hands_on_one_session_write_one_chain(database: Database) -> None:
    with database.writing() as session:
        SqlAuditTrail(session).append(act(1))
        SqlAuditTrail(session).append(act(2))
    assert_chained(SqlRegister(database))
    assert len(whole_trail(SqlRegister(database))) == 2


def test_eight_writers_at_once_leave_one_chain_without_gaps(register: Register) -> None:
    writers, rounds = 8, 12
    start = threading.Barrier(writers)
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            start.wait()
            for number in range(rounds):
                with register.writing() as transaction:
                    # Each touches rows of its own and of the others before it comes to the trail.
                    transaction.organisations.add(
                        [Organisation(code=OrganisationCode(f"{writer}-{number}"), name="x")]
                    )
                    transaction.audit.append(act(number, subject_id=f"w{writer}-{number}"))
                    transaction.audit.append(act(number, subject_id=f"w{writer}-{number}-again"))
        except BaseException as error:  # noqa: BLE001 - the test's own thread reports it
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert_chained(register)
    stored = [each.subject_id for each in whole_trail(register)]
    assert len(stored) == writers * rounds * 2
    for writer in range(writers):
        own = [each for each in stored if each.startswith(f"w{writer}-")]
        expected = [f"w{writer}-{n}{end}" for n in range(rounds) for end in ("", "-again")]
        assert own == expected
    # Both records of one transaction stand side by side.
    assert all(stored[at + 1] == f"{stored[at]}-again" for at in range(0, len(stored), 2))


def test_pages_go_forward_and_back_by_sequence(register: Register) -> None:
    append(register, *(act(number) for number in range(1, 8)))
    with register.reading() as transaction:
        trail = transaction.audit
        first = trail.page(AuditQuestion(), limit=3)
        second = trail.page(AuditQuestion(), limit=3, behind=first.end)
        third = trail.page(AuditQuestion(), limit=3, behind=second.end)
        newest = trail.page_back(AuditQuestion(), limit=5)
        oldest = trail.page_back(AuditQuestion(), limit=5, before=newest.end)
    assert [each.sequence for each in (*first.records, *second.records, *third.records)] == list(
        range(1, 8)
    )
    assert (first.end, second.end, third.end) == (3, 6, None)
    assert [each.sequence for each in (*newest.records, *oldest.records)] == list(range(7, 0, -1))
    assert (newest.end, oldest.end) == (3, None)


@pytest.mark.parametrize(
    ("question", "found"),
    [
        (AuditQuestion(), [1, 2, 3, 4]),
        (AuditQuestion(subject=AuditSubject.MEMBER), [1, 2, 4]),
        (AuditQuestion(subject=AuditSubject.MEMBER, subject_id="m-2"), [2]),
        (AuditQuestion(account=AccountName("clerk-2")), [2, 3]),
        (AuditQuestion(organisations=[OrganisationCode("P-01")]), [1, 3]),
        (AuditQuestion(organisations=[OrganisationCode("P-01"), OrganisationCode("Q")]), [1, 2, 3]),
        (AuditQuestion(organisations=[]), []),
        (AuditQuestion(since=NOW + timedelta(seconds=3)), [3, 4]),
        (AuditQuestion(account=AccountName("clerk-2"), organisations=[OrganisationCode("Q")]), [2]),
    ],
)
def test_records_are_found_by_what_they_tell_of(
    register: Register, question: AuditQuestion, found: list[int]
) -> None:
    append(
        register,
        act(1),
        act(2, account=AccountName("clerk-2"), organisation=OrganisationCode("Q")),
        act(3, account=AccountName("clerk-2"), subject=AuditSubject.REQUEST),
        act(4, organisation=None),
    )
    with register.reading() as transaction:
        forward = transaction.audit.page(question, limit=10).records
        back = transaction.audit.page_back(question, limit=10).records
    assert [each.sequence for each in forward] == found
    assert [each.sequence for each in back] == found[::-1]


@pytest.mark.parametrize("few", [64, 0], ids=["by-organisation", "by-windows"])
def test_a_part_of_the_tree_is_read_in_pages_without_a_gap(
    register: Register, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("issuer.db.audit_reach._FEW", few)
    monkeypatch.setattr("issuer.db.audit_reach._WINDOW", 2)
    codes = [None, *map(OrganisationCode, ("P-01", "Q", "P-01", "R", "P-02", "Q"))]
    every = range(1, 41)
    append(register, *(act(each, organisation=codes[each % 7]) for each in every))
    for asked in ({"P-01", "P-02"}, {"R"}, {"nobody"}):
        question = AuditQuestion(organisations=[OrganisationCode(each) for each in asked])
        wanted = [each for each in every if codes[each % 7] in asked]
        forward: list[int] = []
        back: list[int] = []
        with register.reading() as transaction:
            behind, before = 0, None
            while (page := transaction.audit.page(question, limit=3, behind=behind)).records:
                forward += [each.sequence for each in page.records]
                behind = forward[-1]
            while (page := transaction.audit.page_back(question, limit=3, before=before)).records:
                back += [each.sequence for each in page.records]
                before = back[-1]
        assert forward == wanted
        assert back == wanted[::-1]


def test_one_record_is_found_by_its_sequence(register: Register) -> None:
    append(register, act(1), act(2))
    with register.reading() as transaction:
        found = transaction.audit.at(2)
        assert transaction.audit.at(3) is None
    assert found is not None
    assert found.record() == act(2)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_records SET account = 'somebody' WHERE sequence = 1",
        "DELETE FROM audit_records WHERE sequence = 2",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET sequence = 1",
        "UPDATE audit_head SET sequence = 9, trail_id = audit_head.digest",
    ],
)
def test_the_database_refuses_to_change_what_was_recorded(
    database: Database, statement: str
) -> None:
    register = SqlRegister(database)
    append(register, act(1), act(2))
    with (
        pytest.raises(DBAPIError, match=r"append-only|audit_head"),
        database.engine.begin() as connection,
    ):
        connection.exec_driver_sql(statement)
    assert_chained(register)


def test_sqlite_replaces_no_record(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    schema.upgrade(database)
    append(SqlRegister(database), act(1))
    with (
        pytest.raises(DBAPIError, match="append-only"),
        database.engine.begin() as connection,
    ):
        connection.exec_driver_sql(
            "REPLACE INTO audit_records SELECT sequence, at, 'somebody', action, subject, subject_id,"
            " organisation, details, digest FROM audit_records"
        )
    assert_chained(SqlRegister(database))
    database.close()


def test_nothing_is_changed_where_the_trail_has_lost_its_head(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    schema.upgrade(database)
    register = SqlRegister(database)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_head_no_delete")
        connection.execute(sa.delete(AuditHeadRow))
    with pytest.raises(IssuerUnavailableError) as refusal:
        add_root_and_say_so(register)
    assert refusal.value.code == "audit.head-missing"
    with register.reading() as transaction:
        assert transaction.organisations.all() == ()
    database.close()
