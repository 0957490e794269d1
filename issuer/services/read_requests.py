"""Use case: look at requests, one or many, and at what waits for whoever looks; each in their own part of the tree.

What waits for somebody is what they may take on: requests that stand before a step for which they have the right,
without those of which they took a step that bars them from it (four eyes).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from issuer.domain.audit_reads import members_listed
from issuer.domain.decisions import Decision, DecisionId, DecisionState
from issuer.domain.eligibility import Asking, Candidate, EligibilityFinding, findings
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.request_policy import RequestPolicy
from issuer.domain.requests import (
    LIVE_STATES,
    TRANSITIONS,
    CardRequest,
    RequestEvent,
    RequestEventKind,
    RequestId,
    RequestKind,
    RequestState,
    right_for,
    steps_taken_by,
)
from issuer.domain.rights import Actor, Place, Right
from issuer.errors import IssuerError, IssuerRefusedError
from issuer.services.directory_ports import MemberLine
from issuer.services.move_requests import is_taken_by_deciding_committee
from issuer.services.places import Places
from issuer.services.register_ports import Register, RegisterTransaction
from issuer.services.request_ports import RequestPosition, RequestQuestion, Untouched

__all__ = [
    "MOST_COUNTED",
    "WAITING_STEPS",
    "ReadingOfRequests",
    "RequestLine",
    "RequestLines",
    "RequestSelection",
    "ShownRequest",
    "parts_within",
]

WAITING_STEPS: Final[Mapping[RequestEventKind, frozenset[RequestState]]] = {
    RequestEventKind.PROPOSED: frozenset({RequestState.DRAFT, RequestState.RETURNED}),
    RequestEventKind.ENDORSED: frozenset({RequestState.PROPOSED}),
    RequestEventKind.COMPILED: frozenset({RequestState.ENDORSED}),
    RequestEventKind.TABLED: frozenset({RequestState.COMPILED}),
}
"""The steps that somebody waits for, and the states in which requests stand before them."""

MOST_COUNTED: Final = 10_000
"""Nobody waits for an exact figure above it."""

_JUDGED: Final = LIVE_STATES - {RequestState.DECIDED}
_PAGE_ROWS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSelection:
    """Which requests are asked for; what is ``None`` does not narrow.

    Attributes:
        states: in one of these states.
        kind: of this kind.
        root: of this organisation and all below it.
        member_id: for this member.
        decision_id: standing in this decision.
        waiting_for: those that wait for this step, and for whoever asks to take it.
    """

    states: Collection[RequestState] | None = None
    kind: RequestKind | None = None
    root: OrganisationCode | None = None
    member_id: MemberId | None = None
    decision_id: DecisionId | None = None
    waiting_for: RequestEventKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLine:
    """A request in a list; ``member`` is ``None`` where the record was deleted, or is not shown to whoever looks."""

    request: CardRequest
    member: MemberLine | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLines:
    """One page, oldest requests first; ``end`` is ``None`` on the last one."""

    lines: tuple[RequestLine, ...]
    end: RequestPosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRequest:
    """One request with everything about it.

    Attributes:
        line: itself, and for whom.
        time_line: what happened to it, in order.
        decision: in which it stands, or by which it came; ``None`` before that.
        findings: the rules that are not kept today; empty once it is decided or has ended.
        steps: what whoever looks may take on now.
    """

    line: RequestLine
    time_line: tuple[RequestEvent, ...]
    decision: Decision | None
    findings: tuple[EligibilityFinding, ...]
    steps: frozenset[RequestEventKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOfRequests:
    """Everything that looking at requests needs from the world; ``clock`` gives aware UTC."""

    register: Register
    policy: RequestPolicy
    clock: Callable[[], datetime]

    def page(
        self,
        selection: RequestSelection,
        *,
        actor: Actor,
        limit: int,
        behind: RequestPosition | None = None,
    ) -> RequestLines:
        """Requests in the order in which they were drafted, with whom they are for; the audit trail keeps whom.

        Raises:
            IssuerRefusedError: nothing of the selection is in the actor's part of the tree (``right.missing``).
            IssuerDataError: ``organisation.unknown``.
        """
        now = self.clock()
        with self.register.writing() as transaction:
            question = self._question(transaction, selection, actor)
            page = transaction.requests.page(question, limit=limit, behind=behind)
            lines = self._lines(transaction, page.requests, actor, now)
        return RequestLines(lines=lines, end=page.end)

    def lines(
        self, request_ids: Collection[RequestId], *, actor: Actor
    ) -> Mapping[RequestId, RequestLine]:
        """These requests with whom they are for, as far as they are in the actor's part of the tree."""
        now = self.clock()
        with self.register.writing() as transaction:
            places = Places(transaction.organisations)
            asked = tuple(transaction.requests.known(request_ids).values())
            places.look_ahead([each.organisation_code for each in asked])
            known = tuple(
                each
                for each in asked
                if actor.may(Right.READ_REQUESTS, place=places.of(each.organisation_code))
            )
            lines = self._lines(transaction, known, actor, now)
        return {each.request.request_id: each for each in lines}

    def ids(self, selection: RequestSelection, *, actor: Actor) -> Iterator[RequestId]:
        """All of a selection, each page read in a transaction of its own; nobody's data is shown by it.

        Raises:
            IssuerRefusedError, IssuerDataError: as ``page``.
        """
        behind: RequestPosition | None = None
        while True:
            with self.register.reading() as transaction:
                question = self._question(transaction, selection, actor)
                page = transaction.requests.page(question, limit=_PAGE_ROWS, behind=behind)
            yield from (each.request_id for each in page.requests)
            if page.end is None:
                return
            behind = page.end

    def count(self, selection: RequestSelection, *, actor: Actor) -> int:
        """How many there are, up to ``MOST_COUNTED``; none where the actor has no part in it."""
        with self.register.reading() as transaction:
            try:
                question = self._question(transaction, selection, actor)
            except IssuerRefusedError:
                return 0
            return transaction.requests.count_up_to(question, MOST_COUNTED)

    def waiting(self, actor: Actor) -> Mapping[RequestEventKind, int]:
        """How many requests wait for each step that the actor may take; steps without any are left out."""
        found = {
            step: self.count(RequestSelection(waiting_for=step), actor=actor)
            for step in WAITING_STEPS
            if actor.may_somewhere(right_for(RequestState.DRAFT, step))
        }
        return {step: count for step, count in found.items() if count}

    def decisions_waiting(self, actor: Actor) -> int:
        """How many decisions that other people prepared wait for the actor's confirmation."""
        if not actor.may_somewhere(Right.DECIDE):
            return 0
        with self.register.reading() as transaction:
            return len(
                transaction.decisions.page(
                    limit=_PAGE_ROWS,
                    state=DecisionState.PREPARED,
                    committees=actor.roots(Right.DECIDE),
                    not_prepared_by=actor.account,
                )
            )

    def show(self, request_id: RequestId, *, actor: Actor) -> ShownRequest:
        """One request with its time line; the audit trail keeps whom it showed.

        Raises:
            IssuerRefusedError: there is none in the actor's part of the tree (``request.unknown``).
        """
        now = self.clock()
        with self.register.writing() as transaction:
            request = transaction.requests.get(request_id)
            place = Places(transaction.organisations).of(request.organisation_code)
            if not actor.may(Right.READ_REQUESTS, place=place):
                raise IssuerRefusedError(
                    f"request {request_id} is not in the register", code="request.unknown"
                )
            time_line = transaction.requests.time_lines([request_id])[request_id]
            decision_id = transaction.requests.current_decision(request_id)
            candidate = transaction.requests.candidates([request.member_id]).get(request.member_id)
            return ShownRequest(
                line=self._lines(transaction, (request,), actor, now)[0],
                time_line=time_line,
                decision=None if decision_id is None else transaction.decisions.get(decision_id),
                findings=_findings(request, candidate, now),
                steps=self._steps(request, actor, place, time_line)
                - _not_withdrawn(transaction, request, actor, time_line),
            )

    def eligibility(
        self, member_id: MemberId, kind: RequestKind, *, actor: Actor
    ) -> tuple[EligibilityFinding, ...]:
        """Which rules a member does not keep for a request of this kind; empty where they may have it.

        Raises:
            IssuerRefusedError: there is no such member in the actor's part of the tree (``member.unknown``).
        """
        with self.register.reading() as transaction:
            candidate = transaction.requests.candidates([member_id]).get(member_id)
            if candidate is not None:
                place = Places(transaction.organisations).of(candidate.organisation_code)
                if actor.may(Right.READ_REQUESTS, place=place):
                    return findings(candidate, Asking(kind=kind, today=self.clock().date()))
        raise IssuerRefusedError(
            f"member {member_id} is not in the register", code="member.unknown"
        )

    def _question(
        self, transaction: RegisterTransaction, selection: RequestSelection, actor: Actor
    ) -> RequestQuestion:
        places = Places(transaction.organisations)
        states, step, untouched = selection.states, selection.waiting_for, None
        if step is None:
            roots = actor.roots(Right.READ_REQUESTS)
        else:
            states = WAITING_STEPS[step] if states is None else WAITING_STEPS[step] & set(states)
            roots = self._roots_of_step(step, actor, places)
            barring = self.policy.barred_by(step)
            untouched = Untouched(account=actor.account, steps=barring) if barring else None
        return RequestQuestion(
            states=states,
            kind=selection.kind,
            member_id=selection.member_id,
            below=parts_within(places, roots, selection.root, actor),
            decision_id=selection.decision_id,
            untouched=untouched,
        )

    def _roots_of_step(
        self, step: RequestEventKind, actor: Actor, places: Places
    ) -> frozenset[OrganisationCode] | None:
        """The parts of the tree on whose requests the actor takes this step."""
        (state, *_) = WAITING_STEPS[step]
        roots = actor.roots(right_for(state, step))
        if roots is None or not is_taken_by_deciding_committee(state, step):
            return roots
        # Whoever has the right below the deciding committee alone does not take its steps.
        return frozenset(
            each for each in roots if len(places.of(each)) - 1 <= self.policy.deciding_level
        )

    def _steps(
        self,
        request: CardRequest,
        actor: Actor,
        place: Place,
        time_line: tuple[RequestEvent, ...],
    ) -> frozenset[RequestEventKind]:
        taken = steps_taken_by(actor.account, time_line)
        return frozenset(
            step
            for state, step in TRANSITIONS
            if state is request.state
            and self._may_take(request, step, actor, place)
            and not self.policy.barred_by(step) & taken
        )

    def _may_take(
        self, request: CardRequest, step: RequestEventKind, actor: Actor, place: Place
    ) -> bool:
        if is_taken_by_deciding_committee(request.state, step):
            committee = self.policy.deciding_committee(place)
            place = tuple(place)[: list(place).index(committee) + 1]
        try:
            return actor.may(right_for(request.state, step), place=place)
        except IssuerError:
            return False

    @staticmethod
    def _lines(
        transaction: RegisterTransaction,
        requests: tuple[CardRequest, ...],
        actor: Actor,
        now: datetime,
    ) -> tuple[RequestLine, ...]:
        places = Places(transaction.organisations)
        found = transaction.directory.several([each.member_id for each in requests])
        places.look_ahead([each.organisation_code for each in found.values()])
        known = {
            member_id: line
            for member_id, line in found.items()
            if actor.may(Right.READ_MEMBERS, place=places.of(line.organisation_code))
        }
        for record in members_listed(list(known), account=actor.account, organisation=None, at=now):
            transaction.audit.append(record)
        return tuple(
            RequestLine(request=each, member=known.get(each.member_id)) for each in requests
        )


