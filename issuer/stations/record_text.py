"""Chips, cards and closed days as text in the station's journal: JSON with the fields that a station needs.

Chips and cards are the same in messages.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from card_layout.curves import CurveError, EcPublicKey, NamedCurve
from issuer.domain.card import REFERENCE_BYTES, Card, CardReference, CardState
from issuer.domain.chip import SERIAL_BYTES, Chip, ChipState, Serial
from issuer.domain.member import MemberId
from issuer.domain.production_events import JournalHead
from issuer.domain.requests import RequestId
from issuer.domain.rights import AccountName
from issuer.domain.status_allotment import LIST_ID_BYTES, StatusIndex
from issuer.errors import IssuerDataError
from issuer.services.station_ports import DayRecord

__all__ = [
    "card_from_text",
    "card_to_text",
    "chip_from_text",
    "chip_to_text",
    "days_from_text",
    "days_to_text",
]

_CURVES: Final = {curve.label: curve for curve in NamedCurve}
_MALFORMED: Final = (
    ValueError,
    OverflowError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
    CurveError,
)
_MAX_TEXT: Final = 4096


def chip_to_text(chip: Chip) -> str:
    """A chip in one line."""
    key = chip.public_key
    return _write(
        {
            "serial": chip.serial.hex(),
            "state": chip.state.value,
            "key": None if key is None else [key.curve.label, key.point.hex()],
            "held": chip.held,
            "condemned_for": chip.condemned_for,
        }
    )


def chip_from_text(text: str) -> Chip:
    """Read what ``chip_to_text`` wrote.

    Raises:
        IssuerDataError: ``station.record-malformed``.
    """
    try:
        found = _read(text)
        key = found["key"]
        chip = Chip(
            serial=Serial(_sized(found["serial"], SERIAL_BYTES)),
            state=ChipState(found["state"]),
            public_key=None
            if key is None
            else EcPublicKey(curve=_CURVES[key[0]], point=bytes.fromhex(key[1])),
            held=_text(found["held"]),
            condemned_for=_text(found["condemned_for"]),
        )
    except _MALFORMED as error:
        raise _malformed("chip") from error
    if chip_to_text(chip) != text:
        raise _malformed("chip")
    return chip


def card_to_text(card: Card) -> str:
    """A card in one line; nothing of the person is in it but random identifiers."""
    return _write(
        {
            "reference": card.reference.hex(),
            "member": card.member_id.hex,
            "request": card.request_id.hex,
            "serial": card.serial.hex(),
            "state": card.state.value,
            "ordinal": card.ordinal,
            "status": [card.status.list_id.hex(), card.status.index],
            "profile": card.profile,
            "bound_at": _time_text(card.bound_at),
            "issued_at": None if card.issued_at is None else _time_text(card.issued_at),
            "condemned_for": card.condemned_for,
        }
    )


def card_from_text(text: str) -> Card:
    """Read what ``card_to_text`` wrote.

    Raises:
        IssuerDataError: ``station.record-malformed``.
    """
    try:
        found = _read(text)
        issued_at = found["issued_at"]
        list_id, index = found["status"]
        card = Card(
            reference=CardReference(_sized(found["reference"], REFERENCE_BYTES)),
            member_id=MemberId(uuid.UUID(hex=found["member"])),
            request_id=RequestId(uuid.UUID(hex=found["request"])),
            serial=Serial(_sized(found["serial"], SERIAL_BYTES)),
            state=CardState(found["state"]),
            ordinal=_whole(found["ordinal"]),
            status=StatusIndex(list_id=_sized(list_id, LIST_ID_BYTES), index=_whole(index)),
            profile=_text(found["profile"]) or "",
            bound_at=datetime.fromisoformat(found["bound_at"]).astimezone(UTC),
            issued_at=None
            if issued_at is None
            else datetime.fromisoformat(issued_at).astimezone(UTC),
            condemned_for=_text(found["condemned_for"]),
        )
    except _MALFORMED as error:
        raise _malformed("card") from error
    if card_to_text(card) != text:
        raise _malformed("card")
    return card


def days_to_text(days: Sequence[DayRecord]) -> str:
    """Closed days, in their order."""
    return json.dumps(
        [
            {
                "sequence": day.head.sequence,
                "chain": day.head.chain.hex(),
                "at": _time_text(day.at),
                "closed_by": day.closed_by,
                "issued": day.issued,
                "condemned": day.condemned,
                "destroyed": [each.hex() for each in day.destroyed],
            }
            for day in days
        ]
    )


def days_from_text(text: str) -> tuple[DayRecord, ...]:
    """Read what ``days_to_text`` wrote.

    Raises:
        IssuerDataError: ``station.record-malformed``.
    """
    try:
        return tuple(
            DayRecord(
                head=JournalHead(
                    sequence=_whole(found["sequence"]), chain=bytes.fromhex(found["chain"])
                ),
                at=datetime.fromisoformat(found["at"]),
                closed_by=AccountName(found["closed_by"]),
                issued=_whole(found["issued"]),
                condemned=_whole(found["condemned"]),
                destroyed=tuple(
                    CardReference(_sized(each, REFERENCE_BYTES)) for each in found["destroyed"]
                ),
            )
            for found in json.loads(text)
        )
    except _MALFORMED as error:
        raise _malformed("day") from error


def _write(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


def _read(text: str) -> Mapping[str, Any]:
    if len(text) > _MAX_TEXT:
        raise ValueError("too long")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found


def _sized(text: str, size: int) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != size:
        raise ValueError("an identifier of another length")
    return found


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("no text")
    return value


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("no whole number")
    return value


def _time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _malformed(what: str) -> IssuerDataError:
    return IssuerDataError(
        f"the record of a {what} cannot be read", code="station.record-malformed"
    )
