"""Pages on which a batch is opened: the decision, the receiving committee, who would go in, and then it is there."""

import uuid
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from issuer.api.batch_act_routes import BatchFreezer
from issuer.api.batch_acts import BatchBody, open_once
from issuer.api.form_fields import FormFields
from issuer.api.gate import Services
from issuer.api.pages import batch_words, words
from issuer.api.pages.form_keys import form_key
from issuer.api.pages.rendering import render
from issuer.api.problems import ApiError
from issuer.domain.decisions import DecisionId
from issuer.domain.organisation import parse_organisation_code
from issuer.services.opening_ports import MOST_WAITING

__all__ = ["opening_page_router"]

opening_page_router = APIRouter(include_in_schema=False)

_HERE: Final = "/batches/open"
_PAGE: Final = 20
_Text = Annotated[str, Query(max_length=80)]


@opening_page_router.get(_HERE, response_model=None)
def choose_decision_page(
    request: Request,
    services: Services,
    caller: BatchFreezer,
    text: _Text = "",
    behind: uuid.UUID | None = None,
) -> Response:
    """The decisions by which cards are to be made."""
    found = services.batches.opening.decisions(
        actor=caller.actor,
        limit=_PAGE,
        text=text,
        behind=None if behind is None else DecisionId(behind),
    )
    chosen = {"text": text} if text else {}
    return render(
        request,
        "batch_open.html",
        caller=caller,
        text=text,
        decisions=found.decisions,
        most=MOST_WAITING,
        first=None if behind is None else f"{_HERE}?{urlencode(chosen)}",
        next=None
        if found.end is None
        else f"{_HERE}?{urlencode({**chosen, 'behind': str(found.end)})}",
    )


@opening_page_router.get(_HERE + "/{decision_id}", response_model=None)
def choose_receiver_page(
    decision_id: uuid.UUID,
    request: Request,
    services: Services,
    caller: BatchFreezer,
    text: _Text = "",
) -> Response:
    """The committees for whose members cards wait."""
    found = services.batches.opening.receivers(
        DecisionId(decision_id), actor=caller.actor, text=text
    )
    return render(
        request,
        "batch_open_receiver.html",
        caller=caller,
        text=text,
        decision=found.decision,
        receivers=found.receivers,
        left_out=found.left_out,
    )


@opening_page_router.get(_HERE + "/{decision_id}/preview", response_model=None)
def preview_page(
    *,
    decision_id: uuid.UUID,
    receiver: Annotated[str, Query(min_length=1, max_length=32)],
    request: Request,
    services: Services,
    caller: BatchFreezer,
    follow: uuid.UUID | None = None,
) -> Response:
    """Who would go in."""
    found = services.batches.opening.preview(
        DecisionId(decision_id), parse_organisation_code(receiver), actor=caller.actor
    )
    return render(
        request,
        "batch_open_preview.html",
        caller=caller,
        found=found,
        follow=follow,
        most=MOST_WAITING,
        display=services.scheme.display,
        kinds=words.REQUEST_KINDS,
        words=batch_words,
    )


@opening_page_router.post(_HERE, response_model=None)
def open_batch(services: Services, caller: BatchFreezer, fields: FormFields) -> Response:
    """Open it and put in what waits; sent twice, it is done once."""
    try:
        body = BatchBody(
            decision=fields.get("decision", ""),
            receiver=fields.get("receiver", ""),
            follow_up_of=fields.get("follow") or None,
        )
    except ValidationError as error:
        raise ApiError(
            "the form names no decision or no committee", code="api.request-invalid"
        ) from error
    kept = open_once(services, caller, body, key=form_key(fields))
    return RedirectResponse((kept.location or "/").removeprefix("/v1"), status_code=303)
