"""Use case: another administrator confirms what one proposed for an account."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from issuer.domain.account import Account, PasswordHash, check_new_password
from issuer.domain.account_proposal import (
    PROPOSAL_TIME,
    AccountAct,
    AccountProposal,
    ProposalNumber,
)
from issuer.domain.rights import AccountName, Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.account_acts import (
    ActOnAccount,
    check_not_own,
    demand_over,
    may_manage,
)
from issuer.services.account_records import record_act_on
from issuer.services.people_ports import PasswordHasher
from issuer.services.register_ports import Register, RegisterTransaction

__all__ = ["ConfirmationOfAccounts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationOfAccounts:
    """The second administrator's use cases.

    Where the only administrator of the whole register is left, somebody who decides for the whole register stands in for
    the other one: else nobody could ever become one again.
    """

    register: Register
    passwords: PasswordHasher
    clock: Callable[[], datetime]

    def waiting(self, *, actor: Actor) -> tuple[AccountProposal, ...]:
        """What waits for another administrator, as far as the actor may manage it, the oldest first; their own among it.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        now = self.clock()
        with self.register.reading() as transaction:
            if not actor.may_somewhere(Right.MANAGE_PEOPLE) and not _may_stand_in(actor):
                actor.demand(Right.MANAGE_PEOPLE, place=(), now=now)
            return tuple(
                each
                for each in transaction.account_proposals.all()
                if not each.is_over(now) and _concerns(transaction, each, actor)
            )

    def confirm(
        self, number: ProposalNumber, *, actor: Actor, draw: Callable[[AccountName], str]
    ) -> AccountProposal:
        """Do what another administrator proposed; ``draw`` gives the provisional password of an account where one is to be set.

        Raises:
            IssuerRefusedError: ``account.proposal-unknown``, ``account.proposal-over``, ``right.missing``,
                ``right.step-up-needed``, ``right.same-person``, ``account.own``; as the act itself.
            IssuerDataError: as ``check_new_password``.
        """
        now = self.clock()
        with self.register.reading() as transaction:
            proposal, _ = _confirmable(transaction, number, actor, now)
        # Slow on purpose, and therefore not within the transaction.
        password = (
            PasswordHash(
                encoded=self.passwords.hash(
                    check_new_password(draw(proposal.account), account=proposal.account)
                ),
                set_at=now,
                is_provisional=True,
            )
            if proposal.act is AccountAct.RESET_PASSWORD
            else None
        )
        with self.register.writing() as transaction:
            transaction.people.lock()
            proposal, account = _confirmable(transaction, number, actor, now)
            replace(_act(proposal), password=password).take(
                transaction, account, by=actor.account, at=now, proposed_by=proposal.proposed_by
            )
            transaction.account_proposals.remove(number)
            transaction.account_proposals.remove_before(now - PROPOSAL_TIME)
        return proposal

    def withdraw(self, number: ProposalNumber, *, actor: Actor) -> AccountProposal:
        """Nobody confirms it any more; whoever may manage the account may say so.

        Raises:
            IssuerRefusedError: ``account.proposal-unknown``, ``right.missing``, ``right.step-up-needed``.
        """
        now = self.clock()
        with self.register.writing() as transaction:
            transaction.people.lock()
            proposal, account = _found(transaction, number, actor, now)
            demand_over(transaction, actor, account, _act(proposal).touched, now)
            transaction.account_proposals.remove(number)
            record_act_on(
                account,
                "account.proposal-withdrawn",
                transaction=transaction,
                by=actor.account,
                at=now,
                act=proposal.act.value,
                proposal=number,
            )
        return proposal


def _act(proposal: AccountProposal) -> ActOnAccount:
    return ActOnAccount(act=proposal.act, assignment=proposal.assignment)


def _found(
    transaction: RegisterTransaction, number: ProposalNumber, actor: Actor, now: datetime
) -> tuple[AccountProposal, Account]:
    """A proposal and its account; who may confirm nothing is not told what there is."""
    if not actor.may_somewhere(Right.MANAGE_PEOPLE) and not _may_stand_in(actor):
        actor.demand(Right.MANAGE_PEOPLE, place=(), now=now)
    proposal = transaction.account_proposals.get(number)
    return proposal, transaction.people.get(proposal.account)


def _confirmable(
    transaction: RegisterTransaction, number: ProposalNumber, actor: Actor, now: datetime
) -> tuple[AccountProposal, Account]:
    """A proposal that this actor may confirm now, and its account."""
    proposal, account = _found(transaction, number, actor, now)
    touched = _act(proposal).touched
    proposer = transaction.people.get(proposal.proposed_by)
    if _may_stand_in(actor) and _is_the_only_one(transaction, proposer):
        actor.demand(Right.DECIDE, place=(), now=now)
    else:
        demand_over(transaction, actor, account, touched, now)
    check_not_own(account, actor)
    proposal.require_confirmable(actor.account, now)
    # Whoever was sent away meanwhile has no say any more.
    left = Actor(account=proposer.name, assignments=proposer.assignments)
    if not proposer.is_active or not may_manage(transaction, left, account, touched):
        raise IssuerRefusedError(
            f"account {proposer.name}, which proposed it, may not do so any more",
            code="account.proposal-over",
            hint="propose it again",
        )
    return proposal, account


def _concerns(transaction: RegisterTransaction, proposal: AccountProposal, actor: Actor) -> bool:
    account = transaction.people.get(proposal.account)
    if may_manage(transaction, actor, account, _act(proposal).touched):
        return True
    return _may_stand_in(actor) and _is_the_only_one(
        transaction, transaction.people.get(proposal.proposed_by)
    )


def _may_stand_in(actor: Actor) -> bool:
    return actor.may(Right.DECIDE, place=())


def _is_the_only_one(transaction: RegisterTransaction, proposer: Account) -> bool:
    return proposer.is_administrator_of_all and transaction.people.count_administrators() == 1
