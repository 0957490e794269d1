"""States of a station's screen on their way to pages: from the workers' threads into the event loop, the newest only."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final

from issuer.stations.screen import StationScreen
from issuer.stations.screen_state import ScreenState

__all__ = ["MAX_STREAMS", "ScreenStreams"]

MAX_STREAMS: Final = 16
_TICK_SECONDS: Final = 5.0
"""So often everything is sent although nothing happened: times and rates go on."""

_LEAST_SECONDS: Final = 0.1
"""Steps follow one another faster than eyes; the newest state is enough."""


class ScreenStreams:
    """All open streams; ``close`` ends them, so that the server can."""

    def __init__(self, screen: StationScreen) -> None:
        self._screen = screen
        self._wakers: set[Callable[[], None]] = set()
        self._is_closed = False

    @property
    def is_full(self) -> bool:
        """Whether no more can be opened."""
        return len(self._wakers) >= MAX_STREAMS

    def close(self) -> None:
        """End every stream after the state that is there now; to be called from any thread."""
        self._is_closed = True
        for wake in tuple(self._wakers):
            wake()

    async def states(self) -> AsyncIterator[ScreenState]:
        """The whole present state, then each newer one, and the same again now and then."""
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def wake() -> None:
            # A loop that has ended needs nobody to wake it.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(changed.set)

        self._wakers.add(wake)
        unsubscribe = self._screen.subscribe(wake)
        try:
            while True:
                is_last = self._is_closed
                changed.clear()
                yield self._screen.state
                if is_last:
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(_TICK_SECONDS):
                        await changed.wait()
                await asyncio.sleep(_LEAST_SECONDS)
        finally:
            unsubscribe()
            self._wakers.discard(wake)
