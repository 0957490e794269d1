"""People: whoever may manage them creates accounts, gives roles and takes them, and ends what must end.

Every use case demands ``people.manage`` at every place where the account has, gets or loses a role, and appends one
record to the audit trail in the same transaction. What would make one administrator as many people as they like is not
done but proposed (``issuer.domain.account_proposal``).
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from issuer.domain.account import (
    Account,
    AccountId,
    AccountState,
    PasswordHash,
    check_assignments,
    check_new_password,
)
from issuer.domain.account_proposal import (
    PROPOSAL_TIME,
    AccountAct,
    AccountProposal,
    takes_two,
)
from issuer.domain.rights import (
    FOUR_EYES_ROLES,
    AccountName,
    Actor,
    Assignment,
    Right,
    Role,
    two_different_people,
)
from issuer.errors import IssuerRefusedError
from issuer.services.account_acts import (
    ActOnAccount,
    check_not_own,
    demand_at,
    demand_over,
    may_manage,
    roles_text,
)
from issuer.services.account_records import record_act_on
from issuer.services.people_ports import PasswordHasher
from issuer.services.register_ports import Register

__all__ = ["AccountChange", "People"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """An account after an act on it, and what of it waits for another administrator."""

    account: Account
    proposals: tuple[AccountProposal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The use cases of whoever manages people."""

    register: Register
    passwords: PasswordHasher
    clock: Callable[[], datetime]

    def create_first_administrators(
        self, first: AccountName, second: AccountName, *, passwords: tuple[str, str]
    ) -> tuple[Account, Account]:
        """The accounts with which everything begins: only while there is none; nobody has to allow it.

        They are two, because what one of them alone must not do takes the other one from the first day. The second one's
        password is provisional: where the first one typed it, its owner sets another.

        Raises:
            IssuerRefusedError: there is an account already (``account.not-first``); both names are one
                (``right.same-person``).
            IssuerDataError: as ``check_new_password``.
        """
        two_different_people(first, second, act="to manage accounts")
        now = self.clock()
        made = tuple(
            Account(
                account_id=AccountId(uuid.uuid4()),
                name=name,
                assignments=(Assignment(role=Role.ADMINISTRATOR),),
                password=PasswordHash(
                    encoded=self.passwords.hash(check_new_password(password, account=name)),
                    set_at=now,
                    is_provisional=name != first,
                ),
                created_at=now,
            )
            for name, password in zip((first, second), passwords, strict=True)
        )
        with self.register.writing() as transaction:
            transaction.people.lock()
            if not transaction.people.is_empty():
                raise IssuerRefusedError(
                    "there are accounts already: an administrator makes further ones",
                    code="account.not-first",
                    hint="membercard-issuer people create NAME",
                )
            for account in made:
                transaction.people.add(account)
                record_act_on(
                    account, "account.first-created", transaction=transaction, by=first, at=now
                )
        return made[0], made[1]

    def create(
        self,
        name: AccountName,
        *,
        actor: Actor,
        assignments: Sequence[Assignment] = (),
        password: str | None = None,
    ) -> AccountChange:
        """A new account; its password is provisional, and there is none where another service says who they are.

        Roles that take two administrators are proposed; the account has them when another one confirms it.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``account.name-taken``,
                ``account.administrator-alone``, ``account.assignments-too-many``.
            IssuerDataError: ``organisation.unknown``; as ``check_new_password``.
        """
        # Who may not do this must not make the server hash, either.
        now = self.clock()
        wanted = tuple(dict.fromkeys(assignments))
        with self.register.reading() as transaction:
            demand_at(transaction, actor, wanted, now)
        check_assignments(wanted)
        given = tuple(each for each in wanted if each.role not in FOUR_EYES_ROLES)
        account = Account(
            account_id=AccountId(uuid.uuid4()),
            name=name,
            assignments=given,
            password=None if password is None else self._provisional(name, password, now),
            created_at=now,
        )
        with self.register.writing() as transaction:
            demand_at(transaction, actor, wanted, now)
            if transaction.people.find(name) is not None:
                raise IssuerRefusedError(
                    f"account name {name} was given already, and is given to nobody else",
                    code="account.name-taken",
                )
            transaction.people.add(account)
            record_act_on(account, "account.created", transaction=transaction, by=actor.account, at=now,
                assignments=roles_text(given),
            )  # fmt: skip
            proposals = tuple(
                ActOnAccount(act=AccountAct.GIVE_ROLE, assignment=each).propose(
                    transaction, account, by=actor.account, at=now
                )
                for each in wanted
                if each not in given
            )
        return AccountChange(account=account, proposals=proposals)

    def assign(self, name: AccountName, assignment: Assignment, *, actor: Actor) -> AccountChange:
        """Give one role for one part of the tree; giving it again changes nothing.

        A role that takes two administrators is proposed.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``account.unknown``, ``account.own``,
                ``account.administrator-alone``, ``account.assignments-too-many``.
            IssuerDataError: ``organisation.unknown``.
        """
        return self._act(
            name, ActOnAccount(act=AccountAct.GIVE_ROLE, assignment=assignment), actor=actor
        )

    def unassign(self, name: AccountName, assignment: Assignment, *, actor: Actor) -> Account:
        """Take one role for one part of the tree.

        Raises:
            IssuerRefusedError: as ``assign``; ``account.not-assigned``, ``account.last-administrator``.
            IssuerDataError: ``organisation.unknown``.
        """
        return self._change(
            name,
            lambda account: account.without(assignment),
            actor=actor,
            action="account.role-taken",
            touched=(assignment,),
        )

    def disable(self, name: AccountName, *, actor: Actor) -> Account:
        """Nobody logs in to the account any more, and its sessions end.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``account.unknown``, ``account.own``,
                ``account.last-administrator``.
        """
        return self._change(
            name,
            lambda account: replace(account, state=AccountState.DISABLED),
            actor=actor,
            action="account.disabled",
            ends_sessions=True,
        )

    def enable(self, name: AccountName, *, actor: Actor) -> AccountChange:
        """People may log in to the account again; proposed, where it has a role that takes two administrators.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``account.unknown``, ``account.own``.
        """
        return self._act(name, ActOnAccount(act=AccountAct.ENABLE), actor=actor)

    def reset_password(
        self, name: AccountName, *, draw: Callable[[], str], actor: Actor
    ) -> AccountChange:
        """Set a provisional password, which ``draw`` gives; every session of the account ends.

        Where the account has a role that takes two administrators it is proposed, and nothing is drawn before another
        one confirms it: whoever asked for it does not come to know the password.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``account.unknown``, ``account.own``.
            IssuerDataError: as ``check_new_password``.
        """
        now = self.clock()
        with self.register.reading() as transaction:
            account = transaction.people.get(name)
            demand_over(transaction, actor, account, (), now)
            check_not_own(account, actor)
        password = (
            None
            if takes_two(account, AccountAct.RESET_PASSWORD, None)
            else self._provisional(name, draw(), now)
        )
        return self._act(
            name, ActOnAccount(act=AccountAct.RESET_PASSWORD, password=password), actor=actor
        )

    def remove_second_factors(self, name: AccountName, *, actor: Actor) -> AccountChange:
        """Forget every second factor of an account, because its owner lost them; its sessions end.

        Proposed, where the account has a role that takes two administrators.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``account.unknown``, ``account.own``.
        """
        return self._act(name, ActOnAccount(act=AccountAct.REMOVE_SECOND_FACTORS), actor=actor)

    def end_sessions(self, name: AccountName, *, actor: Actor) -> int:
        """End every session of an account, one's own among them; how many they were.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``account.unknown``.
        """
        now = self.clock()
        with self.register.writing() as transaction:
            account = transaction.people.get(name)
            if name != actor.account:
                demand_over(transaction, actor, account, (), now)
            count = transaction.sessions.end_all(account.account_id)
            record_act_on(
                account,
                "account.sessions-ended",
                transaction=transaction,
                by=actor.account,
                at=now,
                sessions=count,
            )
        return count

    def show(self, name: AccountName, *, actor: Actor) -> Account:
        """One account; looking needs no second factor.

        Raises:
            IssuerRefusedError: ``right.missing``, ``account.unknown``.
        """
        with self.register.reading() as transaction:
            account = transaction.people.get(name)
            # Whoever waits for the first role belongs where it is to be.
            wanted = tuple(
                each.assignment
                for each in transaction.account_proposals.all()
                if each.account == name and each.assignment is not None and not account.assignments
            )
            if name != actor.account and not may_manage(transaction, actor, account, wanted):
                demand_over(transaction, actor, account, (), self.clock())
        return account

    def page(
        self, *, actor: Actor, limit: int, behind: AccountName | None = None
    ) -> tuple[Account, ...]:
        """Accounts by name, those behind this one, as far as the actor may manage them; an empty page is the end.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        if not actor.may_somewhere(Right.MANAGE_PEOPLE):
            actor.demand(Right.MANAGE_PEOPLE, place=(), now=self.clock())
        with self.register.reading() as transaction:
            return transaction.people.page(
                limit=limit, behind=behind, within=actor.roots(Right.MANAGE_PEOPLE)
            )

    def _provisional(self, name: AccountName, password: str, now: datetime) -> PasswordHash:
        encoded = self.passwords.hash(check_new_password(password, account=name))
        return PasswordHash(encoded=encoded, set_at=now, is_provisional=True)

    def _act(self, name: AccountName, act: ActOnAccount, *, actor: Actor) -> AccountChange:
        """Take the act, or propose it where it takes two administrators."""
        now = self.clock()
        with self.register.writing() as transaction:
            transaction.people.lock()
            account = transaction.people.get(name)
            demand_over(transaction, actor, account, act.touched, now)
            check_not_own(account, actor)
            # A password that was not drawn is that of an account which had such a role a moment ago.
            is_short = act.act is AccountAct.RESET_PASSWORD and act.password is None
            if is_short or takes_two(account, act.act, act.assignment):
                transaction.account_proposals.remove_before(now - PROPOSAL_TIME)
                proposal = act.propose(transaction, account, by=actor.account, at=now)
                return AccountChange(account=account, proposals=(proposal,))
            changed = act.take(transaction, account, by=actor.account, at=now)
        return AccountChange(account=changed)

    def _change(
        self,
        name: AccountName,
        change: Callable[[Account], Account],
        *,
        actor: Actor,
        action: str,
        touched: tuple[Assignment, ...] = (),
        ends_sessions: bool = False,
    ) -> Account:
        now = self.clock()
        with self.register.writing() as transaction:
            # Two administrators who disable each other must not both succeed.
            transaction.people.lock()
            account = transaction.people.get(name)
            demand_over(transaction, actor, account, touched, now)
            check_not_own(account, actor)
            changed = change(account)
            transaction.people.replace(changed)
            if account.is_administrator_of_all and not transaction.people.count_administrators():
                raise IssuerRefusedError(
                    f"account {name} is the last that may manage every account",
                    code="account.last-administrator",
                )
            if ends_sessions:
                transaction.sessions.end_all(account.account_id)
            record_act_on(
                account,
                action,
                transaction=transaction,
                by=actor.account,
                at=now,
                **({"assignments": roles_text(touched)} if touched else {}),
            )
        return changed
