"""The schema of a terminal's database: brought up to date when it is opened; migrations compared with the tables.

A database that is up to date is found to be so without loading the migrations: a terminal starts in two seconds.
"""

import io
import tempfile
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

import verifier.db.migrations
from verifier.db.base import Database, DatabaseError, database_error

__all__ = ["LATEST_REVISION", "check_migrations", "current_revision", "upgrade"]

LATEST_REVISION: Final = "0001_journal"


def upgrade(database: Database) -> None:
    """Bring the schema to the latest revision, in one transaction; an up-to-date one is left alone.

    Raises:
        DatabaseError: the database does not answer, or comes from a newer version (``journal.newer-version``).
    """
    if current_revision(database) != LATEST_REVISION:
        _with_connection(database, "upgrade")


def current_revision(database: Database) -> str | None:
    """The revision that the database is at; ``None`` before the first upgrade.

    Raises:
        DatabaseError: the database does not answer.
    """
    try:
        with database.engine.connect() as connection:
            found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            return None if found is None else str(found)
    except OperationalError as error:
        if "no such table" in str(error.orig):
            return None
        raise database_error(error) from error
    except DBAPIError as error:
        raise database_error(error) from error


def check_migrations() -> None:
    """Build a scratch database by the migrations alone and compare it with the tables in code.

    Raises:
        DatabaseError: they differ (``journal.migrations-differ``).
    """
    with tempfile.TemporaryDirectory(prefix="membercard-") as directory:
        database = Database(Path(directory) / "scratch.sqlite")
        try:
            upgrade(database)
            _with_connection(database, "check")
        finally:
            database.close()


def _with_connection(database: Database, work: str) -> None:
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - the same
    from alembic.util import CommandError  # noqa: PLC0415 - the same

    # What alembic says to people is said by our own commands.
    config = Config(stdout=io.StringIO())
    directory = str(Path(verifier.db.migrations.__file__).parent).replace("%", "%%")
    config.set_main_option("script_location", directory)
    config.set_main_option("path_separator", "os")
    try:
        with database.engine.begin() as connection:
            config.attributes["connection"] = connection
            if work == "upgrade":
                command.upgrade(config, "head")
            else:
                command.check(config)
    except CommandError as error:
        if work == "check":
            raise DatabaseError(
                f"the migrations do not make the tables in code: {error}",
                code="journal.migrations-differ",
            ) from error
        raise DatabaseError(
            "the terminal's database is at a revision that this version of membercard does not know",
            code="journal.newer-version",
            hint="use the version of membercard that wrote it, or a newer one",
        ) from error
    except DBAPIError as error:
        raise database_error(error) from error
