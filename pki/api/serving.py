"""Serving the application on a Unix socket, for the proxy alone: the kernel says which user a peer is."""

import asyncio
import contextlib
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["serve_api"]

_CREDENTIALS: Final = struct.Struct("3i")
_MAX_HEADER_BYTES: Final = 32768
_KEEP_ALIVE_SECONDS: Final = 30
_STOPPING_SECONDS: Final = 10
_MAX_CONNECTIONS: Final = 256


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
    config = uvicorn.Config(
        app,
        http=_protocol_for(allowed_uids),
        ws="none",
        loop="asyncio",
        lifespan="off",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        date_header=True,
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
        """End by returning: the library would send itself the signal again, and our own clearing up would be left out."""
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
