"""A station's clock that ran ahead: what was written then lies in the future, and a person with a watch ends the wait.

The journal goes on with no clock that runs behind what it holds (``station.clock-back``). That is right where the clock
was set back, and would hold a station up for years where an empty battery had told the year 2036 for an hour. Whoever works
there then types what their own watch shows; the correction is an event like any other, numbered and chained, and the centre
reads it. No event is altered: those of the hour before keep their wrong time, and a centre with a clock of its own writes
none into the future.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from issuer.domain.chip import Serial
from issuer.domain.production_events import ProductionEvent, ProductionEventKind
from issuer.domain.stock_acts import parse_remark
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.stations.bundles import LAST_ORDER_AT
from issuer.stations.desk import CLOCK_LEEWAY
from issuer.stations.journal import StationJournal
from issuer.stations.journal_day import events_of_today

__all__ = ["ClockCorrection", "ClockStanding", "parse_watch"]

_CORRECTED: Final = "station.clock-corrected"
_WATCH: Final = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStanding:
    """What there is to compare; all aware UTC.

    Attributes:
        now: what the computer tells.
        latest: when the last event was written; ``None`` where there is none.
        order_written_at: when the centre wrote the newest order that was taken; ``None`` where none was.
        is_behind: whether the station waits because of its clock.
    """

    now: datetime
    latest: datetime | None
    order_written_at: datetime | None
    is_behind: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCorrection:
    """The use case, over the journal of the station."""

    journal: StationJournal

    def look(self) -> ClockStanding:
        """What the clocks say.

        Raises:
            IssuerUnavailableError: the journal is gone.
        """
        written = self.journal.fact(LAST_ORDER_AT)
        time = self.journal.time
        return ClockStanding(
            now=time.now,
            latest=time.latest,
            order_written_at=None if written is None else datetime.fromisoformat(written),
            is_behind=time.is_behind,
        )

    def made_ahead(self) -> tuple[Serial, ...]:
        """The chips whose cards were written today at a time that lies ahead of the clock, each once.

        A card that trusts a CVCA holds the day on which it was written as its current date (SPEC.md, 5 and 8), and would
        refuse terminals whose certificates end before that.

        Raises:
            IssuerUnavailableError: the journal is gone, or was altered.
        """
        limit = self.journal.time.now + CLOCK_LEEWAY
        return tuple(
            dict.fromkeys(
                event.serial
                for event in events_of_today(self.journal)
                if event.kind is ProductionEventKind.PERSONALISATION_BEGUN
                and event.serial is not None
                and event.at > limit
            )
        )

    def correct(self, *, watch: datetime, reason: str) -> ProductionEvent:
        """Go on from the present time; ``watch`` is what a watch shows that is not this computer's (aware).

        Raises:
            IssuerDataError: ``station.clock-reason``: the reason is no line of text, or too long.
            IssuerRefusedError: the station does not wait because of its clock (``station.clock-not-behind``); the computer
                tells another time than the watch, or one before the centre wrote the newest order (``station.clock-wrong``).
            IssuerUnavailableError: the journal is gone.
        """
        try:
            why = parse_remark(reason, what="the reason")
        except IssuerDataError as error:
            raise IssuerDataError(str(error), code="station.clock-reason") from error
        found = self.look()
        if not found.is_behind or found.latest is None:
            raise IssuerRefusedError(
                "the clock does not run behind the journal, so nothing is to be corrected",
                code="station.clock-not-behind",
            )
        if abs(found.now - watch) > CLOCK_LEEWAY:
            raise _wrong(found.now, "and the watch", watch.astimezone(UTC))
        if found.order_written_at is not None and found.now < found.order_written_at - CLOCK_LEEWAY:
            raise _wrong(
                found.now, "and the centre wrote the newest order at", found.order_written_at
            )
        return self.journal.append(
            ProductionEventKind.NOTED,
            None,
            code=_CORRECTED,
            detail=f"from {found.latest:%Y-%m-%dT%H:%M:%SZ}: {why}",
            at=found.now,
        )


def parse_watch(text: str) -> datetime:
    """What somebody reads off a watch, in the time of where this computer is set to be.

    Raises:
        IssuerDataError: ``station.watch-malformed``.
    """
    try:
        return datetime.strptime(text.strip(), _WATCH).astimezone()
    except (ValueError, OverflowError) as error:
        raise IssuerDataError(
            f"got {text[:40]!r}, expected a day and a time like 2026-11-22 21:05",
            code="station.watch-malformed",
        ) from error


def _wrong(now: datetime, what: str, other: datetime) -> IssuerRefusedError:
    return IssuerRefusedError(
        f"this computer says {now:%Y-%m-%d %H:%M:%S}Z, {what} {other:%Y-%m-%d %H:%M:%S}Z",
        code="station.clock-wrong",
        hint="set the clock of this computer first",
    )
