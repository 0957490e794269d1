"""Pages of members: the list with its search, and one member."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from issuer.api.cursors import MAX_CURSOR_CHARACTERS
from issuer.api.gate import Services
from issuer.api.history_routes import ChangeDocument
from issuer.api.member_routes import (
    MemberDocument,
    MemberIdPath,
    MemberListQuery,
    MemberPageDocument,
    MemberReader,
    hiding_members,
    member_page,
)
from issuer.api.pages import card_words, member_words, words
from issuer.api.pages.member_words import shown_text
from issuer.api.pages.rendering import render
from issuer.api.ports import ApiServices
from issuer.domain.card_number import CardNumber
from issuer.domain.member import MemberId
from issuer.domain.member_change import MemberChange
from issuer.domain.rights import Right
from issuer.errors import IssuerDataError
from issuer.services.card_validity_ports import CardRecord

__all__ = ["member_page_router"]

member_page_router = APIRouter(include_in_schema=False)

_SERVING: Final = (Right.SERVE_DATA_SUBJECTS, Right.DELETE_MEMBERS)
"""Either brings one to the page of a person's data."""

_LIST: Final = "/members"
_CHANGES: Final = 30
_REQUESTS: Final = 20


class _Chosen(BaseModel):
    """What the form above the list says; it sends fields that were left empty, too."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="", max_length=120)
    organisation: str = Field(default="", max_length=32)
    standing: str = Field(default="", max_length=16)
    cursor: str | None = Field(default=None, min_length=1, max_length=MAX_CURSOR_CHARACTERS)


@member_page_router.get(_LIST, response_model=None)
def members_page(
    request: Request,
    services: Services,
    caller: MemberReader,
    chosen: Annotated[_Chosen, Query()],
) -> Response:
    """A page of the list; forms send fields that were left empty, too."""
    query = MemberListQuery.model_validate(
        {
            "name": chosen.name or None,
            "organisation": chosen.organisation or None,
            "standing": chosen.standing if chosen.standing in words.STANDINGS else None,
            "cursor": chosen.cursor,
        }
    )
    try:
        page = member_page(caller, services, query)
    except IssuerDataError as error:
        # The list follows what is typed: what cannot be anybody's name or number finds nobody.
        if error.code not in {"search.malformed", "organisation.code-malformed"}:
            raise
        page = MemberPageDocument(members=[])
    kept = {
        key: value
        for key, value in chosen.model_dump(exclude={"cursor"}).items()
        if value is not None and value != ""
    }
    return render(
        request,
        "members.html",
        caller=caller,
        page=page,
        chosen=chosen,
        is_chosen=bool(kept),
        first=None if chosen.cursor is None else _address(kept),
        next=None if page.next is None else _address(kept | {"cursor": page.next}),
        may_import=caller.actor.may_somewhere(Right.IMPORT_MEMBERS),
        may_see_deletions=any(map(caller.actor.may_somewhere, _SERVING)),
        words=words,
    )


@member_page_router.get(_LIST + "/{member_id}", response_model=None)
def one_member_page(
    *,
    member_id: MemberIdPath,
    request: Request,
    services: Services,
    caller: MemberReader,
    done: Annotated[str, Query(max_length=16)] = "",
) -> Response:
    """Everything that the register states about a member."""
    with hiding_members(member_id):
        record = services.records.open(
            MemberId(member_id), actor=caller.actor, most_changes=_CHANGES, most_requests=_REQUESTS
        )
    numbers = {each.request_id: each.card_number for each in record.requests or ()}
    return render(
        request,
        "member.html",
        caller=caller,
        member=MemberDocument.of(record.member, scheme=services.scheme),
        history=[_written(each, services) for each in record.changes],
        cards=[
            (each, _card_name(numbers.get(each.card.request_id), each, services))
            for each in reversed(record.cards or ())
        ],
        may_write=record.may_write,
        may_serve=any(
            caller.actor.may(right, place=[each.code for each in record.way]) for right in _SERVING
        ),
        done=member_words.DONE.get(done),
        own=member_words,
        card_words=card_words,
        way=record.way,
        requests=record.requests,
        offers=[kind.value for kind, found in record.findings.items() if not found],
        reasons=min(record.findings.values(), key=len, default=()),
        may_draft=caller.actor.may_somewhere(Right.PROPOSE),
        words=words,
    )


def _written(change: MemberChange, services: ApiServices) -> ChangeDocument:
    """A line of history, its values as people write them."""
    old, new = (
        None if text is None else shown_text(change.change.column, text, services.scheme)
        for text in (change.change.old, change.change.new)
    )
    return ChangeDocument.of(change).model_copy(update={"old": old, "new": new})


def _card_name(number: CardNumber | None, record: CardRecord, services: ApiServices) -> str:
    return record.card.reference.hex() if number is None else services.scheme.display(number)


def _address(fields: dict[str, str]) -> str:
    return f"{_LIST}?{urlencode(fields)}" if fields else _LIST
