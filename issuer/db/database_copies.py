"""A copy of the database as it stands at one moment, while others work with it, and a database made of a copy.

SQLite is copied with its own online backup, PostgreSQL by ``pg_dump``. Sessions and failed log-ins are in no copy:
a session that ended since would live again.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from issuer.db.base import DATABASE_FAILURES, Database, database_error
from issuer.errors import IssuerDataError, IssuerRefusedError, IssuerUnavailableError

__all__ = [
    "COPY_PREFIX",
    "FLEETING_TABLES",
    "PostgresTools",
    "copied_sqlite",
    "dump_postgresql",
    "find_postgres_tools",
    "require_sound_sqlite",
    "restore_postgresql",
]

COPY_PREFIX: Final = ".copy-for-backup-"
"""How the names of copies begin that lie in a home while a backup is made."""

FLEETING_TABLES: Final = ("sessions", "login_attempts")
"""Tables whose rows are in no copy."""

_BLOCK_BYTES: Final = 1 << 20
_MAX_COMPLAINT: Final = 300


@contextlib.contextmanager
def copied_sqlite(database: Database, home: Path) -> Iterator[Path]:
    """A copy of the SQLite file, as it is at this moment, in a file of its owner, as long as the block lasts.

    It is not sealed, and therefore in the home and never where the backup goes. One that a killed process left is taken
    away by the next that finds nobody else at it.

    Raises:
        IssuerUnavailableError: ``backup.unwritable``, ``database.unavailable``.
    """
    copy = home / f"{COPY_PREFIX}{secrets.token_hex(8)}"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_held_for_copying(home))
            stack.callback(_take_away, home, f"{copy.name}*")
            os.close(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            _copy_sqlite(database, copy)
        except OSError as error:
            raise IssuerUnavailableError(
                f"{copy} cannot be written: {error.strerror}", code="backup.unwritable"
            ) from error
        yield copy


@contextlib.contextmanager
def _held_for_copying(home: Path) -> Iterator[None]:
    """Holds a home together with all that copy it; whoever begins alone takes away what is left of killed ones."""
    descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _take_away(home, f"{COPY_PREFIX}*")
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _take_away(home: Path, names: str) -> None:
    """The copy, and what the database's own library may have left beside it."""
    for each in home.glob(names):
        each.unlink(missing_ok=True)


def _copy_sqlite(database: Database, target: Path) -> None:
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{_uri(database)}?mode=ro", uri=True)) as source,
            contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy,
        ):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
            copy.execute("PRAGMA secure_delete=ON")
            for table in FLEETING_TABLES:
                # The names are this module's own.
                copy.execute(f"DELETE FROM {table}")  # noqa: S608
            # What was deleted long ago, and what was just deleted, is not in the copy's free pages.
            copy.execute("VACUUM")
    except sqlite3.Error as error:
        raise IssuerUnavailableError(
            f"the database cannot be copied: {type(error).__name__}", code="database.unavailable"
        ) from error


def require_sound_sqlite(path: Path) -> None:
    """Let pass a file that is a whole SQLite database.

    Raises:
        IssuerDataError: ``backup.damaged``.
    """
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as opened:
            (verdict,) = opened.execute("PRAGMA integrity_check(1)").fetchone()
            broken = opened.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        raise IssuerDataError(
            "the database in the backup is none", code="backup.damaged"
        ) from error
    if verdict != "ok" or broken is not None:
        raise IssuerDataError("the database in the backup is not sound", code="backup.damaged")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresTools:
    """PostgreSQL's own programs for copies; a password goes to them in a file, in no argument and no variable."""

    dump: str
    restore: str


def find_postgres_tools(*, path: str | None = None) -> PostgresTools:
    """The programs ``pg_dump`` and ``pg_restore``; ``path`` stands for the variable PATH.

    Raises:
        IssuerUnavailableError: one of them is not installed (``backup.tool-missing``).
    """
    found = {name: shutil.which(name, path=path) for name in ("pg_dump", "pg_restore")}
    missing = sorted(name for name, where in found.items() if where is None)
    if missing:
        raise IssuerUnavailableError(
            f"{' and '.join(missing)} cannot be found, and PostgreSQL is copied by nothing else",
            code="backup.tool-missing",
            hint="install PostgreSQL's client programs of the server's version, or newer ones",
        )
    return PostgresTools(dump=str(found["pg_dump"]), restore=str(found["pg_restore"]))


