"""What the API says of requests, and what programs ask of them."""

import enum
import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from issuer.api.pages_of_lists import ListQuery
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import (
    MAX_ORDINAL,
    MAX_REMARK_BYTES,
    ReissueReason,
    RequestEvent,
    RequestEventKind,
    RequestKind,
    RequestState,
)
from issuer.services.read_requests import RequestLine, ShownRequest
from issuer.services.request_outcome import RequestOutcome

__all__ = [
    "MAX_AT_ONCE",
    "STEP_OF_EVENT",
    "DraftAllBody",
    "DraftBody",
    "EligibilityDocument",
    "FindingOfRule",
    "OneStepBody",
    "OutcomesDocument",
    "RequestDocument",
    "RequestLineDocument",
    "RequestListQuery",
    "RequestPageDocument",
    "StepAllBody",
    "StepBody",
    "StepForAll",
    "StepName",
    "WaitingStep",
]

MAX_AT_ONCE: Final = 200
"""How many requests one request of the API names; more are an operation."""


class StepName(enum.StrEnum):
    """A step, as people and programs ask for it."""

    PROPOSE = "propose"
    ENDORSE = "endorse"
    COMPILE = "compile"
    SEND_BACK = "send-back"
    WITHDRAW = "withdraw"

    @property
    def event(self) -> RequestEventKind:
        """What stands in the time line when it was taken."""
        return _EVENTS[self]


_EVENTS: Final[Mapping[StepName, RequestEventKind]] = {
    StepName.PROPOSE: RequestEventKind.PROPOSED,
    StepName.ENDORSE: RequestEventKind.ENDORSED,
    StepName.COMPILE: RequestEventKind.COMPILED,
    StepName.SEND_BACK: RequestEventKind.SENT_BACK,
    StepName.WITHDRAW: RequestEventKind.WITHDRAWN,
}
STEP_OF_EVENT: Final = {event: step for step, event in _EVENTS.items()}


class StepForAll(enum.StrEnum):
    """A step that may be taken with everything that waits for it."""

    PROPOSE = "propose"
    ENDORSE = "endorse"
    COMPILE = "compile"

    @property
    def event(self) -> RequestEventKind:
        """What stands in the time line when it was taken."""
        return _EVENTS[StepName(self.value)]


class WaitingStep(enum.StrEnum):
    """What requests wait for, and the caller may do."""

    PROPOSE = "propose"
    ENDORSE = "endorse"
    COMPILE = "compile"
    DECIDE = "decide"

    @property
    def event(self) -> RequestEventKind:
        """The step."""
        return RequestEventKind.TABLED if self is self.DECIDE else _EVENTS[StepName(self.value)]


class RequestListQuery(ListQuery):
    """Which requests."""

    waiting: WaitingStep | None = Field(
        default=None,
        description="Only those that wait for this step, and for the caller to take it.",
    )
    state: RequestState | None = None
    kind: RequestKind | None = None
    organisation: str | None = Field(
        default=None,
        max_length=32,
        description="Of this organisation, or of any below it.",
        examples=["P-01"],
    )
    member: uuid.UUID | None = Field(default=None, description="For this member.")
    decision: uuid.UUID | None = Field(default=None, description="Standing in this decision.")


