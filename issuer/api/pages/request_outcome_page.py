"""The page that tells which of many requests did not go on, and why."""

import uuid

from fastapi import Request, Response

from issuer.api.gate import Caller
from issuer.api.pages import words
from issuer.api.pages.rendering import render
from issuer.api.ports import ApiServices
from issuer.api.request_documents import OutcomesDocument
from issuer.domain.requests import RequestId

__all__ = ["outcomes_page"]


def outcomes_page(
    request: Request,
    services: ApiServices,
    caller: Caller,
    found: OutcomesDocument,
    *,
    step: str,
    back: str,
) -> Response:
    """The page, with the names of those whose requests did not go on; ``back`` is where one came from."""
    refused = [each for each in found.outcomes if each.code is not None]
    lines = services.requests.reading.lines(
        [RequestId(uuid.UUID(each.request)) for each in refused if each.request is not None],
        actor=caller.actor,
    )
    return render(
        request,
        "request_outcomes.html",
        caller=caller,
        found=found,
        refused=refused,
        step=step,
        names={
            str(number): line.member.full_name
            for number, line in lines.items()
            if line.member is not None
        },
        back=back,
        words=words,
    )
