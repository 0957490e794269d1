"""Serving the application on a Unix socket, for the proxy alone: the kernel says which user a peer is."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from pki.web.serving import ServingLimits, serve

__all__ = ["serve_api"]

_CREDENTIALS: Final = struct.Struct("3i")
_LIMITS: Final = ServingLimits(connections=256, stopping_seconds=10)


def serve_api(
    app: ASGIApp,
    listener: socket.socket,
    *,
    allowed_uids: frozenset[int],
    on_ready: Callable[[], None],
) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished.

    Args:
        app: the application behind its outermost layer.
        listener: a Unix socket that listens.
        allowed_uids: users whose processes are served: the proxy's. Whoever else connects is dropped unheard.
        on_ready: is called when clients can connect.
    """
    serve(app, listener, limits=_LIMITS, on_ready=on_ready, protocol=_protocol_for(allowed_uids))


def _protocol_for(allowed_uids: frozenset[int]) -> type[asyncio.Protocol]:
    class PeerCheckedProtocol(H11Protocol):
        """HTTP/1.1 for peers of the allowed users: only they can be believed about client certificates."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            """Drop a stranger before a byte is read."""
            if _peer_uid(transport) in allowed_uids:
                super().connection_made(transport)
            else:
                self.is_stranger = True
                transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            """What was never begun needs no end."""
            if not getattr(self, "is_stranger", False):
                super().connection_lost(exc)

    return PeerCheckedProtocol


def _peer_uid(transport: asyncio.BaseTransport) -> int:
    connection = transport.get_extra_info("socket")
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _process, uid, _group = _CREDENTIALS.unpack(packed)
    return int(uid)
