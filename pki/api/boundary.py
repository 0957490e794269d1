"""The outermost layer: what comes in is bounded and strictly encoded before anything looks at it.

Paths, queries and bodies have bounds and a time; JSON is read once, strictly, so that a member that stands twice is
refused and not silently overwritten. HEAD is answered as GET without its body.
"""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pki.api.problems import problem_response, reading_problem
from pki.web.reading import (
    ReadingError,
    check_bodiless,
    check_json,
    check_plain,
    check_target,
    headers_of,
    media_type_of,
    read_body,
    replayed,
    without_body,
)

__all__ = ["MAX_BODY_BYTES", "Boundary"]

MAX_BODY_BYTES: Final = 65536
_MAX_TARGET_BYTES: Final = 2048
_BODY_SECONDS: Final = 10.0
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})


class Boundary:
    """ASGI middleware around the application."""

    def __init__(self, app: ASGIApp, *, body_seconds: float = _BODY_SECONDS) -> None:
        self._app = app
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _harden(message)
            await send(message)

        try:
            await self._pass(scope, receive, answer)
        except Exception:
            if not started:
                await problem_response(500, code="api.internal", detail="a fault of this program")(
                    scope, receive, answer
                )
            raise

    async def _pass(self, scope: Scope, receive: Receive, answer: Send) -> None:
        if scope["method"] == "HEAD":
            scope, answer = {**scope, "method": "GET"}, without_body(answer)
        try:
            check_target(scope, maximum_bytes=_MAX_TARGET_BYTES)
            body = await self._body(scope, receive)
        except ReadingError as error:
            await reading_problem(error)(scope, receive, answer)
            return
        await self._app(scope, replayed(body, receive), answer)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        headers = headers_of(scope)
        if scope["method"] not in _BODY_METHODS:
            check_bodiless(headers)
            return b""
        check_plain(headers)
        body = await read_body(receive, maximum_bytes=MAX_BODY_BYTES, seconds=self._body_seconds)
        check_json(body, media_type_of(headers.get(b"content-type", b"").decode("latin-1")))
        return body


def _harden(message: Message) -> None:
    headers = list(message.get("headers", []))
    names = {name.lower() for name, _ in headers}
    if b"cache-control" not in names:
        headers.append((b"cache-control", b"no-store"))
    headers.append((b"x-content-type-options", b"nosniff"))
    message["headers"] = headers
