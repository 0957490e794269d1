"""Texts and dates as the files write them (SPEC.md, 1.2)."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache

from card_layout.files.malformed import DataGroupError

__all__ = [
    "decode_date",
    "decode_moment",
    "decode_text",
    "encode_date",
    "encode_moment",
    "require_moment",
    "require_text",
    "require_texts",
]


def require_text(text: str, what: str, *, minimum: int = 1, maximum: int) -> bytes:
    """The UTF-8 bytes of a text that a file may hold: ``minimum`` to ``maximum`` bytes, NFC, printable.

    Raises:
        DataGroupError: the text breaks one of these; it is never quoted.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise DataGroupError(f"{what} has characters that UTF-8 cannot write") from error
    if not minimum <= len(encoded) <= maximum:
        raise DataGroupError(f"{what} has {len(encoded)} bytes, expected {minimum} to {maximum}")
    if not unicodedata.is_normalized("NFC", text):
        raise DataGroupError(f"{what} is not in normalisation form C")
    # Characters that print nothing can hide or turn around what is shown of a name.
    if not text.isprintable():
        raise DataGroupError(f"{what} has characters that cannot be printed")
    return encoded


def require_texts(texts: Sequence[str], sizes: Mapping[str, tuple[int, int]]) -> None:
    """The same of several texts, by the least and the most bytes of each under its name.

    All are judged as one first: no character composes with the space between two of them.

    Raises:
        DataGroupError: the first text that breaks a rule.
    """
    together = " ".join(texts)
    are_usual = together.isprintable() and unicodedata.is_normalized("NFC", together)
    for text, (what, (minimum, maximum)) in zip(texts, sizes.items(), strict=True):
        if not are_usual or not minimum <= len(text.encode()) <= maximum:
            require_text(text, what, minimum=minimum, maximum=maximum)


def decode_text(value: bytes, what: str) -> str:
    """The text of UTF-8 bytes; whatever holds it asks for the rules above itself.

    Raises:
        DataGroupError: the bytes are not UTF-8.
    """
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise DataGroupError(f"{what} is not UTF-8") from error


@lru_cache(maxsize=4096)
def encode_date(value: date) -> bytes:
    """Eight digits, YYYYMMDD; kept, because there are few days and many cards."""
    return f"{value.year:04d}{value.month:02d}{value.day:02d}".encode()


def decode_date(value: bytes, what: str) -> date:
    """The day that eight digits name.

    Raises:
        DataGroupError: not eight digits, or no day of the calendar.
    """
    # For bytes, a digit is one of ASCII.
    if len(value) != 8 or not value.isdigit():
        raise DataGroupError(f"{what} is not eight digits")
    try:
        return _day(value)
    except ValueError as error:
        raise DataGroupError(f"{what} is no day of the calendar") from error


@lru_cache(maxsize=4096)
def _day(digits: bytes) -> date:
    """The day of eight digits; kept, because there are few days and many cards."""
    return date.fromisoformat(digits.decode("ascii"))


def require_moment(value: datetime, what: str) -> None:
    """A moment that 14 digits can tell: aware, in UTC, of whole seconds.

    Raises:
        DataGroupError: it is not.
    """
    if value.utcoffset() != timedelta(0) or value.microsecond:
        raise DataGroupError(f"{what} is not a whole second in UTC")


def encode_moment(value: datetime) -> bytes:
    """Fourteen digits, YYYYMMDDhhmmss."""
    return encode_date(value) + f"{value.hour:02d}{value.minute:02d}{value.second:02d}".encode()


def decode_moment(value: bytes, what: str) -> datetime:
    """The moment in UTC that fourteen digits name.

    Raises:
        DataGroupError: not fourteen digits, or no moment.
    """
    if len(value) != 14 or not value.isdigit():
        raise DataGroupError(f"{what} is not fourteen digits")
    decode_date(value[:8], what)
    digits = value.decode("ascii")
    try:
        # Some versions of the library take the end of a day, 24:00, for the beginning of the next.
        hour = "" if digits[8:10] > "23" else digits[8:]
        return datetime.fromisoformat(f"{digits[:8]}T{hour}Z")
    except ValueError as error:
        raise DataGroupError(f"{what} is no time of day") from error
