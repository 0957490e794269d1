"""The application: routes, problems, and the description that is made of them (OpenAPI)."""

import re
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Scope

from issuer.api.answering_errors import install_error_handlers
from issuer.api.audit_routes import audit_router
from issuer.api.authorisation_routes import authorisation_router
from issuer.api.batch_act_routes import batch_act_router
from issuer.api.batch_paper_routes import batch_paper_router
from issuer.api.batch_routes import batch_router
from issuer.api.boundary import Boundary
from issuer.api.bundle_routes import bundle_router
from issuer.api.card_routes import card_router
from issuer.api.decision_routes import decision_router
from issuer.api.gate import check_routes
from issuer.api.history_routes import history_router
from issuer.api.import_routes import import_router
from issuer.api.instance_routes import instance_router
from issuer.api.member_act_routes import member_act_router
from issuer.api.member_check_routes import member_check_router
from issuer.api.member_recording import member_recording_router
from issuer.api.member_routes import member_router
from issuer.api.merged_production_routes import merged_production_router
from issuer.api.merged_report_routes import merged_report_router
from issuer.api.number_routes import number_router
from issuer.api.opening_routes import opening_router
from issuer.api.operation_routes import operation_router
from issuer.api.organisation_act_routes import organisation_act_router
from issuer.api.organisation_routes import organisation_router
from issuer.api.overview_routes import overview_router
from issuer.api.pages.audit_pages import audit_page_router
from issuer.api.pages.authorisation_pages import authorisation_page_router
from issuer.api.pages.batch_pages import batch_page_router
from issuer.api.pages.batch_paper_pages import batch_paper_page_router
from issuer.api.pages.card_pages import card_page_router
from issuer.api.pages.conflict_pages import conflict_page_router
from issuer.api.pages.decision_pages import decision_page_router
from issuer.api.pages.exchange_pages import exchange_page_router
from issuer.api.pages.import_pages import import_page_router
from issuer.api.pages.member_act_pages import member_act_page_router
from issuer.api.pages.member_new_pages import member_new_page_router
from issuer.api.pages.member_pages import member_page_router
from issuer.api.pages.member_portrait_pages import member_portrait_page_router
from issuer.api.pages.number_pages import number_page_router
from issuer.api.pages.oidc_pages import oidc_router
from issuer.api.pages.opening_pages import opening_page_router
from issuer.api.pages.organisation_act_pages import organisation_act_page_router
from issuer.api.pages.organisation_list_pages import organisation_list_page_router
from issuer.api.pages.organisation_pages import organisation_page_router
from issuer.api.pages.overview_pages import overview_page_router
from issuer.api.pages.people_pages import people_page_router
from issuer.api.pages.production_pages import production_page_router
from issuer.api.pages.questionable_pages import questionable_router
from issuer.api.pages.report_pages import report_page_router
from issuer.api.pages.request_pages import request_page_router
from issuer.api.pages.security_key_pages import security_key_router
from issuer.api.pages.shell_pages import shell_router
from issuer.api.pages.station_pages import station_page_router
from issuer.api.pages.stock_end_pages import stock_end_page_router
from issuer.api.pages.stock_pages import stock_page_router
from issuer.api.pages.subject_pages import subject_page_router
from issuer.api.pages.terminal_pages import terminal_page_router
from issuer.api.people_routes import account_proposal_router, people_router
from issuer.api.ports import ApiServices
from issuer.api.problems import PROBLEM_MEDIA_TYPE, Problem
from issuer.api.production_routes import production_router
from issuer.api.report_routes import report_router
from issuer.api.request_routes import request_router
from issuer.api.service_routes import service_router
from issuer.api.session_routes import session_router
from issuer.api.station_routes import station_router
from issuer.api.stock_report_routes import stock_report_page_router, stock_report_router
from issuer.api.stock_routes import stock_router

__all__ = ["bounded", "create_app", "describe", "match_every_route"]

