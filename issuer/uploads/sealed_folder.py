"""A folder of files that wait for somebody: each sealed under the register's key, and gone after a while."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from issuer.db.sealing import Sealer
from issuer.errors import IssuerUnavailableError
from issuer.storage.durable import write_durably

__all__ = ["SealedFolder"]

_ENDING: Final = ".sealed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFolder:
    """Files below one directory; whatever is older than ``lifetime`` goes whenever one is kept or asked for.

    Attributes:
        directory: theirs alone; made with the first one.
        sealer: gives the register's keys, and is asked when the first file is written or read.
        clock: gives aware UTC.
        purpose: what they are sealed as.
        lifetime: how long they wait.
        what: what sentences call one of them.
    """

    directory: Path
    sealer: Callable[[], Sealer]
    clock: Callable[[], datetime]
    purpose: str
    lifetime: timedelta
    what: str

    def keep(self, name: str, content: bytes, *, row: bytes) -> None:
        """Keep a file; it opens with the same ``row`` only.

        Raises:
            IssuerUnavailableError: it cannot be kept (``upload.unavailable``).
        """
        self.forget_old()
        sealed = self.sealer().seal(content, purpose=self.purpose, row=row)
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(self._path(name), sealed)
            self._date(name, self.clock())
        except OSError as error:
            raise self.unavailable("kept", error) from error

    def get(self, name: str, *, row: bytes) -> bytes | None:
        """A file, or ``None`` where none waits.

        Raises:
            IssuerUnavailableError: it cannot be read (``upload.unavailable``), or is not what was sealed with this
                ``row`` (``production.seal-broken``).
        """
        self.forget_old()
        try:
            sealed = self._path(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self.unavailable("read", error) from error
        return self.sealer().open(sealed, purpose=self.purpose, row=row)

    def let_go_after(self, name: str, rest: timedelta) -> None:
        """Let one wait so long from now on at most.

        Raises:
            IssuerUnavailableError: as ``get``.
        """
        try:
            dated = datetime.fromtimestamp(self._path(name).stat().st_mtime, UTC)
            self._date(name, min(dated, self.clock() - self.lifetime + rest))
        except OSError as error:
            raise self.unavailable("read", error) from error

    def has(self, name: str) -> bool:
        """Whether one of this name waits."""
        self.forget_old()
        return self._path(name).exists()

    def remove(self, name: str) -> None:
        """Take one away; one that cannot be taken away is too old before long."""
        with contextlib.suppress(OSError):
            self._path(name).unlink()

    def forget_old(self) -> None:
        """Take away what waited too long."""
        oldest = self.clock() - self.lifetime
        for path in self.directory.glob(f"*{_ENDING}"):
            # Another process may take it away at the same time.
            with contextlib.suppress(FileNotFoundError):
                if datetime.fromtimestamp(path.stat().st_mtime, UTC) < oldest:
                    path.unlink()

    def unavailable(self, what: str, error: OSError) -> IssuerUnavailableError:
        """That a file cannot be kept or read."""
        return IssuerUnavailableError(
            f"the {self.what} cannot be {what}: {error.strerror}", code="upload.unavailable"
        )

    def _date(self, name: str, at: datetime) -> None:
        """How long one waits is counted from the file's own time."""
        os.utime(self._path(name), (at.timestamp(), at.timestamp()))

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}{_ENDING}"
