"""Use cases of the rights of data subjects: extract, correction, disclosures."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.data_subjects import (
    Disclosure,
    DisclosureGround,
    parse_recipient,
    parse_reference,
)
from issuer.domain.member import Member, MemberId
from issuer.domain.member_change import MemberChange
from issuer.domain.member_rules import MemberColumn
from issuer.domain.rights import Actor, Right
from issuer.domain.subject_extract import (
    AskedFor,
    SubjectExtract,
)
from issuer.errors import IssuerRefusedError
from issuer.services.audit_ports import AuditQuestion
from issuer.services.change_members import ChangeOfMembers, Justification
from issuer.services.places import place_of
from issuer.services.register_ports import (
    HistoryPosition,
    PortraitStore,
    Register,
    RegisterTransaction,
)
from issuer.services.request_ports import RequestPosition, RequestQuestion

__all__ = ["MAX_ACTS", "SubjectOffice", "held_about", "say_of_member", "served_member"]

MAX_ACTS: Final = 1000
_PAGE: Final = 200
_THE_PERSON: Final = "the person"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectOffice:
    """Serves the people in the register.

    Attributes:
        register: where their records are.
        portraits: where their pictures are.
        changes: corrects records.
        clock: gives aware UTC.
    """

    register: Register
    portraits: PortraitStore
    changes: ChangeOfMembers
    clock: Callable[[], datetime]

    def extract(self, member_id: MemberId, *, reference: str, actor: Actor) -> SubjectExtract:
        """All that is held about one person, for that person; that it was given out stands in it already.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``: it takes the right to export members as well;
                ``member.unknown``.
            IssuerDataError: ``disclosure.reference``.
        """
        disclosure_reference = parse_reference(reference)
        now = self.clock()
        with self.register.writing() as transaction:
            member = served_member(
                transaction,
                member_id,
                actor,
                now,
                Right.SERVE_DATA_SUBJECTS,
                Right.EXPORT_MEMBERS,
            )
            transaction.subjects.add_disclosure(
                Disclosure(
                    member_id=member_id,
                    at=now,
                    account=actor.account,
                    recipient=_THE_PERSON,
                    ground=DisclosureGround.ASKED_BY_THE_PERSON,
                    reference=disclosure_reference,
                    what="everything that is held",
                )
            )
            say_of_member(transaction, "subject.extracted", member, actor, now)
        with self.register.reading() as transaction:
            return held_about(transaction, member, self.portraits, now)

    def disclose(
        self,
        member_id: MemberId,
        *,
        recipient: str,
        ground: DisclosureGround,
        reference: str,
        what: str,
        actor: Actor,
    ) -> Disclosure:
        """Write down that somebody outside was given a person's data.

        Raises:
            IssuerRefusedError: ``right.missing``; ``member.unknown``.
            IssuerDataError: ``disclosure.recipient``, ``disclosure.reference``.
        """
        now = self.clock()
        disclosure = Disclosure(
            member_id=member_id,
            at=now,
            account=actor.account,
            recipient=parse_recipient(recipient),
            ground=ground,
            reference=parse_reference(reference),
            what=parse_reference(what),
        )
        with self.register.writing() as transaction:
            member = served_member(transaction, member_id, actor, now, Right.SERVE_DATA_SUBJECTS)
            transaction.subjects.add_disclosure(disclosure)
            say_of_member(transaction, "subject.disclosed", member, actor, now, ground=ground.value)
        return disclosure

    def disclosures(self, member_id: MemberId, *, actor: Actor) -> tuple[Disclosure, ...]:
        """To whom a person's data was given, oldest first.

        Raises:
            IssuerRefusedError: ``right.missing``; ``member.unknown``.
        """
        with self.register.reading() as transaction:
            served_member(transaction, member_id, actor, self.clock(), Right.SERVE_DATA_SUBJECTS)
            return transaction.subjects.disclosures_of(member_id)

    def correct(
        self,
        member_id: MemberId,
        wanted: Mapping[MemberColumn, str | None],
        *,
        version: int,
        reference: str,
        evidence: bytes | None,
        actor: Actor,
    ) -> Member:
        """Put right what the person says is wrong; see ``ChangeOfMembers.correct``, which asks for its own right.

        Raises:
            IssuerRefusedError, IssuerDataError, ConflictError: as there; ``disclosure.reference``.
        """
        why = Justification(
            reason=f"asked by the person: {parse_reference(reference)}", evidence=evidence
        )
        with self.register.reading() as transaction:
            served_member(transaction, member_id, actor, self.clock(), Right.SERVE_DATA_SUBJECTS)
        return self.changes.correct(member_id, wanted, actor=actor, version=version, why=why)


def served_member(
    transaction: RegisterTransaction,
    member_id: MemberId,
    actor: Actor,
    now: datetime,
    *rights: Right,
) -> Member:
    """The member, whom this actor may serve with all of these rights.

    Raises:
        IssuerRefusedError: ``member.unknown``; ``right.missing``, ``right.step-up-needed``.
    """
    for right in rights:
        if not actor.may_somewhere(right):
            # Who may serve nobody is not told who is in the register.
            actor.demand(right, place=(), now=now)
    member = transaction.members.get(member_id)
    place = place_of(transaction.organisations, member.statement.organisation_code)
    for right in rights:
        actor.demand(right, place=place, now=now)
    return member


def held_about(
    transaction: RegisterTransaction, member: Member, portraits: PortraitStore, now: datetime
) -> SubjectExtract:
    """All that is held about one person."""
    acts = transaction.audit.page_back(
        AuditQuestion(subject=AuditSubject.MEMBER, subject_id=member.member_id.hex),
        limit=MAX_ACTS,
    )
    try:
        portrait = portraits.get(member.portrait)
    except IssuerRefusedError:
        # A picture that is lost is told as lost, and stands in nobody's way.
        portrait = None
    return SubjectExtract(
        taken_at=now,
        member=member,
        portrait=portrait,
        changes=tuple(_changes(transaction, member.member_id)),
        cards=transaction.subjects.cards_of(member.member_id),
        requests=tuple(_requests(transaction, member.member_id)),
        disclosures=transaction.subjects.disclosures_of(member.member_id),
        acts=tuple(each.record() for each in acts.records),
        acts_left_out=acts.end is not None,
    )


def _requests(transaction: RegisterTransaction, member_id: MemberId) -> Iterator[AskedFor]:
    """A person has as many requests as cards, and those that were withdrawn: a page holds them, or a few do."""
    behind: RequestPosition | None = None
    question = RequestQuestion(member_id=member_id)
    while True:
        page = transaction.requests.page(question, limit=_PAGE, behind=behind)
        time_lines = transaction.requests.time_lines([each.request_id for each in page.requests])
        for request in page.requests:
            decision_id = transaction.requests.current_decision(request.request_id)
            yield AskedFor(
                request=request,
                time_line=time_lines[request.request_id],
                decision=None if decision_id is None else transaction.decisions.get(decision_id),
            )
        if page.end is None:
            return
        behind = page.end


def say_of_member(
    transaction: RegisterTransaction,
    action: str,
    member: Member,
    actor: Actor,
    now: datetime,
    **details: AuditDetail,
) -> None:
    """Append what was done with somebody's record to the audit trail."""
    transaction.audit.append(
        AuditRecord(
            at=now,
            account=actor.account,
            action=action,
            subject=AuditSubject.MEMBER,
            subject_id=member.member_id.hex,
            organisation=member.statement.organisation_code,
            details=details,
        )
    )


def _changes(transaction: RegisterTransaction, member_id: MemberId) -> Iterator[MemberChange]:
    behind: HistoryPosition | None = None
    while True:
        page = transaction.members.history(member_id, limit=_PAGE, behind=behind)
        yield from page.changes
        if page.end is None:
            return
        behind = page.end
