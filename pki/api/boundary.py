"""The outermost layer: what comes in is bounded and strictly encoded before anything looks at it.

Paths, queries and bodies have bounds and a time; JSON is read once, strictly, so that a member that stands twice is
refused and not silently overwritten. HEAD is answered as GET without its body.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pki.api.problems import API_CODES, ApiError, problem_response

__all__ = ["MAX_BODY_BYTES", "Boundary"]

MAX_BODY_BYTES: Final = 65536
_MAX_TARGET_BYTES: Final = 2048
_BODY_SECONDS: Final = 10.0
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})
_JSON: Final = b"application/json"


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
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _harden(message)
            await send(message)

        try:
            _check_target(scope)
            await self._app(scope, _replay(await self._body(scope, receive), receive), answer)
        except ApiError as error:
            status, _ = API_CODES[error.code]
            await problem_response(status, code=error.code, detail=str(error))(
                scope, receive, answer
            )
        except Exception:
            if not started:
                await problem_response(500, code="api.internal", detail="a fault of this program")(
                    scope, receive, answer
                )
            raise

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        headers = _headers(scope)
        if scope["method"] not in _BODY_METHODS:
            if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
                raise ApiError("a body came where none belongs", code="api.body-unexpected")
            return b""
        if b"content-encoding" in headers:
            raise ApiError("the body is encoded, expected it plain", code="api.media-type")
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await _read(receive)
        except TimeoutError as error:
            raise ApiError(
                f"the body did not come within {self._body_seconds:.0f} s", code="api.body-timeout"
            ) from error
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == _JSON:
            check_json(body)
        return body


def check_json(body: bytes) -> Any:
    """Read JSON strictly.

    Raises:
        ApiError: ``api.body-malformed``.
    """
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise ApiError(
            "the body is not JSON in UTF-8 with each member once", code="api.body-malformed"
        ) from error


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ApiError("the body broke off", code="api.body-malformed")
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(
                f"the body has more than {MAX_BODY_BYTES} bytes", code="api.body-too-large"
            )
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _check_target(scope: Scope) -> None:
    query: bytes = scope["query_string"]
    if len(scope.get("raw_path") or b"") + len(query) > _MAX_TARGET_BYTES:
        raise ApiError(
            f"path and query have more than {_MAX_TARGET_BYTES} bytes", code="api.target-too-long"
        )
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=32
        )
    except ValueError as error:
        raise ApiError("the query cannot be read", code="api.query-malformed") from error
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ApiError("a name in the query stands twice", code="api.query-malformed")


def _headers(scope: Scope) -> Mapping[bytes, bytes]:
    return dict(scope["headers"])


def _harden(message: Message) -> None:
    headers = list(message.get("headers", []))
    names = {name.lower() for name, _ in headers}
    if b"cache-control" not in names:
        headers.append((b"cache-control", b"no-store"))
    headers.append((b"x-content-type-options", b"nosniff"))
    message["headers"] = headers


def _without_body(send: Send) -> Send:
    async def bare(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return bare


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
