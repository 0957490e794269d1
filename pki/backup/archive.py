"""The backup's file: a sealed stream with the manifest (after its length in 4 bytes) and then every member."""

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from pki.backup.manifest import MAX_MANIFEST_BYTES, Manifest, Member
from pki.backup.sealed_stream import DEFAULT_COST, SealedReader, SealedWriter
from pki.durable import sync_directory
from pki.errors import PkiDataError, RecordError
from pki.record.lock import lock_exclusively

__all__ = ["Source", "describe_source", "extract_archive", "read_archive", "write_archive"]

_BLOCK_BYTES: Final = 1 << 20
_LENGTH_BYTES: Final = 4
_SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What becomes a member: a file, or bytes that are in no file; ``path`` is its name in the backup."""

    path: str
    mode: int
    origin: Path | bytes


def describe_source(source: Source) -> Member:
    """Read a source once, for the manifest.

    Raises:
        PkiDataError: ``backup.malformed``: a name that cannot be in a backup.
        RecordError: ``backup.unreadable``.
    """
    digest, size = sha256(), 0
    for block in _blocks(source):
        digest.update(block)
        size += len(block)
    return Member(path=source.path, size=size, digest=digest.digest(), mode=source.mode)


def write_archive(
    path: Path,
    manifest: Manifest,
    sources: Sequence[Source],
    *,
    passphrase: bytes,
    cost: int = DEFAULT_COST,
) -> bytes:
    """Write a backup as a whole or not at all, over no other file; give back the file's SHA-256.

    Raises:
        RecordError: ``backup.exists``; ``backup.unwritable``; ``backup.unreadable``; ``backup.changed``: a file is not
            any more what the manifest says; ``record.locked``: somebody else writes the same backup.
    """
    # One name for what is unfinished: whatever a killed run left is overwritten by the next.
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        if path.exists():
            raise _exists(path)
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            lock_exclusively(file, name=str(unfinished))
            try:
                file.truncate(0)
                _write(file, manifest, sources, passphrase=passphrase, cost=cost)
                file.flush()
                os.fsync(file.fileno())
                file.seek(0)
                digest = _hash(file)
                os.link(unfinished, path)
            finally:
                unfinished.unlink(missing_ok=True)
        sync_directory(path.parent)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise RecordError(
            f"backup {path} cannot be written: {error.strerror}", code="backup.unwritable"
        ) from error
    return digest


def read_archive(path: Path, *, passphrase: bytes) -> tuple[Manifest, bytes]:
    """Check every byte of a backup; give back its manifest and the file's SHA-256.

    Raises:
        PkiDataError: ``backup.malformed``, ``backup.damaged``.
        PkiRefusedError: ``backup.passphrase-wrong``.
        RecordError: ``backup.unreadable``.
    """
    with _open(path) as file:
        manifest = _read(file, passphrase, _drop)
        file.seek(0)
        return manifest, _hash(file)


def extract_archive(path: Path, directory: Path, *, passphrase: bytes) -> Manifest:
    """Write every member into an empty directory, durably.

    Raises:
        PkiDataError, PkiRefusedError, RecordError: as ``read_archive``; ``backup.target-unusable``. What was written
            until then is worth nothing.
    """
    folders: set[Path] = {directory}

    def put(member: Member, blocks: Iterator[bytes]) -> None:
        target = directory / member.path
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folders.update(parent for parent in target.parents if parent.is_relative_to(directory))
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, member.mode)
            with os.fdopen(descriptor, "wb") as file:
                for block in blocks:
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RecordError(
                f"{target} cannot be written: {error.strerror}", code="backup.target-unusable"
            ) from error

    with _open(path) as file:
        manifest = _read(file, passphrase, put)
    for folder in sorted(folders, reverse=True):
        sync_directory(folder)
    return manifest


def _write(
    file: BinaryIO, manifest: Manifest, sources: Sequence[Source], *, passphrase: bytes, cost: int
) -> None:
    sealed = SealedWriter(
        file, passphrase=passphrase, salt=secrets.token_bytes(_SALT_BYTES), cost=cost
    )
    contents = manifest.to_bytes()
    sealed.write(len(contents).to_bytes(_LENGTH_BYTES, "big") + contents)
    for member, source in zip(manifest.members, sources, strict=True):
        digest, size = sha256(), 0
        for block in _blocks(source):
            digest.update(block)
            size += len(block)
            sealed.write(block)
        if size != member.size or digest.digest() != member.digest:
            raise RecordError(
                f"{member.path} changed while it was copied, expected nobody to work in the home",
                code="backup.changed",
                hint="find out what writes there, and begin anew",
            )
    sealed.finish()


def _read(
    file: BinaryIO, passphrase: bytes, put: Callable[[Member, Iterator[bytes]], None]
) -> Manifest:
    sealed = SealedReader(file, passphrase=passphrase)
    length = int.from_bytes(sealed.read(_LENGTH_BYTES), "big")
    if length > MAX_MANIFEST_BYTES:
        raise PkiDataError(
            f"the backup's manifest has {length} bytes, expected at most {MAX_MANIFEST_BYTES}",
            code="backup.malformed",
        )
    manifest = Manifest.from_bytes(sealed.read(length))
    for member in manifest.members:
        digest = sha256()
        put(member, _member_blocks(sealed, member, digest.update))
        if digest.digest() != member.digest:
            raise PkiDataError(
                f"member {member.path} is not the one of the manifest", code="backup.damaged"
            )
    sealed.expect_end()
    return manifest


def _member_blocks(
    sealed: SealedReader, member: Member, look: Callable[[bytes], None]
) -> Iterator[bytes]:
    rest = member.size
    while rest:
        block = sealed.read(min(rest, _BLOCK_BYTES))
        rest -= len(block)
        look(block)
        yield block


def _drop(_: Member, blocks: Iterator[bytes]) -> None:
    for _block in blocks:
        pass


def _blocks(source: Source) -> Iterator[bytes]:
    if isinstance(source.origin, bytes):
        yield source.origin
        return
    try:
        # What became a link meanwhile is not followed.
        descriptor = os.open(source.origin, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                yield block
    except OSError as error:
        raise RecordError(
            f"{source.origin} cannot be read: {error.strerror}", code="backup.unreadable"
        ) from error


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise RecordError(
            f"backup {path} cannot be read: {error.strerror}", code="backup.unreadable"
        ) from error


def _hash(file: BinaryIO) -> bytes:
    digest = sha256()
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.digest()


def _exists(path: Path) -> RecordError:
    return RecordError(
        f"there is a file {path} already", code="backup.exists", hint="give each backup a new name"
    )
