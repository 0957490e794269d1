"""Use case: draft requests for cards."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from issuer.domain.eligibility import Asking, Candidate, findings
from issuer.domain.member import MemberId
from issuer.domain.requests import (
    CardRequest,
    ReissueReason,
    RequestEvent,
    RequestEventKind,
    RequestId,
    RequestKind,
    RequestState,
    check_reason,
    right_for,
)
from issuer.domain.rights import Actor, Right
from issuer.errors import IssuerError, IssuerRefusedError
from issuer.services.places import Places
from issuer.services.register_ports import Register, RegisterTransaction
from issuer.services.request_outcome import (
    CHUNK_ROWS,
    RequestOutcome,
    chunks,
    request_record,
    taken,
    unchanged,
)
from issuer.services.request_ports import RequestStep

__all__ = ["RequestDrafting", "Wish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for, for each of many members.

    Attributes:
        kind: what.
        reason: why a card is made once more; ``None`` for all but a re-issue.
        ordinal: which of the member's cards it will be; ``None`` for one more than the register knows.
    """

    kind: RequestKind
    reason: ReissueReason | None = None
    ordinal: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDrafting:
    """Drafts requests, a transaction a chunk; repeated, it finds its own drafts; ``clock`` gives aware UTC."""

    register: Register
    clock: Callable[[], datetime]
    new_request_id: Callable[[], RequestId]
    chunk_rows: int = CHUNK_ROWS

    def draft(
        self, member_ids: Iterable[MemberId], wish: Wish, *, actor: Actor
    ) -> Iterator[RequestOutcome]:
        """One draft for each member who may have it; one outcome for each member.

        A refusal carries ``member.unknown``, ``right.missing``, ``request.ordinal`` or the first rule that is
        not kept (``eligibility.*``).

        Raises:
            IssuerDataError: the reason does not go with the kind (``request.reason``).
        """
        check_reason(wish.kind, wish.reason)
        return self._draft(member_ids, wish, actor)

    def draft_within(
        self,
        transaction: RegisterTransaction,
        member_ids: Iterable[MemberId],
        wish: Wish,
        *,
        actor: Actor,
        right: Right,
    ) -> list[RequestOutcome]:
        """The same within a transaction, for another use case whose right brings drafts with it.

        Raises:
            IssuerDataError: as ``draft``.
        """
        check_reason(wish.kind, wish.reason)
        return _draft_chunk(
            self, transaction, list(dict.fromkeys(member_ids)), wish, actor, right=right
        )

    def _draft(
        self, member_ids: Iterable[MemberId], wish: Wish, actor: Actor
    ) -> Iterator[RequestOutcome]:
        for part in chunks(member_ids, self.chunk_rows):
            with self.register.writing() as transaction:
                outcomes = _draft_chunk(self, transaction, list(dict.fromkeys(part)), wish, actor)
            yield from outcomes


def _draft_chunk(
    drafting: RequestDrafting,
    transaction: RegisterTransaction,
    member_ids: list[MemberId],
    wish: Wish,
    actor: Actor,
    *,
    right: Right | None = None,
) -> list[RequestOutcome]:
    now = drafting.clock()
    needed = right or right_for(RequestState.DRAFT, RequestEventKind.DRAFTED)
    places = Places(transaction.organisations)
    candidates = transaction.requests.candidates(member_ids, lock=True)
    outcomes: list[RequestOutcome] = []
    steps: list[RequestStep] = []
    for member_id in member_ids:
        try:
            candidate = _candidate(candidates.get(member_id), member_id)
            actor.demand(needed, place=places.of(candidate.organisation_code), now=now)
            if (known := _same_draft(transaction, candidate, wish)) is not None:
                outcomes.append(unchanged(known))
                continue
            _judge(candidate, wish, now)
            request = CardRequest(
                request_id=drafting.new_request_id(),
                member_id=member_id,
                organisation_code=candidate.organisation_code,
                kind=wish.kind,
                reason=wish.reason,
                ordinal=_ordinal(candidate, wish),
                created_at=now,
            )
        except IssuerError as error:
            outcomes.append(_not_drafted(member_id, error))
        else:
            event = RequestEvent(at=now, account=actor.account, kind=RequestEventKind.DRAFTED)
            steps.append(RequestStep(request=request, event=event))
            outcomes.append(taken(request))
    transaction.requests.add(steps)
    for step in steps:
        transaction.audit.append(request_record(step))
    return outcomes


def _candidate(found: Candidate | None, member_id: MemberId) -> Candidate:
    if found is None:
        raise IssuerRefusedError(
            f"member {member_id} is not in the register", code="member.unknown"
        )
    return found


def _same_draft(
    transaction: RegisterTransaction, candidate: Candidate, wish: Wish
) -> CardRequest | None:
    """The draft that an earlier run of the same work left."""
    if candidate.live_request is None:
        return None
    known = transaction.requests.get(candidate.live_request)
    is_same = known.state is RequestState.DRAFT and (known.kind, known.reason) == (
        wish.kind,
        wish.reason,
    )
    return known if is_same else None


def _judge(candidate: Candidate, wish: Wish, now: datetime) -> None:
    found = findings(candidate, Asking(kind=wish.kind, today=now.date()))
    if found:
        raise IssuerRefusedError(found[0].sentence, code=found[0].code)


def _ordinal(candidate: Candidate, wish: Wish) -> int:
    if wish.ordinal is not None:
        return wish.ordinal
    return 1 if wish.kind is RequestKind.NEW_ISSUE else candidate.cards_before + 1


def _not_drafted(member_id: MemberId, error: IssuerError) -> RequestOutcome:
    return RequestOutcome(
        request_id=None,
        member_id=member_id,
        state=None,
        code=error.code,
        sentence=str(error),
        hint=error.hint,
    )
