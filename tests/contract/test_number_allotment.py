"""Card numbers: each once for ever, whoever asks at the same time and whatever was restored."""

import shutil
import sqlite3
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db import schema
from issuer.db.base import Database
from issuer.domain.card_number import CardNumber
from issuer.domain.member import MemberId
from issuer.domain.number_blocks import NumberMark, Span, supply_of
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.allot_numbers import MarkComparison, NumberAllotment
from issuer.storage.number_mark_file import MARK_FILE, FileNumberMarkStore
from tests.contract.requests_stage import (
    ADMINISTRATOR,
    CLERK,
    NEW_ISSUE,
    NOW,
    OTHER,
    PROVINCE,
    MemoryStores,
    Stage,
    member,
)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = (
        f"sqlite:///{tmp_path / 'issuer.sqlite'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    opened = Database(url)
    schema.upgrade(opened)
    yield opened
    opened.close()


def stage_with(database: Database, members: int, marks: FileNumberMarkStore | None = None) -> Stage:
    """Members of odd number, each with a draft of a new issue, for whom numbers can be drawn."""
    stage = Stage(database, marks=marks, chunk_rows=500)
    stage.fill([member(2 * number + 1) for number in range(members)])
    stage.draft(*(2 * number + 1 for number in range(members)), wish=NEW_ISSUE)
    return stage


def allot(
    stage: Stage, first: int, count: int = 1, allotment: NumberAllotment | None = None
) -> tuple[CardNumber, ...]:
    """Numbers for the drafts from the one with this place on."""
    wanted = [
        (RequestId(uuid.UUID(int=1000 + place)), MemberId(uuid.UUID(int=2 * place + 1)))
        for place in range(first, first + count)
    ]
    with stage.register.writing() as transaction:
        return (
            (allotment or stage.allotment)
            .allot(transaction.numbers, PROVINCE, wanted, at=NOW)
            .numbers
        )


def test_numbers_are_given_out_from_the_lowest_on(database: Database) -> None:
    stage = stage_with(database, 6)
    stage.grant(5, 7)
    stage.grant(100, 101)
    assert allot(stage, 0, 2) == ("98000005", "98000006")
    # A second block goes on where the first ends, and what there is not is not given.
    assert allot(stage, 2, 4) == ("98000007", "98000100", "98000101")
    assert allot(stage, 5) == ()
    with stage.register.reading() as transaction:
        blocks = transaction.numbers.blocks(PROVINCE)
        assert [block.left for block in blocks] == [0, 0]
        assert supply_of(blocks).value == "numbers.exhausted"
        assert transaction.numbers.count_given_out() == 5
        assert transaction.numbers.given_out([CardNumber("98000006"), CardNumber("98000008")]) == {
            "98000006"
        }


def test_a_number_that_a_member_holds_is_passed_over(database: Database) -> None:
    stage = stage_with(database, 3)
    stage.grant(1, 9)
    with stage.register.writing() as transaction:
        transaction.members.add(
            [member(100, earlier_card_number=CardNumber("98000001")),
             member(102, earlier_card_number=CardNumber("98000003"))]
        )  # fmt: skip
    assert allot(stage, 0, 2) == ("98000002", "98000004")


def test_a_committee_without_blocks_gets_nothing(database: Database) -> None:
    stage = stage_with(database, 2)
    assert allot(stage, 0) == ()
    stage.numbers.grant(
        OTHER, first=CardNumber("98000001"), last=CardNumber("98000009"), actor=ADMINISTRATOR
    )
    assert allot(stage, 0) == ()


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        ("98000009", "98000001", "numbers.range"),
        ("98000009", "99000001", "numbers.range"),
        ("97000001", "97000009", "numbers.other-committee"),
    ],
)
def test_a_block_that_is_none_is_refused(tmp_path: Path, first: str, last: str, code: str) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    schema.upgrade(database)
    stage = stage_with(database, 0)
    with pytest.raises((IssuerDataError, IssuerRefusedError)) as caught:
        stage.numbers.grant(
            PROVINCE, first=CardNumber(first), last=CardNumber(last), actor=ADMINISTRATOR
        )
    assert caught.value.code == code
    with pytest.raises(IssuerRefusedError) as refused:
        stage.numbers.grant(
            PROVINCE, first=CardNumber("98000001"), last=CardNumber("98000002"), actor=CLERK
        )
    assert refused.value.code == "right.missing"
    database.close()


