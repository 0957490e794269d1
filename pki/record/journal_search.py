"""Finding one entry of a long journal by a number that only grows along it, such as its sequence or its leaf."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from pki.errors import RecordError
from pki.record.journal import JournalEntry

__all__ = ["find_entry"]

_MAX_LINE_BYTES: Final = 65536
_SCAN_BYTES: Final = 4 * _MAX_LINE_BYTES


def find_entry(
    path: Path, wanted: int, *, end: int, number_of: Callable[[JournalEntry], int | None]
) -> JournalEntry | None:
    """The entry with a number, among those in the first ``end`` bytes; entries without a number are passed over.

    Each line that is looked at is checked by itself. That it is the right one is for whoever uses it to prove.

    Raises:
        RecordError: ``record.damaged``, ``record.unreadable``.
    """
    try:
        with path.open("rb") as file:
            low, high = 0, end
            while high - low > _SCAN_BYTES:
                middle = (low + high) // 2
                number = _first_number(file, middle, end, number_of)
                if number is None or number > wanted:
                    high = middle
                else:
                    low = middle
            _seek_line(file, low)
            while file.tell() < end:
                entry = _read(file)
                number = number_of(entry)
                if number is not None and number >= wanted:
                    return entry if number == wanted else None
    except OSError as error:
        raise RecordError(
            f"journal {path} cannot be read: {error.strerror}", code="record.unreadable"
        ) from error
    return None


def _first_number(
    file: BinaryIO, begin: int, end: int, number_of: Callable[[JournalEntry], int | None]
) -> int | None:
    _seek_line(file, begin)
    while file.tell() < end:
        number = number_of(_read(file))
        if number is not None:
            return number
    return None


def _seek_line(file: BinaryIO, begin: int) -> None:
    """To the first line that begins at a byte or behind it."""
    file.seek(max(0, begin - 1))
    if begin:
        file.readline(_MAX_LINE_BYTES)


def _read(file: BinaryIO) -> JournalEntry:
    return JournalEntry.from_bytes(file.readline(_MAX_LINE_BYTES).removesuffix(b"\n"))
