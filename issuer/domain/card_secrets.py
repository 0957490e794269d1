"""The secrets of one card, drawn independently of all data: CAN, document number, salt.

They are secret until the card is handed over: together they open the chip and test guesses of its record.
"""

import re
from dataclasses import dataclass, field
from typing import Self

from issuer.domain.status_allotment import RandomBytes, draw_below
from issuer.errors import IssuerDataError

__all__ = ["CAN_DIGITS", "DOCUMENT_NUMBER_CHARACTERS", "SALT_BYTES", "CardSecrets"]

CAN_DIGITS = 6
DOCUMENT_NUMBER_CHARACTERS = 9
SALT_BYTES = 16

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_PAIRS = [second + first for first in _ALPHABET for second in _ALPHABET]
_CAN = re.compile(r"[0-9]{6}")
_DOCUMENT_NUMBER = re.compile(r"[A-Z0-9]{9}")
_ENCODED_BYTES = CAN_DIGITS + DOCUMENT_NUMBER_CHARACTERS + SALT_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSecrets:
    """CAN of six digits (SPEC.md 5.1), document number of nine characters A-Z0-9 (3.6), salt of DG13 (3.10)."""

    can: str = field(repr=False)
    document_number: str = field(repr=False)
    salt: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not _CAN.fullmatch(self.can):
            raise IssuerDataError("the card access number is not six digits")
        if not _DOCUMENT_NUMBER.fullmatch(self.document_number):
            raise IssuerDataError("the document number is not nine characters A-Z0-9")
        if len(self.salt) != SALT_BYTES:
            raise IssuerDataError(f"salt has {len(self.salt)} bytes, expected {SALT_BYTES}")

    @classmethod
    def draw(cls, random_bytes: RandomBytes) -> Self:
        """New secrets, every value uniform over all there are."""
        return cls(
            can=f"{draw_below(random_bytes, 10**CAN_DIGITS):0{CAN_DIGITS}d}",
            document_number=_draw_document_number(random_bytes),
            salt=random_bytes(SALT_BYTES),
        )

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """The form in which they are sealed: 31 bytes.

        Raises:
            IssuerDataError: anything else.
        """
        if len(encoded) != _ENCODED_BYTES or not encoded[:-SALT_BYTES].isascii():
            raise IssuerDataError(
                f"sealed secrets have {len(encoded)} bytes, expected {_ENCODED_BYTES}"
            )
        text = encoded[:-SALT_BYTES].decode("ascii")
        return cls(
            can=text[:CAN_DIGITS], document_number=text[CAN_DIGITS:], salt=encoded[-SALT_BYTES:]
        )

    def to_bytes(self) -> bytes:
        """CAN, document number, salt, one behind another."""
        return self.can.encode("ascii") + self.document_number.encode("ascii") + self.salt


def _draw_document_number(random_bytes: RandomBytes) -> str:
    """One number below 36 to the power of nine, written with as many characters: one draw instead of nine."""
    number = draw_below(random_bytes, len(_ALPHABET) ** DOCUMENT_NUMBER_CHARACTERS)
    pairs: list[str] = []
    for _ in range(DOCUMENT_NUMBER_CHARACTERS // 2):
        number, place = divmod(number, len(_PAIRS))
        pairs.append(_PAIRS[place])
    return "".join(pairs) + _ALPHABET[number]
