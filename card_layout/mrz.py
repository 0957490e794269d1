"""The machine-readable zone of a card of size TD1 (ICAO 9303-5, 4.2; check digits 9303-3, 4.9).

Three lines of 30 characters, held and exchanged as one text of 90.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from operator import attrgetter
from typing import Self

from card_layout.errors import CardDataError

__all__ = [
    "LENGTH",
    "MachineReadableZone",
    "MrzError",
    "check_digit",
    "mrz_date",
    "password_from_information",
]

LENGTH = 90
"""Characters of a TD1 zone."""

_FILLER = "<"
_LAST_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DIGITS_AND_LETTERS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUES = bytes(max(0, _DIGITS_AND_LETTERS.find(character)) for character in range(256))
"""The value of each character by its code; that of ``<`` is 0."""

_CHARACTERS = re.compile(r"[A-Z0-9<]*", re.ASCII)
_INFORMATION = re.compile(r"([A-Z0-9<]{9})([0-9])([0-9<]{6})([0-9])([0-9<]{6})([0-9])", re.ASCII)
_PATTERNS = {
    # 9303-5, note k: the first letter is A, C or I.
    "document_code": re.compile(r"[ACI][A-Z0-9]?", re.ASCII),
    "issuing_state": re.compile(r"[A-Z]{1,3}", re.ASCII),
    "document_number": re.compile(r"[A-Z0-9]([A-Z0-9<]{0,7}[A-Z0-9])?", re.ASCII),
    "optional_1": re.compile(r"([A-Z0-9<]{0,14}[A-Z0-9])?", re.ASCII),
    "birth_date": re.compile(r"([0-9]{2}|<<)([0-9]{2}|<<)([0-9]{2}|<<)", re.ASCII),
    "sex": re.compile(r"[MF<]", re.ASCII),
    "expiry_date": re.compile(r"[0-9]{6}", re.ASCII),
    "nationality": re.compile(r"[A-Z]{1,3}", re.ASCII),
    "optional_2": re.compile(r"([A-Z0-9<]{0,10}[A-Z0-9])?", re.ASCII),
    "name": re.compile(r"[A-Z][A-Z<]{29}", re.ASCII),
}
_FIELDS = re.compile("\n".join(pattern.pattern for pattern in _PATTERNS.values()), re.ASCII)
"""All fields in one text. None of them has a line end in it, so that each ends where its own does."""


class MrzError(CardDataError):
    """A zone that breaks 9303-5, or whose check digits are wrong (``mrz.check-digit``); never quoted."""

    default_code = "mrz.malformed"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MachineReadableZone:
    """The fields of a TD1 zone, without the fillers behind them; ``name`` alone is all of its 30 characters.

    Dates are ``YYMMDD``; unknown parts of the birth date are ``<<``.
    """

    document_code: str
    issuing_state: str
    document_number: str
    birth_date: str
    sex: str
    expiry_date: str
    nationality: str
    name: str
    optional_1: str = ""
    optional_2: str = ""

    def __post_init__(self) -> None:
        if _FIELDS.fullmatch("\n".join(_texts_of(self))) is None:
            raise MrzError(f"{self._wrong_field()} of the mrz is not what 9303-5 allows there")
        for field_name, day in (("birth_date", self.birth_date), ("expiry_date", self.expiry_date)):
            if not _is_date(day):
                raise MrzError(f"{field_name} of the mrz is not a date")

    def _wrong_field(self) -> str:
        """The first field that is not what its pattern allows."""
        return next(
            (
                field_name
                for field_name, pattern in _PATTERNS.items()
                if pattern.fullmatch(getattr(self, field_name)) is None
            ),
            "a field",
        )

    @property
    def information(self) -> str:
        """Document number, birth date and expiry date, each with its check digit (9303-11, 9.7.3)."""
        return (
            _checked(self.document_number.ljust(9, _FILLER))
            + _checked_date(self.birth_date)
            + _checked_date(self.expiry_date)
        )

    def to_text(self) -> str:
        """The 90 characters of the three lines."""
        upper = (
            self.document_code.ljust(2, _FILLER)
            + self.issuing_state.ljust(3, _FILLER)
            + _checked(self.document_number.ljust(9, _FILLER))
            + self.optional_1.ljust(15, _FILLER)
        )
        middle = (
            _checked_date(self.birth_date)
            + self.sex
            + _checked_date(self.expiry_date)
            + self.nationality.ljust(3, _FILLER)
            + self.optional_2.ljust(11, _FILLER)
        )
        checked = _composite(_values_of(upper), _values_of(middle))
        return upper + middle + _digit_over(checked) + self.name

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read the 90 characters of the three lines, without line ends.

        Raises:
            MrzError: not a TD1 zone; a check digit is wrong (code ``mrz.check-digit``).
        """
        if len(text) != LENGTH:
            raise MrzError(f"mrz has {len(text)} characters, expected {LENGTH}")
        if _CHARACTERS.fullmatch(text) is None:
            raise MrzError("mrz has characters other than A-Z, 0-9 and <")
        upper, middle, name = text[:30], text[30:60], text[60:]
        if upper[14] == _FILLER:
            raise MrzError("document number has more than 9 characters, which is not supported")
        values = _values_of(text)
        for what, checked, digit in (
            ("document number", values[5:14], upper[14]),
            ("birth date", values[30:36], middle[6]),
            ("expiry date", values[38:44], middle[14]),
            ("whole", _composite(values[:30], values[30:60]), middle[29]),
        ):
            if _digit_over(checked) != digit:
                raise MrzError(f"check digit of the {what} is wrong", code="mrz.check-digit")
        return cls(
            document_code=upper[0:2].rstrip(_FILLER),
            issuing_state=upper[2:5].rstrip(_FILLER),
            document_number=upper[5:14].rstrip(_FILLER),
            optional_1=upper[15:30].rstrip(_FILLER),
            birth_date=middle[0:6],
            sex=middle[7],
            expiry_date=middle[8:14],
            nationality=middle[15:18].rstrip(_FILLER),
            optional_2=middle[18:29].rstrip(_FILLER),
            name=name,
        )


