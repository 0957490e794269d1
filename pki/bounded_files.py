"""Files of other people, read whole within a bound: what is longer, endless or no file is refused."""

import stat
from pathlib import Path
from typing import Final

from pki.errors import PkiDataError

__all__ = ["read_bounded", "read_folder"]

_MAX_FILES: Final = 256


def read_bounded(path: Path, maximum_bytes: int) -> bytes:
    """The content of a file.

    Raises:
        PkiDataError: ``certificate.unreadable``.
    """
    try:
        # A pipe or a device would never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise _unreadable(path, "it is not a file")
        with path.open("rb") as file:
            content = file.read(maximum_bytes + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or "it cannot be read") from error
    if len(content) > maximum_bytes:
        raise _unreadable(path, f"it is longer than {maximum_bytes} bytes")
    return content


def read_folder(directory: Path, suffix: str, maximum_bytes: int) -> dict[str, bytes]:
    """The files of one kind by their names, in order; a directory that is not there holds none.

    Raises:
        PkiDataError: ``certificate.unreadable``.
    """
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix.lower() == suffix)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unreadable(directory, error.strerror or "it cannot be listed") from error
    if len(paths) > _MAX_FILES:
        raise _unreadable(directory, f"it holds {len(paths)} files, expected at most {_MAX_FILES}")
    return {path.name: read_bounded(path, maximum_bytes) for path in paths}


def _unreadable(path: Path, reason: str) -> PkiDataError:
    return PkiDataError(f"{str(path)!r} cannot be read: {reason}", code="certificate.unreadable")
