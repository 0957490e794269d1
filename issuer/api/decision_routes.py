"""Decisions: lists, one with its document, preparing with the signed document, confirming by a second person."""

import contextlib
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from issuer.api.cursors import CursorScope
from issuer.api.decision_documents import (
    AddAllBody,
    AddBody,
    ConfirmBody,
    DecisionDocument,
    DecisionLineDocument,
    DecisionListQuery,
    DecisionPageDocument,
)
from issuer.api.entity_tags import MatchHeader, require_match, tagged
from issuer.api.gate import Caller, Demand, Services
from issuer.api.once import KeyHeader, Receipt, answer_of, carry_out_once, mark_of
from issuer.api.operation_routes import OperationDocument
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.api.request_documents import OutcomesDocument
from issuer.api.request_routes import RequestReader, operation_receipt
from issuer.api.upload_forms import form_of
from issuer.domain.calendar_date import parse_date
from issuer.domain.decisions import DecisionId, parse_decision_number
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.requests import RequestId, RequestKind
from issuer.domain.rights import Right
from issuer.domain.signed_document import MAX_DOCUMENT_BYTES
from issuer.errors import IssuerDataError
from issuer.services.operation_ports import KeptAnswer
from issuer.services.prepare_decisions import DecisionDraft

__all__ = [
    "Decider",
    "DecisionIdPath",
    "add_all_once",
    "add_once",
    "confirm_once",
    "decision_page",
    "decision_router",
    "document_response",
    "drop_once",
    "prepare_once",
    "prepared_form",
    "shown_decision",
]

decision_router = APIRouter(prefix="/v1/decisions", tags=["decisions"])