_VERSION: Final = "1"
_DESCRIPTION: Final = (
    "The register of members and their cards. Programs come with a session's token as a bearer token, the console "
    "with a cookie. Lists are pages with a cursor; a POST that makes something carries an Idempotency-Key; long work "
    "is answered with 202 and an operation. Errors are problem documents (RFC 9457) with a stable code."
)
_ROUTERS: Final = (
    session_router,
    overview_router,
    member_router,
    member_act_router,
    member_recording_router,
    member_check_router,
    history_router,
    organisation_router,
    organisation_act_router,
    number_router,
    import_router,
    request_router,
    decision_router,
    authorisation_router,
    operation_router,
    report_router,
    merged_report_router,
    merged_production_router,
    production_router,
    opening_router,
    batch_router,
    batch_act_router,
    batch_paper_router,
    card_router,
    stock_router,
    stock_report_router,
    station_router,
    bundle_router,
    instance_router,
    people_router,
    account_proposal_router,
    audit_router,
    service_router,
    shell_router,
    security_key_router,
    terminal_page_router,
    oidc_router,
    overview_page_router,
    # Before the page of one member, whose address would fit its own.
    member_new_page_router,
    member_page_router,
    member_act_page_router,
    member_portrait_page_router,
    subject_page_router,
    organisation_page_router,
    organisation_act_page_router,
    organisation_list_page_router,
    number_page_router,
    decision_page_router,
    authorisation_page_router,
    request_page_router,
    import_page_router,
    questionable_router,
    people_page_router,
    audit_page_router,
    report_page_router,
    production_page_router,
    opening_page_router,
    batch_page_router,
    batch_paper_page_router,
    card_page_router,
    station_page_router,
    stock_page_router,
    stock_report_page_router,
    stock_end_page_router,
    exchange_page_router,
    conflict_page_router,
)
_UPLOAD_PATHS: Final = frozenset(
    {
        "/v1/bundles",
        "/bundles",
        "/v1/instances",
        "/instances",
        "/v1/organisations",
        "/v1/organisation-lists",
        "/organisation/new",
        "/organisation/list",
        "/v1/imports",
        "/imports",
        "/v1/decisions",
        "/decisions/prepare",
        "/security-keys/certificate",
        "/stock/receive",
    }
)
_UPLOAD_PATTERN: Final = re.compile(
    r"/v1/members/[^/]+/(corrections|standings|transfers|servings|portraits)"
    r"|/v1/members|/members/new"
    r"|/v1/organisations/.+/(renamings|moves|mergers|closures)|/organisation/store/.+"
    r"|/members/[^/]+/(change/[^/]+/store|portrait/new|portrait/new/store|data/deletion)"
)


def create_app(services: ApiServices) -> FastAPI:
    """The application over these services; serve it behind ``bounded``."""
    app = _build()
    app.state.services = services
    return app


def bounded(app: FastAPI) -> ASGIApp:
    """The application behind its outermost layer."""
    services: ApiServices = app.state.services
    return Boundary(app, takes_files=_takes_files, observe=services.metrics.observe)


def _takes_files(path: str) -> bool:
    return path in _UPLOAD_PATHS or _UPLOAD_PATTERN.fullmatch(path) is not None


async def match_every_route(app: FastAPI) -> None:
    """Ask for what is not there: the framework makes what it matches a route with when it first passes it.

    It takes 0.13 s, which the first person would wait.
    """

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        """Nobody asked."""

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/v1/nothing",
        "raw_path": b"/v1/nothing",
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": None,
        "server": None,
    }
    await app(scope, receive, send)


def describe() -> dict[str, Any]:
    """The description of the API (OpenAPI 3.1)."""
    return _build().openapi()


def _problem(description: str) -> dict[str, Any]:
    schema = Problem.model_json_schema()
    return {"description": description, "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}}}


def _build() -> FastAPI:
    app = FastAPI(
        title="membercard issuer",
        version=_VERSION,
        description=_DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={
            "4XX": _problem("A problem; its code says which."),
            "5XX": _problem("The service cannot answer now."),
        },
    )
    for router in _ROUTERS:
        app.include_router(router)
    install_error_handlers(app)
    check_routes(app)
    return app
