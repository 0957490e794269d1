"""Keeps normalised portraits in a folder, each in a file named by its digest."""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from issuer.domain.member import PortraitDigest
from issuer.errors import IssuerRefusedError, IssuerUnavailableError

__all__ = ["FolderPortraitStore"]

_PORTRAIT_BYTES: Final = 32 * 1024
"""More than a card's portrait has, so that it comes at once."""


class FolderPortraitStore:
    """Portraits under ``directory/ab/abcdef....jpg``; files are written once and never changed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # Of a path that is put together of its parts, each is looked at anew: of ten thousand portraits that counts.
        self._prefix = f"{directory}{os.sep}"

    def put(self, image: bytes) -> PortraitDigest:
        """Keep an image durably; putting the same again changes nothing.

        Raises:
            IssuerUnavailableError: it cannot be kept (``portrait-store.unavailable``).
        """
        digest = PortraitDigest(hashlib.sha256(image).digest())
        path = self._path(digest)
        try:
            if path.exists() and path.read_bytes() == image:
                return digest
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_durably(path, image)
        except OSError as error:
            raise IssuerUnavailableError(
                f"the portrait store cannot keep a portrait: {error.strerror}",
                code="portrait-store.unavailable",
            ) from error
        return digest

    def remove(self, digest: PortraitDigest) -> None:
        """See ``PortraitStore.remove``."""
        path = self._path(digest)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync_directory(path.parent)
        except OSError as error:
            raise IssuerUnavailableError(
                f"the portrait store cannot destroy a portrait: {error.strerror}",
                code="portrait-store.unavailable",
            ) from error

    def get(self, digest: PortraitDigest) -> bytes:
        """The image with this digest, checked against it.

        Raises:
            IssuerRefusedError: it is not there (``portrait.lost``) or is another one (``portrait.altered``).
            IssuerUnavailableError: it cannot be read (``portrait-store.unavailable``).
        """
        try:
            image = _read(self._name(digest))
        except FileNotFoundError as error:
            raise IssuerRefusedError(
                f"portrait {digest.hex()} is not in the store", code="portrait.lost"
            ) from error
        except OSError as error:
            raise IssuerUnavailableError(
                f"the portrait store cannot be read: {error.strerror}",
                code="portrait-store.unavailable",
            ) from error
        found = hashlib.sha256(image).digest()
        if found != digest:
            raise IssuerRefusedError(
                f"portrait {digest.hex()} has digest {found.hex()}", code="portrait.altered"
            )
        return image

    def _path(self, digest: PortraitDigest) -> Path:
        return Path(self._name(digest))

    def _name(self, digest: PortraitDigest) -> str:
        name = digest.hex()
        return f"{self._prefix}{name[:2]}{os.sep}{name}.jpg"


def _read(name: str) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = [os.read(descriptor, _PORTRAIT_BYTES)]
        # Fewer bytes than asked for are the last ones, and whoever reads compares the digest.
        while len(parts[-1]) == _PORTRAIT_BYTES:
            parts.append(os.read(descriptor, _PORTRAIT_BYTES))
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _write_durably(path: Path, content: bytes) -> None:
    """Under another name first: whoever looks meanwhile finds the whole file or none."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
