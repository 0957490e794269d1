"""A card: one member bound to one chip, and how far its making has come.

The record is written *before* each act on the chip, so the chip may lag behind it but never runs ahead:

    bound ──> signed ──> personalising ──> personalised ──> locking ──> issued ──> handed-over
      └─────────┴──────────────┴────────────────┴──────────────┴──────────┴──> condemned

``personalising``, ``locking``: the first APDU of that step *may* have reached the chip. A card is condemned
for good; its member gets another chip and another card, its status index is never used again.
"""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from issuer.domain.batch import BatchId
from issuer.domain.chip import Serial
from issuer.domain.member import MemberId
from issuer.domain.production_errors import TransitionError
from issuer.domain.requests import RequestId
from issuer.domain.status_allotment import StatusIndex

__all__ = [
    "REFERENCE_BYTES",
    "UNFINISHED_STATES",
    "Card",
    "CardEvent",
    "CardReference",
    "CardState",
    "may_be_operational",
    "next_card_state",
]

CardReference = NewType("CardReference", bytes)
"""The card's name within the issuer and towards the signer: 16 random bytes."""

REFERENCE_BYTES = 16


class CardState(enum.StrEnum):
    """How far the record says that a card has come."""

    BOUND = "bound"
    SIGNED = "signed"
    PERSONALISING = "personalising"
    PERSONALISED = "personalised"
    LOCKING = "locking"
    ISSUED = "issued"
    HANDED_OVER = "handed-over"
    CONDEMNED = "condemned"


class CardEvent(enum.StrEnum):
    """What may happen to a card; the journal of card events keeps it under this name."""

    BOUND = "bound"
    SIGNED = "signed"
    PERSONALISATION_BEGUN = "personalisation-begun"
    PERSONALISED = "personalised"
    LOCK_INTENDED = "lock-intended"
    ISSUED = "issued"
    HANDED_OVER = "handed-over"
    CONDEMNED = "condemned"


_TRANSITIONS = {
    (CardState.BOUND, CardEvent.SIGNED): CardState.SIGNED,
    (CardState.SIGNED, CardEvent.PERSONALISATION_BEGUN): CardState.PERSONALISING,
    # Repeating all of personalisation is harmless for the same reference (SPEC.md 8.6).
    (CardState.PERSONALISING, CardEvent.PERSONALISATION_BEGUN): CardState.PERSONALISING,
    (CardState.PERSONALISING, CardEvent.PERSONALISED): CardState.PERSONALISED,
    (CardState.PERSONALISED, CardEvent.LOCK_INTENDED): CardState.LOCKING,
    # A lock whose outcome is unknown is judged in full and intended again.
    (CardState.LOCKING, CardEvent.LOCK_INTENDED): CardState.LOCKING,
    (CardState.LOCKING, CardEvent.ISSUED): CardState.ISSUED,
    (CardState.ISSUED, CardEvent.HANDED_OVER): CardState.HANDED_OVER,
    (CardState.BOUND, CardEvent.CONDEMNED): CardState.CONDEMNED,
    (CardState.SIGNED, CardEvent.CONDEMNED): CardState.CONDEMNED,
    (CardState.PERSONALISING, CardEvent.CONDEMNED): CardState.CONDEMNED,
    (CardState.PERSONALISED, CardEvent.CONDEMNED): CardState.CONDEMNED,
    (CardState.LOCKING, CardEvent.CONDEMNED): CardState.CONDEMNED,
    (CardState.ISSUED, CardEvent.CONDEMNED): CardState.CONDEMNED,
}

UNFINISHED_STATES = frozenset(
    {CardState.SIGNED, CardState.PERSONALISING, CardState.PERSONALISED, CardState.LOCKING}
)
"""The states in which the card waits for, or is under, personalisation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card of the register of cards; it holds nothing secret and nothing about the person."""

    reference: CardReference
    member_id: MemberId
    request_id: RequestId
    serial: Serial
    state: CardState
    ordinal: int
    status: StatusIndex
    profile: str
    bound_at: datetime
    issued_at: datetime | None = None
    handed_over_at: datetime | None = None
    handed_over_to: str | None = None
    condemned_for: str | None = None
    batch_id: BatchId | None = None
    produced_by: str | None = None
    passed_by: str | None = None


def next_card_state(state: CardState, event: CardEvent) -> CardState:
    """The state after ``event``.

    Raises:
        TransitionError: the event cannot happen in this state.
    """
    try:
        return _TRANSITIONS[state, event]
    except KeyError:
        raise TransitionError(f"the card is {state}, so {event} cannot happen") from None


def may_be_operational(state: CardState) -> bool:
    """Whether the chip of a card in this state may work as a member card out in the world.

    A card condemned from such a state has to be revoked as well; destroying the record is not enough.
    """
    return state in (CardState.LOCKING, CardState.ISSUED, CardState.HANDED_OVER)
