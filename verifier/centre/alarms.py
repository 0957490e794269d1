"""What the centre finds in the journals that no single terminal can: alarms with codes. None of them judges a card.

A card is known by its pseudonym alone, and within one month only; an alarm says where and when it was seen, never whose it is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, Protocol

from verifier.centre.records import CentreRecord
from verifier.centre.terminals import EnrolledTerminal
from verifier.services.journal_chain import StoredInspection

__all__ = [
    "SHARED_CHIP",
    "STOPPED_CARD",
    "TWO_PLACES",
    "WRONG_PASSWORDS",
    "Alarm",
    "AlarmRules",
    "Sighting",
    "Sightings",
    "edited_journal",
    "journal_gap",
]

TWO_PLACES: Final = "alarm.two-places"
WRONG_PASSWORDS: Final = "alarm.wrong-passwords"
SHARED_CHIP: Final = "alarm.shared-chip"
STOPPED_CARD: Final = "alarm.stopped-card"
_EDITED: Final = "alarm.journal-edited"
_GAP: Final = "alarm.journal-gap"

_AT_ONCE: Final = timedelta(minutes=30)
"""Two organisations' offices are further apart than that."""

_MANY: Final = 10
_WINDOW: Final = timedelta(hours=1)
_WRONG: Final = "access.wrong-password"
_STOPPED: Final = frozenset({"status.lost", "status.revoked", "status.suspended", "signer.revoked"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One finding; the same ``code`` and ``subject`` are the same finding."""

    code: str
    subject: str
    at: datetime
    holder: str
    organisation: str
    details: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One inspection of a card, at any terminal."""

    journal: str
    sequence: int
    holder: str
    organisation: str
    at: datetime
    card: bytes | None
    chip: bytes | None


class Sightings(Protocol):
    """The inspections that are kept."""

    def of_card(self, card: bytes, *, begin: datetime, end: datetime) -> list[Sighting]:
        """A card's in a stretch of time, the newest at most."""

    def of_chip(self, chip: bytes) -> list[Sighting]:
        """A chip's, one for each card that it was seen with."""

    def chips_of(self, card: bytes) -> list[Sighting]:
        """A card's, one for each chip that it was seen with."""

    def count(self, holder: str, code: str, *, begin: datetime, end: datetime) -> int:
        """How many inspections of a terminal had a code in a stretch of time."""


class AlarmRules:
    """Finds alarms in records that have just been kept."""

    def __init__(self, sightings: Sightings) -> None:
        self._sightings = sightings

    def found_in(
        self, terminal: EnrolledTerminal, journal: str, records: Sequence[CentreRecord]
    ) -> list[Alarm]:
        """The alarms that these records of one terminal raise, with all that is kept beside them."""
        found: list[Alarm] = []
        for item in records:
            if not isinstance(item.record, StoredInspection):
                continue
            here = Sighting(
                journal=journal,
                sequence=item.line.sequence,
                holder=terminal.holder,
                organisation=terminal.organisation,
                at=item.at,
                card=item.card,
                chip=item.chip,
            )
            found += self._two_places(here)
            found += self._shared_chip(here)
            found += _stopped(here, item.record)
            if _WRONG in item.record.codes:
                found += self._wrong_passwords(here)
        return found

    def _two_places(self, here: Sighting) -> Iterator[Alarm]:
        if here.card is None:
            return
        near = self._sightings.of_card(here.card, begin=here.at - _AT_ONCE, end=here.at + _AT_ONCE)
        for other in near:
            if other.organisation != here.organisation:
                yield _between(TWO_PLACES, here, other, by=_place)

    def _shared_chip(self, here: Sighting) -> Iterator[Alarm]:
        if here.card is None or here.chip is None:
            return
        for other in self._sightings.of_chip(here.chip):
            if other.card != here.card:
                yield _between(SHARED_CHIP, here, other, by=_card_and_chip)
        for other in self._sightings.chips_of(here.card):
            if other.chip != here.chip:
                yield _between(SHARED_CHIP, here, other, by=_card_and_chip)

    def _wrong_passwords(self, here: Sighting) -> Iterator[Alarm]:
        count = self._sightings.count(here.holder, _WRONG, begin=here.at - _WINDOW, end=here.at)
        if count >= _MANY:
            hour = f"{here.at.astimezone(UTC):%Y-%m-%dT%H}"
            yield Alarm(
                code=WRONG_PASSWORDS,
                subject=f"{here.holder} {hour}",
                at=here.at,
                holder=here.holder,
                organisation=here.organisation,
                details={"count": count, "within_seconds": int(_WINDOW.total_seconds())},
            )


def edited_journal(terminal: EnrolledTerminal, journal: str, what: str, *, at: datetime) -> Alarm:
    """A terminal sent something else than it had sent before."""
    return Alarm(
        code=_EDITED,
        subject=_digest(journal, what),
        at=at,
        holder=terminal.holder,
        organisation=terminal.organisation,
        details={"journal": journal, "what": what},
    )


def journal_gap(
    terminal: EnrolledTerminal, journal: str, first: int, last: int, *, at: datetime
) -> Alarm:
    """A terminal had let go of records before it uploaded them."""
    return Alarm(
        code=_GAP,
        subject=_digest(journal, str(first)),
        at=at,
        holder=terminal.holder,
        organisation=terminal.organisation,
        details={"journal": journal, "first": first, "last": last},
    )


def _stopped(here: Sighting, record: StoredInspection) -> Iterator[Alarm]:
    codes = [code for code in record.codes if code in _STOPPED]
    if codes:
        yield Alarm(
            code=STOPPED_CARD,
            subject=_digest(here.journal, str(here.sequence)),
            at=here.at,
            holder=here.holder,
            organisation=here.organisation,
            details={"codes": codes, "record": here.sequence},
        )


def _between(code: str, here: Sighting, other: Sighting, *, by: Callable[[Sighting], str]) -> Alarm:
    return Alarm(
        code=code,
        # Whichever of the two is uploaded last: it is the same finding.
        subject=_digest(*sorted((by(here), by(other)))),
        at=max(here.at, other.at),
        holder=here.holder,
        organisation=here.organisation,
        details={"seen": [_seen(item) for item in sorted((here, other), key=lambda item: item.at)]},
    )


def _seen(sighting: Sighting) -> dict[str, object]:
    return {
        "terminal": sighting.holder,
        "organisation": sighting.organisation,
        "at": sighting.at.astimezone(UTC).isoformat(),
        "record": sighting.sequence,
    }


def _place(sighting: Sighting) -> str:
    return f"{sighting.journal} {sighting.sequence}"


def _card_and_chip(sighting: Sighting) -> str:
    return f"{(sighting.card or b'').hex()} {(sighting.chip or b'').hex()}"


def _digest(*parts: str) -> str:
    return sha256("\x00".join(parts).encode()).hexdigest()
