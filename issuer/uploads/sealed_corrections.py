"""Correction files of imports: sealed under the register's key, for whoever brought the list, and gone after two weeks."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from issuer.db.sealing import Sealer
from issuer.errors import IssuerRefusedError
from issuer.services.import_ports import ImportNumber
from issuer.uploads.sealed_folder import SealedFolder

__all__ = ["CORRECTION_LIFETIME", "MAX_CORRECTION_BYTES", "SealedCorrections"]

CORRECTION_LIFETIME: Final = timedelta(days=14)
MAX_CORRECTION_BYTES: Final = 64 << 20
"""A longer one is not kept: whoever has so many rows to put right asks for it on the command line."""


class SealedCorrections:
    """Files below one directory, named by their import."""

    def __init__(
        self, directory: Path, sealer: Callable[[], Sealer], clock: Callable[[], datetime]
    ) -> None:
        """``sealer`` gives the register's keys, and is asked when the first file is written or read."""
        self._folder = SealedFolder(
            directory=directory,
            sealer=sealer,
            clock=clock,
            purpose="imports.correction",
            lifetime=CORRECTION_LIFETIME,
            what="correction file",
        )

    def keep(self, number: ImportNumber, path: Path) -> None:
        """Seal a file that was written, unless it is too long; old ones go.

        Raises:
            IssuerUnavailableError: it cannot be kept (``upload.unavailable``).
        """
        try:
            if path.stat().st_size > MAX_CORRECTION_BYTES:
                return
            content = path.read_bytes()
        except OSError as error:
            raise self._folder.unavailable("kept", error) from error
        self._folder.keep(_name(number), content, row=_row(number))

    def has(self, number: ImportNumber) -> bool:
        """Whether there is one for this import."""
        return self._folder.has(_name(number))

    def get(self, number: ImportNumber) -> bytes:
        """The file (xlsx) of an import.

        Raises:
            IssuerRefusedError: there is none, or it was too old (``correction.gone``).
            IssuerUnavailableError: it cannot be read or opened.
        """
        found = self._folder.get(_name(number), row=_row(number))
        if found is None:
            raise IssuerRefusedError(
                f"import {number} has no correction file, or had one until {CORRECTION_LIFETIME.days} days ago",
                code="correction.gone",
                hint="bring the list again",
            )
        return found

    def forget_old(self) -> None:
        """Take away what is older than ``CORRECTION_LIFETIME``."""
        self._folder.forget_old()


def _name(number: ImportNumber) -> str:
    return str(int(number))


def _row(number: ImportNumber) -> bytes:
    return _name(number).encode()
