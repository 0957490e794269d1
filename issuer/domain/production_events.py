"""What a station reports: one event a step, numbered without gaps and chained, so that none can be left out or altered.

An event is one line of JSON in one encoding: what the station's journal holds, what the chain covers, and what
travels to the centre are the same bytes.
"""

import enum
import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Self

from card_layout.curves import CurveError, EcPublicKey, NamedCurve
from issuer.domain.card import (
    REFERENCE_BYTES,
    Card,
    CardEvent,
    CardReference,
    next_card_state,
)
from issuer.domain.chip import (
    SERIAL_BYTES,
    Chip,
    ChipEvent,
    KeyOrigin,
    Serial,
    next_chip_state,
)
from issuer.domain.production_errors import TransitionError
from issuer.domain.rights import AccountName
from issuer.errors import IssuerDataError

__all__ = [
    "CHAIN_START",
    "MAX_DETAIL_CHARACTERS",
    "MAX_LINE_BYTES",
    "JournalHead",
    "ProductionEvent",
    "ProductionEventKind",
    "StationName",
    "follow",
    "key_origin_of",
    "next_head",
    "parse_station_name",
]

MAX_LINE_BYTES: Final = 4096
MAX_DETAIL_CHARACTERS: Final = 400
CHAIN_START: Final = bytes(32)
"""What the first event of a journal is chained to."""

_STATION_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_CODE: Final = re.compile(r"[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+")
_CURVES: Final = {curve.label: curve for curve in NamedCurve}
_FIELDS: Final = 9


class StationName(str):
    """What a station is called in the centre's records: small letters, digits and hyphens."""

    __slots__ = ()


def parse_station_name(text: str) -> StationName:
    """A station's name.

    Raises:
        IssuerDataError: ``station.name-malformed``.
    """
    if not _STATION_NAME.fullmatch(text):
        raise IssuerDataError(
            f"got station {text[:60]!r}, expected 1 to 40 small letters, digits and hyphens",
            code="station.name-malformed",
        )
    return StationName(text)


class ProductionEventKind(enum.StrEnum):
    """What may happen at a station."""

    INITIALISATION_BEGUN = "initialisation-begun"
    KEY_RECORDED = "chip-key-recorded"
    INITIALISED = "initialised"
    PERSONALISATION_BEGUN = "personalisation-begun"
    PERSONALISED = "personalised"
    LOCK_INTENDED = "lock-intended"
    ISSUED = "issued"
    CONDEMNED = "condemned"
    TERMINATED = "terminated"
    HELD = "held"
    NOTED = "noted"


_CHIP_EVENTS: Final = {
    ProductionEventKind.INITIALISATION_BEGUN: ChipEvent.INITIALISATION_BEGUN,
    ProductionEventKind.KEY_RECORDED: ChipEvent.KEY_RECORDED,
    ProductionEventKind.INITIALISED: ChipEvent.INITIALISED,
}
_CARD_EVENTS: Final = {
    ProductionEventKind.PERSONALISATION_BEGUN: CardEvent.PERSONALISATION_BEGUN,
    ProductionEventKind.PERSONALISED: CardEvent.PERSONALISED,
    ProductionEventKind.LOCK_INTENDED: CardEvent.LOCK_INTENDED,
    ProductionEventKind.ISSUED: CardEvent.ISSUED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionEvent:
    """One event; ``sequence`` counts from 1 over all that a station's journal ever held.

    Attributes:
        at: aware UTC, by the station's clock.
        account: who worked at the station.
        serial: the chip; ``None`` where it is about none.
        reference: the card, where it is about one.
        code: why, or what is noted.
        public_key: what the chip made, of ``KEY_RECORDED`` alone.
    """

    sequence: int
    at: datetime
    kind: ProductionEventKind
    account: AccountName
    serial: Serial | None = None
    reference: CardReference | None = None
    code: str | None = None
    detail: str | None = None
    public_key: EcPublicKey | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.kind is ProductionEventKind.KEY_RECORDED) != (self.public_key is not None):
            raise _malformed("a key stands in an event that records none, or is missing")
        needs_card = self.kind in _CARD_EVENTS
        if self.kind is not ProductionEventKind.NOTED and self.serial is None:
            raise _malformed(f"event {self.kind} names no chip")
        if needs_card and self.reference is None:
            raise _malformed(f"event {self.kind} names no card")
        if self.code is not None and not _CODE.fullmatch(self.code):
            raise _malformed(f"its code is {self.code[:80]!r}")
        if self.detail is not None and len(self.detail) > MAX_DETAIL_CHARACTERS:
            raise _malformed(f"its detail has {len(self.detail)} characters")

    def to_line(self) -> str:
        """The one encoding: a JSON array without spaces."""
        key = self.public_key
        return json.dumps(
            [
                self.sequence,
                self.at.astimezone(UTC).isoformat(timespec="microseconds"),
                self.kind.value,
                self.account,
                None if self.serial is None else self.serial.hex(),
                None if self.reference is None else self.reference.hex(),
                self.code,
                self.detail,
                None if key is None else [key.curve.label, key.point.hex()],
            ],
            separators=(",", ":"),
            ensure_ascii=False,
        )

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read what ``to_line`` wrote, and nothing else.

        Raises:
            IssuerDataError: ``station.event-malformed``.
        """
        if len(line.encode("utf-8", "surrogatepass")) > MAX_LINE_BYTES:
            raise _malformed(f"it has more than {MAX_LINE_BYTES} bytes")
        try:
            found = cls._parse(json.loads(line))
        except (
            ValueError,
            # The first and the last hours of the calendar are no time in UTC.
            OverflowError,
            TypeError,
            AttributeError,
            KeyError,
            RecursionError,
            CurveError,
        ) as error:
            raise _malformed("it is not in the form of one") from error
        if found.to_line() != line:
            raise _malformed("it is not in the one encoding")
        return found

    @classmethod
    def _parse(cls, fields: object) -> Self:
        if not isinstance(fields, list) or len(fields) != _FIELDS:
            raise _malformed(f"it has not {_FIELDS} fields")
        sequence, at, kind, account, serial, reference, code, detail, key = fields
        if type(sequence) is not int or not 1 <= sequence < 1 << 63:
            raise _malformed("its number is none")
        if not all(item is None or isinstance(item, str) for item in (code, detail)):
            raise _malformed("code or detail is no text")
        if not isinstance(account, str) or not 1 <= len(account) <= 64:
            raise _malformed("it names no account")
        return cls(
            sequence=sequence,
            at=datetime.fromisoformat(at).astimezone(UTC),
            kind=ProductionEventKind(kind),
            account=AccountName(account),
            serial=None if serial is None else Serial(_bytes_of(serial, SERIAL_BYTES)),
            reference=None
            if reference is None
            else CardReference(_bytes_of(reference, REFERENCE_BYTES)),
            code=code,
            detail=detail,
            public_key=None
            if key is None
            else EcPublicKey(curve=_CURVES[key[0]], point=bytes.fromhex(key[1])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHead:
    """How far a journal goes: the number of its last event and the chain's value there."""

    sequence: int = 0
    chain: bytes = CHAIN_START


