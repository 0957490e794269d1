"""How a reading names a file: as people do, and by the identifiers that a chip knows it by."""

from dataclasses import dataclass
from typing import Final

from verifier.reading.chip_proofs import CARD_SECURITY

__all__ = ["CARD_SECURITY_FILE", "FileName"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """A file's name, its short identifier where it has one, and its identifier."""

    name: str
    short_identifier: int | None
    file_identifier: int


CARD_SECURITY_FILE: Final = FileName(
    name=CARD_SECURITY, short_identifier=0x1D, file_identifier=0x011D
)
