"""The issuer's database: one file of SQLite by default, PostgreSQL by URL.

All writing goes through :meth:`Database.writing`: one transaction, committed at the end of the block or not
at all. On SQLite it takes the write lock at once (``BEGIN IMMEDIATE``), so that what it reads stays true
until it commits; readers are never blocked, because the file is kept in WAL mode.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL, Connection, Dialect, Engine, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Session

from issuer.errors import ConflictError, IssuerUnavailableError

__all__ = [
    "DATABASE_FAILURES",
    "Base",
    "Database",
    "UtcDateTime",
    "database_error",
    "insert_rows",
    "insert_unless_there",
]

DATABASE_FAILURES = (DBAPIError, PoolTimeoutError)
"""What a database raises; SQLAlchemy's other errors are mistakes of the program and stay as they are."""

_BEGIN_OPTION = "membercard_sqlite_begin"


class Base(DeclarativeBase):
    """Every table of the issuer; the names of constraints follow one convention, so migrations can name them."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware time in UTC; SQLite, which knows no time zones, stores it without one."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware times only: a naive one is a mistake of the program."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("got a time without a time zone, expected an aware one")
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC on the way out, whatever zone the server's session has."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Database:
    """One database and its pool of connections; safe to share among threads."""

    def __init__(self, url: str) -> None:
        """Prepare the pool; nothing is opened yet.

        Raises:
            IssuerUnavailableError: the URL is none, or names a database that is neither SQLite nor
                PostgreSQL (``database.url``).
        """
        self.url = _parse_url(url)
        self.engine = _create_engine(self.url)
        self._writing_engine = self.engine.execution_options(**{_BEGIN_OPTION: "BEGIN IMMEDIATE"})

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
    def reading(self) -> Iterator[Session]:
        """One transaction that only reads: whatever the block writes is dropped.

        Raises:
            IssuerUnavailableError: the database does not answer, or has not been upgraded.
        """
        with _session(self.engine) as session:
            yield session

    def forget_old_versions(self) -> None:
        """Let go of what rows held before they were changed or deleted, as far as a database can.

        SQLite has overwritten it in the file, and empties its write-ahead log now; PostgreSQL takes the old rows out of
        its pages. A database that is in use by a long transaction does it later, by itself.

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
                    connection.exec_driver_sql("VACUUM")
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


def database_error(error: DBAPIError | PoolTimeoutError) -> ConflictError | IssuerUnavailableError:
    """What a failure of the database means for a caller; the text holds no value of any row."""
    if isinstance(error, IntegrityError):
        return ConflictError("the database refused what was to be stored: a constraint is broken")
    if isinstance(error, DBAPIError) and _is_missing_table(error):
        return IssuerUnavailableError(
            "the database has no tables, or old ones",
            code="database.not-upgraded",
            hint="run: membercard-issuer --home DIR database upgrade",
        )
    return IssuerUnavailableError(
        f"the database does not answer: {type(error).__name__}", code="database.unavailable"
    )


@contextlib.contextmanager
def _session(engine: Engine) -> Iterator[Session]:
    try:
        with Session(engine, expire_on_commit=False) as session:
            yield session
    except DATABASE_FAILURES as error:
        raise database_error(error) from error


def _is_missing_table(error: DBAPIError) -> bool:
    text = str(error.orig)
    return (
        "no such table" in text or "no such column" in text or "UndefinedTable" in repr(error.orig)
    )


def _parse_url(text: str) -> URL:
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (SQLAlchemyError, ValueError) as error:
        raise IssuerUnavailableError(
            "the database URL is not one",
            code="database.url",
            hint="sqlite:///FILE or postgresql://...",
        ) from error
    if backend == "sqlite":
        if not url.database or url.database == ":memory:":
            raise IssuerUnavailableError(
                "the database URL names no file, expected sqlite:///FILE", code="database.url"
            )
        return url
    if backend == "postgresql":
        # psycopg 3 is the one driver that the product is tested with.
        return url.set(drivername="postgresql+psycopg")
    raise IssuerUnavailableError(
        f"the database URL names {backend}, expected sqlite or postgresql", code="database.url"
    )


def _create_engine(url: URL) -> Engine:
    try:
        if url.get_backend_name() != "sqlite":
            # Parameters are personal data: they must not appear in error texts.
            return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)
        engine = sa.create_engine(
            url, hide_parameters=True, connect_args={"timeout": 30, "check_same_thread": False}
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise IssuerUnavailableError(
            "the driver for this database is not installed",
            code="database.driver",
            hint="pip install 'membercard[postgres]'",
        ) from error
    event.listen(engine, "connect", _prepare_sqlite_connection)
    event.listen(engine, "begin", _begin_sqlite_transaction)
    event.listen(engine, "checkin", _end_sqlite_transaction)
    return engine


def _prepare_sqlite_connection(connection: Any, _record: object) -> None:
    if not isinstance(connection, sqlite3.Connection):
        raise TypeError(f"got a connection of {type(connection).__name__}, expected sqlite3")
    # The driver must not begin transactions by itself: it would leave out DDL and the kind of lock.
    connection.isolation_level = None
    # WAL lets readers go on beside the one writer; FULL makes an acknowledged commit survive a power cut; what is
    # deleted is overwritten in the file; and the log is emptied after 16 MB, which is twice what one request of
    # cards writes: page for page it would be as often.
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "trusted_schema=OFF",
        "secure_delete=ON",
        "wal_autocheckpoint=4000",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite_transaction(connection: Connection) -> None:
    statement = connection.get_execution_options().get(_BEGIN_OPTION, "BEGIN")
    connection.exec_driver_sql(str(statement))


def _end_sqlite_transaction(connection: Any, _record: object) -> None:
    # A commit that failed leaves the transaction open, with its lock on the file, and the pool takes it for ended.
    if isinstance(connection, sqlite3.Connection) and connection.in_transaction:
        connection.rollback()
