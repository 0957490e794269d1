"""Use case: open the whole record of one member: what is stated, where it belongs, what changed, and their requests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from issuer.domain.audit_reads import member_read
from issuer.domain.eligibility import Asking, EligibilityFinding, findings
from issuer.domain.member import Member, MemberId
from issuer.domain.member_change import MemberChange
from issuer.domain.organisation import Organisation, OrganisationTree
from issuer.domain.requests import CardRequest, RequestKind
from issuer.domain.rights import Actor, Place, Right
from issuer.services.card_validity_ports import CardRecord
from issuer.services.register_ports import Register, RegisterTransaction
from issuer.services.request_ports import RequestQuestion

__all__ = ["MemberRecord", "MemberRecords"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRecord:
    """One member with everything that belongs to them.

    Attributes:
        member: what the register states.
        way: the member's organisation and those above it, the top-most first, as far as the part of whoever looks
            reaches up; nothing where they may read no organisations.
        changes: what changed, the newest first.
        requests: for this member, the oldest first; ``None`` where whoever looks may read none.
        findings: the rules that are not kept today, for each kind of request; nothing where requests are not read here.
        cards: that were ever bound for the member, the oldest first; ``None`` where whoever looks may read none here.
        may_write: whether whoever looks may change the record.
    """

    member: Member = field(repr=False)
    way: tuple[Organisation, ...]
    changes: tuple[MemberChange, ...] = field(repr=False)
    requests: tuple[CardRequest, ...] | None
    findings: Mapping[RequestKind, tuple[EligibilityFinding, ...]]
    cards: tuple[CardRecord, ...] | None
    may_write: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRecords:
    """Opens records, each in one transaction; ``clock`` gives aware UTC."""

    register: Register
    clock: Callable[[], datetime]

    def open(
        self, member_id: MemberId, *, actor: Actor, most_changes: int, most_requests: int
    ) -> MemberRecord:
        """The record of a member; the audit trail keeps that it was shown.

        Raises:
            IssuerRefusedError: there is no such member (``member.unknown``), or the actor has no right there
                (``right.missing``).
        """
        now = self.clock()
        with self.register.writing() as transaction:
            member = transaction.members.get(member_id)
            code = member.statement.organisation_code
            tree = transaction.organisations.around([code])
            place = tree.place(code)
            actor.demand(Right.READ_MEMBERS, place=place, now=now)
            transaction.audit.append(
                member_read(member_id, account=actor.account, organisation=code, at=now)
            )
            return MemberRecord(
                member=member,
                way=_way(tree, place, actor),
                changes=transaction.members.history(member_id, limit=most_changes).changes,
                requests=_requests(transaction, member_id, actor, most_requests),
                findings=_findings(transaction, member_id, place, actor, now),
                cards=_cards(transaction, member_id, place, actor),
                may_write=actor.may(Right.WRITE_MEMBERS, place=place),
            )


def _way(tree: OrganisationTree, place: Place, actor: Actor) -> tuple[Organisation, ...]:
    seen = (
        number
        for number in range(len(place))
        if actor.may(Right.READ_ORGANISATIONS, place=place[: number + 1])
    )
    first = next(seen, len(place))
    return tuple(tree.get(each) for each in place[first:])


def _requests(
    transaction: RegisterTransaction, member_id: MemberId, actor: Actor, most: int
) -> tuple[CardRequest, ...] | None:
    if not actor.may_somewhere(Right.READ_REQUESTS):
        return None
    question = RequestQuestion(member_id=member_id, below=actor.roots(Right.READ_REQUESTS))
    return transaction.requests.page(question, limit=most).requests


def _cards(
    transaction: RegisterTransaction, member_id: MemberId, place: Place, actor: Actor
) -> tuple[CardRecord, ...] | None:
    if not actor.may(Right.READ_CARDS, place=place):
        return None
    return tuple(transaction.cards.of_member(member_id))


def _findings(
    transaction: RegisterTransaction,
    member_id: MemberId,
    place: Place,
    actor: Actor,
    now: datetime,
) -> Mapping[RequestKind, tuple[EligibilityFinding, ...]]:
    if not actor.may(Right.READ_REQUESTS, place=place):
        return {}
    candidate = transaction.requests.candidates([member_id])[member_id]
    return {kind: findings(candidate, Asking(kind=kind, today=now.date())) for kind in RequestKind}
