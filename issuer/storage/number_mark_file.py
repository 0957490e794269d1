"""Keeps the mark of card numbers in a file beside the home's database, and outside it."""

from pathlib import Path

from issuer.domain.number_blocks import MAX_MARK_BYTES, NumberMark
from issuer.errors import IssuerUnavailableError
from issuer.storage.durable import write_durably

__all__ = ["MARK_FILE", "FileNumberMarkStore"]

MARK_FILE = "mark.json"
"""The name of the mark within its folder."""


class FileNumberMarkStore:
    """Implements ``NumberMarkStore`` in one folder."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / MARK_FILE

    def read(self) -> NumberMark | None:
        """See ``NumberMarkStore.read``."""
        try:
            with self._path.open("rb") as file:
                return NumberMark.from_bytes(file.read(MAX_MARK_BYTES + 1))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise IssuerUnavailableError(
                f"{self._path} cannot be read: {error.strerror}", code="numbers.mark-unavailable"
            ) from error

    def write(self, mark: NumberMark) -> None:
        """See ``NumberMarkStore.write``."""
        try:
            write_durably(self._path, mark.to_bytes())
        except OSError as error:
            raise IssuerUnavailableError(
                f"{self._path} cannot be written: {error.strerror}", code="numbers.mark-unavailable"
            ) from error
