"""Pages of other offices' registers: whose bundles are believed, what they were given, and bundles made and taken."""

from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from issuer.api import instance_acts
from issuer.api.bundle_acts import BUNDLE_FIELD, take_bundle_once
from issuer.api.bundle_documents import (
    BlockBody,
    BundleListQuery,
    ConfirmInstanceBody,
    IndicesBody,
    MadeBundleDocument,
    NothingBody,
    RecoverBody,
)
from issuer.api.bundle_routes import Exchanger, bundle_page, exchange_desk
from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Services
from issuer.api.instance_routes import (
    InstanceEnroller,
    InstancePath,
    InstanceReader,
    SequencePath,
    bundle_file,
    instance_page,
    proposal_of,
)
from issuer.api.pages import exchange_words
from issuer.api.pages.form_keys import form_key, problem_words
from issuer.api.pages.rendering import render
from issuer.api.pages_of_lists import CursorOfPage, ListQuery
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, ProductError, status_of
from issuer.api.upload_forms import form_of
from issuer.domain.instances import InstanceName, Side
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.operation_ports import KeptAnswer
from issuer.services.upload_ports import UploadedFile

__all__ = ["exchange_page_router", "told"]

exchange_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/instances"
_BUNDLES: Final = "/bundles"
_PAGE: Final = 50
_NEWEST: Final = 20
_MAX_FIELDS: Final = 6
_MAX_DIGITS: Final = 15
_ASKED_AGAIN: Final = frozenset(
    {"right.step-up-needed", "session.ended", "right.missing", "instance.unknown"}
)

_Told = IssuerDataError | IssuerRefusedError
_Body = TypeVar("_Body", bound=BaseModel)


class _Shown(BaseModel):
    """What was done just now: the bundle that was made, 0 where there was nothing to tell."""

    made: int | None = Field(default=None, ge=0, le=2**53 - 1)
    more: bool = False


_NOTHING: Final = _Shown()


def told(error: ProductError | None) -> dict[str, str]:
    """What ``form_problem.html`` shows."""
    words = problem_words(error)
    if error is not None and error.code in exchange_words.REFUSALS:
        words["remedy"] = exchange_words.REFUSALS[error.code]
    return words


@exchange_page_router.get(_LIST, response_model=None)
def instances_page(
    request: Request, services: Services, caller: InstanceReader, cursor: CursorOfPage = None
) -> Response:
    """The instances, and the form that proposes one; where there is no exchange yet, what to do about it."""
    return _instances(request, services, caller, cursor=cursor)


@exchange_page_router.post(_LIST, response_model=None)
async def propose_page(request: Request, services: Services, caller: InstanceEnroller) -> Response:
    """Propose an instance; another person confirms it."""
    async with form_of(request, max_files=2, max_fields=_MAX_FIELDS) as form:
        proposal = await proposal_of(form)
    key = form_key(proposal.fields)

    def work() -> Response:
        try:
            name = proposal.name
            instance_acts.propose_instance_once(
                services,
                caller,
                name,
                side=proposal.side,
                organisation=proposal.organisation,
                certificates=proposal.certificates,
                key=key,
            )
        except (IssuerDataError, IssuerRefusedError) as error:
            if error.code in _ASKED_AGAIN or isinstance(error, ApiError):
                raise
            return _instances(request, services, caller, fields=proposal.fields, error=error)
        return RedirectResponse(f"{_LIST}/{name}", status_code=303)

    return await run_in_threadpool(work)


@exchange_page_router.get(_LIST + "/{name}", response_model=None)
def instance_of_one(
    name: InstancePath,
    request: Request,
    services: Services,
    caller: InstanceReader,
    shown: Annotated[_Shown, Query()],
) -> Response:
    """One instance: how far bundles have come, what it was given, and what can be done with it."""
    return _instance(request, services, caller, InstanceName(name), shown=shown)


@exchange_page_router.post(_LIST + "/{name}", response_model=None)
def act_with_instance(
    name: InstancePath,
    request: Request,
    services: Services,
    caller: InstanceReader,
    fields: FormFields,
) -> Response:
    """Confirm, suspend, go on after a restore, give out, make a bundle; whose right it is says the use case."""
    key, known = form_key(fields), InstanceName(name)
    try:
        kept = _act(services, caller, known, fields, key)
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in _ASKED_AGAIN or isinstance(error, ApiError):
            raise
        return _instance(request, services, caller, known, fields=fields, error=error)
    query = ""
    if fields.get("act") == "export":
        made = MadeBundleDocument.model_validate_json(kept.body)
        query = f"?made={0 if made.bundle is None else made.bundle.sequence}"
        query += "&more=true" if made.has_more else ""
    return RedirectResponse(f"{_LIST}/{known}{query}", status_code=303)


@exchange_page_router.get(_LIST + "/{name}/bundles/{sequence}", response_model=None)
def bundle_file_page(
    name: InstancePath, sequence: SequencePath, services: Services, caller: Exchanger
) -> Response:
    """A bundle as a file, as often as it gets lost."""
    return bundle_file(caller, services, InstanceName(name), sequence)


