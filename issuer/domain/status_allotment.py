"""Allotting status indices: which bit of which status list will speak for a card (SPEC.md 7.3).

An index says nothing about the order of issuing, so it is drawn at random; it is never used again, not even
for a condemned card. Lists have one fixed size, and a new one is begun before the old one is half full, which
keeps the drawing short and a list's silent positions numerous.
"""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = [
    "LIST_ID_BYTES",
    "LIST_SIZE",
    "RandomBytes",
    "StatusIndex",
    "StatusListRoom",
    "draw_below",
    "draw_index",
    "room_left",
]

RandomBytes = Callable[[int], bytes]
"""A source of that many random bytes, from an operating system or a token."""

LIST_ID_BYTES = 8
LIST_SIZE = 1 << 17
"""Positions of one status list: 16 KiB at one bit each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusIndex:
    """One position of one status list: ``list_id`` of 8 bytes, ``index`` from 0."""

    list_id: bytes
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusListRoom:
    """A list, and how many more of its positions may be given away."""

    list_id: bytes
    room: int


def room_left(*, allotted: int, size: int) -> int:
    """How many positions a list may still give away of which ``allotted`` of ``size`` are gone."""
    return max(0, (size + 1) // 2 - allotted)


def draw_index(random_bytes: RandomBytes, *, size: int) -> int:
    """A uniformly random position of a list."""
    return draw_below(random_bytes, size)


def draw_below(random_bytes: RandomBytes, bound: int) -> int:
    """A uniformly random number from 0 to ``bound`` - 1.

    Numbers of whole bits that are too large are thrown away, because a remainder would favour small ones.
    """
    bits = (bound - 1).bit_length()
    size = (bits + 7) // 8
    while True:
        number = int.from_bytes(random_bytes(size), "big") >> (8 * size - bits)
        if number < bound:
            return number
