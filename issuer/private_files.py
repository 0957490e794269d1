"""Files for their owner's eyes: whole or not there at all, and durable."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from issuer.errors import IssuerUnavailableError

__all__ = ["private_text_file"]


@contextlib.contextmanager
def private_text_file(path: Path) -> Iterator[TextIO]:
    """A file of mode 0600 that appears under its name when the block ends, and not where it raises.

    Raises:
        IssuerUnavailableError: it cannot be written (``file.unavailable``).
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise _unavailable(path, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except OSError as error:
        raise _unavailable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _unavailable(path: Path, error: OSError) -> IssuerUnavailableError:
    return IssuerUnavailableError(
        f"{path} cannot be written: {error.strerror}", code="file.unavailable"
    )
