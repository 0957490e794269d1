"""What one administrator alone may not do with accounts: it is proposed by one and confirmed by another.

Four eyes are two people, and accounts are how people are told apart. Whoever could give the roles of four eyes alone, or
get into an account that has one, would be as many people as they like.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NewType

from issuer.domain.account import Account
from issuer.domain.rights import (
    FOUR_EYES_ROLES,
    AccountName,
    Assignment,
    two_different_people,
)
from issuer.errors import IssuerRefusedError

__all__ = [
    "PROPOSAL_TIME",
    "AccountAct",
    "AccountProposal",
    "ProposalNumber",
    "takes_two",
]

ProposalNumber = NewType("ProposalNumber", int)

PROPOSAL_TIME: Final = timedelta(days=7)
"""How long a proposal can be confirmed."""


class AccountAct(enum.StrEnum):
    """What makes somebody able to do more, or lets somebody else into their account."""

    GIVE_ROLE = "give-role"
    ENABLE = "enable"
    RESET_PASSWORD = "reset-password"  # noqa: S105 - the name of an act
    REMOVE_SECOND_FACTORS = "remove-second-factors"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountProposal:
    """An act on an account that waits for another administrator.

    Attributes:
        number: by which people name it.
        account: on whose account.
        act: what is to be done.
        assignment: the role, where one is to be given.
        proposed_by: who wants it.
        proposed_at: since when (aware UTC).
    """

    number: ProposalNumber
    account: AccountName
    act: AccountAct
    assignment: Assignment | None
    proposed_by: AccountName
    proposed_at: datetime

    def is_over(self, now: datetime) -> bool:
        """Whether it was left lying too long; one from ahead of now is a clock that was set back."""
        return not timedelta(0) <= now - self.proposed_at <= PROPOSAL_TIME

    def require_confirmable(self, account: AccountName, now: datetime) -> None:
        """Somebody else confirms it, in time.

        Raises:
            IssuerRefusedError: ``right.same-person``, ``account.proposal-over``.
        """
        two_different_people(self.proposed_by, account, act=f"{self.act} of {self.account}")
        if self.is_over(now):
            raise IssuerRefusedError(
                f"proposal {self.number} is of {self.proposed_at:%Y-%m-%d %H:%M}Z, "
                f"expected at most {PROPOSAL_TIME.days} days before {now:%Y-%m-%d %H:%M}Z",
                code="account.proposal-over",
                hint="propose it again",
            )


def takes_two(account: Account, act: AccountAct, assignment: Assignment | None) -> bool:
    """Whether an act on this account takes two administrators."""
    if act is AccountAct.GIVE_ROLE:
        return (
            assignment is not None
            and assignment.role in FOUR_EYES_ROLES
            and assignment not in account.assignments
        )
    return any(each.role in FOUR_EYES_ROLES for each in account.assignments)
