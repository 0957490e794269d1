"""The keyboard of a terminal, key by key without Enter; it is given back as it was."""

import contextlib
import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from typing import Final

__all__ = ["listening_to_keys"]

_LOOK_SECONDS: Final = 0.2


@contextlib.contextmanager
def listening_to_keys(
    on_key: Callable[[str], None], *, stream: int | None = None
) -> Iterator[None]:
    """Call ``on_key`` for each key while the block runs; where there is no terminal, nobody presses any.

    Args:
        on_key: is called from a thread of its own.
        stream: the descriptor of the terminal; that of standard input if ``None``.
    """
    descriptor = sys.stdin.fileno() if stream is None else stream
    if not os.isatty(descriptor):
        yield
        return
    before = termios.tcgetattr(descriptor)
    is_over = threading.Event()

    def listen() -> None:
        while not is_over.is_set():
            ready, _, _ = select.select([descriptor], [], [], _LOOK_SECONDS)
            if not ready:
                continue
            key = os.read(descriptor, 1)
            if not key:
                return
            on_key(key.decode("latin-1"))

    thread = threading.Thread(target=listen, name="keyboard", daemon=True)
    # Interrupts stay what they are: Ctrl-C ends the station.
    tty.setcbreak(descriptor)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
