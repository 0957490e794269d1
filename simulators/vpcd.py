"""Virtual cards behind the real PC/SC stack: we are the card, vsmartcard's ``vpcd`` is the reader driver in pcscd.

The wire: we connect to the driver's TCP port (one a slot). Both ways a message is two bytes of length, most
significant first, then so many bytes. A message of one byte is a control: 00 power off, 01 power on, 02 reset, 04 give
the ATR; only the last is answered. Everything else is an APDU. The driver asks for the ATR about every 0.4 s to see
whether the card is still there; a connection that we close is a card taken out.
"""

import contextlib
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto
from pathlib import Path

from simulators.card.operating_system import VirtualCard
from simulators.errors import SimulatorError, VirtualIccError
from simulators.faults import FaultyExchange, TornError
from simulators.hopper import Hopper
from simulators.image import CardImage
from simulators.proximity import ProximityReader

__all__ = ["FIRST_PORT", "HOST", "SLOTS_OF_A_DRIVER", "Serving", "VirtualIcc"]

HOST = "127.0.0.1"
FIRST_PORT = 35963
"""The port of the driver's usual entry."""

SLOTS_OF_A_DRIVER = 2
"""One entry of the driver (in pcscd's reader.conf.d) has two slots: its port, and the one after it."""

_ABSENT_SECONDS = 0.6
"""How long a slot stays empty between two cards: longer than pcscd takes from one look to the next.

A swap that falls between two looks would never be noticed where the driver already dropped the old connection, over a
command or a power-up that failed: pcscd would go on with the card that is gone.
"""

_MOST_LOOKS_BEFORE_POWER = 3
"""pcscd powers a new card after its second look. Where it does not, it took the card for the one before."""

_FIRST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 2.0


class _Control(IntEnum):
    """Messages of one byte."""

    POWER_OFF = 0x00
    POWER_ON = 0x01
    RESET = 0x02
    GIVE_ATR = 0x04


class _Ending(Enum):
    """Why a card left the slot."""

    DONE = auto()
    """The host powered it off after using it, or it was torn: the next card's turn."""

    DRIVER_GONE = auto()
    """The driver closed the connection: the same card goes in again."""

    UNNOTICED = auto()
    """pcscd does not know that there is a new card: the same one goes in again."""

    STOPPED = auto()
    """We were told to end."""


