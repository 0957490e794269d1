"""Use case: settle what another instance states and we do not. Nothing wins by itself; a person says what is true."""

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.bundle import BundleRequest, ConflictId, ConflictKind, ConflictState
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.member import MemberId, PortraitDigest
from issuer.domain.request_policy import RequestPolicy
from issuer.domain.requests import RequestEventKind, RequestState, parse_remark
from issuer.domain.rights import Actor, Right
from issuer.domain.time_line import state_after
from issuer.errors import IssuerDataError, IssuerError, IssuerRefusedError
from issuer.exchange.bundle_file import request_from_bytes
from issuer.services.bundle_ports import Conflict, ConflictPosition, OwnInstance
from issuer.services.enrol_instances import known_instance
from issuer.services.places import Places
from issuer.services.register_ports import Register, RegisterTransaction
from issuer.services.take_members import MemberTaking, ReadMember
from issuer.services.take_requests import RequestTaking

__all__ = ["ConflictChoice", "ConflictDesk", "Settled", "possible_choices"]

_UNSETTLED: Final = "bundle.member-unsettled"
_GONE: Final = "bundle.gone"
_SAME_PERSON: Final = frozenset(
    {"bundle.both-changed", "bundle.records-differ", "bundle.recorded-elsewhere"}
)
"""Conflicts in which nobody doubts who it is."""


class ConflictChoice(enum.StrEnum):
    """What a person says."""

    THEIRS = "theirs"
    """What they state is true: it is taken; who only seemed to be somebody known is recorded as another person."""
    OURS = "ours"
    """Ours is true: they are the same person, and our record stays; a request goes back to whoever stated it."""
    NEITHER = "neither"
    """Nothing is taken and nothing is linked; a request goes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A conflict as it is now, and how many requests that waited for it were taken."""

    conflict: Conflict
    requests_taken: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictDesk:
    """Shows and settles conflicts; ``clock`` gives aware UTC."""

    register: Register
    own: OwnInstance
    policy: RequestPolicy
    scheme: CardNumberScheme
    clock: Callable[[], datetime]
    new_member_id: Callable[[], MemberId]

    def waiting(
        self, *, actor: Actor, limit: int, behind: ConflictPosition | None = None
    ) -> tuple[Conflict, ...]:
        """The open conflicts of one's own part of the tree, the oldest first; their contents are not shown."""
        with self.register.reading() as transaction:
            return transaction.exchange.conflicts(
                below=actor.roots(Right.EXCHANGE_BUNDLES), limit=limit, behind=behind
            )

    def settle(
        self, conflict_id: ConflictId, choice: ConflictChoice, *, reason: str, actor: Actor
    ) -> Settled:
        """Say what is true.

        Raises:
            IssuerDataError: there is no such conflict (``conflict.unknown``); the reason is none
                (``request.remark``).
            IssuerRefusedError: ``right.missing``; it is settled (``conflict.settled``); it cannot be settled so
                (``conflict.choice``).
            IssuerError: what they state cannot be taken; the code says why.
        """
        cleaned = parse_remark(reason)
        now = self.clock()
        with self.register.writing() as transaction:
            conflict = transaction.exchange.find_conflict(conflict_id, lock=True)
            if conflict is None:
                raise IssuerDataError(
                    f"there is no conflict {conflict_id}", code="conflict.unknown"
                )
            if conflict.state is not ConflictState.OPEN:
                raise IssuerRefusedError(
                    f"the conflict is {conflict.state} by {conflict.settled_by}",
                    code="conflict.settled",
                )
            act = _Act(self, transaction, conflict, actor=actor, now=now)
            if conflict.kind is ConflictKind.MEMBER:
                return act.settle_member(choice, cleaned)
            return act.settle_request(choice, cleaned)


def possible_choices(
    conflict: Conflict, *, is_member_settled: bool, can_go_back: bool
) -> tuple[ConflictChoice, ...]:
    """What a person can say of an open conflict; the settlement itself judges again, and may refuse.

    Args:
        conflict: the conflict.
        is_member_settled: who the member of a request is here is known.
        can_go_back: the request waits for its next step here, and is not known here.
    """
    choice = ConflictChoice
    if conflict.kind is ConflictKind.REQUEST:
        theirs = (choice.THEIRS,) if is_member_settled else ()
        return (*theirs, choice.OURS) if can_go_back else theirs
    if conflict.kind is not ConflictKind.MEMBER:
        return ()
    if conflict.code == _GONE:
        return (choice.OURS,)
    if conflict.member_id is None:
        return (choice.THEIRS, choice.NEITHER)
    return (choice.THEIRS, choice.OURS, choice.NEITHER)


