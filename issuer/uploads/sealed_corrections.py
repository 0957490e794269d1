"""Correction files of imports: sealed under the register's key, for whoever brought the list, and gone after two weeks."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from issuer.db.sealing import Sealer
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.services.import_ports import ImportNumber
from issuer.storage.durable import write_durably

__all__ = ["CORRECTION_LIFETIME", "MAX_CORRECTION_BYTES", "SealedCorrections"]

CORRECTION_LIFETIME: Final = timedelta(days=14)
MAX_CORRECTION_BYTES: Final = 64 << 20
"""A longer one is not kept: whoever has so many rows to put right asks for it on the command line."""

_PURPOSE: Final = "imports.correction"
_ENDING: Final = ".sealed"


class SealedCorrections:
    """Files below one directory, named by their import."""

    def __init__(
        self, directory: Path, sealer: Callable[[], Sealer], clock: Callable[[], datetime]
    ) -> None:
        """``sealer`` gives the register's keys, and is asked when the first file is written or read."""
        self._directory = directory
        self._sealer = sealer
        self._clock = clock

    def keep(self, number: ImportNumber, path: Path) -> None:
        """Seal a file that was written, unless it is too long; old ones go.

        Raises:
            IssuerUnavailableError: it cannot be kept (``upload.unavailable``).
        """
        self.forget_old()
        try:
            if path.stat().st_size > MAX_CORRECTION_BYTES:
                return
            sealed = self._sealer().seal(path.read_bytes(), purpose=_PURPOSE, row=_row(number))
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(self._path(number), sealed)
        except OSError as error:
            raise IssuerUnavailableError(
                f"the correction file cannot be kept: {error.strerror}", code="upload.unavailable"
            ) from error

    def has(self, number: ImportNumber) -> bool:
        """Whether there is one for this import."""
        self.forget_old()
        return self._path(number).exists()

    def get(self, number: ImportNumber) -> bytes:
        """The file (xlsx) of an import.

        Raises:
            IssuerRefusedError: there is none, or it was too old (``correction.gone``).
            IssuerUnavailableError: it cannot be read or opened.
        """
        self.forget_old()
        try:
            sealed = self._path(number).read_bytes()
        except FileNotFoundError as error:
            raise IssuerRefusedError(
                f"import {number} has no correction file, or had one until {CORRECTION_LIFETIME.days} days ago",
                code="correction.gone",
                hint="bring the list again",
            ) from error
        except OSError as error:
            raise IssuerUnavailableError(
                f"the correction file cannot be read: {error.strerror}", code="upload.unavailable"
            ) from error
        return self._sealer().open(sealed, purpose=_PURPOSE, row=_row(number))

    def forget_old(self) -> None:
        """Take away what is older than ``CORRECTION_LIFETIME``."""
        oldest = self._clock() - CORRECTION_LIFETIME
        for path in self._directory.glob(f"*{_ENDING}"):
            # Another process may take it away at the same time.
            with contextlib.suppress(FileNotFoundError):
                if datetime.fromtimestamp(path.stat().st_mtime, UTC) < oldest:
                    path.unlink()

    def _path(self, number: ImportNumber) -> Path:
        return self._directory / f"{int(number)}{_ENDING}"


def _row(number: ImportNumber) -> bytes:
    return str(int(number)).encode()