@exchange_page_router.get(_BUNDLES, response_model=None)
def bundles_page(
    request: Request, services: Services, caller: Exchanger, cursor: CursorOfPage = None
) -> Response:
    """The form that takes one in, and the bundles that were made and taken."""
    page = bundle_page(caller, services, BundleListQuery(cursor=cursor, limit=_PAGE))
    return render(
        request,
        "bundles.html",
        caller=caller,
        bundles=page.bundles,
        first=None if cursor is None else _BUNDLES,
        next=None if page.next is None else f"{_BUNDLES}?cursor={page.next}",
        words=exchange_words,
    )


@exchange_page_router.post(_BUNDLES, response_model=None)
async def bring_bundle(request: Request, services: Services, caller: Exchanger) -> Response:
    """Take the file, and go on to where it can be followed; sent twice, it is done once."""
    exchange_desk(services)
    async with form_of(request, max_files=1, max_fields=_MAX_FIELDS) as form:
        upload = form.get(BUNDLE_FIELD)
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        if not isinstance(upload, UploadFile) or not upload.filename:
            raise ApiError("the form brings no bundle", code="api.request-invalid")
        key = form_key(fields)
        file = UploadedFile(name=BUNDLE_FIELD, content=upload.file)
        kept = await run_in_threadpool(take_bundle_once, services, caller, file, key=key)
    return RedirectResponse((kept.location or "/").removeprefix("/v1"), status_code=303)


def _act(
    services: ApiServices,
    caller: Caller,
    name: InstanceName,
    fields: Mapping[str, str],
    key: str,
) -> KeptAnswer:
    """What the form asks for."""
    acts = instance_acts
    match fields.get("act", ""):
        case "confirm":
            confirm = _body(
                ConfirmInstanceBody, code="instance.other-fingerprint",
                fingerprint=fields.get("fingerprint", "").strip(),
            )  # fmt: skip
            return acts.confirm_instance_once(services, caller, name, confirm, key=key)
        case "suspend":
            return acts.suspend_instance_once(services, caller, name, NothingBody(), key=key)
        case "recover":
            recover = _body(
                RecoverBody, code="bundle.nothing-lost",
                sent=_number(fields.get("sent", "")) or None,
            )  # fmt: skip
            return acts.recover_instance_once(services, caller, name, recover, key=key)
        case "numbers":
            block = _body(
                BlockBody, code="card-number.malformed",
                **{each: fields.get(each, "").strip() for each in ("committee", "first", "last")},
            )  # fmt: skip
            return acts.give_numbers_once(services, caller, name, block, key=key)
        case "indices":
            indices = _body(
                IndicesBody, code="status.set-size", count=_number(fields.get("count", ""))
            )
            return acts.give_indices_once(services, caller, name, indices, key=key)
        case "export":
            return acts.export_once(services, caller, name, NothingBody(), key=key)
    raise ApiError("the form asks for nothing known", code="api.request-invalid")


def _body(shape: type[_Body], /, *, code: str, **values: object) -> _Body:
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        raise IssuerDataError("a field of the form is wrong", code=code) from error


def _number(text: str) -> int:
    """A number as it was typed; nothing is none."""
    digits = text.strip() or "0"
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS):
        raise IssuerDataError("the field holds no number", code="status.set-size")
    return int(digits)


def _instances(
    request: Request,
    services: ApiServices,
    caller: Caller,
    *,
    cursor: str | None = None,
    fields: Mapping[str, str] | None = None,
    error: _Told | None = None,
) -> Response:
    page = None
    if services.exchange is not None:
        page = instance_page(caller, services, ListQuery(cursor=cursor, limit=_PAGE))
    codes = (
        [] if page is None else [page.organisation, *(each.organisation for each in page.instances)]
    )
    following = None if page is None or page.next is None else f"{_LIST}?cursor={page.next}"
    return render(
        request,
        "instances.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        page=page,
        names=services.organisations.names([OrganisationCode(each) for each in codes]),
        own_fingerprint=None if services.exchange is None else services.exchange.own_fingerprint,
        may_enrol=caller.actor.may_somewhere(Right.OPERATE_SERVICE),
        may_exchange=caller.actor.may_somewhere(Right.EXCHANGE_BUNDLES),
        fields=fields or {},
        first=None if cursor is None else _LIST,
        next=following,
        words=exchange_words,
        **told(error),
    )


def _instance(
    request: Request,
    services: ApiServices,
    caller: Caller,
    name: InstanceName,
    *,
    shown: _Shown = _NOTHING,
    fields: Mapping[str, str] | None = None,
    error: _Told | None = None,
) -> Response:
    desk = exchange_desk(services)
    view = desk.looking.show(name, actor=caller.actor)
    bundles = desk.looking.bundles(actor=caller.actor, limit=_NEWEST, name=name).bundles
    place = view.place
    committees = {each.block.committee for each in view.blocks}
    return render(
        request,
        "instance.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        view=view,
        instance=view.instance,
        names=services.organisations.names([view.instance.organisation, *committees]),
        display=services.scheme.display,
        bundles=bundles,
        may_enrol=caller.actor.may(Right.OPERATE_SERVICE, place=place),
        may_exchange=caller.actor.may(Right.EXCHANGE_BUNDLES, place=place),
        may_give=caller.actor.may(Right.ALLOT_NUMBERS, place=place)
        and view.instance.side is Side.BELOW,
        is_own_proposal=view.instance.proposed_by == caller.actor.account,
        shown=shown,
        fields=fields or {},
        words=exchange_words,
        **told(error),
    )