@lru_cache(maxsize=4096)
def mrz_date(day: date) -> str:
    """The day as ``YYMMDD``; kept, because there are few days and many cards."""
    return f"{day.year % 100:02d}{day.month:02d}{day.day:02d}"


def check_digit(text: str) -> str:
    """The check digit over the characters of one or more fields (9303-3, 4.9).

    Raises:
        MrzError: characters other than A-Z, 0-9 and ``<``.
    """
    if _CHARACTERS.fullmatch(text) is None:
        raise MrzError("check digit asked of characters other than A-Z, 0-9 and <")
    return _digit_over(_values_of(text))


def _values_of(text: str) -> bytes:
    """The value of each character."""
    return text.encode("ascii").translate(_VALUES)


def _digit_over(values: bytes) -> str:
    # The weights are 7, 3 and 1 by turns.
    return str((7 * sum(values[0::3]) + 3 * sum(values[1::3]) + sum(values[2::3])) % 10)


def password_from_information(information: str) -> bytes:
    """The PACE password of an MRZ: SHA-1 of its information, 20 bytes (9303-11, 9.7.3).

    Raises:
        MrzError: not 24 characters of number and dates with right check digits.
    """
    match = _INFORMATION.fullmatch(information)
    if match is None:
        raise MrzError("mrz information is not a document number and two dates with check digits")
    for value, digit in zip(match.groups()[::2], match.groups()[1::2], strict=True):
        if check_digit(value) != digit:
            raise MrzError("a check digit of the mrz information is wrong", code="mrz.check-digit")
    # The standard fixes SHA-1 here; it only spreads a password, nothing relies on its collisions.
    return hashlib.sha1(information.encode("ascii"), usedforsecurity=False).digest()


_texts_of = attrgetter(*_PATTERNS)


def _checked(value: str) -> str:
    """A field, which has no other characters than its pattern allows, with its check digit."""
    return value + _digit_over(_values_of(value))


_checked_date = lru_cache(maxsize=4096)(_checked)
"""Kept as ``mrz_date`` is."""


def _composite(upper: bytes, middle: bytes) -> bytes:
    """What the composite check digit covers of two lines (9303-5, 4.2.4)."""
    return upper[5:30] + middle[0:7] + middle[8:15] + middle[18:29]


@lru_cache(maxsize=4096)
def _is_date(text: str) -> bool:
    """Whether the known parts can be a date in some century."""
    year, month, day = text[:2], text[2:4], text[4:6]
    if _FILLER in month:
        return _FILLER in day or 1 <= int(day) <= 31
    if not 1 <= int(month) <= 12:
        return False
    # Of two-digit years, 00 stands for 2000 too, so every multiple of four can be a leap year.
    is_leap = _FILLER in year or int(year) % 4 == 0
    last_day = 29 if is_leap and month == "02" else _LAST_DAYS[int(month) - 1]
    return _FILLER in day or 1 <= int(day) <= last_day
