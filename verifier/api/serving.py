"""Serving the local application on a loopback address, until SIGTERM or SIGINT."""

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from verifier.errors import VerifierError

__all__ = ["MAX_MESSAGE_BYTES", "listen_on_loopback", "serve_page"]

MAX_MESSAGE_BYTES: Final = 4096
"""The longest message that the interface for programs takes."""

_MAX_HEADER_BYTES: Final = 16384
_KEEP_ALIVE_SECONDS: Final = 30
_STOPPING_SECONDS: Final = 5
_MAX_CONNECTIONS: Final = 64


def listen_on_loopback(host: str, port: int) -> socket.socket:
    """A socket that listens where nobody but this computer can reach it; port 0 lets the system choose.

    Raises:
        VerifierError: the port is taken (``terminal.port-taken``).
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The event loop sends at once only through sockets that name their protocol; on any other, each second part of an
    # answer waits for an acknowledgement that the other side holds back for 40 ms (RFC 896, RFC 1122, 4.2.3.2).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A port that was just let go of can be taken again at once; on Windows the option would share it.
        if hasattr(socket, "AF_UNIX"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise VerifierError(
            f"{host}:{port} cannot be listened on ({error.strerror})",
            code="terminal.port-taken",
            hint="another terminal may run; `--listen 127.0.0.1:0` takes any free port",
        ) from error
    return listener


def serve_page(
    app: ASGIApp,
    listener: socket.socket,
    *,
    on_ready: Callable[[], None],
    on_exit: Callable[[], None],
) -> None:
    """Serve until a signal comes.

    Args:
        app: the guarded application.
        listener: a socket that listens.
        on_ready: is called when browsers can connect.
        on_exit: is called when a signal came, to end streams; it may be called in a signal's handler.
    """
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
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
    _Server(config, on_ready=on_ready, on_exit=on_exit).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says when it is ready, and when it is to end."""

    def __init__(
        self, config: uvicorn.Config, *, on_ready: Callable[[], None], on_exit: Callable[[], None]
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
        self._on_exit()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()
