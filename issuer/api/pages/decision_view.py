"""The page of one decision, as it is shown and as it is shown again with what was refused."""

import uuid
from typing import Final

from fastapi import Request, Response

from issuer.api.authorisation_routes import AuthorisationDocument
from issuer.api.decision_routes import shown_decision
from issuer.api.gate import Caller
from issuer.api.pages import words
from issuer.api.pages.form_keys import problem_words
from issuer.api.pages.rendering import render
from issuer.api.ports import ApiServices
from issuer.api.problems import ProductError, status_of
from issuer.api.request_documents import RequestListQuery
from issuer.api.request_routes import request_page
from issuer.domain.decisions import DecisionId
from issuer.errors import IssuerRefusedError

__all__ = ["ASKED_AGAIN", "show_decision_page"]

ASKED_AGAIN: Final = frozenset({"right.step-up-needed", "session.ended"})
"""Refusals that lead to another page, and from there back."""

_SHOWN_REQUESTS: Final = 20


def show_decision_page(
    request: Request,
    services: ApiServices,
    caller: Caller,
    decision_id: uuid.UUID,
    *,
    error: ProductError | None = None,
) -> Response:
    """The decision, its authorisation and the first of its requests.

    Raises:
        IssuerRefusedError: ``decision.unknown``.
    """
    decision = shown_decision(caller, services, decision_id)
    query = RequestListQuery(decision=decision_id, limit=_SHOWN_REQUESTS)
    authorisation = None
    try:
        found = services.requests.authorising.newest(DecisionId(decision_id), actor=caller.actor)
    except IssuerRefusedError as refused:
        if refused.code != "authorisation.none-written":
            raise
    else:
        authorisation = AuthorisationDocument.of(found)
    return render(
        request,
        "decision.html",
        caller=caller,
        status=200 if error is None else int(status_of(error)),
        decision=decision,
        authorisation=authorisation,
        has_ended=authorisation is not None and authorisation.until <= services.now(),
        uncovered=services.requests.authorising.uncovered(
            DecisionId(decision_id), actor=caller.actor
        )
        if decision.may_authorise
        else 0,
        requests=request_page(caller, services, query),
        words=words,
        **problem_words(error),
    )
