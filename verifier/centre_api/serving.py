"""Serving the central service to its proxy: on a loopback address or a Unix socket, until SIGTERM or SIGINT."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from pki.web.serving import ServingLimits, serve
from verifier.centre.errors import CentreError

__all__ = ["listen_on_address", "listen_on_socket", "serve_centre"]

_MAX_CONNECTIONS: Final = 256
_LIMITS: Final = ServingLimits(connections=_MAX_CONNECTIONS, stopping_seconds=10)


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
    serve(app, listener, limits=_LIMITS, on_ready=on_ready)
