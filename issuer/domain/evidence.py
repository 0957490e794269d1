"""Documents that changes rest on: how large they may be, and of which kinds, told by how they begin."""

from enum import Enum
from typing import Final

from issuer.errors import IssuerDataError

__all__ = ["MAX_EVIDENCE_BYTES", "EvidenceKind"]

MAX_EVIDENCE_BYTES: Final = 10 * 1024 * 1024
"""The largest document taken: some twenty scanned pages."""


class EvidenceKind(Enum):
    """What a document may be: its media type, the ending of its file, and the bytes with which it begins."""

    PDF = ("application/pdf", "pdf", b"%PDF-")
    JPEG = ("image/jpeg", "jpg", b"\xff\xd8\xff")
    PNG = ("image/png", "png", b"\x89PNG\r\n\x1a\n")

    def __init__(self, media_type: str, ending: str, beginning: bytes) -> None:
        self.media_type = media_type
        self.ending = ending
        self.beginning = beginning

    @classmethod
    def of(cls, document: bytes) -> "EvidenceKind":
        """The kind of a document.

        Raises:
            IssuerDataError: it is none that we keep (``evidence.kind``).
        """
        for kind in cls:
            if document.startswith(kind.beginning):
                return kind
        raise IssuerDataError("the document is none of PDF, JPEG, PNG", code="evidence.kind")
