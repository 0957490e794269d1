"""What a serving process keeps for ever is kept out of the garbage collector's way.

A product's modules, models and routes are some 300,000 objects, and each look of the collector at everything walked all
of them: 170 ms in which nobody was answered. They are set aside once, when the process is ready. What it learns from its
first requests (compiled statements and templates) stays as long and is set aside when it has grown, a few times only:
whatever is set aside is never looked at again, so a ring of objects among it that falls out of use would stay.
"""

import gc
from collections.abc import Callable
from typing import Final

__all__ = ["MOST_TIMES", "WORTH_SETTING_ASIDE", "keep_standing_objects", "standing_objects_setter"]

WORTH_SETTING_ASIDE: Final = 20_000
"""Objects that survived a look at everything; to look at so many takes some 12 ms."""

MOST_TIMES: Final = 4
"""How often what has grown is set aside in the life of a process."""

_THRESHOLDS: Final = (5_000, 10, 5)
"""A request makes thousands of objects and leaves none: looked at every 700, most were looked at while in use."""

_OLDEST: Final = 2


def keep_standing_objects() -> None:
    """Set aside what this process consists of, and later what it has learnt; called once, by a process that is ready."""
    gc.collect()
    gc.freeze()
    # The collector looks at everything when that has grown by a quarter since: now it is next to nothing.
    gc.collect()
    gc.set_threshold(*_THRESHOLDS)
    gc.callbacks.append(standing_objects_setter())


def standing_objects_setter() -> Callable[[str, dict[str, int]], None]:
    """A callback of the collector that sets aside what survived a look at everything, if it is much."""
    left = MOST_TIMES

    def looked(phase: str, info: dict[str, int]) -> None:
        nonlocal left
        if phase != "stop" or info["generation"] != _OLDEST or left == 0:
            return
        if len(gc.get_objects(generation=_OLDEST)) >= WORTH_SETTING_ASIDE:
            gc.freeze()
            left -= 1

    return looked
