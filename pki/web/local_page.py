"""A page for the people at one computer: a browser that was paired is answered, and nobody else (ADR 0041, 0056).

Loopback keeps other computers out, and neither other users, nor other programs, nor any web page that a browser of this
computer shows. Who serves such a page asks in this order, before anything else looks at a request:

1. ``check_host``: the Host header is the page's own address: a name that somebody made to point here is not (DNS
   rebinding). What is asked for is short.
2. ``check_page``: the Origin, where a browser sends one, is the page's; where something changes, it is there.
3. The cookie is that of a browser that was paired since the start; the page's address is of no use to anybody else.
4. Whatever changes something carries the page's own token (CSRF).
5. ``bounded_body``: what comes in is bounded in length.

What a fault is called towards whoever asked, each product says.
"""

import enum
import hmac
import secrets
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from pki.web.reading import ReadingError, read_body, replayed

__all__ = [
    "MAX_BODY_BYTES",
    "PAIR_PATH",
    "LocalPairing",
    "PageFault",
    "PageRefusedError",
    "PageRules",
    "bounded_body",
    "check_host",
    "check_page",
    "cookie_of",
    "hardened",
    "listen_on_loopback",
    "single_headers",
]

PAIR_PATH: Final = "/pair/"
MAX_BODY_BYTES: Final = 4096
_MAX_TARGET_BYTES: Final = 512
_BODY_SECONDS: Final = 10.0
_TOKEN_BYTES: Final = 32
_MAX_BROWSERS: Final = 8
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
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class PageFault(enum.StrEnum):
    """Why somebody is turned away."""

    HOST_REFUSED = "host-refused"
    ORIGIN_REFUSED = "origin-refused"
    NOT_PAIRED = "not-paired"
    CSRF_REFUSED = "csrf-refused"
    TOO_LONG = "too-long"


class PageRefusedError(Exception):
    """Somebody is turned away."""

    def __init__(self, message: str, fault: PageFault) -> None:
        super().__init__(message)
        self.fault = fault


class LocalPairing:
    """The one-time token that is valid now, and the browsers that redeemed one; all of it is gone with the process."""

    def __init__(self, publish: Callable[[str], None], *, cookie: str, context: bytes) -> None:
        """Draw the first token.

        Args:
            publish: is given each new one-time token; it says where the address can be found.
            cookie: the name of the cookie. Cookies know no ports: two pages of a computer have two names.
            context: what the tokens of forms are made for.
        """
        self.cookie: Final = cookie
        self._context = context
        self._publish = publish
        self._lock = threading.Lock()
        self._browsers: OrderedDict[bytes, None] = OrderedDict()
        self._token = self._draw()

    def redeem(self, token: str) -> str | None:
        """The cookie's value for a new browser for the one-time token, which is then replaced; ``None`` for any other."""
        with self._lock:
            if not secrets.compare_digest(token.encode(), self._token.encode()):
                return None
            value = secrets.token_urlsafe(_TOKEN_BYTES)
            self._browsers[_digest(value)] = None
            while len(self._browsers) > _MAX_BROWSERS:
                self._browsers.popitem(last=False)
            self._token = self._draw()
        return value

    def admits(self, value: str | None) -> bool:
        """Whether a cookie is that of a paired browser."""
        # A digest is looked up, so that the time taken tells nothing about the cookie.
        return value is not None and _digest(value) in self._browsers

    def csrf_token(self, value: str) -> str:
        """What the page's own requests carry beside their cookie; it cannot be known without reading the page."""
        return hmac.digest(value.encode(), self._context, sha256).hex()

    def _draw(self) -> str:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._publish(token)
        return token


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRules:
    """Who is answered.

    Attributes:
        authorities: the values of Host that mean this page.
        pairing: the browsers that may ask.
        open_paths: files that anybody at this computer may read: what a refusal looks like.
    """

    authorities: frozenset[str]
    pairing: LocalPairing
    open_paths: frozenset[str]


