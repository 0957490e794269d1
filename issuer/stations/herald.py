"""A station that runs says so, so that the office sees it is there, and hears how much of its batch is left."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from issuer.domain.batch import BatchId
from issuer.errors import IssuerError
from issuer.services.station_ports import StationPresence
from pki.errors import PkiError

__all__ = ["StationHerald"]

_GREETING_SECONDS: Final = 25.0
_LOOK_SECONDS: Final = 1.0

Greet = Callable[[StationPresence, BatchId | None], int | None]
OnAnswer = Callable[[BatchId | None, int | None], None]


class StationHerald:
    """Greets the centre beside the workers, at once where something has changed; what it cannot say it says later."""

    def __init__(
        self,
        greet: Greet,
        *,
        presence: Callable[[], StationPresence],
        batch: Callable[[], BatchId | None],
        on_answer: OnAnswer = lambda _batch, _left: None,
        on_silence: Callable[[], None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare a herald.

        Args:
            greet: says to the centre how the station is, and gives back how many cards of the batch are left.
            presence: how the station is now.
            batch: which batch it works on, where that is known.
            on_answer: is given that batch, and how many cards of it are left.
            on_silence: is called where the centre does not answer, or does not want to hear the station.
            monotonic: seconds that never go back.
        """
        self._say = greet
        self._presence = presence
        self._batch = batch
        self._on_answer = on_answer
        self._on_silence = on_silence
        self._monotonic = monotonic
        self._said: tuple[StationPresence, BatchId | None] | None = None
        self._said_at = 0.0

    @contextlib.contextmanager
    def heralding(self) -> Iterator[None]:
        """Greet while the block runs, and say goodbye at its end."""
        is_over = threading.Event()

        def work() -> None:
            self.look()
            while not is_over.wait(_LOOK_SECONDS):
                self.look()

        thread = threading.Thread(target=work, name="herald", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
            self._greet(StationPresence(readers=()), None)

    def look(self) -> None:
        """Greet, where something has changed or it is time."""
        presence, batch = self._presence(), self._batch()
        is_time = self._monotonic() - self._said_at >= _GREETING_SECONDS
        if (presence, batch) != self._said or is_time:
            self._greet(presence, batch)

    def _greet(self, presence: StationPresence, batch: BatchId | None) -> None:
        self._said, self._said_at = (presence, batch), self._monotonic()
        try:
            left = self._say(presence, batch)
        except (IssuerError, PkiError):
            # The work goes on without: whether the centre takes what was done, handing in tells.
            self._on_silence()
        else:
            self._on_answer(batch, left)
