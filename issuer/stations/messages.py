"""What stations and the centre say to each other, as JSON: the same over HTTPS and on a stick (docs/stations.md).

A report goes up: what happened, what is wanted, and that a day is closed. An order comes down: how far the centre has
the journal, what it rejected, chips with what is to be written to them. Both are signed and sealed around this.
"""

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from issuer.domain.batch import BatchId
from issuer.domain.card import REFERENCE_BYTES, CardReference
from issuer.domain.chip import SERIAL_BYTES, Serial
from issuer.domain.production_events import (
    JournalHead,
    ProductionEvent,
    StationName,
    parse_station_name,
)
from issuer.domain.rights import AccountName
from issuer.errors import IssuerDataError
from issuer.services.production_ports import ChipRecord
from issuer.services.station_ports import (
    ClaimedChip,
    DayRecord,
    HandInReceipt,
    RejectedEvent,
    StationPresence,
)
from issuer.stations.record_text import (
    card_from_text,
    card_to_text,
    chip_from_text,
    chip_to_text,
)

__all__ = ["Refusal", "StationOrder", "StationReport", "message_digest"]

_FORMAT: Final = 2
_MAX_EVENTS: Final = 100_000
_MAX_CHIPS: Final = 2_000
_MAX_DAYS: Final = 1_000
_MAX_TEXT: Final = 8192
_MAX_READERS: Final = 64

