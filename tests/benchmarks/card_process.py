"""Virtual chips in a process of their own, each behind a wire: what they compute takes nothing from the station.

A chip waits as long as its timing profile says, its own simulation included, and tells how long that was in all and by
how much it was late.
"""

import contextlib
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence

from card_layout.errors import TransportError
from card_layout.transport.connection import CardConnection
from simulators.card.operating_system import VirtualCard
from simulators.image import CardImage

__all__ = ["WiredReader", "chips_in_a_process"]

_SIZE = struct.Struct(">I")
_TIMES = struct.Struct(">dd")


class WiredReader:
    """A reader whose chip is in another process; one chip, which is taken out once it was worked on."""

    def __init__(self, name: str, wire: socket.socket) -> None:
        self.name = name
        self._wire = wire
        self.has_chip = True
        self.put_in_at = 0.0
        self.done_at = 0.0

    def is_card_present(self) -> bool:
        """Whether the chip is still to be made."""
        if self.has_chip and not self.put_in_at:
            self.put_in_at = time.perf_counter()
        return self.has_chip

    def connect(self) -> CardConnection:
        """Power the chip."""
        return _WiredConnection(self, self.ask(b"R"))

    def ask(self, message: bytes) -> bytes:
        """Send a message to the chip's process, and wait for its answer."""
        self._wire.sendall(_SIZE.pack(len(message)) + message)
        return _receive(self._wire)

    def chip_times(self) -> tuple[float, float]:
        """What the profile accounts for, and by how much the simulation was later, in seconds."""
        accounted, late = _TIMES.unpack(self.ask(b"S"))
        return accounted, late

    def take_out(self) -> None:
        """The chip was worked on."""
        self.has_chip = False
        self.done_at = time.perf_counter()


class _WiredConnection:
    def __init__(self, reader: WiredReader, atr: bytes) -> None:
        self._reader = reader
        self._atr = atr

    @property
    def atr(self) -> bytes:
        return self._atr

    def transmit(self, command: bytes) -> bytes:
        return self._reader.ask(b"T" + command)

    def reset(self) -> bytes:
        self._atr = self._reader.ask(b"R")
        return self._atr

    def close(self) -> None:
        self._reader.take_out()


class _TimedChip:
    """One chip; it waits until its answer is due."""

    def __init__(self, image: CardImage) -> None:
        self.accounted = 0.0
        self.late = 0.0
        self._card = VirtualCard(image, sleep=self._wait)
        self._begin = 0.0

    def answer(self, message: bytes) -> bytes:
        self._begin = time.perf_counter()
        if message[:1] == b"S":
            return _TIMES.pack(self.accounted, self.late)
        if message[:1] == b"R":
            return self._card.reset() if self._card.is_powered else self._card.power_on()
        return self._card.process(message[1:])

    def _wait(self, seconds: float) -> None:
        end = self._begin + seconds
        time.sleep(max(0.0, end - time.perf_counter()))
        self.accounted += seconds
        self.late += time.perf_counter() - end


@contextlib.contextmanager
def chips_in_a_process(images: Sequence[CardImage]) -> Iterator[list[WiredReader]]:
    """A reader for each image; the process of the chips ends with the block."""
    pairs = [socket.socketpair() for _ in images]
    child = os.fork()
    if child == 0:
        try:
            for ours, _ in pairs:
                ours.close()
            threads = [
                threading.Thread(target=_serve, args=(theirs, _TimedChip(image)))
                for (_, theirs), image in zip(pairs, images, strict=True)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            os._exit(0)
    for _, theirs in pairs:
        theirs.close()
    try:
        yield [
            WiredReader(f"reader {number}", ours) for number, (ours, _) in enumerate(pairs, start=1)
        ]
    finally:
        for ours, _ in pairs:
            ours.close()
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)


def _serve(wire: socket.socket, chip: _TimedChip) -> None:
    with contextlib.suppress(TransportError, OSError):
        while True:
            answer = chip.answer(_receive(wire))
            wire.sendall(_SIZE.pack(len(answer)) + answer)


def _receive(wire: socket.socket) -> bytes:
    return _exactly(wire, _SIZE.unpack(_exactly(wire, _SIZE.size))[0])


def _exactly(wire: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = wire.recv(size - len(content))
        if not part:
            raise TransportError("the other end is gone")
        content += part
    return content
