"""The WebSocket of the local interface: programs come with the token that pairing gave them, and never from a browser."""

import asyncio
from contextlib import suppress
from typing import Final

from fastapi import APIRouter, WebSocket
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect

from verifier.api.guard import INTERFACE_PATH
from verifier.api.interface import InspectionClaims, ProgramSession
from verifier.api.messages import MESSAGES, Message
from verifier.api.ports import PageServices
from verifier.api.refusals import refusal_response

__all__ = ["interface_router"]

_BEARER: Final = "bearer "
_MAX_WAITING_MESSAGES: Final = 256
_SENDING_SECONDS: Final = 10.0
_TOO_SLOW: Final = 1013
_MAX_TOKEN_CHARACTERS: Final = 200


def interface_router(services: PageServices) -> APIRouter:
    """The one route, over one terminal."""
    router = APIRouter()
    claims = InspectionClaims()

    @router.websocket(INTERFACE_PATH)
    async def interface(socket: WebSocket) -> None:
        header = socket.headers.get("authorization", "")
        token = header[len(_BEARER) :] if header[: len(_BEARER)].lower() == _BEARER else ""
        program = None
        if 0 < len(token) <= _MAX_TOKEN_CHARACTERS:
            program = await run_in_threadpool(services.program_of, token)
        if program is None:
            await socket.send_denial_response(
                refusal_response("terminal.program-unknown", is_fragment=False, wants_json=True)
            )
            return
        await socket.accept()
        outbox = _Outbox(asyncio.get_running_loop())
        session = ProgramSession(services, program, claims=claims, send=outbox.put)
        session.greet()
        unsubscribe = services.terminal.subscribe(session.told)
        sending = asyncio.create_task(outbox.deliver(socket))
        try:
            await _listen(socket, session)
        finally:
            unsubscribe()
            session.close()
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending

    return router


async def _listen(socket: WebSocket, session: ProgramSession) -> None:
    """One command after another, until the program goes."""
    while True:
        message = await socket.receive()
        if message["type"] != "websocket.receive":
            return
        # Bytes are no command either: the session says so.
        await run_in_threadpool(session.hear, message.get("text") or "")


class _Outbox:
    """Messages on their way from any thread to one program; a program that does not take them is let go."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()

    def put(self, message: Message) -> None:
        """Hand over one message."""
        # A loop that has ended sends nothing to anybody.
        with suppress(RuntimeError):
            text = MESSAGES.dump_json(message).decode()
            self._loop.call_soon_threadsafe(self._queue, text)

    def _queue(self, text: str) -> None:
        is_full = self._waiting.qsize() >= _MAX_WAITING_MESSAGES
        self._waiting.put_nowait(None if is_full else text)

    async def deliver(self, socket: WebSocket) -> None:
        """Send what waits, in order."""
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                text = await self._waiting.get()
                try:
                    if text is not None:
                        async with asyncio.timeout(_SENDING_SECONDS):
                            await socket.send_text(text)
                        continue
                except TimeoutError:
                    pass
                await socket.close(_TOO_SLOW)
                return
