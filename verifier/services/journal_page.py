"""A page of a terminal's journal on its way to the centre: records as they are chained, and behind which one they begin."""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

from verifier.errors import VerifierError
from verifier.inspection.report import Assurance, Verdict
from verifier.services.card_pseudonym import PSEUDONYM_BYTES
from verifier.services.journal_chain import (
    JournalHead,
    JournalLine,
    StoredHolder,
    StoredInspection,
    link,
)
from verifier.services.terminal_state import HolderAnswer

__all__ = ["MAX_PAGE_RECORDS", "JournalPage", "JournalPageError", "stored_record"]

MAX_PAGE_RECORDS: Final = 400

_MAX_BODY_CHARACTERS: Final = 8192
_MAX_NUMBER: Final = (1 << 62) - 1
_MAX_CODES: Final = 64
_DIGEST_BYTES: Final = 32
_HEX: Final = re.compile(r"[0-9a-f]*")
_CODE: Final = re.compile(r"[a-z][a-z0-9.-]{0,79}")
_PURPOSE: Final = re.compile(r"[ -~]{0,64}")
_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_PAGE_KEYS: Final = {"begin", "begin_digest", "dropped", "release", "records"}
_INSPECTION_KEYS: Final = {"kind", "at", "terminal", "purpose", "verdict", "assurance", "codes", "notes", "card", "chip"}  # fmt: skip
_HOLDER_KEYS: Final = {"kind", "at", "terminal", "inspection", "holder"}


class JournalPageError(VerifierError):
    """What came is no page of a journal."""

    default_code = "centre.journal-malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPage:
    """Records behind ``begin``; the terminal has let go of all up to number ``dropped``.

    ``release`` takes the terminal's key off its pseudonyms; it is used and forgotten.
    """

    begin: JournalHead
    dropped: int
    release: bytes = field(repr=False)
    bodies: tuple[str, ...] = field(repr=False)

    def lines(self) -> tuple[JournalLine, ...]:
        """The records with the numbers and digests that they have if the page is whole."""
        head, found = self.begin, []
        for body in self.bodies:
            line = JournalLine(sequence=head.sequence + 1, body=body, digest=link(head, body))
            found.append(line)
            head = line.head
        return tuple(found)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a page.

        Raises:
            JournalPageError: it is none.
        """
        try:
            found: Any = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise JournalPageError("the page is not JSON") from error
        if not isinstance(found, dict) or set(found) != _PAGE_KEYS:
            raise JournalPageError(f"the page has other members than {sorted(_PAGE_KEYS)}")
        records = found["records"]
        if (
            not isinstance(records, list)
            or len(records) > MAX_PAGE_RECORDS
            or not all(
                isinstance(item, str) and len(item) <= _MAX_BODY_CHARACTERS for item in records
            )
        ):
            raise JournalPageError(f"the page's records are not at most {MAX_PAGE_RECORDS} texts")
        try:
            "".join(records).encode()
        except UnicodeEncodeError as error:
            raise JournalPageError("a record is no text") from error
        return cls(
            begin=JournalHead(
                sequence=_number(found["begin"]),
                digest=_hex(found["begin_digest"], _DIGEST_BYTES),
            ),
            dropped=_number(found["dropped"]),
            release=_hex(found["release"], PSEUDONYM_BYTES),
            bodies=tuple(records),
        )

    def to_bytes(self) -> bytes:
        """As it is sent."""
        document = {
            "begin": self.begin.sequence,
            "begin_digest": self.begin.digest.hex(),
            "dropped": self.dropped,
            "release": self.release.hex(),
            "records": list(self.bodies),
        }
        return json.dumps(document, separators=(",", ":")).encode()


def stored_record(line: JournalLine) -> StoredInspection | StoredHolder:
    """What stands in a record that somebody else wrote.

    Raises:
        JournalPageError: it is no record of this version.
        JournalError: it is not JSON.
    """
    fields = line.fields
    try:
        at = datetime.strptime(_text(fields["at"]), _TIME).replace(tzinfo=UTC)
        terminal = _text(fields["terminal"])
        if fields["kind"] == "holder" and set(fields) == _HOLDER_KEYS:
            return StoredHolder(
                at=at,
                terminal=terminal,
                inspection=_number(fields["inspection"]),
                answer=HolderAnswer(fields["holder"]),
            )
        if fields["kind"] == "inspection" and set(fields) == _INSPECTION_KEYS:
            return StoredInspection(
                at=at,
                terminal=terminal,
                purpose=_purpose(fields["purpose"]),
                verdict=Verdict(fields["verdict"]),
                assurance=Assurance(fields["assurance"]),
                codes=_codes(fields["codes"]),
                notes=_codes(fields["notes"]),
                card=_optional(fields["card"]),
                chip=_optional(fields["chip"]),
            )
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed(line) from error
    raise _malformed(line)


def _malformed(line: JournalLine) -> JournalPageError:
    return JournalPageError(f"record {line.sequence} is not as a terminal writes it")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


def _purpose(value: object) -> str:
    text = _text(value)
    if _PURPOSE.fullmatch(text) is None:
        raise ValueError(len(text))
    return text


def _codes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MAX_CODES:
        raise TypeError(type(value).__name__)
    if not all(isinstance(item, str) and _CODE.fullmatch(item) for item in value):
        raise ValueError(len(value))
    return tuple(value)


def _optional(value: object) -> bytes | None:
    return None if value is None else _hex(value, PSEUDONYM_BYTES)


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_NUMBER:
        raise JournalPageError("a number of a page is none")
    return value


def _hex(value: object, size: int) -> bytes:
    if not isinstance(value, str) or len(value) != 2 * size or not _HEX.fullmatch(value):
        raise JournalPageError(f"a value of a page is not {size} bytes in hexadecimal")
    return bytes.fromhex(value)
