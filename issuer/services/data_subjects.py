"""Use cases of the rights of data subjects: extract, disclosures, deletion with proof."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from issuer.domain.audit import AuditDetail, AuditRecord, AuditSubject
from issuer.domain.data_subjects import (
    DeletionGround,
    Disclosure,
    DisclosureGround,
    Erasure,
    FileStore,
    check_deletion,
    numbers_to_retire,
    parse_recipient,
    parse_reference,
)
from issuer.domain.member import Member, MemberId, PortraitDigest
from issuer.domain.member_change import EvidenceDigest, MemberChange
from issuer.domain.member_rules import MemberColumn
from issuer.domain.rights import Actor, Right
from issuer.domain.subject_extract import (
    SALT_BYTES,
    DeletionProof,
    SubjectExtract,
    content_digest,
)
from issuer.errors import IssuerRefusedError
from issuer.services.audit_ports import AuditQuestion
from issuer.services.change_members import ChangeOfMembers, Justification
from issuer.services.places import place_of
from issuer.services.register_ports import (
    EvidenceStore,
    HistoryPosition,
    PortraitStore,
    Register,
    RegisterTransaction,
)

__all__ = ["MAX_ACTS", "SubjectOffice"]

MAX_ACTS: Final = 1000
_PAGE: Final = 200
_THE_PERSON: Final = "the person"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectOffice:
    """Serves the people in the register.

    Attributes:
        register: where their records are.
        portraits: where their pictures are.
        evidence: where the documents are that changes of their records rest on.
        changes: corrects records.
        clock: gives aware UTC.
        random_bytes: so many bytes that nobody can guess.
        forget_old_versions: has the database let go of what its rows held before.
    """

    register: Register
    portraits: PortraitStore
    evidence: EvidenceStore
    changes: ChangeOfMembers
    clock: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    forget_old_versions: Callable[[], None]

    def extract(self, member_id: MemberId, *, reference: str, actor: Actor) -> SubjectExtract:
        """All that is held about one person, for that person; that it was given out stands in it already.

        Raises:
            IssuerRefusedError: ``right.missing``; ``member.unknown``.
            IssuerDataError: ``disclosure.reference``.
        """
        disclosure_reference = parse_reference(reference)
        now = self.clock()
        with self.register.writing() as transaction:
            member = self._served(transaction, member_id, actor, now)
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
            _say(transaction, "subject.extracted", member, actor, now)
        with self.register.reading() as transaction:
            return self._held(transaction, member, now)

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
            member = self._served(transaction, member_id, actor, now)
            transaction.subjects.add_disclosure(disclosure)
            _say(transaction, "subject.disclosed", member, actor, now, ground=ground.value)
        return disclosure

    def disclosures(self, member_id: MemberId, *, actor: Actor) -> tuple[Disclosure, ...]:
        """To whom a person's data was given, oldest first.

        Raises:
            IssuerRefusedError: ``right.missing``; ``member.unknown``.
        """
        with self.register.reading() as transaction:
            self._served(transaction, member_id, actor, self.clock())
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
            self._served(transaction, member_id, actor, self.clock())
        return self.changes.correct(member_id, wanted, actor=actor, version=version, why=why)

    def delete(
        self,
        member_id: MemberId,
        *,
        ground: DeletionGround,
        reference: str,
        actor: Actor,
        keep: Callable[[DeletionProof], None],
    ) -> DeletionProof:
        """Destroy all that tells who the member was, and give the proof, which is not made a second time.

        ``keep`` is called with the proof before anything is destroyed, and puts it where it lasts. The pictures go
        last; where that is interrupted, the next deletion, or ``finish``, ends it.

        Raises:
            IssuerRefusedError: ``right.missing``; ``member.unknown``; ``subject.deleted-already``; as ``check_deletion``.
            IssuerDataError: ``disclosure.reference``.
        """
        deletion_reference = parse_reference(reference)
        now = self.clock()
        salt = self.random_bytes(SALT_BYTES)
        with self.register.writing() as transaction:
            # Locked before it is read: what is judged and digested is what is destroyed.
            transaction.subjects.lock(member_id)
            earlier = transaction.subjects.erasure_of(member_id)
            if earlier is not None:
                raise IssuerRefusedError(
                    f"the record was deleted on {earlier.at:%Y-%m-%d}",
                    code="subject.deleted-already",
                )
            member = self._served(transaction, member_id, actor, now)
            held = self._held(transaction, member, now)
            check_deletion(member.statement.standing, held.cards, ground=ground)
            erasure = Erasure(
                member_id=member_id,
                at=now,
                account=actor.account,
                ground=ground,
                reference=deletion_reference,
                digest=content_digest(held.destroyed_document(), salt=salt),
            )
            transaction.subjects.erase(erasure, numbers=numbers_to_retire(member.statement))
            _say(
                transaction,
                "subject.deleted",
                member,
                actor,
                now,
                ground=ground.value,
                digest=erasure.digest.hex(),
                cards=len(held.cards),
            )
            proof = DeletionProof(
                erasure=erasure,
                salt=salt,
                audit_trail=transaction.audit.head().trail_id,
                destroyed={
                    "record": 1,
                    "portraits": 0 if held.portrait is None else 1,
                    "changes": len(held.changes),
                    "documents": len({each.evidence for each in held.changes} - {None}),
                    "card_contents": len(held.cards),
                },
            )
            keep(proof)
        self._destroy_what_is_left()
        return proof

    def finish(self, *, actor: Actor) -> int:
        """Destroy the pictures that an interrupted deletion left; how many there were.

        Raises:
            IssuerRefusedError: ``right.missing``.
            IssuerUnavailableError: the store cannot destroy one (``portrait-store.unavailable``).
        """
        actor.demand(Right.SERVE_DATA_SUBJECTS, place=(), now=self.clock())
        return self._destroy_what_is_left()

    def _destroy_what_is_left(self) -> int:
        with self.register.reading() as transaction:
            waiting = transaction.subjects.files_to_destroy()
        for file in waiting:
            if file.store is FileStore.PORTRAITS:
                self.portraits.remove(PortraitDigest(file.digest))
            else:
                self.evidence.remove(EvidenceDigest(file.digest))
            with self.register.writing() as transaction:
                transaction.subjects.file_was_destroyed(file)
        self.forget_old_versions()
        return len(waiting)

    def _served(
        self, transaction: RegisterTransaction, member_id: MemberId, actor: Actor, now: datetime
    ) -> Member:
        """The member, whom this actor may serve.

        Raises:
            IssuerRefusedError: ``member.unknown``; ``right.missing``.
        """
        if not actor.may_somewhere(Right.SERVE_DATA_SUBJECTS):
            # Who may serve nobody is not told who is in the register.
            actor.demand(Right.SERVE_DATA_SUBJECTS, place=(), now=now)
        member = transaction.members.get(member_id)
        place = place_of(transaction.organisations, member.statement.organisation_code)
        actor.demand(Right.SERVE_DATA_SUBJECTS, place=place, now=now)
        return member

    def _held(
        self, transaction: RegisterTransaction, member: Member, now: datetime
    ) -> SubjectExtract:
        acts = transaction.audit.page_back(
            AuditQuestion(subject=AuditSubject.MEMBER, subject_id=member.member_id.hex),
            limit=MAX_ACTS,
        )
        try:
            portrait = self.portraits.get(member.portrait)
        except IssuerRefusedError:
            # A picture that is lost is told as lost, and stands in nobody's way.
            portrait = None
        return SubjectExtract(
            taken_at=now,
            member=member,
            portrait=portrait,
            changes=tuple(_changes(transaction, member.member_id)),
            cards=transaction.subjects.cards_of(member.member_id),
            disclosures=transaction.subjects.disclosures_of(member.member_id),
            acts=tuple(each.record() for each in acts.records),
            acts_left_out=acts.end is not None,
        )


def _changes(transaction: RegisterTransaction, member_id: MemberId) -> Iterator[MemberChange]:
    behind: HistoryPosition | None = None
    while True:
        page = transaction.members.history(member_id, limit=_PAGE, behind=behind)
        yield from page.changes
        if page.end is None:
            return
        behind = page.end


def _say(
    transaction: RegisterTransaction,
    action: str,
    member: Member,
    actor: Actor,
    now: datetime,
    **details: AuditDetail,
) -> None:
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
