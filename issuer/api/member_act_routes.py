"""Acts with a member's record: corrections, another standing, transfers, and where a temporary resident is served."""

import uuid
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from issuer.api.entity_tags import MatchHeader, require_match
from issuer.api.gate import Caller, Demand, Services
from issuer.api.member_acts import (
    ACCEPTED,
    ChangedMemberDocument,
    ChangeForm,
    MemberActName,
    act_of,
    change_form,
    change_once,
    picture_of,
    take_act_once,
)
from issuer.api.member_routes import (
    MemberDocument,
    MemberIdPath,
    MemberReader,
    hiding_members,
    open_member,
)
from issuer.api.once import KeyHeader, answer_of
from issuer.api.ports import ApiServices
from issuer.domain.evidence import EvidenceKind
from issuer.domain.member import MemberId, Standing
from issuer.domain.member_acts import MemberAct
from issuer.domain.member_change import CHANGEABLE, EvidenceDigest
from issuer.domain.rights import Right
from issuer.services.weighed_changes import ChangedMember

__all__ = [
    "EvidencePath",
    "MemberWriter",
    "change_body",
    "document_file",
    "evidence_file",
    "member_act_router",
]

member_act_router = APIRouter(prefix="/v1/members", tags=["members"])

MemberWriter = Annotated[Caller, Depends(Demand(Right.WRITE_MEMBERS))]
EvidencePath = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{64}$",
        description="The document's SHA-256, as the history names it.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]
_FILES: Final = "multipart/form-data"
_DAY: Final = {"type": "string", "maxLength": 10, "examples": ["2026-11-01"]}
_TEXT: Final = {"type": "string", "maxLength": 400}
_CODE: Final = {"type": "string", "maxLength": 32, "examples": ["P-02"]}


def change_body(fields: dict[str, dict[str, Any]], *, required: tuple[str, ...]) -> dict[str, Any]:
    """How the description tells a form with a document (OpenAPI)."""
    return {
        "requestBody": {
            "required": True,
            "content": {
                _FILES: {
                    "schema": {
                        "type": "object",
                        "required": [*required, "reason"],
                        "properties": {
                            **fields,
                            "reason": {
                                "type": "string",
                                "description": "Why it is right, in a line; kept in the history.",
                                "examples": ["Quyết định số 12-QĐ/ĐU"],
                            },
                            "evidence": {
                                "type": "string",
                                "format": "binary",
                                "description": "The document that it rests on: PDF, JPEG or PNG, at most 10 MiB.",
                            },
                        },
                    }
                }
            },
        }
    }


_CORRECTION: Final = change_body(
    {each.value: _TEXT for each in sorted(CHANGEABLE)},
    required=(),
)
_STANDING: Final = change_body(
    {"standing": {"type": "string", "enum": [each.value for each in Standing]}, "since": _DAY},
    required=("standing", "since"),
)
_TRANSFER: Final = change_body({"to": _CODE, "on": _DAY}, required=("to", "on"))
_SERVING: Final = change_body(
    {"organisation": {**_CODE, "description": "Empty: at home again."}, "since": _DAY},
    required=("organisation", "since"),
)

_PORTRAIT: Final = change_body(
    {
        "picture": {
            "type": "string",
            "format": "binary",
            "description": "JPEG or PNG, at most 5 MiB.",
        },
        "accept_doubts": {
            "type": "string",
            "enum": [ACCEPTED],
            "description": "A person has looked at what is doubtful, and takes it.",
        },
    },
    required=("picture",),
)


def evidence_file(
    caller: Caller, services: ApiServices, member_id: uuid.UUID, digest: str
) -> Response:
    """A document that a change of a member rests on, as a file.

    Raises:
        IssuerRefusedError: ``member.unknown``, ``evidence.unknown``, ``evidence.lost``, ``evidence.altered``.
    """
    with hiding_members(member_id):
        content = services.changes.document(
            MemberId(member_id), EvidenceDigest(bytes.fromhex(digest)), actor=caller.actor
        )
    return document_file(content, digest)


