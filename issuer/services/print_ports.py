"""The port to whatever prints cards: a finished card's job is handed to it, and it is not this program's any more."""

from typing import Protocol

from issuer.domain.card_job import CardJob

__all__ = ["PrintQueue"]


class PrintQueue(Protocol):
    """Takes print jobs; safe to call from any thread."""

    def hand_over(self, job: CardJob, *, copy: int) -> None:
        """Take the job of a finished card; ``copy`` counts from 1, and is higher where a card is printed again.

        Taking the same copy again changes nothing.

        Raises:
            IssuerUnavailableError: it cannot be taken now (``print.unavailable``).
        """
