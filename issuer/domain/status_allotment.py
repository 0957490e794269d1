"""Allotting status indices: which bit of which status list will speak for a card (SPEC.md 7.3).

An index says nothing about the order of issuing, so it is drawn at random among those that are left; it is never
used again, not even for a condemned card. Lists have one fixed size, and one is used up before the next is begun:
a position that no card has costs as much in a status list as one whose card was not handed over (ADR 0039).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

__all__ = [
    "LIST_ID_BYTES",
    "LIST_SIZE",
    "RandomBytes",
    "StatusIndex",
    "StatusListRoom",
    "draw_below",
    "draw_index",
]

RandomBytes = Callable[[int], bytes]
"""A source of that many random bytes, from an operating system or a token."""

LIST_ID_BYTES = 8
LIST_SIZE = 1 << 17
"""Positions of one status list."""

_QUICK_DRAWS = 16
"""More than a list needs that is not nearly used up; after them the positions left are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusIndex:
    """One position of one status list: ``list_id`` of 8 bytes, ``index`` from 0."""

    list_id: bytes
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusListRoom:
    """A list of ``size`` positions, and which of them are given away."""

    list_id: bytes
    size: int
    taken: frozenset[int] = field(default=frozenset(), repr=False)

    @property
    def room(self) -> int:
        """How many positions it may still give away."""
        return self.size - len(self.taken)


def draw_index(random_bytes: RandomBytes, *, size: int, taken: Collection[int]) -> int:
    """A uniformly random position of those of a list that are not ``taken``; there is one.

    Raises:
        ValueError: there is none.
    """
    if len(taken) >= size:
        raise ValueError(f"all {size} positions of the list are taken")
    for _ in range(_QUICK_DRAWS):
        index = draw_below(random_bytes, size)
        if index not in taken:
            return index
    left = [index for index in range(size) if index not in taken]
    return left[draw_below(random_bytes, len(left))]


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
