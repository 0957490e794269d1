"""People: whoever may manage them creates accounts, gives roles and takes them, and ends what must end.

Every use case demands ``people.manage`` at every place where the account has, gets or loses a role, and appends one
record to the audit trail in the same transaction.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
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
from issuer.domain.audit import AuditDetail
from issuer.domain.rights import AccountName, Actor, Assignment, Right, Role
from issuer.errors import IssuerRefusedError
from issuer.services.account_records import record_act_on
from issuer.services.people_ports import PasswordHasher
from issuer.services.places import place_of
from issuer.services.register_ports import Register, RegisterTransaction

__all__ = ["People"]


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The use cases of whoever manages people."""

    register: Register
    passwords: PasswordHasher
    clock: Callable[[], datetime]

    def create_first_administrator(self, name: AccountName, *, password: str) -> Account:
        """The account with which everything begins: only while there is none; nobody has to allow it.

        Raises:
            IssuerRefusedError: there is an account already (``account.not-first``).
            IssuerDataError: as ``check_new_password``.
        """
        encoded = self.passwords.hash(check_new_password(password, account=name))
        now = self.clock()
        account = Account(
            account_id=AccountId(uuid.uuid4()),
            name=name,
            assignments=(Assignment(role=Role.ADMINISTRATOR),),
            password=PasswordHash(encoded=encoded, set_at=now, is_provisional=False),
            created_at=now,
        )
        with self.register.writing() as transaction:
            transaction.people.lock()
            if not transaction.people.is_empty():
                raise IssuerRefusedError(
                    "there are accounts already: an administrator makes further ones",
                    code="account.not-first",
                    hint="membercard-issuer people create NAME",
                )
            transaction.people.add(account)
            record_act_on(
                account, "account.first-created", transaction=transaction, by=name, at=now
            )
        return account

    def create(
        self,
        name: AccountName,
        *,
        actor: Actor,
        assignments: Sequence[Assignment] = (),
        password: str | None = None,
    ) -> Account:
        """A new account; its password is provisional, and there is none where another service says who they are.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``account.name-taken``,
                ``account.administrator-alone``, ``account.assignments-too-many``.
            IssuerDataError: ``organisation.unknown``; as ``check_new_password``.
        """
        # Who may not do this must not make the server hash, either.
        now = self.clock()
        given = tuple(dict.fromkeys(assignments))
        with self.register.reading() as transaction:
            _demand(transaction, actor, given, now)
        check_assignments(given)
        account = Account(
            account_id=AccountId(uuid.uuid4()),
            name=name,
            assignments=given,
            password=self._provisional(name, password, now),
            created_at=now,
        )
        with self.register.writing() as transaction:
            _demand(transaction, actor, given, now)
            if transaction.people.find(name) is not None:
                raise IssuerRefusedError(
                    f"account name {name} was given already, and is given to nobody else",
                    code="account.name-taken",
                )
            transaction.people.add(account)
            record_act_on(account, "account.created", transaction=transaction, by=actor.account, at=now,
                assignments=_roles(given),
            )  # fmt: skip
        return account

    def assign(self, name: AccountName, assignment: Assignment, *, actor: Actor) -> Account:
        """Give one role for one part of the tree; giving it again changes nothing.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``account.unknown``, ``account.own``,
                ``account.administrator-alone``, ``account.assignments-too-many``.
            IssuerDataError: ``organisation.unknown``.
        """
        return self._change(
            name,
            lambda account: account.given(assignment),
            actor=actor,
            action="account.role-given",
            touched=(assignment,),
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

    def enable(self, name: AccountName, *, actor: Actor) -> Account:
        """People may log in to the account again.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``account.unknown``, ``account.own``.
        """
        return self._change(
            name,
            lambda account: replace(account, state=AccountState.ACTIVE),
            actor=actor,
            action="account.enabled",
        )

    def reset_password(self, name: AccountName, *, password: str, actor: Actor) -> Account:
        """Set a provisional password; every session of the account ends.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``account.unknown``, ``account.own``.
            IssuerDataError: as ``check_new_password``.
        """
        now = self.clock()
        with self.register.reading() as transaction:
            _demand_over(transaction, actor, transaction.people.get(name), (), now)
        provisional = self._provisional(name, password, now)
        return self._change(
            name,
            lambda account: replace(account, password=provisional),
            actor=actor,
            action="account.password-reset",
            ends_sessions=True,
        )

    def remove_second_factors(self, name: AccountName, *, actor: Actor) -> int:
        """Forget every second factor of an account, because its owner lost them; its sessions end; how many they were.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``account.unknown``, ``account.own``.
        """
        now = self.clock()
        with self.register.writing() as transaction:
            account = transaction.people.get(name)
            _demand_over(transaction, actor, account, (), now)
            _check_not_own(account, actor)
            factors = transaction.people.second_factors(account.account_id)
            for each in factors:
                transaction.people.remove_second_factor(account.account_id, each.credential_id)
            transaction.sessions.end_all(account.account_id)
            record_act_on(
                account,
                "account.second-factors-removed",
                transaction=transaction,
                by=actor.account,
                at=now,
                factors=len(factors),
            )
        return len(factors)

    def end_sessions(self, name: AccountName, *, actor: Actor) -> int:
        """End every session of an account, one's own among them; how many they were.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``account.unknown``.
        """
        now = self.clock()
        with self.register.writing() as transaction:
            account = transaction.people.get(name)
            if name != actor.account:
                _demand_over(transaction, actor, account, (), now)
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
            if name != actor.account and not _may_manage(transaction, actor, account):
                _demand_over(transaction, actor, account, (), self.clock())
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

    def _provisional(
        self, name: AccountName, password: str | None, now: datetime
    ) -> PasswordHash | None:
        if password is None:
            return None
        encoded = self.passwords.hash(check_new_password(password, account=name))
        return PasswordHash(encoded=encoded, set_at=now, is_provisional=True)

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
            _demand_over(transaction, actor, account, touched, now)
            _check_not_own(account, actor)
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
                **_details(touched),
            )
        return changed


def _demand(
    transaction: RegisterTransaction,
    actor: Actor,
    assignments: Iterable[Assignment],
    now: datetime,
) -> None:
    """The right at every place of these assignments; over the whole register where there are none."""
    for code in {each.organisation for each in assignments} or {None}:
        place = place_of(transaction.organisations, code)
        actor.demand(Right.MANAGE_PEOPLE, place=place, now=now)


def _demand_over(
    transaction: RegisterTransaction,
    actor: Actor,
    account: Account,
    touched: tuple[Assignment, ...],
    now: datetime,
) -> None:
    """The right wherever the account has a role, and where it gets or loses one."""
    _demand(transaction, actor, (*account.assignments, *touched), now)


def _check_not_own(account: Account, actor: Actor) -> None:
    if account.name == actor.account:
        raise IssuerRefusedError(
            f"account {account.name} is one's own: somebody else has to do this", code="account.own"
        )


def _may_manage(transaction: RegisterTransaction, actor: Actor, account: Account) -> bool:
    return all(
        actor.may(Right.MANAGE_PEOPLE, place=place_of(transaction.organisations, code))
        for code in {each.organisation for each in account.assignments} or {None}
    )


def _roles(assignments: Sequence[Assignment]) -> str:
    return " ".join(f"{each.role}@{each.organisation or '*'}" for each in assignments)


def _details(touched: tuple[Assignment, ...]) -> dict[str, AuditDetail]:
    return {"assignments": _roles(touched)} if touched else {}
