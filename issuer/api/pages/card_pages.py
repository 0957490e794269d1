"""Pages of finished cards: find one, read what ever happened to it, and do what it is time for."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from issuer.api.card_documents import DossierDocument, RemarkBody, ReportBody
from issuer.api.card_routes import (
    CardReader,
    CardReferencePath,
    dossier_paper,
    read_dossier,
    take_act_once,
)
from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Services
from issuer.api.pages import card_words, words
from issuer.api.pages.form_keys import form_key, problem_words
from issuer.api.pages.rendering import render
from issuer.api.pages.stock_forms import ASKED_AGAIN
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, ProductError, status_of
from issuer.domain.rights import Right
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.card_acts import CardAct

__all__ = ["card_page_router"]

card_page_router = APIRouter(include_in_schema=False)

_FIND: Final = "/cards"
_Told = IssuerDataError | IssuerRefusedError
_EVENT_WORDS: Final = {"request": words.REQUEST_EVENTS, **card_words.EVENTS}


@card_page_router.get(_FIND, response_model=None)
def find_card_page(
    request: Request,
    services: Services,
    caller: CardReader,
    card: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """The field in which a card is called, and the way to it."""
    name, error = card.strip(), None
    if name:
        try:
            found = services.cards.finding.find(name, actor=caller.actor)
        except (IssuerDataError, IssuerRefusedError) as caught:
            error = caught
        else:
            return RedirectResponse(f"{_FIND}/{found.hex()}", status_code=303)
    return render(
        request,
        "cards.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        name=name,
        **_told(error),
    )


@card_page_router.get(_FIND + "/{reference}", response_model=None)
def card_page(
    reference: CardReferencePath, request: Request, services: Services, caller: CardReader
) -> Response:
    """One card's dossier."""
    return _show(request, services, caller, reference)


@card_page_router.get(_FIND + "/{reference}/dossier", response_model=None)
def dossier_page(reference: CardReferencePath, services: Services, caller: CardReader) -> Response:
    """The dossier as a document."""
    return dossier_paper(caller, services, reference)


@card_page_router.post(_FIND + "/{reference}", response_model=None)
def act_on_card(
    reference: CardReferencePath,
    request: Request,
    services: Services,
    caller: CardReader,
    fields: FormFields,
) -> Response:
    """An act; whose right it is says the use case. Sent twice, it is done once."""
    key = form_key(fields)
    try:
        act = CardAct(fields.get("act", ""))
    except ValueError as error:
        raise ApiError("the form asks for nothing known", code="api.request-invalid") from error
    try:
        take_act_once(services, caller, reference, act, _body(act, fields), key=key)
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in ASKED_AGAIN or isinstance(error, ApiError):
            raise
        return _show(request, services, caller, reference, fields=fields, error=error)
    return RedirectResponse(f"{_FIND}/{reference}", status_code=303)


def _body(act: CardAct, fields: Mapping[str, str]) -> RemarkBody | ReportBody:
    values = {"remark": fields.get("remark", "").strip()}
    try:
        if act is CardAct.REPORT:
            return ReportBody.model_validate({**values, "reason": fields.get("reason", "")})
        return RemarkBody.model_validate(values)
    except ValidationError as error:
        is_remark = error.errors()[0]["loc"][0] == "remark"
        raise IssuerDataError(
            "a field of the form is wrong",
            code="card.remark" if is_remark else "card.report-reason",
        ) from error


def _show(
    request: Request,
    services: ApiServices,
    caller: Caller,
    reference: str,
    *,
    fields: Mapping[str, str] | None = None,
    error: _Told | None = None,
) -> Response:
    dossier = read_dossier(caller, services, reference)
    offered = services.cards.acts.open_for(dossier, actor=caller.actor)
    number = dossier.card_number
    return render(
        request,
        "card.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        card=DossierDocument.of(dossier),
        number=None if number is None else services.scheme.display(number),
        events=[
            (each, _EVENT_WORDS[each.room.value].get(each.word, each.word))
            for each in reversed(dossier.events)
        ],
        acts=[each.value for each in offered.acts],
        reasons=[each.value for each in offered.reasons],
        reads_members=caller.actor.may_somewhere(Right.READ_MEMBERS),
        reads_requests=caller.actor.may_somewhere(Right.READ_REQUESTS),
        fields=fields or {},
        words=card_words,
        request_words=words,
        **_told(error),
    )


def _told(error: ProductError | None) -> dict[str, str]:
    told = problem_words(error)
    if error is not None and error.code in card_words.REFUSALS:
        told["remedy"] = card_words.REFUSALS[error.code]
    return told
