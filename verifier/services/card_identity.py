"""What tells cards apart, from the evidence of a reading: for pseudonyms, never shown."""

from hashlib import sha256
from typing import Final

from card_layout.errors import CardDataError
from card_layout.files.security_object_file import SecurityObjectFile
from pki.errors import PkiError
from pki.signed.security_object import SecurityObject
from verifier.inspection.snapshot import CardSnapshot

__all__ = ["card_identity"]

_BY_STATUS: Final = b"status"
_BY_SECURITY_OBJECT: Final = b"security-object"


def card_identity(snapshot: CardSnapshot) -> bytes | None:
    """The card's place in its status list, else a digest of its security object; ``None`` where neither was read.

    It is as true as the card: whether its signature holds stands in the report.
    """
    content = snapshot.content("EF.SOD")
    if content is None:
        return None
    try:
        file = SecurityObjectFile.from_bytes(content)
        reference = SecurityObject.from_bytes(file.content_info).status_reference
    except (CardDataError, PkiError):
        reference = None
    if reference is None:
        return _BY_SECURITY_OBJECT + sha256(content).digest()
    return _BY_STATUS + reference.list_id + reference.index.to_bytes(8, "big")
