"""Whoever serves on an address sends each part of an answer at once, and does not wait for acknowledgements."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from issuer.api.listeners import loopback_listener
from pki.web.local_page import listen_on_loopback
from verifier.centre_api.serving import listen_on_address

Listen = Callable[[str, int], AbstractContextManager[socket.socket]]


@pytest.mark.parametrize(
    "listen",
    [
        loopback_listener,
        lambda host, port: contextlib.closing(listen_on_loopback(host, port)),
        lambda host, port: contextlib.closing(listen_on_address(host, port)),
    ],
    ids=["issuer", "pages", "centre"],
)
def test_an_accepted_connection_holds_nothing_back(listen: Listen) -> None:
    with listen("127.0.0.1", 0) as listener:
        assert asyncio.run(_is_immediate(listener))


async def _is_immediate(listener: socket.socket) -> bool:
    accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        option = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        accepted.set_result(bool(option))
        writer.close()

    server = await asyncio.start_server(connected, sock=listener)
    async with server:
        _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
        is_immediate = await accepted
        writer.close()
        await writer.wait_closed()
    return is_immediate
