"""Serving the local application on a loopback address, until SIGTERM or SIGINT."""

import socket
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp

from pki.web.serving import ServingLimits, serve
from verifier.errors import VerifierError

__all__ = ["MAX_MESSAGE_BYTES", "listen_on_loopback", "serve_page"]

MAX_MESSAGE_BYTES: Final = 4096
"""The longest message that the interface for programs takes."""

_LIMITS: Final = ServingLimits(
    connections=64, stopping_seconds=5, header_bytes=16_384, message_bytes=MAX_MESSAGE_BYTES
)


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
    serve(app, listener, limits=_LIMITS, on_ready=on_ready, on_exit=on_exit)
