"""An exclusive lock on an open file: one process owns a keystore and its journal (architecture: one signer)."""

from typing import IO

from pki.errors import RecordError

__all__ = ["lock_exclusively"]


def lock_exclusively(file: IO[bytes], *, name: str) -> None:
    """Lock the file for this process until it is closed; the lock dies with the process.

    Raises:
        RecordError: ``record.locked``: another process holds it; ``record.lock-unavailable``: this system has no
            such locks.
    """
    try:
        # Imported here, because verifying needs pki and must run where fcntl does not exist.
        import fcntl  # noqa: PLC0415 - see above
    except ImportError as error:
        raise RecordError(
            f"{name} cannot be locked on this system", code="record.lock-unavailable"
        ) from error
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RecordError(
            f"{name} is in use by another process",
            code="record.locked",
            hint="one process owns the keys and the journal; wait for it, or stop it",
        ) from error