@dataclass(slots=True)
class VirtualIcc:
    """One slot of the driver and the hopper that feeds it; ``run`` returns when the hopper is empty.

    ``report`` gets one line for each card that goes in and when the slot is empty. ``wait_seconds`` bounds how long the
    driver may be away, and how long it may let a card wait that it accepted nowhere (another card is in the slot).
    A card that ``stays`` is left in when the host has done with it, as people leave one, until ``interrupt``.
    """

    slot: int
    hopper: Hopper
    report: Callable[[str], None]
    stop: threading.Event
    host: str = HOST
    port: int = FIRST_PORT
    wait_seconds: float = 30.0
    absent_seconds: float = _ABSENT_SECONDS
    stays: bool = False
    _socket: socket.socket | None = field(default=None, init=False)

    def run(self) -> None:
        """Put one card after another into the slot.

        Raises:
            VirtualIccError: nothing listens on the port, or nobody takes the card.
            ImageError: an image cannot be read.
        """
        while not self.stop.is_set():
            path = self.hopper.current
            if path is None:
                self.report(f"slot {self.slot}: empty")
                return
            if self._insert(path) is _Ending.DONE:
                self.hopper.advance()
            self.stop.wait(self.absent_seconds)

    def interrupt(self) -> None:
        """Wake ``run`` from waiting for the driver; ``stop`` must be set."""
        connection = self._socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _insert(self, path: Path) -> _Ending:
        card = VirtualCard(CardImage.load(path), store=lambda image: image.save(path))
        connection = self._connect()
        if connection is None:
            return _Ending.STOPPED
        try:
            self._socket = connection
            if self.stop.is_set():
                # Whoever stopped us may have looked for the connection before it was there.
                return _Ending.STOPPED
            self.report(f"slot {self.slot} (port {self.port}): {path}")
            return self._serve(connection, card)
        except (OSError, EOFError):
            return _Ending.STOPPED if self.stop.is_set() else _Ending.DRIVER_GONE
        finally:
            self._socket = None
            card.power_off()
            connection.close()

    def _connect(self) -> socket.socket | None:
        """Connect to the driver, waiting for it while it is not up; ``None`` where we were stopped."""
        deadline = time.monotonic() + self.wait_seconds
        pause = _FIRST_BACKOFF_SECONDS
        while not self.stop.is_set():
            try:
                connection = socket.create_connection((self.host, self.port), timeout=pause + 1)
            except OSError as error:
                if time.monotonic() + pause > deadline:
                    raise VirtualIccError(
                        f"no virtual reader listens on {self.host}:{self.port} (slot {self.slot})",
                        hint="start pcscd with the vpcd driver (Debian: pcscd and vsmartcard-vpcd)",
                    ) from error
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            self.stop.wait(pause)
            pause = min(2 * pause, _LONGEST_BACKOFF_SECONDS)
        return None

    def _serve(self, connection: socket.socket, card: VirtualCard) -> _Ending:
        """Answer the driver until it is done with the card, or a fault takes the card away."""
        exchange = FaultyExchange(
            card.process,
            card.image.faults,
            power_off=card.power_off,
            sleep=time.sleep,
            swap=lambda: _start_anew(card),
        )
        proximity = ProximityReader(secrets.token_bytes)
        proximity.power_on()
        message = self._first_message(connection)
        looks, was_powered = 0, False
        while True:
            if len(message) == 1:
                if message[0] == _Control.GIVE_ATR:
                    looks += 1
                    if not was_powered and looks > _MOST_LOOKS_BEFORE_POWER:
                        return _Ending.UNNOTICED
                    _send(connection, card.image.atr)
                elif message[0] == _Control.POWER_OFF:
                    card.power_off()
                    if exchange.next_number > 1 and not self.stays:
                        return _Ending.DONE
                elif message[0] in (_Control.POWER_ON, _Control.RESET):
                    was_powered = True
                    card.power_on()
                    proximity.power_on()
            elif (own := proximity.answer(message)) is not None:
                _send(connection, own)
            elif not self._answer(connection, card, exchange, message):
                return _Ending.DONE
            message = _receive(connection)

    @staticmethod
    def _answer(
        connection: socket.socket, card: VirtualCard, exchange: FaultyExchange, command: bytes
    ) -> bool:
        """Answer one APDU; false where the card went away over it."""
        if not card.is_powered:
            card.power_on()
        try:
            answer = exchange.transmit(command)
        except TornError:
            return False
        if answer is None:
            # The driver waits for an answer without end: only the card's removal ends that.
            return False
        _send(connection, answer)
        return not exchange.is_torn

    def _first_message(self, connection: socket.socket) -> bytes:
        """The driver's first message; a connection that it does not accept stays silent."""
        connection.settimeout(self.wait_seconds)
        try:
            message = _receive(connection)
        except TimeoutError as error:
            raise VirtualIccError(
                f"the virtual reader on {self.host}:{self.port} does not take the card "
                f"(slot {self.slot})",
                code="virtual-icc.slot-busy",
                hint="another virtual card may be in this slot",
            ) from error
        connection.settimeout(None)
        return message


class Serving:
    """Several slots at once, a thread each; ``run`` returns when all are empty, or after ``end``."""

    def __init__(self, slots: list[VirtualIcc], *, stop: threading.Event) -> None:
        self._slots = slots
        self._stop = stop
        self._errors: list[SimulatorError] = []
        self._threads = [
            threading.Thread(target=self._run_slot, args=(slot,), name=f"slot-{slot.slot}")
            for slot in slots
        ]

    def run(self, *, until_empty: bool) -> None:
        """Serve; without ``until_empty`` go on waiting, with all slots empty, until ``end``.

        Raises:
            SimulatorError: the first error of a slot; the other slots were ended.
        """
        for thread in self._threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in self._threads) or not until_empty:
                if self._stop.wait(0.1):
                    break
        finally:
            self.end()
            for thread in self._threads:
                thread.join()
        if self._errors:
            raise self._errors[0]

    def end(self) -> None:
        """Take all cards out; safe to call from a signal handler."""
        self._stop.set()
        for slot in self._slots:
            slot.interrupt()

    def _run_slot(self, slot: VirtualIcc) -> None:
        try:
            slot.run()
        except SimulatorError as error:
            self._errors.append(error)
            self.end()


def _start_anew(card: VirtualCard) -> None:
    """To the terminal a card that lost its session is another card with the same data."""
    card.power_on()


def _send(connection: socket.socket, message: bytes) -> None:
    connection.sendall(struct.pack(">H", len(message)) + message)


def _receive(connection: socket.socket) -> bytes:
    (length,) = struct.unpack(">H", _receive_exactly(connection, 2))
    return _receive_exactly(connection, length)


def _receive_exactly(connection: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        # The kernel forgets this option after each segment; without it every APDU waits 40 ms for an
        # acknowledgement that the driver's own delayed sending holds back.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = connection.recv(length - len(received))
        if not part:
            raise EOFError("the driver closed the connection")
        received += part
    return received
