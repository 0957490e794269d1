"""What a contactless reader answers by itself: the identifier of the card in its field (PC/SC part 3, 3.2.2.1.3).

A membership card must not be followed by its identifier, so the chip draws another one whenever it gets power
(ISO/IEC 14443-3, 6.5.4: a random identifier has four bytes, the first of them 08).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["ProximityReader"]

_READER_CLASS = 0xFF
_GET_DATA = b"\xff\xca"
_UID = b"\x00\x00"
_RANDOM_IDENTIFIER = b"\x08"
_RANDOM_BYTES = 3

_SUCCESS = b"\x90\x00"
_END_OF_DATA = b"\x62\x82"
_WRONG_LENGTH = b"\x67\x00"
_NOT_SUPPORTED = b"\x6a\x81"
_UNKNOWN_CLASS = b"\x6e\x00"


@dataclass(slots=True)
class ProximityReader:
    """The reader's own commands, class FF; none of them reaches the card or touches its session."""

    random: Callable[[int], bytes] = field(repr=False)
    _identifier: bytes = b""

    def power_on(self) -> None:
        """The card got power anew: it has another identifier than before."""
        before = self._identifier
        while self._identifier == before:
            self._identifier = _RANDOM_IDENTIFIER + self.random(_RANDOM_BYTES)

    def answer(self, command: bytes) -> bytes | None:
        """The reader's answer; ``None`` where the command is the card's."""
        if command[:1] != bytes((_READER_CLASS,)):
            return None
        if command[:2] != _GET_DATA:
            return _UNKNOWN_CLASS
        if command[2:4] != _UID:
            return _NOT_SUPPORTED
        if len(command) != 5:
            return _WRONG_LENGTH
        size = len(self._identifier)
        wanted = command[4] or size
        if wanted < size:
            return bytes((0x6C, size))
        return self._identifier + (_SUCCESS if wanted == size else _END_OF_DATA)
