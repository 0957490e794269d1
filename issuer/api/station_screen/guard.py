"""The outermost layer of a station's screen: it answers its own page in a paired browser, and nobody else (ADR 0041).

What is asked of a request stands in ``pki.web.local_page``.
"""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from issuer.api.station_screen.pairing import ScreenPairing
from issuer.api.station_screen.refusals import refusal_response
from pki.web.local_page import (
    PageRefusedError,
    PageRules,
    bounded_body,
    check_host,
    check_page,
    hardened,
    single_headers,
)

__all__ = ["ScreenGuard"]

_FOR_EVERYBODY: Final = frozenset({"/static/station.css", "/static/mark.svg"})
_PERMISSIONS: Final = b"camera=(), microphone=(), geolocation=()"


class ScreenGuard:
    """ASGI middleware around the application; ``authorities`` are the values of Host that mean this station."""

    def __init__(
        self, app: ASGIApp, *, pairing: ScreenPairing, authorities: frozenset[str]
    ) -> None:
        self._app = app
        self._rules = PageRules(authorities=authorities, pairing=pairing, open_paths=_FOR_EVERYBODY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or say why not."""
        if scope["type"] != "http":
            raise ValueError(f"got a connection of type {scope['type']}, expected http")
        headers = single_headers(scope)
        answer = hardened(send, permissions=_PERMISSIONS)
        try:
            check_host(scope, headers, self._rules)
            check_page(scope, headers, self._rules)
            receive = await bounded_body(scope, receive)
        except PageRefusedError as error:
            response = refusal_response(
                f"screen.{error.fault}", is_fragment=b"hx-request" in headers
            )
            await response(scope, receive, answer)
            return
        await self._app(scope, receive, answer)
