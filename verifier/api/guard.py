"""The outermost layer of the terminal's page: it answers its own page and paired programs, and nobody else.

What is asked of a page's request stands in ``pki.web.local_page``. A program of the interface comes by a WebSocket
without an Origin: every browser sends one, so a browser's page is never a program.
"""

from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from pki.web.local_page import (
    MAX_BODY_BYTES,
    PAIR_PATH,
    PageFault,
    PageRefusedError,
    PageRules,
    bounded_body,
    check_host,
    check_page,
    cookie_of,
    hardened,
    single_headers,
)
from verifier.api.pairing import COOKIE, PagePairing
from verifier.api.refusals import refusal_response

__all__ = ["INTERFACE_PATH", "MAX_BODY_BYTES", "PAIR_PATH", "Guard", "read_cookie"]

INTERFACE_PATH: Final = "/v1/terminal"
_FOR_EVERYBODY: Final = frozenset({"/static/terminal.css", "/static/icon.svg"})
_PERMISSIONS: Final = b"camera=(self), microphone=(), geolocation=()"


class Guard:
    """ASGI middleware around the application; ``authorities`` are the values of Host that mean this terminal."""

    def __init__(self, app: ASGIApp, *, pairing: PagePairing, authorities: frozenset[str]) -> None:
        self._app = app
        self._rules = PageRules(authorities=authorities, pairing=pairing, open_paths=_FOR_EVERYBODY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or say why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = single_headers(scope)
        is_websocket = scope["type"] == "websocket"
        answer = send if is_websocket else hardened(send, permissions=_PERMISSIONS)
        try:
            self._check(scope, headers)
            if not is_websocket:
                receive = await bounded_body(scope, receive)
        except PageRefusedError as error:
            is_program = is_websocket or b"text/html" not in headers.get(b"accept", b"")
            is_fragment = b"hx-request" in headers
            response = refusal_response(
                f"terminal.{error.fault}",
                is_fragment=is_fragment,
                wants_json=is_program and not is_fragment,
            )
            await response(scope, receive, answer)
            return
        await self._app(scope, receive, answer)

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        check_host(scope, headers, self._rules)
        if scope["type"] != "websocket":
            check_page(scope, headers, self._rules)
        elif b"origin" in headers or scope["path"] != INTERFACE_PATH:
            raise PageRefusedError("a page asked", PageFault.ORIGIN_REFUSED)


def read_cookie(headers: Mapping[bytes, bytes]) -> str | None:
    """The browser's cookie, where it sends one."""
    return cookie_of(headers.get(b"cookie", b""), COOKIE)