@pytest.mark.parametrize(("first", "last"), [(1, 5), (5, 5), (3, 12), (9, 20), (6, 8)])
def test_blocks_never_overlap(database: Database, first: int, last: int) -> None:
    stage = stage_with(database, 0)
    stage.grant(5, 9)
    with pytest.raises(ConflictError) as caught:
        stage.grant(first, last)
    assert caught.value.code == "numbers.block-overlaps"


@pytest.mark.parametrize(
    "statement", ["UPDATE allotted_numbers SET number = '98000009'", "DELETE FROM allotted_numbers"]
)
def test_what_was_given_out_is_never_forgotten(database: Database, statement: str) -> None:
    stage = stage_with(database, 1)
    stage.grant()
    allot(stage, 0)
    with pytest.raises(sa.exc.DBAPIError), database.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_a_transaction_that_fails_after_the_mark_burns_its_numbers(database: Database) -> None:
    stage = stage_with(database, 3)
    stage.grant()

    class Died(MemoryStores):
        def write(self, mark: NumberMark) -> None:
            stage.stores.write(mark)
            raise KeyboardInterrupt

        def read(self) -> NumberMark | None:
            return stage.stores.read()

    with pytest.raises(KeyboardInterrupt):
        allot(stage, 0, allotment=NumberAllotment(marks=Died()))
    assert stage.numbers.compare() is MarkComparison.AHEAD
    assert allot(stage, 0) == ("98000002",)
    assert stage.numbers.compare() is MarkComparison.IN_STEP


def test_a_mark_that_cannot_be_written_gives_nothing_out(database: Database) -> None:
    class FullDisk(MemoryStores):
        def write(self, mark: NumberMark) -> None:
            del mark
            raise IssuerUnavailableError("disk full", code="numbers.mark-unavailable")

    stage = stage_with(database, 2)
    stage.grant()
    with pytest.raises(IssuerUnavailableError):
        allot(stage, 0, allotment=NumberAllotment(marks=FullDisk(mark=stage.stores.mark)))
    with stage.register.reading() as transaction:
        assert transaction.numbers.count_given_out() == 0
    assert allot(stage, 0) == ("98000001",)


def _restored(path: Path, backup: Path) -> Database:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(backup, path)
    return Database(f"sqlite:///{path}")


def _backup(path: Path, out: Path) -> None:
    with sqlite3.connect(path) as source, sqlite3.connect(out) as target:
        source.backup(target)
    source.close()
    target.close()


def test_an_old_backup_of_the_database_gives_no_number_out_again(tmp_path: Path) -> None:
    path, backup = tmp_path / "issuer.sqlite", tmp_path / "backup.sqlite"
    marks = FileNumberMarkStore(tmp_path / "numbers")
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    stage = stage_with(database, 12, marks)
    stage.grant(1, 20)
    before = allot(stage, 0, 3)
    _backup(path, backup)
    lost = allot(stage, 3, 4)
    # Another block was granted after the backup, and used: its record is lost, too.
    stage.grant(50, 60)
    stage.grant(21, 21)
    database.close()
    database = _restored(path, backup)
    stage = Stage(database, marks=marks)
    assert stage.numbers.compare() is MarkComparison.AHEAD
    again = allot(stage, 3, 4)
    assert not set(again) & {*before, *lost}
    assert again == ("98000008", "98000009", "98000010", "98000011")
    assert stage.numbers.compare() is MarkComparison.IN_STEP
    database.close()


def test_a_block_granted_anew_after_a_restore_goes_on_behind_what_was_given_out(
    tmp_path: Path,
) -> None:
    path, backup = tmp_path / "issuer.sqlite", tmp_path / "backup.sqlite"
    marks = FileNumberMarkStore(tmp_path / "numbers")
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    stage = stage_with(database, 6, marks)
    _backup(path, backup)
    stage.grant(1, 20)
    given = allot(stage, 0, 3)
    database.close()
    database = _restored(path, backup)
    stage = Stage(database, marks=marks, first_id=5000)
    stage.grant(1, 20)
    assert not set(allot(stage, 0, 3)) & set(given)
    database.close()


