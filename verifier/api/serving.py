"""Serving the local application on a loopback address, until SIGTERM or SIGINT."""

import socket
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp

from pki.web.local_page import listen_on_loopback
from pki.web.serving import ServingLimits, serve
from verifier.errors import VerifierError

__all__ = ["MAX_MESSAGE_BYTES", "page_listener", "serve_page"]

MAX_MESSAGE_BYTES: Final = 4096
"""The longest message that the interface for programs takes."""

_LIMITS: Final = ServingLimits(
    connections=64, stopping_seconds=5, header_bytes=16_384, message_bytes=MAX_MESSAGE_BYTES
)


def page_listener(host: str, port: int) -> socket.socket:
    """See ``listen_on_loopback``.

    Raises:
        VerifierError: the port is taken (``terminal.port-taken``).
    """
    try:
        return listen_on_loopback(host, port)
    except OSError as error:
        raise VerifierError(
            f"{host}:{port} cannot be listened on ({error.strerror})",
            code="terminal.port-taken",
            hint="another terminal may run; `--listen 127.0.0.1:0` takes any free port",
        ) from error


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
    serve(app, listener, limits=_LIMITS, on_ready=on_ready, on_exit=on_exit)
