"""The issuer's database: one file of SQLite by default, PostgreSQL by URL.

All writing goes through :meth:`Database.writing`: one transaction, committed at the end of the block or not at all; on
SQLite it takes the write lock at once, so that what it reads stays true until it commits (pki.sql.engine).
"""

import contextlib
import fcntl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Session

from issuer.errors import CROSSED, ConflictError, IssuerUnavailableError
from pki.sql.columns import NAMING_CONVENTION, UtcDateTime
from pki.sql.engine import (
    DATABASE_FAILURES,
    DatabaseUrlError,
    MissingDriverError,
    beginning_at_once,
    is_missing_table,
    open_engine,
    read_database_url,
)

__all__ = [
    "DATABASE_FAILURES",
    "Base",
    "Database",
    "UtcDateTime",
    "crossed",
    "database_error",
    "insert_rows",
    "insert_unless_there",
    "is_crossed",
    "unindexed",
]


_GAVE_WAY: Final = frozenset({"40P01", "40001"})
"""PostgreSQL's deadlock_detected and serialization_failure."""


class Base(DeclarativeBase):
    """Every table of the issuer; the names of constraints follow one convention, so migrations can name them."""

    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Database:
    """One database and its pool of connections; safe to share among threads."""

    def __init__(self, url: str) -> None:
        """Prepare the pool; nothing is opened yet.

        Raises:
            IssuerUnavailableError: the URL is none, or names a database that is neither SQLite nor
                PostgreSQL (``database.url``).
        """
        self.url = _read_url(url)
        self.engine = _open(self.url)
        self._writing_engine = beginning_at_once(self.engine)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded file."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def conninfo(self) -> str:
        """A PostgreSQL database as libpq takes it, with its password: never to be shown."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction that reads and writes.

        Raises:
            ConflictError: a constraint of the database was broken by what the block wrote.
            IssuerUnavailableError: the database does not answer, or has not been upgraded.
        """
        with _session(self._writing_engine) as session:
            yield session
            session.commit()

    @contextlib.contextmanager
    def writing_in_turn(self) -> Iterator[Session]:
        """As ``writing``, for processes that write much side by side: who waits is woken when their turn comes.

        SQLite lets whoever waits for its file sleep, up to 100 ms at a time, and look again. The turn goes with its
        process, however that ends; others who write meet these at SQLite's own lock, as ever.

        Raises:
            ConflictError, IssuerUnavailableError: as ``writing``.
        """
        turn = self._turn() if self.is_sqlite else contextlib.nullcontext()
        with turn, self.writing() as session:
            yield session

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        path = Path(f"{self.url.database}.turn-lock")
        try:
            file = path.open("ab")
        except OSError as error:
            raise IssuerUnavailableError(
                f"{path} cannot be opened: {error.strerror}", code="database.unavailable"
            ) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """One transaction that only reads: whatever the block writes is dropped.

        Raises:
            IssuerUnavailableError: the database does not answer, or has not been upgraded.
        """
        with _session(self.engine) as session:
            yield session

    def forget_old_versions(self, *, of: Sequence[str] = ()) -> None:
        """Let go of what rows held before they were changed or deleted, as far as a database can.

        SQLite has overwritten it in the file, and empties its write-ahead log now; PostgreSQL takes the old rows out of
        its pages: of these tables alone, where some are named. A database that is in use by a long transaction does it later,
        by itself.

        Raises:
            IssuerUnavailableError: the database does not answer.
        """
        try:
            with self.engine.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            ) as connection:
                if self.is_sqlite:
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                else:
                    connection.exec_driver_sql(f"VACUUM {', '.join(of)}")
        except DATABASE_FAILURES as error:
            raise database_error(error) from error

    def close(self) -> None:
        """Close every connection of the pool."""
        self.engine.dispose()


def insert_rows(session: Session, table: type[Base], rows: Sequence[Mapping[str, object]]) -> None:
    """Store plain rows: several times faster than building mapped objects, and at once, not when the session ends.

    Raises:
        ConflictError: a constraint of the database is broken.
        IssuerUnavailableError: the database does not answer, or has not been upgraded.
    """
    if not rows:
        return
    # The table, not the class: an insert by class is of the ORM, which looks at every row again.
    plain = table.metadata.tables[table.__tablename__]
    try:
        session.execute(sa.insert(plain), rows)
    except DATABASE_FAILURES as error:
        raise database_error(error) from error


def insert_unless_there(session: Session, table: type[Base], values: Mapping[str, object]) -> None:
    """Store a row, unless one with its key is there already.

    Raises:
        IssuerUnavailableError: the database does not answer, or has not been upgraded.
    """
    if session.get_bind().dialect.name == "sqlite":
        statement: sa.Insert = sqlite_insert(table).values(values).on_conflict_do_nothing()
    else:
        # Whoever works on SQLite does not wait for the other dialect's module.
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415

        statement = insert(table).values(values).on_conflict_do_nothing()
    try:
        session.execute(statement, execution_options={"synchronize_session": False})
    except DATABASE_FAILURES as error:
        raise database_error(error) from error


def unindexed(column: sa.SQLColumnExpression[Any]) -> sa.ColumnElement[Any]:
    """The same value by a term that is no column, for which no index is taken.

    SQLite, which keeps no statistics here, takes an index of equal values for a good one, however many rows have them.
    """
    return sa.func.coalesce(column, sa.null())


def database_error(error: DBAPIError | PoolTimeoutError) -> ConflictError | IssuerUnavailableError:
    """What a failure of the database means for a caller; the text holds no value of any row."""
    if is_crossed(getattr(error, "orig", None)):
        return crossed()
    if isinstance(error, IntegrityError):
        return ConflictError("the database refused what was to be stored: a constraint is broken")
    if is_missing_table(error):
        return IssuerUnavailableError(
            "the database has no tables, or old ones",
            code="database.not-upgraded",
            hint="run: membercard-issuer --home DIR database upgrade",
        )
    return IssuerUnavailableError(
        f"the database does not answer: {type(error).__name__}", code="database.unavailable"
    )


def is_crossed(cause: BaseException | None) -> bool:
    """Whether PostgreSQL ended a transaction because it and another one waited for each other, or would contradict."""
    return getattr(cause, "sqlstate", None) in _GAVE_WAY


def crossed() -> ConflictError:
    """A transaction that gave way to another one."""
    return ConflictError(
        "somebody else was at work with the same at this moment",
        code=CROSSED,
        hint="nothing was changed: do it again",
    )


@contextlib.contextmanager
def _session(engine: Engine) -> Iterator[Session]:
    try:
        with Session(engine, expire_on_commit=False) as session:
            yield session
    except DATABASE_FAILURES as error:
        raise database_error(error) from error


def _read_url(text: str) -> URL:
    try:
        return read_database_url(text)
    except DatabaseUrlError as error:
        raise IssuerUnavailableError(
            str(error), code="database.url", hint="sqlite:///FILE or postgresql://..."
        ) from error


def _open(url: URL) -> Engine:
    try:
        return open_engine(url)
    except MissingDriverError as error:
        raise IssuerUnavailableError(
            str(error), code="database.driver", hint="pip install 'membercard[postgres]'"
        ) from error
