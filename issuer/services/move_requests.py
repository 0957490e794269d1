"""Use case: take requests one step on, or back: propose, endorse, compile, send back, withdraw."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from issuer.domain.eligibility import Asking, Candidate, findings
from issuer.domain.request_policy import RequestPolicy
from issuer.domain.requests import (
    TRANSITIONS,
    CardRequest,
    RequestEvent,
    RequestEventKind,
    RequestId,
    RequestState,
    parse_remark,
    right_for,
    steps_taken_by,
)
from issuer.domain.rights import Actor, Place, Right, two_different_people
from issuer.errors import ConflictError, IssuerError, IssuerRefusedError
from issuer.services.places import Places
from issuer.services.register_ports import PortraitStore, Register, RegisterTransaction
from issuer.services.request_outcome import (
    CHUNK_ROWS,
    RequestOutcome,
    chunks,
    refused,
    request_record,
    taken,
    unchanged,
    unknown_request,
)
from issuer.services.request_ports import RequestStep

__all__ = [
    "STEPS",
    "RequestSteps",
    "is_taken_by_deciding_committee",
    "require_eligible",
    "require_right",
    "require_version",
]

STEPS: Final = frozenset(
    {
        RequestEventKind.PROPOSED,
        RequestEventKind.ENDORSED,
        RequestEventKind.COMPILED,
        RequestEventKind.SENT_BACK,
        RequestEventKind.WITHDRAWN,
    }
)
"""The steps of this use case; deciding has one of its own."""

_STATES_AFTER: Final = {
    step: frozenset(after for (_, kind), after in TRANSITIONS.items() if kind is step)
    for step in STEPS
}

_WITH_REMARK: Final = frozenset({RequestEventKind.SENT_BACK, RequestEventKind.WITHDRAWN})

_AT_DECIDING_COMMITTEE: Final = frozenset(
    {
        (RequestState.ENDORSED, RequestEventKind.COMPILED),
        (RequestState.ENDORSED, RequestEventKind.SENT_BACK),
        (RequestState.COMPILED, RequestEventKind.SENT_BACK),
        (RequestState.COMPILED, RequestEventKind.TABLED),
        (RequestState.DECIDED, RequestEventKind.WITHDRAWAL_ASKED),
        (RequestState.DECIDED, RequestEventKind.WITHDRAWN),
    }
)
"""What is done by the deciding committee's people, and not by those below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSteps:
    """Takes steps with many requests, a transaction a chunk; repeated, it goes on; ``clock`` gives aware UTC."""

    register: Register
    portraits: PortraitStore
    policy: RequestPolicy
    clock: Callable[[], datetime]
    chunk_rows: int = CHUNK_ROWS

    def take(
        self,
        request_ids: Iterable[RequestId],
        step: RequestEventKind,
        *,
        actor: Actor,
        remark: str = "",
        versions: Mapping[RequestId, int] | None = None,
    ) -> Iterator[RequestOutcome]:
        """Take the step with each request that may take it; one outcome for each.

        A request that stands where the step leads to is left alone. A refusal carries ``request.unknown``,
        ``request.wrong-state``, ``request.same-hands``, ``request.changed-meanwhile``, ``right.*``,
        ``eligibility.*`` or ``portrait.*``.

        Args:
            request_ids: which requests.
            step: one of ``STEPS``.
            actor: who takes it.
            remark: why, for sending back and withdrawing.
            versions: the versions that the actor saw; a request at another one is refused.

        Raises:
            IssuerDataError: the remark is none (``request.remark``).
            ValueError: the step is none of these.
        """
        if step not in STEPS:
            raise ValueError(f"the step {step} is taken by deciding")
        cleaned = parse_remark(remark) if step in _WITH_REMARK else ""
        return self._take(request_ids, step, actor, cleaned, versions or {})

    def _take(
        self,
        request_ids: Iterable[RequestId],
        step: RequestEventKind,
        actor: Actor,
        remark: str,
        versions: Mapping[RequestId, int],
    ) -> Iterator[RequestOutcome]:
        for part in chunks(request_ids, self.chunk_rows):
            wanted = list(dict.fromkeys(part))
            # Pictures are read before the register is locked: many chunks may do so at once.
            lost = self._lost_portraits(wanted) if step is RequestEventKind.PROPOSED else {}
            with self.register.writing() as transaction:
                chunk = _Chunk(self, transaction, actor, step, self.clock())
                outcomes = chunk.take(wanted, remark=remark, versions=versions, lost=lost)
            yield from outcomes

    def _lost_portraits(self, request_ids: list[RequestId]) -> dict[RequestId, IssuerError]:
        """What the import found may have been lost since: a card needs its portrait."""
        lost: dict[RequestId, IssuerError] = {}
        with self.register.reading() as transaction:
            requests = transaction.requests.known(request_ids).values()
            candidates = transaction.requests.candidates([each.member_id for each in requests])
        for request in requests:
            candidate = candidates.get(request.member_id)
            if candidate is None or candidate.portrait is None:
                continue
            try:
                self.portraits.get(candidate.portrait)
            except IssuerRefusedError as error:
                lost[request.request_id] = error
        return lost


