"""What is done once a day without anybody asking for it: cards expire, old keys, doomed files and destroyed secrets go."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final

__all__ = ["DAILY", "DailyDuty"]

DAILY: Final = "daily"
"""The kind of job that it is."""


class DailyDuty:
    """The work list (``issuer.services.job_ports.WorkList``); its one key is the day in UTC, while that is not done.

    Every process does it, and again when it starts: each act finds nothing left to do where it was done before.
    """

    def __init__(self, acts: Sequence[Callable[[], object]], clock: Callable[[], datetime]) -> None:
        """Prepare the duty.

        Args:
            acts: what is done, in this order; each may be done again.
            clock: aware UTC.
        """
        self._acts = tuple(acts)
        self._clock = clock
        self._done: date | None = None

    def waiting(self, *, limit: int) -> Sequence[str]:
        """Today, where it is not done."""
        today = self._clock().date()
        return [today.isoformat()][:limit] if self._done != today else []

    def work(self, key: str) -> None:
        """Do it all; where something fails, the day is not done.

        Raises:
            IssuerError: an act could not be done now; the next look tries again.
        """
        for act in self._acts:
            act()
        self._done = date.fromisoformat(key)
