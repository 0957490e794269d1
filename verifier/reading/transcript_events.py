"""The lines of a transcript: what happened between a reading and its card, one JSON object a line (docs/decisions/0028).

A line holds no secret by construction: of a command its header and lengths, of an answer its length and status word,
and of data only what redaction left (`verifier.reading.redaction`).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Any, Final, Self

from card_layout.files.data_groups import TAG_OF_GROUP
from verifier.errors import SnapshotError
from verifier.inspection.snapshot_values import (
    MAX_CODE_CHARACTERS,
    no_constant,
    object_without_repeats,
    read_member,
    read_number,
    read_text,
    read_truth,
)

__all__ = ["Event", "EventKind", "TranscriptError"]

_MAX_LINE_CHARACTERS: Final = 400_000
_MAX_DATA_BYTES: Final = 70_000
_MAX_CERTIFICATES: Final = 8
_MAX_SECONDS: Final = 86_400


class TranscriptError(SnapshotError):
    """A transcript breaks its format, or a reading of today does something else than the one that it records."""

    default_code = "transcript.malformed"


@unique
class EventKind(StrEnum):
    """What a line tells."""

    CONNECT = "connect"
    """The card was powered: ``data`` is its ATR."""
    RESET = "reset"
    """The card was reset: ``data`` is its ATR."""
    FILE = "file"
    """From here to ``file-end`` one file is read: ``name``."""
    FILE_END = "file-end"
    PROTOCOL = "protocol"
    """From here to ``protocol-end`` an access protocol runs: ``name``."""
    PROTOCOL_END = "protocol-end"
    COMMAND = "command"
    """A command as it was meant, before protection and chaining."""
    APDU = "apdu"
    """One APDU on the wire, with its answer."""
    ANSWER = "answer"
    """What a protected answer held."""
    DEADLINE = "deadline"
    """The time of the inspection was over."""
    CUT = "cut"
    """Nobody waited for the reading any more; it is the last line, whatever was under way."""
    CHAIN = "chain"
    """The certificates that the terminal chose to show, from below the trust point ``name``."""
    PROOF = "proof"
    """Whether PACE proved a key of EF.CardSecurity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line; what does not apply is ``None``.

    ``seconds`` count from the beginning of the reading. ``error`` is the kind of an error as
    `verifier.reading.error_notes` names it, ``code`` its stable code.
    """

    kind: EventKind
    seconds: float
    name: str | None = None
    header: bytes | None = None
    command_bytes: int | None = None
    expected_bytes: int | None = None
    response_bytes: int | None = None
    status_word: int | None = None
    data: bytes | None = field(default=None, repr=False)
    error: str | None = None
    code: str | None = None
    is_proven: bool | None = None
    certificates: tuple[bytes, ...] | None = field(default=None, repr=False)
    data_groups: tuple[int, ...] | None = None

    def to_line(self) -> str:
        """The JSON object, with the keys that apply."""
        document: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value is None:
                continue
            if isinstance(value, bytes):
                value = value.hex().upper()
            elif item.name == "certificates":
                value = [certificate.hex().upper() for certificate in value]
            elif item.name == "status_word":
                value = f"{value:04X}"
            document[item.name] = value
        return json.dumps(document, ensure_ascii=False)

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Take one line back, exactly as the format says.

        Raises:
            TranscriptError: anything else.
        """
        document = read_line(line)
        unknown = sorted(set(document) - set(_READERS))
        if unknown or not {"kind", "seconds"} <= set(document):
            raise TranscriptError("a line of the transcript has a key too many or too few")
        try:
            return cls(**{name: _READERS[name](value) for name, value in document.items()})
        except TranscriptError:
            raise
        except SnapshotError as error:
            raise TranscriptError(str(error)) from error


def read_line(line: str) -> dict[str, Any]:
    """One JSON object.

    Raises:
        TranscriptError: anything else.
    """
    if len(line) > _MAX_LINE_CHARACTERS:
        raise TranscriptError(f"a line has more than {_MAX_LINE_CHARACTERS} characters")
    try:
        document = json.loads(
            line, object_pairs_hook=object_without_repeats, parse_constant=no_constant
        )
    except (ValueError, RecursionError) as error:
        raise TranscriptError("a line of the transcript is not JSON") from error
    if not isinstance(document, dict):
        raise TranscriptError("a line of the transcript is not an object")
    return document


def _bytes(value: object) -> bytes:
    text = read_text(value, "data", 2 * _MAX_DATA_BYTES)
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise TranscriptError("data of the transcript is not hexadecimal") from error


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TranscriptError("seconds of the transcript is not a number")
    if not 0 <= value <= _MAX_SECONDS:
        raise TranscriptError(f"seconds of the transcript is not between 0 and {_MAX_SECONDS}")
    return float(value)


def _status_word(value: object) -> int:
    found = _bytes(value)
    if len(found) != 2:
        raise TranscriptError("a status word of the transcript is not two bytes")
    return int.from_bytes(found, "big")


def _certificates(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > _MAX_CERTIFICATES:
        raise TranscriptError(f"certificates is not a list of at most {_MAX_CERTIFICATES}")
    return tuple(map(_bytes, value))


def _data_groups(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > len(TAG_OF_GROUP):
        raise TranscriptError("data_groups is not a list of data groups")
    found = tuple(read_number(item, "a data group") for item in value)
    if not set(found) <= set(TAG_OF_GROUP):
        raise TranscriptError("data_groups is not a list of data groups")
    return found


def _number(name: str) -> Callable[[object], int]:
    return lambda value: read_number(value, name)


def _text(name: str) -> Callable[[object], str]:
    return lambda value: read_text(value, name, MAX_CODE_CHARACTERS)


_READERS: Final[Mapping[str, Callable[[object], Any]]] = MappingProxyType(
    {
        "kind": lambda value: read_member(EventKind, value, "the kind of a line"),
        "seconds": _seconds,
        "name": _text("name"),
        "header": _bytes,
        "command_bytes": _number("command_bytes"),
        "expected_bytes": _number("expected_bytes"),
        "response_bytes": _number("response_bytes"),
        "status_word": _status_word,
        "data": _bytes,
        "error": _text("error"),
        "code": _text("code"),
        "is_proven": lambda value: read_truth(value, "is_proven"),
        "certificates": _certificates,
        "data_groups": _data_groups,
    }
)
