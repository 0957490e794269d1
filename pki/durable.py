"""Files that are there after a crash or not at all."""

import os
import secrets
from pathlib import Path

__all__ = ["create_file", "replace_file", "sync_directory"]


def create_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a new file durably: whole or not at all, and never over an existing one.

    Raises:
        FileExistsError: the file is there already.
        OSError: the disk said no.
    """
    temporary = _write_beside(path, content, mode=mode)
    try:
        # A hard link fails where the name is taken; a rename would silently replace it.
        os.link(temporary, path)
    finally:
        temporary.unlink()
    sync_directory(path.parent)


def replace_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file durably over whatever stands there: a reader sees the old or the new one.

    Raises:
        OSError: the disk said no.
    """
    temporary = _write_beside(path, content, mode=mode)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make names written into a directory durable, where the system can.

    Raises:
        OSError: the disk said no.
    """
    if os.name == "nt":
        # Windows gives no handle to a directory; NTFS journals its names.
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_beside(path: Path, content: bytes, *, mode: int) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
