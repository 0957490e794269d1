"""Serving a station's screen on a loopback address, beside the workers: in a thread of its own, while a block runs."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from issuer.errors import IssuerRefusedError, IssuerUnavailableError

__all__ = ["listen_on_loopback", "serving_screen"]

_MAX_HEADER_BYTES: Final = 16_384
_KEEP_ALIVE_SECONDS: Final = 30
_STOPPING_SECONDS: Final = 3
_STARTING_SECONDS: Final = 30.0
_MAX_CONNECTIONS: Final = 64


def listen_on_loopback(host: str, port: int) -> socket.socket:
    """A socket that listens where nobody but this computer can reach it; port 0 lets the system choose.

    Raises:
        IssuerRefusedError: the port is taken (``screen.port-taken``).
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, so that the event loop sends small answers at once.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A port that was just let go of can be taken again at once.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise IssuerRefusedError(
            f"{host}:{port} cannot be listened on: {error.strerror}",
            code="screen.port-taken",
            hint="another station may run here; `--listen 127.0.0.1:0` takes any free port",
        ) from error
    return listener


@contextlib.contextmanager
def serving_screen(
    app: ASGIApp, listener: socket.socket, *, on_exit: Callable[[], None]
) -> Iterator[None]:
    """Serve while the block runs.

    Args:
        app: the guarded application.
        listener: a socket that listens; it is closed at the end.
        on_exit: ends the streams, which would never end by themselves.

    Raises:
        IssuerUnavailableError: the server does not start (``screen.not-served``).
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
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_STOPPING_SECONDS,
        limit_concurrency=_MAX_CONNECTIONS,
    )
    server = _Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="screen", daemon=True
    )
    thread.start()
    try:
        if not server.is_ready.wait(_STARTING_SECONDS):
            raise IssuerUnavailableError("the screen cannot be served", code="screen.not-served")
        yield
    finally:
        on_exit()
        server.should_exit = True
        thread.join()
        listener.close()


class _Server(uvicorn.Server):
    """Says when it is ready; signals are the main thread's."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = threading.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the station: Ctrl-C ends it after the chips in hand."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self.is_ready.set()
