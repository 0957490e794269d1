"""The transparency log on disk: one append-only file of hashes for every eighth level of the tree.

``hashes.0`` holds the leaf hashes, 32 bytes each; ``hashes.1`` the roots of 256 of them, and so on. Tile *n* of
level *l* in C2SP tlog-tiles is bytes 8192*n* to 8192(*n*+1) of ``hashes.l``; there are no partial tiles to replace, and
nothing that was written is ever written again.

The journal is the source of truth: it is durable before a leaf is appended here. Opening compares every hash
with what the journal says. What a crash kept from being written is written then, but only where it can never
have been acknowledged; anything else that does not fit is damage and is refused.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pki.durable import sync_directory
from pki.errors import RecordError
from pki.record.transparency_tree import (
    HASH_BYTES,
    TILE_WIDTH,
    LevelTails,
    MemoryLevels,
    fold_hashes,
    hash_leaf,
    tree_root,
)

__all__ = ["LogFiles", "TiledLog", "TreeHead", "check_base", "check_files"]

_TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
_CHUNK_BYTES: Final = 1 << 20
_REBUILD_HINT: Final = (
    "keep the files as evidence, check the journal against a checkpoint kept elsewhere, "
    "then: membercard-pki log rebuild"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeHead:
    """A tree of so many leaves, and its root (32 bytes)."""

    size: int
    root: bytes


class LogFiles:
    """The files of a log, for reading only; those that do not exist are empty."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def size(self) -> int:
        """The number of whole leaf hashes."""
        return self.byte_count(0) // HASH_BYTES

    def path(self, level: int) -> Path:
        """The file of one level."""
        return self.directory / f"hashes.{level}"

    def byte_count(self, level: int) -> int:
        """The length of a level's file.

        Raises:
            RecordError: ``log.unreadable``.
        """
        try:
            return self.path(level).stat().st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise _unreadable(self.directory, error) from error

    def level_count(self) -> int:
        """The number of levels with a file, up to the highest."""
        try:
            names = [path.name for path in self.directory.glob("hashes.*")]
        except OSError as error:
            raise _unreadable(self.directory, error) from error
        numbers = [int(name[7:]) for name in names if name[7:].isdecimal()]
        return max(numbers, default=-1) + 1

    def read_bytes(self, level: int, start: int, count: int) -> bytes:
        """Up to ``count`` bytes of a level's file.

        Raises:
            RecordError: ``log.unreadable``.
        """
        try:
            with self.path(level).open("rb") as file:
                file.seek(start)
                return file.read(count)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _unreadable(self.directory, error) from error

    def read(self, level: int, first: int, count: int) -> bytes:
        """See ``pki.record.transparency_tree.HashLevels``."""
        hashes = self.read_bytes(level, first * HASH_BYTES, count * HASH_BYTES)
        if len(hashes) != count * HASH_BYTES:
            raise RecordError(
                f"level {level} of log {self.directory} has no hashes {first} to {first + count - 1}",
                code="log.damaged",
                hint=_REBUILD_HINT,
            )
        return hashes


def check_files(
    files: LogFiles,
    expected: MemoryLevels | LevelTails,
    *,
    acknowledged: int,
    may_be_ahead: bool = False,
) -> int:
    """Compare a log's files with what the journal says they hold; give back how many leaves a crash left out.

    Args:
        files: the log.
        expected: the hashes that the journal gives, or the ends of them.
        acknowledged: so many leaves were on the disk before anything of the last group was announced.
        may_be_ahead: whether another process may have signed since the journal was read.

    Raises:
        RecordError: ``log.ahead``: the log holds more than the journal; ``log.damaged``: another hash than the
            journal's; ``log.cut``: leaves that were acknowledged are missing; ``log.unreadable``.
    """
    for level in range(max(files.level_count(), len(expected.levels))):
        is_expected = level < len(expected.levels)
        wanted = expected.levels[level] if is_expected else b""
        offset = expected.starts[level] * HASH_BYTES if is_expected else 0
        found = files.byte_count(level) - offset
        if found > len(wanted) and not may_be_ahead:
            raise RecordError(
                f"level {level} of log {files.directory} has {offset + found} bytes, "
                f"the journal gives {offset + len(wanted)}: the journal was cut",
                code="log.ahead",
                hint="stop signing, keep both as evidence, and compare them with the last backup",
            )
        both = min(found, len(wanted))
        for start in range(0, both, _CHUNK_BYTES):
            count = min(_CHUNK_BYTES, both - start)
            if files.read_bytes(level, offset + start, count) != wanted[start : start + count]:
                raise RecordError(
                    f"level {level} of log {files.directory} differs from the journal "
                    f"in bytes {offset + start} to {offset + start + count - 1}",
                    code="log.damaged",
                    hint=_REBUILD_HINT,
                )
        if offset + found < (acknowledged >> (8 * level)) * HASH_BYTES:
            raise RecordError(
                f"level {level} of log {files.directory} has {(offset + found) // HASH_BYTES} hashes, "
                f"expected at least {acknowledged >> (8 * level)}: its tail was cut",
                code="log.cut",
                hint=_REBUILD_HINT,
            )
    return max(0, expected.size - files.size)


