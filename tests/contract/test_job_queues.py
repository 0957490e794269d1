"""One contract for the queues of jobs: in the process, and through PostgreSQL."""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from issuer.db.base import Database
from issuer.errors import IssuerUnavailableError
from issuer.jobs.in_process import InProcessJobs
from issuer.jobs.postgres import PostgresJobs, prepare_queue

KIND = "counting"
WAIT = 60.0


class Rows:
    """A work list over a table; it says when everything is done, and how often each row was worked on."""

    def __init__(self, database: Database, *, failing: Sequence[str] = ()) -> None:
        self._database = database
        self._failing = frozenset(failing)
        self.done: list[str] = []
        self.tried: list[str] = []
        self._changed = threading.Condition()
        self.table = sa.Table(
            "rows_of_a_test",
            sa.MetaData(),
            sa.Column("key", sa.String(40), primary_key=True),
            sa.Column("state", sa.String(10)),
        )
        with database.engine.begin() as connection:
            self.table.create(connection, checkfirst=True)

    def add(self, count: int) -> list[str]:
        keys = [uuid.uuid4().hex for _ in range(count)]
        self.add_all(keys)
        return keys

    def add_all(self, keys: Sequence[str]) -> None:
        with self._database.writing() as session:
            rows = [{"key": key, "state": "waiting"} for key in keys]
            session.execute(sa.insert(self.table), rows)

    def waiting(self, *, limit: int) -> list[str]:
        waits = sa.select(self.table.c.key).where(self.table.c.state == "waiting").limit(limit)
        with self._database.reading() as session:
            return list(session.scalars(waits))

    def work(self, key: str) -> None:
        with self._changed:
            self.tried.append(key)
            self._changed.notify_all()
        if key in self._failing:
            raise IssuerUnavailableError("it does not work", code="test.failing")
        claim = (
            sa.update(self.table)
            .where(self.table.c.key == key, self.table.c.state == "waiting")
            .values(state="done")
        )
        with self._database.writing() as session:
            is_ours = session.execute(claim).rowcount == 1
        if is_ours:
            with self._changed:
                self.done.append(key)
                self._changed.notify_all()

    def until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, timeout=WAIT), (self.done, self.tried)


Queue = InProcessJobs | PostgresJobs
Make = Callable[..., Queue]


@pytest.fixture(params=["in-process", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        made = Database(request.getfixturevalue("postgresql_url"))
        prepare_queue(made.conninfo)
        prepare_queue(made.conninfo)
    else:
        made = Database(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    yield made
    made.close()


@pytest.fixture
def make(database: Database) -> Make:
    def queue(rows: Any, **settings: Any) -> Queue:
        if database.is_sqlite:
            return InProcessJobs({KIND: rows}, **settings)
        return PostgresJobs(database.conninfo, {KIND: rows}, **settings)

    return queue


@contextmanager
def running(*queues: Queue) -> Iterator[None]:
    stop = threading.Event()
    threads = [threading.Thread(target=each.run, args=(stop,)) for each in queues]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(WAIT)
        for each in queues:
            if isinstance(each, PostgresJobs):
                each.close()
        assert not any(thread.is_alive() for thread in threads)


def test_what_is_woken_is_worked_on_once(database: Database, make: Make) -> None:
    rows = Rows(database)
    queue = make(rows, sweep_seconds=WAIT * 2)
    with running(queue):
        keys = rows.add(120)
        queue.wake(KIND, keys)
        queue.wake(KIND, keys[:7])
        rows.until(lambda: len(rows.done) == 120)
    assert sorted(rows.done) == sorted(keys)


def test_what_waited_before_the_start_needs_no_wake_up(database: Database, make: Make) -> None:
    rows = Rows(database)
    keys = rows.add(3)
    with running(make(rows, sweep_seconds=WAIT * 2)):
        rows.until(lambda: len(rows.done) == 3)
    assert sorted(rows.done) == sorted(keys)


def test_what_no_wake_up_spoke_of_is_found(database: Database, make: Make) -> None:
    rows = Rows(database)
    with running(make(rows, sweep_seconds=0.05)):
        first = rows.add(1)
        rows.until(lambda: rows.done == first)
        rows.add(2)
        rows.until(lambda: len(rows.done) == 3)


def test_a_row_that_fails_holds_no_other_up(database: Database, make: Make) -> None:
    bad = uuid.uuid4().hex
    rows = Rows(database, failing=[bad])
    queue = make(rows, sweep_seconds=0.05)
    with running(queue):
        rows.add_all([bad])
        good = rows.add(5)
        queue.wake(KIND, [bad, *good])
        rows.until(lambda: len(rows.done) == 5)
        rows.until(lambda: rows.tried.count(bad) >= 2)
    assert bad not in rows.done


def test_a_wake_up_for_work_that_nobody_knows_is_a_mistake(database: Database, make: Make) -> None:
    with pytest.raises(ValueError, match="no work of kind"):
        make(Rows(database)).wake("other", ["1"])


def test_two_runners_share_the_work(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    prepare_queue(database.conninfo)
    rows = Rows(database)
    queues = [
        PostgresJobs(database.conninfo, {KIND: rows}, sweep_seconds=WAIT * 2, workers=2)
        for _ in range(2)
    ]
    with running(*queues):
        keys = rows.add(400)
        queues[0].wake(KIND, keys)
        rows.until(lambda: len(rows.done) == 400)
    assert len(set(rows.done)) == 400
    database.close()


def test_a_lost_database_costs_a_wake_up_and_no_more(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    prepare_queue(database.conninfo)
    rows = Rows(database)
    unreachable = PostgresJobs("postgresql://127.0.0.1:1/nowhere", {KIND: rows})
    keys = rows.add(2)
    unreachable.wake(KIND, keys)
    with running(PostgresJobs(database.conninfo, {KIND: rows})):
        rows.until(lambda: len(rows.done) == 2)
    database.close()
