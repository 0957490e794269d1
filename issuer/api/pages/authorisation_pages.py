"""What is done on a decision's page about its batch authorisation: write it down, sign it by security key, take it along."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from issuer.api.authorisation_routes import (
    Authoriser,
    TermsBody,
    create_once,
    digest_of,
    file_response,
    signing_of,
)
from issuer.api.decision_routes import DecisionIdPath
from issuer.api.form_fields import FormFields
from issuer.api.gate import Services
from issuer.api.pages.decision_view import ASKED_AGAIN, show_decision_page
from issuer.api.pages.form_keys import form_key
from issuer.api.pages.session_cookie import set_session_cookie
from issuer.api.problems import ApiError
from issuer.api.request_routes import RequestReader
from issuer.domain.decisions import DecisionId
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from pki.errors import PkiError

__all__ = ["authorisation_page_router"]

authorisation_page_router = APIRouter(include_in_schema=False)


@authorisation_page_router.post("/decisions/{decision_id}/authorisations", response_model=None)
def write_down(
    decision_id: DecisionIdPath,
    request: Request,
    services: Services,
    caller: Authoriser,
    fields: FormFields,
) -> Response:
    """Write an authorisation down."""
    try:
        body = TermsBody.model_validate(
            {
                "signer": fields.get("signer", "").strip(),
                "hours": fields.get("hours", ""),
                "chips": fields.get("chips") or 0,
            }
        )
    except ValidationError as error:
        raise ApiError("the terms are none", code="api.request-invalid") from error
    try:
        create_once(services, caller, decision_id, body, key=form_key(fields))
    except (IssuerRefusedError, IssuerDataError, ConflictError, PkiError) as error:
        if error.code in ASKED_AGAIN:
            raise
        return show_decision_page(request, services, caller, decision_id, error=error)
    return RedirectResponse(f"/decisions/{decision_id}#authorisation", status_code=303)


@authorisation_page_router.get("/decisions/{decision_id}/authorisation/file", response_model=None)
def take_along(decision_id: DecisionIdPath, services: Services, caller: RequestReader) -> Response:
    """The file for the signer."""
    return file_response(caller, services, decision_id)


@authorisation_page_router.post("/decisions/{decision_id}/authorisation/sign", response_model=None)
def sign(
    decision_id: DecisionIdPath,
    request: Request,
    services: Services,
    caller: Authoriser,
    fields: FormFields,
) -> Response:
    """Take what the security key said over the digest that the page showed."""
    signing, digest = signing_of(services), digest_of(fields.get("digest", ""))
    try:
        signed = signing.sign(caller.token, fields.get("response", "").encode(), digest=digest)
    except (IssuerRefusedError, IssuerDataError) as error:
        if error.code in ASKED_AGAIN:
            raise
        return show_decision_page(request, services, caller, decision_id, error=error)
    response: Response
    try:
        signing.attach(DecisionId(decision_id), signed)
    except (IssuerRefusedError, IssuerDataError, ConflictError, PkiError) as error:
        response = show_decision_page(request, services, caller, decision_id, error=error)
    else:
        response = RedirectResponse(f"/decisions/{decision_id}#authorisation", status_code=303)
    # The key was shown, whatever became of the signature: the session goes on under its new token.
    set_session_cookie(response, signed.opened.token)
    return response
