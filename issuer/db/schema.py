"""The database's schema: bring it up to date, say how far it is, compare migrations with the tables in code."""

import contextlib
from collections.abc import Iterator
from typing import Final

import issuer.db.migrations
from issuer.db.base import DATABASE_FAILURES, Database, database_error
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from pki.sql.migrations import Migrations, MigrationsDifferError, UnknownRevisionError

__all__ = ["check_migrations", "current_revision", "latest_revision", "upgrade"]

_MIGRATIONS: Final = Migrations(issuer.db.migrations)


def upgrade(database: Database, *, to: str = "head") -> None:
    """Bring the schema to a revision, the latest as a rule, in one transaction; an up-to-date one is left alone.

    Raises:
        IssuerUnavailableError: the database does not answer, or comes from a newer version of the product
            (``database.newer``).
        IssuerRefusedError: a table holds rows that cannot be carried over (``database.not-convertible``).
    """
    with _told():
        _MIGRATIONS.upgrade(database.engine, to=to)


def current_revision(database: Database) -> str | None:
    """The revision that the database is at; ``None`` before the first upgrade.

    Raises:
        IssuerUnavailableError: the database does not answer.
    """
    with _told():
        return _MIGRATIONS.current(database.engine)


def latest_revision() -> str | None:
    """The revision that this version of the product works with."""
    return _MIGRATIONS.latest()


def check_migrations() -> None:
    """Build a scratch SQLite database by the migrations alone and compare it with the tables in code.

    Raises:
        IssuerRefusedError: they differ (``database.migrations-differ``).
    """
    with _told():
        _MIGRATIONS.check()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except MigrationsDifferError as error:
        raise IssuerRefusedError(str(error), code="database.migrations-differ") from error
    except UnknownRevisionError as error:
        raise IssuerUnavailableError(
            "the database is at a revision that this version of membercard does not know",
            code="database.newer",
            hint="use the version of membercard that upgraded it, or a newer one",
        ) from error
    except DATABASE_FAILURES as error:
        raise database_error(error) from error
