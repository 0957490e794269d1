"""Requests for cards: what is asked for whom, and how far the asking has come (docs/requests.md).

    draft ──> proposed ──> endorsed ──> compiled ──> tabled ──> decided ──> fulfilled
      ^           │            │        │      ^       │
      │           └────────────┴────────┘      └───────┘
      │                  sent back            the decision is dropped
    returned <───────────────┘

A request is withdrawn from any state before it is tabled; one that is decided and has no card yet, by two people who
decide, one after the other. Each step is one event of its time line, with who took
it; whatever is not in the table below cannot happen.
"""

import enum
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NewType

from issuer.domain.card_number import CardNumber
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Right, same_person
from issuer.domain.vietnamese_text import clean_text
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = [
    "LIVE_STATES",
    "MAX_ORDINAL",
    "MAX_REMARK_BYTES",
    "NUMBERED_STATES",
    "TRANSITIONS",
    "CardRequest",
    "ReissueReason",
    "RequestEvent",
    "RequestEventKind",
    "RequestId",
    "RequestKind",
    "RequestState",
    "check_reason",
    "next_request_state",
    "parse_remark",
    "parse_request_id",
    "right_for",
    "steps_taken_by",
]

RequestId = NewType("RequestId", uuid.UUID)
"""Drawn at random when a request is drafted; says nothing about the person."""

MAX_ORDINAL: Final = 99
"""What a card can hold (SPEC.md 3.10)."""

MAX_REMARK_BYTES: Final = 400
"""The longest reason for sending a request back or withdrawing it, in UTF-8."""


class RequestKind(enum.StrEnum):
    """What is asked for."""

    NEW_ISSUE = "new-issue"
    EXCHANGE = "exchange"
    RE_ISSUE = "re-issue"


class ReissueReason(enum.StrEnum):
    """Why a card is made once more."""

    LOST = "lost"
    DAMAGED = "damaged"
    DATA_CHANGED = "data-changed"


class RequestState(enum.StrEnum):
    """How far a request has come."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    ENDORSED = "endorsed"
    COMPILED = "compiled"
    TABLED = "tabled"
    """It stands in a decision that one person prepared and nobody has confirmed."""
    DECIDED = "decided"
    FULFILLED = "fulfilled"
    """Its card is in the member's hand."""
    RETURNED = "returned"
    """It was sent back with a reason: corrected, it is proposed again."""
    WITHDRAWN = "withdrawn"


class RequestEventKind(enum.StrEnum):
    """What may happen to a request; its time line keeps it under this name."""

    DRAFTED = "drafted"
    PROPOSED = "proposed"
    ENDORSED = "endorsed"
    COMPILED = "compiled"
    TABLED = "tabled"
    UNTABLED = "untabled"
    DECIDED = "decided"
    FULFILLED = "fulfilled"
    SENT_BACK = "sent-back"
    WITHDRAWN = "withdrawn"
    WITHDRAWAL_ASKED = "withdrawal-asked"
    """The first of two said that what was decided is not wanted any more."""


