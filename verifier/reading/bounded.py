"""A connection that cannot keep us waiting: every call to the reader ends within the time of the inspection.

A reader's driver may hang for good, and nothing in a thread can be interrupted. So the calls are made in a thread
of their own, and the inspection goes on without it once its time is over (SPEC.md, 4.8).
"""

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from card_layout.errors import TransportError
from card_layout.iso7816.channel import ReadingLimitError
from card_layout.transport.connection import CardConnection, CardReader

__all__ = ["BoundedConnection", "Deadline"]

Result = TypeVar("Result")


class Deadline:
    """A point in time after which nothing more is asked of a card; ``monotonic`` counts seconds."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seconds = seconds
        self._end = monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        """Never negative."""
        return max(0.0, self._end - self._monotonic())

    def check(self) -> None:
        """Go on only while there is time.

        Raises:
            ReadingLimitError: it is over.
        """
        if self.seconds_left <= 0:
            raise self.exceeded()

    def exceeded(self) -> ReadingLimitError:
        """The error of an inspection that took too long."""
        return ReadingLimitError(f"the inspection takes longer than {self._seconds:g} s")


_CLOSING_SECONDS = 1.0
"""How long letting go of a card may take: it comes after the deadline, too."""


class BoundedConnection:
    """A `CardConnection` whose calls end in time; a call that hangs is left to its thread, which then closes the card."""

    def __init__(self, reader: CardReader, deadline: Deadline) -> None:
        """Connect to the card in the reader.

        Raises:
            NoCardError: there is none.
            TransportError: the card does not answer.
            ReadingLimitError: the reader hangs.
        """
        self._deadline = deadline
        self._is_open = True
        self._work: queue.SimpleQueue[Callable[[CardConnection], Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._serve, args=(reader,), name="card", daemon=True
        )
        self._thread.start()
        self._atr: bytes = self._answer()

    @property
    def atr(self) -> bytes:
        """The answer to the last reset."""
        return self._atr

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU, give back the response APDU.

        Raises:
            TransportError: the exchange broke off.
            ReadingLimitError: the time is over.
        """
        return self._call(lambda connection: connection.transmit(command))

    def reset(self) -> bytes:
        """Reset the card and give back its new ATR.

        Raises:
            TransportError: the card is gone.
            ReadingLimitError: the time is over.
        """
        self._atr = self._call(lambda connection: connection.reset())
        return self._atr

    def close(self) -> None:
        """Let go of the card; a hanging call lets go of it when it comes back, if ever."""
        self._is_open = False
        self._work.put(None)
        self._thread.join(_CLOSING_SECONDS)

    def _call(self, work: Callable[[CardConnection], Result]) -> Result:
        if not self._is_open:
            raise TransportError("the connection to the card is closed")
        self._work.put(work)
        return cast("Result", self._answer())

    def _answer(self) -> Any:
        try:
            value, error = self._answers.get(timeout=self._deadline.seconds_left)
        except queue.Empty:
            # The answer that may still come belongs to nobody: nothing is asked over this connection any more.
            self._is_open = False
            self._work.put(None)
            raise self._deadline.exceeded() from None
        if error is not None:
            raise error
        return value

    def _serve(self, reader: CardReader) -> None:
        """The thread: it connects, makes one call after another, and closes what it opened."""
        try:
            connection = reader.connect()
        except BaseException as error:  # noqa: BLE001 - handed over to the caller's thread as it is
            self._answers.put((None, error))
            return
        try:
            self._answers.put((connection.atr, None))
            while (work := self._work.get()) is not None:
                try:
                    self._answers.put((work(connection), None))
                except BaseException as error:  # noqa: BLE001 - the same
                    self._answers.put((None, error))
        finally:
            connection.close()
