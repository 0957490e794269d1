"""The tree of organisations, level by level."""

from typing import Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response

from issuer.api.gate import Services
from issuer.api.organisation_routes import (
    OrganisationListQuery,
    OrganisationReader,
    organisation_page,
)
from issuer.api.pages.rendering import render
from issuer.api.pages_of_lists import CursorOfPage
from issuer.domain.organisation import Organisation, parse_organisation_code
from issuer.domain.rights import Right

__all__ = ["organisation_page_router"]

organisation_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/organisations"


@organisation_page_router.get(_LIST, response_model=None)
def organisations_page(
    request: Request, services: Services, caller: OrganisationReader, cursor: CursorOfPage = None
) -> Response:
    """Where the reader's part of the tree begins."""
    return _level(request, services, caller, code=None, cursor=cursor)


@organisation_page_router.get(_LIST + "/{code:path}", response_model=None)
def organisation_level_page(
    code: str,
    request: Request,
    services: Services,
    caller: OrganisationReader,
    cursor: CursorOfPage = None,
) -> Response:
    """One organisation, and those below it."""
    return _level(request, services, caller, code=code, cursor=cursor)


def _level(
    request: Request,
    services: Services,
    caller: OrganisationReader,
    *,
    code: str | None,
    cursor: str | None,
) -> Response:
    here = _LIST if code is None else f"{_LIST}/{quote(code, safe='')}"
    path: tuple[Organisation, ...] = ()
    if code is not None:
        path = services.organisations.path(parse_organisation_code(code), actor=caller.actor)
    page = organisation_page(caller, services, OrganisationListQuery(above=code, cursor=cursor))
    return render(
        request,
        "organisations.html",
        caller=caller,
        way=path,
        page=page,
        first=here if cursor is not None else None,
        next=None if page.next is None else f"{here}?{urlencode({'cursor': page.next})}",
        may_read_members=caller.actor.may_somewhere(Right.READ_MEMBERS),
    )
