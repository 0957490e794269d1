"""Batches of cards: which there are, how far each has come, and its papers."""

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from issuer.api.cursors import CursorScope
from issuer.api.entity_tags import tagged
from issuer.api.gate import Caller, Demand, Services
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.domain.batch import BatchEventKind, BatchId, BatchState
from issuer.domain.rights import Right
from issuer.services.batch_ports import BatchPosition
from issuer.services.read_batches import BatchView

__all__ = [
    "BatchDocument",
    "BatchIdPath",
    "BatchListQuery",
    "BatchPageDocument",
    "CardReader",
    "batch_page",
    "batch_router",
    "shown_batch",
]

batch_router = APIRouter(prefix="/v1/batches", tags=["batches"])

CardReader = Annotated[Caller, Depends(Demand(Right.READ_CARDS))]
BatchIdPath = Annotated[uuid.UUID, Path(examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])]


class BatchListQuery(ListQuery):
    """Which batches."""

    state: BatchState | None = None


class BatchEventDocument(BaseModel):
    """One step of the time line."""

    at: datetime
    account: str
    kind: BatchEventKind
    count: int | None = None


class BatchDocument(BaseModel):
    """One batch; its time line where it was asked for alone."""

    id: str
    name: str = Field(description="What stands on its papers.", examples=["6B0F1C5E"])
    receiver: str = Field(examples=["P-01"])
    receiver_name: str
    decision: str
    decision_number: str
    follow_up_of: str | None = Field(
        default=None, description="The batch whose condemned cards it makes anew."
    )
    state: BatchState
    requests: int = Field(ge=0)
    unfinished: int = Field(ge=0, description="Cards that no station has finished yet.")
    to_control: int = Field(ge=0, description="Finished cards that nobody has passed yet.")
    passed: int = Field(ge=0)
    boxed: int = Field(ge=0)
    left_out: int = Field(ge=0, description="Passed cards that lie in no box.")
    received: int = Field(ge=0)
    handed_over: int = Field(ge=0)
    condemned: int = Field(ge=0)
    created_by: str
    created_at: datetime
    proposed_by: str | None = None
    proof: str | None = Field(default=None, description="The digest of the proof (hexadecimal).")
    proof_cards: int | None = Field(default=None, description="How many cards it covers.")
    confirmed_by: str | None = None
    carrier: str | None = None
    waiting: int | None = Field(default=None, description="How many more could go into it.")
    events: list[BatchEventDocument] | None = None

    @classmethod
    def of(cls, view: BatchView) -> "BatchDocument":
        """The document of a batch."""
        batch, tally, proposal = view.batch, view.tally, view.batch.proposal
        return cls(
            id=str(batch.batch_id),
            name=batch.short_name,
            receiver=batch.receiver,
            receiver_name=view.receiver_name,
            decision=str(batch.decision_id),
            decision_number=view.decision_number,
            follow_up_of=None if batch.follow_up_of is None else str(batch.follow_up_of),
            state=batch.state,
            requests=tally.requests,
            unfinished=tally.bound + tally.signed,
            to_control=tally.issued,
            passed=tally.passed,
            boxed=tally.boxed,
            left_out=tally.left_out,
            received=tally.received,
            handed_over=tally.handed_over,
            condemned=tally.condemned,
            created_by=batch.created_by,
            created_at=batch.created_at,
            proposed_by=None if proposal is None else proposal.proposed_by,
            proof=None if proposal is None else proposal.proof.hex(),
            proof_cards=None if proposal is None else proposal.cards,
            confirmed_by=None if proposal is None else proposal.confirmed_by,
            carrier=batch.carrier,
            waiting=view.waiting,
            events=[
                BatchEventDocument(
                    at=each.at, account=each.account, kind=each.kind, count=each.count
                )
                for each in view.events
            ]
            or None,
        )


class BatchPageDocument(BaseModel):
    """Batches, the newest first."""

    batches: list[BatchDocument]
    next: str | None = None


def batch_page(caller: Caller, services: ApiServices, query: BatchListQuery) -> BatchPageDocument:
    """A page of the batches of the caller's part of the tree.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerRefusedError: ``right.missing``.
    """
    state = None if query.state is None else query.state.value
    scope = CursorScope(listing="batches", account=caller.actor.account, selection={"state": state})
    behind = None
    if query.cursor is not None:
        at, _, identifier = services.cursors.open(query.cursor, scope).decode().partition(" ")
        behind = BatchPosition(
            created_at=datetime.fromisoformat(at), batch_id=BatchId(uuid.UUID(identifier))
        )
    found = services.batches.reading.page(
        actor=caller.actor,
        limit=query.limit,
        behind=behind,
        states=None if query.state is None else (query.state,),
    )
    end = found.end
    position = None if end is None else f"{end.created_at.isoformat()} {end.batch_id}"
    return BatchPageDocument(
        batches=[BatchDocument.of(each) for each in found.batches],
        next=None if position is None else services.cursors.seal(position.encode(), scope),
    )


def shown_batch(caller: Caller, services: ApiServices, batch_id: uuid.UUID) -> BatchDocument:
    """One batch with its time line.

    Raises:
        IssuerRefusedError: ``right.missing``, ``batch.unknown``.
    """
    return BatchDocument.of(services.batches.reading.show(BatchId(batch_id), actor=caller.actor))


@batch_router.get("", summary="List batches")
def list_batches(
    query: Annotated[BatchListQuery, Query()], services: Services, caller: CardReader
) -> BatchPageDocument:
    """The newest first."""
    return batch_page(caller, services, query)


@batch_router.get("/{batch_id}", summary="Show a batch", response_model=BatchDocument)
def show_batch(
    batch_id: BatchIdPath, request: Request, services: Services, caller: CardReader
) -> Response:
    """With its counts and its time line."""
    return tagged(request, shown_batch(caller, services, batch_id))
