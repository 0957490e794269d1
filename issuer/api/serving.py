"""Serving the application: on a Unix socket for the proxy, or on this machine alone; TLS is the proxy's."""

import socket
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp

from pki.web.serving import ServingLimits, serve

__all__ = ["serve_api"]

_LIMITS: Final = ServingLimits(connections=512, stopping_seconds=5)


def serve_api(app: ASGIApp, listener: socket.socket, *, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished, streams are cut.

    Args:
        app: the application behind its outermost layer.
        listener: a socket that listens.
        on_ready: is called when clients can connect.
    """
    serve(app, listener, limits=_LIMITS, on_ready=on_ready, logs_by_itself=True)
