"""Texts and dates as the files write them (SPEC.md, 1.2)."""

import unicodedata
from datetime import UTC, date, datetime, timedelta

from card_layout.files.malformed import DataGroupError

__all__ = [
    "decode_date",
    "decode_moment",
    "decode_text",
    "encode_date",
    "encode_moment",
    "require_moment",
    "require_text",
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


def decode_text(value: bytes, what: str, *, minimum: int = 1, maximum: int) -> str:
    """The text of UTF-8 bytes, under the same rules.

    Raises:
        DataGroupError: the bytes break one of them.
    """
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise DataGroupError(f"{what} is not UTF-8") from error
    require_text(text, what, minimum=minimum, maximum=maximum)
    return text


def encode_date(value: date) -> bytes:
    """Eight digits, YYYYMMDD."""
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
        return date.fromisoformat(value.decode("ascii"))
    except ValueError as error:
        raise DataGroupError(f"{what} is no day of the calendar") from error


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
    day = decode_date(value[:8], what)
    try:
        return datetime(
            day.year,
            day.month,
            day.day,
            int(value[8:10]),
            int(value[10:12]),
            int(value[12:]),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise DataGroupError(f"{what} is no time of day") from error
