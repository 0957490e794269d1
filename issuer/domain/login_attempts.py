"""How often somebody may try: counts of failed log-ins, and the delay that grows with them."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NewType, Self

__all__ = ["AttemptKey", "AttemptLimit", "FailedAttempts", "key_of_account", "key_of_address"]

AttemptKey = NewType("AttemptKey", bytes)
"""SHA-256 of what was tried. A name that no account has may be a password that was typed into the wrong field."""

_LABEL_ACCOUNT: Final = b"account\x00"
_LABEL_ADDRESS: Final = b"address\x00"
_MAX_DOUBLINGS: Final = 32


def key_of_account(name: str) -> AttemptKey:
    """The key under which attempts for a name are counted, whether there is such an account or not."""
    return AttemptKey(hashlib.sha256(_LABEL_ACCOUNT + name.encode("utf-8", "replace")).digest())


def key_of_address(address: str) -> AttemptKey:
    """The key under which attempts from an address are counted."""
    return AttemptKey(hashlib.sha256(_LABEL_ADDRESS + address.encode("utf-8", "replace")).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLimit:
    """How many failures are free, and how the delay grows after them.

    Attributes:
        free: so many attempts may fail without a delay.
        first_delay: the delay after the next failure; it doubles with every further one.
        longest_delay: it grows no further.
        memory: failures are forgotten once none came for so long.
    """

    free: int
    first_delay: timedelta
    longest_delay: timedelta
    memory: timedelta

    def delay_after(self, failures: int) -> timedelta:
        """How long nobody may try after so many failures."""
        if failures < self.free:
            return timedelta(0)
        doublings = min(failures - self.free, _MAX_DOUBLINGS)
        return min(self.first_delay * int(2**doublings), self.longest_delay)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempts:
    """What is remembered of one key; an attempt counts as failed from its begin until it has succeeded."""

    count: int
    last_at: datetime
    blocked_until: datetime

    @classmethod
    def none(cls, now: datetime) -> Self:
        """Nobody has tried."""
        return cls(count=0, last_at=now, blocked_until=now)

    def known_at(self, now: datetime, limit: AttemptLimit) -> Self:
        """The same, or nothing where it lies so long back that it is forgotten."""
        return self if now - self.last_at < limit.memory else self.none(now)

    def one_more(self, now: datetime, limit: AttemptLimit) -> Self:
        """With one more attempt, which is taken as failed."""
        count = self.count + 1
        return type(self)(count=count, last_at=now, blocked_until=now + limit.delay_after(count))

    def one_less(self, *, began_at: datetime, now: datetime) -> Self:
        """Without the attempt of ``began_at``, which succeeded after all.

        A delay stays where another attempt came meanwhile: else whoever has one account could go on guessing at others.
        """
        is_last = self.last_at == began_at
        return replace(
            self,
            count=max(self.count - 1, 0),
            blocked_until=now if is_last else self.blocked_until,
        )
