"""Where the service listens: a Unix socket for the proxy, or a port that this machine alone can reach."""

import contextlib
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from issuer.errors import IssuerRefusedError, IssuerUnavailableError

__all__ = ["loopback_listener", "unix_listener"]

_BACKLOG: Final = 128
_MAX_PATH_BYTES: Final = 107
"""What fits into ``sockaddr_un``."""


@contextlib.contextmanager
def unix_listener(path: Path) -> Iterator[socket.socket]:
    """A listening Unix socket for its user and group (mode 0660); it is taken away at the end.

    Raises:
        IssuerRefusedError: somebody listens there (``serve.in-use``).
        IssuerUnavailableError: ``serve.unusable``.
    """
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise IssuerUnavailableError(
            f"socket {path} cannot be made: more than {_MAX_PATH_BYTES} bytes",
            code="serve.unusable",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            _remove_stale(path)
            # Whoever connects before the mode is set would have to be of our own user.
            before = os.umask(0o177)
            try:
                listener.bind(str(path))
            finally:
                os.umask(before)
            path.chmod(0o660)
            listener.listen(_BACKLOG)
        except OSError as error:
            raise IssuerUnavailableError(
                f"socket {path} cannot be made: {error.strerror}", code="serve.unusable"
            ) from error
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def loopback_listener(address: str, port: int) -> Iterator[socket.socket]:
    """A listening port of this machine's loopback; 0 takes a free one.

    Raises:
        IssuerRefusedError: the address is not loopback (``serve.not-loopback``), or the port is taken
            (``serve.in-use``).
        IssuerUnavailableError: ``serve.unusable``.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError as error:
        raise IssuerRefusedError(
            "the address is no IP address, expected 127.0.0.1 or ::1", code="serve.not-loopback"
        ) from error
    if not parsed.is_loopback:
        raise IssuerRefusedError(
            f"address {address} can be reached from other machines, expected loopback",
            code="serve.not-loopback",
            hint="put a proxy with TLS in front, and serve it on a Unix socket: --socket PATH",
        )
    family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
    # The event loop sends at once only through sockets that name their protocol; on any other, each second part of an
    # answer waits for an acknowledgement that the other side holds back for 40 ms (RFC 896, RFC 1122, 4.2.3.2).
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
            listener.listen(_BACKLOG)
        except OSError as error:
            raise IssuerRefusedError(
                f"port {port} of {address} cannot be had: {error.strerror}", code="serve.in-use"
            ) from error
        yield listener


def _remove_stale(path: Path) -> None:
    """Take away a socket that a killed process left; one that answers stays."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise IssuerRefusedError(f"{path} is there and no socket", code="serve.in-use")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise IssuerRefusedError(f"somebody listens at {path} already", code="serve.in-use")
