"""Benchmark of one APDU through pcscd and vpcd, with the product's own PC/SC adapter on the host's side."""

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from card_layout.errors import TransportError
from card_layout.transport.connection import CardConnection
from card_layout.transport.readers import list_readers, open_reader, wait_for_card
from simulators.errors import SimulatorError
from simulators.hopper import Hopper
from simulators.image import CardImage
from simulators.vpcd import FIRST_PORT, Serving, VirtualIcc
from tests.benchmarks.inspecting import CardStream
from tests.benchmarks.measure import Announce, Record, compare, wall_seconds

__all__ = ["measure_transport"]

_READERS = ("Virtual PCD 00 00", "Virtual PCD 00 01")
_READ_CARD_ACCESS = bytes.fromhex("00B09C0000")
_SECONDS_TO_INSERT = 10.0


class _UsualSocket(socket.socket):
    """A socket that acknowledges when the kernel likes, as virtual cards usually have it."""

    def setsockopt(self, *arguments: Any) -> None:
        if arguments[:2] != (socket.IPPROTO_TCP, socket.TCP_QUICKACK):
            super().setsockopt(*arguments)


class _UsualIcc(VirtualIcc):
    """A virtual card without TCP_QUICKACK."""

    def _connect(self) -> socket.socket | None:
        connection = super()._connect()
        return None if connection is None else _UsualSocket(fileno=connection.detach())


def measure_transport(announce: Announce) -> Iterator[Record]:
    """transport.vpcd.apdu: one READ BINARY, against the same without TCP_QUICKACK."""
    try:
        missing = sorted(set(_READERS) - set(list_readers()))
    except TransportError as error:
        announce(f"transport.vpcd.apdu: left out, {error}")
        return
    if missing:
        announce(f"transport.vpcd.apdu: left out, PC/SC has no reader {' and no '.join(missing)}")
        return
    announce("transport.vpcd.apdu: putting two virtual cards into pcscd, then 9 rounds")
    image = CardStream(cards=1).images[0]
    try:
        with ExitStack() as stack:
            quick = stack.enter_context(_card_in(0, VirtualIcc, image))
            usual = stack.enter_context(_card_in(1, _UsualIcc, image))
            yield compare(
                "transport.vpcd.apdu",
                value=lambda: _seconds(quick, 200),
                baseline=lambda: _seconds(usual, 10),
                unit="s",
                goal=None,
                rounds=9,
            )
    except (TransportError, SimulatorError) as error:
        announce(f"transport.vpcd.apdu: left out, {error}")


def _seconds(connection: CardConnection, count: int) -> float:
    def work() -> None:
        for _ in range(count):
            if connection.transmit(_READ_CARD_ACCESS)[-2:] != b"\x90\x00":
                raise AssertionError("the card does not give EF.CardAccess")

    return wall_seconds(work) / count


@contextmanager
def _card_in(slot: int, kind: type[VirtualIcc], image: CardImage) -> Iterator[CardConnection]:
    """A connection to a virtual card in a slot of the driver."""
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "card.json"
        image.save(path)
        icc = kind(
            slot=slot,
            port=FIRST_PORT + slot,
            hopper=Hopper([path]),
            report=lambda _: None,
            stop=stop,
        )
        service = Serving([icc], stop=stop)
        thread = threading.Thread(target=lambda: service.run(until_empty=True))
        thread.start()
        try:
            reader = open_reader(_READERS[slot])
            if not wait_for_card(reader, timeout_seconds=_SECONDS_TO_INSERT):
                raise TransportError(f"PC/SC does not see the card in {_READERS[slot]!r}")
            connection = reader.connect()
            try:
                yield connection
            finally:
                connection.close()
        finally:
            service.end()
            thread.join(_SECONDS_TO_INSERT)
