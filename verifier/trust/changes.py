"""Whether a trust directory is still the one that was read: a terminal runs for weeks, and its lists come every day."""

import os
from pathlib import Path
from typing import Final, NewType

__all__ = ["TrustFingerprint", "fingerprint_of"]

TrustFingerprint = NewType("TrustFingerprint", tuple[tuple[str, int, int, int], ...])
"""Each file's name, inode, time of change in nanoseconds and size; nothing is read for it."""

_MAX_ENTRIES: Final = 4096
_OWN: Final = frozenset({"clock.json"})
"""What the terminal itself writes there: that it did so is no news."""


def fingerprint_of(directory: Path) -> TrustFingerprint:
    """What the files below a directory look like now; a directory that cannot be listed looks like an empty one."""
    found: list[tuple[str, int, int, int]] = []
    # A link to a directory is how a bundle is switched over: it is followed.
    for folder, folders, names in os.walk(directory, followlinks=True):
        folders.sort()
        for name in sorted(set(names) - _OWN):
            path = os.path.join(folder, name)  # noqa: PTH118 - os.walk gives texts
            try:
                status = os.stat(path)  # noqa: PTH116 - the same
            except OSError:
                continue
            found.append((path, status.st_ino, status.st_mtime_ns, status.st_size))
            if len(found) >= _MAX_ENTRIES:
                return TrustFingerprint(tuple(found))
    return TrustFingerprint(tuple(found))
