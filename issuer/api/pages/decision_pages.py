"""Pages of decisions: prepare one with its document, put requests in, confirm it as the second person, drop it."""

import uuid
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from issuer.api.decision_documents import AddBody, DecisionDocument, DecisionListQuery
from issuer.api.decision_routes import (
    Decider,
    DecisionIdPath,
    add_all_once,
    add_once,
    confirm_once,
    decision_page,
    document_response,
    drop_once,
    prepare_once,
    prepared_form,
)
from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Services
from issuer.api.pages import words
from issuer.api.pages.decision_view import ASKED_AGAIN, show_decision_page
from issuer.api.pages.form_keys import form_key, problem_words
from issuer.api.pages.rendering import render
from issuer.api.pages.request_outcome_page import outcomes_page
from issuer.api.pages_of_lists import CursorOfPage
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, status_of
from issuer.api.request_documents import OutcomesDocument
from issuer.api.request_routes import RequestReader
from issuer.domain.rights import Right
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.operation_ports import KeptAnswer

__all__ = ["decision_page_router"]

decision_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/decisions"
_PAGE: Final = 40
_PICKED: Final = "request-"
_Told = IssuerDataError | IssuerRefusedError | ConflictError


@decision_page_router.get(_LIST, response_model=None)
def decisions_page(
    request: Request,
    services: Services,
    caller: RequestReader,
    waiting: Annotated[str, Query(max_length=16)] = "",
    cursor: CursorOfPage = None,
) -> Response:
    """A page of decisions, the newest first."""
    is_waiting = waiting == "confirm"
    query = DecisionListQuery(waiting=is_waiting, cursor=cursor, limit=_PAGE)
    page = decision_page(caller, services, query)
    here = f"{_LIST}?waiting=confirm&" if is_waiting else f"{_LIST}?"
    return render(
        request,
        "decisions.html",
        caller=caller,
        page=page,
        is_waiting=is_waiting,
        count=services.requests.reading.decisions_waiting(caller.actor),
        first=None if cursor is None else here[:-1],
        next=None if page.next is None else f"{here}cursor={page.next}",
        may_decide=caller.actor.may_somewhere(Right.DECIDE),
        words=words,
    )


@decision_page_router.get(_LIST + "/prepare", response_model=None)
def prepare_page(
    request: Request,
    caller: Decider,
    committee: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    """The form."""
    return _prepare_form(request, caller, committee=committee)


@decision_page_router.post(_LIST + "/prepare", response_model=None)
async def prepare(request: Request, services: Services, caller: Decider) -> Response:
    """Keep the decision, and go on to fill it; sent twice, it is done once."""
    try:
        async with prepared_form(request) as form:
            kept = await run_in_threadpool(
                prepare_once, services, caller, form.draft, key=form_key(form.more)
            )
            is_for_all = form.more.get("all") == "all"
    except (IssuerDataError, IssuerRefusedError, ConflictError) as error:
        if error.code in ASKED_AGAIN:
            raise
        return _prepare_form(request, caller, error=error)
    decision = DecisionDocument.model_validate_json(kept.body)
    if not is_for_all:
        return RedirectResponse(f"{_LIST}/{decision.id}", status_code=303)
    begun = await run_in_threadpool(_fill, services, caller, decision, form_key(form.more))
    return RedirectResponse((begun.location or "/").removeprefix("/v1"), status_code=303)


@decision_page_router.get(_LIST + "/{decision_id}", response_model=None)
def one_decision_page(
    decision_id: DecisionIdPath, request: Request, services: Services, caller: RequestReader
) -> Response:
    """One decision with its requests."""
    return show_decision_page(request, services, caller, decision_id)


@decision_page_router.get(_LIST + "/{decision_id}/document", response_model=None)
def document_page(
    decision_id: DecisionIdPath, services: Services, caller: RequestReader
) -> Response:
    """The attached document."""
    return document_response(caller, services, decision_id)


@decision_page_router.post(_LIST + "/{decision_id}", response_model=None)
def act_on_decision(
    decision_id: DecisionIdPath,
    request: Request,
    services: Services,
    caller: Decider,
    fields: FormFields,
) -> Response:
    """Put everything in, confirm it or give it up, as it was shown."""
    try:
        kept = _act(services, caller, decision_id, fields)
    except (IssuerDataError, IssuerRefusedError, ConflictError) as error:
        if error.code in ASKED_AGAIN:
            raise
        return show_decision_page(request, services, caller, decision_id, error=error)
    return RedirectResponse((kept.location or "/").removeprefix("/v1"), status_code=303)


@decision_page_router.post("/requests/table", response_model=None)
def table_picked(
    request: Request, services: Services, caller: Decider, fields: FormFields
) -> Response:
    """Put what was picked from the list into a decision that the reader prepared."""
    picked = [name.removeprefix(_PICKED) for name in fields if name.startswith(_PICKED)]
    try:
        body = AddBody.model_validate({"requests": picked})
        decision = uuid.UUID(fields.get("decision", ""))
    except ValueError as error:
        raise ApiError("the form names no request", code="request.none-chosen") from error
    kept = add_once(services, caller, decision, body, key=form_key(fields))
    found = OutcomesDocument.model_validate_json(kept.body)
    if found.refused:
        return outcomes_page(
            request, services, caller, found, step="decide", back=f"{_LIST}/{decision}"
        )
    return RedirectResponse(f"{_LIST}/{decision}", status_code=303)


def _act(
    services: ApiServices, caller: Caller, decision_id: DecisionIdPath, fields: FormFields
) -> KeptAnswer:
    key = form_key(fields)
    match fields.get("act"):
        case "fill":
            return add_all_once(services, caller, decision_id, None, key=key)
        case "confirm":
            count = fields.get("requests", "")
            if not (count.isascii() and count.isdigit() and len(count) <= 6):
                raise ApiError(
                    "the form does not say how many requests", code="api.request-invalid"
                )
            return confirm_once(services, caller, decision_id, int(count), key=key)
        case "drop":
            return drop_once(services, caller, decision_id, key=key)
        case _:
            raise ApiError("the form asks for nothing known", code="api.request-invalid")


def _fill(
    services: ApiServices, caller: Caller, decision: DecisionDocument, key: str
) -> KeptAnswer:
    return add_all_once(services, caller, uuid.UUID(decision.id), None, key=f"{key[:60]}-all")


def _prepare_form(
    request: Request, caller: Caller, *, committee: str = "", error: _Told | None = None
) -> Response:
    roots = caller.actor.roots(Right.DECIDE)
    if not committee and roots is not None and len(roots) == 1:
        (committee,) = roots
    return render(
        request,
        "decision_form.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        committee=committee,
        **problem_words(error),
    )
