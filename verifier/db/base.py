"""A terminal's own database: one file of SQLite, in WAL mode, written durably."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from verifier.errors import VerifierError

__all__ = ["Database", "DatabaseError", "database_error"]


class DatabaseError(VerifierError):
    """The terminal's database does not answer, or is at another version."""

    default_code = "journal.unavailable"


class Database:
    """One file; safe to share among threads, which write one after another."""

    def __init__(self, path: Path) -> None:
        # Parameters never appear in error texts.
        self.engine = sa.create_engine(
            sa.engine.URL.create("sqlite", database=str(path)),
            hide_parameters=True,
            connect_args={"timeout": 30, "check_same_thread": False},
        )
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", _begin)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: committed at the end of the block, or not at all.

        Raises:
            DatabaseError: the database does not answer.
        """
        try:
            with self.engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise database_error(error) from error

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def database_error(error: DBAPIError) -> DatabaseError:
    """What a failure means for a caller; the text holds no value of any row."""
    return DatabaseError(
        f"the terminal's database does not answer ({type(error.orig).__name__})",
        hint="is the disk full, or the file damaged or not this user's?",
    )


def _prepare(connection: Any, _record: object) -> None:
    if not isinstance(connection, sqlite3.Connection):
        raise TypeError(f"got a connection of {type(connection).__name__}, expected sqlite3")
    # The driver must not begin transactions by itself: it would leave out the kind of lock.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    # Every transaction here writes, or is short: what it reads stays true until it commits.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
