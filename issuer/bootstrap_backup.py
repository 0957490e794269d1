"""Backups of a register: one sealed file with database, portraits, evidence, documents and settings, and back.

Not in it, ever: keys and PINs (the keystore has its own copy), sessions, and the marks of what was given out, which
stand outside the database so that a restored one gives out nothing twice. The database is copied first: every file
that it names was on disk before it named it.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from issuer.backup.archive import ArchivedFile, ArchiveSummary, read_archive, write_archive
from issuer.backup.manifest import BackupManifest, DatabaseKind
from issuer.bootstrap import RegisterHome, open_register_home
from issuer.db.audit import SqlAuditTrail
from issuer.db.base import Database
from issuer.db.database_copies import (
    COPY_PREFIX,
    copied_sqlite,
    dump_postgresql,
    find_postgres_tools,
    require_sound_sqlite,
    restore_postgresql,
)
from issuer.db.register import SqlRegister
from issuer.db.schema import current_revision, latest_revision
from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_chain import ChainHead
from issuer.domain.number_blocks import REGISTER_ID_BYTES
from issuer.domain.rights import AccountName
from issuer.errors import IssuerDataError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.number_ports import NumberState
from issuer.settings import SETTINGS_FILE, portable_settings, remember
from issuer.storage.durable import sync_directory
from pki.backup.sealed_stream import DEFAULT_COST

__all__ = [
    "BackupReport",
    "RestoreReport",
    "RestoreStep",
    "create_backup",
    "restore_backup",
    "verify_backup",
]

_SYSTEM: Final = AccountName("system")
_DATABASE: Final = {
    DatabaseKind.SQLITE: "database/issuer.sqlite",
    DatabaseKind.POSTGRESQL: "database/issuer.dump",
}
_FOLDERS: Final = ("portraits", "evidence", "documents", "uploads", "trust-points", "exchange")
_HOME_DATABASE: Final = "issuer.sqlite"
_OWN_PLACES: Final = (
    "database_url", "portraits_directory", "evidence_directory", "documents_directory", "number_mark_directory",
)  # fmt: skip
"""Settings that lead to what belongs to the living home: a restored one has everything in itself."""


class RestoreStep(StrEnum):
    """What people must do with a restored home; docs/backup.md says how, under these words."""

    KEYSTORE = "keystore"
    UPGRADE = "upgrade"
    NUMBERS = "numbers"
    DELETIONS = "deletions"
    CARDS = "cards"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """What was written; ``left_out`` are the home's entries that no backup of ours holds, by name."""

    summary: ArchiveSummary
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """What was made of a backup, and what people must do now."""

    summary: ArchiveSummary
    steps: tuple[RestoreStep, ...]


def create_backup(
    home: Path, path: Path, *, passphrase: str, cost: int = DEFAULT_COST
) -> BackupReport:
    """Write a backup of a living home.

    Raises:
        IssuerRefusedError: ``backup.exists``; ``backup.inside-home``.
        IssuerUnavailableError: home or database are not to be had; ``backup.unwritable``, ``backup.unreadable``,
            ``backup.tool-missing``, ``backup.tool-failed``.
    """
    if path.absolute().is_relative_to(home.absolute()):
        raise IssuerRefusedError(
            f"{path} is within the home that it is a backup of",
            code="backup.inside-home",
            hint="write it to another disk",
        )
    with open_register_home(home) as opened, contextlib.ExitStack() as stack:
        tools = None if opened.database.is_sqlite else find_postgres_tools()
        # The backup tells of itself: whoever restores it finds that it was made.
        head = _record(opened.database, "backup.created", {})
        manifest = BackupManifest(
            created=datetime.now(UTC).replace(microsecond=0),
            database=DatabaseKind.POSTGRESQL if tools else DatabaseKind.SQLITE,
            revision=current_revision(opened.database) or "",
            trail_id=head.trail_id,
            sequence=head.sequence,
            digest=head.digest,
        )
        name = _DATABASE[manifest.database]
        if tools is None:
            copy = stack.enter_context(copied_sqlite(opened.database, opened.home))
            database = ArchivedFile.of_file(name, copy)
        else:
            found = tools
            database = ArchivedFile(
                name=name, blocks=lambda: dump_postgresql(opened.database, found)
            )

        def members() -> Iterator[ArchivedFile]:
            yield database
            yield from _files_of(opened)

        summary = write_archive(
            path, manifest, members(), passphrase=passphrase.encode(), cost=cost
        )
        return BackupReport(summary=summary, left_out=_left_out(opened))


def verify_backup(path: Path, *, passphrase: str) -> ArchiveSummary:
    """Check every byte of a backup.

    Raises:
        IssuerError, PkiError: as ``read_archive``.
    """
    return read_archive(path, passphrase=passphrase.encode())


def restore_backup(
    path: Path, home: Path, *, passphrase: str, database_url: str | None = None
) -> RestoreReport:
    """Make a home from a backup, whole or not at all, that gives nothing out twice.

    Args:
        path: the backup.
        home: where the home will be: nothing, or an empty directory.
        passphrase: the backup's.
        database_url: an empty database, for a backup of a PostgreSQL one.

    Raises:
        IssuerRefusedError: ``backup.target-not-empty``, ``backup.database-not-empty``, ``backup.other-database``.
        IssuerDataError, PkiDataError: ``backup.malformed``, ``backup.damaged``.
        PkiRefusedError: ``backup.passphrase-wrong``.
        IssuerUnavailableError: ``backup.unreadable``, ``backup.target-unusable``, ``backup.tool-missing``,
            ``backup.tool-failed``.
    """
    home = home.absolute()
    _require_nothing_there(home)
    unfinished = home.with_name(f".{home.name}.restoring")
    try:
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700, parents=True)
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, unfinished, ignore_errors=True)
            summary = read_archive(path, passphrase=passphrase.encode(), into=unfinished)
            steps = _settle(unfinished, summary, database_url=database_url)
            unfinished.replace(home)
            stack.pop_all()
        sync_directory(home.parent)
    except OSError as error:
        raise IssuerUnavailableError(
            f"home {home} cannot be made: {error.strerror}", code="backup.target-unusable"
        ) from error
    return RestoreReport(summary=summary, steps=steps)


