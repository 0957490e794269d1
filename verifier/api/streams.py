"""States of the terminal on their way to browsers: from the reader's thread into the event loop, the newest one only."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final

from verifier.services.terminal import Terminal
from verifier.services.terminal_state import TerminalState

__all__ = ["MAX_STREAMS", "Streams"]

MAX_STREAMS: Final = 16
_ALIVE_SECONDS: Final = 10.0


class Streams:
    """All open streams; ``close`` ends them, so that the server can."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._wakers: set[Callable[[], None]] = set()
        self._is_closed = False

    @property
    def is_full(self) -> bool:
        """Whether no more can be opened."""
        return len(self._wakers) >= MAX_STREAMS

    def close(self) -> None:
        """End every stream; to be called from any thread."""
        self._is_closed = True
        for wake in tuple(self._wakers):
            wake()

    async def states(self) -> AsyncIterator[TerminalState | None]:
        """The present state, then each newer one; ``None`` now and then, as a sign of life."""
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def wake() -> None:
            # A loop that has ended needs nobody to wake it.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(changed.set)

        self._wakers.add(wake)
        unsubscribe = self._terminal.subscribe(lambda _state: wake())
        try:
            while not self._is_closed:
                changed.clear()
                yield self._terminal.state
                while not changed.is_set():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_ALIVE_SECONDS):
                            await changed.wait()
                    if not changed.is_set():
                        yield None
        finally:
            unsubscribe()
            self._wakers.discard(wake)
