"""The answer to reset, and the life cycle that its historical bytes tell (SPEC.md, 4.2 and 6.1).

    3B 87 80 01 || 80 || 73 94 21 C0 || 81 LL || TCK

An ATR is read as ISO/IEC 7816-3, 8.2 lays it out, with whatever interface bytes a reader put into it; its
historical bytes are read as compact TLV (ISO/IEC 7816-4, 12.1.1) where they begin with ``80``.
"""

from enum import IntEnum
from functools import reduce
from operator import xor

from card_layout.errors import CardDataError

__all__ = [
    "CAPABILITIES_EXTENDED",
    "CAPABILITIES_SHORT",
    "AtrError",
    "LifeCycle",
    "announces_extended_lengths",
    "encode_atr",
    "read_life_cycle",
]

CAPABILITIES_EXTENDED = bytes.fromhex("9421C0")
"""Selection by name and FID, SFI; data units of one byte; command chaining and extended lengths."""

CAPABILITIES_SHORT = bytes.fromhex("942180")
"""The same without extended lengths."""

_MAX_BYTES = 33
_COMPACT_TLV = 0x80
_STATUS_INDICATOR = 0x8
_CAPABILITIES = 0x7
_EXTENDED_LENGTHS = 0x40
_NO_INFORMATION = 0x00


class AtrError(CardDataError):
    """An ATR that is not laid out as ISO/IEC 7816-3 says, or tells a state that is none of ours."""

    default_code = "card.malformed-atr"


class LifeCycle(IntEnum):
    """The states of a card (SPEC.md, 6.1), in the order of its life."""

    BLANK = 0x01
    INITIALISED = 0x03
    PERSONALISING = 0x13
    PERSONALISED = 0x15
    OPERATIONAL = 0x05
    TERMINATED = 0x0F


def encode_atr(life_cycle: LifeCycle, *, extended_lengths: bool) -> bytes:
    """The ATR of a card of ours in that state."""
    capabilities = CAPABILITIES_EXTENDED if extended_lengths else CAPABILITIES_SHORT
    historical = bytes((_COMPACT_TLV, 0x73)) + capabilities + bytes((0x81, life_cycle))
    body = bytes((0x80 | len(historical), 0x80, 0x01)) + historical
    return b"\x3b" + body + bytes((reduce(xor, body),))


def read_life_cycle(atr: bytes) -> LifeCycle | None:
    """The state that the historical bytes tell; ``None`` where they tell none.

    Raises:
        AtrError: not an ATR, historical bytes cut short, or a state that SPEC.md, 6.1 does not have.
    """
    historical = _historical_bytes(atr)
    if not historical or historical[0] != _COMPACT_TLV:
        return None
    for tag, value in _compact_objects(historical[1:]):
        # A value of two bytes is a status word without a life cycle (ISO/IEC 7816-4, 12.1.1.11).
        if tag == _STATUS_INDICATOR and len(value) in (1, 3) and value[0] != _NO_INFORMATION:
            try:
                return LifeCycle(value[0])
            except ValueError as error:
                raise AtrError(
                    f"life-cycle status is {value[0]:02X}, expected one of "
                    f"{', '.join(f'{state:02X}' for state in LifeCycle)}"
                ) from error
    return None


def announces_extended_lengths(atr: bytes) -> bool:
    """Whether the card's capabilities name extended lengths (ISO/IEC 7816-4, 12.1.1.9, third table).

    Raises:
        AtrError: not an ATR, or historical bytes cut short.
    """
    historical = _historical_bytes(atr)
    if not historical or historical[0] != _COMPACT_TLV:
        return False
    return any(
        tag == _CAPABILITIES and len(value) == 3 and bool(value[2] & _EXTENDED_LENGTHS)
        for tag, value in _compact_objects(historical[1:])
    )


def _historical_bytes(atr: bytes) -> bytes:
    if not 2 <= len(atr) <= _MAX_BYTES:
        raise AtrError(f"atr has {len(atr)} bytes, expected 2 to {_MAX_BYTES}")
    if atr[0] not in (0x3B, 0x3F):
        raise AtrError(f"atr begins with {atr[0]:02X}, expected 3B or 3F")
    count = atr[1] & 0x0F
    # Y1 in T0 tells which of TA1-TD1 follow; each TDi tells the next four, and names a protocol.
    following = atr[1] >> 4
    protocols: set[int] = set()
    position = 2
    while following:
        position += following.bit_count()
        if position > len(atr):
            raise AtrError("atr ends inside its interface bytes")
        if not following & 0x8:
            break
        protocols.add(atr[position - 1] & 0x0F)
        following = atr[position - 1] >> 4
    historical = atr[position : position + count]
    # TCK is there unless T=0 is the only protocol (ISO/IEC 7816-3, 8.2.5).
    has_check = bool(protocols - {0})
    expected = position + count + has_check
    if len(atr) != expected:
        raise AtrError(f"atr has {len(atr)} bytes, expected {expected}")
    if has_check and reduce(xor, atr[1:]) != 0:
        raise AtrError("check byte of the atr is wrong")
    return historical


def _compact_objects(data: bytes) -> list[tuple[int, bytes]]:
    objects: list[tuple[int, bytes]] = []
    position = 0
    while position < len(data):
        tag, length = data[position] >> 4, data[position] & 0x0F
        value = data[position + 1 : position + 1 + length]
        if len(value) < length:
            raise AtrError(f"historical bytes end inside object {tag:X}")
        objects.append((tag, value))
        position += 1 + length
    return objects
