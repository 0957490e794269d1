"""What a station's screen shows, as plain values: each event of a worker makes the next state of one reader's panel.

Nothing of a person is in it: chips by their serial, cards by the number that is printed on them.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from card_layout.atr import LifeCycle
from issuer.domain.batch import BatchId
from issuer.domain.card_number import CardNumber
from issuer.domain.chip import Serial
from issuer.services.station_events import StationEvent, StationEventKind
from issuer.services.station_ports import DayRecord
from issuer.services.visit_chip import VisitOutcome, VisitResult
from issuer.services.visit_progress import VisitProgress, VisitStage

__all__ = [
    "LAST_CHIPS",
    "READER_CODES",
    "DayCounts",
    "LastChip",
    "LinkState",
    "MadeKind",
    "PanelKind",
    "ReaderPanel",
    "ScreenState",
    "cards_an_hour",
    "is_told_already",
    "made_of",
    "panel_after",
    "time_left",
]

LAST_CHIPS: Final = 40
"""So many of the chips that ended last are shown."""

RATE_WINDOW: Final = timedelta(minutes=20)
_LEAST_FOR_A_RATE: Final = 3


class PanelKind(enum.StrEnum):
    """What an operator sees from across the room."""

    EMPTY = "empty"
    BUSY = "busy"
    GOOD = "good"
    BAD = "bad"


class MadeKind(enum.StrEnum):
    """What became of a chip."""

    CARD = "card"
    BLANK = "blank"
    CONDEMNED = "condemned"
    HELD = "held"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"


READER_CODES: Final[Mapping[StationEventKind, str]] = MappingProxyType(
    {
        StationEventKind.MUTE_CHIP: "reader.mute-chip",
        StationEventKind.READER_LOST: "reader.lost",
        StationEventKind.GAVE_UP: "reader.given-up",
    }
)
"""What stands in the way where no visit was begun."""

_MADE: Final = {
    VisitResult.CONDEMNED: MadeKind.CONDEMNED,
    VisitResult.HELD: MadeKind.HELD,
    VisitResult.INTERRUPTED: MadeKind.INTERRUPTED,
    VisitResult.REFUSED: MadeKind.REFUSED,
}
_PASSING: Final = frozenset(
    READER_CODES[kind] for kind in (StationEventKind.READER_LOST, StationEventKind.MUTE_CHIP)
)
_FINAL: Final = frozenset({MadeKind.CONDEMNED, MadeKind.HELD})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderPanel:
    """One reader.

    Attributes:
        made: what became of the chip, once its visit has ended.
        code: why a person must come.
        message: the same in the program's own words.
        note: what a person should know although the card is good.
        is_chip_out: the chip of which this tells has left the reader.
        is_given_up: chip after chip was rejected; the reader waits for the operator's word.
        endings: counts what was to be heard on this reader, so that each is heard once.
    """

    reader: str
    kind: PanelKind = PanelKind.EMPTY
    serial: Serial | None = None
    card_number: CardNumber | None = field(default=None, repr=False)
    progress: VisitProgress | None = field(default=None, repr=False)
    made: MadeKind | None = None
    code: str | None = None
    message: str | None = None
    note: str | None = None
    is_chip_out: bool = False
    is_given_up: bool = False
    endings: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LastChip:
    """One chip that ended here."""

    at: datetime
    serial: Serial | None
    made: MadeKind
    card_number: CardNumber | None = field(default=None, repr=False)
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCounts:
    """How many since the last close of the station's day."""

    cards: int = 0
    blanks: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """The way to the centre.

    Attributes:
        answers_at_once: there is somebody to ask; else everything goes by files that are carried.
        is_online: whether the centre answered last; ``None`` before it was asked.
        handed_in_at: when it took events last, since the station was started.
        waiting: events that it has not.
    """

    answers_at_once: bool
    is_online: bool | None = None
    handed_in_at: datetime | None = None
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenState:
    """The whole screen.

    Attributes:
        batch: the batch of the card that was begun last.
        batch_left: how many cards of it are still to be made; ``None`` where the station cannot know.
        issued_at: when the last cards were finished, for the rate.
        closed_day: the day that was closed last, since the station was started.
        ended: the station has ended; with the code of why, where something was wrong.
    """

    panels: tuple[ReaderPanel, ...]
    link: LinkState
    counts: DayCounts = field(default_factory=DayCounts)
    last: tuple[LastChip, ...] = ()
    batch: BatchId | None = None
    batch_left: int | None = None
    issued_at: tuple[datetime, ...] = ()
    is_suspended: bool = False
    closed_day: DayRecord | None = None
    has_ended: bool = False
    fault: tuple[str, str] | None = None

    @property
    def in_work(self) -> frozenset[Serial]:
        """The chips on which workers are."""
        return frozenset(
            panel.serial
            for panel in self.panels
            if panel.kind is PanelKind.BUSY and panel.serial is not None
        )


