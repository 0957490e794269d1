"""The database's schema: bring it up to date, say how far it is, compare migrations with the tables in code."""

import contextlib
from collections.abc import Iterator
from typing import Final

import pki.db.migrations
from pki.db.base import DATABASE_FAILURES, Database, database_error
from pki.errors import PkiRefusedError, RecordError
from pki.sql.migrations import Migrations, MigrationsDifferError, UnknownRevisionError

__all__ = ["check_migrations", "current_revision", "latest_revision", "upgrade"]

_MIGRATIONS: Final = Migrations(pki.db.migrations)


def upgrade(database: Database) -> None:
    """Bring the schema to the latest revision, in one transaction; an up-to-date one is left alone.

    Raises:
        RecordError: the database does not answer, or comes from a newer version of the product
            (``database.newer``).
    """
    with _told():
        _MIGRATIONS.upgrade(database.engine)


def current_revision(database: Database) -> str | None:
    """The revision that the database is at; ``None`` before the first upgrade.

    Raises:
        RecordError: the database does not answer.
    """
    with _told():
        return _MIGRATIONS.current(database.engine)


def latest_revision() -> str | None:
    """The revision that this version of the product works with."""
    return _MIGRATIONS.latest()


def check_migrations() -> None:
    """Build a scratch SQLite database by the migrations alone and compare it with the tables in code.

    Raises:
        PkiRefusedError: they differ (``database.migrations-differ``).
    """
    with _told():
        _MIGRATIONS.check()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except MigrationsDifferError as error:
        raise PkiRefusedError(str(error), code="database.migrations-differ") from error
    except UnknownRevisionError as error:
        raise RecordError(
            "the database is at a revision that this version of membercard does not know",
            code="database.newer",
            hint="use the version of membercard that upgraded it, or a newer one",
        ) from error
    except DATABASE_FAILURES as error:
        raise database_error(error) from error
