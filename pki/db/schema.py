"""The database's schema: bring it up to date, say how far it is, compare migrations with the tables in code."""

import io
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

import pki.db.migrations
from pki.db.base import DATABASE_FAILURES, Database, database_error
from pki.errors import PkiRefusedError, RecordError

__all__ = ["check_migrations", "current_revision", "latest_revision", "upgrade"]


def upgrade(database: Database) -> None:
    """Bring the schema to the latest revision, in one transaction; an up-to-date one is left alone.

    Raises:
        RecordError: the database does not answer, or comes from a newer version of the product
            (``database.newer``).
    """
    _with_connection(database, "upgrade")


def current_revision(database: Database) -> str | None:
    """The revision that the database is at; ``None`` before the first upgrade.

    Raises:
        RecordError: the database does not answer.
    """
    try:
        with database.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except DATABASE_FAILURES as error:
        raise database_error(error) from error


def latest_revision() -> str | None:
    """The revision that this version of the product works with."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def check_migrations() -> None:
    """Build a scratch SQLite database by the migrations alone and compare it with the tables in code.

    Raises:
        PkiRefusedError: they differ (``database.migrations-differ``).
    """
    with tempfile.TemporaryDirectory(prefix="membercard-") as directory:
        database = Database(f"sqlite:///{Path(directory) / 'scratch.sqlite'}")
        try:
            upgrade(database)
            _with_connection(database, "check")
        finally:
            database.close()


def _with_connection(database: Database, work: str) -> None:
    config = _config()
    try:
        with database.engine.begin() as connection:
            config.attributes["connection"] = connection
            if work == "upgrade":
                command.upgrade(config, "head")
            else:
                command.check(config)
    except CommandError as error:
        if work == "check":
            raise PkiRefusedError(
                f"the migrations do not make the tables in code: {error}",
                code="database.migrations-differ",
            ) from error
        raise RecordError(
            "the database is at a revision that this version of membercard does not know",
            code="database.newer",
            hint="use the version of membercard that upgraded it, or a newer one",
        ) from error
    except DATABASE_FAILURES as error:
        raise database_error(error) from error


def _config() -> Config:
    # What alembic says to people is said by our own commands.
    config = Config(stdout=io.StringIO())
    # A percent sign would be an interpolation in the configuration's own syntax.
    directory = str(Path(pki.db.migrations.__file__).parent).replace("%", "%%")
    config.set_main_option("script_location", directory)
    config.set_main_option("path_separator", "os")
    return config
