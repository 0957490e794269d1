"""What the use cases of people have in common: who may touch an account, and what an act does to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from issuer.domain.account import Account, AccountState, PasswordHash
from issuer.domain.account_proposal import AccountAct, AccountProposal
from issuer.domain.audit import AuditDetail
from issuer.domain.rights import AccountName, Actor, Assignment, Right
from issuer.errors import IssuerRefusedError
from issuer.services.account_records import record_act_on
from issuer.services.places import place_of
from issuer.services.register_ports import RegisterTransaction

__all__ = [
    "ActOnAccount",
    "check_not_own",
    "demand_at",
    "demand_over",
    "may_manage",
    "roles_text",
]

_RECORDED_AS: Final = {
    AccountAct.GIVE_ROLE: "account.role-given",
    AccountAct.ENABLE: "account.enabled",
    AccountAct.RESET_PASSWORD: "account.password-reset",
    AccountAct.REMOVE_SECOND_FACTORS: "account.second-factors-removed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActOnAccount:
    """An act on an account, by whoever may; ``assignment`` for a role, ``password`` for another password."""

    act: AccountAct
    assignment: Assignment | None = None
    password: PasswordHash | None = None

    @property
    def touched(self) -> tuple[Assignment, ...]:
        """The assignments that the act is about."""
        return () if self.assignment is None else (self.assignment,)

    def outcome(self, account: Account) -> Account:
        """The account after it.

        Raises:
            IssuerRefusedError: as ``Account.given``.
        """
        match self.act:
            case AccountAct.GIVE_ROLE if self.assignment is not None:
                return account.given(self.assignment)
            case AccountAct.ENABLE:
                return replace(account, state=AccountState.ACTIVE)
            case AccountAct.RESET_PASSWORD if self.password is not None:
                return replace(account, password=self.password)
        return account

    def take(
        self,
        transaction: RegisterTransaction,
        account: Account,
        *,
        by: AccountName,
        at: datetime,
        proposed_by: AccountName | None = None,
    ) -> Account:
        """Do it, and append it to the trail; whoever gets into the account by it finds no session there.

        Raises:
            IssuerRefusedError: as ``outcome``.
        """
        changed = self.outcome(account)
        transaction.people.replace(changed)
        details: dict[str, AuditDetail] = {}
        if self.touched:
            details["assignments"] = roles_text(self.touched)
        if self.act is AccountAct.REMOVE_SECOND_FACTORS:
            factors = transaction.people.second_factors(account.account_id)
            for each in factors:
                transaction.people.remove_second_factor(account.account_id, each.credential_id)
            details["factors"] = len(factors)
        if self.act in (AccountAct.RESET_PASSWORD, AccountAct.REMOVE_SECOND_FACTORS):
            transaction.sessions.end_all(account.account_id)
            # What was proposed was proposed for whoever had the account until now.
            transaction.account_proposals.remove_of(account.account_id)
        if proposed_by is not None:
            details["proposed_by"] = proposed_by
        record_act_on(
            account, _RECORDED_AS[self.act], transaction=transaction, by=by, at=at, **details
        )
        return changed

    def propose(
        self, transaction: RegisterTransaction, account: Account, *, by: AccountName, at: datetime
    ) -> AccountProposal:
        """Keep it for another administrator, and append that to the trail.

        Raises:
            IssuerRefusedError: as ``outcome``: what cannot be is not proposed.
        """
        self.outcome(account)
        proposal = transaction.account_proposals.add(
            account, self.act, assignment=self.assignment, by=by, at=at
        )
        record_act_on(
            account,
            "account.proposed",
            transaction=transaction,
            by=by,
            at=at,
            act=self.act.value,
            assignments=roles_text(self.touched) or None,
            proposal=proposal.number,
        )
        return proposal


def demand_at(
    transaction: RegisterTransaction,
    actor: Actor,
    assignments: Iterable[Assignment],
    now: datetime,
) -> None:
    """The right at every place of these assignments; over the whole register where there are none."""
    for code in {each.organisation for each in assignments} or {None}:
        place = place_of(transaction.organisations, code)
        actor.demand(Right.MANAGE_PEOPLE, place=place, now=now)


def demand_over(
    transaction: RegisterTransaction,
    actor: Actor,
    account: Account,
    touched: Sequence[Assignment],
    now: datetime,
) -> None:
    """The right wherever the account has a role, and where it gets or loses one."""
    demand_at(transaction, actor, (*account.assignments, *touched), now)


def may_manage(
    transaction: RegisterTransaction,
    actor: Actor,
    account: Account,
    touched: Sequence[Assignment] = (),
) -> bool:
    """The same without the second factor, as an answer."""
    return all(
        actor.may(Right.MANAGE_PEOPLE, place=place_of(transaction.organisations, code))
        for code in {each.organisation for each in (*account.assignments, *touched)} or {None}
    )


def check_not_own(account: Account, actor: Actor) -> None:
    """Nobody changes their own account.

    Raises:
        IssuerRefusedError: ``account.own``.
    """
    if account.name == actor.account:
        raise IssuerRefusedError(
            f"account {account.name} is one's own: somebody else has to do this", code="account.own"
        )


def roles_text(assignments: Sequence[Assignment]) -> str:
    """Assignments as the trail holds them."""
    return " ".join(f"{each.role}@{each.organisation or '*'}" for each in assignments)
