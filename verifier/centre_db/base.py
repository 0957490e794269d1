"""The central service's database: SQLite for one office, PostgreSQL for many processes.

Every transaction that writes takes SQLite's lock at once (``BEGIN IMMEDIATE``); readers are never blocked, because the file
is kept in WAL mode. On PostgreSQL what must not be done twice at once locks the row that it is about.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from verifier.centre.errors import CentreError

__all__ = ["DATABASE_FAILURES", "CentreDatabase", "database_error"]

DATABASE_FAILURES: Final = (DBAPIError, PoolTimeoutError)
_BEGIN_OPTION: Final = "membercard_sqlite_begin"


class CentreDatabase:
    """One database and its pool of connections; safe to share among threads."""

    def __init__(self, url: str) -> None:
        """Prepare the pool; nothing is opened yet.

        Raises:
            CentreError: ``centre.database-url``, ``centre.database-driver``.
        """
        self._url = _parsed(url)
        self.engine = _engine(self._url)
        self._writing = self.engine.execution_options(**{_BEGIN_OPTION: "BEGIN IMMEDIATE"})

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: committed at the end of the block, or not at all.

        Raises:
            CentreError: ``centre.database``, ``centre.busy``.
        """
        try:
            with self._writing.begin() as connection:
                yield connection
        except DATABASE_FAILURES as error:
            raise database_error(error) from error

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that only reads.

        Raises:
            CentreError: ``centre.database``.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except DATABASE_FAILURES as error:
            raise database_error(error) from error

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def database_error(error: DBAPIError | PoolTimeoutError) -> CentreError:
    """What a failure means for a caller; the text holds no value of any row."""
    if isinstance(error, IntegrityError):
        return CentreError(
            "somebody else changed the same at the same time",
            code="centre.busy",
            hint="send it again",
        )
    text = str(getattr(error, "orig", ""))
    if "no such table" in text or "UndefinedTable" in repr(getattr(error, "orig", "")):
        return CentreError(
            "the centre's database has no tables, or old ones",
            code="centre.database",
            hint="run: membercard-verifier centre upgrade",
        )
    return CentreError(
        f"the centre's database does not answer ({type(error).__name__})", code="centre.database"
    )


def _parsed(text: str) -> URL:
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (SQLAlchemyError, ValueError) as error:
        raise _no_url() from error
    if backend == "sqlite" and url.database and url.database != ":memory:":
        return url
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise _no_url()


def _no_url() -> CentreError:
    return CentreError(
        "the database URL is none of sqlite:///FILE and postgresql://...",
        code="centre.database-url",
    )


def _engine(url: URL) -> Engine:
    try:
        if url.get_backend_name() != "sqlite":
            # Parameters never appear in error texts.
            return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)
        engine = sa.create_engine(
            url, hide_parameters=True, connect_args={"timeout": 30, "check_same_thread": False}
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise CentreError(
            "the driver for this database is not installed",
            code="centre.database-driver",
            hint="pip install 'membercard[postgres]'",
        ) from error
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    if not isinstance(connection, sqlite3.Connection):
        raise TypeError(f"got a connection of {type(connection).__name__}, expected sqlite3")
    # The driver must not begin transactions by itself: it would leave out the kind of lock.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    statement = connection.get_execution_options().get(_BEGIN_OPTION, "BEGIN")
    connection.exec_driver_sql(str(statement))
