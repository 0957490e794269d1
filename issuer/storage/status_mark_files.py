"""Keeps which status indices were drawn in files beside the home's database, one bit a position.

Each list has a file of ``size`` bits in whole bytes under the list's number in hexadecimal; position ``i`` is bit ``i % 8`` of
byte ``i // 8``. Bits are only ever set, one byte at a time under a lock of the file: no crash can take one back.
"""

import fcntl
import os
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from issuer.domain.status_allotment import StatusIndex
from issuer.errors import IssuerDataError, IssuerRefusedError, IssuerUnavailableError
from issuer.storage.durable import write_durably

__all__ = ["FileStatusMarkStore"]

_BITS: Final = 8


class FileStatusMarkStore:
    """Implements ``StatusMarkStore`` in one folder."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def begin(self, list_id: bytes, *, size: int) -> None:
        """See ``StatusMarkStore.begin``."""
        path = self._path(list_id)
        try:
            if not path.exists():
                write_durably(path, bytes(_length(size)))
        except OSError as error:
            raise _unavailable(path, error) from error

    def drawn(self, list_id: bytes, *, size: int) -> frozenset[int] | None:
        """See ``StatusMarkStore.drawn``."""
        path = self._path(list_id)
        try:
            with path.open("rb") as file:
                content = file.read(_length(size) + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(path, error) from error
        _require_length(path, len(content), size)
        return frozenset(
            position * _BITS + bit
            for position, byte in enumerate(content)
            if byte
            for bit in range(_BITS)
            if byte >> bit & 1
        )

    def mark(self, indices: Collection[StatusIndex], *, size: int) -> None:
        """See ``StatusMarkStore.mark``."""
        by_list: dict[bytes, list[int]] = defaultdict(list)
        for each in indices:
            by_list[each.list_id].append(each.index)
        for list_id, positions in by_list.items():
            path = self._path(list_id)
            with _locked(path) as descriptor:
                _require_length(path, os.fstat(descriptor).st_size, size)
                for position in positions:
                    offset, bit = divmod(position, _BITS)
                    (byte,) = os.pread(descriptor, 1, offset)
                    os.pwrite(descriptor, bytes([byte | 1 << bit]), offset)
                os.fsync(descriptor)

    def _path(self, list_id: bytes) -> Path:
        return self._directory / list_id.hex()


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise IssuerRefusedError(
            f"status list {path.name} has no mark beside the database",
            code="status.mark-missing",
            hint="docs/backup.md, 'Status indices'",
        ) from error
    except OSError as error:
        raise _unavailable(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    except OSError as error:
        raise _unavailable(path, error) from error
    finally:
        os.close(descriptor)


def _length(size: int) -> int:
    return -(-size // _BITS)


def _require_length(path: Path, length: int, size: int) -> None:
    if length != _length(size):
        raise IssuerDataError(
            f"the mark {path} has {length} bytes, expected {_length(size)}",
            code="status.mark-malformed",
            hint="docs/backup.md, 'Status indices'",
        )


def _unavailable(path: Path, error: OSError) -> IssuerUnavailableError:
    return IssuerUnavailableError(
        f"the mark {path} cannot be read or written: {error.strerror}",
        code="status.mark-unavailable",
    )
