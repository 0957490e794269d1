"""Serving the application: on a Unix socket for the proxy, or on this machine alone; TLS is the proxy's."""

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

__all__ = ["serve_api"]

_MAX_HEADER_BYTES: Final = 32_768
_KEEP_ALIVE_SECONDS: Final = 30
_STOPPING_SECONDS: Final = 5
_MAX_CONNECTIONS: Final = 512


def serve_api(app: ASGIApp, listener: socket.socket, *, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished, streams are cut.

    Args:
        app: the application behind its outermost layer.
        listener: a socket that listens.
        on_ready: is called when clients can connect.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_STOPPING_SECONDS,
        limit_concurrency=_MAX_CONNECTIONS,
    )
    _Server(config, on_ready).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

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

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()
