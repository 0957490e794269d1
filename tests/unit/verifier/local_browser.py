"""A browser and a program without a network: requests go straight into the application."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx
from starlette.types import ASGIApp, Message

Headers = dict[str, str] | Sequence[tuple[str, str]]


class LocalBrowser:
    """Sends requests to an application; keeps its cookies."""

    def __init__(
        self, app: ASGIApp, *, base_url: str, headers: dict[str, str] | None = None
    ) -> None:
        self._app = app
        self._base_url = base_url
        self._headers = headers or {}
        self.cookies = httpx.Cookies()

    def send(self, method: str, path: str, **values: Any) -> httpx.Response:
        async def go() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self._app),
                base_url=self._base_url,
                headers=self._headers,
                cookies=self.cookies,
            ) as client:
                response = await client.request(method, path, **values)
                self.cookies = client.cookies
                return response

        return asyncio.run(go())

    def get(self, path: str, **values: Any) -> httpx.Response:
        return self.send("GET", path, **values)

    def post(self, path: str, **values: Any) -> httpx.Response:
        return self.send("POST", path, **values)


def websocket_answers(
    app: ASGIApp, path: str, *, headers: dict[str, str], expected: int
) -> list[Message]:
    """Open a WebSocket and give what the application sends first, up to ``expected`` messages."""

    async def go() -> list[Message]:
        sent: list[Message] = []
        enough = asyncio.Event()
        incoming: asyncio.Queue[Message] = asyncio.Queue()
        incoming.put_nowait({"type": "websocket.connect"})

        async def send(message: Message) -> None:
            sent.append(message)
            if len(sent) >= expected:
                enough.set()

        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        running = asyncio.create_task(app(scope, incoming.get, send))
        await enough.wait()
        incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await running
        return sent

    return asyncio.run(go())


def denial(messages: list[Message]) -> tuple[int, Any]:
    """Status and problem document of a handshake that was refused."""
    start, body = messages[0], messages[1]
    if start["type"] != "websocket.http.response.start":
        raise AssertionError(f"let in: {start['type']}")
    return start["status"], json.loads(body["body"])