def dump_postgresql(database: Database, tools: PostgresTools) -> Iterator[bytes]:
    """The database's schema with its rows in the form of ``pg_restore``, block by block.

    Raises:
        IssuerUnavailableError: ``backup.tool-failed``, ``database.unavailable``.
    """
    schema = _schema_of(database)
    words = [
        tools.dump, "--format=custom", "--no-owner", "--no-privileges", "--no-password",
        "--lock-wait-timeout=60s", f"--schema={_pattern(schema)}",
        *(f"--exclude-table-data={_pattern(schema)}.{table}" for table in FLEETING_TABLES),
    ]  # fmt: skip
    with (
        _connection_words(database) as (address, environment),
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(  # noqa: S603 - the program was found by name, and no word is a shell's
            [*words, *address],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment,
        ) as process,
    ):
        if process.stdout is None:
            raise TypeError("the process has no output")
        while block := process.stdout.read(_BLOCK_BYTES):
            yield block
        status = process.wait()
        complaints.seek(0)
        _require_success("pg_dump", status, complaints.read(_MAX_COMPLAINT))


def _require_empty(database: Database) -> None:
    """Let pass a database that has no table.

    Raises:
        IssuerRefusedError: ``backup.database-not-empty``.
        IssuerUnavailableError: ``database.unavailable``.
    """
    schema = _schema_of(database)
    try:
        tables = sa.inspect(database.engine).get_table_names(schema=schema)
    except DATABASE_FAILURES as error:
        raise database_error(error) from error
    if tables:
        raise IssuerRefusedError(
            f"the database has {len(tables)} tables, expected none",
            code="backup.database-not-empty",
            hint="make a new database: a register is restored beside a living one, never over it",
        )


def restore_postgresql(database: Database, tools: PostgresTools, dump: Path) -> None:
    """Bring a dump into an empty database, in one transaction.

    Raises:
        IssuerRefusedError: ``backup.database-not-empty``.
        IssuerUnavailableError: ``backup.tool-failed``; the database is as empty as it was.
    """
    _require_empty(database)
    words = [
        tools.restore, "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-password",
        f"--schema={_schema_of(database)}",
    ]  # fmt: skip
    with _connection_words(database) as (address, environment):
        done = subprocess.run(  # noqa: S603 - as above
            [*words, *address, str(dump)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
        )
    _require_success("pg_restore", done.returncode, done.stderr[:_MAX_COMPLAINT])


def _schema_of(database: Database) -> str:
    try:
        with database.engine.connect() as connection:
            return str(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
    except DATABASE_FAILURES as error:
        raise database_error(error) from error


@contextlib.contextmanager
def _connection_words(database: Database) -> Iterator[tuple[Sequence[str], dict[str, str]]]:
    """Arguments and environment that lead to the database; its password lies in a file that ends with the block."""
    url = database.url.set(drivername="postgresql")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    with tempfile.TemporaryDirectory(prefix="membercard-") as directory:
        if url.password is not None:
            passwords = Path(directory) / "passwords"
            passwords.touch(mode=0o600)
            secret = str(url.password).replace("\\", "\\\\").replace(":", "\\:")
            passwords.write_text(f"*:*:*:*:{secret}\n", encoding="utf-8")
            environment["PGPASSFILE"] = str(passwords)
        plain = url.set(password=None).render_as_string(hide_password=False)
        yield (f"--dbname={plain}",), environment


def _pattern(name: str) -> str:
    """A name as these programs' patterns have it: as it is, whatever characters it has."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _require_success(program: str, status: int, complaint: bytes) -> None:
    if status:
        first = complaint.decode(errors="replace").strip().partition("\n")[0]
        raise IssuerUnavailableError(
            f"{program} ended with status {status}: {first}", code="backup.tool-failed"
        )


def _uri(database: Database) -> str:
    return Path(str(database.url.database)).absolute().as_uri()
