"""The composition root of backup and restore: token, journal, log and database of a home, in one file and back."""

import secrets
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pki.backup.archive import Source, describe_source, extract_archive, read_archive, write_archive
from pki.backup.manifest import REQUESTS_PATH, Manifest
from pki.backup.members import collect_sources, root_keystore_in_backup
from pki.bootstrap_service import (
    open_service_database,
    rebuild_projection,
    require_current_schema,
)
from pki.certificates.profile import ProfileKind
from pki.db.request_copy import export_requests, import_requests
from pki.db.schema import upgrade
from pki.durable import sync_directory
from pki.errors import PkiDataError, RecordError
from pki.home import Home, HomeSettings
from pki.record.journal import JournalHead
from pki.record.transparency_note import NoteKey
from pki.record.transparency_store import TiledLog
from pki.record.transparency_tree import tree_root
from pki.services.log_keeper import check_checkpoint, log_key_of, read_checkpoint
from pki.services.log_reading import verify_log
from pki.services.open_record import open_record
from pki.services.recorder import Recorder
from pki.services.restore_state import EPOCH_BYTES, list_number_floor, next_origin
from pki.services.state import EntryKind, PkiState

__all__ = ["BackupReport", "RestoreReport", "create_backup", "restore_backup", "verify_backup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """What is in a backup; ``digest`` is the file's SHA-256."""

    manifest: Manifest
    digest: bytes

    @property
    def has_database(self) -> bool:
        """Whether requests and decisions are in it."""
        return any(member.path == REQUESTS_PATH for member in self.manifest.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """What a restored home goes on with; ``origin`` is ``None`` where the log has no key yet.

    ``retired`` signers sign no card any more; names of new ones end with ``suffix``.
    """

    manifest: Manifest
    head: JournalHead
    epoch: str
    origin: str | None
    retired: tuple[str, ...]
    list_number: int
    requests: int | None


def create_backup(
    home: Home,
    path: Path,
    *,
    passphrase: str,
    url: str | None = None,
    url_file: Path | None = None,
) -> BackupReport:
    """Copy a home and its database into one sealed file; nobody else works in the home meanwhile.

    Raises:
        RecordError: ``home.missing``, ``record.locked``, ``record.damaged``, ``log.damaged`` and the like: what is
            damaged is not backed up; ``backup.inside-home``, ``backup.exists``, ``backup.unwritable``,
            ``backup.unreadable``, ``backup.unsuitable``, ``backup.changed``; the database does not answer.
        PkiRefusedError: ``database.url``.
    """
    if path.absolute().parent.resolve().is_relative_to(home.directory.resolve()):
        raise RecordError(
            f"backup {path} would lie in the home that it is of", code="backup.inside-home"
        )
    home.settings()
    with open_record(home) as journal:
        # From its first line to its end, whatever a snapshot says: what is damaged is not backed up.
        verify_log(home, kept=(), key=None, cosigners=())
        sources = collect_sources(home)
        requests = _copy_of_requests(home, url=url, url_file=url_file)
        if requests is not None:
            sources.append(Source(path=REQUESTS_PATH, mode=0o600, origin=requests))
        manifest = Manifest(
            created=datetime.now(UTC).replace(microsecond=0),
            head=journal.head,
            leaves=journal.log.size,
            root=tree_root(journal.log, journal.log.size),
            root_keystore=root_keystore_in_backup(home),
            members=tuple(describe_source(source) for source in sources),
        )
        digest = write_archive(path, manifest, sources, passphrase=passphrase.encode())
    return BackupReport(manifest=manifest, digest=digest)


def verify_backup(path: Path, *, passphrase: str) -> BackupReport:
    """Check every byte of a backup.

    Raises:
        PkiDataError: ``backup.malformed``, ``backup.damaged``.
        PkiRefusedError: ``backup.passphrase-wrong``.
        RecordError: ``backup.unreadable``.
    """
    manifest, digest = read_archive(path, passphrase=passphrase.encode())
    return BackupReport(manifest=manifest, digest=digest)


def restore_backup(
    path: Path,
    directory: Path,
    *,
    passphrase: str,
    pin_file: Path | None = None,
    kept: Sequence[bytes] = (),
    key: NoteKey | None = None,
    url: str | None = None,
    url_file: Path | None = None,
    with_database: bool = True,
) -> RestoreReport:
    """Make a home from a backup, whole or not at all, which gives nothing out twice.

    Args:
        path: the backup.
        directory: where the home will be: nothing, or an empty directory.
        passphrase: the backup's.
        pin_file: where the keystore's PIN is from now on; ``None`` for where it was.
        kept: checkpoints that were kept elsewhere; the backup must fit those that are not newer than itself.
        key: the log's key, kept elsewhere; ``None`` takes the one in the backup's journal.
        url: the database; ``None`` for an SQLite file in the home.
        url_file: a file with that URL.
        with_database: false where the database itself survived.

    Raises:
        PkiDataError: ``backup.malformed``, ``backup.damaged``.
        PkiRefusedError: ``backup.passphrase-wrong``, ``backup.from-the-future``; ``log.inconsistent``,
            ``log.signature-wrong``, ``log.other-origin``: the backup is not of the log of the checkpoint.
        RecordError: ``backup.target-not-empty``, ``backup.target-unusable``, ``backup.unreadable``,
            ``backup.database-not-empty``; journal or log in the backup are damaged; the database fails.
    """
    directory = directory.absolute()
    _check_target(directory)
    # Every byte is checked before anything is written.
    _, digest = read_archive(path, passphrase=passphrase.encode())
    unfinished = directory.with_name(f".{directory.name}.restoring")
    try:
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700, parents=True)
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, unfinished, ignore_errors=True)
            manifest = extract_archive(path, unfinished, passphrase=passphrase.encode())
            report = _finish(
                Home(unfinished),
                manifest,
                directory=directory,
                digest=digest,
                pin_file=pin_file,
                kept=kept,
                key=key,
            )
            if with_database:
                restored = _restore_requests(Home(unfinished), url=url, url_file=url_file)
                report = replace(report, requests=restored)
            shutil.rmtree(unfinished / Path(REQUESTS_PATH).parent, ignore_errors=True)
            unfinished.replace(directory)
            sync_directory(directory.parent)
            stack.pop_all()
    except OSError as error:
        raise RecordError(
            f"home {directory} cannot be made: {error.strerror}", code="backup.target-unusable"
        ) from error
    return report


