"""The outermost layer: what comes in is bounded before anything looks at it, and who signed it is found out.

Paths, queries, headers and bodies have bounds and a time. The body is read once; the signature, where there is one, is
judged over exactly the bytes that came. HEAD is answered as GET without its body.
"""

from collections.abc import Mapping
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pki.web.reading import (
    ReadingError,
    ReadingFault,
    check_bodiless,
    check_plain,
    check_target,
    headers_of,
    read_body,
    read_json,
    replayed,
    without_body,
)
from verifier.centre_api.ports import CentreServices
from verifier.centre_api.problems import EdgeError, error_response, problem_response
from verifier.errors import VerifierError
from verifier.services.request_signing import SignedRequest

__all__ = ["MAX_BODY_BYTES", "Boundary"]

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""A snapshot with its files in base64, or a page of a journal."""

_MAX_TARGET_BYTES: Final = 2048
_BODY_SECONDS: Final = 30.0

_CODES: Final[Mapping[ReadingFault, str]] = {
    ReadingFault.BODY_MALFORMED: "centre.body-malformed",
    ReadingFault.BODY_TOO_LARGE: "centre.body-too-large",
    ReadingFault.BODY_TIMEOUT: "centre.body-timeout",
    ReadingFault.MEDIA_TYPE: "centre.media-type",
}
"""What a fault is called; the others are all a request that is not as it must be."""


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
                await problem_response(
                    500, code="verifier.error", detail="a fault of this program"
                )(scope, receive, answer)
            raise

    async def _pass(self, scope: Scope, receive: Receive, answer: Send) -> None:
        method = scope["method"]
        if method == "HEAD":
            scope, answer = {**scope, "method": "GET"}, without_body(answer)
        try:
            check_target(scope, maximum_bytes=_MAX_TARGET_BYTES)
            body = await self._body(scope, receive)
            signed = self._signed(scope, method, body)
            terminal = None
            if signed is not None:
                terminal = await run_in_threadpool(self._services.gate.admit, signed)
        except ReadingError as error:
            await error_response(_told(error))(scope, receive, answer)
            return
        except VerifierError as error:
            await error_response(error)(scope, receive, answer)
            return
        state = {**scope.get("state", {}), "terminal": terminal, "signed": signed}
        await self._app({**scope, "state": state}, replayed(body, receive), answer)

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
        headers = headers_of(scope)
        if scope["method"] != "POST":
            check_bodiless(headers)
            return b""
        check_plain(headers)
        return await read_body(receive, maximum_bytes=MAX_BODY_BYTES, seconds=self._body_seconds)


def check_json(body: bytes) -> Any:
    """Read JSON strictly.

    Raises:
        EdgeError: ``centre.body-malformed``.
    """
    try:
        return read_json(body)
    except ReadingError as error:
        raise _told(error) from error


def _told(error: ReadingError) -> EdgeError:
    return EdgeError(str(error), code=_CODES.get(error.fault, EdgeError.default_code))


def _harden(message: Message) -> None:
    headers = list(message.get("headers", []))
    if b"cache-control" not in {name.lower() for name, _ in headers}:
        headers.append((b"cache-control", b"no-store"))
    headers.append((b"x-content-type-options", b"nosniff"))
    message["headers"] = headers
