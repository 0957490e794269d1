"""The port to time: judgements need the time of day, bounds and durations a clock that never jumps."""

from datetime import datetime
from typing import Protocol

__all__ = ["Clock"]


class Clock(Protocol):
    """What the services know of time."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds since some moment; never set back."""
