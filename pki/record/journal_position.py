"""A place in a journal, to which somebody read."""

from dataclasses import dataclass

__all__ = ["JournalPosition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPosition:
    """Where reading stopped: behind entry ``sequence`` (0: before the first), whose hash that is, at byte ``offset``.

    ``line_offset`` is where that last entry's line begins, so that it can be compared again.
    """

    sequence: int = 0
    hash: bytes = bytes(32)
    offset: int = 0
    line_offset: int = 0
