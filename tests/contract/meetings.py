"""Two that do something at once: the second one begins after each statement of the first one, in turn.

Whatever two transactions do to each other they do between two statements of one of them. The first one stands still
there until the second one has ended, or waits for a lock that the first one holds; then both go on to their ends.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from issuer.db.base import Database
from issuer.errors import IssuerError

__all__ = ["Did", "Meetings", "Met", "at_once"]

_SECONDS = 60
_LOOKS_A_SECOND = 500


@dataclass(slots=True)
class Did:
    """What came of it: a value, or the error with which it was refused."""

    value: object = None
    error: IssuerError | None = None

    @property
    def code(self) -> str | None:
        return None if self.error is None else self.error.code


@dataclass(slots=True)
class Met:
    """What came of both, and how many statements the first one took."""

    first: Did
    second: Did
    statements: int

    @property
    def codes(self) -> tuple[str | None, str | None]:
        return self.first.code, self.second.code


@dataclass(slots=True)
class _Second:
    """The second one, in a thread of its own."""

    work: Callable[[], object]
    did: Did = field(default_factory=Did)
    thread: threading.Thread = field(init=False)
    waits_to_write: threading.Event = field(default_factory=threading.Event)
    backend: int | None = None
    failure: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.did = _done(self.work)
        except BaseException as error:  # noqa: BLE001 - the test itself has to see it
            self.failure.append(error)


def at_once(*works: Callable[[], object]) -> list[Did]:
    """All of them begin together, each in a thread of its own; what came of each."""
    gate = threading.Barrier(len(works))

    def behind_the_gate(work: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            gate.wait(_SECONDS)
            return work()

        return run

    runs = [_Second(behind_the_gate(each)) for each in works]
    for run in runs:
        run.thread.start()
    return [_ended(run) for run in runs]


class Meetings:
    """Lets two meet over one database; whether one waits is asked over a connection of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._observer = sa.create_engine(database.url, isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Close the connection."""
        self._observer.dispose()

    def meet(
        self, first: Callable[[], object], second: Callable[[], object], *, after: int | None
    ) -> Met:
        """Let the second one begin after so many statements of the first one; behind it where ``None`` is given."""
        other = _Second(second)
        counter = _Counter(other=other, after=after, stand_still=self._let_go_as_far_as_it_can)
        with _listening(
            self._database.engine,
            before_cursor_execute=counter.begins,
            after_cursor_execute=counter.executed,
            commit=counter.ends,
            rollback=counter.ends,
        ):
            did = _done(first)
            if other.thread.ident is None:
                other.thread.start()
            return Met(first=did, second=_ended(other), statements=counter.count)

    def _let_go_as_far_as_it_can(self, other: _Second, is_writing: bool) -> None:  # noqa: FBT001
        other.thread.start()
        for _ in range(_SECONDS * _LOOKS_A_SECOND):
            if not other.thread.is_alive():
                return
            if self._database.is_sqlite:
                if is_writing and other.waits_to_write.is_set():
                    return
            elif other.backend is not None and self._waits(other.backend):
                return
            time.sleep(1 / _LOOKS_A_SECOND)
        raise AssertionError("the second one neither ends nor waits for a lock")

    def _waits(self, backend: int) -> bool:
        with self._observer.connect() as connection:
            waiting = connection.execute(
                sa.text("SELECT cardinality(pg_blocking_pids(:backend)) > 0"), {"backend": backend}
            )
            return bool(waiting.scalar())


@dataclass(slots=True, kw_only=True)
class _Counter:
    """Counts the statements of the first one, which is in the thread that makes this; sees where the second one is."""

    other: _Second
    after: int | None
    stand_still: Callable[[_Second, bool], None]
    count: int = 0
    mine: int = field(default_factory=threading.get_ident)
    is_writing: bool = False

    def begins(self, connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        thread = threading.get_ident()
        takes_sqlite = statement == "BEGIN IMMEDIATE"
        if thread == self.mine:
            self.is_writing = self.is_writing or takes_sqlite
        elif thread == self.other.thread.ident:
            if takes_sqlite:
                self.other.waits_to_write.set()
            if connection.dialect.name == "postgresql":
                self.other.backend = connection.connection.dbapi_connection.info.backend_pid

    def executed(self, *_args: Any) -> None:
        if threading.get_ident() == self.mine:
            self.count += 1
            if self.count == self.after:
                self.stand_still(self.other, self.is_writing)

    def ends(self, _connection: Any) -> None:
        if threading.get_ident() == self.mine:
            self.is_writing = False


def _done(work: Callable[[], object]) -> Did:
    try:
        return Did(value=work())
    except IssuerError as error:
        return Did(error=error)


def _ended(run: _Second) -> Did:
    run.thread.join(_SECONDS)
    assert not run.thread.is_alive(), "one of the two waits for ever"
    if run.failure:
        raise run.failure[0]
    return run.did


@contextmanager
def _listening(engine: sa.Engine, **listeners: Callable[..., Any]) -> Iterator[None]:
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(engine, name, listener)
