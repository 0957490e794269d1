"""Pages of what leaves the stock for good: destructions before two witnesses, and the stop list."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from issuer.api import stock_acts
from issuer.api.form_fields import FormFields
from issuer.api.gate import Caller, Services
from issuer.api.pages import stock_words
from issuer.api.pages.form_keys import form_key
from issuer.api.pages.rendering import render
from issuer.api.pages.stock_forms import ASKED_AGAIN, body_of, number_of, serials_of, told
from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError, status_of
from issuer.api.stock_documents import (
    ConfirmDestructionBody,
    DestructionBody,
    DestructionDocument,
    SerialsBody,
    StopBody,
)
from issuer.api.stock_routes import (
    ChipDestroyer,
    DestructionIdPath,
    StockReader,
    destruction_paper,
)
from issuer.domain.rights import Right
from issuer.domain.stock_acts import DestructionId
from issuer.errors import IssuerDataError, IssuerRefusedError

__all__ = ["stock_end_page_router"]

stock_end_page_router = APIRouter(include_in_schema=False)

_DESTRUCTIONS: Final = "/stock/destructions"
_STOPS: Final = "/stock/stops"
_SHOWN: Final = 50
_PICKED: Final = "serial-"
_Told = IssuerDataError | IssuerRefusedError


@stock_end_page_router.get(_DESTRUCTIONS, response_model=None)
def destructions_page(request: Request, services: Services, caller: StockReader) -> Response:
    """Destructions, the newest first, and the form of the first witness."""
    return _destructions(request, services, caller)


@stock_end_page_router.post(_DESTRUCTIONS, response_model=None)
def witness(
    request: Request, services: Services, caller: ChipDestroyer, fields: FormFields
) -> Response:
    """As the first witness."""
    key = form_key(fields)
    try:
        body = body_of(
            DestructionBody,
            serials=serials_of(fields),
            site=fields.get("site", ""),
            manner=fields.get("manner", "").strip(),
        )
        kept = stock_acts.witness_once(services, caller, body, key=key)
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in ASKED_AGAIN:
            raise
        return _destructions(request, services, caller, fields=fields, error=error)
    return RedirectResponse((kept.location or "/").removeprefix("/v1"), status_code=303)


@stock_end_page_router.get(_DESTRUCTIONS + "/{destruction_id}", response_model=None)
def destruction_page(
    destruction_id: DestructionIdPath, request: Request, services: Services, caller: StockReader
) -> Response:
    """One destruction with its chips."""
    return _destruction(request, services, caller, DestructionId(destruction_id))


@stock_end_page_router.get(_DESTRUCTIONS + "/{destruction_id}/protocol", response_model=None)
def destruction_protocol(
    destruction_id: DestructionIdPath, services: Services, caller: StockReader
) -> Response:
    """Its protocol."""
    return destruction_paper(caller, services, destruction_id)


@stock_end_page_router.post(_DESTRUCTIONS + "/{destruction_id}", response_model=None)
def conclude_destruction(
    destruction_id: DestructionIdPath,
    request: Request,
    services: Services,
    caller: ChipDestroyer,
    fields: FormFields,
) -> Response:
    """As the second witness, confirm it; or say that it did not take place."""
    identifier, key = DestructionId(destruction_id), form_key(fields)
    try:
        if fields.get("act") == "confirm":
            body = body_of(ConfirmDestructionBody, chips=number_of(fields, "chips"))
            stock_acts.confirm_destruction_once(services, caller, identifier, body, key=key)
        elif fields.get("act") == "withdraw":
            stock_acts.withdraw_destruction_once(services, caller, identifier, key=key)
        else:
            raise ApiError("the form asks for nothing known", code="api.request-invalid")
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in ASKED_AGAIN or isinstance(error, ApiError):
            raise
        return _destruction(request, services, caller, identifier, error=error)
    return RedirectResponse(f"{_DESTRUCTIONS}/{identifier}", status_code=303)


@stock_end_page_router.get(_STOPS, response_model=None)
def stops_page(request: Request, services: Services, caller: StockReader) -> Response:
    """The stop list, and the form that reports."""
    return _stops(request, services, caller)


@stock_end_page_router.post(_STOPS, response_model=None)
def act_on_stops(
    request: Request, services: Services, caller: StockReader, fields: FormFields
) -> Response:
    """Report, confirm or lift; whose right it is says the use case."""
    key = form_key(fields)
    try:
        if fields.get("act") == "report":
            body = body_of(StopBody, serials=serials_of(fields), reason=fields.get("reason", ""))
            stock_acts.report_stops_once(services, caller, body, key=key)
        elif fields.get("act") in ("confirm", "lift"):
            picked = [name.removeprefix(_PICKED) for name in fields if name.startswith(_PICKED)]
            stock_acts.conclude_stops_once(
                services,
                caller,
                body_of(SerialsBody, serials=picked),
                is_gone=fields["act"] == "confirm",
                key=key,
            )
        else:
            raise ApiError("the form asks for nothing known", code="api.request-invalid")
    except (IssuerDataError, IssuerRefusedError) as error:
        if error.code in ASKED_AGAIN or isinstance(error, ApiError):
            raise
        return _stops(request, services, caller, fields=fields, error=error)
    return RedirectResponse(_STOPS, status_code=303)


def _destructions(
    request: Request,
    services: ApiServices,
    caller: Caller,
    *,
    fields: Mapping[str, str] | None = None,
    error: _Told | None = None,
) -> Response:
    return render(
        request,
        "stock_destructions.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        destructions=services.stock.destructions.newest(actor=caller.actor, limit=_SHOWN),
        sites=services.stock.room.sites(actor=caller.actor),
        may_destroy=caller.actor.may_somewhere(Right.DESTROY_CARDS),
        fields=fields or {},
        words=stock_words,
        **told(error),
    )


def _destruction(
    request: Request,
    services: ApiServices,
    caller: Caller,
    identifier: DestructionId,
    *,
    error: _Told | None = None,
) -> Response:
    found = DestructionDocument.of_chips(
        services.stock.destructions.show(identifier, actor=caller.actor)
    )
    is_open = found.state.value == "witnessed" and caller.actor.may_somewhere(Right.DESTROY_CARDS)
    return render(
        request,
        "stock_destruction.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        destruction=found,
        may_confirm=is_open and found.first_witness != caller.actor.account,
        may_withdraw=is_open,
        words=stock_words,
        **told(error),
    )


def _stops(
    request: Request,
    services: ApiServices,
    caller: Caller,
    *,
    fields: Mapping[str, str] | None = None,
    error: _Told | None = None,
) -> Response:
    stops = services.stock.stops.newest(actor=caller.actor, limit=_SHOWN)
    return render(
        request,
        "stock_stops.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        stops=stops,
        may_report=caller.actor.may_somewhere(Right.WRITE_STOCK),
        may_conclude=caller.actor.may_somewhere(Right.DESTROY_CARDS)
        and any(
            each.state.value == "reported" and each.reported_by != caller.actor.account
            for each in stops
        ),
        own=caller.actor.account,
        fields=fields or {},
        words=stock_words,
        **told(error),
    )
