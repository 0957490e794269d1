"""Who holds a key and who certified it: holder and authority references (TR-03110-3, A.6.1 and C.1).

A reference is the country, the holder's mnemonic and a sequence number that tells the holder's keys apart. The
reference of the key that signed stands in a certificate as the certification authority reference (42), the
reference of the key that is certified as the certificate holder reference (5F20).
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from pki.errors import PkiDataError, PkiRefusedError

__all__ = ["HolderReference"]

_MIN_BYTES: Final = 8
_MAX_BYTES: Final = 16
_SEQUENCE_CHARACTERS: Final = 5
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_SEQUENCE: Final = re.compile(r"[0-9A-Z]{5}")
_SUFFIX_AFTER_COUNTRY: Final = re.compile(r"[A-Z]{2}[0-9A-Z]{3}")
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderReference:
    """Two capital letters, a mnemonic of 1 to 9 characters (ISO/IEC 8859-1), five digits or capital letters."""

    country: str
    mnemonic: str
    sequence_number: str

    def __post_init__(self) -> None:
        if not _COUNTRY.fullmatch(self.country):
            raise _malformed(f"country is {self.country[:20]!r}, expected two capital letters")
        if not 1 <= len(self.mnemonic) <= 9 or not all(map(_is_printable, self.mnemonic)):
            raise _malformed(
                f"mnemonic is {self.mnemonic[:20]!r}, expected 1 to 9 printable characters of ISO/IEC 8859-1"
            )
        if not _SEQUENCE.fullmatch(self.sequence_number):
            raise _malformed(
                f"sequence number is {self.sequence_number[:20]!r}, expected five digits or capital letters"
            )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the value of 42 or 5F20, 8 to 16 bytes.

        Raises:
            PkiDataError: ``cv-certificate.malformed``.
        """
        if not _MIN_BYTES <= len(data) <= _MAX_BYTES:
            raise _malformed(
                f"reference has {len(data)} bytes, expected {_MIN_BYTES} to {_MAX_BYTES}"
            )
        text = data.decode("iso-8859-1")
        return cls(
            country=text[:2],
            mnemonic=text[2:-_SEQUENCE_CHARACTERS],
            sequence_number=text[-_SEQUENCE_CHARACTERS:],
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read a reference as people write it, ``VNGATE00001``.

        Raises:
            PkiDataError: ``cv-certificate.malformed``.
        """
        try:
            return cls.from_bytes(text.encode("iso-8859-1"))
        except UnicodeEncodeError as error:
            raise _malformed(
                f"reference is {text[:20]!r}, expected characters of ISO/IEC 8859-1"
            ) from error

    def to_bytes(self) -> bytes:
        """The value of 42 or 5F20."""
        return self.text.encode("iso-8859-1")

    @property
    def text(self) -> str:
        """As people write it."""
        return self.holder + self.sequence_number

    @property
    def holder(self) -> str:
        """Country and mnemonic: the same for all keys of one holder."""
        return self.country + self.mnemonic

    @property
    def next(self) -> Self:
        """The reference of the holder's next key.

        Digits alone count decimally. Where the number begins with a country's two letters, the three behind them
        count, else all five; digits come before letters.

        Raises:
            PkiRefusedError: ``cv-certificate.sequence-exhausted``.
        """
        number = self.sequence_number
        fixed, counted, base = "", number, 36
        if number.isdecimal():
            base = 10
        elif _SUFFIX_AFTER_COUNTRY.fullmatch(number):
            fixed, counted = number[:2], number[2:]
        following = int(counted, base) + 1
        if following == base ** len(counted):
            raise PkiRefusedError(
                f"sequence number {number} of {self.holder} is the last one",
                code="cv-certificate.sequence-exhausted",
                hint="give the holder another mnemonic",
            )
        written = ""
        for _ in counted:
            following, digit = divmod(following, base)
            written = _DIGITS[digit] + written
        return type(self)(
            country=self.country, mnemonic=self.mnemonic, sequence_number=fixed + written
        )

    def is_later_than(self, other: Self) -> bool:
        """Whether this is a later key of the same holder."""
        # Five characters, digits before letters: the order of the texts is that of the numbers.
        return self.holder == other.holder and self.sequence_number > other.sequence_number


def _is_printable(character: str) -> bool:
    return " " <= character <= "~" or "\xa0" <= character <= "\xff"


def _malformed(message: str) -> PkiDataError:
    return PkiDataError(message, code="cv-certificate.malformed")
