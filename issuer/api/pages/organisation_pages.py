"""The tree of organisations, level by level."""

from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from issuer.api.form_fields import FormFields
from issuer.api.gate import Services
from issuer.api.member_act_routes import MemberWriter
from issuer.api.member_check_routes import CheckBody, CheckedDocument, check_all_once
from issuer.api.organisation_act_routes import VersionsDocument, VersionsQuery, versions_of
from issuer.api.organisation_routes import (
    OrganisationListQuery,
    OrganisationReader,
    organisation_page,
)
from issuer.api.pages import member_words, organisation_words
from issuer.api.pages.form_keys import form_key, problem_words
from issuer.api.pages.rendering import render
from issuer.api.pages_of_lists import CursorOfPage
from issuer.api.problems import ApiError, status_of
from issuer.domain.organisation import Organisation, parse_organisation_code
from issuer.domain.organisation_history import OrganisationChange
from issuer.domain.rights import Right
from issuer.errors import IssuerRefusedError
from issuer.services.bring_organisations import MOST_AT_ONCE as LIST_ROWS
from issuer.services.check_members import MOST_AT_ONCE

__all__ = ["organisation_page_router"]

organisation_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/organisations"
_NEWEST: Final = 5
_NONE: Final = VersionsDocument(versions=[])
_Count = Annotated[int | None, Query(ge=0, le=LIST_ROWS)]


@organisation_page_router.get(_LIST, response_model=None)
def organisations_page(
    *,
    request: Request,
    services: Services,
    caller: OrganisationReader,
    cursor: CursorOfPage = None,
    taken: _Count = None,
    present: _Count = None,
) -> Response:
    """Where the reader's part of the tree begins."""
    return _level(request, services, caller, code=None, cursor=cursor, list_counts=(taken, present))


@organisation_page_router.get(_LIST + "/{code:path}", response_model=None)
def organisation_level_page(
    *,
    code: str,
    request: Request,
    services: Services,
    caller: OrganisationReader,
    cursor: CursorOfPage = None,
    checked: Annotated[int | None, Query(ge=0, le=MOST_AT_ONCE)] = None,
    done: Annotated[str, Query(max_length=16)] = "",
) -> Response:
    """One organisation, and those below it."""
    return _level(request, services, caller, code=code, cursor=cursor, checked=checked, done=done)


@organisation_page_router.post(_LIST + "/{code:path}", response_model=None)
def check_organisation(
    code: str, request: Request, services: Services, caller: MemberWriter, fields: FormFields
) -> Response:
    """Note that every record of the organisation itself was found right; sent twice, it is noted once."""
    if fields.get("looked") != "yes":
        raise ApiError("the form asks for nothing known", code="api.request-invalid")
    try:
        kept = check_all_once(services, caller, CheckBody(organisation=code), key=form_key(fields))
    except IssuerRefusedError as error:
        if error.code not in member_words.REFUSALS or error.code == "right.missing":
            raise
        return _level(request, services, caller, code=code, cursor=None, error=error)
    count = CheckedDocument.model_validate_json(kept.body).members
    return RedirectResponse(
        f"{_LIST}/{quote(code, safe='')}?{urlencode({'checked': count})}", status_code=303
    )


def _level(
    request: Request,
    services: Services,
    caller: OrganisationReader,
    *,
    code: str | None,
    cursor: str | None,
    checked: int | None = None,
    done: str = "",
    list_counts: tuple[int | None, int | None] = (None, None),
    error: IssuerRefusedError | None = None,
) -> Response:
    here = _LIST if code is None else f"{_LIST}/{quote(code, safe='')}"
    path: tuple[Organisation, ...] = ()
    if code is not None:
        path = services.organisations.path(parse_organisation_code(code), actor=caller.actor)
    page = organisation_page(caller, services, OrganisationListQuery(above=code, cursor=cursor))
    versions = _NONE
    if code is not None:
        versions = versions_of(caller, services, VersionsQuery(organisation=code, limit=_NEWEST))
    place = [each.code for each in path]
    newest = versions.versions[0].change if versions.versions else None
    is_open = newest not in {OrganisationChange.MERGED, OrganisationChange.CLOSED}
    return render(
        request,
        "organisations.html",
        caller=caller,
        way=path,
        page=page,
        first=here if cursor is not None else None,
        next=None if page.next is None else f"{here}?{urlencode({'cursor': page.next})}",
        may_read_members=caller.actor.may_somewhere(Right.READ_MEMBERS),
        may_check=bool(path) and caller.actor.may(Right.WRITE_MEMBERS, place=place),
        may_change=is_open and caller.actor.may(Right.WRITE_ORGANISATIONS, place=place),
        may_read_papers=caller.actor.may(Right.WRITE_ORGANISATIONS, place=place),
        may_bring=not path and caller.actor.may_somewhere(Right.WRITE_ORGANISATIONS),
        is_open=is_open,
        versions=versions.versions,
        has_older=versions.next is not None,
        home=here,
        checked=checked,
        done=organisation_words.DONE.get(done),
        list_counts=list_counts,
        own=organisation_words,
        status=200 if error is None else int(status_of(error)),
        **_told(error),
    )


def _told(error: IssuerRefusedError | None) -> dict[str, str]:
    if error is None:
        return {}
    return {**problem_words(error), "remedy": member_words.REFUSALS[error.code]}
