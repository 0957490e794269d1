"""Requests for cards: lists, one with its time line, drafting, and steps with one, with many, or with all that wait."""

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from issuer.api.cursors import CursorScope
from issuer.api.entity_tags import MatchHeader, require_match, tagged
from issuer.api.gate import Caller, Demand, Services
from issuer.api.once import KeyHeader, Receipt, answer_of, carry_out_once, mark_of
from issuer.api.operation_routes import OperationDocument
from issuer.api.ports import ApiServices
from issuer.api.request_documents import (
    DraftAllBody,
    DraftBody,
    EligibilityDocument,
    FindingOfRule,
    OneStepBody,
    OutcomesDocument,
    RequestDocument,
    RequestLineDocument,
    RequestListQuery,
    RequestPageDocument,
    StepAllBody,
    StepBody,
    StepName,
)
from issuer.domain.decisions import DecisionId
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.requests import RequestId, RequestKind
from issuer.domain.rights import Right
from issuer.errors import IssuerRefusedError
from issuer.services.draft_requests import Wish
from issuer.services.operation_ports import KeptAnswer, Operation
from issuer.services.read_requests import RequestSelection
from issuer.services.request_ports import RequestPosition

__all__ = [
    "Drafter",
    "RequestIdPath",
    "RequestReader",
    "draft_all_once",
    "draft_once",
    "operation_receipt",
    "request_page",
    "request_router",
    "selection_of",
    "shown_request",
    "step_all_once",
    "take_step_once",
]

request_router = APIRouter(prefix="/v1", tags=["requests"])

