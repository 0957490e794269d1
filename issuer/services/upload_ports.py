"""Port of uploads: files that came in for an operation, kept until it has ended."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NewType, Protocol

from issuer.services.import_ports import ImportNumber

__all__ = ["Corrections", "StoredUpload", "UploadId", "UploadedFile", "Uploads"]

UploadId = NewType("UploadId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedFile:
    """One file as it came in; its name is a person's and says nothing."""

    name: str
    content: BinaryIO


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUpload:
    """A list with the portraits that came with it, on disk; and how it is read, where that came along."""

    list_file: Path
    portraits: Path
    mapping: Path | None = None


class Uploads(Protocol):
    """Where files that came in wait."""

    def put(
        self,
        list_file: UploadedFile,
        portraits: Iterable[UploadedFile],
        *,
        mapping: UploadedFile | None = None,
    ) -> tuple[UploadId, bytes]:
        """Keep files durably; gives back a digest of all of them, too.

        Raises:
            IssuerDataError: ``upload.name``, ``upload.name-repeated``.
            IssuerUnavailableError: they cannot be kept (``upload.unavailable``).
        """

    def open(self, upload_id: UploadId) -> AbstractContextManager[StoredUpload]:
        """The files of an upload.

        Raises:
            IssuerRefusedError: they are not there any more (``upload.lost``).
        """

    def remove(self, upload_id: UploadId) -> None:
        """Take the files away; those that are gone already are left alone."""


class Corrections(Protocol):
    """Where correction files of imports lie for a while."""

    def keep(self, number: ImportNumber, path: Path) -> None:
        """Seal a file that was written.

        Raises:
            IssuerUnavailableError: it cannot be kept (``upload.unavailable``).
        """

    def has(self, number: ImportNumber) -> bool:
        """Whether there is one for this import."""

    def get(self, number: ImportNumber) -> bytes:
        """The file (xlsx) of an import.

        Raises:
            IssuerRefusedError: there is none, or it was too old (``correction.gone``).
        """