def _settle(
    home: Path, summary: ArchiveSummary, *, database_url: str | None
) -> tuple[RestoreStep, ...]:
    """Turn what was extracted into a home that may be used; PostgreSQL is filled last, in one transaction."""
    kind = summary.manifest.database
    if (kind is DatabaseKind.POSTGRESQL) != (database_url is not None):
        raise IssuerRefusedError(
            f"the backup is of a database of {kind}, which comes back into one of its kind only",
            code="backup.other-database",
            hint="--database-file FILE names an empty PostgreSQL database; without it SQLite is meant",
        )
    unknown = {each.name for each in home.iterdir()} - {"database", SETTINGS_FILE, *_FOLDERS}
    copy = home / _DATABASE[kind]
    if unknown or not copy.is_file():
        raise IssuerDataError(
            f"the backup holds {sorted(unknown) or 'no database'}, expected what this version puts into one",
            code="backup.malformed",
        )
    if kind is DatabaseKind.SQLITE:
        require_sound_sqlite(copy)
        copy.rename(home / _HOME_DATABASE)
        # Whatever the environment says belongs to another home.
        database = Database(f"sqlite:///{home / _HOME_DATABASE}")
    else:
        database = Database(database_url or "")
        if database.is_sqlite:
            raise IssuerRefusedError(
                "the backup is of a PostgreSQL database, got the URL of an SQLite file",
                code="backup.other-database",
            )
        remember(home, {"database_url": database_url})
    try:
        if kind is DatabaseKind.POSTGRESQL:
            restore_postgresql(database, find_postgres_tools(), copy)
        shutil.rmtree(home / "database")
        _record(
            database,
            "backup.restored",
            {
                "backup": summary.digest.hex(),
                "created": summary.manifest.created.isoformat(),
                "sequence": summary.manifest.sequence,
            },
        )
        _expect_marks(database)
        # What the write-ahead log of SQLite holds goes into the file that is moved with the home.
        database.forget_old_versions()
        return _steps(database)
    finally:
        database.close()


def _require_nothing_there(home: Path) -> None:
    if home.is_symlink() or (home.exists() and not (home.is_dir() and not any(home.iterdir()))):
        raise IssuerRefusedError(
            f"{home} is there and not an empty directory: a home is restored beside a living one, never over it",
            code="backup.target-not-empty",
            hint="give a new directory",
        )


def _files_of(opened: RegisterHome) -> Iterator[ArchivedFile]:
    settings = portable_settings(opened.home, without=_OWN_PLACES)
    if settings is not None:
        yield ArchivedFile.of_bytes(SETTINGS_FILE, settings)
    for name, folder in _folders_of(opened).items():
        for path in _files_below(folder):
            yield ArchivedFile.of_file(f"{name}/{path.relative_to(folder).as_posix()}", path)


def _folders_of(opened: RegisterHome) -> dict[str, Path]:
    settings, home = opened.settings, opened.home
    places = {
        "portraits": settings.portraits_in(home),
        "evidence": settings.evidence_in(home),
        "documents": settings.documents_in(home),
    }
    return {name: places.get(name, home / name) for name in _FOLDERS}


def _files_below(folder: Path) -> Iterator[Path]:
    """Every regular file below a folder, a folder at a time; unfinished ones (their names begin with a dot) are none."""
    if not folder.is_dir():
        return
    for directory, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(directory) / name
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


def _left_out(opened: RegisterHome) -> tuple[str, ...]:
    inside = {
        SETTINGS_FILE,
        *_FOLDERS,
        _HOME_DATABASE,
        f"{_HOME_DATABASE}-wal",
        f"{_HOME_DATABASE}-shm",
        f"{_HOME_DATABASE}.turn-lock",
    }
    return tuple(
        sorted(
            each.name
            for each in opened.home.iterdir()
            # Copies that are made just now, by this backup and perhaps by another one.
            if each.name not in inside and not each.name.startswith(COPY_PREFIX)
        )
    )


def _expect_marks(database: Database) -> None:
    """Have the register give no number out before the marks are back, even if it knew of no block yet."""
    with SqlRegister(database).writing() as transaction:
        if transaction.numbers.lock() is None:
            transaction.numbers.store_state(
                NumberState(register_id=secrets.token_bytes(REGISTER_ID_BYTES), allotments=0)
            )


def _steps(database: Database) -> tuple[RestoreStep, ...]:
    steps = [RestoreStep.KEYSTORE]
    if current_revision(database) != latest_revision():
        steps.append(RestoreStep.UPGRADE)
    return (
        *steps,
        RestoreStep.NUMBERS,
        RestoreStep.DELETIONS,
        RestoreStep.CARDS,
        RestoreStep.AUDIT,
    )


def _record(database: Database, action: str, details: dict[str, str | int | None]) -> ChainHead:
    with database.writing() as session:
        SqlAuditTrail(session).append(
            AuditRecord(
                at=datetime.now(UTC),
                account=_SYSTEM,
                action=action,
                subject=AuditSubject.SERVICE,
                subject_id="backup",
                details=details,
            )
        )
    with database.reading() as session:
        return SqlAuditTrail(session, is_writing=False).head()
