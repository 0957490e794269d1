"""Keeps the documents that changes rest on in a folder, sealed, each in a file named by its digest."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from issuer.db.sealing import Sealer
from issuer.domain.evidence import MAX_EVIDENCE_BYTES, EvidenceKind
from issuer.domain.member_change import EvidenceDigest
from issuer.errors import IssuerDataError, IssuerRefusedError, IssuerUnavailableError
from pki.durable import replace_file, sync_directory

__all__ = ["FolderEvidenceStore"]

_PURPOSE: Final = "evidence"


class FolderEvidenceStore:
    """Documents under ``directory/ab/abcdef....sealed``; they are kept and given back as they are, never opened."""

    def __init__(self, directory: Path, sealer: Callable[[], Sealer]) -> None:
        """``sealer`` gives the register's keys, and is asked when the first document is written or read."""
        self._directory = directory
        self._sealer = sealer

    def put(self, document: bytes) -> EvidenceDigest:
        """Keep a document durably; putting the same again changes nothing.

        Raises:
            IssuerDataError: it is none that we keep (``evidence.kind``, ``evidence.too-large``).
            IssuerUnavailableError: it cannot be kept (``evidence-store.unavailable``).
        """
        if len(document) > MAX_EVIDENCE_BYTES:
            raise IssuerDataError(
                f"the document has {len(document)} bytes or more, expected at most {MAX_EVIDENCE_BYTES}",
                code="evidence.too-large",
            )
        EvidenceKind.of(document)
        digest = EvidenceDigest(hashlib.sha256(document).digest())
        sealed = self._sealer().seal(document, purpose=_PURPOSE, row=digest)
        path = self._path(digest)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(path, sealed)
        except OSError as error:
            raise _unavailable("keep a document", error) from error
        return digest

    def remove(self, digest: EvidenceDigest) -> None:
        """See ``EvidenceStore.remove``."""
        path = self._path(digest)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_directory(path.parent)
        except OSError as error:
            raise _unavailable("destroy a document", error) from error

    def get(self, digest: EvidenceDigest) -> bytes:
        """The document with this digest, checked against it.

        Raises:
            IssuerRefusedError: it is not there (``evidence.lost``) or is another one (``evidence.altered``).
            IssuerUnavailableError: it cannot be read (``evidence-store.unavailable``).
        """
        try:
            sealed = self._path(digest).read_bytes()
        except FileNotFoundError as error:
            raise IssuerRefusedError(
                f"document {digest.hex()} is not in the store", code="evidence.lost"
            ) from error
        except OSError as error:
            raise _unavailable("be read", error) from error
        sealer = self._sealer()
        try:
            document = sealer.open(sealed, purpose=_PURPOSE, row=digest)
        except IssuerUnavailableError as error:
            raise IssuerRefusedError(
                f"document {digest.hex()} is not what was put there", code="evidence.altered"
            ) from error
        return document

    def _path(self, digest: EvidenceDigest) -> Path:
        name = digest.hex()
        return self._directory / name[:2] / f"{name}.sealed"


def _unavailable(what: str, error: OSError) -> IssuerUnavailableError:
    return IssuerUnavailableError(
        f"the evidence store cannot {what}: {error.strerror}", code="evidence-store.unavailable"
    )