class RequestLineDocument(BaseModel):
    """One line of a list."""

    id: str = Field(examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
    member: str = Field(examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
    full_name: str | None = Field(examples=["Đỗ Thị Đào"])
    birth_date: date | None
    organisation: str = Field(examples=["P-01"])
    organisation_name: str
    kind: RequestKind
    reason: ReissueReason | None
    ordinal: int = Field(ge=1, le=MAX_ORDINAL)
    state: RequestState
    version: int = Field(ge=1)
    created_at: datetime
    card_number: str | None = Field(examples=["98.000123"])

    @classmethod
    def of(
        cls,
        line: RequestLine,
        *,
        scheme: CardNumberScheme,
        names: Mapping[OrganisationCode, str],
    ) -> "RequestLineDocument":
        """The document of a line."""
        request, member = line.request, line.member
        number = request.card_number
        return cls(
            id=str(request.request_id),
            member=str(request.member_id),
            full_name=None if member is None else member.full_name,
            birth_date=None if member is None else member.birth_date,
            organisation=request.organisation_code,
            organisation_name=names[request.organisation_code],
            kind=request.kind,
            reason=request.reason,
            ordinal=request.ordinal,
            state=request.state,
            version=request.version,
            created_at=request.created_at,
            card_number=None if number is None else scheme.display(number),
        )


class RequestPageDocument(BaseModel):
    """Requests in the order in which they were drafted."""

    requests: list[RequestLineDocument]
    next: str | None = None


class EventDocument(BaseModel):
    """One step of a time line."""

    at: datetime
    account: str = Field(examples=["lan"])
    step: RequestEventKind
    reason: str | None = None

    @classmethod
    def of(cls, event: RequestEvent) -> "EventDocument":
        """The document of an event."""
        return cls(at=event.at, account=event.account, step=event.kind, reason=event.remark or None)


class FindingOfRule(BaseModel):
    """A rule that is not kept."""

    code: str = Field(examples=["eligibility.no-portrait"])
    detail: str


class EligibilityDocument(BaseModel):
    """Whether a member may have a card: they may where no rule is broken."""

    kind: RequestKind
    findings: list[FindingOfRule]


class RequestDocument(RequestLineDocument):
    """One request with its time line, and what the caller may do with it now."""

    time_line: list[EventDocument]
    decision: str | None = Field(description="In which it stands, or by which it came.")
    findings: list[FindingOfRule] = Field(description="The rules that are not kept today.")
    steps: list[StepName]

    @classmethod
    def of_shown(
        cls,
        shown: ShownRequest,
        *,
        scheme: CardNumberScheme,
        names: Mapping[OrganisationCode, str],
    ) -> "RequestDocument":
        """The document of a request."""
        line = RequestLineDocument.of(shown.line, scheme=scheme, names=names)
        return cls(
            **line.model_dump(),
            time_line=[EventDocument.of(each) for each in shown.time_line],
            decision=None if shown.decision is None else str(shown.decision.decision_id),
            findings=[
                FindingOfRule(code=each.code, detail=each.sentence) for each in shown.findings
            ],
            steps=[step for step in StepName if step.event in shown.steps],
        )


class OutcomeDocument(BaseModel):
    """What became of one request of many."""

    request: str | None = None
    member: str | None = None
    state: RequestState | None = None
    changed: bool
    code: str | None = Field(default=None, description="Why it did not go on.")
    detail: str | None = None
    hint: str | None = None

    @classmethod
    def of(cls, outcome: RequestOutcome) -> "OutcomeDocument":
        """The document of an outcome."""
        return cls(
            request=None if outcome.request_id is None else str(outcome.request_id),
            member=None if outcome.member_id is None else str(outcome.member_id),
            state=outcome.state,
            changed=outcome.is_changed,
            code=outcome.code,
            detail=outcome.sentence or None,
            hint=outcome.hint,
        )


class OutcomesDocument(BaseModel):
    """What became of requests, one outcome for each."""

    changed: int = Field(ge=0)
    unchanged: int = Field(ge=0)
    refused: int = Field(ge=0)
    outcomes: list[OutcomeDocument]

    @classmethod
    def of(cls, outcomes: list[RequestOutcome]) -> "OutcomesDocument":
        """The document of outcomes."""
        refused = sum(each.code is not None for each in outcomes)
        changed = sum(each.is_changed for each in outcomes)
        return cls(
            changed=changed,
            unchanged=len(outcomes) - refused - changed,
            refused=refused,
            outcomes=[OutcomeDocument.of(each) for each in outcomes],
        )


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


_Members = Annotated[list[uuid.UUID], Field(min_length=1, max_length=MAX_AT_ONCE)]


class DraftAllBody(_Body):
    """A request for everybody who may have it."""

    kind: RequestKind
    reason: ReissueReason | None = Field(default=None, description="With a re-issue.")
    organisation: str | None = Field(
        default=None, max_length=32, description="There and below.", examples=["P-01"]
    )


class DraftBody(_Body):
    """A request for each of these members."""

    kind: RequestKind
    reason: ReissueReason | None = Field(default=None, description="With a re-issue.")
    ordinal: int | None = Field(
        default=None,
        ge=1,
        le=MAX_ORDINAL,
        description="Which of the member's cards it is; counted where it is not given.",
    )
    members: _Members


class _Wanted(_Body):
    id: uuid.UUID
    version: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="As it was read; another one is refused."
    )


class StepBody(_Body):
    """A step with each of these requests; a reason goes with sending back and withdrawing."""

    step: StepName
    reason: str | None = Field(default=None, max_length=MAX_REMARK_BYTES)
    requests: list[_Wanted] = Field(min_length=1, max_length=MAX_AT_ONCE)


class OneStepBody(_Body):
    """A step with one request."""

    step: StepName
    reason: str | None = Field(default=None, max_length=MAX_REMARK_BYTES)


class StepAllBody(_Body):
    """A step with everything that waits for it and for the caller."""

    step: StepForAll
    kind: RequestKind | None = None
    organisation: str | None = Field(
        default=None, max_length=32, description="There and below.", examples=["P-01"]
    )