TRANSITIONS: Final[Mapping[tuple[RequestState, RequestEventKind], RequestState]] = {
    (RequestState.DRAFT, RequestEventKind.PROPOSED): RequestState.PROPOSED,
    (RequestState.RETURNED, RequestEventKind.PROPOSED): RequestState.PROPOSED,
    (RequestState.PROPOSED, RequestEventKind.ENDORSED): RequestState.ENDORSED,
    (RequestState.ENDORSED, RequestEventKind.COMPILED): RequestState.COMPILED,
    (RequestState.COMPILED, RequestEventKind.TABLED): RequestState.TABLED,
    (RequestState.TABLED, RequestEventKind.UNTABLED): RequestState.COMPILED,
    (RequestState.TABLED, RequestEventKind.DECIDED): RequestState.DECIDED,
    (RequestState.DECIDED, RequestEventKind.FULFILLED): RequestState.FULFILLED,
    (RequestState.PROPOSED, RequestEventKind.SENT_BACK): RequestState.RETURNED,
    (RequestState.ENDORSED, RequestEventKind.SENT_BACK): RequestState.RETURNED,
    (RequestState.COMPILED, RequestEventKind.SENT_BACK): RequestState.RETURNED,
    (RequestState.DRAFT, RequestEventKind.WITHDRAWN): RequestState.WITHDRAWN,
    (RequestState.RETURNED, RequestEventKind.WITHDRAWN): RequestState.WITHDRAWN,
    (RequestState.PROPOSED, RequestEventKind.WITHDRAWN): RequestState.WITHDRAWN,
    (RequestState.ENDORSED, RequestEventKind.WITHDRAWN): RequestState.WITHDRAWN,
    (RequestState.COMPILED, RequestEventKind.WITHDRAWN): RequestState.WITHDRAWN,
    (RequestState.DECIDED, RequestEventKind.WITHDRAWAL_ASKED): RequestState.DECIDED,
    (RequestState.DECIDED, RequestEventKind.WITHDRAWN): RequestState.WITHDRAWN,
}
"""The only steps that there are."""

LIVE_STATES: Final = frozenset(RequestState) - {RequestState.FULFILLED, RequestState.WITHDRAWN}
"""The states in which a request is somebody's work; a member has at most one such request."""

NUMBERED_STATES: Final = frozenset({RequestState.DECIDED, RequestState.FULFILLED})
"""The states in which a request has a card number."""

