"""The values of a stored snapshot, taken back exactly as its format says: every one is checked for type and bound.

Whatever is anything else raises ``SnapshotError``, which names the value and never shows it.
"""

import base64
import binascii
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final, TypeVar

from verifier.errors import SnapshotError

__all__ = [
    "MAX_CODE_CHARACTERS",
    "decode_bytes",
    "encode_bytes",
    "no_constant",
    "object_without_repeats",
    "read_fields",
    "read_member",
    "read_number",
    "read_optional_text",
    "read_text",
    "read_truth",
]

MAX_CODE_CHARACTERS: Final = 64

Choice = TypeVar("Choice", bound=StrEnum)


def encode_bytes(data: bytes | None) -> str | None:
    """Base64, or ``None`` for nothing."""
    return None if data is None else base64.b64encode(data).decode("ascii")


def decode_bytes(value: object, name: str, maximum: int) -> bytes | None:
    """Bytes from the one base64 form that they have, or ``None``."""
    if value is None:
        return None
    text = read_text(value, name, 4 * (maximum // 3 + 1))
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SnapshotError(f"{name} is not base64") from error
    if len(data) > maximum:
        raise SnapshotError(f"{name} has {len(data)} bytes, expected at most {maximum}")
    # Unused bits of the last character could make two texts of one value.
    if base64.b64encode(data).decode("ascii") != text:
        raise SnapshotError(f"{name} is not in its only base64 form")
    return data


def object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For ``json.loads``: an object in which no key stands twice, and every one can be written."""
    found = dict(pairs)
    # JSON can name half a character (an escape such as D800 alone): what is later told of such a key could not be shown to anybody.
    "".join(found).encode()
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def no_constant(name: str) -> float:
    """For ``json.loads``: NaN and Infinity are no JSON."""
    raise ValueError(f"{name} is not JSON")


def read_fields(value: object, name: str, keys: Iterable[str]) -> dict[str, Any]:
    """An object with exactly these keys."""
    if not isinstance(value, dict):
        raise SnapshotError(f"{name} is not an object")
    expected = set(keys)
    if set(value) != expected:
        difference = min(set(value) ^ expected)
        raise SnapshotError(f"{name} has a key too many or too few: {difference[:40]!r}")
    return value


def read_text(value: object, name: str, maximum: int) -> str:
    """A text of at most so many characters."""
    if not isinstance(value, str) or len(value) > maximum:
        raise SnapshotError(f"{name} is not a text of at most {maximum} characters")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise SnapshotError(f"{name} holds half a character") from error
    return value


def read_optional_text(value: object, name: str, maximum: int) -> str | None:
    """A text, or ``None``."""
    return None if value is None else read_text(value, name, maximum)


def read_truth(value: object, name: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise SnapshotError(f"{name} is neither true nor false")
    return value


def read_number(value: object, name: str) -> int:
    """A number of 32 bits."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 0xFFFFFFFF:
        raise SnapshotError(f"{name} is not a number from 0 to 4294967295")
    return value


def read_member(choices: type[Choice], value: object, name: str) -> Choice:
    """One of the choices."""
    try:
        return choices(read_text(value, name, MAX_CODE_CHARACTERS))
    except ValueError as error:
        raise SnapshotError(f"{name} is none of {', '.join(choices)}") from error
