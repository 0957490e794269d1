"""The file of a backup: a sealed stream that is written and read once, whatever its size.

    manifest:  its length, 4 bytes | JSON
    member:    length of its name, 2 bytes | name | blocks: length, 4 bytes (0 behind the last one) | content
               SHA-256 of the content, 32 bytes
    end:       0, 2 bytes | how many members, 8 bytes | SHA-256 of all names (with their lengths) and digests, 32 bytes

Numbers are big-endian. A register has millions of portraits, so there is no list of members in front: the end says how
many there were, and the sealed stream (``pki.backup.sealed_stream``) that none was changed, left out, moved or cut off.
"""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from issuer.backup.manifest import MAX_MANIFEST_BYTES, BackupManifest
from issuer.errors import IssuerDataError, IssuerRefusedError, IssuerUnavailableError
from issuer.storage.durable import sync_directory
from pki.backup.sealed_stream import DEFAULT_COST, SealedReader, SealedWriter

__all__ = ["ArchiveSummary", "ArchivedFile", "read_archive", "write_archive"]

_MAGIC: Final = b"membercard-iss backup 1\n"
_BLOCK_BYTES: Final = 1 << 20
_SALT_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_MAX_NAME_BYTES: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFile:
    """One member: its name in the backup, relative with ``/``, and how its content is come by, block by block."""

    name: str
    blocks: Callable[[], Iterator[bytes]]

    @classmethod
    def of_file(cls, name: str, path: Path) -> "ArchivedFile":
        """A file as it is; what became a link meanwhile is not followed."""
        return cls(name=name, blocks=lambda: _file_blocks(path))

    @classmethod
    def of_bytes(cls, name: str, content: bytes) -> "ArchivedFile":
        """What is in no file."""
        return cls(
            name=name,
            blocks=lambda: (
                content[start : start + _BLOCK_BYTES]
                for start in range(0, len(content), _BLOCK_BYTES)
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSummary:
    """What a backup holds: ``digest`` is the SHA-256 of the whole file, ``content_bytes`` that of all members."""

    manifest: BackupManifest
    members: int
    content_bytes: int
    digest: bytes


def write_archive(
    path: Path,
    manifest: BackupManifest,
    members: Iterable[ArchivedFile],
    *,
    passphrase: bytes,
    cost: int = DEFAULT_COST,
) -> ArchiveSummary:
    """Write a backup as a whole or not at all, over no other file.

    Raises:
        IssuerRefusedError: ``backup.exists``.
        IssuerUnavailableError: ``backup.unwritable``, ``backup.unreadable``, or what a member raises.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        if path.exists():
            raise _exists(path)
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "r+b") as file:
                count, content_bytes = _write(file, manifest, members, passphrase, cost)
                file.flush()
                os.fsync(descriptor)
                file.seek(0)
                digest = _hash(file)
            os.link(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        sync_directory(path.parent)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise IssuerUnavailableError(
            f"backup {path} cannot be written: {error.strerror}", code="backup.unwritable"
        ) from error
    return ArchiveSummary(
        manifest=manifest, members=count, content_bytes=content_bytes, digest=digest
    )


def read_archive(path: Path, *, passphrase: bytes, into: Path | None = None) -> ArchiveSummary:
    """Check every byte of a backup; write its members into a directory where one is given.

    What was written is worth nothing unless this returns.

    Raises:
        PkiDataError: ``backup.malformed``, ``backup.damaged``.
        PkiRefusedError: ``backup.passphrase-wrong``.
        IssuerDataError: ``backup.malformed``, ``backup.damaged``.
        IssuerUnavailableError: ``backup.unreadable``, ``backup.target-unusable``.
    """
    with _open(path) as file:
        sealed = SealedReader(file, passphrase=passphrase, magic=_MAGIC)
        length = int.from_bytes(sealed.read(4), "big")
        if length > MAX_MANIFEST_BYTES:
            raise _malformed(
                f"the manifest has {length} bytes, expected at most {MAX_MANIFEST_BYTES}"
            )
        manifest = BackupManifest.from_bytes(sealed.read(length))
        count, content_bytes, seen = 0, 0, sha256()
        while name_length := int.from_bytes(sealed.read(2), "big"):
            name = _name_of(sealed.read(min(name_length, _MAX_NAME_BYTES + 1)))
            digest, size = _read_member(sealed, None if into is None else into / name)
            if sealed.read(_DIGEST_BYTES) != digest:
                raise _damaged(f"member {name} is not the one that was written")
            seen.update(_entry(name) + digest)
            count, content_bytes = count + 1, content_bytes + size
        if (int.from_bytes(sealed.read(8), "big"), sealed.read(_DIGEST_BYTES)) != (
            count,
            seen.digest(),
        ):
            raise _damaged(f"it holds {count} members, expected those that its end tells")
        sealed.expect_end()
        file.seek(0)
        whole = _hash(file)
    if into is not None:
        _sync_tree(into)
    return ArchiveSummary(
        manifest=manifest, members=count, content_bytes=content_bytes, digest=whole
    )


def _write(
    file: BinaryIO,
    manifest: BackupManifest,
    members: Iterable[ArchivedFile],
    passphrase: bytes,
    cost: int,
) -> tuple[int, int]:
    sealed = SealedWriter(
        file,
        passphrase=passphrase,
        salt=secrets.token_bytes(_SALT_BYTES),
        cost=cost,
        magic=_MAGIC,
    )
    encoded = manifest.to_bytes()
    sealed.write(len(encoded).to_bytes(4, "big") + encoded)
    count, content_bytes, seen = 0, 0, sha256()
    for member in members:
        entry = _entry(member.name)
        sealed.write(entry)
        digest = sha256()
        for block in member.blocks():
            digest.update(block)
            content_bytes += len(block)
            sealed.write(len(block).to_bytes(4, "big") + block)
        sealed.write(bytes(4) + digest.digest())
        seen.update(entry + digest.digest())
        count += 1
    sealed.write(bytes(2) + count.to_bytes(8, "big") + seen.digest())
    sealed.finish()
    return count, content_bytes


def _entry(name: str) -> bytes:
    encoded = name.encode()
    if not 0 < len(encoded) <= _MAX_NAME_BYTES:
        raise IssuerUnavailableError(
            f"the name {name[:80]!r} is too long for a backup", code="backup.unreadable"
        )
    return len(encoded).to_bytes(2, "big") + encoded


def _name_of(encoded: bytes) -> str:
    try:
        name = encoded.decode()
    except ValueError as error:
        raise _malformed("the name of a member is no text") from error
    parts = name.split("/")
    if (
        len(encoded) > _MAX_NAME_BYTES
        or not name.isprintable()
        or "\\" in name
        or any(part in {"", ".", ".."} for part in parts)
    ):
        raise _malformed(f"a member cannot have the name {name[:80]!r}")
    return name


def _read_member(sealed: SealedReader, target: Path | None) -> tuple[bytes, int]:
    digest, size = sha256(), 0
    with _target(target) as put:
        while length := int.from_bytes(sealed.read(4), "big"):
            if length > _BLOCK_BYTES:
                raise _malformed(f"a block has {length} bytes, expected at most {_BLOCK_BYTES}")
            block = sealed.read(length)
            digest.update(block)
            size += length
            put(block)
    return digest.digest(), size


@contextmanager
def _target(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    if path is None:
        yield lambda _: None
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be written: {error.strerror}", code="backup.target-unusable"
        ) from error


def _file_blocks(path: Path) -> Iterator[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                yield block
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be read: {error.strerror}", code="backup.unreadable"
        ) from error


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise IssuerUnavailableError(
            f"backup {path} cannot be read: {error.strerror}", code="backup.unreadable"
        ) from error
    with file:
        yield file


def _hash(file: BinaryIO) -> bytes:
    digest = sha256()
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.digest()


def _sync_tree(directory: Path) -> None:
    for folder, _, _ in os.walk(directory):
        sync_directory(Path(folder))


def _exists(path: Path) -> IssuerRefusedError:
    return IssuerRefusedError(
        f"there is a file {path} already", code="backup.exists", hint="give each backup a new name"
    )


def _malformed(reason: str) -> IssuerDataError:
    return IssuerDataError(f"the backup is malformed: {reason}", code="backup.malformed")


def _damaged(reason: str) -> IssuerDataError:
    return IssuerDataError(
        f"the backup is damaged: {reason}",
        code="backup.damaged",
        hint="take another backup, and find out what happened to this one",
    )
