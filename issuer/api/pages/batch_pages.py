"""Pages of batches: how far each has come, and the step that comes next, for whoever may take it."""

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from issuer.api.batch_acts import (
    ActDocument,
    hand_over_cards,
    pass_cards,
    receive_cards,
    sign_once,
)
from issuer.api.batch_routes import (
    BatchDocument,
    BatchIdPath,
    BatchListQuery,
    CardReader,
    batch_page,
    shown_batch,
)
from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Services
from issuer.api.once import Receipt, carry_out_once, mark_of
from issuer.api.pages import batch_words
from issuer.api.pages.form_keys import form_key, problem_words
from issuer.api.pages.rendering import render
from issuer.api.pages.stock_forms import ASKED_AGAIN, serials_of
from issuer.api.pages_of_lists import CursorOfPage
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, status_of
from issuer.domain.batch import Acknowledgement, AcknowledgementKind, BatchId, BatchState
from issuer.domain.card_number import CardNumber
from issuer.domain.requests import RequestId
from issuer.domain.rights import Right
from issuer.domain.stock_account import Site, SiteCode, parse_site_code
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = ["batch_page_router"]

batch_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/batches"
_PAGE: Final = 40
_LINES: Final = 40
_Told = IssuerDataError | IssuerRefusedError
_SEPARATORS: Final = re.compile(r"[\s,;]+")
_MAX_DIGITS: Final = 5
_PICKED: Final = "request-"


@batch_page_router.get(_LIST, response_model=None)
def batches_page(
    request: Request,
    services: Services,
    caller: CardReader,
    state: Annotated[str, Query(max_length=16)] = "",
    cursor: CursorOfPage = None,
) -> Response:
    """Batches, the newest first."""
    chosen = BatchState(state) if state in set(BatchState) else None
    page = batch_page(caller, services, BatchListQuery(state=chosen, cursor=cursor, limit=_PAGE))
    here = f"{_LIST}?state={state}" if chosen else f"{_LIST}?"
    return render(
        request,
        "batches.html",
        caller=caller,
        page=page,
        state=state,
        may_open=caller.actor.may_somewhere(Right.FREEZE_BATCHES),
        first=None if cursor is None else here,
        next=None if page.next is None else f"{here}&cursor={page.next}",
        words=batch_words,
    )


@batch_page_router.get(_LIST + "/{batch_id}", response_model=None)
def one_batch_page(
    batch_id: BatchIdPath,
    request: Request,
    services: Services,
    caller: CardReader,
    behind: Annotated[int | None, Query(ge=0, le=10**7)] = None,
) -> Response:
    """One batch."""
    return _show(request, services, caller, BatchId(batch_id), behind=behind)


@batch_page_router.post(_LIST + "/{batch_id}", response_model=None)
def act_on_batch(
    batch_id: BatchIdPath,
    request: Request,
    services: Services,
    caller: CardReader,
    fields: FormFields,
) -> Response:
    """The next step; whose right it is says the use case. Sent twice, it is done once."""
    key, identifier = form_key(fields), BatchId(batch_id)
    try:
        if fields.get("act") == "sign":
            begun = sign_once(services, caller, identifier, key=key)
            return RedirectResponse((begun.location or "/").removeprefix("/v1"), status_code=303)
        act = _act(services, caller, identifier, fields)
        content = repr(sorted((k, v) for k, v in fields.items() if k != "once")).encode()
        mark = mark_of(
            caller.actor.account, key, what=f"step of batch {identifier}", content=content
        )

        def once() -> Receipt:
            return Receipt(status=200, location=f"{_LIST}/{identifier}", document=act())

        kept = carry_out_once(services, mark, once)
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in ASKED_AGAIN or isinstance(error, ApiError):
            raise
        return _show(request, services, caller, identifier, fields=fields, error=error)
    outcome = ActDocument.model_validate_json(kept.body)
    if outcome.refused or outcome.missing:
        return _show(request, services, caller, identifier, outcome=outcome)
    return RedirectResponse(f"{_LIST}/{identifier}", status_code=303)


def _act(
    services: ApiServices, caller: Caller, batch: BatchId, fields: Mapping[str, str]
) -> Callable[[], ActDocument]:
    """What the form asks for."""
    actor, office = caller.actor, services.batches
    filling, freezing, delivery = office.filling, office.freezing, office.delivery
    text = {name: fields.get(name, "").strip() for name in ("proof", "size", "carrier")}
    acts: dict[str, Callable[[], ActDocument]] = {
        "fill": lambda: ActDocument(
            done=filling.fill(batch, actor=actor, limit=_limit(fields)).filled
        ),
        "take-out": lambda: _take_out(services, caller, batch, _picked(fields)),
        "cancel": lambda: _done(filling.cancel(batch, actor=actor)),
        "propose": lambda: _done(freezing.propose(batch, actor=actor)),
        "take-back": lambda: _done(freezing.take_back(batch, actor=actor)),
        "freeze": lambda: _done(
            freezing.confirm(batch, text["proof"], actor=actor, sites=_chip_sites(fields))
        ),
        "pass": lambda: pass_cards(services, caller, batch, serials_of(fields)),
        "pack": lambda: _done(
            delivery.pack(batch, cards_of_box=_box_size(text["size"]), actor=actor)
        ),
        "dispatch": lambda: _done(delivery.dispatch(batch, carrier=text["carrier"], actor=actor)),
        "receive": lambda: receive_cards(services, caller, batch, _numbers(services, fields)),
        "hand-over": lambda: hand_over_cards(
            services, caller, batch, _numbers(services, fields), _acknowledgement(fields)
        ),
    }
    act = acts.get(fields.get("act", ""))
    if act is None:
        raise ApiError("the form asks for nothing known", code="api.request-invalid")
    return act


