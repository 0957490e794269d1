"""Keeps documents of decisions in a folder, each in a file named by its digest."""

import hashlib
from pathlib import Path

from issuer.domain.decisions import DocumentDigest
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.storage.durable import write_durably

__all__ = ["FolderDocumentStore"]


class FolderDocumentStore:
    """Implements ``DocumentStore`` under ``directory/ab/abcdef....pdf``; files are written once and never changed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, content: bytes) -> DocumentDigest:
        """See ``DocumentStore.put``."""
        digest = DocumentDigest(hashlib.sha256(content).digest())
        path = self._path(digest)
        try:
            if not path.exists() or path.read_bytes() != content:
                write_durably(path, content)
        except OSError as error:
            raise IssuerUnavailableError(
                f"the document store cannot keep a document: {error.strerror}",
                code="document-store.unavailable",
            ) from error
        return digest

    def get(self, digest: DocumentDigest) -> bytes:
        """See ``DocumentStore.get``."""
        try:
            content = self._path(digest).read_bytes()
        except FileNotFoundError as error:
            raise IssuerRefusedError(
                f"document {digest.hex()} is not in the store", code="document.lost"
            ) from error
        except OSError as error:
            raise IssuerUnavailableError(
                f"the document store cannot be read: {error.strerror}",
                code="document-store.unavailable",
            ) from error
        found = hashlib.sha256(content).digest()
        if found != digest:
            raise IssuerRefusedError(
                f"document {digest.hex()} has digest {found.hex()}", code="document.altered"
            )
        return content

    def _path(self, digest: DocumentDigest) -> Path:
        name = digest.hex()
        return self._directory / name[:2] / f"{name}.pdf"
