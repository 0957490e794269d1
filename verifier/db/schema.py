"""The schema of a terminal's database: brought up to date when it is opened; migrations compared with the tables.

A database that is up to date is found to be so without loading the migrations: a terminal starts in two seconds.
"""

import contextlib
from collections.abc import Iterator
from typing import Final

from sqlalchemy.exc import DBAPIError

import verifier.db.migrations
from pki.sql.migrations import Migrations, MigrationsDifferError, UnknownRevisionError
from verifier.db.base import Database, DatabaseError, database_error

__all__ = ["LATEST_REVISION", "check_migrations", "current_revision", "upgrade"]

LATEST_REVISION: Final = "0001_journal"

_MIGRATIONS: Final = Migrations(verifier.db.migrations)


def upgrade(database: Database) -> None:
    """Bring the schema to the latest revision, in one transaction; an up-to-date one is left alone.

    Raises:
        DatabaseError: the database does not answer, or comes from a newer version (``journal.newer-version``).
    """
    with _told():
        if _MIGRATIONS.current(database.engine) != LATEST_REVISION:
            _MIGRATIONS.upgrade(database.engine)


def current_revision(database: Database) -> str | None:
    """The revision that the database is at; ``None`` before the first upgrade.

    Raises:
        DatabaseError: the database does not answer.
    """
    with _told():
        return _MIGRATIONS.current(database.engine)


def check_migrations() -> None:
    """Build a scratch database by the migrations alone and compare it with the tables in code.

    Raises:
        DatabaseError: they differ (``journal.migrations-differ``).
    """
    with _told():
        _MIGRATIONS.check()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except MigrationsDifferError as error:
        raise DatabaseError(str(error), code="journal.migrations-differ") from error
    except UnknownRevisionError as error:
        raise DatabaseError(
            "the terminal's database is at a revision that this version of membercard does not know",
            code="journal.newer-version",
            hint="use the version of membercard that wrote it, or a newer one",
        ) from error
    except DBAPIError as error:
        raise database_error(error) from error
