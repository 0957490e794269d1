"""How a station stands, as the office sees it from what it was told last."""

import enum
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Final

from issuer.domain.production_events import JournalHead, StationName

__all__ = ["SILENT_AFTER", "StationStanding", "StationState", "day_of"]

SILENT_AFTER: Final = timedelta(seconds=75)
"""A station that runs says so three times a minute; after this it may be off, or without its network."""

_VIET_NAM: Final = timezone(timedelta(hours=7))


class StationState(enum.StrEnum):
    """What can be said of a station now."""

    WORKING = "working"
    RESTING = "resting"
    SILENT = "silent"
    """It ran when it was heard last, and should have been heard again."""
    OFF = "off"
    """It has ended, or works without a network."""
    DISMISSED = "dismissed"


def day_of(moment: datetime) -> date:
    """The day in Viet Nam."""
    return moment.astimezone(_VIET_NAM).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class StationStanding:
    """One station.

    Attributes:
        is_elsewhere: it signs what it says; else it runs over the database of this home.
        heard_at: when it was heard last, whatever it said.
        handed_in_at: when it handed events in last.
        closed_at: when it closed its day last.
        head: how far its journal is known.
        readers: their names while it runs.
        claimed: the chips in its hands.
        cards_made, chips_rejected: of today, as far as it has handed in.
    """

    name: StationName
    is_elsewhere: bool
    dismissed_at: datetime | None
    heard_at: datetime | None
    handed_in_at: datetime | None
    closed_at: datetime | None
    head: JournalHead
    readers: tuple[str, ...]
    is_suspended: bool
    claimed: int
    cards_made: int
    chips_rejected: int

    def state(self, now: datetime) -> StationState:
        """What can be said of it at this moment."""
        if self.dismissed_at is not None:
            return StationState.DISMISSED
        if not self.readers or self.heard_at is None:
            return StationState.OFF
        if now - self.heard_at > SILENT_AFTER:
            return StationState.SILENT
        return StationState.RESTING if self.is_suspended else StationState.WORKING