def test_a_mark_that_is_lost_or_behind_stops_everything_until_somebody_says_how_much_to_skip(
    database: Database, tmp_path: Path
) -> None:
    marks = FileNumberMarkStore(tmp_path / "numbers")
    stage = stage_with(database, 8, marks)
    stage.grant(1, 20)
    allot(stage, 0, 2)
    old = marks.read()
    assert old is not None
    allot(stage, 2)

    def refusal() -> str:
        with pytest.raises((IssuerRefusedError, IssuerDataError)) as caught:
            allot(stage, 3)
        return caught.value.code

    marks.write(old)
    assert refusal() == "numbers.mark-behind"
    assert stage.numbers.compare() is MarkComparison.BEHIND
    (tmp_path / "numbers" / MARK_FILE).unlink()
    assert refusal() == "numbers.mark-missing"
    assert stage.numbers.compare() is MarkComparison.MISSING
    (tmp_path / "numbers" / MARK_FILE).write_bytes(b"{}")
    assert refusal() == "numbers.mark-malformed"
    with pytest.raises(IssuerRefusedError) as caught:
        stage.numbers.recover(skip=5, actor=CLERK)
    assert caught.value.code == "right.missing"
    assert stage.numbers.recover(skip=5, actor=ADMINISTRATOR) == 12
    assert allot(stage, 3) == ("98000009",)
    assert "numbers.recovered" in stage.actions()


def test_another_registers_mark_is_not_taken(database: Database) -> None:
    stage = stage_with(database, 2)
    stage.grant()
    stage.stores.mark = NumberMark(register_id=bytes(16), spent=(Span(1, 2),))
    with pytest.raises(IssuerRefusedError) as caught:
        allot(stage, 0)
    assert caught.value.code == "numbers.mark-of-other-register"


def test_recovering_nothing_or_less_is_refused(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    schema.upgrade(database)
    stage = stage_with(database, 0)
    for skip, code in ((1, "numbers.none-granted"), (0, "numbers.range"), (-1, "numbers.range")):
        with pytest.raises((IssuerRefusedError, IssuerDataError)) as caught:
            stage.numbers.recover(skip=skip, actor=ADMINISTRATOR)
        assert caught.value.code == code
    database.close()


def _race(stage: Stage, *, threads: int, rounds: int) -> Counter[str]:
    """So many at once, again and again; each asks for one number."""
    given: Counter[str] = Counter()
    failed: list[BaseException] = []
    lock = threading.Lock()
    start = threading.Barrier(threads)

    def work(place: int) -> None:
        try:
            for turn in range(rounds):
                start.wait()
                numbers = allot(stage, turn * threads + place)
                with lock:
                    given.update(numbers)
        except BaseException as error:  # noqa: BLE001 - a thread's failure is the test's
            failed.append(error)
            start.abort()

    workers = [threading.Thread(target=work, args=(place,)) for place in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failed == []
    return given


def _assert_race(database: Database, tmp_path: Path, *, threads: int, rounds: int) -> None:
    stage = stage_with(database, threads * rounds, FileNumberMarkStore(tmp_path / "numbers"))
    stage.grant(1, 999_999)
    given = _race(stage, threads=threads, rounds=rounds)
    assert len(given) == threads * rounds
    assert set(given.values()) == {1}
    with stage.register.reading() as transaction:
        assert transaction.numbers.count_given_out() == threads * rounds
    assert stage.numbers.compare() is MarkComparison.IN_STEP


def test_many_at_once_get_different_numbers(database: Database, tmp_path: Path) -> None:
    _assert_race(database, tmp_path, threads=8, rounds=3)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_sixty_four_at_once_two_hundred_times_get_different_numbers(
    database: Database, tmp_path: Path
) -> None:
    _assert_race(database, tmp_path, threads=64, rounds=200)


def test_an_organisation_that_is_not_there_gets_no_block(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    schema.upgrade(database)
    stage = stage_with(database, 0)
    with pytest.raises(IssuerDataError) as caught:
        stage.numbers.grant(
            OrganisationCode("NONE"),
            first=CardNumber("98000001"),
            last=CardNumber("98000002"),
            actor=ADMINISTRATOR,
        )
    assert caught.value.code == "organisation.unknown"
    database.close()
