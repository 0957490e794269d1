"""The service's database: one file of SQLite by default, PostgreSQL by URL.

All writing goes through :meth:`Database.writing`: one transaction, committed at the end of the block or not at all; on
SQLite it takes the write lock at once, so that what it reads stays true until it commits (pki.sql.engine).
"""

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Session

from pki.errors import PkiRefusedError, RecordError
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

__all__ = ["DATABASE_FAILURES", "Base", "Database", "UtcDateTime", "database_error"]


class Base(DeclarativeBase):
    """Every table of the service; the names of constraints follow one convention, so migrations can name them."""

    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Database:
    """One database and its pool of connections; safe to share among threads."""

    def __init__(self, url: str) -> None:
        """Prepare the pool; nothing is opened yet.

        Raises:
            RecordError: the URL is none, or names a database that is neither SQLite nor
                PostgreSQL (``database.url``).
        """
        self.url = _read_url(url)
        self.engine = _open(self.url)
        self._writing_engine = beginning_at_once(self.engine)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded file."""
        return self.url.get_backend_name() == "sqlite"

    @staticmethod
    def has_password(url: str) -> bool:
        """Whether a URL holds a password, which must stand in no command line.

        Raises:
            RecordError: ``database.url``.
        """
        parsed = _read_url(url)
        return parsed.password is not None or "password" in parsed.query

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction that reads and writes.

        Raises:
            PkiRefusedError: ``database.conflict``: a constraint of the database was broken by what the block wrote.
            RecordError: the database does not answer, or has not been upgraded.
        """
        with _session(self._writing_engine) as session:
            yield session
            session.commit()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """One transaction that only reads: whatever the block writes is dropped.

        Raises:
            RecordError: the database does not answer, or has not been upgraded.
        """
        with _session(self.engine) as session:
            yield session

    def close(self) -> None:
        """Close every connection of the pool."""
        self.engine.dispose()


def database_error(error: DBAPIError | PoolTimeoutError) -> PkiRefusedError | RecordError:
    """What a failure of the database means for a caller; the text holds no value of any row."""
    if isinstance(error, IntegrityError):
        return PkiRefusedError(
            "the database refused what was to be stored: a constraint is broken",
            code="database.conflict",
        )
    if is_missing_table(error):
        return RecordError(
            "the database has no tables, or old ones",
            code="database.not-upgraded",
            hint="run: membercard-pki --home DIR database upgrade",
        )
    return RecordError(
        f"the database does not answer: {type(error).__name__}", code="database.unavailable"
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
        raise RecordError(
            str(error), code="database.url", hint="sqlite:///FILE or postgresql://..."
        ) from error


def _open(url: URL) -> Engine:
    try:
        return open_engine(url)
    except MissingDriverError as error:
        raise RecordError(
            str(error), code="database.driver", hint="pip install 'membercard[postgres]'"
        ) from error