RequestReader = Annotated[Caller, Depends(Demand(Right.READ_REQUESTS))]
Drafter = Annotated[Caller, Depends(Demand(Right.PROPOSE))]
RequestIdPath = Annotated[
    uuid.UUID, Path(description="The request.", examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
]


def code_or_none(text: str | None) -> OrganisationCode | None:
    """An organisation's code, where one was given.

    Raises:
        IssuerDataError: ``organisation.code-malformed``.
    """
    stripped = (text or "").strip()
    return parse_organisation_code(stripped) if stripped else None


def selection_of(query: RequestListQuery) -> RequestSelection:
    """Which requests a query asks for.

    Raises:
        IssuerDataError: ``organisation.code-malformed``.
    """
    return RequestSelection(
        states=None if query.state is None else {query.state},
        kind=query.kind,
        root=code_or_none(query.organisation),
        member_id=None if query.member is None else MemberId(query.member),
        decision_id=None if query.decision is None else DecisionId(query.decision),
        waiting_for=None if query.waiting is None else query.waiting.event,
    )


def request_page(
    caller: Caller, services: ApiServices, query: RequestListQuery
) -> RequestPageDocument:
    """A page of the requests that the caller may see.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerDataError: ``organisation.code-malformed``, ``organisation.unknown``.
        IssuerRefusedError: the organisation is not in the caller's part of the tree (``right.missing``).
    """
    scope = CursorScope(
        listing="requests",
        account=caller.actor.account,
        selection={
            name: None if value is None else str(value)
            for name, value in query.model_dump(exclude={"cursor", "limit"}).items()
        },
    )
    behind = None
    if query.cursor is not None:
        time, _, number = services.cursors.open(query.cursor, scope).decode().partition(" ")
        behind = RequestPosition(datetime.fromisoformat(time), RequestId(uuid.UUID(number)))
    found = services.requests.reading.page(
        selection_of(query), actor=caller.actor, limit=query.limit, behind=behind
    )
    names = services.organisations.names([each.request.organisation_code for each in found.lines])
    cursor = None
    if found.end is not None:
        position = f"{found.end.created_at.isoformat()} {found.end.request_id}"
        cursor = services.cursors.seal(position.encode(), scope)
    return RequestPageDocument(
        requests=[
            RequestLineDocument.of(each, scheme=services.scheme, names=names)
            for each in found.lines
        ],
        next=cursor,
    )


def shown_request(caller: Caller, services: ApiServices, request_id: uuid.UUID) -> RequestDocument:
    """One request.

    Raises:
        IssuerRefusedError: there is none in the caller's part of the tree (``request.unknown``).
    """
    shown = services.requests.reading.show(RequestId(request_id), actor=caller.actor)
    names = services.organisations.names([shown.line.request.organisation_code])
    return RequestDocument.of_shown(shown, scheme=services.scheme, names=names)


def draft_once(services: ApiServices, caller: Caller, body: DraftBody, *, key: str) -> KeptAnswer:
    """Draft for named members; the same under the same key is drafted once.

    Raises:
        IssuerDataError: ``request.reason``.
        IssuerRefusedError: ``idempotency.*``.
    """
    content = body.model_dump_json().encode()
    mark = mark_of(caller.actor.account, key, what="POST /v1/requests", content=content)

    def act() -> Receipt:
        wish = Wish(kind=body.kind, reason=body.reason, ordinal=body.ordinal)
        members = [MemberId(each) for each in body.members]
        outcomes = list(services.requests.drafting.draft(members, wish, actor=caller.actor))
        return Receipt(status=200, location="/v1/requests", document=OutcomesDocument.of(outcomes))

    return carry_out_once(services, mark, act)


def take_step_once(
    services: ApiServices, caller: Caller, body: StepBody, *, key: str
) -> KeptAnswer:
    """Take a step with named requests; the same under the same key is done once.

    Raises:
        IssuerDataError: ``request.remark``.
        IssuerRefusedError: ``idempotency.*``, ``right.step-up-needed``.
    """
    content = body.model_dump_json().encode()
    mark = mark_of(caller.actor.account, key, what="POST /v1/requests/steps", content=content)

    def act() -> Receipt:
        outcomes = list(
            services.requests.steps.take(
                [RequestId(each.id) for each in body.requests],
                body.step.event,
                actor=caller.actor,
                remark=body.reason or "",
                versions={
                    RequestId(each.id): each.version
                    for each in body.requests
                    if each.version is not None
                },
            )
        )
        if not any(each.is_changed for each in outcomes):
            # Nothing was done: whoever shows the second factor may send it again.
            for each in outcomes:
                if each.code == "right.step-up-needed":
                    raise IssuerRefusedError(each.sentence, code=each.code)
        return Receipt(status=200, location="/v1/requests", document=OutcomesDocument.of(outcomes))

    return carry_out_once(services, mark, act)


def draft_all_once(
    services: ApiServices, caller: Caller, body: DraftAllBody, *, key: str
) -> KeptAnswer:
    """Have requests drafted for everybody who may have them; the same under the same key is begun once.

    Raises:
        IssuerDataError: ``request.reason``, ``organisation.code-malformed``.
        IssuerRefusedError: ``idempotency.*``, ``right.missing``.
    """
    content = body.model_dump_json().encode()
    mark = mark_of(caller.actor.account, key, what="POST /v1/requests/draft-all", content=content)

    def act() -> Receipt:
        operation = services.request_operations.draft_all(
            Wish(kind=body.kind, reason=body.reason),
            organisation=code_or_none(body.organisation),
            actor=caller.actor,
        )
        return operation_receipt(operation)

    return carry_out_once(services, mark, act)


def step_all_once(
    services: ApiServices, caller: Caller, body: StepAllBody, *, key: str
) -> KeptAnswer:
    """Have a step taken with all that wait for it; the same under the same key is begun once.

    Raises:
        IssuerDataError: ``organisation.code-malformed``.
        IssuerRefusedError: ``idempotency.*``, ``right.missing``.
    """
    content = body.model_dump_json().encode()
    what = "POST /v1/requests/steps-for-all"
    mark = mark_of(caller.actor.account, key, what=what, content=content)

    def act() -> Receipt:
        operation = services.request_operations.step_all(
            body.step.event,
            organisation=code_or_none(body.organisation),
            kind=body.kind,
            actor=caller.actor,
        )
        return operation_receipt(operation)

    return carry_out_once(services, mark, act)


def operation_receipt(operation: Operation) -> Receipt:
    """The answer to whoever asked for long work."""
    return Receipt(
        status=202,
        location=f"/v1/operations/{operation.operation_id}",
        document=OperationDocument.of(operation),
    )


@request_router.get("/requests", summary="List requests, the oldest first")
def list_requests(
    query: Annotated[RequestListQuery, Query()], services: Services, caller: RequestReader
) -> RequestPageDocument:
    """A page of the requests of the caller's part of the tree; the audit trail keeps whom it showed."""
    return request_page(caller, services, query)


@request_router.get(
    "/requests/{request_id}", summary="Show a request", response_model=RequestDocument
)
def show_request(
    request_id: RequestIdPath, request: Request, services: Services, caller: RequestReader
) -> Response:
    """With its time line, and what the caller may do with it; the audit trail keeps whom it showed."""
    return tagged(request, shown_request(caller, services, request_id))


@request_router.get("/members/{member_id}/eligibility", summary="Whether a member may have a card")
def show_eligibility(
    member_id: Annotated[uuid.UUID, Path(description="The member.")],
    kind: Annotated[RequestKind, Query(description="What would be asked for.")],
    services: Services,
    caller: RequestReader,
) -> EligibilityDocument:
    """Every rule that is not kept, with its code; empty where the member may have it."""
    found = services.requests.reading.eligibility(MemberId(member_id), kind, actor=caller.actor)
    return EligibilityDocument(
        kind=kind,
        findings=[FindingOfRule(code=each.code, detail=each.sentence) for each in found],
    )


@request_router.post(
    "/requests", summary="Draft requests for members", response_model=OutcomesDocument
)
def draft_requests(
    body: DraftBody, services: Services, caller: Drafter, key: KeyHeader
) -> Response:
    """One outcome for each member; a draft that is there already is found."""
    return answer_of(draft_once(services, caller, body, key=key))


@request_router.post(
    "/requests/draft-all",
    summary="Draft requests for everybody who may have them",
    status_code=202,
    response_model=OperationDocument,
)
def draft_for_all(
    body: DraftAllBody, services: Services, caller: Drafter, key: KeyHeader
) -> Response:
    """An operation; its counts say how many were drafted, and by which codes others were left out."""
    return answer_of(draft_all_once(services, caller, body, key=key))


@request_router.post(
    "/requests/steps", summary="Take a step with requests", response_model=OutcomesDocument
)
def take_step(
    body: StepBody, services: Services, caller: RequestReader, key: KeyHeader
) -> Response:
    """One outcome for each; the right is asked for at each request's place."""
    return answer_of(take_step_once(services, caller, body, key=key))


@request_router.post(
    "/requests/steps-for-all",
    summary="Take a step with every request that waits for it and for the caller",
    status_code=202,
    response_model=OperationDocument,
)
def take_step_for_all(
    body: StepAllBody, services: Services, caller: RequestReader, key: KeyHeader
) -> Response:
    """An operation; its counts say how many went on, and by which codes others did not."""
    return answer_of(step_all_once(services, caller, body, key=key))


@request_router.post(
    "/requests/{request_id}/steps",
    summary="Take a step with one request",
    response_model=OutcomesDocument,
)
def take_step_with_one(
    *,
    request_id: RequestIdPath,
    body: OneStepBody,
    services: Services,
    caller: RequestReader,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """Of the request as it was read: its entity tag goes with it. A refusal is a problem of its own."""
    what = f"POST /v1/requests/{request_id}/steps"
    content = body.model_dump_json().encode()
    mark = mark_of(caller.actor.account, key, what=what, content=content)

    def act() -> Receipt:
        seen = shown_request(caller, services, request_id)
        require_match(if_match, seen)
        return _one_step(services, caller, request_id, body, version=seen.version)

    return answer_of(carry_out_once(services, mark, act))


def _one_step(
    services: ApiServices,
    caller: Caller,
    request_id: uuid.UUID,
    body: OneStepBody,
    *,
    version: int,
) -> Receipt:
    (outcome,) = services.requests.steps.take(
        [RequestId(request_id)],
        StepName(body.step).event,
        actor=caller.actor,
        remark=body.reason or "",
        versions={RequestId(request_id): version},
    )
    if outcome.code is not None:
        raise IssuerRefusedError(outcome.sentence, code=outcome.code, hint=outcome.hint)
    return Receipt(
        status=200,
        location=f"/v1/requests/{request_id}",
        document=OutcomesDocument.of([outcome]),
    )
