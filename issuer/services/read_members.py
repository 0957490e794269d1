"""Use case: look at members, one or many, as far as an actor may; whose data was shown stands in the audit trail."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from issuer.domain.audit_reads import member_read, members_listed
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.member import Member, MemberId
from issuer.domain.member_search import parse_search
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.directory_ports import (
    DirectoryPage,
    DirectoryPosition,
    MemberLine,
    MemberSelection,
)
from issuer.services.register_ports import Register, RegisterTransaction

__all__ = ["ReadingOfMembers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOfMembers:
    """Everything that looking at members needs from the world; ``clock`` gives aware UTC."""

    register: Register
    scheme: CardNumberScheme
    clock: Callable[[], datetime]

    def show(self, member_id: MemberId, *, actor: Actor) -> Member:
        """One member with everything that is stated of them.

        Raises:
            IssuerRefusedError: there is none (``member.unknown``), or the actor has no right there.
        """
        now = self.clock()
        with self.register.writing() as transaction:
            member = transaction.members.get(member_id)
            code = member.statement.organisation_code
            _demand(transaction, actor, code, now)
            transaction.audit.append(
                member_read(member_id, account=actor.account, organisation=code, at=now)
            )
            return member

    def page(
        self,
        selection: MemberSelection,
        *,
        actor: Actor,
        limit: int,
        behind: DirectoryPosition | None = None,
    ) -> DirectoryPage:
        """Members in the order of their names, as far as the actor may read.

        Args:
            selection: which; its ``roots`` are parts of the tree in which the actor has the right, or ``None``
                for everything that they may read.
            actor: who asks.
            limit: how many at most.
            behind: where the page before ended.

        Raises:
            IssuerRefusedError: the actor has the right nowhere, or not in one of the roots.
            IssuerDataError: a root is not known (``organisation.unknown``).
        """
        now = self.clock()
        with self.register.writing() as transaction:
            allowed = _narrowed(transaction, selection, actor, now)
            page = transaction.directory.page(allowed, limit=limit, behind=behind)
            _record(transaction, page.lines, actor, now)
            return page

    def search(
        self,
        text: str,
        *,
        actor: Actor,
        limit: int,
        behind: DirectoryPosition | None = None,
        roots: frozenset[OrganisationCode] | None = None,
    ) -> DirectoryPage:
        """Members by name or number, as far as the actor may read.

        A name is the given name, or words of the name with the given name last, of which beginnings are enough; whose
        whole name begins with the text comes behind these. Tones, Đ, capitals and apostrophes do not count.

        Raises:
            IssuerDataError: nothing can be found by the text (``search.malformed``).
            IssuerRefusedError: as ``page``.
        """
        question = parse_search(text, scheme=self.scheme)
        if question.name is not None:
            selection = MemberSelection(roots=roots, name=question.name)
            return self.page(selection, actor=actor, limit=limit, behind=behind)
        now = self.clock()
        with self.register.writing() as transaction:
            allowed = _narrowed(transaction, MemberSelection(roots=roots), actor, now).roots
            lines = tuple(
                line
                for line in transaction.directory.numbered(question)
                if allowed is None or _is_below(transaction, line, frozenset(allowed))
            )
            _record(transaction, lines, actor, now)
            return DirectoryPage(lines=lines, end=None)


def _demand(
    transaction: RegisterTransaction, actor: Actor, code: OrganisationCode, now: datetime
) -> None:
    place = transaction.organisations.around([code]).place(code)
    actor.demand(Right.READ_MEMBERS, place=place, now=now)


def _narrowed(
    transaction: RegisterTransaction, selection: MemberSelection, actor: Actor, now: datetime
) -> MemberSelection:
    """The selection within what the actor may read."""
    if selection.roots is not None:
        for code in selection.roots:
            _demand(transaction, actor, code, now)
        return selection
    roots = actor.roots(Right.READ_MEMBERS)
    if roots is not None and not roots:
        raise IssuerRefusedError(
            f"account {actor.account} has no right {Right.READ_MEMBERS} anywhere",
            code="right.missing",
        )
    return replace(selection, roots=roots)


def _is_below(
    transaction: RegisterTransaction, line: MemberLine, roots: frozenset[OrganisationCode]
) -> bool:
    code = line.organisation_code
    return not roots.isdisjoint(transaction.organisations.around([code]).place(code))


def _record(
    transaction: RegisterTransaction, lines: tuple[MemberLine, ...], actor: Actor, now: datetime
) -> None:
    for record in members_listed(
        [line.member_id for line in lines], account=actor.account, organisation=None, at=now
    ):
        transaction.audit.append(record)
