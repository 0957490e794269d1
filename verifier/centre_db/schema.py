"""The schema of the centre's database: brought up to date by a command, never by serving; compared with the tables."""

import contextlib
from collections.abc import Iterator
from typing import Final

import verifier.centre_db.migrations
from pki.sql.engine import DATABASE_FAILURES
from pki.sql.migrations import Migrations, MigrationsDifferError, UnknownRevisionError
from verifier.centre.errors import CentreError
from verifier.centre_db.base import CentreDatabase, database_error

__all__ = ["check_migrations", "require_current", "upgrade"]

_MIGRATIONS: Final = Migrations(verifier.centre_db.migrations)


def upgrade(database: CentreDatabase) -> None:
    """Bring the schema to the latest revision, in one transaction; an up-to-date one is left alone.

    Raises:
        CentreError: ``centre.database``, ``centre.database-newer``.
    """
    with _told():
        _MIGRATIONS.upgrade(database.engine)


def require_current(database: CentreDatabase) -> None:
    """Refuse to serve from any other schema than this version's.

    Raises:
        CentreError: ``centre.database``.
    """
    with _told():
        found = _MIGRATIONS.current(database.engine)
    wanted = _MIGRATIONS.latest()
    if found != wanted:
        raise CentreError(
            f"the centre's database is at revision {found}, expected {wanted}",
            code="centre.database",
            hint="run: membercard-verifier centre upgrade",
        )


def check_migrations() -> None:
    """Build a scratch SQLite database by the migrations alone and compare it with the tables in code.

    Raises:
        CentreError: they differ (``centre.migrations-differ``).
    """
    with _told():
        _MIGRATIONS.check()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except MigrationsDifferError as error:
        raise CentreError(str(error), code="centre.migrations-differ") from error
    except UnknownRevisionError as error:
        raise CentreError(
            "the centre's database is at a revision that this version does not know",
            code="centre.database-newer",
            hint="use the version of membercard that upgraded it, or a newer one",
        ) from error
    except DATABASE_FAILURES as error:
        raise database_error(error) from error
