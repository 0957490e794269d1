"""The outermost layer: what comes in is bounded before anything looks at it, and who signed it is found out.

Paths, queries, headers and bodies have bounds and a time. The body is read once; the signature, where there is one, is
judged over exactly the bytes that came. HEAD is answered as GET without its body.
"""

import asyncio
import json
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from verifier.centre_api.ports import CentreServices
from verifier.centre_api.problems import EdgeError, error_response, problem_response
from verifier.errors import VerifierError
from verifier.services.request_signing import SignedRequest

__all__ = ["MAX_BODY_BYTES", "Boundary"]

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""A snapshot with its files in base64, or a page of a journal."""

_MAX_TARGET_BYTES: Final = 2048
_BODY_SECONDS: Final = 30.0


class Boundary:
    """ASGI middleware around the application; leaves the terminal in ``scope["state"]["terminal"]``."""

    def __init__(
        self, app: ASGIApp, services: CentreServices, *, body_seconds: float = _BODY_SECONDS
    ) -> None:
        self._app = app
        self._services = services
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == "HEAD":
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
            body = await self._body(scope, receive)
            signed = self._signed(scope, method, body)
            terminal = None
            if signed is not None:
                terminal = await run_in_threadpool(self._services.gate.admit, signed)
            state = {**scope.get("state", {}), "terminal": terminal, "signed": signed}
            await self._app({**scope, "state": state}, _replay(body, receive), answer)
        except VerifierError as error:
            await error_response(error)(scope, receive, answer)
        except Exception:
            if not started:
                await problem_response(
                    500, code="verifier.error", detail="a fault of this program"
                )(scope, receive, answer)
            raise

    def _signed(self, scope: Scope, method: str, body: bytes) -> SignedRequest | None:
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name = raw_name.decode("latin-1")
            value = raw_value.decode("latin-1")
            # The same header twice is one list (RFC 9110, 5.3), and no list is what was agreed.
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        query = scope["query_string"].decode("latin-1")
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        target = f"{self._services.address}{path}{'?' if query else ''}{query}"
        return SignedRequest.read(headers, method=method, target=target, body=body)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        if scope["method"] != "POST":
            if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
                raise EdgeError("a body came where none belongs")
            return b""
        if b"content-encoding" in headers:
            raise EdgeError("the body is encoded, expected it plain", code="centre.media-type")
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await _read(receive)
        except TimeoutError as error:
            raise EdgeError(
                f"the body did not come within {self._body_seconds:.0f} s",
                code="centre.body-timeout",
            ) from error
        return body


def check_json(body: bytes) -> Any:
    """Read JSON strictly.

    Raises:
        EdgeError: ``centre.body-malformed``.
    """
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise EdgeError(
            "the body is not JSON in UTF-8 with each member once", code="centre.body-malformed"
        ) from error


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise EdgeError("the body broke off", code="centre.body-malformed")
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise EdgeError(
                f"the body has more than {MAX_BODY_BYTES} bytes", code="centre.body-too-large"
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
        raise EdgeError(f"path and query have more than {_MAX_TARGET_BYTES} bytes")
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=32
        )
    except ValueError as error:
        raise EdgeError("the query cannot be read") from error
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise EdgeError("a name in the query stands twice")


def _harden(message: Message) -> None:
    headers = list(message.get("headers", []))
    if b"cache-control" not in {name.lower() for name, _ in headers}:
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