def document_file(content: bytes, digest: str) -> Response:
    """A document that a change rests on, as a file of its kind."""
    kind = EvidenceKind.of(content)
    name = f"evidence-{digest[:16]}.{kind.ending}"
    return Response(
        content,
        media_type=kind.media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@member_act_router.get(
    "/{member_id}/evidence/{digest}",
    summary="A document that a change of a member rests on",
    response_class=Response,
    responses={
        200: {
            "content": {
                kind.media_type: {"schema": {"type": "string", "format": "binary"}}
                for kind in EvidenceKind
            }
        }
    },
)
def show_evidence(
    member_id: MemberIdPath, digest: EvidencePath, services: Services, caller: MemberReader
) -> Response:
    """As it was brought, checked against its digest; that it was read stands in the audit trail."""
    return evidence_file(caller, services, member_id, digest)


@member_act_router.post(
    "/{member_id}/corrections",
    summary="Put right what was recorded wrongly",
    response_model=ChangedMemberDocument,
    openapi_extra=_CORRECTION,
)
async def correct(
    *,
    member_id: MemberIdPath,
    request: Request,
    services: Services,
    caller: MemberWriter,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """The fields that are named get these texts, an empty one is emptied; of the member as it was read."""
    return await _take(
        MemberActName.CORRECTION, request, services, caller, member_id, key=key, match=if_match
    )


@member_act_router.post(
    "/{member_id}/standings",
    summary="Record that another standing began on a day",
    response_model=ChangedMemberDocument,
    openapi_extra=_STANDING,
)
async def change_standing(
    *,
    member_id: MemberIdPath,
    request: Request,
    services: Services,
    caller: MemberWriter,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """Cards follow at once; where they are to end, another person confirms it."""
    return await _take(
        MemberActName.STANDING, request, services, caller, member_id, key=key, match=if_match
    )


@member_act_router.post(
    "/{member_id}/transfers",
    summary="Record that a member belongs to another organisation from a day on",
    response_model=ChangedMemberDocument,
    openapi_extra=_TRANSFER,
)
async def transfer(
    *,
    member_id: MemberIdPath,
    request: Request,
    services: Services,
    caller: MemberWriter,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """The right is asked for in both organisations."""
    return await _take(
        MemberActName.TRANSFER, request, services, caller, member_id, key=key, match=if_match
    )


@member_act_router.post(
    "/{member_id}/servings",
    summary="Record where a temporary resident is served from a day on",
    response_model=ChangedMemberDocument,
    openapi_extra=_SERVING,
)
async def serve_in(
    *,
    member_id: MemberIdPath,
    request: Request,
    services: Services,
    caller: MemberWriter,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """Elsewhere, or at home again."""
    return await _take(
        MemberActName.SERVING, request, services, caller, member_id, key=key, match=if_match
    )


@member_act_router.post(
    "/{member_id}/portraits",
    summary="Give a member another portrait",
    response_model=ChangedMemberDocument,
    openapi_extra=_PORTRAIT,
)
async def replace_portrait(
    *,
    member_id: MemberIdPath,
    request: Request,
    services: Services,
    caller: MemberWriter,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """Made as the card holds it, and judged as those of lists are; a doubtful one is stored only where somebody says so."""

    def change(form: ChangeForm) -> ChangedMember:
        version = _seen(caller, services, member_id, if_match)
        desk, who = services.new_portraits, MemberId(member_id)
        brought = desk.bring(who, picture_of(form), actor=caller.actor, version=version)
        try:
            return desk.replace(
                who,
                brought.word,
                actor=caller.actor,
                version=version,
                why=form.why,
                accepts_doubts=form.fields.get("accept_doubts") == ACCEPTED,
            )
        finally:
            desk.discard(who, brought.word)

    async with change_form(request, "picture") as form:
        kept = await run_in_threadpool(
            change_once,
            services,
            caller,
            member_id,
            form,
            lambda: change(form),
            what="POST portrait",
            key=key,
        )
    return answer_of(kept)


async def _take(
    name: MemberActName,
    request: Request,
    services: ApiServices,
    caller: Caller,
    member_id: uuid.UUID,
    *,
    key: str,
    match: str | None,
) -> Response:
    async with change_form(request) as form:
        kept = await run_in_threadpool(
            take_act_once,
            services,
            caller,
            member_id,
            form,
            what=f"POST {name}",
            act=lambda: _act(name, form),
            key=key,
            version=lambda: _seen(caller, services, member_id, match),
        )
    return answer_of(kept)


def _act(name: MemberActName, form: ChangeForm) -> MemberAct:
    return act_of(name, form.without("reason").fields)


def _seen(caller: Caller, services: ApiServices, member_id: uuid.UUID, if_match: str | None) -> int:
    """The version that the caller read.

    Raises:
        ApiError: ``api.precondition-missing``, ``api.precondition-failed``.
    """
    current = MemberDocument.of(open_member(caller, services, member_id), scheme=services.scheme)
    require_match(if_match, current)
    return current.version
