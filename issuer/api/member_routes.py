"""Members: lists in pages, and one of them."""

import contextlib
import uuid
from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from issuer.api.cursors import CursorScope
from issuer.api.entity_tags import tagged
from issuer.api.gate import Caller, Demand, Services
from issuer.api.pages_of_lists import ListQuery
from issuer.api.ports import ApiServices
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.member import Member, MemberId, Sex, Standing
from issuer.domain.member_search import parse_search
from issuer.domain.organisation import parse_organisation_code
from issuer.domain.rights import Right
from issuer.errors import IssuerRefusedError
from issuer.services.directory_ports import DirectoryPosition, MemberLine, MemberSelection

__all__ = [
    "MemberDocument",
    "MemberIdPath",
    "MemberLineDocument",
    "MemberListQuery",
    "MemberPageDocument",
    "MemberReader",
    "hiding_members",
    "member_page",
    "member_router",
    "open_member",
]

member_router = APIRouter(prefix="/v1/members", tags=["members"])

MemberReader = Annotated[Caller, Depends(Demand(Right.READ_MEMBERS))]
MemberIdPath = Annotated[
    uuid.UUID, Path(description="The member.", examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
]


class MemberListQuery(ListQuery):
    """Which members."""

    name: str | None = Field(
        default=None,
        max_length=120,
        description="The given name, the beginning of the whole name, words of it with the given name last, or a number of the member.",
        examples=["Nguyễn Văn An"],
    )
    organisation: str | None = Field(
        default=None,
        max_length=32,
        description="Recorded there, or anywhere below.",
        examples=["P-01"],
    )
    standing: Standing | None = None


class MemberLineDocument(BaseModel):
    """One line of a list."""

    id: str = Field(examples=["6b0f1c5e-9d3a-4c0e-8f3e-1b2a3c4d5e6f"])
    full_name: str = Field(examples=["Đỗ Thị Đào"])
    birth_date: date
    record_number: str = Field(examples=["123456AB"])
    standing: Standing
    organisation: str = Field(examples=["P-01"])
    organisation_name: str

    @classmethod
    def of(cls, line: MemberLine, *, organisation_name: str) -> "MemberLineDocument":
        """The document of a line."""
        return cls(
            id=str(line.member_id),
            full_name=line.full_name,
            birth_date=line.birth_date,
            record_number=line.record_number,
            standing=line.standing,
            organisation=line.organisation_code,
            organisation_name=organisation_name,
        )


class MemberPageDocument(BaseModel):
    """Members in Vietnamese order of their names."""

    members: list[MemberLineDocument]
    next: str | None = None


class MemberDocument(BaseModel):
    """Everything that the register states about a member."""

    id: str
    version: int = Field(ge=1)
    full_name: str
    birth_date: date
    sex: Sex
    place_of_birth: str
    home_town: str
    residence: str | None
    phone: str | None
    ethnic_group: str
    citizen_number: str
    record_number: str
    earlier_card_number: str | None
    admission_date: date
    recognition_date: date | None
    organisation: str
    served_in: str | None
    standing: Standing
    standing_since: date | None
    checked_at: datetime | None = Field(
        description="When somebody last said that everything is as it is recorded."
    )
    checked_by: str | None

    @classmethod
    def of(cls, member: Member, *, scheme: CardNumberScheme) -> "MemberDocument":
        """The document of a member."""
        stated = member.statement
        return cls(
            id=str(member.member_id),
            version=member.version,
            full_name=stated.name.full,
            birth_date=stated.birth_date,
            sex=stated.sex,
            place_of_birth=stated.place_of_birth,
            home_town=stated.home_town,
            residence=stated.residence,
            phone=stated.phone,
            ethnic_group=stated.ethnic_group,
            citizen_number=stated.citizen_number,
            record_number=stated.record_number,
            earlier_card_number=(
                None
                if stated.earlier_card_number is None
                else scheme.display(stated.earlier_card_number)
            ),
            admission_date=stated.admission_date,
            recognition_date=stated.recognition_date,
            organisation=stated.organisation_code,
            served_in=stated.served_in,
            standing=stated.standing,
            standing_since=stated.standing_since,
            checked_at=None if member.check is None else member.check.at,
            checked_by=None if member.check is None else member.check.account,
        )


def member_page(
    caller: Caller, services: ApiServices, query: MemberListQuery
) -> MemberPageDocument:
    """A page of the members that the caller may read.

    Raises:
        ApiError: ``api.cursor-invalid``.
        IssuerDataError: ``organisation.code-malformed``, ``organisation.unknown``, ``search.malformed``.
        IssuerRefusedError: the organisation is not in the caller's part of the tree (``right.missing``).
    """
    name = (query.name or "").strip() or None
    code = (query.organisation or "").strip() or None
    scope = CursorScope(
        listing="members",
        account=caller.actor.account,
        selection={"name": name, "organisation": code, "standing": query.standing},
    )
    behind = None
    if query.cursor is not None:
        position = services.cursors.open(query.cursor, scope)
        behind = DirectoryPosition(position[16:], MemberId(uuid.UUID(bytes=position[:16])))
    roots = None if code is None else frozenset({parse_organisation_code(code)})
    question = None if name is None else parse_search(name, scheme=services.scheme)
    if name is not None and question is not None and question.name is None:
        found = services.members.search(name, actor=caller.actor, limit=query.limit, roots=roots)
    else:
        selection = MemberSelection(
            roots=roots,
            standing=query.standing,
            name=None if question is None else question.name,
        )
        found = services.members.page(
            selection, actor=caller.actor, limit=query.limit, behind=behind
        )
    names = services.organisations.names([each.organisation_code for each in found.lines])
    cursor = None
    if found.end is not None:
        cursor = services.cursors.seal(found.end.member_id.bytes + found.end.key, scope)
    return MemberPageDocument(
        members=[
            MemberLineDocument.of(each, organisation_name=names[each.organisation_code])
            for each in found.lines
        ],
        next=cursor,
    )


def open_member(caller: Caller, services: ApiServices, member_id: uuid.UUID) -> Member:
    """One member, as far as the caller may read.

    Raises:
        IssuerRefusedError: there is none in the caller's part of the tree (``member.unknown``).
    """
    with hiding_members(member_id):
        return services.members.show(MemberId(member_id), actor=caller.actor)


@contextlib.contextmanager
def hiding_members(member_id: uuid.UUID) -> Iterator[None]:
    """Whoever may not see a member does not learn that there is one.

    Raises:
        IssuerRefusedError: ``member.unknown`` in the place of ``right.missing``.
    """
    try:
        yield
    except IssuerRefusedError as error:
        if error.code != "right.missing":
            raise
        raise IssuerRefusedError(
            f"member {member_id} is not in the register", code="member.unknown"
        ) from error


@member_router.get("", summary="List members, in Vietnamese order of their names")
def list_members(
    query: Annotated[MemberListQuery, Query()], services: Services, caller: MemberReader
) -> MemberPageDocument:
    """A page of the members of the caller's part of the tree; the audit trail keeps whom it showed."""
    return member_page(caller, services, query)


@member_router.get("/{member_id}", summary="Show a member", response_model=MemberDocument)
def show_member(
    member_id: MemberIdPath, request: Request, services: Services, caller: MemberReader
) -> Response:
    """Everything that the register states; the audit trail keeps that it was shown."""
    found = open_member(caller, services, member_id)
    return tagged(request, MemberDocument.of(found, scheme=services.scheme))


@member_router.get(
    "/{member_id}/portrait",
    summary="A member's portrait",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
def show_portrait(member_id: MemberIdPath, services: Services, caller: MemberReader) -> Response:
    """As the card will hold it."""
    return Response(
        services.portraits.get(open_member(caller, services, member_id).portrait),
        media_type="image/jpeg",
    )
