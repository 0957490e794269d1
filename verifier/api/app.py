"""The local application: the page, and the interface for programs, behind the guard."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from verifier.api.guard import Guard
from verifier.api.interface_routes import interface_router
from verifier.api.page_routes import page_router
from verifier.api.pairing import PagePairing
from verifier.api.ports import PageServices
from verifier.api.refusals import RefusedError, refusal_response
from verifier.api.streams import Streams

__all__ = ["create_app"]

_BAD_REQUEST = 400


def create_app(
    services: PageServices,
    *,
    pairing: PagePairing,
    streams: Streams,
    authorities: frozenset[str],
) -> ASGIApp:
    """The application, guarded; ``authorities`` are the values of Host under which it is reached."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(page_router(services, pairing, streams))
    app.include_router(interface_router(services))

    @app.exception_handler(RefusedError)
    def refused(request: Request, error: RefusedError) -> Response:
        return refusal_response(
            error.code,
            is_fragment="hx-request" in request.headers,
            wants_json="text/html" not in request.headers.get("accept", ""),
        )

    @app.exception_handler(HTTPException)
    def no_such_page(request: Request, error: HTTPException) -> Response:
        if error.status_code != 404:
            return Response(status_code=error.status_code)
        return refused(request, RefusedError("there is no such page"))

    @app.exception_handler(RequestValidationError)
    def malformed(_request: Request, _error: RequestValidationError) -> Response:
        # The error would quote what was typed.
        return Response(status_code=_BAD_REQUEST)

    return Guard(app, pairing=pairing, authorities=authorities)
