"""What about requests is configuration: which level decides, whose hands are kept apart, which numbers are kept."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from issuer.domain.decisions import DocumentSignature
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestEventKind, RequestKind
from issuer.domain.rights import AccountName, Place
from issuer.errors import IssuerRefusedError

__all__ = ["HandsRule", "NumberRule", "RequestPolicy"]


class HandsRule(enum.StrEnum):
    """Whose hands are kept apart. That a decision takes two people is no matter of configuration."""

    EVERY_LEVEL = "every-level"
    """Whoever proposed does not endorse; whoever took any step before a decision takes no part in deciding."""
    DECISION = "decision"
    """Whoever took any step before a decision takes no part in deciding."""
    FOUR_EYES = "four-eyes"
    """Only the two who prepare and confirm a decision are different people."""


class NumberRule(enum.StrEnum):
    """Which number the next card of a member shows."""

    KEEP = "keep"
    NEW = "new"


_BEFORE_DECIDING: Final = frozenset(
    {
        RequestEventKind.DRAFTED,
        RequestEventKind.PROPOSED,
        RequestEventKind.ENDORSED,
        RequestEventKind.COMPILED,
    }
)

_KEPT_APART: Final[Mapping[HandsRule, Mapping[RequestEventKind, frozenset[RequestEventKind]]]] = {
    HandsRule.EVERY_LEVEL: {
        RequestEventKind.ENDORSED: frozenset({RequestEventKind.PROPOSED}),
        RequestEventKind.TABLED: _BEFORE_DECIDING,
        RequestEventKind.DECIDED: _BEFORE_DECIDING,
    },
    HandsRule.DECISION: {
        RequestEventKind.TABLED: _BEFORE_DECIDING,
        RequestEventKind.DECIDED: _BEFORE_DECIDING,
    },
    HandsRule.FOUR_EYES: {},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPolicy:
    """The configuration of one office.

    Attributes:
        deciding_level: how far below the top-most organisation the deciding committee stands: 0 is the top-most one
            itself. Where the tree has fewer levels the lowest one decides.
        hands: whose hands are kept apart.
        exchange_number: which number the card shows that is exchanged for an earlier one.
        re_issue_number: which number a card shows that is made once more.
        needs_signed_document: whether the document of a decision has to bear an electronic signature over all of it.
    """

    deciding_level: int = 0
    hands: HandsRule = HandsRule.EVERY_LEVEL
    exchange_number: NumberRule = NumberRule.KEEP
    re_issue_number: NumberRule = NumberRule.KEEP
    needs_signed_document: bool = False

    def require_signature(self, seen: DocumentSignature) -> None:
        """Whether a decision may rest on a document with what was seen of its signature.

        Raises:
            IssuerRefusedError: ``document.not-signed``.
        """
        if self.needs_signed_document and seen is not DocumentSignature.PRESENT:
            raise IssuerRefusedError(
                f"the signature of the document is {seen}, expected one over all of it",
                code="document.not-signed",
                hint="bring the PDF file as it was signed, not a scan or a copy that was saved anew",
            )

    def deciding_committee(self, place: Place) -> OrganisationCode:
        """Which committee decides on the matters of a place, which has at least one organisation."""
        return place[min(self.deciding_level, len(place) - 1)]

    def needs_number(self, kind: RequestKind) -> bool:
        """Whether a request of this kind is allotted a number; the others keep the member's."""
        match kind:
            case RequestKind.NEW_ISSUE:
                return True
            case RequestKind.EXCHANGE:
                return self.exchange_number is NumberRule.NEW
            case RequestKind.RE_ISSUE:
                return self.re_issue_number is NumberRule.NEW

    def barred_by(self, step: RequestEventKind) -> frozenset[RequestEventKind]:
        """Whoever took one of these steps of a request does not take this one."""
        return _KEPT_APART[self.hands].get(step, frozenset())

    def keep_apart(
        self,
        account: AccountName,
        step: RequestEventKind,
        *,
        taken: frozenset[RequestEventKind],
    ) -> None:
        """Let pass whoever has not taken a step that bars them from this one.

        Args:
            account: who wants to take the step.
            step: which one.
            taken: which steps of the same request they took before.

        Raises:
            IssuerRefusedError: ``request.same-hands``.
        """
        barring = self.barred_by(step) & taken
        if barring:
            named = ", ".join(sorted(barring))
            raise IssuerRefusedError(
                f"account {account} has {named} the request, so another person takes the step to {step}",
                code="request.same-hands",
            )
