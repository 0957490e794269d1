"""Operations: what goes on after its answer, for whoever asked for it."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from issuer.api.cursors import CursorScope
from issuer.api.entity_tags import tagged
from issuer.api.gate import AnySession, Caller, Services
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.domain.rights import AccountName
from issuer.services.batch_operations import BATCH
from issuer.services.decision_operations import DECISION
from issuer.services.operation_ports import (
    Operation,
    OperationId,
    OperationKind,
    OperationPosition,
    OperationState,
)

__all__ = ["OperationDocument", "OperationPageDocument", "operation_page", "operation_router"]

operation_router = APIRouter(prefix="/v1/operations", tags=["operations"])

_LOOK_SECONDS: Final = 0.4
_LOOKS: Final = 1500
_LOOKS_WITHOUT_WORD: Final = 30

_PLACES: Final = {DECISION: "/v1/decisions", BATCH: "/v1/batches"}
"""Where that is found which an operation works on, by the name of its input."""

OwnOperations = Annotated[
    Caller, Depends(AnySession("everybody sees the operations that they began, and no others"))
]
OperationIdPath = Annotated[
    uuid.UUID,
    Path(description="The operation.", examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"]),
]


class OperationDocument(BaseModel):
    """Work that goes on after the answer to whoever asked for it."""

    id: str = Field(examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
    kind: OperationKind
    state: OperationState
    done: int = Field(ge=0, examples=[1200])
    total: int | None = Field(default=None, description="Absent until it is known.")
    counts: dict[str, int] = Field(
        default_factory=dict, examples=[{"taken": 298, "already-present": 0, "refused": 2}]
    )
    about: str | None = Field(
        default=None,
        description="The address of what it works on.",
        examples=["/v1/decisions/6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"],
    )
    code: str | None = Field(default=None, description="Why it failed.")
    detail: str | None = None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, operation: Operation) -> "OperationDocument":
        """The document of an operation."""
        about = next(
            (
                f"{place}/{operation.inputs[name]}"
                for name, place in _PLACES.items()
                if name in operation.inputs
            ),
            None,
        )
        return cls(
            id=str(operation.operation_id),
            about=about,
            kind=operation.kind,
            state=operation.state,
            done=operation.done,
            total=operation.total,
            counts=dict(operation.counts),
            code=operation.code,
            detail=operation.sentence,
            created_at=operation.created_at,
            changed_at=operation.changed_at,
        )


class OperationPageDocument(BaseModel):
    """Operations, newest first."""

    operations: list[OperationDocument]
    next: str | None = None


def operation_page(
    caller: Caller, services: ApiServices, query: ListQuery
) -> OperationPageDocument:
    """A page of the caller's operations.

    Raises:
        ApiError: ``api.cursor-invalid``.
    """
    account = caller.actor.account
    scope = CursorScope(listing="operations", account=account)
    behind = None
    if query.cursor is not None:
        time, _, number = services.cursors.open(query.cursor, scope).decode().partition(" ")
        behind = OperationPosition(
            created_at=datetime.fromisoformat(time), operation_id=OperationId(uuid.UUID(number))
        )
    page = services.operations.page(account=account, limit=query.limit, behind=behind)
    cursor = None
    if page.end is not None:
        position = f"{page.end.created_at.isoformat()} {page.end.operation_id}"
        cursor = services.cursors.seal(position.encode(), scope)
    return OperationPageDocument(
        operations=[OperationDocument.of(each) for each in page.operations], next=cursor
    )


@operation_router.get("", summary="List one's own operations, newest first")
def list_operations(
    query: Annotated[ListQuery, Query()], services: Services, caller: OwnOperations
) -> OperationPageDocument:
    """A page of operations."""
    return operation_page(caller, services, query)


@operation_router.get(
    "/{operation_id}", summary="Show an operation", response_model=OperationDocument
)
def show_operation(
    operation_id: OperationIdPath, request: Request, services: Services, caller: OwnOperations
) -> Response:
    """How far it is, or how it ended."""
    found = services.operations.show(OperationId(operation_id), account=caller.actor.account)
    return tagged(request, OperationDocument.of(found))


@operation_router.get(
    "/{operation_id}/events",
    summary="Follow an operation (server-sent events)",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events `progress` and, as the last one, `end`; each holds the operation.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
def follow_operation(
    operation_id: OperationIdPath, services: Services, caller: OwnOperations
) -> StreamingResponse:
    """The stream ends with the operation; where it breaks off, the client simply comes again."""
    number, account = OperationId(operation_id), caller.actor.account
    first = services.operations.show(number, account=account)
    return StreamingResponse(
        _events(services, number, account, first),
        media_type="text/event-stream",
        # nginx would keep events back until its buffer is full.
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    services: ApiServices, number: OperationId, account: AccountName, found: Operation
) -> AsyncIterator[str]:
    told: Operation | None = None
    silent = 0
    for _ in range(_LOOKS):
        if found != told:
            name = "end" if found.state.is_final else "progress"
            yield f"event: {name}\ndata: {OperationDocument.of(found).model_dump_json()}\n\n"
            told, silent = found, 0
        elif silent >= _LOOKS_WITHOUT_WORD:
            yield ": still here\n\n"
            silent = 0
        if found.state.is_final:
            return
        await asyncio.sleep(_LOOK_SECONDS)
        silent += 1
        found = await asyncio.to_thread(services.operations.show, number, account=account)
