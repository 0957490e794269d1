"""The audit trail as a file: one line of JSON for its head, one for each record."""

import binascii
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import IO, Any, Final

from issuer.domain.audit_chain import DIGEST_BYTES, TRAIL_ID_BYTES, ChainedRecord, ChainHead
from issuer.errors import IssuerDataError

__all__ = ["read_trail", "record_document", "write_trail"]

_FORMAT: Final = "membercard audit trail 1"
_MAX_LINE_BYTES: Final = 65_536
_HEAD_MEMBERS: Final = frozenset({"format", "trail", "sequence", "digest"})
_RECORD_MEMBERS: Final = frozenset(
    {
        "sequence", "at", "account", "action", "subject", "subject_id", "organisation", "details",
        "digest",
    }
)  # fmt: skip


def write_trail(file: IO[str], head: ChainHead, records: Iterable[ChainedRecord]) -> None:
    """Write a trail, as it is stored."""
    _write_line(
        file,
        {
            "format": _FORMAT,
            "trail": head.trail_id.hex(),
            "sequence": head.sequence,
            "digest": head.digest.hex(),
        },
    )
    for record in records:
        # Details stay the text that they are, because the digest is over that.
        _write_line(file, record_document(record) | {"details": record.details})


def record_document(record: ChainedRecord) -> dict[str, Any]:
    """One record for programs."""
    try:
        details = json.loads(record.details)
    except ValueError:
        # Somebody wrote to the table; what they wrote is shown as it is.
        details = record.details
    return {
        "sequence": record.sequence,
        "at": record.at.isoformat(timespec="microseconds"),
        "account": record.account,
        "action": record.action,
        "subject": record.subject,
        "subject_id": record.subject_id,
        "organisation": record.organisation,
        "details": details,
        "digest": record.digest.hex(),
    }


def read_trail(file: IO[bytes]) -> tuple[ChainHead, Iterator[ChainedRecord]]:
    """A trail from a file; its records are read as they are asked for.

    Raises:
        IssuerDataError: ``audit.file-malformed``; also while the records are read.
    """
    lines = _lines(file)
    number, first = next(lines, (1, {}))
    if set(first) != _HEAD_MEMBERS or first["format"] != _FORMAT:
        raise _malformed(number, f"it does not begin with {_FORMAT!r}")
    head = ChainHead(
        trail_id=_octets(first["trail"], TRAIL_ID_BYTES, number),
        sequence=_integer(first["sequence"], number),
        digest=_octets(first["digest"], DIGEST_BYTES, number),
    )
    return head, (_record(number, found) for number, found in lines)


def _record(number: int, found: dict[str, Any]) -> ChainedRecord:
    if set(found) != _RECORD_MEMBERS:
        raise _malformed(number, f"it has not the members {sorted(_RECORD_MEMBERS)}")
    try:
        at = datetime.fromisoformat(_text(found["at"], number))
        if at.tzinfo is None:
            raise _malformed(number, "its time has no time zone")
        # The first and the last hours of the calendar are no time in UTC.
        at = at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _malformed(number, "its time is none") from error
    organisation = found["organisation"]
    return ChainedRecord(
        sequence=_integer(found["sequence"], number),
        at=at,
        account=_text(found["account"], number),
        action=_text(found["action"], number),
        subject=_text(found["subject"], number),
        subject_id=_text(found["subject_id"], number),
        organisation=None if organisation is None else _text(organisation, number),
        details=_text(found["details"], number),
        digest=_octets(found["digest"], DIGEST_BYTES, number),
    )


def _lines(file: IO[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    while line := file.readline(_MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > _MAX_LINE_BYTES:
            raise _malformed(number, f"it has more than {_MAX_LINE_BYTES} bytes")
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _malformed(number, "it is not JSON") from error
        if not isinstance(found, dict):
            raise _malformed(number, "it is no JSON object")
        yield number, found


def _write_line(file: IO[str], document: dict[str, Any]) -> None:
    file.write(json.dumps(document, separators=(",", ":")) + "\n")


def _text(value: object, number: int) -> str:
    if not isinstance(value, str):
        raise _malformed(number, "a member is no text")
    return value


def _integer(value: object, number: int) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise _malformed(number, "its sequence number is none")
    return value


def _octets(value: object, length: int, number: int) -> bytes:
    try:
        octets = binascii.unhexlify(_text(value, number))
    except ValueError as error:
        raise _malformed(number, "a member is not hexadecimal") from error
    if len(octets) != length:
        raise _malformed(number, f"a member has {len(octets)} bytes, expected {length}")
    return octets


def _malformed(number: int, reason: str) -> IssuerDataError:
    return IssuerDataError(
        f"line {number} of the audit trail's file cannot be read: {reason}",
        code="audit.file-malformed",
    )
