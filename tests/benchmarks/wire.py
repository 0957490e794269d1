"""A reader that looks at what goes over the wire: how many bytes were protected, and what the card's side cost."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

from card_layout import tlv
from card_layout.transport.connection import CardConnection
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.image import CardImage

__all__ = ["ProtectedExchange", "WatchedReader"]

Result = TypeVar("Result")

_SECURE_MESSAGING = 0x0C
_PERSONALISATION_CHANNEL = 0x84
_EXTERNAL_AUTHENTICATE = 0x82
_MAC_BYTES = 8
_BLOCK = 16
_LONG_HEADER = 7
"""CLA INS P1 P2 and an extended Lc."""


@dataclass(frozen=True, kw_only=True)
class ProtectedExchange:
    """Bytes of ciphertext and bytes under the MAC, of a command and of its answer; 0 where there were none."""

    command: tuple[int, int]
    answer: tuple[int, int]


class WatchedReader:
    """One virtual card in a reader. ``card_seconds`` is the CPU time of the card's side, ``exchanges`` what was protected.

    ``aside`` is entered around everything that the card does.
    """

    def __init__(
        self, image: CardImage, aside: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        self.name = "bench"
        self.card_seconds = 0.0
        self.apdu_count = 0
        self.exchanges: list[ProtectedExchange] = []
        self._aside = aside
        self.card = self.on_card(lambda: VirtualCard(image))
        self._inner = SimulatedReader(self.card)

    def is_card_present(self) -> bool:
        """It always is."""
        return True

    def connect(self) -> CardConnection:
        """Power the card."""
        return _WatchedConnection(self, self.on_card(self._inner.connect))

    def on_card(self, work: Callable[[], Result]) -> Result:
        """Do something of the card's side."""
        begin = time.thread_time()
        try:
            with self._aside():
                return work()
        finally:
            self.card_seconds += time.thread_time() - begin

    def note(self, command: bytes, answer: bytes) -> None:
        """Look at one exchange."""
        self.apdu_count += 1
        header, data = _split(command)
        if header[0] & _SECURE_MESSAGING == _SECURE_MESSAGING:
            self.exchanges.append(
                ProtectedExchange(
                    command=_protected_sizes(data, covered_before=2 * _BLOCK),
                    answer=_protected_sizes(answer[:-2], covered_before=_BLOCK),
                )
            )
        elif header[0] == _PERSONALISATION_CHANNEL:
            is_opening = header[1] == _EXTERNAL_AUTHENTICATE
            ciphertext = 0 if is_opening else len(data) - _MAC_BYTES
            answered = max(0, len(answer) - 2 - _MAC_BYTES)
            self.exchanges.append(
                ProtectedExchange(
                    command=(ciphertext, _BLOCK + len(header) + len(data) - _MAC_BYTES),
                    answer=(answered, 0 if is_opening else _BLOCK + answered + 2),
                )
            )


class _WatchedConnection:
    def __init__(self, reader: WatchedReader, inner: CardConnection) -> None:
        self._reader = reader
        self._inner = inner

    @property
    def atr(self) -> bytes:
        return self._inner.atr

    def transmit(self, command: bytes) -> bytes:
        def work() -> bytes:
            answer = self._inner.transmit(command)
            self._reader.note(command, answer)
            return answer

        return self._reader.on_card(work)

    def reset(self) -> bytes:
        return self._reader.on_card(self._inner.reset)

    def close(self) -> None:
        self._reader.on_card(self._inner.close)


def _split(command: bytes) -> tuple[bytes, bytes]:
    """Header with Lc, and data, of a command with data; a command without has no data here."""
    if len(command) <= 5:
        return command[:4], b""
    if command[4]:
        return command[:5], command[5 : 5 + command[4]]
    if len(command) == _LONG_HEADER:
        return command[:4], b""
    size = int.from_bytes(command[5:7], "big")
    return command[:_LONG_HEADER], command[_LONG_HEADER : _LONG_HEADER + size]


def _protected_sizes(data: bytes, *, covered_before: int) -> tuple[int, int]:
    """Ciphertext, and what its MAC covers: the counter, a command's padded header, the objects before it, padded."""
    objects = tlv.parse_all(data)
    ciphertext = sum(
        len(item.value) // _BLOCK * _BLOCK for item in objects if item.tag in {0x85, 0x87}
    )
    covered = sum(len(item.to_bytes()) for item in objects if item.tag != 0x8E)
    return ciphertext, covered_before + covered // _BLOCK * _BLOCK + _BLOCK
