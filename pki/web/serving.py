"""Serving an application on a socket that listens, until SIGTERM or SIGINT; TLS and names are a proxy's."""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from pki.web.standing_objects import keep_standing_objects

__all__ = ["ServingLimits", "serve", "serving_beside"]

_STARTING_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingLimits:
    """What one process takes on.

    Attributes:
        connections: at the same time; the next is told to come again.
        stopping_seconds: how long requests under way may take when the end is near.
        header_bytes: of one request.
        keep_alive_seconds: how long a connection may be silent.
        message_bytes: of a message over a WebSocket, 0 where none is spoken.
    """

    connections: int
    stopping_seconds: int
    header_bytes: int = 32_768
    keep_alive_seconds: int = 30
    message_bytes: int = 0


def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    limits: ServingLimits,
    on_ready: Callable[[], None],
    on_exit: Callable[[], None] | None = None,
    protocol: type[asyncio.Protocol] = H11Protocol,
    logs_by_itself: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished. The process is for this alone.

    Args:
        app: the application behind its outermost layer.
        listener: a socket that listens.
        limits: what one process takes on.
        on_ready: is called when clients can connect.
        on_exit: is called when a signal came, to end streams; it may be called in a signal's handler.
        protocol: HTTP/1.1, or what looks at a peer before.
        logs_by_itself: the application has set up its log, and the server's lines go there.
    """
    config = _config(app, limits, protocol=protocol, logs_by_itself=logs_by_itself)

    def ready() -> None:
        keep_standing_objects()
        on_ready()

    _Server(config, on_ready=ready, on_exit=on_exit).run(sockets=[listener])


@contextlib.contextmanager
def serving_beside(
    app: ASGIApp,
    listener: socket.socket,
    *,
    limits: ServingLimits,
    on_exit: Callable[[], None],
) -> Iterator[None]:
    """Serve while the block runs, in a thread beside it; signals stay the main thread's.

    Args:
        app: the application behind its outermost layer.
        listener: a socket that listens; it is closed at the end.
        limits: what one process takes on.
        on_exit: is called at the end, to end streams.

    Raises:
        TimeoutError: the server does not start.
    """
    is_ready = threading.Event()
    server = _ServerBeside(
        _config(app, limits, protocol=H11Protocol, logs_by_itself=True),
        on_ready=is_ready.set,
        on_exit=None,
    )
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="serving", daemon=True
    )
    thread.start()
    try:
        if not is_ready.wait(_STARTING_SECONDS):
            raise TimeoutError(f"the server was not ready within {_STARTING_SECONDS:.0f} s")
        yield
    finally:
        on_exit()
        server.should_exit = True
        thread.join()
        listener.close()


def _config(
    app: ASGIApp,
    limits: ServingLimits,
    *,
    protocol: type[asyncio.Protocol],
    logs_by_itself: bool,
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=protocol,
        ws="websockets-sansio" if limits.message_bytes else "none",
        ws_max_size=limits.message_bytes,
        ws_per_message_deflate=False,
        loop="asyncio",
        lifespan="off",
        access_log=False,
        log_config=None if logs_by_itself else uvicorn.config.LOGGING_CONFIG,
        log_level=None if logs_by_itself else "warning",
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=limits.header_bytes,
        timeout_keep_alive=limits.keep_alive_seconds,
        timeout_graceful_shutdown=limits.stopping_seconds,
        limit_concurrency=limits.connections,
    )


class _Server(uvicorn.Server):
    """Says when it is ready, and when it is to end."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_ready: Callable[[], None],
        on_exit: Callable[[], None] | None,
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_exit = on_exit

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End by returning: the library would send itself the signal again, and our clearing up would be left out."""
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the streams first: they would never end by themselves."""
        if self._on_exit is not None:
            self._on_exit()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()


class _ServerBeside(_Server):
    """Runs in a thread, where no signal comes."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield
