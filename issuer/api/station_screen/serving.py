"""Serving a station's screen on a loopback address, beside the workers: in a thread of its own, while a block runs."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Final

from starlette.types import ASGIApp

from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from pki.web.local_page import listen_on_loopback
from pki.web.serving import ServingLimits, serving_beside

__all__ = ["screen_listener", "serving_screen"]

_LIMITS: Final = ServingLimits(connections=64, stopping_seconds=3, header_bytes=16_384)


def screen_listener(host: str, port: int) -> socket.socket:
    """See ``listen_on_loopback``.

    Raises:
        IssuerRefusedError: the port is taken (``screen.port-taken``).
    """
    try:
        return listen_on_loopback(host, port)
    except OSError as error:
        raise IssuerRefusedError(
            f"{host}:{port} cannot be listened on: {error.strerror}",
            code="screen.port-taken",
            hint="another station may run here; `--listen 127.0.0.1:0` takes any free port",
        ) from error


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
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(serving_beside(app, listener, limits=_LIMITS, on_exit=on_exit))
        except TimeoutError as error:
            raise IssuerUnavailableError(
                f"the screen cannot be served: {error}", code="screen.not-served"
            ) from error
        yield
