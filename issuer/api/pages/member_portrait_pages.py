"""Pages on which a member gets another portrait: the picture, what the card would hold of it, and only then it is stored."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from issuer.api.gate import Services
from issuer.api.member_act_routes import MemberWriter
from issuer.api.member_acts import (
    ACCEPTED,
    ChangeForm,
    change_form,
    change_once,
    hiding_unreadable,
    picture_of,
)
from issuer.api.member_routes import MemberDocument, MemberIdPath
from issuer.api.pages.form_keys import form_key
from issuer.api.pages.member_act_pages import AT_THE_END
from issuer.api.pages.member_visit import ELSEWHERE, MemberVisit, Told, version_of
from issuer.api.problems import ApiError
from issuer.domain.list_row import Finding
from issuer.domain.member import MemberId
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.replace_portraits import BroughtPortrait
from issuer.services.weighed_changes import ChangedMember

__all__ = ["member_portrait_page_router"]

member_portrait_page_router = APIRouter(include_in_schema=False)

_NEW: Final = "/members/{member_id}/portrait/new"
_ACT: Final = "portrait"
_ON_THE_SECOND_PAGE: Final = AT_THE_END | {"portrait.doubtful"}
_WordPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


@member_portrait_page_router.get(_NEW, response_model=None)
def new_portrait_page(
    member_id: MemberIdPath, request: Request, services: Services, caller: MemberWriter
) -> Response:
    """The form that asks for a picture."""
    visit = MemberVisit(
        request=request, services=services, caller=caller, member_id=member_id, act=_ACT
    )
    return _form(visit)


@member_portrait_page_router.post(_NEW, response_model=None)
async def bring_portrait(
    member_id: MemberIdPath, request: Request, services: Services, caller: MemberWriter
) -> Response:
    """What the card would hold, beside the present portrait; nothing is stored yet."""
    visit = MemberVisit(
        request=request, services=services, caller=caller, member_id=member_id, act=_ACT
    )
    async with change_form(request, "picture") as form:
        return await run_in_threadpool(_bring, visit, form)


@member_portrait_page_router.get(_NEW + "/{word}", response_model=None)
def waiting_portrait(
    member_id: MemberIdPath, word: _WordPath, services: Services, caller: MemberWriter
) -> Response:
    """The new portrait, as the card would hold it."""
    with hiding_unreadable(services, caller, member_id):
        image = services.new_portraits.image(MemberId(member_id), word, actor=caller.actor)
    return Response(image, media_type="image/jpeg")


@member_portrait_page_router.post(_NEW + "/store", response_model=None)
async def store_portrait(
    member_id: MemberIdPath, request: Request, services: Services, caller: MemberWriter
) -> Response:
    """Store it, and go on to the member; sent twice, it is done once."""
    visit = MemberVisit(
        request=request, services=services, caller=caller, member_id=member_id, act=_ACT
    )
    async with change_form(request) as form:
        key = form_key(form.fields)
        return await run_in_threadpool(_store, visit, form, key)


def _bring(visit: MemberVisit, form: ChangeForm) -> Response:
    version = version_of(form.fields)
    try:
        with hiding_unreadable(visit.services, visit.caller, visit.member_id):
            brought = visit.services.new_portraits.bring(
                MemberId(visit.member_id),
                picture_of(form),
                actor=visit.caller.actor,
                version=version,
            )
    except (IssuerDataError, IssuerRefusedError) as error:
        return _first_page(visit, form.fields, error)
    return _check(visit, brought, form.fields)


def _store(visit: MemberVisit, form: ChangeForm, key: str) -> Response:
    version, word = version_of(form.fields), form.fields.get("word", "")
    desk, member_id = visit.services.new_portraits, MemberId(visit.member_id)

    def change() -> ChangedMember:
        return desk.replace(
            member_id,
            word,
            actor=visit.caller.actor,
            version=version,
            why=form.why,
            accepts_doubts=form.fields.get("accept_doubts") == ACCEPTED,
        )

    try:
        change_once(
            visit.services,
            visit.caller,
            visit.member_id,
            form.without("once"),
            change,
            what="portrait by form",
            key=key,
        )
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in _ON_THE_SECOND_PAGE:
            brought = desk.look(member_id, word, actor=visit.caller.actor, version=version)
            return _check(visit, brought, form.fields, error=error)
        return _first_page(visit, form.fields, error)
    return RedirectResponse(f"{visit.address}?done={_ACT}", status_code=303)


def _first_page(visit: MemberVisit, fields: Mapping[str, str], error: Told) -> Response:
    if error.code in ELSEWHERE | {"right.missing"} or error.code.startswith("idempotency."):
        raise error
    if isinstance(error, ApiError):
        raise error
    return _form(visit, fields=fields, error=error)


def _form(
    visit: MemberVisit,
    *,
    fields: Mapping[str, str] | None = None,
    error: Told | None = None,
) -> Response:
    seen = visit.look()
    said = None
    if (
        error is not None
        and error.code.startswith("portrait.")
        and not isinstance(error, ConflictError)
    ):
        said = visit.tell(Finding(row=0, column=_ACT, code=error.code, sentence=str(error)))
    return visit.page(
        "member_portrait.html",
        error=error,
        member=MemberDocument.of(seen.member, scheme=visit.services.scheme),
        version=seen.member.version,
        reason=(fields or {}).get("reason", ""),
        said=said,
    )


def _check(
    visit: MemberVisit,
    brought: BroughtPortrait,
    fields: Mapping[str, str],
    *,
    error: Told | None = None,
) -> Response:
    return visit.check_page(
        "member_portrait_check.html",
        brought.weighed,
        fields,
        carried={"word": brought.word},
        error=error,
        word=brought.word,
        doubts=[
            visit.tell(Finding(row=0, column=_ACT, code=each.code, sentence=each.sentence))
            for each in brought.doubts
        ],
        has_checked_faces=brought.has_checked_faces,
    )