class _Act:
    """One settlement within one transaction."""

    def __init__(
        self,
        desk: ConflictDesk,
        transaction: RegisterTransaction,
        conflict: Conflict,
        *,
        actor: Actor,
        now: datetime,
    ) -> None:
        self._transaction = transaction
        self._conflict = conflict
        self._actor = actor
        self._now = now
        self._places = Places(transaction.organisations)
        self._instance = known_instance(transaction, conflict.instance)
        self._members = MemberTaking(
            transaction=transaction,
            instance=self._instance,
            scheme=desk.scheme,
            account=actor.account,
            now=now,
            new_member_id=desk.new_member_id,
        )
        self._requests = RequestTaking(
            transaction=transaction,
            instance=self._instance,
            own=desk.own,
            policy=desk.policy,
            places=self._places,
            now=now,
        )

    def settle_member(self, choice: ConflictChoice, reason: str) -> Settled:
        conflict = self._conflict
        self._demand(Right.WRITE_MEMBERS)
        if conflict.code == _GONE:
            if choice is ConflictChoice.THEIRS:
                raise IssuerRefusedError(
                    "what became of the member is recorded as a change of their standing",
                    code="conflict.choice",
                    hint="membercard-issuer members standing; then settle it as ours",
                )
            return Settled(conflict=self._close(choice, reason))
        stated = ReadMember.stated_in(conflict.content)
        pictures = (
            {} if stated.portrait is None else {stated.portrait: PortraitDigest(stated.portrait)}
        )
        read = self._members.read(stated, self._places, pictures)
        member_id: MemberId | None = None
        if choice is ConflictChoice.THEIRS:
            is_known = conflict.code in _SAME_PERSON
            member_id = self._members.take_theirs(read, conflict.member_id if is_known else None)
        elif choice is ConflictChoice.OURS:
            if conflict.member_id is None:
                raise IssuerRefusedError(
                    "nobody here resembles the member, so there is no record of ours to keep",
                    code="conflict.choice",
                )
            self._members.keep_ours(read, conflict.member_id)
            member_id = conflict.member_id
        settled = self._close(choice, reason)
        taken = 0 if member_id is None else self._take_waiting(stated.member_id, member_id, reason)
        return Settled(conflict=settled, requests_taken=taken)

    def settle_request(self, choice: ConflictChoice, reason: str) -> Settled:
        self._demand(Right.EXCHANGE_BUNDLES)
        stated = request_from_bytes(self._conflict.content)
        if choice is ConflictChoice.THEIRS:
            member_id = self._member_of(stated)
            if member_id is None:
                raise IssuerRefusedError("it is not settled who the member is", code=_UNSETTLED)
            self._take(stated, member_id)
            return Settled(conflict=self._close(choice, reason), requests_taken=1)
        events = self._requests.events_of(stated)
        if not stated.is_handed_over or state_after(events) is not RequestState.ENDORSED:
            raise IssuerRefusedError(
                "only a request that waits for its next step here can go back",
                code="conflict.choice",
            )
        known = self._transaction.requests.known([stated.request_id])
        if stated.request_id in known:
            raise IssuerRefusedError(
                f"the request is known here: take the step {RequestEventKind.SENT_BACK} with it",
                code="conflict.choice",
            )
        return Settled(conflict=self._close(choice, reason, content=self._conflict.content))

    def _take_waiting(self, remote_id: MemberId, member_id: MemberId, reason: str) -> int:
        """The requests that waited for this member alone are taken now; what else stands against them stays listed."""
        taken = 0
        for waiting in self._transaction.exchange.conflicts_with(self._instance.name):
            if waiting.kind is not ConflictKind.REQUEST or waiting.code != _UNSETTLED:
                continue
            stated = request_from_bytes(waiting.content)
            if stated.member_id != remote_id:
                continue
            try:
                self._take(stated, member_id)
            except IssuerError as error:
                self._transaction.exchange.add_conflict(
                    replace(
                        waiting, code=error.code, sentence=str(error), member_id=member_id,
                    )
                )  # fmt: skip
            else:
                taken += 1
                self._settle(waiting, ConflictState.TAKEN, reason)
        return taken

    def _take(self, stated: BundleRequest, member_id: MemberId) -> None:
        self._requests.check(stated)
        taken = self._requests.take_settled(stated, member_id)
        if taken.request is not None:
            self._transaction.exchange.report_requests(
                self._instance.name, {stated.request_id: len(stated.events)}
            )

    def _member_of(self, stated: BundleRequest) -> MemberId | None:
        linked = self._transaction.exchange.linked_members(self._instance.name, [stated.member_id])
        found = linked.get(stated.member_id)
        return None if found is None else found.member_id

    def _demand(self, right: Right) -> None:
        codes = [self._conflict.organisation]
        if self._conflict.member_id is not None and right is Right.WRITE_MEMBERS:
            ours = self._transaction.members.get(self._conflict.member_id)
            codes.append(ours.statement.organisation_code)
        for code in codes:
            self._actor.demand(right, place=self._places.of(code), now=self._now)

    def _close(self, choice: ConflictChoice, reason: str, *, content: bytes = b"") -> Conflict:
        taken = choice is ConflictChoice.THEIRS
        state = ConflictState.TAKEN if taken else ConflictState.REFUSED
        return self._settle(self._conflict, state, reason, content=content)

    def _settle(
        self, conflict: Conflict, state: ConflictState, reason: str, *, content: bytes = b""
    ) -> Conflict:
        settled = replace(
            conflict,
            state=state,
            content=content,
            settled_by=self._actor.account,
            settled_at=self._now,
            reason=reason,
        )
        self._transaction.exchange.settle_conflict(settled)
        self._transaction.audit.append(
            AuditRecord(
                at=self._now,
                account=self._actor.account,
                action=f"conflict.{state}",
                subject=AuditSubject.BUNDLE,
                subject_id=conflict.conflict_id.hex,
                organisation=conflict.organisation,
                details={
                    "kind": conflict.kind.value,
                    "code": conflict.code,
                    "instance": conflict.instance,
                    "sequence": conflict.sequence,
                    "subject": conflict.subject_id,
                },
            )
        )
        return settled
