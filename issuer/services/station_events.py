"""What a station tells whoever watches it: each step of a reader, and at the end what was done."""

import enum
from dataclasses import dataclass

from issuer.services.visit_chip import VisitOutcome
from issuer.services.visit_progress import VisitProgress

__all__ = ["StationEvent", "StationEventKind", "StationReport", "StationTiming"]


class StationEventKind(enum.StrEnum):
    """What a worker tells the display."""

    WAITING = "waiting"
    STAGE = "stage"
    WARNING = "warning"
    VISIT_ENDED = "visit-ended"
    SAME_CHIP = "same-chip"
    CHIP_GONE = "chip-gone"
    MUTE_CHIP = "mute-chip"
    READER_LOST = "reader-lost"
    GAVE_UP = "gave-up"
    GOES_ON = "goes-on"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class StationEvent:
    """One step of one reader; ``text`` is for people, ``progress`` comes with each stage of a visit."""

    reader: str
    kind: StationEventKind
    text: str = ""
    outcome: VisitOutcome | None = None
    progress: VisitProgress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StationTiming:
    """Seconds; ``patience`` is how long a worker waits for another chip, ``None`` for ever."""

    poll: float = 0.05
    retry: float = 1.0
    patience: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StationReport:
    """What the station did, over all readers.

    Attributes:
        done: chips that went as far as the task goes.
        outcomes: the end of every visit, in the order in which they ended.
        readers_given_up: readers on which chip after chip was rejected.
    """

    done: int
    outcomes: tuple[VisitOutcome, ...]
    readers_given_up: tuple[str, ...]
