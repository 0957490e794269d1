"""Requests and decisions: asked for by one person, decided by others, without lost updates."""

import re
import uuid
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import Field

from pki.api.caller import Asker, Decider, Reader, Services
from pki.api.documents import PageQuery, RequestDocument, RequestPage
from pki.api.problems import ApiError
from pki.services.operator_requests import Decision, OperatorRequest, RequestState
from pki.services.request_contents import (
    CONTENT_RULES,
    Binary,
    FieldRule,
    Names,
    Number,
    Numbers,
    RequestContent,
    RequestKind,
    Text,
)
from pki.web.reading import media_type_of, read_json

__all__ = ["request_router"]

request_router = APIRouter(prefix="/v1/requests", tags=["requests"])

_JSON: Final = "application/json"
_ENTITY_TAG: Final = re.compile(r'"v([1-9][0-9]{0,8})"')
_REASON: Final = {"type": "string", "minLength": 1, "maxLength": 200}

KeyHeader = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        description="Drawn by the client for each thing it asks for; the same again changes nothing.",
        pattern=r"^[A-Za-z0-9_-]{16,64}$",
        examples=["0b5c8e5e-3b63-4b0e-9d55-7c6d6f0a7c11"],
    ),
]
MatchHeader = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The entity tag of the request that was read before deciding.",
        examples=['"v1"'],
    ),
]
RequestId = Annotated[
    uuid.UUID, Path(description="The request.", examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
]


async def _document(request: Request) -> dict[str, Any]:
    """The body: one JSON object of the one content type."""
    media_type = media_type_of(request.headers.get("content-type", ""))
    if media_type != _JSON:
        raise ApiError(
            f"content type is {media_type[:60]!r}, expected {_JSON}", code="api.media-type"
        )
    found = read_json(await request.body())
    if not isinstance(found, dict):
        raise ApiError("the body is no JSON object", code="api.request-invalid")
    return found


Body = Annotated[dict[str, Any], Depends(_document)]


class RequestPageQuery(PageQuery):
    """A page of requests, of one state where one is named."""

    state: RequestState | None = Field(default=None, description="Only those in this state.")


@request_router.get("", summary="List requests, newest first")
def list_requests(
    query: Annotated[RequestPageQuery, Query()], services: Services, _operator: Reader
) -> RequestPage:
    """A page of requests."""
    now = services.now()
    found = services.ledger.page(state=query.state, after=query.after, limit=query.limit, now=now)
    return RequestPage(
        requests=[RequestDocument.of(each, now=now) for each in found],
        next=found[-1].number if len(found) == query.limit else None,
    )


def _field_schema(rule: FieldRule) -> dict[str, Any]:
    match rule:
        case Text():
            return {"type": "string", "maxLength": rule.most, "minLength": 1}
        case Number():
            return {"type": "integer", "minimum": rule.least, "maximum": rule.most}
        case Binary():
            return {"type": "string", "contentEncoding": "base64", "minLength": 4}
        case Names():
            return {
                "type": "array",
                "items": {"type": "string", "minLength": 1},
                "minItems": rule.least,
                "maxItems": rule.most,
                "uniqueItems": True,
            }
        case Numbers():
            return {
                "type": "array",
                "items": {"type": "integer", "minimum": rule.least, "maximum": rule.most},
                "uniqueItems": True,
            }


def _kind_schema(kind: RequestKind) -> dict[str, Any]:
    rule = CONTENT_RULES[kind]
    return {
        "type": "object",
        "title": kind.value,
        "description": f"{rule.approvals} different people besides the requester must approve.",
        "required": ["kind", "content"],
        "additionalProperties": False,
        "properties": {
            "kind": {"const": kind.value},
            "content": {
                "type": "object",
                "required": sorted(rule.fields),
                "additionalProperties": False,
                "properties": {name: _field_schema(each) for name, each in rule.fields.items()},
            },
        },
    }


_CREATE_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            _JSON: {
                "schema": {"oneOf": [_kind_schema(kind) for kind in RequestKind]},
                "examples": {
                    kind.value: {
                        "value": {"kind": kind.value, "content": dict(CONTENT_RULES[kind].example)}
                    }
                    for kind in RequestKind
                },
            }
        },
    }
}
_DECISION_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            _JSON: {
                "schema": {
                    "type": "object",
                    "required": ["decision"],
                    "additionalProperties": False,
                    "properties": {
                        "decision": {"enum": [each.value for each in Decision]},
                        "reason": _REASON,
                    },
                },
                "examples": {
                    "approve": {"value": {"decision": "approve"}},
                    "reject": {"value": {"decision": "reject", "reason": "wrong host name"}},
                },
            }
        },
    }
}


def _require_members(found: dict[str, Any], needed: set[str], allowed: set[str]) -> None:
    if not needed <= set(found) <= allowed:
        raise ApiError(
            f"the body has not the members {sorted(needed)}, or others than {sorted(allowed)}",
            code="api.request-invalid",
        )


@request_router.post("", status_code=201, summary="Ask for something", openapi_extra=_CREATE_BODY)
def create_request(
    request: Body,
    response: Response,
    services: Services,
    operator: Asker,
    key: KeyHeader,
) -> RequestDocument:
    """Store a request; once this is answered it is durable. The same under the same key is stored once."""
    _require_members(request, {"kind", "content"}, {"kind", "content"})
    content = RequestContent.from_document(request["kind"], request["content"])
    stored = services.desk.create(content, requester=operator.name, key=key)
    response.headers["Location"] = f"/v1/requests/{stored.id}"
    return _tagged(stored, response, services)


@request_router.get("/{request_id}", summary="Show a request")
def show_request(
    request_id: RequestId, response: Response, services: Services, _operator: Reader
) -> RequestDocument:
    """One request; its entity tag is what a decision must name."""
    return _tagged(services.desk.show(request_id), response, services)


@request_router.post(
    "/{request_id}/decisions",
    summary="Approve or reject a request of somebody else",
    openapi_extra=_DECISION_BODY,
)
def decide(
    *,
    request_id: RequestId,
    request: Body,
    response: Response,
    services: Services,
    operator: Decider,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> RequestDocument:
    """Add a person's word; once this is answered it is durable. The same under the same key counts once."""
    _require_members(request, {"decision"}, {"decision", "reason"})
    decision, reason = request["decision"], request.get("reason")
    if decision not in {each.value for each in Decision}:
        raise ApiError("decision is neither approve nor reject", code="api.request-invalid")
    if reason is not None and not isinstance(reason, str):
        raise ApiError("reason is no text", code="api.request-invalid")
    decided = services.desk.decide(
        request_id,
        Decision(decision),
        operator=operator.name,
        reason=reason,
        key=key,
        version=_version(if_match),
    )
    return _tagged(decided, response, services)


def _version(if_match: str | None) -> int:
    if if_match is None:
        raise ApiError(
            "If-Match is missing, expected the entity tag that was read",
            code="api.precondition-missing",
        )
    found = _ENTITY_TAG.fullmatch(if_match)
    if found is None:
        raise ApiError("If-Match is no entity tag of a request", code="api.precondition-malformed")
    return int(found[1])


def _tagged(request: OperatorRequest, response: Response, services: Services) -> RequestDocument:
    response.headers["ETag"] = f'"v{request.version}"'
    return RequestDocument.of(request, now=services.now())
