"""How our databases are opened: one file of SQLite that is written durably, or PostgreSQL by URL.

Every product and every terminal has a database of its own, and none sees another's. What keeps a file of SQLite whole
through kills, full disks and power cuts is the same for all of them, and stands here; tables and errors are theirs.

A transaction of an engine that :func:`beginning_at_once` gives takes SQLite's write lock at once (``BEGIN IMMEDIATE``),
so that what it reads stays true until it commits. Readers are never blocked, because the file is kept in WAL mode. On
PostgreSQL what must not be done twice at once locks the row that it is about.
"""

import sqlite3
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

__all__ = [
    "DATABASE_FAILURES",
    "DatabaseUrlError",
    "MissingDriverError",
    "beginning_at_once",
    "is_missing_table",
    "open_engine",
    "read_database_url",
]

DATABASE_FAILURES: Final = (DBAPIError, PoolTimeoutError)
"""What a database raises; SQLAlchemy's other errors are mistakes of the program and stay as they are."""

_BEGIN_OPTION: Final = "membercard_sqlite_begin"
_BUSY_SECONDS: Final = 30
_PRAGMAS: Final = (
    # Readers go on beside the one writer, and an acknowledged commit survives a power cut.
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "trusted_schema=OFF",
    # What is deleted is overwritten in the file.
    "secure_delete=ON",
    # One request of cards writes 8 MB: a log that is emptied after 4 writes the same pages of indices again and again.
    "wal_autocheckpoint=4000",
)


class DatabaseUrlError(ValueError):
    """A URL names no database that the product works with; the text does not quote it: it may hold a password."""


class MissingDriverError(Exception):
    """The database's driver is not installed."""


def read_database_url(text: str) -> URL:
    """The URL of a file of SQLite, or of a PostgreSQL database with the driver that the product is tested with.

    Raises:
        DatabaseUrlError: it is neither.
    """
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (SQLAlchemyError, ValueError) as error:
        raise DatabaseUrlError("the database URL is not one") from error
    if backend == "sqlite":
        if not url.database or url.database == ":memory:":
            raise DatabaseUrlError("the database URL names no file, expected sqlite:///FILE")
        return url
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise DatabaseUrlError(f"the database URL names {backend}, expected sqlite or postgresql")


def open_engine(url: URL) -> Engine:
    """The pool of connections to a database; nothing is opened yet. It is safe to share among threads.

    Raises:
        MissingDriverError: the driver is not installed.
    """
    try:
        # Parameters are personal data, and never appear in error texts.
        if url.get_backend_name() != "sqlite":
            return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)
        engine = sa.create_engine(
            url,
            hide_parameters=True,
            connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise MissingDriverError("the driver for this database is not installed") from error
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "checkin", _end)
    return engine


def beginning_at_once(engine: Engine) -> Engine:
    """The same pool; its transactions take the write lock of SQLite when they begin."""
    return engine.execution_options(**{_BEGIN_OPTION: "BEGIN IMMEDIATE"})


def is_missing_table(error: BaseException) -> bool:
    """Whether a failure says that the schema lacks a table or a column."""
    cause = getattr(error, "orig", None)
    return (
        "no such table" in str(cause)
        or "no such column" in str(cause)
        or "UndefinedTable" in repr(cause)
        or "UndefinedColumn" in repr(cause)
    )


def _prepare(connection: Any, _record: object) -> None:
    if not isinstance(connection, sqlite3.Connection):
        raise TypeError(f"got a connection of {type(connection).__name__}, expected sqlite3")
    # The driver must not begin transactions by itself: it would leave out DDL and the kind of lock.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    statement = connection.get_execution_options().get(_BEGIN_OPTION, "BEGIN")
    connection.exec_driver_sql(str(statement))


def _end(connection: Any, _record: object) -> None:
    # A commit that failed leaves the transaction open, with its lock on the file, and the pool takes it for ended.
    if isinstance(connection, sqlite3.Connection) and connection.in_transaction:
        connection.rollback()