def next_head(head: JournalHead, event: ProductionEvent) -> JournalHead:
    """The head after one more event.

    Raises:
        IssuerDataError: ``station.event-malformed``: it is not the next one.
    """
    if event.sequence != head.sequence + 1:
        raise _malformed(f"it has number {event.sequence}, expected {head.sequence + 1}")
    line = event.to_line().encode()
    return JournalHead(sequence=event.sequence, chain=hashlib.sha256(head.chain + line).digest())


def follow(chip: Chip, card: Card | None, event: ProductionEvent) -> tuple[Chip, Card | None]:
    """Chip and card after the event.

    Raises:
        TransitionError: it cannot happen in their states, or is about another card.
    """
    if event.kind in _CHIP_EVENTS:
        return _follow_chip(chip, event), card
    if event.kind in _CARD_EVENTS:
        if card is None or card.reference != event.reference:
            raise TransitionError("the chip has not this card")
        moved = replace(card, state=next_card_state(card.state, _CARD_EVENTS[event.kind]))
        return chip, replace(
            moved,
            issued_at=event.at if event.kind is ProductionEventKind.ISSUED else card.issued_at,
        )
    if event.kind is ProductionEventKind.CONDEMNED:
        if card is not None:
            card = replace(
                card,
                state=next_card_state(card.state, CardEvent.CONDEMNED),
                condemned_for=event.code,
            )
        state = next_chip_state(chip.state, ChipEvent.CONDEMNED)
        return replace(chip, state=state, condemned_for=event.code, held=None), card
    if event.kind is ProductionEventKind.HELD:
        return replace(chip, held=event.code), card
    return chip, card


def key_origin_of(event: ProductionEvent) -> KeyOrigin:
    """Where the key of ``KEY_RECORDED`` was made.

    Raises:
        IssuerDataError: ``station.event-malformed``.
    """
    try:
        return KeyOrigin(event.code or "")
    except ValueError as error:
        raise _malformed("it does not say where the key was made") from error


def _follow_chip(chip: Chip, event: ProductionEvent) -> Chip:
    state = next_chip_state(chip.state, _CHIP_EVENTS[event.kind])
    if event.kind is ProductionEventKind.INITIALISATION_BEGUN:
        # The chip is going to make a new key: what an attempt before left is of no key that exists.
        return replace(chip, state=state, public_key=None)
    if event.kind is ProductionEventKind.KEY_RECORDED:
        return replace(chip, state=state, public_key=event.public_key)
    if chip.public_key is None:
        raise TransitionError("the chip made no key, so it is not initialised")
    return replace(chip, state=state)


def _bytes_of(text: str, size: int) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != size:
        raise _malformed(f"an identifier has {len(found)} bytes, expected {size}")
    return found


def _malformed(reason: str) -> IssuerDataError:
    return IssuerDataError(
        f"an event of a station cannot be read: {reason}", code="station.event-malformed"
    )
