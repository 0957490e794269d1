"""The keys of a station: what an operator presses becomes a wish, once it is complete."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from issuer.domain.chip import Serial

__all__ = ["KeyLine", "Wish", "WishKind"]

_READERS: Final = "1234567890"
_CONFIRM: Final = "y"


class WishKind(enum.StrEnum):
    """What an operator may want."""

    SUSPEND_OR_RESUME = "suspend-or-resume"
    STOP = "stop"
    REJECT = "reject"
    PRINT_AGAIN = "print-again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One wish; ``serial`` is the chip that it is about, ``None`` where no card was made on the reader that was named."""

    kind: WishKind
    serial: Serial | None = None


class KeyLine:
    """Collects keys: ``space``, ``q``, ``x`` and a reader and ``y``, ``p`` and a reader; anything else begins anew.

    The key of the reader chooses the card that was made last on it, whatever is made there before the next key.
    Rejecting a card cannot be taken back, so it takes three keys.
    """

    def __init__(self, readers: int, last_done: Callable[[int], Serial | None]) -> None:
        """``last_done`` tells the chip that was done last on a reader, which counts from 0."""
        self._readers = min(readers, len(_READERS))
        self._last_done = last_done
        self._act: WishKind | None = None
        self._chosen: Serial | None = None

    @property
    def prompt(self) -> str:
        """What the next key may be, in words for the screen."""
        if self._chosen is not None:
            return f"reject {self._chosen.hex().upper()}: y to confirm"
        if self._act is None:
            return "space: suspend, go on   x: reject   p: print again   q: end"
        act = "reject" if self._act is WishKind.REJECT else "print again"
        return f"{act}: which reader, 1 to {self._readers}?"

    def press(self, key: str) -> Wish | None:
        """Take one key; the wish that is complete with it."""
        act, chosen = self._act, self._chosen
        self._act = self._chosen = None
        if chosen is not None:
            return Wish(kind=WishKind.REJECT, serial=chosen) if key == _CONFIRM else None
        if act is not None:
            return self._choose(act, key)
        self._act = _CHOICES.get(key)
        return _AT_ONCE.get(key)

    def _choose(self, act: WishKind, key: str) -> Wish | None:
        # One character: an empty one, at the end of the keyboard's stream, is in every text.
        if len(key) != 1 or key not in _READERS[: self._readers]:
            return None
        serial = self._last_done(_READERS.index(key))
        if act is WishKind.REJECT and serial is not None:
            self._chosen = serial
            return None
        return Wish(kind=act, serial=serial)


_AT_ONCE: Final = {
    " ": Wish(kind=WishKind.SUSPEND_OR_RESUME),
    "q": Wish(kind=WishKind.STOP),
}
_CHOICES: Final = {"x": WishKind.REJECT, "p": WishKind.PRINT_AGAIN}
