"""The gate: every route says which right it asks for, and a route that says nothing is not built.

Who calls is told by a session: its token comes in a cookie of the console, or as a bearer token of a program. A
route declares exactly one of ``Demand`` (a right), ``AnySession`` (a session and no right) and ``NoSession``, the last
two with the reason. Having the right somewhere opens the gate; the use case demands it at the place of the matter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPMethod
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from issuer.api.ports import ApiServices
from issuer.api.problems import ApiError
from issuer.domain.rights import Actor, Right
from issuer.domain.session import Face, SessionToken
from issuer.errors import IssuerRefusedError
from issuer.services.log_in import Presence
from issuer.services.request_rates import RateKind

__all__ = [
    "SESSION_COOKIE",
    "AnySession",
    "Caller",
    "Declaration",
    "Demand",
    "NoSession",
    "Services",
    "all_routes",
    "caller_of",
    "check_routes",
    "client_address",
    "declarations",
]

SESSION_COOKIE: Final = "__Host-membercard-issuer"
"""The prefix makes browsers keep it to this host, to encrypted connections and to the whole site (RFC 6265bis)."""

_SAFE_METHODS: Final = frozenset({HTTPMethod.GET, HTTPMethod.HEAD, HTTPMethod.OPTIONS})


def _services(request: Request) -> ApiServices:
    services: ApiServices = request.app.state.services
    return services


Services = Annotated[ApiServices, Depends(_services)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever passed the gate."""

    presence: Presence
    token: SessionToken = field(repr=False)
    now: datetime

    @property
    def actor(self) -> Actor:
        """Who acts."""
        return self.presence.actor


def caller_of(request: Request, services: ApiServices) -> Caller:
    """Who calls, by the session that the request carries.

    Raises:
        IssuerRefusedError: it carries none that goes on (``session.ended``).
        IssuerDataError: ``session.token-malformed``.
    """
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, text = authorization.partition(" ")
        text = text if scheme.lower() == "bearer" else ""
        face = Face.COMMAND_LINE
    else:
        text = request.cookies.get(SESSION_COOKIE, "")
        face = Face.CONSOLE
    if not text:
        raise IssuerRefusedError("nobody is logged in here", code="session.ended", hint="log in")
    token = SessionToken.from_text(text)
    presence = services.log_in.authenticate(token, face=face).over_http()
    return Caller(presence=presence, token=token, now=services.now())


def client_address(request: Request) -> str:
    """Where the request came from, as far as can be known: behind the proxy's socket it is what the proxy says."""
    if request.client is None or not request.client.host:
        return request.headers.get("x-real-ip", "")[:64]
    return request.client.host


def _count_address(request: Request, services: ApiServices) -> None:
    """Count a request of its address; those of which nobody says where they come from are not thrown together."""
    address = client_address(request)
    if address:
        services.rates.count(RateKind.ADDRESS, address)


def refuse_foreign_origin(request: Request) -> None:
    """A browser says on whose behalf it asks for a change; programs that are no browsers say nothing.

    Raises:
        ApiError: ``api.foreign-origin``.
    """
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        is_ours = site in {"same-origin", "none"}
    elif origin is not None:
        is_ours = urlsplit(origin).netloc == request.headers.get("host", "")
    else:
        is_ours = True
    if not is_ours:
        raise ApiError("another site's page asked for a change", code="api.foreign-origin")


class Declaration:
    """What a route says of who may call it."""


class _WithSession(Declaration):
    allows_restricted = False

    def __call__(self, request: Request, services: Services) -> Caller:
        """Let pass who has a session.

        Raises:
            IssuerRefusedError: ``session.ended``, ``right.missing``.
            IssuerDataError: ``session.token-malformed``.
            ApiError: ``api.session-restricted``, ``api.foreign-origin``.
            TooManyAttemptsError: ``request.too-many``.
        """
        refuse_foreign_origin(request)
        # Counted before the session is looked up: guessing tokens costs a database nothing beyond the limit.
        _count_address(request, services)
        caller = caller_of(request, services)
        services.rates.count(RateKind.SESSION, caller.presence.session.session_id.hex)
        restriction = caller.presence.restriction
        if restriction is not None and not self.allows_restricted:
            request.state.restriction = restriction
            raise ApiError(
                f"the session is restricted: {restriction.value}", code="api.session-restricted"
            )
        request.state.caller = caller
        self.judge(caller)
        return caller

    def judge(self, caller: Caller) -> None:
        """Nothing more is asked for."""


class Demand(_WithSession):
    """A session whose actor has this right in some part of the tree."""

    def __init__(self, right: Right) -> None:
        self.right = right

    def judge(self, caller: Caller) -> None:
        """Let pass who has the right somewhere.

        Raises:
            IssuerRefusedError: ``right.missing``.
        """
        if not caller.actor.may_somewhere(self.right):
            raise IssuerRefusedError(
                f"account {caller.actor.account} has no right {self.right}", code="right.missing"
            )


class AnySession(_WithSession):
    """A session and no right, for a reason."""

    def __init__(self, reason: str, *, allows_restricted: bool = False) -> None:
        """Say why.

        Args:
            reason: why no right is asked for.
            allows_restricted: whether it is open to a session in which something must be done first.
        """
        self.reason = reason
        self.allows_restricted = allows_restricted


class NoSession(Declaration):
    """Nobody is asked who they are, for a reason."""

    def __init__(self, reason: str, *, is_limited: bool = True) -> None:
        """Say why.

        Args:
            reason: why nobody is asked.
            is_limited: whether requests are counted; not where a machine asks whether this one is well.
        """
        self.reason = reason
        self.is_limited = is_limited

    def __call__(self, request: Request, services: Services) -> None:
        """Let everybody pass whom no other site sent.

        Raises:
            ApiError: ``api.foreign-origin``.
            TooManyAttemptsError: ``request.too-many``.
        """
        refuse_foreign_origin(request)
        if self.is_limited:
            _count_address(request, services)


def declarations(route: BaseRoute) -> list[Declaration]:
    """Everything that a route says of who may call it."""
    if not isinstance(route, APIRoute):
        return []
    return _declared(route.dependant)


def check_routes(app: FastAPI) -> None:
    """Deny by default: an application with a route that says nothing, or says two things, is not built.

    Raises:
        TypeError: the program is wrong.
    """
    for route in all_routes(app.routes):
        if len(declarations(route)) != 1:
            raise TypeError(
                f"route {getattr(route, 'path', route)} does not say once which right it asks for"
            )


def all_routes(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Every route, those of routers within routers, too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if isinstance(inner, APIRouter):
            # Whatever is declared where a router is taken in would hide from us.
            if inner.dependencies:
                raise TypeError("a router has dependencies, expected them at its routes")
            yield from all_routes(inner.routes)
        else:
            yield route


def _declared(dependant: Dependant) -> list[Declaration]:
    found = [dependant.call] if isinstance(dependant.call, Declaration) else []
    for each in dependant.dependencies:
        found += _declared(each)
    return found
