"""Port of the openings of batches: what waits for a card, by decision and by committee."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from issuer.domain.card_number import CardNumber
from issuer.domain.decisions import Decision, DecisionId
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestId, RequestKind

__all__ = ["MOST_WAITING", "BatchOpenings", "DecisionQuestion", "WaitingRequest"]

MOST_WAITING: Final = 10_001
"""No decision's waiting requests are counted beyond this: a batch holds fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionQuestion:
    """Which confirmed decisions are asked for; what is ``None`` does not narrow.

    Attributes:
        below: of committees at or below one of these organisations.
        above: or of one of these committees themselves.
        text: whose number holds this text, whatever its letters' case.
    """

    below: Collection[OrganisationCode] | None = None
    above: Collection[OrganisationCode] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRequest:
    """A request that would go into a batch."""

    request_id: RequestId
    member_id: MemberId
    kind: RequestKind
    organisation: OrganisationCode
    card_number: CardNumber = field(repr=False)


class BatchOpenings(Protocol):
    """What could go into batches, within one transaction."""

    def decisions(
        self, question: DecisionQuestion, *, limit: int, behind: DecisionId | None = None
    ) -> tuple[Decision, ...]:
        """Confirmed decisions, the newest first; ``behind`` is the last one of the page before."""

    def waiting(
        self, decision_id: DecisionId, *, below: Collection[OrganisationCode] | None
    ) -> int:
        """How many requests of a decision wait for a batch, in a part of the tree; at most ``MOST_WAITING``."""

    def waiting_by_organisation(
        self, decision_id: DecisionId, *, below: Collection[OrganisationCode] | None
    ) -> Mapping[OrganisationCode, int]:
        """How many of them are of members recorded in each organisation itself; those without any are left out."""

    def requests(
        self, decision_id: DecisionId, receiver: OrganisationCode, *, limit: int
    ) -> tuple[WaitingRequest, ...]:
        """The first of those that a batch for this receiver would hold, in the order in which they would go in."""
