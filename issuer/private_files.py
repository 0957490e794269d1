"""Files for their owner's eyes: whole or not there at all, durable, and no trace of a part where the process dies."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from issuer.errors import IssuerUnavailableError

__all__ = ["private_text_file"]

_DESCRIPTORS: Final = Path("/proc/self/fd")
_NO_NAMELESS_FILES: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL})
"""What file systems and kernels answer that make no file without a name."""


@contextlib.contextmanager
def private_text_file(path: Path) -> Iterator[TextIO]:
    """A file of mode 0600 that appears under its name when the block ends, and not where it raises.

    It has no name until it is whole, so that nothing of it stays where the process is killed. Where the file system
    makes none without a name, it is written beside its place as ``.NAME.unfinished``, which the next one takes over.

    Raises:
        IssuerUnavailableError: it cannot be written (``file.unavailable``).
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        descriptor, is_nameless = _begun(unfinished)
    except OSError as error:
        raise _unavailable(path, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
            if is_nameless:
                _give_name(descriptor, unfinished)
            unfinished.replace(path)
    except OSError as error:
        raise _unavailable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _begun(unfinished: Path) -> tuple[int, bool]:
    """An empty file for its owner only, and whether it has no name."""
    try:
        return os.open(unfinished.parent, os.O_WRONLY | os.O_TMPFILE, 0o600), True
    except OSError as error:
        if error.errno not in _NO_NAMELESS_FILES:
            raise
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        # What another process writes at this moment is not taken over; what a killed one left is.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fchmod(descriptor, 0o600)
        os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, False


def _give_name(descriptor: int, name: Path) -> None:
    """Give a file without a name this one, in the place of whatever a killed process left there."""
    name.unlink(missing_ok=True)
    # A descriptor of a directory makes it the call that follows the link; the source itself is absolute.
    here = os.open(name.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.link(_DESCRIPTORS / str(descriptor), name, src_dir_fd=here, follow_symlinks=True)
    finally:
        os.close(here)


def _unavailable(path: Path, error: OSError) -> IssuerUnavailableError:
    return IssuerUnavailableError(
        f"{path} cannot be written: {error.strerror}", code="file.unavailable"
    )
