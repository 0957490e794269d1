"""What batches could be opened for: decisions whose cards wait, and the committees that could receive them."""

import uuid
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from issuer.api.batch_act_routes import BatchFreezer
from issuer.api.cursors import CursorScope
from issuer.api.gate import Caller, Services
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.domain.decisions import DecisionId
from issuer.services.opening_ports import MOST_WAITING

__all__ = ["opening_router"]

opening_router = APIRouter(prefix="/v1/batches/openings", tags=["batches"])


class OpeningListQuery(ListQuery):
    """Which decisions."""

    text: str = Field(default="", max_length=80, description="A piece of the decision's number.")


class ReceiverQuery(BaseModel):
    """Which committees."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(default="", max_length=80, description="A piece of the name or the code.")


class OpeningDocument(BaseModel):
    """A confirmed decision, and how many of its cards wait for a batch."""

    decision: str = Field(examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
    number: str = Field(examples=["12-QĐ/TU"])
    decided_on: date
    committee: str = Field(examples=["P-01"])
    committee_name: str
    waiting: int = Field(
        ge=0, le=MOST_WAITING, description=f"{MOST_WAITING} says that there are more."
    )


class OpeningPageDocument(BaseModel):
    """Decisions, the newest first."""

    decisions: list[OpeningDocument]
    next: str | None = None


class ReceiverDocument(BaseModel):
    """A committee that could receive a batch; its count holds those below it."""

    code: str = Field(examples=["P-01"])
    name: str
    depth: int = Field(ge=0, description="How many levels it is below the first one.")
    waiting: int = Field(ge=0)


class ReceiverListDocument(BaseModel):
    """Committees, from the top down."""

    receivers: list[ReceiverDocument]
    left_out: int = Field(ge=0, description="So many more: ask for a piece of the name.")


def opening_page(
    caller: Caller, services: ApiServices, query: OpeningListQuery
) -> OpeningPageDocument:
    """A page of decisions.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerRefusedError: ``right.missing``.
    """
    scope = CursorScope(
        listing="openings", account=caller.actor.account, selection={"text": query.text}
    )
    behind = None
    if query.cursor is not None:
        behind = DecisionId(uuid.UUID(bytes=services.cursors.open(query.cursor, scope)))
    found = services.batches.opening.decisions(
        actor=caller.actor, limit=query.limit, text=query.text, behind=behind
    )
    return OpeningPageDocument(
        decisions=[
            OpeningDocument(
                decision=str(each.decision.decision_id),
                number=each.decision.number,
                decided_on=each.decision.decided_on,
                committee=each.decision.committee,
                committee_name=each.committee_name,
                waiting=each.waiting,
            )
            for each in found.decisions
        ],
        next=None if found.end is None else services.cursors.seal(found.end.bytes, scope),
    )


@opening_router.get("", summary="List the decisions whose cards wait for a batch")
def list_openings(
    query: Annotated[OpeningListQuery, Query()], services: Services, caller: BatchFreezer
) -> OpeningPageDocument:
    """Those that reach into the caller's part of the tree."""
    return opening_page(caller, services, query)


@opening_router.get("/{decision_id}", summary="List the committees that could receive a batch")
def list_receivers(
    decision_id: Annotated[uuid.UUID, Path(examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])],
    query: Annotated[ReceiverQuery, Query()],
    services: Services,
    caller: BatchFreezer,
) -> ReceiverListDocument:
    """Those under which members wait for a card by this decision."""
    found = services.batches.opening.receivers(
        DecisionId(decision_id), actor=caller.actor, text=query.text
    )
    return ReceiverListDocument(
        receivers=[
            ReceiverDocument(code=each.code, name=each.name, depth=each.depth, waiting=each.waiting)
            for each in found.receivers
        ],
        left_out=found.left_out,
    )
