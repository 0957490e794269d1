"""The application of a station's screen, behind its guard."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from issuer.api.station_screen.guard import ScreenGuard
from issuer.api.station_screen.pairing import ScreenPairing
from issuer.api.station_screen.ports import ScreenServices
from issuer.api.station_screen.refusals import ScreenRefusedError, refusal_response
from issuer.api.station_screen.routes import screen_router
from issuer.api.station_screen.streams import ScreenStreams

__all__ = ["create_screen_app"]

_BAD_REQUEST = 400
_NOT_FOUND = 404


def create_screen_app(
    services: ScreenServices,
    *,
    pairing: ScreenPairing,
    streams: ScreenStreams,
    authorities: frozenset[str],
) -> ASGIApp:
    """The application, guarded; ``authorities`` are the values of Host under which it is reached."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(screen_router(services, pairing, streams))

    @app.exception_handler(ScreenRefusedError)
    def refused(request: Request, error: ScreenRefusedError) -> Response:
        return refusal_response(error.code, is_fragment="hx-request" in request.headers)

    @app.exception_handler(HTTPException)
    def no_such_page(request: Request, error: HTTPException) -> Response:
        if error.status_code != _NOT_FOUND:
            return Response(status_code=error.status_code)
        return refused(request, ScreenRefusedError("there is no such page"))

    @app.exception_handler(RequestValidationError)
    def malformed(_request: Request, _error: RequestValidationError) -> Response:
        # The error would quote what came.
        return Response(status_code=_BAD_REQUEST)

    return ScreenGuard(app, pairing=pairing, authorities=authorities)
