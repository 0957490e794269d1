"""A terminal's own database: one file of SQLite, in WAL mode, written durably."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError

from pki.sql.engine import beginning_at_once, open_engine
from verifier.errors import VerifierError

__all__ = ["Database", "DatabaseError", "database_error"]


class DatabaseError(VerifierError):
    """The terminal's database does not answer, or is at another version."""

    default_code = "journal.unavailable"


class Database:
    """One file; safe to share among threads, which write one after another."""

    def __init__(self, path: Path) -> None:
        # Every transaction here writes, or is short.
        self.engine = beginning_at_once(open_engine(URL.create("sqlite", database=str(path))))

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