def single_headers(scope: Scope) -> dict[bytes, bytes]:
    """The headers by name; one that stands twice counts as neither, so that nobody is shown another than we see."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        found[name] = b"\x00" if name in found else value
    return found


def check_host(scope: Scope, headers: Mapping[bytes, bytes], rules: PageRules) -> None:
    """The first of the questions, for whatever speaks with the page's server.

    Raises:
        PageRefusedError: ``HOST_REFUSED``, ``TOO_LONG``.
    """
    if headers.get(b"host", b"").decode("latin-1") not in rules.authorities:
        raise PageRefusedError("another host was asked for", PageFault.HOST_REFUSED)
    raw_path: bytes = scope.get("raw_path") or b""
    if len(raw_path) + len(scope["query_string"]) > _MAX_TARGET_BYTES:
        raise PageRefusedError("the path is too long", PageFault.TOO_LONG)


def check_page(scope: Scope, headers: Mapping[bytes, bytes], rules: PageRules) -> None:
    """Whether a request over HTTP is the page's own, by a browser that was paired; its host was checked before.

    Raises:
        PageRefusedError: ``ORIGIN_REFUSED``, ``NOT_PAIRED``, ``CSRF_REFUSED``.
    """
    is_changing = scope["method"] not in _READING
    origin = headers.get(b"origin")
    own_origin = b"http://" + headers.get(b"host", b"")
    if (origin is None and is_changing) or origin not in (None, own_origin):
        raise PageRefusedError("another origin asked", PageFault.ORIGIN_REFUSED)
    if headers.get(b"sec-fetch-site", b"none") not in _FRIENDLY_SITES:
        raise PageRefusedError("another site asked", PageFault.ORIGIN_REFUSED)
    if not is_changing and (
        scope["path"].startswith(PAIR_PATH) or scope["path"] in rules.open_paths
    ):
        return
    cookie = cookie_of(headers.get(b"cookie", b""), rules.pairing.cookie)
    if cookie is None or not rules.pairing.admits(cookie):
        raise PageRefusedError("the browser is not paired", PageFault.NOT_PAIRED)
    if is_changing and not secrets.compare_digest(
        headers.get(b"x-csrf-token", b""), rules.pairing.csrf_token(cookie).encode()
    ):
        raise PageRefusedError("the page's token is missing", PageFault.CSRF_REFUSED)


def cookie_of(header: bytes, name: str) -> str | None:
    """The browser's cookie of this name, where it sends one."""
    try:
        found = SimpleCookie(header.decode("latin-1")).get(name)
    except CookieError:
        return None
    return None if found is None else found.value


async def bounded_body(scope: Scope, receive: Receive) -> Receive:
    """What gives the application the whole body of a change, which was read before.

    Raises:
        PageRefusedError: ``TOO_LONG``: it is, or did not come.
    """
    if scope["method"] in _READING:
        return receive
    try:
        body = await read_body(receive, maximum_bytes=MAX_BODY_BYTES, seconds=_BODY_SECONDS)
    except ReadingError as error:
        raise PageRefusedError(str(error), PageFault.TOO_LONG) from error
    return replayed(body, receive)


def hardened(send: Send, *, permissions: bytes) -> Send:
    """Have every answer forbid other pages to use it; ``permissions`` are those of the page (Permissions-Policy)."""
    headers = (*_HEADERS, (b"permissions-policy", permissions))
    names = {name for name, _ in headers}

    async def harden(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", []) if pair[0].lower() not in names]
            message = {**message, "headers": [*kept, *headers]}
        await send(message)

    return harden


def listen_on_loopback(host: str, port: int) -> socket.socket:
    """A socket that listens where nobody but this computer can reach it; port 0 lets the system choose.

    Raises:
        OSError: the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The event loop sends at once only through sockets that name their protocol; on any other, each second part of an
    # answer waits for an acknowledgement that the other side holds back for 40 ms (RFC 896, RFC 1122, 4.2.3.2).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A port that was just let go of can be taken again at once; on Windows the option would share it.
        if hasattr(socket, "AF_UNIX"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _digest(value: str) -> bytes:
    return sha256(value.encode("utf-8", "surrogateescape")).digest()
