"""What a fuzz target is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["BASES", "Target"]

BASES: Final = Path(__file__).with_name("bases")
"""What deltas are applied to, and seals are opened for; ``tests.fuzz.seeds`` makes them together with the seeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader of bytes.

    Attributes:
        read: reads; whatever else than ``refusals`` it raises is a fault.
        refusals: how it may say no.
        share: a short run gives it one of so many runs: readers that take long.
    """

    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    share: int = 1

    def try_on(self, data: bytes) -> bool:
        """Whether the bytes were accepted.

        Raises:
            Exception: a fault: neither accepted nor refused.
        """
        try:
            self.read(data)
        except self.refusals as refusal:
            # A refusal is shown to somebody: its sentence must be one that can be shown.
            str(refusal).encode()
            return False
        return True
