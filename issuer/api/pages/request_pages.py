"""Pages of requests: lists and what waits, one with its time line, drafting, and steps with one or many."""

import uuid
from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from issuer.api.cursors import MAX_CURSOR_CHARACTERS
from issuer.api.decision_documents import DecisionLineDocument, DecisionListQuery
from issuer.api.decision_routes import decision_page
from issuer.api.form_fields import FormFields, local_path
from issuer.api.gate import Caller, Services
from issuer.api.member_routes import MemberIdPath
from issuer.api.pages import words
from issuer.api.pages.form_keys import form_key, problem_words
from issuer.api.pages.rendering import render
from issuer.api.pages.request_outcome_page import outcomes_page
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, status_of
from issuer.api.request_documents import (
    DraftAllBody,
    DraftBody,
    OutcomesDocument,
    RequestListQuery,
    StepAllBody,
    StepBody,
    StepName,
    WaitingStep,
)
from issuer.api.request_routes import (
    Drafter,
    RequestIdPath,
    RequestReader,
    draft_all_once,
    draft_once,
    request_page,
    shown_request,
    step_all_once,
    take_step_once,
)
from issuer.domain.decisions import DecisionState
from issuer.domain.rights import Right
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = ["request_page_router"]

request_page_router = APIRouter(include_in_schema=False)

_LIST: Final = "/requests"
_PAGE: Final = 40
"""A form has at most 64 fields; each request that is picked is one."""

_PICKED: Final = "request-"


class _Chosen(BaseModel):
    """What the form above the list says; it sends fields that were left empty, too."""

    model_config = ConfigDict(extra="forbid")

    waiting: str = Field(default="", max_length=16)
    state: str = Field(default="", max_length=16)
    kind: str = Field(default="", max_length=16)
    organisation: str = Field(default="", max_length=32)
    decision: str = Field(default="", pattern="^(|[0-9a-f-]{36})$")
    cursor: str | None = Field(default=None, min_length=1, max_length=MAX_CURSOR_CHARACTERS)
    done: int = Field(default=0, ge=0, le=1000)


@request_page_router.get(_LIST, response_model=None)
def requests_page(
    request: Request,
    services: Services,
    caller: RequestReader,
    chosen: Annotated[_Chosen, Query()],
) -> Response:
    """A page of the list, and how much waits for the reader."""
    kept = {
        key: value for key, value in chosen.model_dump(exclude={"cursor", "done"}).items() if value
    }
    waiting = chosen.waiting if chosen.waiting in words.WAITING else ""
    query = RequestListQuery.model_validate(
        {
            "waiting": waiting or None,
            "state": chosen.state if chosen.state in words.REQUEST_STATES else None,
            "kind": chosen.kind if chosen.kind in words.REQUEST_KINDS else None,
            "organisation": chosen.organisation or None,
            "decision": chosen.decision or None,
            "cursor": chosen.cursor,
            "limit": _PAGE,
        }
    )
    counts = services.requests.reading.waiting(caller.actor)
    return render(
        request,
        "requests.html",
        caller=caller,
        page=request_page(caller, services, query),
        chosen=chosen,
        waiting=waiting,
        tasks=[(each.value, counts[each.event]) for each in WaitingStep if each.event in counts],
        here=_address(kept | ({"cursor": chosen.cursor} if chosen.cursor else {})),
        first=None if chosen.cursor is None else _address(kept),
        following=lambda cursor: _address(kept | {"cursor": cursor}),
        may_draft=caller.actor.may_somewhere(Right.PROPOSE),
        decisions=_own_decisions(caller, services) if waiting == WaitingStep.DECIDE else (),
        words=words,
    )


def _own_decisions(caller: Caller, services: ApiServices) -> list[DecisionLineDocument]:
    """The decisions that the reader prepared and nobody has confirmed, among the latest."""
    query = DecisionListQuery(state=DecisionState.PREPARED, limit=_PAGE)
    found = decision_page(caller, services, query).decisions
    return [each for each in found if each.prepared_by == caller.actor.account]


@request_page_router.get(_LIST + "/draft", response_model=None)
def draft_page(request: Request, caller: Drafter) -> Response:
    """The form to draft for everybody who may have a card."""
    return _draft_form(request, caller)


@request_page_router.post(_LIST + "/draft", response_model=None)
def draft_for_everybody(
    request: Request, services: Services, caller: Drafter, fields: FormFields
) -> Response:
    """Begin it, and go on to where it can be followed; sent twice, it is done once."""
    try:
        body = DraftAllBody.model_validate(
            {
                "kind": fields.get("kind"),
                "reason": fields.get("reason") or None,
                "organisation": fields.get("organisation", "").strip() or None,
            }
        )
        kept = draft_all_once(services, caller, body, key=form_key(fields))
    except ValidationError as error:
        raise ApiError("the form asks for nothing known", code="api.request-invalid") from error
    except IssuerDataError as error:
        return _draft_form(request, caller, error=error, fields=fields)
    return RedirectResponse((kept.location or "/").removeprefix("/v1"), status_code=303)