Decider = Annotated[Caller, Depends(Demand(Right.DECIDE))]
DecisionIdPath = Annotated[
    uuid.UUID, Path(description="The decision.", examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
]
_FILES: Final = "multipart/form-data"
_FIELDS: Final = frozenset({"number", "decided_on", "committee"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedForm:
    """What came in to prepare a decision; ``more`` are fields of the console's own form."""

    draft: DecisionDraft
    more: dict[str, str]


@contextlib.asynccontextmanager
async def prepared_form(request: Request) -> AsyncIterator[PreparedForm]:
    """The decision's words and its document.

    Raises:
        ApiError: ``api.media-type``, ``api.body-malformed``, ``api.request-invalid``.
        IssuerDataError: ``decision.number-malformed``, ``date.*``, ``organisation.code-malformed``.
    """
    async with form_of(request, max_files=1, max_fields=8) as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        files = [each for each in form.getlist("document") if isinstance(each, UploadFile)]
        missing = sorted(_FIELDS - set(fields))
        if missing or len(files) != 1:
            raise ApiError(
                f"got {len(files)} documents, expected one, and {', '.join(missing) or 'nothing'} missing",
                code="api.request-invalid",
            )
        yield PreparedForm(
            draft=DecisionDraft(
                number=parse_decision_number(fields["number"].strip()),
                decided_on=_day(fields["decided_on"]),
                committee=parse_organisation_code(fields["committee"].strip()),
                # One byte more than is taken tells that there is too much.
                document=await files[0].read(MAX_DOCUMENT_BYTES + 1),
            ),
            more={name: value for name, value in fields.items() if name not in _FIELDS},
        )


def decision_page(
    caller: Caller, services: ApiServices, query: DecisionListQuery
) -> DecisionPageDocument:
    """A page of the decisions that the caller may see.

    Raises:
        ApiError: ``api.cursor-invalid``.
    """
    scope = CursorScope(
        listing="decisions",
        account=caller.actor.account,
        selection={"state": query.state, "waiting": str(query.waiting)},
    )
    behind = None
    if query.cursor is not None:
        behind = DecisionId(uuid.UUID(bytes=services.cursors.open(query.cursor, scope)))
    found = services.requests.reading_decisions.page(
        actor=caller.actor,
        limit=query.limit + 1,
        behind=behind,
        state=query.state,
        is_waiting=query.waiting,
    )
    shown = found[: query.limit]
    names = services.organisations.names([each.committee for each in shown])
    cursor = None
    if len(found) > query.limit:
        cursor = services.cursors.seal(shown[-1].decision_id.bytes, scope)
    return DecisionPageDocument(
        decisions=[
            DecisionLineDocument.of(each, committee_name=names[each.committee]) for each in shown
        ],
        next=cursor,
    )


def shown_decision(
    caller: Caller, services: ApiServices, decision_id: uuid.UUID
) -> DecisionDocument:
    """One decision.

    Raises:
        IssuerRefusedError: there is none in the caller's part of the tree (``decision.unknown``).
    """
    shown = services.requests.reading_decisions.show(DecisionId(decision_id), actor=caller.actor)
    names = services.organisations.names([shown.decision.committee])
    return DecisionDocument.of_shown(shown, committee_name=names[shown.decision.committee])


def document_response(caller: Caller, services: ApiServices, decision_id: uuid.UUID) -> Response:
    """The attached document as a file."""
    content = services.requests.reading_decisions.document(
        DecisionId(decision_id), actor=caller.actor
    )
    return Response(
        content,
        media_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="decision-{decision_id}.pdf"'},
    )


def prepare_once(
    services: ApiServices, caller: Caller, draft: DecisionDraft, *, key: str
) -> KeptAnswer:
    """Keep a decision with its document; the same under the same key is kept once.

    Raises:
        IssuerDataError: ``document.*``, ``organisation.unknown``.
        IssuerRefusedError: ``idempotency.*``, ``right.*``.
        ConflictError: ``decision.number-used``.
    """
    digest = hashlib.sha256(draft.document).hexdigest()
    content = f"{draft.number}\n{draft.decided_on}\n{draft.committee}\n{digest}".encode()
    mark = mark_of(caller.actor.account, key, what="POST /v1/decisions", content=content)

    def act() -> Receipt:
        decision, _ = services.requests.preparing.prepare(draft, (), actor=caller.actor)
        return Receipt(
            status=201,
            location=f"/v1/decisions/{decision.decision_id}",
            document=shown_decision(caller, services, decision.decision_id),
        )

    return carry_out_once(services, mark, act)


def add_once(
    services: ApiServices, caller: Caller, decision_id: uuid.UUID, body: AddBody, *, key: str
) -> KeptAnswer:
    """Put named requests into a decision; the same under the same key is done once.

    Raises:
        IssuerRefusedError: ``idempotency.*``, ``right.*``, ``decision.*``.
    """
    what = f"POST /v1/decisions/{decision_id}/requests"
    content = body.model_dump_json().encode()
    mark = mark_of(caller.actor.account, key, what=what, content=content)

    def act() -> Receipt:
        wanted = [RequestId(each) for each in body.requests]
        adding = services.requests.preparing
        outcomes = list(adding.add(DecisionId(decision_id), wanted, actor=caller.actor))
        return Receipt(
            status=200,
            location=f"/v1/decisions/{decision_id}",
            document=OutcomesDocument.of(outcomes),
        )

    return carry_out_once(services, mark, act)


def add_all_once(
    services: ApiServices,
    caller: Caller,
    decision_id: uuid.UUID,
    kind: RequestKind | None,
    *,
    key: str,
) -> KeptAnswer:
    """Have everything compiled put into a decision; the same under the same key is begun once.

    Raises:
        IssuerRefusedError: ``idempotency.*``, ``right.*``, ``decision.*``.
    """
    what = f"POST /v1/decisions/{decision_id}/requests-for-all"
    mark = mark_of(caller.actor.account, key, what=what, content=str(kind).encode())

    def act() -> Receipt:
        number = DecisionId(decision_id)
        return operation_receipt(
            services.decision_operations.table_all(number, kind=kind, actor=caller.actor)
        )

    return carry_out_once(services, mark, act)


def confirm_once(
    services: ApiServices,
    caller: Caller,
    decision_id: uuid.UUID,
    requests: int,
    *,
    key: str,
    precondition: Callable[[], None] | None = None,
) -> KeptAnswer:
    """Confirm a decision as it was seen; the same under the same key is confirmed once; ``precondition`` is asked first.

    Raises:
        IssuerRefusedError: ``idempotency.*``, ``right.*``, ``decision.*``, ``request.same-hands``,
            ``document.*``, ``numbers.exhausted``.
        ConflictError: ``decision.changed-meanwhile``.
    """
    what = f"POST /v1/decisions/{decision_id}/confirmation"
    mark = mark_of(caller.actor.account, key, what=what, content=str(requests).encode())

    def act() -> Receipt:
        if precondition is not None:
            precondition()
        return operation_receipt(
            services.decision_operations.confirm(
                DecisionId(decision_id), requests=requests, actor=caller.actor
            )
        )

    return carry_out_once(services, mark, act)


def drop_once(
    services: ApiServices,
    caller: Caller,
    decision_id: uuid.UUID,
    *,
    key: str,
    precondition: Callable[[], None] | None = None,
) -> KeptAnswer:
    """Give a decision up; the same under the same key is done once; ``precondition`` is asked first.

    Raises:
        IssuerRefusedError: ``idempotency.*``, ``right.*``, ``decision.*``.
    """
    what = f"POST /v1/decisions/{decision_id}/dropping"
    mark = mark_of(caller.actor.account, key, what=what, content=b"")

    def act() -> Receipt:
        if precondition is not None:
            precondition()
        number = DecisionId(decision_id)
        return operation_receipt(services.decision_operations.drop(number, actor=caller.actor))

    return carry_out_once(services, mark, act)


_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            _FILES: {
                "schema": {
                    "type": "object",
                    "required": ["number", "decided_on", "committee", "document"],
                    "properties": {
                        "number": {"type": "string", "maxLength": 64, "examples": ["12-QĐ/TU"]},
                        "decided_on": {"type": "string", "format": "date"},
                        "committee": {"type": "string", "maxLength": 32, "examples": ["T"]},
                        "document": {"type": "string", "format": "binary"},
                    },
                }
            }
        },
    }
}


