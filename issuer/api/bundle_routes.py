"""Bundles over HTTP: another register or a member database hands one in; conflicts are shown and settled."""

import uuid
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from issuer.api.bundle_acts import BUNDLE_FIELD, take_bundle_once
from issuer.api.bundle_documents import (
    BundleDocument,
    BundleListQuery,
    BundlesDocument,
    ChoiceDocument,
    ConflictDocument,
    ConflictsDocument,
    ConflictViewDocument,
    SettledDocument,
)
from issuer.api.cursors import CursorScope
from issuer.api.gate import Caller, Demand, Services
from issuer.api.once import KeyHeader, answer_of
from issuer.api.operation_routes import OperationDocument
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.api.upload_forms import form_of
from issuer.domain.bundle import ConflictId
from issuer.domain.instances import InstanceName
from issuer.domain.rights import Right
from issuer.errors import IssuerRefusedError
from issuer.services.bundle_ports import BundlePosition, ConflictPosition, Direction
from issuer.services.exchange_desk import ExchangeDesk
from issuer.services.upload_ports import UploadedFile

__all__ = [
    "ConflictPath",
    "Exchanger",
    "bundle_page",
    "bundle_router",
    "conflict_page",
    "exchange_desk",
]

bundle_router = APIRouter(prefix="/v1", tags=["bundles"])

_FORM: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [BUNDLE_FIELD],
                    "properties": {BUNDLE_FIELD: {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}

Exchanger = Annotated[Caller, Depends(Demand(Right.EXCHANGE_BUNDLES))]
ConflictPath = Annotated[
    uuid.UUID, Path(description="The conflict.", examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
]


def exchange_desk(services: ApiServices) -> ExchangeDesk:
    """The desk.

    Raises:
        IssuerRefusedError: this register has no name or certificates among instances
            (``exchange.not-installed``).
    """
    if services.exchange is None:
        raise IssuerRefusedError(
            "this register exchanges no bundles", code="exchange.not-installed"
        )
    return services.exchange


def bundle_page(caller: Caller, services: ApiServices, query: BundleListQuery) -> BundlesDocument:
    """A page of bundles that were made and taken.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerRefusedError: ``exchange.not-installed``.
    """
    desk = exchange_desk(services)
    scope = CursorScope(
        listing="bundles", account=caller.actor.account, selection={"instance": query.instance}
    )
    behind = None
    if query.cursor is not None:
        at, name, way, number = services.cursors.open(query.cursor, scope).decode().split(" ")
        behind = BundlePosition(
            at=datetime.fromisoformat(at),
            instance=InstanceName(name),
            direction=Direction(way),
            sequence=int(number),
        )
    page = desk.looking.bundles(
        actor=caller.actor,
        limit=query.limit,
        behind=behind,
        name=None if query.instance is None else InstanceName(query.instance),
    )
    cursor = None
    if page.end is not None:
        end = page.end
        text = f"{end.at.isoformat()} {end.instance} {end.direction} {end.sequence}"
        cursor = services.cursors.seal(text.encode(), scope)
    return BundlesDocument(bundles=[BundleDocument.of(each) for each in page.bundles], next=cursor)


def conflict_page(caller: Caller, services: ApiServices, query: ListQuery) -> ConflictsDocument:
    """A page of conflicts that wait for a person.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerRefusedError: ``exchange.not-installed``.
    """
    desk = exchange_desk(services)
    scope = CursorScope(listing="conflicts", account=caller.actor.account)
    behind = None
    if query.cursor is not None:
        at, _, number = services.cursors.open(query.cursor, scope).decode().partition(" ")
        behind = ConflictPosition(
            found_at=datetime.fromisoformat(at), conflict_id=ConflictId(uuid.UUID(number))
        )
    page = desk.waiting(actor=caller.actor, limit=query.limit, behind=behind)
    cursor = None
    if page.end is not None:
        text = f"{page.end.found_at.isoformat()} {page.end.conflict_id}"
        cursor = services.cursors.seal(text.encode(), scope)
    return ConflictsDocument(
        conflicts=[ConflictDocument.of(each) for each in page.conflicts], next=cursor
    )


@bundle_router.post(
    "/bundles",
    status_code=202,
    summary="Hand in a bundle",
    response_model=OperationDocument,
    openapi_extra=_FORM,
)
async def take_bundle(
    caller: Exchanger, services: Services, request: Request, key: KeyHeader
) -> Response:
    """Answered with an operation as soon as the file is kept; its counts are the report.

    A bundle is taken once, in order, whole or not at all: the same file again, under whatever key, is an operation
    that finds it taken and changes nothing.
    """
    exchange_desk(services)
    async with form_of(request, max_files=1, max_fields=0) as form:
        files = [each for each in form.values() if isinstance(each, UploadFile)]
        if len(files) != 1 or list(form) != [BUNDLE_FIELD]:
            raise ApiError(
                f"got {len(files)} files, expected one: {BUNDLE_FIELD}", code="api.request-invalid"
            )
        file = UploadedFile(name=BUNDLE_FIELD, content=files[0].file)
        kept = await run_in_threadpool(take_bundle_once, services, caller, file, key=key)
    return answer_of(kept)


@bundle_router.get("/bundles", summary="Bundles made and taken")
def list_bundles(
    caller: Exchanger, services: Services, query: Annotated[BundleListQuery, Query()]
) -> BundlesDocument:
    """Counts and digests, nobody's data; those of one's own part of the tree."""
    return bundle_page(caller, services, query)


@bundle_router.get("/conflicts", summary="Conflicts with other instances")
def list_conflicts(
    caller: Exchanger, services: Services, query: Annotated[ListQuery, Query()]
) -> ConflictsDocument:
    """Those of one's own part of the tree that wait for a person."""
    return conflict_page(caller, services, query)


@bundle_router.get("/conflicts/{conflict}", summary="Show a conflict side by side")
def show_conflict(
    caller: Exchanger, services: Services, conflict: ConflictPath
) -> ConflictViewDocument:
    """What they state and what this register has; the audit trail keeps that somebody looked."""
    view = exchange_desk(services).weighing.look(ConflictId(conflict), actor=caller.actor)
    return ConflictViewDocument.of(view)


@bundle_router.post("/conflicts/{conflict}", summary="Settle a conflict")
def settle_conflict(
    caller: Exchanger, services: Services, conflict: ConflictPath, content: ChoiceDocument
) -> SettledDocument:
    """Say whose statement is true; a conflict is settled once."""
    settled = exchange_desk(services).settle(
        ConflictId(conflict), content.choice, reason=content.reason, actor=caller.actor
    )
    return SettledDocument(
        id=str(conflict),
        state=settled.conflict.state,
        requests_taken=settled.requests_taken,
    )
