"""Pages of conflicts: which wait, what another office states beside what we have, and the decision on it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from issuer.api.bundle_routes import ConflictPath, Exchanger, conflict_page, exchange_desk
from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Services
from issuer.api.pages import exchange_words, words
from issuer.api.pages.exchange_pages import told
from issuer.api.pages.rendering import render
from issuer.api.pages_of_lists import CursorOfPage, ListQuery
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, ProductError, status_of
from issuer.domain.bundle import ConflictId
from issuer.domain.card_number import CardNumber
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import OrganisationCode
from issuer.errors import IssuerDataError, IssuerError
from issuer.services.look_at_conflicts import ConflictView
from issuer.services.settle_conflicts import ConflictChoice

__all__ = ["conflict_page_router"]

conflict_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/conflicts"
_PAGE: Final = 50
_GONE: Final = frozenset(
    {"right.missing", "session.ended", "conflict.unknown", "exchange.not-installed"}
)
_DATES: Final = frozenset({"birth_date", "admission_date", "recognition_date", "standing_since"})
_LISTS_OF_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    MemberColumn.SEX: words.SEXES,
    MemberColumn.STANDING: words.STANDINGS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One column: what they state, and what our record says; ``is_word`` texts are translated."""

    label: str
    is_word: bool
    theirs: str | date | None
    ours: str | date | None

    @property
    def differs(self) -> bool:
        """Whether they say different things."""
        return self.theirs != self.ours


@conflict_page_router.get(_LIST, response_model=None)
def conflicts_page(
    request: Request,
    services: Services,
    caller: Exchanger,
    cursor: CursorOfPage = None,
) -> Response:
    """The conflicts that wait for the reader."""
    page = conflict_page(caller, services, ListQuery(cursor=cursor, limit=_PAGE))
    return render(
        request,
        "conflicts.html",
        caller=caller,
        conflicts=page.conflicts,
        names=services.organisations.names(
            [OrganisationCode(each.organisation) for each in page.conflicts]
        ),
        first=None if cursor is None else _LIST,
        next=None if page.next is None else f"{_LIST}?cursor={page.next}",
        words=exchange_words,
        columns=words.COLUMNS,
    )


@conflict_page_router.get(_LIST + "/{conflict}", response_model=None)
def conflict_of_one(
    conflict: ConflictPath, request: Request, services: Services, caller: Exchanger
) -> Response:
    """One conflict, side by side."""
    return _show(request, services, caller, conflict)


@conflict_page_router.get(_LIST + "/{conflict}/portrait", response_model=None)
def their_portrait(conflict: ConflictPath, services: Services, caller: Exchanger) -> Response:
    """The picture that they sent with the member."""
    view = exchange_desk(services).weighing.look(ConflictId(conflict), actor=caller.actor)
    if view.their_portrait is None:
        raise IssuerDataError("there is no picture of theirs", code="conflict.unknown")
    content = services.portraits.get(view.their_portrait)
    return Response(
        content, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"}
    )


@conflict_page_router.post(_LIST + "/{conflict}", response_model=None)
def settle(
    conflict: ConflictPath,
    request: Request,
    services: Services,
    caller: Exchanger,
    fields: FormFields,
) -> Response:
    """Say what is true; said twice, the second word is refused."""
    choice = fields.get("choice", "")
    if choice not in set(ConflictChoice):
        raise ApiError("the form decides nothing", code="api.request-invalid")
    reason = fields.get("reason", "")
    try:
        exchange_desk(services).settle(
            ConflictId(conflict), ConflictChoice(choice), reason=reason, actor=caller.actor
        )
    except IssuerError as error:
        if error.code in _GONE or isinstance(error, ApiError):
            raise
        return _show(request, services, caller, conflict, reason=reason, error=error)
    return RedirectResponse(_LIST, status_code=303)


def _show(
    request: Request,
    services: ApiServices,
    caller: Caller,
    conflict: uuid.UUID,
    *,
    reason: str = "",
    error: ProductError | None = None,
) -> Response:
    view = exchange_desk(services).weighing.look(ConflictId(conflict), actor=caller.actor)
    codes = [view.conflict.organisation]
    if view.ours is not None:
        codes.append(view.ours.statement.organisation_code)
    return render(
        request,
        "conflict.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        view=view,
        conflict=view.conflict,
        names=services.organisations.names(codes),
        lines=_lines(view, services),
        steps=[] if view.request is None else view.request.events,
        here=f"{_LIST}/{conflict}",
        reason=reason,
        request_words=words,
        words=exchange_words,
        **told(error),
    )


def _lines(view: ConflictView, services: ApiServices) -> list[_Line]:
    """Column by column, as far as either of the two says something."""
    theirs, ours = view.theirs or {}, view.our_cells
    return [
        _Line(
            label=label,
            is_word=name in _LISTS_OF_WORDS,
            theirs=_value(name, theirs.get(name), services),
            ours=_value(name, ours.get(name), services),
        )
        for name, label in words.COLUMNS.items()
        if name in theirs or name in ours
    ]


def _value(column: str, text: str | None, services: ApiServices) -> str | date | None:
    if text is None:
        return None
    if column in _DATES:
        return date.fromisoformat(text)
    if column == MemberColumn.EARLIER_CARD_NUMBER:
        return services.scheme.display(CardNumber(text))
    return _LISTS_OF_WORDS.get(column, {}).get(text, text)
