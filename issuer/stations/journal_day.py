"""The part of a station's journal that is of this day: behind the last day close."""

from collections.abc import Iterator
from typing import Final

from issuer.domain.production_events import ProductionEvent
from issuer.stations.journal import StationJournal

__all__ = ["begin_day_after", "events_of_today"]

_BEGUN_AFTER: Final = "day-begun-after"
_PAGE: Final = 10_000


def begin_day_after(journal: StationJournal, sequence: int) -> None:
    """Another day begins behind this event.

    Raises:
        IssuerUnavailableError: the journal is gone.
    """
    journal.remember(_BEGUN_AFTER, str(sequence))


def events_of_today(journal: StationJournal) -> Iterator[ProductionEvent]:
    """What happened since the last day close, in order.

    Raises:
        IssuerUnavailableError: the journal is gone, or was altered.
    """
    after = int(journal.fact(_BEGUN_AFTER) or 0)
    while events := journal.events(after=after, limit=_PAGE):
        yield from events
        after = events[-1].sequence