def panel_after(panel: ReaderPanel, event: StationEvent) -> ReaderPanel:
    """The panel once the event has come; how a chip ended stays until the next one is begun."""
    if event.outcome is not None:
        return _ended(panel, event.outcome)
    if event.progress is not None:
        return _in_work(panel, event.progress)
    if event.kind in READER_CODES:
        return _stopped(panel, event)
    if event.kind is StationEventKind.WARNING:
        return replace(panel, note=event.text)
    return _unless_cleared(panel, event.kind)


def made_of(outcome: VisitOutcome) -> MadeKind:
    """What became of the chip."""
    if outcome.result is VisitResult.DONE:
        return MadeKind.CARD if outcome.reached is LifeCycle.OPERATIONAL else MadeKind.BLANK
    return _MADE[outcome.result]


def is_told_already(panel: ReaderPanel, outcome: VisitOutcome) -> bool:
    """Whether a chip that was rejected is refused because it is still in the reader: the first cause counts."""
    return (
        outcome.result is VisitResult.REFUSED
        and panel.made in _FINAL
        and not panel.is_chip_out
        and outcome.serial in (None, panel.serial)
    )


def cards_an_hour(issued_at: tuple[datetime, ...], now: datetime) -> float | None:
    """How fast cards are made: over the last minutes, a pause included; ``None`` where too few were made."""
    recent = [at for at in issued_at if now - at <= RATE_WINDOW]
    if len(recent) < _LEAST_FOR_A_RATE:
        return None
    seconds = max((now - recent[0]).total_seconds(), 1.0)
    return (len(recent) - 1) * 3600 / seconds


def time_left(left: int | None, an_hour: float | None) -> timedelta | None:
    """How long the rest of the batch takes at this rate."""
    if left is None or not an_hour:
        return None
    return timedelta(hours=left / an_hour)


def _unless_cleared(panel: ReaderPanel, kind: StationEventKind) -> ReaderPanel:
    """An empty panel where the event says that there is nothing more to tell."""
    if kind is StationEventKind.CHIP_GONE and panel.kind is not PanelKind.BUSY:
        return replace(panel, is_chip_out=True)
    # A visit that was broken off says so itself; one that had not begun leaves nothing.
    is_over = kind in (StationEventKind.CHIP_GONE, StationEventKind.GOES_ON)
    is_back = kind is StationEventKind.WAITING and panel.code in _PASSING
    return ReaderPanel(reader=panel.reader, endings=panel.endings) if is_over or is_back else panel


def _in_work(panel: ReaderPanel, progress: VisitProgress) -> ReaderPanel:
    is_first_look = progress.stage is VisitStage.IDENTIFY or (
        # A finished card tells no serial: whose it is, shows once its lock is proven.
        progress.stage is VisitStage.PROVE_LOCK and progress.card_number is None
    )
    if panel.kind is PanelKind.BAD and is_first_look and not panel.is_chip_out:
        # The chip that was rejected is looked at again because it is still in: why it was stays to be read.
        return panel
    is_same_visit = panel.kind is PanelKind.BUSY
    return ReaderPanel(
        reader=panel.reader,
        kind=PanelKind.BUSY,
        serial=progress.serial or (panel.serial if is_same_visit else None),
        card_number=progress.card_number,
        progress=progress,
        note=panel.note if is_same_visit else None,
        endings=panel.endings,
    )


def _ended(panel: ReaderPanel, outcome: VisitOutcome) -> ReaderPanel:
    if is_told_already(panel, outcome):
        return panel
    is_good = outcome.result is VisitResult.DONE
    is_same_chip = panel.serial is None or outcome.serial in (None, panel.serial)
    return ReaderPanel(
        reader=panel.reader,
        kind=PanelKind.GOOD if is_good else PanelKind.BAD,
        serial=outcome.serial,
        card_number=panel.card_number if is_same_chip else None,
        made=made_of(outcome),
        code=outcome.code,
        message=outcome.message,
        note=panel.note,
        endings=panel.endings + 1,
    )


def _stopped(panel: ReaderPanel, event: StationEvent) -> ReaderPanel:
    stopped = replace(
        panel,
        kind=PanelKind.BAD,
        code=READER_CODES[event.kind],
        message=event.text,
        endings=panel.endings + 1,
        progress=None,
    )
    if event.kind is StationEventKind.GAVE_UP:
        return replace(stopped, is_given_up=True)
    return replace(stopped, serial=None, card_number=None, made=None, note=None)
