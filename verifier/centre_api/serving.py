"""Serving the central service to its proxy: on a loopback address or a Unix socket, until SIGTERM or SIGINT."""

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from verifier.centre.errors import CentreError

__all__ = ["listen_on_address", "listen_on_socket", "serve_centre"]

_MAX_HEADER_BYTES: Final = 32768
_KEEP_ALIVE_SECONDS: Final = 30
_STOPPING_SECONDS: Final = 10
_MAX_CONNECTIONS: Final = 256


def listen_on_address(host: str, port: int) -> socket.socket:
    """A socket that listens on an address; port 0 lets the system choose.

    Raises:
        CentreError: ``centre.listen``.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The event loop sends at once only through sockets that name their protocol; on any other, each second part of an
    # answer waits for an acknowledgement that the other side holds back for 40 ms (RFC 896, RFC 1122, 4.2.3.2).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_MAX_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise CentreError(
            f"{host}:{port} cannot be listened on ({error.strerror})", code="centre.listen"
        ) from error
    return listener


def listen_on_socket(path: Path) -> socket.socket:
    """A Unix socket that its owner and group can connect to; one that nobody serves any more is replaced.

    Raises:
        CentreError: ``centre.listen``.
    """
    if path.is_socket() and _is_served(path):
        raise CentreError(f"{path} is served already", code="centre.listen")
    listener = socket.socket(socket.AF_UNIX)
    try:
        if path.is_socket():
            path.unlink()
        before = os.umask(0o117)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(_MAX_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise CentreError(
            f"{path} cannot be listened on ({error.strerror})", code="centre.listen"
        ) from error
    return listener


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def serve_centre(app: ASGIApp, listener: socket.socket, *, on_ready: Callable[[], None]) -> None:
    """Serve until a signal comes; requests under way are finished."""
    config = uvicorn.Config(
        app,
        ws="none",
        loop="asyncio",
        lifespan="off",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
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