@request_page_router.post("/members/{member_id}/requests", response_model=None)
def draft_for_member(
    member_id: MemberIdPath, services: Services, caller: Drafter, fields: FormFields
) -> Response:
    """Draft for one member, and go on to the request."""
    kind, _, reason = fields.get("kind", "").partition(":")
    try:
        body = DraftBody.model_validate(
            {"kind": kind, "reason": reason or None, "members": [member_id]}
        )
    except ValidationError as error:
        raise ApiError("the form asks for nothing known", code="api.request-invalid") from error
    kept = draft_once(services, caller, body, key=form_key(fields))
    outcome = OutcomesDocument.model_validate_json(kept.body).outcomes[0]
    if outcome.code is not None:
        raise IssuerRefusedError(outcome.detail or "", code=outcome.code, hint=outcome.hint)
    return RedirectResponse(f"{_LIST}/{outcome.request}", status_code=303)


@request_page_router.post(_LIST + "/act", response_model=None)
def act(
    request: Request, services: Services, caller: RequestReader, fields: FormFields
) -> Response:
    """Take a step with what was picked, or with all that wait; sent twice, it is done once."""
    back = local_path(fields.get("back", _LIST))
    try:
        if fields.get("all"):
            everything = StepAllBody.model_validate(
                {
                    "step": fields["all"],
                    "kind": fields.get("kind") or None,
                    "organisation": fields.get("organisation") or None,
                }
            )
            kept = step_all_once(services, caller, everything, key=form_key(fields))
            return RedirectResponse((kept.location or "/").removeprefix("/v1"), status_code=303)
        picked = {
            uuid.UUID(name.removeprefix(_PICKED)): int(value)
            for name, value in fields.items()
            if name.startswith(_PICKED)
        }
        body = StepBody.model_validate(
            {
                "step": fields.get("step"),
                "reason": fields.get("reason") or None,
                "requests": [{"id": key, "version": value} for key, value in picked.items()],
            }
        )
    except ValueError as error:
        raise ApiError(
            "the form names no request or no step", code="request.none-chosen"
        ) from error
    kept = take_step_once(services, caller, body, key=form_key(fields))
    found = OutcomesDocument.model_validate_json(kept.body)
    if not found.refused:
        sign = "&" if "?" in back else "?"
        return RedirectResponse(f"{back}{sign}done={found.changed}", status_code=303)
    return outcomes_page(request, services, caller, found, step=body.step.value, back=back)


@request_page_router.get(_LIST + "/{request_id}", response_model=None)
def one_request_page(
    request_id: RequestIdPath, request: Request, services: Services, caller: RequestReader
) -> Response:
    """One request with its time line."""
    return _show(request, services, caller, request_id)


@request_page_router.post(_LIST + "/{request_id}", response_model=None)
def act_on_one(
    request_id: RequestIdPath,
    request: Request,
    services: Services,
    caller: RequestReader,
    fields: FormFields,
) -> Response:
    """Take a step with the request as it was shown."""
    try:
        body = StepBody.model_validate(
            {
                "step": fields.get("step"),
                "reason": fields.get("reason") or None,
                "requests": [{"id": request_id, "version": int(fields.get("version", ""))}],
            }
        )
    except ValueError as error:
        raise ApiError("the form names no step", code="api.request-invalid") from error
    try:
        kept = take_step_once(services, caller, body, key=form_key(fields))
    except IssuerDataError as error:
        return _show(request, services, caller, request_id, error=error)
    outcome = OutcomesDocument.model_validate_json(kept.body).outcomes[0]
    if outcome.code is not None:
        refusal = IssuerRefusedError(outcome.detail or "", code=outcome.code, hint=outcome.hint)
        return _show(request, services, caller, request_id, error=refusal)
    return RedirectResponse(f"{_LIST}/{request_id}", status_code=303)


def _show(
    request: Request,
    services: ApiServices,
    caller: Caller,
    request_id: uuid.UUID,
    *,
    error: IssuerDataError | IssuerRefusedError | None = None,
) -> Response:
    shown = shown_request(caller, services, request_id)
    return render(
        request,
        "request.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        shown=shown,
        plain_steps=[each for each in shown.steps if each not in _WITH_REASON],
        steps_with_reason=[each for each in shown.steps if each in _WITH_REASON],
        words=words,
        **problem_words(error),
    )


_WITH_REASON: Final = frozenset({StepName.SEND_BACK, StepName.WITHDRAW})


def _draft_form(
    request: Request,
    caller: Caller,
    *,
    error: IssuerDataError | None = None,
    fields: Mapping[str, str] | None = None,
) -> Response:
    return render(
        request,
        "draft.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        given=fields or {},
        words=words,
        **problem_words(error),
    )


def _address(fields: Mapping[str, str]) -> str:
    return f"{_LIST}?{urlencode(fields)}" if fields else _LIST
