"""The outermost layer: what comes in is bounded before anything looks at it, and what goes out is hardened.

Paths, queries and bodies have bounds and a time; JSON is read once, strictly, so that a member that stands twice is
refused and not silently overwritten. Files are the one thing that is passed on as a stream, to the routes that take
them, and counted on the way. HEAD is answered as GET without its body. Each request gets an identifier; one line of
the log and one count say how it ended, without anybody's data: the route's pattern stands there, not its address.
"""

import asyncio
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from issuer.api.problems import problem_response, reading_problem
from pki.web.reading import (
    ReadingError,
    ReadingFault,
    check_bodiless,
    check_json,
    check_plain,
    check_target,
    headers_of,
    media_type_of,
    read_body,
    replayed,
)

__all__ = [
    "MAX_BODY_BYTES",
    "MAX_UPLOAD_BYTES",
    "REQUEST_ID_HEADER",
    "Boundary",
    "Observer",
]

MAX_BODY_BYTES: Final = 65_536
MAX_UPLOAD_BYTES: Final = 256 * 1024 * 1024
REQUEST_ID_HEADER: Final = b"x-request-id"
_MAX_TARGET_BYTES: Final = 4096
_BODY_SECONDS: Final = 10.0
_UPLOAD_SILENCE_SECONDS: Final = 30.0
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SHOWN_FRAMES: Final = 6
_FILES: Final = "multipart/form-data"
_CONTENT_SECURITY_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PERMISSIONS_POLICY: Final = (
    b"publickey-credentials-get=(self), publickey-credentials-create=(self), "
    b"camera=(), microphone=(), geolocation=()"
)
_HARDENING: Final = (
    (
        b"content-security-policy",
        _CONTENT_SECURITY_POLICY,
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        _PERMISSIONS_POLICY,
    ),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_log = structlog.get_logger("issuer.api")

Observer = Callable[[str, str, int, float], None]
"""Is told of every answer: method, the route's pattern, status, seconds."""


class _BrokenOffError(Exception):
    """An answer that had begun cannot be finished: the server closes the connection."""


class Boundary:
    """ASGI middleware around the application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        takes_files: Callable[[str], bool],
        observe: Observer,
        body_seconds: float = _BODY_SECONDS,
    ) -> None:
        """Stand around an application.

        Args:
            app: the application.
            takes_files: whether the route of a path takes files.
            observe: is told of every answer.
            body_seconds: how long a body may take to come.
        """
        self._app = app
        self._takes_files = takes_files
        self._observe = observe
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer with a problem."""
        if scope["type"] != "http":
            raise ValueError(f"got a connection of type {scope['type']}, expected http")
        request_id = uuid.uuid4().hex
        method = str(scope["method"])
        begun = time.monotonic()
        status = 0
        is_answered = False

        async def answer(message: Message) -> None:
            nonlocal status, is_answered
            if message["type"] == "http.response.start":
                status = int(message["status"])
                _harden(message, request_id)
            elif method == "HEAD" and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)
            is_answered = message["type"] == "http.response.body" and not message.get("more_body")

        scope = {**scope, "method": "GET"} if method == "HEAD" else {**scope}
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._pass(scope, receive, answer)
        except ReadingError as error:
            if status:
                raise
            await reading_problem(error)(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - the server's own log would quote anybody's data
            _log_fault(error)
            if not is_answered:
                # The application has answered a fault of its own; this one is of the layers around it.
                if status:
                    raise _BrokenOffError from None
                await problem_response(500, code="api.internal", detail="a fault of this program")(
                    scope, receive, answer
                )
        finally:
            route = getattr(scope.get("route"), "path", "none")
            seconds = time.monotonic() - begun
            self._observe(method, route, status, seconds)
            _log.info(
                "answered",
                method=method,
                route=route,
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )
            structlog.contextvars.unbind_contextvars("request_id")

    async def _pass(self, scope: Scope, receive: Receive, answer: Send) -> None:
        check_target(scope, maximum_bytes=_MAX_TARGET_BYTES)
        headers = headers_of(scope)
        if scope["method"] not in _BODY_METHODS:
            check_bodiless(headers)
            await self._app(scope, replayed(b"", receive), answer)
            return
        check_plain(headers)
        media_type = media_type_of(headers.get(b"content-type", b"").decode("latin-1"))
        if media_type == _FILES:
            if not self._takes_files(str(scope["path"])):
                raise ReadingError("files came where none belong", ReadingFault.MEDIA_TYPE)
            await self._app(scope, _counted(receive, _declared(headers)), answer)
            return
        body = await read_body(receive, maximum_bytes=MAX_BODY_BYTES, seconds=self._body_seconds)
        check_json(body, media_type)
        await self._app(scope, replayed(body, receive), answer)


def _declared(headers: Mapping[bytes, bytes]) -> int:
    length = headers.get(b"content-length", b"")
    if not length.isdigit():
        raise ReadingError("files came without their length", ReadingFault.BODY_MALFORMED)
    if len(length) > 12 or int(length) > MAX_UPLOAD_BYTES:
        raise ReadingError(
            f"the files have more than {MAX_UPLOAD_BYTES} bytes", ReadingFault.BODY_TOO_LARGE
        )
    return int(length)


def _counted(receive: Receive, declared: int) -> Receive:
    """Hand files on as they come, as many bytes as were announced, without long silence; the application answers faults."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        try:
            async with asyncio.timeout(_UPLOAD_SILENCE_SECONDS):
                message = await receive()
        except TimeoutError as error:
            raise ReadingError(
                f"nothing came for {_UPLOAD_SILENCE_SECONDS:.0f} s", ReadingFault.BODY_TIMEOUT
            ) from error
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > declared:
                raise ReadingError("more came than was announced", ReadingFault.BODY_MALFORMED)
        return message

    return counted


def _harden(message: Message, request_id: str) -> None:
    headers = list(message.get("headers", []))
    names = {name.lower() for name, _ in headers}
    if b"cache-control" not in names:
        headers.append((b"cache-control", b"no-store"))
    headers += [pair for pair in _HARDENING if pair[0] not in names]
    headers.append((REQUEST_ID_HEADER, request_id.encode("ascii")))
    message["headers"] = headers


def _log_fault(error: Exception) -> None:
    """Which fault, and where; its text may hold anybody's data and stays out of the log."""
    frames = traceback.extract_tb(error.__traceback__)[-_SHOWN_FRAMES:]
    where = [f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in frames]
    _log.error("fault", kind=type(error).__name__, where=where)