@decision_router.get("", summary="List decisions, the newest first")
def list_decisions(
    query: Annotated[DecisionListQuery, Query()], services: Services, caller: RequestReader
) -> DecisionPageDocument:
    """A page of the decisions of the caller's part of the tree."""
    return decision_page(caller, services, query)


@decision_router.post(
    "",
    status_code=201,
    summary="Prepare a decision with its signed document",
    response_model=DecisionDocument,
    openapi_extra=_BODY,
)
async def prepare_decision(
    request: Request, services: Services, caller: Decider, key: KeyHeader
) -> Response:
    """The document (PDF) is kept by its digest; requests are put in by the two routes below."""
    async with prepared_form(request) as form:
        kept = await run_in_threadpool(prepare_once, services, caller, form.draft, key=key)
    return answer_of(kept)


@decision_router.get("/{decision_id}", summary="Show a decision", response_model=DecisionDocument)
def show_decision(
    decision_id: DecisionIdPath, request: Request, services: Services, caller: RequestReader
) -> Response:
    """Who prepared and confirmed it, and how its requests stand."""
    return tagged(request, shown_decision(caller, services, decision_id))


@decision_router.get(
    "/{decision_id}/document",
    summary="A decision's document",
    response_class=Response,
    responses={
        200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
def show_document(
    decision_id: DecisionIdPath, services: Services, caller: RequestReader
) -> Response:
    """As it was attached, checked against its digest."""
    return document_response(caller, services, decision_id)


@decision_router.post(
    "/{decision_id}/requests",
    summary="Put compiled requests into a decision",
    response_model=OutcomesDocument,
)
def add_requests(
    decision_id: DecisionIdPath,
    body: AddBody,
    services: Services,
    caller: Decider,
    key: KeyHeader,
) -> Response:
    """One outcome for each; whoever prepared the decision alone does so."""
    return answer_of(add_once(services, caller, decision_id, body, key=key))


@decision_router.post(
    "/{decision_id}/requests-for-all",
    status_code=202,
    summary="Put every compiled request of the committee into a decision",
    response_model=OperationDocument,
)
def add_all_requests(
    decision_id: DecisionIdPath,
    body: AddAllBody,
    services: Services,
    caller: Decider,
    key: KeyHeader,
) -> Response:
    """An operation."""
    return answer_of(add_all_once(services, caller, decision_id, body.kind, key=key))


@decision_router.post(
    "/{decision_id}/confirmation",
    status_code=202,
    summary="Confirm a decision that another person prepared",
    response_model=OperationDocument,
)
def confirm_decision(
    *,
    decision_id: DecisionIdPath,
    body: ConfirmBody,
    services: Services,
    caller: Decider,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """Confirmed when this is answered; an operation then decides its requests and gives them numbers."""

    def as_read() -> None:
        require_match(if_match, shown_decision(caller, services, decision_id))

    return answer_of(
        confirm_once(services, caller, decision_id, body.requests, key=key, precondition=as_read)
    )


@decision_router.post(
    "/{decision_id}/dropping",
    status_code=202,
    summary="Give up a decision that nobody has confirmed",
    response_model=OperationDocument,
)
def drop_decision(
    *,
    decision_id: DecisionIdPath,
    services: Services,
    caller: Decider,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """Dropped when this is answered; an operation then takes its requests out."""

    def as_read() -> None:
        require_match(if_match, shown_decision(caller, services, decision_id))

    return answer_of(drop_once(services, caller, decision_id, key=key, precondition=as_read))


def _day(text: str) -> date:
    try:
        return parse_date(text.strip())
    except IssuerDataError as error:
        raise IssuerDataError(f"the decision's date: {error}", code=error.code) from error
