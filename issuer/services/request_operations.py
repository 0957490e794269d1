"""Use case: long work with requests, as operations: draft for everybody who may have a card, take a step with all.

What an operation works on are names of things: a kind, an organisation, a step. Whoever asked for it acts, with the
roles that they have while it is done.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import (
    ReissueReason,
    RequestEventKind,
    RequestKind,
    RequestState,
    check_reason,
    right_for,
)
from issuer.domain.rights import AccountName, Actor, Right
from issuer.errors import IssuerRefusedError
from issuer.services.directory_ports import DirectoryPosition, MemberSelection
from issuer.services.draft_requests import RequestDrafting, Wish
from issuer.services.move_requests import RequestSteps
from issuer.services.operation_actor import actor_of_today
from issuer.services.operation_ports import Operation, OperationKind
from issuer.services.operations import OperationDesk, Progress
from issuer.services.places import Places
from issuer.services.read_requests import (
    MOST_COUNTED,
    ReadingOfRequests,
    RequestSelection,
    parts_within,
)
from issuer.services.register_ports import Register
from issuer.services.request_outcome import RequestOutcome

__all__ = [
    "CHANGED",
    "LEFT_OUT",
    "STEPS_FOR_ALL",
    "UNCHANGED",
    "DraftWork",
    "RequestOperations",
    "StepWork",
    "tally",
]

CHANGED: Final = "changed"
UNCHANGED: Final = "unchanged"
LEFT_OUT: Final = "left-out"
"""Among the counts of an operation: how many requests went on, stood there already, or did not; the reasons follow
by their codes, which have a dot."""

STEPS_FOR_ALL: Final = frozenset(
    {RequestEventKind.PROPOSED, RequestEventKind.ENDORSED, RequestEventKind.COMPILED}
)
"""What may be done with everything that waits; a reason is given for named requests only."""

_KIND: Final = "kind"
_REASON: Final = "reason"
_ORGANISATION: Final = "organisation"
_STEP: Final = "step"
_PAGE_ROWS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOperations:
    """Begins long work with requests."""

    operations: OperationDesk

    def draft_all(
        self, wish: Wish, *, organisation: OrganisationCode | None, actor: Actor
    ) -> Operation:
        """Have a request drafted for everybody who may have it, there and below, or in one's whole part.

        Raises:
            IssuerRefusedError: ``right.missing``.
            IssuerDataError: ``request.reason``.
        """
        check_reason(wish.kind, wish.reason)
        _demand_somewhere(actor, Right.PROPOSE)
        inputs = {_KIND: wish.kind.value}
        if wish.reason is not None:
            inputs[_REASON] = wish.reason.value
        return self._begin(OperationKind.DRAFT_REQUESTS, actor.account, inputs, organisation)

    def step_all(
        self,
        step: RequestEventKind,
        *,
        organisation: OrganisationCode | None,
        kind: RequestKind | None,
        actor: Actor,
    ) -> Operation:
        """Have a step taken with everything that waits for it and for the actor.

        Raises:
            IssuerRefusedError: ``right.missing``.
            ValueError: the step is none of ``STEPS_FOR_ALL``.
        """
        if step not in STEPS_FOR_ALL:
            raise ValueError(f"the step {step} is taken with named requests")
        _demand_somewhere(actor, right_for(RequestState.DRAFT, step))
        inputs = {_STEP: step.value}
        if kind is not None:
            inputs[_KIND] = kind.value
        return self._begin(OperationKind.MOVE_REQUESTS, actor.account, inputs, organisation)

    def _begin(
        self,
        kind: OperationKind,
        account: AccountName,
        inputs: Mapping[str, str],
        organisation: OrganisationCode | None,
    ) -> Operation:
        where = {} if organisation is None else {_ORGANISATION: str(organisation)}
        return self.operations.begin(kind, account=account, inputs={**inputs, **where})


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftWork:
    """What is done for an operation that drafts (``issuer.services.operations.Work``)."""

    register: Register
    drafting: RequestDrafting

    def __call__(self, operation: Operation, progress: Progress) -> Mapping[str, int]:
        """Draft, or go on where an earlier attempt broke off: its drafts are found."""
        actor = actor_of_today(self.register, operation.account)
        reason = operation.inputs.get(_REASON)
        wish = Wish(
            kind=RequestKind(operation.inputs[_KIND]),
            reason=None if reason is None else ReissueReason(reason),
        )
        members = self._members(_organisation(operation), actor)
        return tally(self.drafting.draft(members, wish, actor=actor), progress, total=None)

    def _members(self, organisation: OrganisationCode | None, actor: Actor) -> Iterator[MemberId]:
        behind: DirectoryPosition | None = None
        while True:
            with self.register.reading() as transaction:
                roots = parts_within(
                    Places(transaction.organisations),
                    actor.roots(Right.PROPOSE),
                    organisation,
                    actor,
                )
                page = transaction.directory.page(
                    MemberSelection(roots=roots), limit=_PAGE_ROWS, behind=behind
                )
            yield from (each.member_id for each in page.lines)
            if page.end is None:
                return
            behind = page.end


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWork:
    """What is done for an operation that takes a step with all that wait for it."""

    register: Register
    reading: ReadingOfRequests
    steps: RequestSteps

    def __call__(self, operation: Operation, progress: Progress) -> Mapping[str, int]:
        """Take it, or go on: what was taken waits no more."""
        actor = actor_of_today(self.register, operation.account)
        step = RequestEventKind(operation.inputs[_STEP])
        kind = operation.inputs.get(_KIND)
        selection = RequestSelection(
            waiting_for=step,
            kind=None if kind is None else RequestKind(kind),
            root=_organisation(operation),
        )
        count = self.reading.count(selection, actor=actor)
        outcomes = self.steps.take(self.reading.ids(selection, actor=actor), step, actor=actor)
        return tally(outcomes, progress, total=None if count >= MOST_COUNTED else count)


def tally(
    outcomes: Iterable[RequestOutcome], progress: Progress, *, total: int | None
) -> Mapping[str, int]:
    """Go through outcomes, telling how far it is; how they ended, and the codes of what was refused."""
    counts: Counter[str] = Counter({CHANGED: 0, UNCHANGED: 0, LEFT_OUT: 0})
    for number, outcome in enumerate(outcomes, start=1):
        if outcome.code is not None:
            counts[LEFT_OUT] += 1
            counts[outcome.code] += 1
        else:
            counts[CHANGED if outcome.is_changed else UNCHANGED] += 1
        progress(done=number, total=total)
    return dict(counts)


def _organisation(operation: Operation) -> OrganisationCode | None:
    code = operation.inputs.get(_ORGANISATION)
    return None if code is None else OrganisationCode(code)


def _demand_somewhere(actor: Actor, right: Right) -> None:
    if not actor.may_somewhere(right):
        raise IssuerRefusedError(
            f"account {actor.account} has no right {right}", code="right.missing"
        )
