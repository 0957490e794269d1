"""The keys of a station: what an operator presses becomes a wish, once it is complete."""

import enum
from dataclasses import dataclass
from typing import Final

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
    """One wish; ``reader`` counts from 0, where it is about one."""

    kind: WishKind
    reader: int | None = None


class KeyLine:
    """Collects keys: ``space``, ``q``, ``x`` and a reader and ``y``, ``p`` and a reader; anything else begins anew.

    Rejecting a card cannot be taken back, so it takes three keys.
    """

    def __init__(self, readers: int) -> None:
        self._readers = min(readers, len(_READERS))
        self._pressed = ""

    @property
    def prompt(self) -> str:
        """What the next key may be, in words for the screen."""
        if not self._pressed:
            return "space: suspend, go on   x: reject   p: print again   q: end"
        if len(self._pressed) == 1:
            act = "reject" if self._pressed == "x" else "print again"
            return f"{act}: which reader, 1 to {self._readers}?"
        return f"reject the card of reader {self._pressed[1]}: y to confirm"

    def press(self, key: str) -> Wish | None:
        """Take one key; the wish that is complete with it."""
        pressed, self._pressed = self._pressed, ""
        if not pressed:
            if key == " ":
                return Wish(kind=WishKind.SUSPEND_OR_RESUME)
            if key == "q":
                return Wish(kind=WishKind.STOP)
            if key in ("x", "p"):
                self._pressed = key
            return None
        if len(pressed) == 1:
            return self._choose(pressed, key)
        if key == _CONFIRM:
            return Wish(kind=WishKind.REJECT, reader=_READERS.index(pressed[1]))
        return None

    def _choose(self, act: str, key: str) -> Wish | None:
        # One character: an empty one, at the end of the keyboard's stream, is in every text.
        if len(key) != 1 or key not in _READERS[: self._readers]:
            return None
        if act == "p":
            return Wish(kind=WishKind.PRINT_AGAIN, reader=_READERS.index(key))
        self._pressed = act + key
        return None
