"""Pages of batches: how far each has come, and the step that comes next, for whoever may take it."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from issuer.api.batch_routes import (
    BatchIdPath,
    BatchListQuery,
    CardReader,
    batch_page,
    minutes_paper,
    packing_paper,
    proof_paper,
    shown_batch,
)
from issuer.api.cursors import MAX_CURSOR_CHARACTERS
from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Services
from issuer.api.once import Receipt, carry_out_once, mark_of
from issuer.api.pages import batch_words
from issuer.api.pages.form_keys import form_key, problem_words
from issuer.api.pages.rendering import render
from issuer.api.pages.stock_forms import ASKED_AGAIN, serials_of
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, status_of
from issuer.domain.batch import (
    Acknowledgement,
    AcknowledgementKind,
    BatchId,
    BatchState,
)
from issuer.domain.card_number import CardNumber
from issuer.domain.chip import parse_serial
from issuer.domain.rights import Right
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = ["batch_page_router"]

batch_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/batches"
_PAGE: Final = 40
_LINES: Final = 40
_Told = IssuerDataError | IssuerRefusedError
_SEPARATORS: Final = re.compile(r"[\s,;]+")
_MAX_DIGITS: Final = 4


class ActOutcome(BaseModel):
    """What came of a step: how many it took, and which it did not take, each with the code."""

    done: int
    refused: list[tuple[str, str]] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)


@batch_page_router.get(_LIST, response_model=None)
def batches_page(
    request: Request,
    services: Services,
    caller: CardReader,
    state: Annotated[str, Query(max_length=16)] = "",
    cursor: Annotated[str | None, Query(max_length=MAX_CURSOR_CHARACTERS)] = None,
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


@batch_page_router.get(_LIST + "/{batch_id}/proof", response_model=None)
def proof_page(batch_id: BatchIdPath, services: Services, caller: CardReader) -> Response:
    """Its proof sheet."""
    return proof_paper(caller, services, batch_id)


@batch_page_router.get(_LIST + "/{batch_id}/packing-list", response_model=None)
def packing_page(batch_id: BatchIdPath, services: Services, caller: CardReader) -> Response:
    """Its packing list."""
    return packing_paper(caller, services, batch_id)


@batch_page_router.get(_LIST + "/{batch_id}/minutes", response_model=None)
def minutes_page(
    batch_id: BatchIdPath, services: Services, caller: CardReader, *, members: bool = False
) -> Response:
    """The minutes of its hand-over."""
    return minutes_paper(caller, services, batch_id, to_members=members)


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
    outcome = ActOutcome.model_validate_json(kept.body)
    if outcome.refused or outcome.missing:
        return _show(request, services, caller, identifier, outcome=outcome)
    return RedirectResponse(f"{_LIST}/{identifier}", status_code=303)


def _act(
    services: ApiServices, caller: Caller, batch: BatchId, fields: Mapping[str, str]
) -> Callable[[], ActOutcome]:
    """What the form asks for."""
    actor, office = caller.actor, services.batches
    filling, freezing, delivery = office.filling, office.freezing, office.delivery
    text = {name: fields.get(name, "").strip() for name in ("proof", "size", "carrier")}
    acts: dict[str, Callable[[], ActOutcome]] = {
        "fill": lambda: _done(filling.fill(batch, actor=actor)),
        "cancel": lambda: _done(filling.cancel(batch, actor=actor)),
        "propose": lambda: _done(freezing.propose(batch, actor=actor)),
        "take-back": lambda: _done(freezing.take_back(batch, actor=actor)),
        "freeze": lambda: _done(freezing.confirm(batch, text["proof"], actor=actor)),
        "pass": lambda: _pass(services, caller, batch, serials_of(fields)),
        "pack": lambda: _done(
            delivery.pack(batch, cards_of_box=_box_size(text["size"]), actor=actor)
        ),
        "dispatch": lambda: _done(delivery.dispatch(batch, carrier=text["carrier"], actor=actor)),
        "receive": lambda: _receive(services, caller, batch, _numbers(services, fields)),
        "hand-over": lambda: _hand_over(
            services, caller, batch, _numbers(services, fields), fields.get("signed_by", "")
        ),
    }
    act = acts.get(fields.get("act", ""))
    if act is None:
        raise ApiError("the form asks for nothing known", code="api.request-invalid")
    return act


def _box_size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise IssuerDataError("the box holds no number", code="batch.box-size")
    return int(text)


def _done(_result: object) -> ActOutcome:
    return ActOutcome(done=1)


def _numbers(services: ApiServices, fields: Mapping[str, str]) -> list[CardNumber]:
    texts = [each for each in _SEPARATORS.split(fields.get("numbers", "")) if each]
    return [services.scheme.parse(each) for each in texts]


def _pass(services: ApiServices, caller: Caller, batch: BatchId, serials: list[str]) -> ActOutcome:
    report = services.batches.control.pass_cards(
        batch, [parse_serial(each) for each in serials], actor=caller.actor
    )
    return ActOutcome(
        done=report.passed,
        refused=[(each.serial.hex().upper(), each.code) for each in report.refused],
    )


def _receive(
    services: ApiServices, caller: Caller, batch: BatchId, numbers: list[CardNumber]
) -> ActOutcome:
    report = services.batches.delivery.receive(batch, numbers, actor=caller.actor)
    display = services.scheme.display
    return ActOutcome(
        done=report.counted,
        refused=[(display(each), "batch.unexpected") for each in report.unexpected],
        missing=[display(each.card_number) for each in report.missing],
    )


def _hand_over(
    services: ApiServices,
    caller: Caller,
    batch: BatchId,
    numbers: list[CardNumber],
    signed_by: str,
) -> ActOutcome:
    if signed_by not in set(AcknowledgementKind):
        raise ApiError("the form does not say who signed", code="api.request-invalid")
    kind = AcknowledgementKind(signed_by)
    outcomes = list(
        services.batches.delivery.hand_over(
            batch, numbers, Acknowledgement(kind=kind), actor=caller.actor
        )
    )
    display = services.scheme.display
    return ActOutcome(
        done=sum(each.code is None for each in outcomes),
        refused=[
            (display(each.card_number), each.code) for each in outcomes if each.code is not None
        ],
    )


def _show(
    request: Request,
    services: ApiServices,
    caller: Caller,
    batch: BatchId,
    *,
    behind: int | None = None,
    fields: Mapping[str, str] | None = None,
    outcome: ActOutcome | None = None,
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
        is_own_proposal=shown.proposed_by == caller.actor.account,
        outcome=outcome,
        fields=fields or {},
        first=None if behind is None else here,
        next=None if lines.end is None else f"{here}?behind={lines.end}",
        words=batch_words,
        **told,
    )