class _Chunk:
    """One transaction of the use case."""

    def __init__(
        self,
        steps: RequestSteps,
        transaction: RegisterTransaction,
        actor: Actor,
        step: RequestEventKind,
        now: datetime,
    ) -> None:
        self._policy = steps.policy
        self._transaction = transaction
        self._actor = actor
        self._step = step
        self._now = now
        self._places = Places(transaction.organisations)

    def take(
        self,
        request_ids: list[RequestId],
        *,
        remark: str,
        versions: Mapping[RequestId, int],
        lost: Mapping[RequestId, IssuerError],
    ) -> list[RequestOutcome]:
        requests = self._transaction.requests.locked(request_ids)
        lines = self._transaction.requests.time_lines(list(requests))
        candidates = (
            self._transaction.requests.candidates([each.member_id for each in requests.values()])
            if self._step is RequestEventKind.PROPOSED
            else {}
        )
        with_cards = (
            self._transaction.requests.with_cards(list(requests))
            if self._step is RequestEventKind.WITHDRAWN
            else frozenset()
        )
        outcomes: list[RequestOutcome] = []
        steps: list[RequestStep] = []
        for request_id in request_ids:
            request = requests.get(request_id)
            if request is None:
                outcomes.append(unknown_request(request_id))
                continue
            step = self._step
            try:
                place = self._places.of(request.organisation_code)
                if request.state in _STATES_AFTER[self._step]:
                    self._actor.demand(Right.READ_REQUESTS, place=place, now=self._now)
                    outcomes.append(unchanged(request))
                    continue
                if step is RequestEventKind.WITHDRAWN and request.state is RequestState.DECIDED:
                    step = self._take_back(request, lines[request_id], with_cards)
                require_right(
                    self._actor,
                    request,
                    step,
                    place=place,
                    policy=self._policy,
                    now=self._now,
                )
                require_version(request, versions.get(request_id))
                after = request.after(step)
                self._policy.keep_apart(
                    self._actor.account,
                    self._step,
                    taken=steps_taken_by(self._actor.account, lines[request_id]),
                )
                if self._step is RequestEventKind.PROPOSED:
                    require_eligible(request, candidates.get(request.member_id), self._now)
                    if request_id in lost:
                        raise lost[request_id]
            except IssuerError as error:
                outcomes.append(refused(request, error))
            else:
                event = RequestEvent(
                    at=self._now, account=self._actor.account, kind=step, remark=remark
                )
                steps.append(RequestStep(request=after, event=event))
                outcomes.append(taken(after))
        self._transaction.requests.store(steps)
        for each in steps:
            self._transaction.audit.append(request_record(each))
        return outcomes

    def _take_back(
        self, request: CardRequest, line: Sequence[RequestEvent], with_cards: Collection[RequestId]
    ) -> RequestEventKind:
        """What is decided is withdrawn by two: the first asks for it, the second does it."""
        if request.request_id in with_cards:
            raise IssuerRefusedError(
                "a card is being made for the request", code="request.has-card",
                hint="condemn the card first",
            )  # fmt: skip
        if line[-1].kind is not RequestEventKind.WITHDRAWAL_ASKED:
            return RequestEventKind.WITHDRAWAL_ASKED
        two_different_people(
            line[-1].account, self._actor.account, act="to withdraw what was decided"
        )
        return RequestEventKind.WITHDRAWN


def is_taken_by_deciding_committee(state: RequestState, step: RequestEventKind) -> bool:
    """Whether the step from this state belongs to the deciding committee's people, and not to those below it."""
    return (state, step) in _AT_DECIDING_COMMITTEE


def require_right(
    actor: Actor,
    request: CardRequest,
    step: RequestEventKind,
    *,
    place: Place,
    policy: RequestPolicy,
    now: datetime,
) -> None:
    """Let pass whoever may take the step with this request, at the place where the step belongs.

    Raises:
        IssuerRefusedError: ``right.missing``, ``right.step-up-needed``, ``request.wrong-state``.
    """
    if is_taken_by_deciding_committee(request.state, step):
        committee = policy.deciding_committee(place)
        place = tuple(place)[: list(place).index(committee) + 1]
    actor.demand(right_for(request.state, step), place=place, now=now)


def require_version(request: CardRequest, seen: int | None) -> None:
    """Refuse what somebody else changed since it was looked at.

    Raises:
        ConflictError: ``request.changed-meanwhile``.
    """
    if seen is not None and seen != request.version:
        raise ConflictError(
            f"request {request.request_id} is at version {request.version}, expected {seen}",
            code="request.changed-meanwhile",
        )


def require_eligible(request: CardRequest, candidate: Candidate | None, now: datetime) -> None:
    """Let pass a request whose member keeps every rule today.

    Raises:
        IssuerRefusedError: the first rule that is not kept (``eligibility.*``), or ``member.unknown``.
    """
    if candidate is None:
        raise IssuerRefusedError(
            f"member {request.member_id} is not in the register", code="member.unknown"
        )
    asking = Asking(
        kind=request.kind,
        today=now.date(),
        request_id=request.request_id,
        organisation_code=request.organisation_code,
    )
    found = findings(candidate, asking)
    if found:
        raise IssuerRefusedError(found[0].sentence, code=found[0].code)
