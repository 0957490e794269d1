"""The schema of the centre's database: brought up to date by a command, never by serving; compared with the tables."""

import io
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

import verifier.centre_db.migrations
from verifier.centre.errors import CentreError
from verifier.centre_db.base import DATABASE_FAILURES, CentreDatabase, database_error

__all__ = ["check_migrations", "require_current", "upgrade"]


def upgrade(database: CentreDatabase) -> None:
    """Bring the schema to the latest revision, in one transaction; an up-to-date one is left alone.

    Raises:
        CentreError: ``centre.database``, ``centre.database-newer``.
    """
    _with_connection(database, "upgrade")


def require_current(database: CentreDatabase) -> None:
    """Refuse to serve from any other schema than this version's.

    Raises:
        CentreError: ``centre.database``.
    """
    try:
        with database.engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    except DATABASE_FAILURES as error:
        raise database_error(error) from error
    wanted = ScriptDirectory.from_config(_config()).get_current_head()
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
    with tempfile.TemporaryDirectory(prefix="membercard-") as directory:
        database = CentreDatabase(f"sqlite:///{Path(directory) / 'scratch.sqlite'}")
        try:
            upgrade(database)
            _with_connection(database, "check")
        finally:
            database.close()


def _with_connection(database: CentreDatabase, work: str) -> None:
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
            raise CentreError(
                f"the migrations do not make the tables in code: {error}",
                code="centre.migrations-differ",
            ) from error
        raise CentreError(
            "the centre's database is at a revision that this version does not know",
            code="centre.database-newer",
            hint="use the version of membercard that upgraded it, or a newer one",
        ) from error
    except DATABASE_FAILURES as error:
        raise database_error(error) from error


def _config() -> Config:
    # What alembic says to people is said by our own commands.
    config = Config(stdout=io.StringIO())
    directory = str(Path(verifier.centre_db.migrations.__file__).parent).replace("%", "%%")
    config.set_main_option("script_location", directory)
    config.set_main_option("path_separator", "os")
    return config
