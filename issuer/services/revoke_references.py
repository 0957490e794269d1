"""Use case: a document signer's key is in other hands, and the PKI names the cards that it signed.

The same list is brought by two people: at the first one's word every card is suspended at once, at the second one's
each ends, and a re-issue is drafted for its member. Brought again, it goes on where it stopped.
"""

import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from issuer.domain.card import CardReference, CardState
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.requests import ReissueReason, RequestKind
from issuer.domain.rights import Actor, Right, two_different_people
from issuer.errors import IssuerRefusedError
from issuer.services.card_lifecycle import remark_of
from issuer.services.card_validity_ports import CardRecord
from issuer.services.draft_requests import RequestDrafting, Wish
from issuer.services.places import Places
from issuer.services.register_ports import Register, RegisterTransaction
from issuer.services.request_outcome import CHUNK_ROWS, chunks

__all__ = ["CompromiseOutcome", "CompromiseStep", "CompromisedSigner"]


class CompromiseStep(enum.StrEnum):
    """What became of a card of the list."""

    SUSPENDED = "suspended"
    """The first person's word: it waits for the second one's."""

    WAITING = "waiting"
    """It waits for another person than who brings the list now."""

    ENDED = "ended"
    """The second person's word."""

    ENDED_BEFORE = "ended-before"
    """It has ended, for this reason or another; or it was condemned while it was made."""

    REPORTED_OTHERWISE = "reported-otherwise"
    """Somebody reported something else, which must be judged first; it counts for nothing."""

    UNKNOWN = "unknown"
    """No card of this register: the signer signed for another one, or the register lost it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompromiseOutcome:
    """One card of the list.

    Attributes:
        reference: which.
        step: what became of it.
        is_drafted: whether its member's re-issue was drafted now.
        code: why it was not, where the card has ended now; ``None`` otherwise.
    """

    reference: CardReference
    step: CompromiseStep
    is_drafted: bool = False
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompromisedSigner:
    """Everything that this needs from the world; ``clock`` gives aware UTC."""

    register: Register
    drafting: RequestDrafting
    clock: Callable[[], datetime]
    chunk_rows: int = CHUNK_ROWS

    def take(
        self, references: Iterable[CardReference], *, actor: Actor, remark: str = ""
    ) -> Iterator[CompromiseOutcome]:
        """Take one person's word about every card of a list, a transaction a part of it.

        Raises:
            IssuerDataError: ``card.remark``.
            IssuerRefusedError: ``right.missing`` (``cards.revoke``, where a member is recorded),
                ``right.step-up-needed``; the cards of parts before are done.
        """
        text = remark_of(remark)
        for part in chunks(references, self.chunk_rows):
            with self.register.writing() as transaction:
                places = Places(transaction.organisations)
                outcomes = [
                    self._take(transaction, places, each, actor, text)
                    for each in dict.fromkeys(part)
                ]
            yield from outcomes

    def _take(
        self,
        transaction: RegisterTransaction,
        places: Places,
        reference: CardReference,
        actor: Actor,
        remark: str,
    ) -> CompromiseOutcome:
        try:
            record = transaction.cards.get(reference)
        except IssuerRefusedError:
            return CompromiseOutcome(reference=reference, step=CompromiseStep.UNKNOWN)
        now = self.clock()
        actor.demand(Right.REVOKE_CARDS, place=places.of(record.organisation), now=now)
        step = _next_step(record, actor)
        if step is CompromiseStep.SUSPENDED:
            event, reason = ValidityEvent.REPORTED, EndReason.SIGNER_COMPROMISED
        elif step is CompromiseStep.ENDED:
            event, reason = ValidityEvent.CONFIRMED, None
        else:
            return CompromiseOutcome(reference=reference, step=step)
        transaction.cards.take(
            reference,
            ValidityStep(event=event, account=actor.account, reason=reason),
            at=now,
            remark=remark,
        )
        if step is CompromiseStep.SUSPENDED or not record.validity.is_handed_over:
            return CompromiseOutcome(reference=reference, step=step)
        # Nobody's fault is as near to it as a damage: the next card has the same reason for everybody.
        [drafted] = self.drafting.draft_within(
            transaction,
            [record.card.member_id],
            Wish(kind=RequestKind.RE_ISSUE, reason=ReissueReason.DAMAGED),
            actor=actor,
            right=Right.REVOKE_CARDS,
        )
        return CompromiseOutcome(
            reference=reference,
            step=step,
            is_drafted=drafted.is_changed,
            code=drafted.code,
        )


def _next_step(record: CardRecord, actor: Actor) -> CompromiseStep:
    validity = record.validity
    if validity.end is not None or record.card.state is CardState.CONDEMNED:
        return CompromiseStep.ENDED_BEFORE
    if validity.report is None or validity.reported_by is None:
        return CompromiseStep.SUSPENDED
    if validity.report is not EndReason.SIGNER_COMPROMISED:
        return CompromiseStep.REPORTED_OTHERWISE
    try:
        two_different_people(validity.reported_by, actor.account, act="the end of a card")
    except IssuerRefusedError:
        return CompromiseStep.WAITING
    return CompromiseStep.ENDED
