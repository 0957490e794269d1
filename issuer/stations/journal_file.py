"""The file of the station's journal: its lock, its connection, its tables, and what its failures mean."""

import contextlib
import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from issuer.domain.production_events import StationName
from issuer.errors import ConflictError, IssuerRefusedError, IssuerUnavailableError
from issuer.stations.journal_schema import SCHEMA, SCHEMA_VERSION

__all__ = ["connect_journal", "lock_journal", "prepare_journal", "translated"]

_LOCK_SECONDS: Final = 10.0
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
"""What SQLite says where there is no room: for a page, or for the index of its log when the file is opened."""


def lock_journal(path: Path) -> int:
    """The journal's lock, which ends with the process."""
    try:
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be made: {error.strerror}", code="station.journal-unavailable"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise IssuerRefusedError(
            f"another process works with {path}", code="station.journal-in-use"
        ) from error
    return descriptor


def connect_journal(path: Path) -> sqlite3.Connection:
    """Open the file, for its owner only; transactions are begun by hand."""
    # Made by us, so that nobody else can read it for a moment.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    return sqlite3.connect(
        path, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False
    )


def prepare_journal(connection: sqlite3.Connection, station: StationName) -> None:
    """Write through, overwrite what is deleted; make the tables where there are none.

    Raises:
        IssuerRefusedError: ``station.other-journal``.
        IssuerUnavailableError: ``station.journal-unavailable``.
    """
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=ON",
        "trusted_schema=OFF",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        _create(connection, station)
    elif version != SCHEMA_VERSION:
        raise IssuerUnavailableError(
            f"the station's journal has version {version}, expected {SCHEMA_VERSION}",
            code="station.journal-unavailable",
        )
    owner = connection.execute("SELECT value FROM facts WHERE name = 'station'").fetchone()
    if owner is None or owner[0] != station:
        raise IssuerRefusedError(
            f"the journal is of station {'none' if owner is None else owner[0]}, expected {station}",
            code="station.other-journal",
        )


def _create(connection: sqlite3.Connection, station: StationName) -> None:
    """All tables with their owner, or nothing: a journal that was begun by half would be nobody's."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in SCHEMA:
            connection.execute(statement)
        connection.execute("INSERT INTO facts (name, value) VALUES ('station', ?)", (station,))
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Say what a failure of SQLite or of the disk means.

    Raises:
        ConflictError: ``station.journal-conflict``.
        IssuerUnavailableError: ``station.journal-full``, ``station.journal-unavailable``.
    """
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise ConflictError(
            "the station's journal refused what was to be written: a rule of it is broken",
            code="station.journal-conflict",
        ) from error
    except (sqlite3.Error, OSError) as error:
        is_full = getattr(error, "sqlite_errorcode", None) in _FULL or (
            isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        )
        raise IssuerUnavailableError(
            "the disk of the station's journal is full"
            if is_full
            else f"the station's journal cannot be used: {type(error).__name__}",
            code="station.journal-full" if is_full else "station.journal-unavailable",
            hint="make room on the disk, then start the station again" if is_full else None,
        ) from error
