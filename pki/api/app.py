"""The application: routes, problems, and the description that is made of them (OpenAPI)."""

from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from pki.api.boundary import Boundary
from pki.api.file_routes import file_router
from pki.api.operator_routes import operator_router
from pki.api.ports import ApiServices
from pki.api.problems import PROBLEM_MEDIA_TYPE, Problem, install_problem_handlers
from pki.api.request_routes import request_router
from pki.api.service_routes import service_router

__all__ = ["bounded", "create_app", "describe"]

_VERSION: Final = "1"
_DESCRIPTION: Final = (
    "The certification service of membercard. Operators come with their client certificates through the proxy; "
    "certificates, lists and checkpoints are files for everybody. Errors are problem documents (RFC 9457) with a "
    "stable code."
)


def create_app(services: ApiServices) -> FastAPI:
    """The application over these services; serve it behind ``bounded``."""
    app = _build()
    app.state.services = services
    return app


def bounded(app: FastAPI) -> ASGIApp:
    """The application behind its outermost layer."""
    return Boundary(app)


def describe() -> dict[str, Any]:
    """The description of the API (OpenAPI 3.1)."""
    return _build().openapi()


def _problem(description: str) -> dict[str, Any]:
    schema = Problem.model_json_schema()
    return {"description": description, "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}}}


def _build() -> FastAPI:
    app = FastAPI(
        title="membercard PKI",
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
    for router in (request_router, file_router, service_router, operator_router):
        app.include_router(router)
    install_problem_handlers(app)
    return app
