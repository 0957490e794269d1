"""What tells cards apart, from the evidence of a reading: for pseudonyms, never shown."""

from hashlib import sha256
from typing import Final

from card_layout.errors import CardDataError
from card_layout.files.security_object_file import SecurityObjectFile
from pki.errors import PkiError
from pki.signed.security_object import SecurityObject
from verifier.inspection.snapshot import CardSnapshot, ChipOutcome

__all__ = ["card_identity", "chip_identity"]

_BY_STATUS: Final = b"status"
_BY_SECURITY_OBJECT: Final = b"security-object"
_BY_CHIP_KEY: Final = b"chip-key"


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


def chip_identity(snapshot: CardSnapshot) -> bytes | None:
    """The key that the chip has proven to have, as a digest; ``None`` where it proved nothing.

    Two cards with one key, or one card with two, are a clone: a chip's key never leaves it.
    """
    chip = snapshot.chip
    if chip.outcome is not ChipOutcome.PROVEN or chip.public_key is None:
        return None
    return _BY_CHIP_KEY + sha256(chip.public_key).digest()
