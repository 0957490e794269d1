"""Bringing a database's schema up to date with Alembic, and comparing migrations with the tables in code.

Alembic is loaded only when there is something to do: a terminal that is up to date starts in two seconds.
"""

import contextlib
import io
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from pki.sql.engine import is_missing_table, open_engine

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["Migrations", "MigrationsDifferError", "UnknownRevisionError"]


class MigrationsDifferError(Exception):
    """The migrations do not make the tables in code."""


class UnknownRevisionError(Exception):
    """The database is at a revision that these migrations do not lead to."""


class Migrations:
    """The migrations of one database, which lie in a package of their own."""

    def __init__(self, package: ModuleType) -> None:
        if package.__file__ is None:
            raise ValueError(f"got {package.__name__}, expected a package with its own folder")
        self._folder = Path(package.__file__).parent

    def upgrade(self, engine: Engine, *, to: str = "head") -> None:
        """Bring the schema to a revision, the latest as a rule, in one transaction; one that is there is left alone.

        Raises:
            UnknownRevisionError: the database comes from a newer version of the product.
            DBAPIError: the database does not answer.
        """
        from alembic import command  # noqa: PLC0415 - see above
        from alembic.util import CommandError  # noqa: PLC0415 - the same

        try:
            self._work(engine, lambda config: command.upgrade(config, to))
        except CommandError as error:
            raise UnknownRevisionError(str(error)) from error

    def current(self, engine: Engine) -> str | None:
        """The revision that a database is at; ``None`` before the first upgrade.

        Raises:
            DBAPIError: the database does not answer.
        """
        try:
            with engine.connect() as connection:
                found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        except DBAPIError as error:
            if is_missing_table(error):
                return None
            raise
        return None if found is None else str(found)

    def latest(self) -> str | None:
        """The revision that this version of the product works with."""
        from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

        return ScriptDirectory.from_config(self._config()).get_current_head()

    def check(self) -> None:
        """Build a scratch database of SQLite by the migrations alone and compare it with the tables in code.

        Raises:
            MigrationsDifferError: they differ.
        """
        from alembic import command  # noqa: PLC0415 - see above
        from alembic.util import CommandError  # noqa: PLC0415 - the same

        with tempfile.TemporaryDirectory(prefix="membercard-") as folder:
            file = Path(folder) / "scratch.sqlite"
            engine = open_engine(URL.create("sqlite", database=str(file)))
            try:
                self.upgrade(engine)
                self._work(engine, command.check)
            except CommandError as error:
                raise MigrationsDifferError(
                    f"the migrations do not make the tables in code: {error}"
                ) from error
            finally:
                engine.dispose()

    def _work(self, engine: Engine, work: "Callable[[Config], None]") -> None:
        config = self._config()
        with engine.connect() as connection, _tables_may_be_made_anew(connection):
            config.attributes["connection"] = connection
            work(config)

    def _config(self) -> "Config":
        from alembic.config import Config  # noqa: PLC0415 - see above

        # What alembic says to people is said by our own commands.
        config = Config(stdout=io.StringIO())
        # A percent sign would be an interpolation in the configuration's own syntax.
        config.set_main_option("script_location", str(self._folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        return config


@contextlib.contextmanager
def _tables_may_be_made_anew(connection: sa.Connection) -> Iterator[None]:
    """One transaction, in which tables of SQLite can be replaced though rows elsewhere refer to theirs.

    SQLite changes a column or a constraint by copying a table, dropping it and naming the copy as it was called. With
    references checked the drop is refused. They are not checked meanwhile, and all of them are before the commit, as
    SQLite's own description has it (ALTER TABLE, 7).

    Raises:
        DBAPIError: a row refers to what is not there; nothing was changed.
    """
    if connection.dialect.name != "sqlite":
        with connection.begin():
            yield
        return
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError(f"got a connection of {type(driver).__name__}, expected sqlite3")
    # Within a transaction the pragma would do nothing.
    driver.execute("PRAGMA foreign_keys=OFF").close()
    try:
        with connection.begin():
            before = _revision(connection)
            yield
            if _revision(connection) != before:
                _check_references(connection)
    finally:
        driver.execute("PRAGMA foreign_keys=ON").close()


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def _check_references(connection: sa.Connection) -> None:
    statement = "PRAGMA foreign_key_check"
    broken = connection.exec_driver_sql(statement).first()
    if broken is not None:
        raise IntegrityError(
            statement,
            None,
            sqlite3.IntegrityError(f"FOREIGN KEY constraint failed: a row of {broken[0]}"),
        )
