"""The central service: routes, problems, and the description that is made of them (OpenAPI)."""

import json
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from verifier.centre_api.boundary import Boundary
from verifier.centre_api.file_routes import file_router
from verifier.centre_api.journal_routes import journal_router
from verifier.centre_api.ports import CentreServices
from verifier.centre_api.problems import PROBLEM_MEDIA_TYPE, Problem, install_problem_handlers
from verifier.centre_api.terminal_routes import terminal_router

__all__ = ["bounded_app", "describe", "description_text"]

_VERSION: Final = "1"
_DESCRIPTION: Final = (
    "The central service of membercard's terminals. Bundles are files for everybody. Enrolled terminals sign their "
    "requests with the key of their CV certificate (HTTP message signatures, RFC 9421; docs/centre.md). Errors are "
    "problem documents (RFC 9457) with a stable code of docs/codes.md."
)


def bounded_app(services: CentreServices) -> ASGIApp:
    """The application over these services, behind its outermost layer."""
    app = _build()
    app.state.services = services
    return Boundary(app, services)


def describe() -> dict[str, Any]:
    """The description of the API (OpenAPI 3.1)."""
    return _build().openapi()


def description_text() -> str:
    """The same as it stands in the documents."""
    return json.dumps(describe(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _problem(description: str) -> dict[str, Any]:
    schema = Problem.model_json_schema()
    return {"description": description, "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}}}


def _build() -> FastAPI:
    app = FastAPI(
        title="membercard centre",
        version=_VERSION,
        description=_DESCRIPTION,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={
            "4XX": _problem("A problem; its code says which."),
            "5XX": _problem("The service cannot answer now."),
        },
    )
    for router in (terminal_router, journal_router, file_router):
        app.include_router(router)
    install_problem_handlers(app)
    return app