_RIGHT_OF_EVENT: Final[Mapping[RequestEventKind, Right]] = {
    RequestEventKind.DRAFTED: Right.PROPOSE,
    RequestEventKind.PROPOSED: Right.PROPOSE,
    RequestEventKind.ENDORSED: Right.ENDORSE,
    RequestEventKind.COMPILED: Right.COMPILE,
    RequestEventKind.TABLED: Right.DECIDE,
    RequestEventKind.UNTABLED: Right.DECIDE,
    RequestEventKind.DECIDED: Right.DECIDE,
    RequestEventKind.FULFILLED: Right.HAND_OVER_CARDS,
    RequestEventKind.WITHDRAWN: Right.PROPOSE,
    RequestEventKind.WITHDRAWAL_ASKED: Right.DECIDE,
}
_TAKES_BACK_A_DECISION: Final = frozenset(
    {RequestEventKind.WITHDRAWAL_ASKED, RequestEventKind.WITHDRAWN}
)
_RIGHT_TO_SEND_BACK: Final[Mapping[RequestState, Right]] = {
    RequestState.PROPOSED: Right.ENDORSE,
    RequestState.ENDORSED: Right.COMPILE,
    RequestState.COMPILED: Right.DECIDE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEvent:
    """One step of a request's time line.

    Attributes:
        at: when (aware UTC).
        account: who took it.
        kind: what happened.
        remark: the reason for sending back or withdrawing; a person's words, so it may hold personal data.
    """

    at: datetime
    account: AccountName
    kind: RequestEventKind
    remark: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRequest:
    """One request.

    Attributes:
        request_id: the register's own key.
        member_id: for whom.
        organisation_code: where the member was recorded when it was drafted: whose matter it is.
        kind: what is asked for.
        reason: why a card is made once more; ``None`` for all but a re-issue.
        ordinal: which of the member's cards it will be, 1 to 99.
        state: how far it has come.
        version: counts its steps from 1; whoever changes it says which one they saw.
        created_at: when it was drafted (aware UTC).
        card_number: what the card will show; ``None`` until it is decided.
        held_by: the instance to which it was handed over, which alone goes on with it; ``None`` where that is us.
    """

    request_id: RequestId
    member_id: MemberId
    organisation_code: OrganisationCode
    kind: RequestKind
    reason: ReissueReason | None = None
    ordinal: int
    state: RequestState = RequestState.DRAFT
    version: int = 1
    created_at: datetime
    card_number: CardNumber | None = field(default=None, repr=False)
    held_by: str | None = None

    def __post_init__(self) -> None:
        check_reason(self.kind, self.reason)
        if not 1 <= self.ordinal <= MAX_ORDINAL:
            raise IssuerDataError(
                f"the ordinal is {self.ordinal}, expected 1 to {MAX_ORDINAL}",
                code="request.ordinal",
            )

    @property
    def is_live(self) -> bool:
        """Whether it is still somebody's work."""
        return self.state in LIVE_STATES

    def after(self, kind: RequestEventKind) -> "CardRequest":
        """The request one step later.

        Raises:
            IssuerRefusedError: the step cannot happen in this state (``request.wrong-state``), or not here
                (``request.elsewhere``).
        """
        if self.held_by is not None:
            raise IssuerRefusedError(
                f"the request was handed over to instance {self.held_by}, so it cannot be {kind} here",
                code="request.elsewhere",
            )
        state = next_request_state(self.state, kind)
        return replace(
            self,
            state=state,
            version=self.version + 1,
            card_number=self.card_number if state in NUMBERED_STATES else None,
        )


def next_request_state(state: RequestState, kind: RequestEventKind) -> RequestState:
    """The state after a step.

    Raises:
        IssuerRefusedError: the step cannot happen in this state (``request.wrong-state``).
    """
    try:
        return TRANSITIONS[state, kind]
    except KeyError:
        raise IssuerRefusedError(
            f"the request is {state}, so it cannot be {kind}", code="request.wrong-state"
        ) from None


def right_for(state: RequestState, kind: RequestEventKind) -> Right:
    """What a step asks for; to send back is for whoever would take the next step.

    Raises:
        IssuerRefusedError: nobody sends back from this state (``request.wrong-state``).
    """
    if state is RequestState.DECIDED and kind in _TAKES_BACK_A_DECISION:
        return Right.DECIDE
    if kind is not RequestEventKind.SENT_BACK:
        return _RIGHT_OF_EVENT[kind]
    try:
        return _RIGHT_TO_SEND_BACK[state]
    except KeyError:
        raise IssuerRefusedError(
            f"the request is {state}, so it cannot be {kind}", code="request.wrong-state"
        ) from None


def check_reason(kind: RequestKind, reason: ReissueReason | None) -> None:
    """A re-issue says why, and nothing else does.

    Raises:
        IssuerDataError: ``request.reason``.
    """
    if (kind is RequestKind.RE_ISSUE) != (reason is not None):
        wanted = "one" if kind is RequestKind.RE_ISSUE else "none"
        raise IssuerDataError(
            f"a request for {kind} has {'no reason' if reason is None else f'reason {reason}'}, expected {wanted}",
            code="request.reason",
        )


def parse_remark(text: str) -> str:
    """The reason that a person gives for sending back or withdrawing.

    Raises:
        IssuerDataError: it is empty, too long or holds what is no text (``request.remark``).
    """
    try:
        return clean_text(text, max_bytes=MAX_REMARK_BYTES)
    except IssuerDataError as error:
        raise IssuerDataError(f"the reason: {error}", code="request.remark") from error


def parse_request_id(text: str) -> RequestId:
    """An identifier as people and programs write it.

    Raises:
        IssuerDataError: ``request.id-malformed``.
    """
    try:
        found = uuid.UUID(text)
    except ValueError as error:
        raise IssuerDataError(
            f"request identifier of {len(text)} characters, expected a UUID",
            code="request.id-malformed",
        ) from error
    return RequestId(found)


def steps_taken_by(
    account: AccountName, time_line: Sequence[RequestEvent]
) -> frozenset[RequestEventKind]:
    """Which steps of a request this person took, in any of its rounds."""
    return frozenset(each.kind for each in time_line if same_person(each.account, account))
