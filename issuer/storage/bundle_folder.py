"""Keeps sealed bundles that were made here in a folder, each in a file named by its digest."""

import hashlib
from pathlib import Path

from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.storage.durable import write_durably

__all__ = ["FolderBundleStore"]


class FolderBundleStore:
    """Implements ``BundleStore`` under ``directory/abcdef....bundle``; nobody here can open these files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, content: bytes) -> bytes:
        """See ``BundleStore.put``."""
        digest = hashlib.sha256(content).digest()
        try:
            write_durably(self._path(digest), content)
        except OSError as error:
            raise IssuerUnavailableError(
                f"a bundle cannot be kept: {error.strerror}", code="bundle-store.unavailable"
            ) from error
        return digest

    def get(self, digest: bytes) -> bytes:
        """See ``BundleStore.get``."""
        try:
            content = self._path(digest).read_bytes()
        except FileNotFoundError as error:
            raise IssuerRefusedError(
                f"bundle {digest.hex()} is not in the store", code="bundle.lost"
            ) from error
        except OSError as error:
            raise IssuerUnavailableError(
                f"a bundle cannot be read: {error.strerror}", code="bundle-store.unavailable"
            ) from error
        found = hashlib.sha256(content).digest()
        if found != digest:
            raise IssuerRefusedError(
                f"bundle {digest.hex()} has digest {found.hex()}", code="bundle.lost"
            )
        return content

    def _path(self, digest: bytes) -> Path:
        return self._directory / f"{digest.hex()}.bundle"
