"""Rate limits in the memory of one process (the library ``limits``).

Each process counts for itself: behind n processes somebody may make up to n times as many requests. That is enough for
what the limits are for, which is that one browser or one program does not take a process for itself.
"""

import math
import time
from collections.abc import Mapping

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from issuer.errors import TooManyAttemptsError
from issuer.services.request_rates import RateKind

__all__ = ["MemoryRequestRates"]


class MemoryRequestRates:
    """See ``issuer.services.request_rates.RequestRates``; safe to share among threads."""

    def __init__(self, per_minute: Mapping[RateKind, int]) -> None:
        """Count from nothing; ``per_minute`` has a number for every kind."""
        # A window of a minute begins with a key's first request, and the counter is forgotten with it. The library's
        # moving window would keep every key for ever; its sliding one says too early when to come again.
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._limits = {
            kind: RateLimitItemPerMinute(per_minute[kind], namespace=kind.value)
            for kind in RateKind
        }

    def count(self, kind: RateKind, key: str) -> None:
        """See ``RequestRates``."""
        limit = self._limits[kind]
        if self._limiter.hit(limit, key):
            return
        until = self._limiter.get_window_stats(limit, key).reset_time
        seconds = max(1, math.ceil(until - time.time()))
        raise TooManyAttemptsError(
            f"more than {limit.amount} requests in a minute: try again in {seconds} s",
            retry_after=seconds,
            code="request.too-many",
        )
