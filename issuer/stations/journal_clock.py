"""The time of a station's journal: it never runs behind what is written, unless a person says that the clock ran ahead."""

from datetime import UTC, datetime, timedelta
from typing import Final

from issuer.errors import IssuerRefusedError
from issuer.services.production_ports import Clock

__all__ = ["JournalClock"]

_TOLERANCE: Final = timedelta(minutes=2)
"""So far a clock may be set back: what time servers correct."""


class JournalClock:
    """The computer's clock, beside the time of the last event."""

    def __init__(self, clock: Clock, latest: datetime | None) -> None:
        """``latest`` is the time of the last event; ``None`` where nothing is written."""
        self._clock = clock
        self.latest = latest

    @property
    def now(self) -> datetime:
        """What the computer tells, aware UTC."""
        return self._clock().astimezone(UTC)

    @property
    def next(self) -> datetime:
        """The time of an event that is written now: not before the last one."""
        return self.now if self.latest is None else max(self.now, self.latest)

    @property
    def is_behind(self) -> bool:
        """Whether the computer tells a time before what is written, by more than time servers correct."""
        return self.latest is not None and self.now < self.latest - _TOLERANCE

    def require_sound(self) -> None:
        """Before a chip is begun: the time must not lie before what is written.

        Raises:
            IssuerRefusedError: ``station.clock-back``.
        """
        if self.is_behind:
            raise IssuerRefusedError(
                f"the clock says {self.now:%Y-%m-%d %H:%M:%S}Z, but the journal was written at "
                f"{self.latest:%Y-%m-%d %H:%M:%S}Z",
                code="station.clock-back",
                hint="set the clock of this machine; where it is right and had run ahead: "
                "membercard-issuer station clock correct",
            )
