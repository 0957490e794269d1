"""What the API says of decisions, and what programs ask of them."""

import uuid
from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from issuer.api.pages_of_lists import ListQuery
from issuer.api.request_documents import MAX_AT_ONCE
from issuer.domain.decisions import (
    MAX_REQUESTS_OF_DECISION,
    Decision,
    DecisionState,
    DocumentSignature,
)
from issuer.domain.requests import RequestKind, RequestState
from issuer.services.read_decisions import ShownDecision

__all__ = [
    "AddAllBody",
    "AddBody",
    "ConfirmBody",
    "DecisionDocument",
    "DecisionLineDocument",
    "DecisionListQuery",
    "DecisionPageDocument",
]


class DecisionListQuery(ListQuery):
    """Which decisions."""

    state: DecisionState | None = None
    waiting: bool = Field(
        default=False, description="Only those that others prepared and the caller may confirm."
    )


class DecisionLineDocument(BaseModel):
    """One line of a list."""

    id: str = Field(examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
    number: str = Field(examples=["12-QĐ/TU"])
    decided_on: date
    committee: str = Field(examples=["T"])
    committee_name: str
    state: DecisionState
    requests: int = Field(ge=0)
    prepared_by: str = Field(examples=["minh"])
    prepared_at: datetime
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None
    dropped_by: str | None = None

    @classmethod
    def of(cls, decision: Decision, *, committee_name: str) -> "DecisionLineDocument":
        """The document of a line."""
        return cls(
            id=str(decision.decision_id),
            number=decision.number,
            decided_on=decision.decided_on,
            committee=decision.committee,
            committee_name=committee_name,
            state=decision.state,
            requests=decision.requests,
            prepared_by=decision.prepared_by,
            prepared_at=decision.prepared_at,
            confirmed_by=decision.confirmed_by,
            confirmed_at=decision.confirmed_at,
            dropped_by=decision.dropped_by,
        )


class DecisionPageDocument(BaseModel):
    """Decisions, the newest first."""

    decisions: list[DecisionLineDocument]
    next: str | None = None


class DecisionDocument(DecisionLineDocument):
    """One decision with its document and how its requests stand."""

    version: int = Field(ge=1)
    document: str | None = Field(description="SHA-256 of the attached document.")
    signature: DocumentSignature | None = Field(
        description="What was seen of the document's electronic signature; whose it is was not judged."
    )
    states: dict[RequestState, int]
    may_add: bool
    may_confirm: bool
    may_drop: bool
    may_authorise: bool

    @classmethod
    def of_shown(cls, shown: ShownDecision, *, committee_name: str) -> "DecisionDocument":
        """The document of a decision."""
        decision = shown.decision
        line = DecisionLineDocument.of(decision, committee_name=committee_name)
        attached = decision.document
        return cls(
            **line.model_dump(),
            version=decision.version,
            document=None if attached is None else attached.digest.hex(),
            signature=None if attached is None else attached.signature,
            states=dict(sorted(shown.states.items())),
            may_add=shown.may_add,
            may_confirm=shown.may_confirm,
            may_drop=shown.may_drop,
            may_authorise=shown.may_authorise,
        )


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AddBody(_Body):
    """Compiled requests for a decision."""

    requests: Annotated[list[uuid.UUID], Field(min_length=1, max_length=MAX_AT_ONCE)]


class AddAllBody(_Body):
    """Every compiled request on which the committee decides."""

    kind: RequestKind | None = None


class ConfirmBody(_Body):
    """How many requests the decision holds, as whoever confirms it saw it."""

    requests: int = Field(ge=1, le=MAX_REQUESTS_OF_DECISION)
