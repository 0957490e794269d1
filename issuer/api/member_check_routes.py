"""Members of whom somebody says that everything is as it is recorded: one of them, or all of an organisation."""

import uuid

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from issuer.api.entity_tags import MatchHeader, require_match
from issuer.api.gate import Caller, Services
from issuer.api.member_act_routes import MemberWriter
from issuer.api.member_acts import hiding_unreadable
from issuer.api.member_routes import MemberDocument, MemberIdPath, open_member
from issuer.api.once import KeyHeader, Receipt, answer_of, carry_out_once, mark_of
from issuer.api.ports import ApiServices
from issuer.domain.member import MemberId
from issuer.domain.organisation import parse_organisation_code
from issuer.services.operation_ports import KeptAnswer

__all__ = ["CheckBody", "CheckedDocument", "check_all_once", "check_once", "member_check_router"]

member_check_router = APIRouter(prefix="/v1", tags=["members"])


class CheckBody(BaseModel):
    """Of whom."""

    model_config = ConfigDict(extra="forbid")

    organisation: str = Field(
        min_length=1,
        max_length=32,
        description="Everybody who is recorded in it, and in none below it.",
        examples=["C-011"],
    )


class CheckedDocument(BaseModel):
    """Of how many members it was noted."""

    members: int = Field(ge=0)


def check_once(
    services: ApiServices, caller: Caller, member_id: uuid.UUID, *, version: int, key: str
) -> KeptAnswer:
    """Note that one member was checked; the same under the same key is noted once.

    Raises:
        IssuerRefusedError: ``idempotency.*``; as ``CheckingOfMembers.check``.
    """
    mark = mark_of(
        caller.actor.account, key, what=f"check member {member_id}", content=str(version).encode()
    )

    def act() -> Receipt:
        with hiding_unreadable(services, caller, member_id):
            services.checking.check(MemberId(member_id), actor=caller.actor, version=version)
        return Receipt(
            status=200, location=f"/v1/members/{member_id}", document=CheckedDocument(members=1)
        )

    return carry_out_once(services, mark, act)


def check_all_once(
    services: ApiServices, caller: Caller, body: CheckBody, *, key: str
) -> KeptAnswer:
    """Note that everybody of an organisation was checked; the same under the same key is noted once.

    Raises:
        IssuerDataError: ``organisation.code-malformed``, ``organisation.unknown``.
        IssuerRefusedError: ``idempotency.*``; as ``CheckingOfMembers.check_all``.
    """
    content = body.model_dump_json().encode()
    mark = mark_of(caller.actor.account, key, what="POST /v1/member-checks", content=content)

    def act() -> Receipt:
        count = services.checking.check_all(
            parse_organisation_code(body.organisation.strip()), actor=caller.actor
        )
        return Receipt(status=200, location="/v1/members", document=CheckedDocument(members=count))

    return carry_out_once(services, mark, act)


@member_check_router.post(
    "/members/{member_id}/checks",
    summary="Say that everything is as it is recorded of a member",
    response_model=CheckedDocument,
)
def check_member(
    *,
    member_id: MemberIdPath,
    services: Services,
    caller: MemberWriter,
    key: KeyHeader,
    if_match: MatchHeader = None,
) -> Response:
    """Of the member as they were read; the record and its version stay, and count as live."""
    current = MemberDocument.of(open_member(caller, services, member_id), scheme=services.scheme)
    require_match(if_match, current)
    return answer_of(check_once(services, caller, member_id, version=current.version, key=key))


@member_check_router.post(
    "/member-checks",
    summary="Say that everything is as it is recorded of everybody in an organisation",
    response_model=CheckedDocument,
)
def check_members(
    body: CheckBody, services: Services, caller: MemberWriter, key: KeyHeader
) -> Response:
    """Of those who are recorded in the organisation itself: at most a thousand."""
    return answer_of(check_all_once(services, caller, body, key=key))
