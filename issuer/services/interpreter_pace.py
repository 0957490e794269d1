"""Sets Python's pace for work that holds very many objects at once, with one thread beside another."""

import contextlib
import gc
import sys
import threading
from collections.abc import Iterator
from typing import Final

__all__ = ["paced_for_many_rows"]

_NEW_OBJECTS: Final = 50_000
"""After how many new objects Python looks for cycles: after its own 700 it looks at each row several times over."""

_SWITCH_SECONDS: Final = 0.0005
"""How long a thread may keep another one waiting: Python's own 5 ms are many statements of a database."""

_lock = threading.Lock()
_blocks = 0
_usual: tuple[tuple[int, int, int], float] = (gc.get_threshold(), sys.getswitchinterval())


@contextlib.contextmanager
def paced_for_many_rows() -> Iterator[None]:
    """While one of these blocks runs, in whichever thread, the process looks for cycles rarely and switches threads soon.

    What is not part of a cycle is freed at once in any case, and rows of a list are part of none.
    """
    global _blocks, _usual  # noqa: PLW0603 - the interpreter has one pace for all threads, and so this counts for all
    with _lock:
        if not _blocks:
            _usual = (gc.get_threshold(), sys.getswitchinterval())
            gc.set_threshold(max(_NEW_OBJECTS, _usual[0][0]), *_usual[0][1:])
            sys.setswitchinterval(min(_SWITCH_SECONDS, _usual[1]))
        _blocks += 1
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if not _blocks:
                gc.set_threshold(*_usual[0])
                sys.setswitchinterval(_usual[1])