def _chip_sites(fields: Mapping[str, str]) -> tuple[SiteCode, ...]:
    text = fields.get("site", "").strip()
    return (parse_site_code(text),) if text else ()


def _box_size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise IssuerDataError("the box holds no number", code="batch.box-size")
    return int(text)


def _limit(fields: Mapping[str, str]) -> int | None:
    text = fields.get("limit", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text) > 0):
        raise IssuerDataError("the limit is no number from 1", code="batch.limit")
    return int(text)


def _take_out(
    services: ApiServices, caller: Caller, batch: BatchId, requests: list[RequestId]
) -> ActDocument:
    if not requests:
        raise ApiError("the form names no request", code="request.none-chosen")
    return ActDocument(done=services.batches.filling.take_out(batch, requests, actor=caller.actor))


def _done(_result: object) -> ActDocument:
    return ActDocument(done=1)


def _numbers(services: ApiServices, fields: Mapping[str, str]) -> list[CardNumber]:
    texts = [each for each in _SEPARATORS.split(fields.get("numbers", "")) if each]
    return [services.scheme.parse(each) for each in texts]


def _acknowledgement(fields: Mapping[str, str]) -> Acknowledgement:
    text = fields.get("signed_by", "")
    if text not in set(AcknowledgementKind):
        raise ApiError("the form does not say who signed", code="api.request-invalid")
    return Acknowledgement(kind=AcknowledgementKind(text))


def _picked(fields: Mapping[str, str]) -> list[RequestId]:
    try:
        return [
            RequestId(uuid.UUID(name.removeprefix(_PICKED)))
            for name in fields
            if name.startswith(_PICKED)
        ]
    except ValueError as error:
        raise ApiError("the form names no request", code="request.none-chosen") from error


def _obstacle(services: ApiServices, caller: Caller, shown: BatchDocument) -> str | None:
    """The code of what keeps a frozen batch from being signed now; ``None`` where nothing is known to."""
    if shown.state is not BatchState.FROZEN or not caller.actor.may_somewhere(
        Right.HAVE_BATCHES_SIGNED
    ):
        return None
    try:
        services.batches.operations.require_signable(
            BatchId(uuid.UUID(shown.id)), actor=caller.actor
        )
    except IssuerRefusedError as error:
        return error.code
    return None


def _sites_shown(services: ApiServices, caller: Caller, shown: BatchDocument) -> tuple[Site, ...]:
    """Where the chips of a batch may come from, for whoever may freeze it now."""
    if shown.state is not BatchState.FREEZING or not caller.actor.may_somewhere(
        Right.FREEZE_BATCHES
    ):
        return ()
    try:
        return services.batches.freezing.sites(BatchId(uuid.UUID(shown.id)), actor=caller.actor)
    except IssuerRefusedError:
        # Whoever may freeze others' batches only is told so when they try.
        return ()


def _show(
    request: Request,
    services: ApiServices,
    caller: Caller,
    batch: BatchId,
    *,
    behind: int | None = None,
    fields: Mapping[str, str] | None = None,
    outcome: ActDocument | None = None,
    error: _Told | None = None,
) -> Response:
    shown = shown_batch(caller, services, batch)
    lines = services.batches.reading.lines(batch, actor=caller.actor, limit=_LINES, behind=behind)
    told = problem_words(error)
    if error is not None and error.code in batch_words.REFUSALS:
        told["remedy"] = batch_words.REFUSALS[error.code]
    here = f"{_LIST}/{batch}"
    may = {
        each.value: caller.actor.may_somewhere(each)
        for each in (
            Right.FREEZE_BATCHES,
            Right.HAVE_BATCHES_SIGNED,
            Right.READ_REQUESTS,
            Right.CONTROL_QUALITY,
            Right.WRITE_STOCK,
            Right.HAND_OVER_CARDS,
            Right.READ_MEMBERS,
        )
    }
    return render(
        request,
        "batch.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        batch=shown,
        lines=[each.line for each in lines.lines],
        display=services.scheme.display,
        may=may,
        obstacle=_obstacle(services, caller, shown),
        sites=_sites_shown(services, caller, shown),
        is_own_proposal=shown.proposed_by == caller.actor.account,
        outcome=outcome,
        fields=fields or {},
        first=None if behind is None else here,
        next=None if lines.end is None else f"{here}?behind={lines.end}",
        words=batch_words,
        **told,
    )
