"""The page of card numbers: who was granted which blocks, what is left of them, and one more."""

from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from issuer.api.bundle_documents import BlockBody
from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Services
from issuer.api.languages import message
from issuer.api.number_routes import BlocksQuery, NumberGranter, grant_once, number_blocks_page
from issuer.api.organisation_routes import OrganisationReader
from issuer.api.pages import exchange_words
from issuer.api.pages.form_keys import form_key, problem_words
from issuer.api.pages.member_visit import Told, form_status
from issuer.api.pages.rendering import render
from issuer.api.pages_of_lists import CursorOfPage
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.domain.number_blocks import BlockSupply
from issuer.domain.organisation import Organisation, parse_organisation_code
from issuer.domain.rights import Right
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = ["number_page_router"]

number_page_router = APIRouter(include_in_schema=False)

_NUMBERS: Final = "/numbers"
_SUPPLIES: Final[Mapping[BlockSupply, tuple[str, str]]] = {
    BlockSupply.ENOUGH: ("good", message("Enough")),
    BlockSupply.NEAR_EXHAUSTED: ("care", message("Nearly used up")),
    BlockSupply.EXHAUSTED: ("bad", message("Used up")),
}
_REFUSALS: Final = {
    **{
        code: exchange_words.REFUSALS[code]
        for code in (
            "numbers.block-overlaps", "numbers.other-committee", "numbers.range", "card-number.malformed",
        )
    },
    "organisation.unknown": message("There is no such organisation: find it by a part of its name."),
    "organisation.code-malformed": message("Choose an organisation from those that are offered, or type its code."),
    "right.missing": message("You may not grant numbers there."),
}  # fmt: skip


@number_page_router.get(_NUMBERS, response_model=None)
def numbers_page(
    *,
    request: Request,
    services: Services,
    caller: OrganisationReader,
    cursor: CursorOfPage = None,
    organisation: Annotated[str | None, Query(max_length=32)] = None,
    granted: Annotated[str, Query(max_length=1)] = "",
) -> Response:
    """Blocks of the reader's part of the tree, or of one committee and those below it."""
    return _page(
        request,
        services,
        caller,
        # The form of the page sends an empty field where nothing was chosen.
        BlocksQuery(organisation=organisation or None, cursor=cursor),
        is_granted=granted == "1",
    )


@number_page_router.post(_NUMBERS, response_model=None)
def grant_numbers(
    request: Request, services: Services, caller: NumberGranter, fields: FormFields
) -> Response:
    """Grant a block; sent twice, it is granted once."""
    key = form_key(fields)
    try:
        body = BlockBody(**{name: fields.get(name, "").strip() for name in BlockBody.model_fields})
    except ValidationError as error:
        raise ApiError(
            "committee, first or last is missing or too long", code="api.request-invalid"
        ) from error
    try:
        grant_once(services, caller, body, key=key)
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code not in _REFUSALS:
            raise
        return _page(request, services, caller, BlocksQuery(), given=body, error=error)
    return RedirectResponse(f"{_NUMBERS}?granted=1", status_code=303)


def _page(
    request: Request,
    services: ApiServices,
    caller: Caller,
    query: BlocksQuery,
    *,
    given: BlockBody | None = None,
    error: Told | None = None,
    is_granted: bool = False,
) -> Response:
    page = number_blocks_page(caller, services, query)
    way: tuple[Organisation, ...] = ()
    if query.organisation is not None:
        way = services.organisations.path(
            parse_organisation_code(query.organisation), actor=caller.actor
        )
    chosen = {} if query.organisation is None else {"organisation": query.organisation}
    here = _NUMBERS + (f"?{urlencode(chosen)}" if chosen else "")
    told = problem_words(error)
    if error is not None:
        told["remedy"] = _REFUSALS[error.code]
    return render(
        request,
        "numbers.html",
        caller=caller,
        status=200 if error is None else form_status(error),
        page=page,
        way=way,
        names={each.committee: each.name for each in page.supplies},
        pills={each.committee: _SUPPLIES[each.supply] for each in page.supplies},
        first=here if query.cursor is not None else None,
        next=None
        if page.next is None
        else f"{_NUMBERS}?{urlencode({**chosen, 'cursor': page.next})}",
        may_grant=caller.actor.may_somewhere(Right.ALLOT_NUMBERS),
        given=given,
        is_granted=is_granted,
        **told,
    )
