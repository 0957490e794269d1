"""Port of rate limits: how many requests somebody may make in a while, whatever they ask for."""

from enum import StrEnum
from typing import Protocol

__all__ = ["RateKind", "RequestRates"]


class RateKind(StrEnum):
    """Whose requests are counted together; each kind has a limit of its own."""

    ADDRESS = "address"
    SESSION = "session"


class RequestRates(Protocol):
    """Counts requests. Failed log-ins are counted elsewhere, in the database (``issuer.services.log_in``)."""

    def count(self, kind: RateKind, key: str) -> None:
        """Count one request.

        Args:
            kind: what the key is.
            key: a network address, or a session's identifier; never a token.

        Raises:
            TooManyAttemptsError: there were too many in the last minute (``request.too-many``).
        """