def check_base(files: LogFiles, base: TreeHead) -> None:
    """Whether a log holds a tree that is known from elsewhere, as far as its root tells.

    Raises:
        RecordError: ``log.cut``, ``log.damaged``, ``log.unreadable``.
    """
    if files.size < base.size:
        raise RecordError(
            f"log {files.directory} has {files.size} leaves, expected at least {base.size}: its tail was cut",
            code="log.cut",
            hint=_REBUILD_HINT,
        )
    if tree_root(files, base.size) != base.root:
        raise RecordError(
            f"the first {base.size} leaves of log {files.directory} have another root than the journal gives",
            code="log.damaged",
            hint=_REBUILD_HINT,
        )


class TiledLog:
    """A log that is open for appending; whoever opens it owns the journal, and so the log."""

    def __init__(self, files: LogFiles, levels: MemoryLevels | LevelTails) -> None:
        self._files = files
        self._size = levels.size
        self._handles: list[FileIO] = []
        self._tails = [level[len(level) // _TILE_BYTES * _TILE_BYTES :] for level in levels.levels]
        self._is_closed = False

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        leaf_hashes: bytes | bytearray,
        acknowledged: int,
        base: TreeHead | None = None,
    ) -> Self:
        """Check the log against the journal's leaf hashes, and write what a crash left out.

        Where ``base`` is given, the leaf hashes are those behind it: of the tree before, root and right edge are checked.

        Raises:
            RecordError: as ``check_files``; ``log.write-failed``.
        """
        files = LogFiles(directory)
        if base is None:
            levels: MemoryLevels | LevelTails = MemoryLevels(leaf_hashes)
        else:
            check_base(files, base)
            levels = LevelTails(files, base.size, leaf_hashes)
        check_files(files, levels, acknowledged=acknowledged)
        log = cls(files, levels)
        try:
            if not directory.exists():
                directory.mkdir(mode=0o700)
                sync_directory(directory.parent)
            for level, wanted in enumerate(levels.levels):
                found = files.byte_count(level) - levels.starts[level] * HASH_BYTES
                if found < len(wanted):
                    log._write(level, wanted[found:])
        except OSError as error:
            log.close()
            raise _write_failed(directory, error) from error
        except BaseException:
            log.close()
            raise
        return log

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    def append_many(self, entries: Sequence[bytes]) -> int:
        """Append leaves durably, in one group; give back the first one's index.

        Raises:
            RecordError: ``log.write-failed``: the log is closed, and its next opening writes what is missing;
                ``log.closed``.
        """
        if self._is_closed:
            raise RecordError(f"log {self._files.directory} is closed", code="log.closed")
        first = self._size
        try:
            level, new = 0, b"".join(hash_leaf(entry) for entry in entries)
            while new:
                self._write(level, new)
                level, new = level + 1, self._complete_tiles(level, new)
        except OSError as error:
            self.close()
            raise _write_failed(self._files.directory, error) from error
        self._size += len(entries)
        return first

    def read(self, level: int, first: int, count: int) -> bytes:
        """See ``pki.record.transparency_tree.HashLevels``."""
        return self._files.read(level, first, count)

    def close(self) -> None:
        """Let go of the files; closing twice is harmless."""
        self._is_closed = True
        handles, self._handles = self._handles, []
        for handle in handles:
            handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _complete_tiles(self, level: int, new: bytes) -> bytes:
        """Keep a level's last, partial tile in mind; give back the roots of the tiles that are full now."""
        if level == len(self._tails):
            self._tails.append(b"")
        waiting = self._tails[level] + new
        full = len(waiting) // _TILE_BYTES * _TILE_BYTES
        self._tails[level] = waiting[full:]
        return b"".join(
            fold_hashes(waiting[start : start + _TILE_BYTES])
            for start in range(0, full, _TILE_BYTES)
        )

    def _write(self, level: int, hashes: bytes) -> None:
        while len(self._handles) <= level:
            path = self._files.path(len(self._handles))
            is_new = not path.exists()
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._handles.append(FileIO(descriptor, "ab"))
            if is_new:
                sync_directory(path.parent)
        handle = self._handles[level]
        rest = memoryview(hashes)
        while rest:
            rest = rest[handle.write(rest) or 0 :]
        os.fsync(handle.fileno())


def _write_failed(directory: Path, error: OSError) -> RecordError:
    return RecordError(
        f"log {directory} cannot be written: {error.strerror}", code="log.write-failed"
    )


def _unreadable(directory: Path, error: OSError) -> RecordError:
    return RecordError(f"log {directory} cannot be read: {error.strerror}", code="log.unreadable")
