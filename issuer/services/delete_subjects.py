"""Use case: delete somebody's record, with a proof. One person proposes it, another one confirms it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from issuer.domain.card import CardReference, CardState
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.data_subjects import (
    DeletionGround,
    DeletionProposal,
    Erasure,
    check_deletion,
    numbers_to_retire,
    parse_reference,
    require_evidence,
)
from issuer.domain.member import Member, MemberId
from issuer.domain.requests import RequestState
from issuer.domain.rights import Actor, Right
from issuer.domain.subject_extract import (
    SALT_BYTES,
    DeletionProof,
    SubjectExtract,
    content_digest,
)
from issuer.errors import IssuerRefusedError
from issuer.services.data_subjects import held_about, say_of_member, served_member
from issuer.services.destroy_files import DestructionOfFiles
from issuer.services.places import place_of
from issuer.services.register_ports import (
    EvidenceStore,
    PortraitStore,
    Register,
    RegisterTransaction,
)
from issuer.services.subject_ports import DeletionPosition

__all__ = ["DeletionOffice", "SeenDeletion"]


_MOST_SHOWN: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDeletion:
    """What would be destroyed of a record.

    Attributes:
        proposal: what somebody proposed; ``None`` where nobody did.
        destroyed: what would be destroyed, counted by kind.
        cards_to_end: how many cards in the member's hand would end.
        refusal: the code of what keeps the proposal from being confirmed now, whoever confirms it.
    """

    proposal: DeletionProposal | None
    destroyed: Mapping[str, int]
    cards_to_end: int
    refusal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionOffice:
    """Deletes records of people.

    Attributes:
        register: where their records are.
        portraits: where their pictures are.
        evidence: where the documents are that changes and deletions of their records rest on.
        clock: gives aware UTC.
        random_bytes: so many bytes that nobody can guess.
        forget_old_versions: has the database let go of what its rows held before.
    """

    register: Register
    portraits: PortraitStore
    evidence: EvidenceStore
    clock: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    forget_old_versions: Callable[[], None]

    def propose(
        self,
        member_id: MemberId,
        *,
        ground: DeletionGround,
        reference: str,
        evidence: bytes | None,
        actor: Actor,
    ) -> DeletionProposal:
        """Propose that a record is deleted; nothing changes until another person confirms it.

        Raises:
            IssuerRefusedError: ``right.missing``; ``member.unknown``; ``subject.deleted-already``;
                ``subject.order-missing``; as ``check_deletion``.
            ConflictError: ``subject.deletion-proposed``.
            IssuerDataError: ``disclosure.reference``; the document is none that is kept.
        """
        deletion_reference = parse_reference(reference)
        require_evidence(ground, evidence)
        now = self.clock()
        # Judged before a document is kept, and again with the record locked.
        with self.register.reading() as transaction:
            _require_not_deleted(transaction, member_id)
            member = served_member(transaction, member_id, actor, now, Right.SERVE_DATA_SUBJECTS)
            _judge(transaction, held_about(transaction, member, self.portraits, now), ground)
        proposal = DeletionProposal(
            member_id=member_id,
            ground=ground,
            reference=deletion_reference,
            evidence=None if evidence is None else self.evidence.put(evidence),
            proposed_by=actor.account,
            proposed_at=now,
        )
        with self.register.writing() as transaction:
            transaction.subjects.lock(member_id)
            _require_not_deleted(transaction, member_id)
            member = served_member(transaction, member_id, actor, now, Right.SERVE_DATA_SUBJECTS)
            _judge(transaction, held_about(transaction, member, self.portraits, now), ground)
            transaction.subjects.propose_deletion(proposal)
            say_of_member(
                transaction,
                "subject.deletion-proposed",
                member,
                actor,
                now,
                ground=ground.value,
                evidence=None if proposal.evidence is None else proposal.evidence.hex(),
            )
        return proposal

    def waiting(
        self, *, actor: Actor, limit: int = _MOST_SHOWN, behind: DeletionPosition | None = None
    ) -> tuple[DeletionProposal, ...]:
        """What waits for a second person where the actor may propose or confirm, the oldest first; so many at most.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        if not any(map(actor.may_somewhere, _TAKING_PART)):
            actor.demand(Right.SERVE_DATA_SUBJECTS, place=(), now=self.clock())
        proposing, confirming = map(actor.roots, _TAKING_PART)
        roots = None if proposing is None or confirming is None else proposing | confirming
        with self.register.reading() as transaction:
            found = transaction.subjects.proposed_deletions(roots=roots, limit=limit, behind=behind)
        return tuple(found)

    def look(self, member_id: MemberId, *, actor: Actor) -> SeenDeletion:
        """What is proposed for a record, and what its deletion would destroy, reckoned as ``confirm`` does.

        Raises:
            IssuerRefusedError: ``right.missing``; ``member.unknown``.
        """
        now = self.clock()
        with self.register.reading() as transaction:
            member = _member_of(transaction, member_id, actor, now)
            proposal = transaction.subjects.proposed_deletion(member_id)
            held = held_about(transaction, member, self.portraits, now)
            refusal = None
            if proposal is not None:
                try:
                    _judge(transaction, held, proposal.ground)
                except IssuerRefusedError as error:
                    refusal = error.code
            return SeenDeletion(
                proposal=proposal,
                destroyed=_destroyed(held, proposal),
                cards_to_end=len(_cards_to_end(transaction, member_id)),
                refusal=refusal,
            )

    def document(self, member_id: MemberId, *, actor: Actor) -> bytes:
        """The document that a proposal rests on, for whoever is to confirm it; that it was read is remembered.

        Raises:
            IssuerRefusedError: ``right.missing``; ``subject.deletion-not-proposed``; ``evidence.lost``.
        """
        now = self.clock()
        with self.register.writing() as transaction:
            member, proposal = _proposed(transaction, member_id, actor, now)
            if proposal.evidence is None:
                raise IssuerRefusedError(
                    "the deletion was proposed without a document", code="evidence.unknown"
                )
            say_of_member(
                transaction,
                "member.evidence-read",
                member,
                actor,
                now,
                evidence=proposal.evidence.hex(),
            )
        return self.evidence.get(proposal.evidence)

    def withdraw(self, member_id: MemberId, *, actor: Actor) -> None:
        """Nobody confirms the proposal any more; whoever may propose or confirm may say so.

        Raises:
            IssuerRefusedError: ``right.missing``; ``member.unknown``; ``subject.deletion-not-proposed``.
        """
        now = self.clock()
        with self.register.writing() as transaction:
            transaction.subjects.lock(member_id)
            member, _ = _proposed(transaction, member_id, actor, now)
            transaction.subjects.withdraw_deletion(member_id)
            say_of_member(transaction, "subject.deletion-withdrawn", member, actor, now)
        self._destroy_what_is_left()

    def confirm(
        self,
        member_id: MemberId,
        *,
        actor: Actor,
        keep: Callable[[DeletionProof], None],
    ) -> DeletionProof:
        """Destroy all that tells who the member was, and give the proof, which is not made a second time.

        Cards that are in the member's hand end in the same transaction: two people said so, and afterwards nobody can
        tell any more whose they are. ``keep`` is called with the proof before anything is destroyed, and puts it where
        it lasts. The pictures go last; where that is interrupted, the next deletion, or ``finish``, ends it.

        Raises:
            IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``right.same-person``; ``member.unknown``;
                ``subject.deleted-already``; ``subject.deletion-not-proposed``; as ``check_deletion``.
        """
        now = self.clock()
        salt = self.random_bytes(SALT_BYTES)
        with self.register.writing() as transaction:
            # Locked before it is read: what is judged and digested is what is destroyed.
            transaction.subjects.lock(member_id)
            _require_not_deleted(transaction, member_id)
            member = served_member(transaction, member_id, actor, now, Right.DELETE_MEMBERS)
            proposal = _wanted(transaction, member_id)
            proposal.require_confirmable(actor.account)
            held = held_about(transaction, member, self.portraits, now)
            _judge(transaction, held, proposal.ground)
            ended = _end_cards(transaction, member_id, actor, now)
            erasure = Erasure(
                member_id=member_id,
                at=now,
                account=actor.account,
                proposed_by=proposal.proposed_by,
                ground=proposal.ground,
                reference=proposal.reference,
                evidence=proposal.evidence,
                digest=content_digest(held.destroyed_document(), salt=salt),
            )
            transaction.subjects.erase(erasure, numbers=numbers_to_retire(member.statement))
            say_of_member(
                transaction,
                "subject.deleted",
                member,
                actor,
                now,
                ground=proposal.ground.value,
                proposed_by=proposal.proposed_by,
                digest=erasure.digest.hex(),
                cards=len(held.cards),
                cards_ended=ended,
            )
            proof = DeletionProof(
                erasure=erasure,
                salt=salt,
                audit_trail=transaction.audit.head().trail_id,
                destroyed=_destroyed(held, proposal),
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
        destruction = DestructionOfFiles(
            register=self.register, portraits=self.portraits, evidence=self.evidence
        )
        count = destruction.destroy()
        self.forget_old_versions()
        return count


_TAKING_PART = (Right.SERVE_DATA_SUBJECTS, Right.DELETE_MEMBERS)


def _takes_part(transaction: RegisterTransaction, actor: Actor, member: Member) -> bool:
    place = place_of(transaction.organisations, member.statement.organisation_code)
    return any(actor.may(right, place=place) for right in _TAKING_PART)


def _member_of(
    transaction: RegisterTransaction, member_id: MemberId, actor: Actor, now: datetime
) -> Member:
    """The member, for somebody who may propose or confirm at their place; no second factor is asked for.

    Raises:
        IssuerRefusedError: ``right.missing``; ``member.unknown``.
    """
    if not any(map(actor.may_somewhere, _TAKING_PART)):
        # Who may serve nobody is not told who is in the register.
        actor.demand(Right.SERVE_DATA_SUBJECTS, place=(), now=now)
    member = transaction.members.get(member_id)
    if not _takes_part(transaction, actor, member):
        place = place_of(transaction.organisations, member.statement.organisation_code)
        actor.demand(Right.SERVE_DATA_SUBJECTS, place=place, now=now)
    return member


def _proposed(
    transaction: RegisterTransaction, member_id: MemberId, actor: Actor, now: datetime
) -> tuple[Member, DeletionProposal]:
    """A proposal, for somebody who may propose or confirm at its place: with the right that they have there."""
    member = _member_of(transaction, member_id, actor, now)
    place = place_of(transaction.organisations, member.statement.organisation_code)
    right = next(each for each in _TAKING_PART if actor.may(each, place=place))
    actor.demand(right, place=place, now=now)
    return member, _wanted(transaction, member_id)


def _destroyed(held: SubjectExtract, proposal: DeletionProposal | None) -> dict[str, int]:
    """What a deletion destroys, counted."""
    ordered = None if proposal is None else proposal.evidence
    return {
        "record": 1,
        "portraits": 0 if held.portrait is None else 1,
        "changes": len(held.changes),
        "documents": len({ordered, *(each.evidence for each in held.changes)} - {None}),
        "card_contents": len(held.cards),
    }


def _wanted(transaction: RegisterTransaction, member_id: MemberId) -> DeletionProposal:
    proposal = transaction.subjects.proposed_deletion(member_id)
    if proposal is None:
        raise IssuerRefusedError(
            f"nobody proposed to delete the record of member {member_id}",
            code="subject.deletion-not-proposed",
            hint="membercard-issuer subject propose-deletion",
        )
    return proposal


def _end_cards(
    transaction: RegisterTransaction, member_id: MemberId, actor: Actor, now: datetime
) -> int:
    """End what is in the member's hand and may still count; how many cards that were."""
    step = ValidityStep(
        event=ValidityEvent.ENDED, account=actor.account, reason=EndReason.RECORD_DELETED
    )
    references = _cards_to_end(transaction, member_id, lock=True)
    for reference in references:
        transaction.cards.take(reference, step, at=now)
    return len(references)


def _cards_to_end(
    transaction: RegisterTransaction, member_id: MemberId, *, lock: bool = False
) -> Sequence[CardReference]:
    """What is in the member's hand and may still count."""
    return [
        record.card.reference
        for record in transaction.cards.of_member(member_id, lock=lock)
        if record.validity.end is None and record.card.state is CardState.HANDED_OVER
    ]


def _judge(transaction: RegisterTransaction, held: SubjectExtract, ground: DeletionGround) -> None:
    """Whether the record of all this may be deleted on this ground."""
    check_deletion(held.member.statement.standing, held.cards, ground=ground)
    _require_no_open_request(transaction, held.member.member_id)


def _require_not_deleted(transaction: RegisterTransaction, member_id: MemberId) -> None:
    earlier = transaction.subjects.erasure_of(member_id)
    if earlier is not None:
        raise IssuerRefusedError(
            f"the record was deleted on {earlier.at:%Y-%m-%d}", code="subject.deleted-already"
        )


def _require_no_open_request(transaction: RegisterTransaction, member_id: MemberId) -> None:
    """A request that is somebody's work is ended by people first; one that was decided without a card stays."""
    candidate = transaction.requests.candidates([member_id]).get(member_id)
    if candidate is None or candidate.live_request is None:
        return
    request = transaction.requests.get(candidate.live_request)
    if request.state is not RequestState.DECIDED:
        raise IssuerRefusedError(
            f"request {request.request_id} for the member is {request.state}, and needs the record",
            code="subject.request-open",
            hint="withdraw the request, or drop the decision that it stands in",
        )
