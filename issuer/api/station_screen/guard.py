"""The outermost layer of a station's screen: it answers its own page in a paired browser, and nobody else (ADR 0041).

In this order, before anything else looks at a request:

1. The Host header is this station's own address: a name that somebody made to point here is not (DNS rebinding).
2. The Origin, where a browser sends one, is this page's; where something changes, it is there.
3. The cookie is that of a browser that was paired since the start; the page's address is of no use to anybody else.
4. Whatever changes something carries the page's own token (CSRF).
5. What comes in is bounded in length.
"""

import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from issuer.api.station_screen.pairing import ScreenPairing
from issuer.api.station_screen.refusals import ScreenRefusedError, refusal_response

__all__ = ["MAX_BODY_BYTES", "PAIR_PATH", "ScreenGuard", "cookie_of"]

PAIR_PATH: Final = "/pair/"
MAX_BODY_BYTES: Final = 4096
_MAX_TARGET_BYTES: Final = 512
_FOR_EVERYBODY: Final = frozenset({"/static/station.css", "/static/mark.svg"})
"""What a refusal looks like; it tells nothing."""

_READING: Final = frozenset({"GET", "HEAD"})
_FRIENDLY_SITES: Final = frozenset({b"same-origin", b"none"})
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", _POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class ScreenGuard:
    """ASGI middleware around the application; ``authorities`` are the values of Host that mean this station."""

    def __init__(
        self, app: ASGIApp, *, pairing: ScreenPairing, authorities: frozenset[str]
    ) -> None:
        self._app = app
        self._pairing = pairing
        self._authorities = frozenset(name.encode() for name in authorities)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or say why not."""
        if scope["type"] != "http":
            raise ValueError(f"got a connection of type {scope['type']}, expected http")
        headers = _single(scope)
        hardened = _hardened(send)
        try:
            self._check(scope, headers)
            receive = await _bounded_body(scope, receive)
        except ScreenRefusedError as error:
            response = refusal_response(error.code, is_fragment=b"hx-request" in headers)
            await response(scope, receive, hardened)
            return
        await self._app(scope, receive, hardened)

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        host = headers.get(b"host", b"")
        if host not in self._authorities:
            raise ScreenRefusedError("another host was asked for", code="screen.host-refused")
        raw_path: bytes = scope.get("raw_path") or b""
        if len(raw_path) + len(scope["query_string"]) > _MAX_TARGET_BYTES:
            raise ScreenRefusedError("the path is too long", code="screen.too-long")
        is_changing = scope["method"] not in _READING
        origin = headers.get(b"origin")
        if (origin is None and is_changing) or origin not in (None, b"http://" + host):
            raise ScreenRefusedError("another origin asked", code="screen.origin-refused")
        if headers.get(b"sec-fetch-site", b"none") not in _FRIENDLY_SITES:
            raise ScreenRefusedError("another site asked", code="screen.origin-refused")
        if not is_changing and (
            scope["path"].startswith(PAIR_PATH) or scope["path"] in _FOR_EVERYBODY
        ):
            return
        cookie = cookie_of(headers.get(b"cookie", b""), self._pairing.cookie)
        if cookie is None or not self._pairing.admits(cookie):
            raise ScreenRefusedError("the browser is not paired", code="screen.not-paired")
        if is_changing and not secrets.compare_digest(
            headers.get(b"x-csrf-token", b""), self._pairing.csrf_token(cookie).encode()
        ):
            raise ScreenRefusedError("the page's token is missing", code="screen.csrf-refused")


def cookie_of(header: bytes, name: str) -> str | None:
    """The browser's cookie of this name, where it sends one."""
    try:
        found = SimpleCookie(header.decode("latin-1")).get(name)
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
            raise ScreenRefusedError("the body is too long", code="screen.too-long")
        if not message.get("more_body", False):
            break
    waiting: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

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
