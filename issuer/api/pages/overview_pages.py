"""The first page."""

from fastapi import APIRouter, Request, Response

from issuer.api.gate import Services
from issuer.api.operation_routes import operation_page
from issuer.api.overview_routes import Looking, overview_of
from issuer.api.pages import words
from issuer.api.pages.rendering import render
from issuer.api.pages_of_lists import ListQuery

__all__ = ["overview_page_router"]

overview_page_router = APIRouter(include_in_schema=False)

_RECENT = 5


@overview_page_router.get("/", response_model=None)
def overview_page(request: Request, services: Services, caller: Looking) -> Response:
    """What waits, figures, and what the reader began lately."""
    return render(
        request,
        "overview.html",
        caller=caller,
        overview=overview_of(caller, services),
        operations=operation_page(caller, services, ListQuery(limit=_RECENT)).operations,
        words=words,
    )
