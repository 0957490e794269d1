"""The central service's database: SQLite for one office, PostgreSQL for many processes.

Every transaction that writes takes SQLite's lock at once (``BEGIN IMMEDIATE``); readers are never blocked, because the file
is kept in WAL mode. On PostgreSQL what must not be done twice at once locks the row that it is about.
"""

import contextlib
from collections.abc import Iterator

from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from pki.sql.engine import (
    DATABASE_FAILURES,
    DatabaseUrlError,
    MissingDriverError,
    beginning_at_once,
    is_missing_table,
    open_engine,
    read_database_url,
)
from verifier.centre.errors import CentreError

__all__ = ["CentreDatabase", "database_error"]


class CentreDatabase:
    """One database and its pool of connections; safe to share among threads."""

    def __init__(self, url: str) -> None:
        """Prepare the pool; nothing is opened yet.

        Raises:
            CentreError: ``centre.database-url``, ``centre.database-driver``.
        """
        self._url = _read_url(url)
        self.engine = _open(self._url)
        self._writing = beginning_at_once(self.engine)

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
    if is_missing_table(error):
        return CentreError(
            "the centre's database has no tables, or old ones",
            code="centre.database",
            hint="run: membercard-verifier centre upgrade",
        )
    return CentreError(
        f"the centre's database does not answer ({type(error).__name__})", code="centre.database"
    )


def _read_url(text: str) -> URL:
    try:
        return read_database_url(text)
    except DatabaseUrlError as error:
        raise CentreError(
            "the database URL is none of sqlite:///FILE and postgresql://...",
            code="centre.database-url",
        ) from error


def _open(url: URL) -> Engine:
    try:
        return open_engine(url)
    except MissingDriverError as error:
        raise CentreError(
            str(error), code="centre.database-driver", hint="pip install 'membercard[postgres]'"
        ) from error