_Hex = Annotated[str, Field(max_length=400, pattern=r"^(?:[0-9a-f]{2})*$")]
_Text = Annotated[str, Field(max_length=_MAX_TEXT)]
_Found = TypeVar("_Found", bound="_Model")
_Same = TypeVar("_Same", "StationReport", "StationOrder")
_Number = Annotated[int, Field(ge=0, le=(1 << 63) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the centre does not do what was asked."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StationReport:
    """What a station says.

    Attributes:
        station: who says it; the signature must be theirs.
        at: when, by the station's clock.
        events: the next ones that the centre has not.
        head: where the journal stands after them; where there are none, how far the centre has it.
        wanted: a chip that is asked for.
        batch: the batch that the station works on.
        days: days that are closed; one that destroyed much is told in parts, each with the same head.
        presence: how the station is, where it says only that.
    """

    station: StationName
    at: datetime
    events: tuple[ProductionEvent, ...] = ()
    head: JournalHead = field(default_factory=JournalHead)
    wanted: Serial | None = None
    batch: BatchId | None = None
    days: tuple[DayRecord, ...] = ()
    presence: StationPresence | None = None

    def to_bytes(self) -> bytes:
        """The one encoding."""
        presence = self.presence
        return _write(
            {
                "format": _FORMAT,
                "station": self.station,
                "at": _time_text(self.at),
                "events": [event.to_line() for event in self.events],
                "head": _head_to(self.head),
                "wanted": None if self.wanted is None else self.wanted.hex(),
                "batch": None if self.batch is None else self.batch.hex,
                "days": [_day_to(day) for day in self.days],
                "presence": None
                if presence is None
                else {"readers": list(presence.readers), "is_suspended": presence.is_suspended},
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> "StationReport":
        """Read a report.

        Raises:
            IssuerDataError: ``station.message-malformed``, ``station.event-malformed``.
        """
        model = _parse(_Report, content)
        found = cls(
            station=parse_station_name(model.station),
            at=_moment(model.at),
            events=tuple(ProductionEvent.from_line(line) for line in model.events),
            head=_head_of(model.head),
            wanted=None if model.wanted is None else _serial(model.wanted),
            batch=None if model.batch is None else _batch(model.batch),
            days=tuple(_day_of(day) for day in model.days),
            presence=None
            if model.presence is None
            else StationPresence(
                readers=tuple(model.presence.readers), is_suspended=model.presence.is_suspended
            ),
        )
        return _same(found, content)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationOrder:
    """What the centre says.

    Attributes:
        station: to whom.
        at: when.
        number: counts the orders that are carried to a station; 0 in an answer.
        answers: the SHA-256 of the sealed report that this answers; ``None`` in an order that is carried.
        receipt: how far the centre has the journal.
        chips: what the station may work on.
        refusal: why there is nothing else.
        left: how many cards of the batch that was named are still to be made.
    """

    station: StationName
    at: datetime
    number: int = 0
    answers: bytes | None = None
    receipt: HandInReceipt | None = None
    chips: tuple[ClaimedChip, ...] = ()
    refusal: Refusal | None = None
    left: int | None = None

    def to_bytes(self) -> bytes:
        """The one encoding."""
        receipt, refusal = self.receipt, self.refusal
        return _write(
            {
                "format": _FORMAT,
                "station": self.station,
                "at": _time_text(self.at),
                "number": self.number,
                "answers": None if self.answers is None else self.answers.hex(),
                "receipt": None
                if receipt is None
                else {
                    "through": receipt.through,
                    "rejected": [
                        {
                            "sequence": each.sequence,
                            "serial": None if each.serial is None else each.serial.hex(),
                            "code": each.code,
                        }
                        for each in receipt.rejected
                    ],
                },
                "chips": [_chip_to(each) for each in self.chips],
                "refusal": None
                if refusal is None
                else {"code": refusal.code, "text": refusal.text},
                "left": self.left,
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> "StationOrder":
        """Read an order.

        Raises:
            IssuerDataError: ``station.message-malformed``, ``station.record-malformed``.
        """
        model = _parse(_Order, content)
        found = cls(
            station=parse_station_name(model.station),
            at=_moment(model.at),
            number=model.number,
            answers=None if model.answers is None else bytes.fromhex(model.answers),
            receipt=None
            if model.receipt is None
            else HandInReceipt(
                through=model.receipt.through,
                rejected=tuple(
                    RejectedEvent(
                        sequence=each.sequence,
                        serial=None if each.serial is None else _serial(each.serial),
                        code=each.code,
                    )
                    for each in model.receipt.rejected
                ),
            ),
            chips=tuple(_chip_of(each) for each in model.chips),
            refusal=None
            if model.refusal is None
            else Refusal(code=model.refusal.code, text=model.refusal.text),
            left=model.left,
        )
        return _same(found, content)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Head(_Model):
    sequence: _Number
    chain: Annotated[_Hex, Field(min_length=64, max_length=64)]


class _Day(_Model):
    head: _Head
    at: _Text
    closed_by: Annotated[str, Field(min_length=1, max_length=64)]
    issued: _Number
    condemned: _Number
    destroyed: Annotated[list[_Hex], Field(max_length=_MAX_EVENTS)]


class _Presence(_Model):
    readers: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=_MAX_READERS)
    ]
    is_suspended: bool


class _Report(_Model):
    format: Annotated[int, Field(ge=_FORMAT, le=_FORMAT)]
    station: _Text
    at: _Text
    events: Annotated[list[_Text], Field(max_length=_MAX_EVENTS)]
    head: _Head
    wanted: _Hex | None
    batch: _Hex | None
    days: Annotated[list[_Day], Field(max_length=_MAX_DAYS)]
    presence: _Presence | None


class _Rejected(_Model):
    sequence: _Number
    serial: _Hex | None
    code: Annotated[str, Field(max_length=80)]


class _Receipt(_Model):
    through: _Number
    rejected: Annotated[list[_Rejected], Field(max_length=_MAX_EVENTS)]


class _Chip(_Model):
    chip: _Text
    card: _Text | None
    is_claimed: bool
    batch: _Hex | None
    job: Annotated[str, Field(max_length=512 * 1024)] | None


class _Refusal(_Model):
    code: Annotated[str, Field(max_length=80)]
    text: Annotated[str, Field(max_length=400)]


class _Order(_Model):
    format: Annotated[int, Field(ge=_FORMAT, le=_FORMAT)]
    station: _Text
    at: _Text
    number: _Number
    answers: Annotated[_Hex, Field(min_length=64, max_length=64)] | None
    receipt: _Receipt | None
    chips: Annotated[list[_Chip], Field(max_length=_MAX_CHIPS)]
    refusal: _Refusal | None
    left: _Number | None


def message_digest(sealed: bytes) -> bytes:
    """What an answer names the message by that it answers."""
    return hashlib.sha256(sealed).digest()


def _day_to(day: DayRecord) -> Mapping[str, object]:
    return {
        "head": _head_to(day.head),
        "at": _time_text(day.at),
        "closed_by": day.closed_by,
        "issued": day.issued,
        "condemned": day.condemned,
        "destroyed": [each.hex() for each in day.destroyed],
    }


def _day_of(day: _Day) -> DayRecord:
    return DayRecord(
        head=_head_of(day.head),
        at=_moment(day.at),
        closed_by=AccountName(day.closed_by),
        issued=day.issued,
        condemned=day.condemned,
        destroyed=tuple(CardReference(_sized(each, REFERENCE_BYTES)) for each in day.destroyed),
    )


def _chip_to(claimed: ClaimedChip) -> Mapping[str, object]:
    card, job = claimed.record.card, claimed.sealed_job
    return {
        "chip": chip_to_text(claimed.record.chip),
        "card": None if card is None else card_to_text(card),
        "is_claimed": claimed.is_claimed,
        "batch": None if claimed.batch is None else claimed.batch.hex,
        "job": None if job is None else base64.b64encode(job).decode("ascii"),
    }


def _chip_of(model: _Chip) -> ClaimedChip:
    try:
        job = None if model.job is None else base64.b64decode(model.job, validate=True)
    except ValueError as error:
        raise _malformed() from error
    return ClaimedChip(
        record=ChipRecord(
            chip=chip_from_text(model.chip),
            card=None if model.card is None else card_from_text(model.card),
        ),
        is_claimed=model.is_claimed,
        batch=None if model.batch is None else _batch(model.batch),
        sealed_job=job,
    )


def _parse(kind: type[_Found], content: bytes) -> _Found:
    try:
        return kind.model_validate(json.loads(content))
    except (ValidationError, ValueError, RecursionError) as error:
        # The library's text would quote what stands in it.
        raise _malformed() from error


def _same(found: _Same, content: bytes) -> _Same:
    """What was read, if it is in the one encoding."""
    if found.to_bytes() != content:
        raise _malformed()
    return found


def _write(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _head_to(head: JournalHead) -> Mapping[str, object]:
    return {"sequence": head.sequence, "chain": head.chain.hex()}


def _head_of(model: _Head) -> JournalHead:
    return JournalHead(sequence=model.sequence, chain=bytes.fromhex(model.chain))


def _serial(text: str) -> Serial:
    return Serial(_sized(text, SERIAL_BYTES))


def _batch(text: str) -> BatchId:
    return BatchId(uuid.UUID(bytes=_sized(text, 16)))


def _sized(text: str, size: int) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != size:
        raise _malformed()
    return found


def _time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise _malformed()
        # The first and the last hours of the calendar are no time in UTC.
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _malformed() from error


def _malformed() -> IssuerDataError:
    return IssuerDataError(
        "a message between a station and the centre is not in its form",
        code="station.message-malformed",
    )
