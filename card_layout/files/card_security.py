"""EF.CardSecurity: SecurityInfos under a signature, readable once PACE succeeded (ICAO 9303-11, 9.2.11; SPEC.md, 5.8)."""

from dataclasses import dataclass, field
from typing import Self

from card_layout import der, tlv
from card_layout.files.malformed import CardSecurityError, malformed_as

__all__ = ["CardSecurity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSecurity:
    """The file around one DER ``ContentInfo``, whose inside is not the card layout's business."""

    content_info: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """The whole file, which is the ContentInfo."""
        return self.content_info

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the whole file.

        Raises:
            CardSecurityError: anything but one SEQUENCE.
        """
        with malformed_as(CardSecurityError, "EF.CardSecurity"):
            tlv.parse(data, expected_tag=der.SEQUENCE)
        return cls(content_info=data)