def _not_withdrawn(
    transaction: RegisterTransaction,
    request: CardRequest,
    actor: Actor,
    time_line: tuple[RequestEvent, ...],
) -> frozenset[RequestEventKind]:
    """What is decided is not withdrawn by whoever asked for it, nor while there is a card."""
    is_asked_by_them = (
        time_line[-1].kind is RequestEventKind.WITHDRAWAL_ASKED
        and time_line[-1].account == actor.account
    )
    is_barred = request.state is RequestState.DECIDED and (
        is_asked_by_them or transaction.requests.with_cards([request.request_id])
    )
    return frozenset({RequestEventKind.WITHDRAWN} if is_barred else ())


def _findings(
    request: CardRequest, candidate: Candidate | None, now: datetime
) -> tuple[EligibilityFinding, ...]:
    if candidate is None or request.state not in _JUDGED:
        return ()
    asking = Asking(
        kind=request.kind,
        today=now.date(),
        request_id=request.request_id,
        organisation_code=request.organisation_code,
    )
    return findings(candidate, asking)


def parts_within(
    places: Places,
    roots: frozenset[OrganisationCode] | None,
    root: OrganisationCode | None,
    actor: Actor,
) -> frozenset[OrganisationCode] | None:
    """The parts of one's own tree at and below an organisation; ``None`` for the whole register.

    Raises:
        IssuerRefusedError: there is none (``right.missing``).
        IssuerDataError: ``organisation.unknown``.
    """
    found = roots
    if root is not None:
        place = places.of(root)
        if roots is None or not roots.isdisjoint(place):
            found = frozenset({root})
        else:
            found = frozenset(each for each in roots if root in places.of(each))
    if found is not None and not found:
        raise IssuerRefusedError(
            f"account {actor.account} has no part in {root or 'it'}", code="right.missing"
        )
    return found