def _finish(
    home: Home,
    manifest: Manifest,
    *,
    directory: Path,
    digest: bytes,
    pin_file: Path | None,
    kept: Sequence[bytes],
    key: NoteKey | None,
) -> RestoreReport:
    """Turn what was extracted into a home that may be used."""
    settings = home.settings()
    with open_record(home) as journal:
        state = journal.state
        if journal.head != manifest.head or journal.log.size != manifest.leaves:
            raise PkiDataError(
                f"the backup's journal goes to {journal.head.sequence} with {journal.log.size} leaves, "
                f"its manifest says {manifest.head.sequence} and {manifest.leaves}",
                code="backup.malformed",
            )
        _check_checkpoints(home, state, journal.log, kept=kept, key=key)
        recorder = Recorder(journal=journal, state=state, now=lambda: datetime.now(UTC))
        retired = _record_restoring(recorder, journal.log, digest=digest, created=manifest.created)
        head = journal.head
    home.set_checkpoint_aside()
    home.replace_settings(
        HomeSettings(
            pin_file=settings.pin_file if pin_file is None else pin_file.resolve(),
            root_keystore=settings.root_keystore
            if manifest.root_keystore is None
            else directory / manifest.root_keystore,
        )
    )
    return RestoreReport(
        manifest=manifest,
        head=head,
        epoch=state.restores.epoch or "",
        origin=state.log_origin,
        retired=retired,
        list_number=state.restores.list_number,
        requests=None,
    )


def _check_target(directory: Path) -> None:
    if directory.is_symlink() or (
        directory.exists() and not (directory.is_dir() and not any(directory.iterdir()))
    ):
        raise RecordError(
            f"{directory} is there and not an empty directory: a home is restored beside a living one, never over it",
            code="backup.target-not-empty",
            hint="give a new directory",
        )


def _check_checkpoints(
    home: Home, state: PkiState, log: TiledLog, *, kept: Sequence[bytes], key: NoteKey | None
) -> None:
    """The log must hold what checkpoints of its time sealed; newer ones tell what was lost, and only the keeper knows."""
    own = home.read_checkpoint()
    if own is not None:
        check_checkpoint(read_checkpoint(own, [log_key_of(state)]), log)
    for note in kept:
        checkpoint = read_checkpoint(note, [key if key is not None else log_key_of(state, note)])
        if checkpoint.size <= log.size:
            check_checkpoint(checkpoint, log)


def _record_restoring(
    recorder: Recorder, log: TiledLog, *, digest: bytes, created: datetime
) -> tuple[str, ...]:
    """Begin the new epoch: everything that ``pki.services.restore_state`` says follows from this one entry."""
    state = recorder.state
    epoch = secrets.token_hex(EPOCH_BYTES)
    now = recorder.now()
    highest = max(state.list_numbers.values(), default=0)
    last = created if state.last_time is None else max(created, state.last_time)
    started: dict[str, str | int | None] = {"origin": None}
    if state.log_origin is not None and state.log_key is not None:
        started = {
            "origin": next_origin(state.log_origin, epoch),
            "earlier_origin": state.log_origin,
            "public_key": state.log_key.hex(),
        }
    usable = [
        record.signer_id
        for record in state.signers.values()
        if record.kind is ProfileKind.DOCUMENT_SIGNER
        and record.destroyed_at is None
        and record.retired_at is None
    ]
    recorder.record(
        EntryKind.HOME_RESTORED,
        backup=digest.hex(),
        created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        epoch=epoch,
        list_number=list_number_floor(max(highest, state.restores.list_number), last=last, now=now),
        size=log.size,
        root=tree_root(log, log.size).hex(),
        **started,
    )
    return tuple(usable)


def _copy_of_requests(home: Home, *, url: str | None, url_file: Path | None) -> bytes | None:
    if url is None and url_file is None and not home.service_database.exists():
        return None
    with open_service_database(home, url=url, url_file=url_file) as service:
        require_current_schema(service)
        return export_requests(service.database)


def _restore_requests(home: Home, *, url: str | None, url_file: Path | None) -> int | None:
    path = home.directory / REQUESTS_PATH
    if not path.exists():
        return None
    copy = path.read_bytes()
    with open_service_database(home, url=url, url_file=url_file) as service:
        upgrade(service.database)
        if service.database.is_sqlite:
            # The file is for the home's owner, as the journal is.
            Path(service.database.url.database or "").chmod(0o600)
        count = import_requests(service.database, copy)
        # A projection of the lost journal may be there, or one of a restoring that broke off.
        rebuild_projection(service)
    return count
