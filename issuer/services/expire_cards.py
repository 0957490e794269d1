"""Use case: cards whose last day has passed end; the calendar says so, and needs no second person."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.rights import AccountName, Actor, Right
from issuer.services.register_ports import Register
from issuer.services.request_outcome import CHUNK_ROWS, chunks

__all__ = ["CardExpiry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardExpiry:
    """Everything that this needs from the world; ``clock`` gives aware UTC."""

    register: Register
    clock: Callable[[], datetime]
    chunk_rows: int = CHUNK_ROWS

    def run(self, *, actor: Actor) -> int:
        """End every card in its member's hand whose last day is over, a transaction a part; how many it was.

        Raises:
            IssuerRefusedError: ``right.missing`` (``service.operate``).
        """
        actor.demand(Right.OPERATE_SERVICE, place=(), now=self.clock())
        return self.expire(account=actor.account)

    def expire(self, *, account: AccountName) -> int:
        """The same, where nobody has to be asked for a right: a program does it every day."""
        now = self.clock()
        with self.register.reading() as transaction:
            expired = transaction.cards.expired(on=now.date())
        step = ValidityStep(event=ValidityEvent.ENDED, account=account, reason=EndReason.EXPIRED)
        count = 0
        for part in chunks(expired, self.chunk_rows):
            with self.register.writing() as transaction:
                for reference in part:
                    # Whatever ended it meanwhile may be what its status says already.
                    if transaction.cards.get(reference).validity.end is None:
                        transaction.cards.take(reference, step, at=now)
                        count += 1
        return count
