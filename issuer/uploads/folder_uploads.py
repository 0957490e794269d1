"""Uploads in a folder of the home: one directory each, readable by nobody else, taken away when it was worked on."""

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Final

from issuer.errors import IssuerDataError, IssuerRefusedError, IssuerUnavailableError
from issuer.services.upload_ports import StoredUpload, UploadedFile, UploadId

__all__ = ["FolderUploads"]

_ID: Final = re.compile(r"[0-9a-f]{32}")
_MAX_NAME_BYTES: Final = 200
_CHUNK_BYTES: Final = 1 << 20
_LIST: Final = "list"
_PORTRAITS: Final = "portraits"
_MAPPING: Final = "mapping"


class FolderUploads:
    """Uploads below one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

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
        upload_id = UploadId(secrets.token_hex(16))
        folder = self._directory / upload_id
        try:
            (folder / _PORTRAITS).mkdir(mode=0o700, parents=True)
            folder.chmod(0o700)
            digests = {"": _copy(list_file, folder / _LIST)}
            if mapping is not None:
                # No portrait has a name that begins so.
                digests[f"/{_MAPPING}"] = _copy(mapping, folder / _MAPPING)
            for each in portraits:
                name = _checked_name(each.name, taken=digests)
                digests[name] = _copy(each, folder / _PORTRAITS / name)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise IssuerUnavailableError(
                f"the files cannot be kept: {error.strerror}", code="upload.unavailable"
            ) from error
        except IssuerDataError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        together = hashlib.sha256()
        for name in sorted(digests):
            together.update(hashlib.sha256(name.encode()).digest() + digests[name])
        return upload_id, together.digest()

    @contextlib.contextmanager
    def open(self, upload_id: UploadId) -> Iterator[StoredUpload]:
        """The files of an upload.

        Raises:
            IssuerRefusedError: they are not there any more (``upload.lost``).
        """
        folder = self._folder(upload_id)
        if not (folder / _LIST).is_file():
            raise IssuerRefusedError(
                "the files of this upload are not there any more", code="upload.lost"
            )
        mapping = folder / _MAPPING
        yield StoredUpload(
            list_file=folder / _LIST,
            portraits=folder / _PORTRAITS,
            mapping=mapping if mapping.is_file() else None,
        )

    def remove(self, upload_id: UploadId) -> None:
        """Take the files away; those that are gone already are left alone."""
        shutil.rmtree(self._folder(upload_id), ignore_errors=True)

    def _folder(self, upload_id: UploadId) -> Path:
        if not _ID.fullmatch(upload_id):
            raise IssuerRefusedError("that is no upload", code="upload.lost")
        return self._directory / upload_id


def _checked_name(name: str, *, taken: Container[str]) -> str:
    """A file's own name, in the form in which lists name it."""
    # Browsers that send a whole folder put its name in front.
    own = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    if own in {"", ".", ".."} or not own.isprintable() or len(own.encode()) > _MAX_NAME_BYTES:
        raise IssuerDataError(
            f"a portrait's file name has {len(own)} characters or cannot be used, "
            f"expected at most {_MAX_NAME_BYTES} bytes that can be printed",
            code="upload.name",
        )
    if own in taken:
        raise IssuerDataError("two portraits have the same file name", code="upload.name-repeated")
    return own


def _copy(source: UploadedFile, target: Path) -> bytes:
    digest = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while block := source.content.read(_CHUNK_BYTES):
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(descriptor)
    return digest.digest()
