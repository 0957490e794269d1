"""What a serving process does unasked: the trail is looked through, marked and noted, and each day has its few things."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from issuer.bootstrap import open_register_home
from issuer.bootstrap_duties import audit_mark_of, duties_of
from issuer.cli import main
from issuer.db.base import Database
from issuer.db.production_tables import ChipRow
from issuer.db.register import SqlRegister
from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_chain import ChainHead
from issuer.domain.data_subjects import FileStore, FileToDestroy
from issuer.domain.rights import AccountName
from issuer.errors import IssuerDataError, IssuerError, IssuerRefusedError
from issuer.services.audit_checkpoints import AuditCheckpoint, AuditCheckpointing
from issuer.services.audit_duty import AUDIT, AuditDuty
from issuer.services.daily_duty import DailyDuty
from issuer.services.status_duty import STATUS
from issuer.settings import remember
from issuer.storage.audit_head_file import FileHeadMark
from pki.errors import PkiRefusedError
from tests.integration.everybody import log_in_everybody

NOW = datetime.now(UTC)


class Notary:
    """A log that takes every head, or is away."""

    def __init__(self) -> None:
        self.noted: list[ChainHead] = []
        self.is_away = False

    def note(self, head: ChainHead) -> AuditCheckpoint:
        if self.is_away:
            raise PkiRefusedError("nobody listens", code="signer.unreachable")
        self.noted.append(head)
        return AuditCheckpoint(head=head, origin="log.example", log_size=7, proof=b"proof")


class Shelf:
    def __init__(self) -> None:
        self.kept: list[AuditCheckpoint] = []

    def all(self) -> list[AuditCheckpoint]:
        return self.kept

    def put(self, checkpoint: AuditCheckpoint) -> None:
        self.kept.append(checkpoint)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "office"
    assert main(["--home", str(made), "database", "upgrade"]) == 0
    return made


@pytest.fixture
def register(home: Path) -> SqlRegister:
    return SqlRegister(Database(f"sqlite:///{home / 'issuer.sqlite'}"))


def act(register: SqlRegister, count: int = 1) -> None:
    with register.writing() as transaction:
        for number in range(count):
            transaction.audit.append(
                AuditRecord(
                    at=NOW,
                    account=AccountName("clerk-1"),
                    action="member.changed",
                    subject=AuditSubject.MEMBER,
                    subject_id=f"m-{number}",
                )
            )


def cut(home: Path, last: int) -> None:
    """As somebody with the file would: records behind ``last`` are gone, and the head does not know of them."""
    with closing(sqlite3.connect(home / "issuer.sqlite")) as connection, connection:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DELETE FROM audit_records WHERE sequence > ?", (last,))
        connection.execute(
            "UPDATE audit_head SET sequence = ?, digest = (SELECT digest FROM audit_records WHERE sequence = ?)",
            (last, last),
        )


class Watch:
    """The duty over a register, with a clock that can be moved."""

    def __init__(self, register: SqlRegister, home: Path) -> None:
        self.later = timedelta()
        self.notary, self.shelf = Notary(), Shelf()
        self.mark = audit_mark_of(home)
        self.duty = AuditDuty(
            register=register,
            mark=self.mark,
            checkpointing=lambda: AuditCheckpointing(
                register=register, notary=self.notary, shelf=self.shelf, clock=self.clock
            ),
            every=timedelta(hours=1),
            clock=self.clock,
        )

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.later

    def work(self) -> None:
        (key,) = self.duty.waiting(limit=5)
        self.duty.work(key)


@pytest.fixture
def watch(register: SqlRegister, home: Path) -> Watch:
    return Watch(register, home)


def code(do: Callable[[], object]) -> str:
    with pytest.raises(IssuerError) as caught:
        do()
    return caught.value.code


def test_an_empty_trail_is_nothing_to_note(watch: Watch) -> None:
    watch.work()
    assert watch.mark.read() is None
    assert watch.notary.noted == []


def test_what_came_is_marked_and_noted_and_due_again_after_an_hour(
    watch: Watch, register: SqlRegister
) -> None:
    act(register, 5)
    watch.work()
    mark = watch.mark.read()
    assert mark is not None
    assert mark.sequence == 5
    assert watch.notary.noted == [mark]
    assert watch.duty.waiting(limit=5) == []
    watch.later = timedelta(minutes=61)
    watch.work()
    # The record of the checkpoint is no reason for another one.
    assert len(watch.notary.noted) == 1
    act(register)
    watch.work()
    assert [each.sequence for each in watch.notary.noted] == [5, 7]


def test_a_tail_that_was_cut_with_its_head_is_found_by_the_mark_alone(
    watch: Watch, register: SqlRegister, home: Path
) -> None:
    act(register, 9)
    watch.duty.work(AUDIT)
    watch.shelf.kept.clear()
    cut(home, 4)
    watch.later = timedelta(hours=2)
    assert code(watch.work) == "audit.cut"
    mark = watch.mark.read()
    assert mark is not None
    assert mark.sequence == 9, "the mark of the longer trail stays"
    assert watch.duty.waiting(limit=1) == [AUDIT], "it is told again"
    act(register, 8)
    assert code(watch.work) == "audit.altered", "as long again, and another trail"


def test_where_the_log_is_away_the_mark_is_moved_nevertheless(
    watch: Watch, register: SqlRegister
) -> None:
    act(register, 2)
    watch.notary.is_away = True
    assert code(watch.work) == "signer.unreachable"
    mark = watch.mark.read()
    assert mark is not None
    assert mark.sequence == 2


def test_a_mark_of_the_future_is_due(watch: Watch, register: SqlRegister) -> None:
    act(register)
    watch.work()
    watch.later = -timedelta(days=1)
    assert watch.duty.waiting(limit=1) == [AUDIT]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"trail": "00"}', b"x" * 9000, b"\xff"])
def test_a_mark_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "head.json").write_bytes(content)
    with pytest.raises(IssuerDataError) as caught:
        FileHeadMark(tmp_path).read()
    assert caught.value.code == "audit.mark-malformed"


def test_verify_compares_the_mark(
    watch: Watch, register: SqlRegister, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log_in_everybody(home)
    act(register, 3)
    watch.duty.work(AUDIT)
    verify = ["--home", str(home), "audit", "verify"]
    capfd.readouterr()
    assert main(verify) == 0
    assert "this home's own mark" in capfd.readouterr().err
    cut(home, 1)
    assert main(verify) == 1
    assert "audit.cut" in capfd.readouterr().out


def test_the_settings_say_which_duties_there_are(home: Path) -> None:
    with open_register_home(home) as opened:
        assert set(duties_of(opened)) == {"daily", AUDIT}
    remember(home, {"audit": {"check_minutes": None}})
    with open_register_home(home) as opened:
        assert STATUS not in duties_of(opened)


def test_the_day_lets_go_of_what_was_destroyed(home: Path) -> None:
    destroyed = b"destroyed at the hand-over"
    with open_register_home(home) as opened:
        for delivery in (destroyed.decode(), "nothing"):
            with opened.database.writing() as session:
                session.merge(
                    ChipRow(
                        serial=bytes(10),
                        state="received",
                        delivery=delivery,
                        received_at=datetime(2026, 11, 22, tzinfo=UTC),
                        site="store",
                        is_stolen=False,
                    )
                )

        def holds_it() -> bool:
            files = [each for each in home.rglob("*") if each.is_file()]
            return any(destroyed in each.read_bytes() for each in files)

        assert holds_it()
        daily = duties_of(opened)["daily"]
        [today] = daily.waiting(limit=1)
        daily.work(today)
        assert not holds_it()


def test_the_day_destroys_the_pictures_that_nothing_needs(home: Path) -> None:
    with open_register_home(home) as opened:
        doomed, kept = (opened.portraits.put(image) for image in (b"of nobody", b"of somebody"))
        with opened.register.writing() as transaction:
            transaction.subjects.doom(FileToDestroy(store=FileStore.PORTRAITS, digest=doomed))
        daily = duties_of(opened)["daily"]
        daily.work(*daily.waiting(limit=1))
        assert opened.portraits.get(kept) == b"of somebody"
        with pytest.raises(IssuerRefusedError) as lost:
            opened.portraits.get(doomed)
        assert lost.value.code == "portrait.lost"
        with opened.register.reading() as transaction:
            assert transaction.subjects.files_to_destroy() == ()


def test_a_day_is_done_once_and_again_where_something_failed() -> None:
    done: list[str] = []
    today = [datetime(2026, 11, 22, 23, tzinfo=UTC)]

    def second() -> None:
        if len(done) == 1:
            raise IssuerRefusedError("not now", code="database.unavailable")
        done.append("second")

    duty = DailyDuty((lambda: done.append("first"), second), lambda: today[0])
    (key,) = duty.waiting(limit=1)
    assert date.fromisoformat(key) == today[0].date()
    with pytest.raises(IssuerRefusedError):
        duty.work(key)
    assert duty.waiting(limit=1) == [key]
    duty.work(key)
    assert done == ["first", "first", "second"]
    assert duty.waiting(limit=1) == []
    today[0] += timedelta(hours=2)
    assert duty.waiting(limit=1) == ["2026-11-23"]
