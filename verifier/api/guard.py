"""The outermost layer of the local page: it answers its own page and paired programs, and nobody else.

In this order, before anything else looks at a request:

1. The Host header is this terminal's own address: a name that somebody made to point here is not (DNS rebinding).
2. The Origin, where a browser sends one, is this page's; a browser's page is never a program of the JSON interface.
3. The cookie is that of a browser that was paired since the start; the page's address is of no use to anybody else.
4. Whatever changes something carries the page's own token (CSRF).
5. What comes in is bounded in length.
"""

import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from verifier.api.pairing import COOKIE, PagePairing
from verifier.api.refusals import RefusedError, refusal_response

__all__ = ["INTERFACE_PATH", "PAIR_PATH", "Guard", "read_cookie"]

PAIR_PATH: Final = "/pair/"
INTERFACE_PATH: Final = "/v1/terminal"
MAX_BODY_BYTES: Final = 4096
_MAX_TARGET_BYTES: Final = 512
_FOR_EVERYBODY: Final = frozenset({"/static/terminal.css", "/static/icon.svg"})
"""What a refusal looks like; it tells nothing."""

_READING: Final = frozenset({"GET", "HEAD"})
_FRIENDLY_SITES: Final = frozenset({b"same-origin", b"none"})
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", _POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class Guard:
    """ASGI middleware around the application; ``authorities`` are the values of Host that mean this terminal."""

    def __init__(self, app: ASGIApp, *, pairing: PagePairing, authorities: frozenset[str]) -> None:
        self._app = app
        self._pairing = pairing
        self._authorities = frozenset(name.encode() for name in authorities)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or say why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = _single(scope)
        hardened = send if scope["type"] == "websocket" else _hardened(send)
        try:
            self._check(scope, headers)
            if scope["type"] == "http":
                receive = await _bounded_body(scope, receive)
        except RefusedError as error:
            is_program = scope["type"] == "websocket" or b"text/html" not in headers.get(
                b"accept", b""
            )
            is_fragment = b"hx-request" in headers
            response = refusal_response(
                error.code,
                is_fragment=is_fragment,
                wants_json=is_program and not is_fragment,
            )
            await response(scope, receive, hardened)
            return
        await self._app(scope, receive, hardened)

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        host = headers.get(b"host", b"")
        if host not in self._authorities:
            raise RefusedError("another host was asked for", code="terminal.host-refused")
        raw_path: bytes = scope.get("raw_path") or b""
        if len(raw_path) + len(scope["query_string"]) > _MAX_TARGET_BYTES:
            raise RefusedError("the path is too long", code="terminal.too-long")
        if scope["type"] == "websocket":
            # Every browser sends an Origin with a WebSocket; no program does.
            if b"origin" in headers or scope["path"] != INTERFACE_PATH:
                raise RefusedError("a page asked", code="terminal.origin-refused")
        else:
            self._check_page(scope, headers, own_origin=b"http://" + host)

    def _check_page(
        self, scope: Scope, headers: Mapping[bytes, bytes], *, own_origin: bytes
    ) -> None:
        is_changing = scope["method"] not in _READING
        origin = headers.get(b"origin")
        if (origin is None and is_changing) or origin not in (None, own_origin):
            raise RefusedError("another origin asked", code="terminal.origin-refused")
        if headers.get(b"sec-fetch-site", b"none") not in _FRIENDLY_SITES:
            raise RefusedError("another site asked", code="terminal.origin-refused")
        if not is_changing and (
            scope["path"].startswith(PAIR_PATH) or scope["path"] in _FOR_EVERYBODY
        ):
            return
        cookie = read_cookie(headers)
        if cookie is None or not self._pairing.admits(cookie):
            raise RefusedError("the browser is not paired", code="terminal.not-paired")
        if is_changing and not secrets.compare_digest(
            headers.get(b"x-csrf-token", b""), self._pairing.csrf_token(cookie).encode()
        ):
            raise RefusedError("the page's token is missing", code="terminal.csrf-refused")


def read_cookie(headers: Mapping[bytes, bytes]) -> str | None:
    """The browser's cookie, where it sends one."""
    try:
        found = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def _single(scope: Scope) -> dict[bytes, bytes]:
    """The headers by name; one that stands twice counts as neither, so that nobody is shown another than we see."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        found[name] = b"\x00" if name in found else value
    return found


async def _bounded_body(scope: Scope, receive: Receive) -> Receive:
    if scope["method"] in _READING:
        return receive
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise RefusedError("the body is too long", code="terminal.too-long")
        if not message.get("more_body", False):
            break
    waiting: list[Message] = [
        {"type": "http.request", "body": bytes(body), "more_body": False},
    ]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _hardened(send: Send) -> Send:
    async def harden(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name for name, _ in _HEADERS}
            kept = [pair for pair in message.get("headers", []) if pair[0].lower() not in names]
            message = {**message, "headers": [*kept, *_HEADERS]}
        await send(message)

    return harden
