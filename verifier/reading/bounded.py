"""A reading that cannot keep us waiting: whatever a reader does, it ends within the time of the inspection.

A reader's driver may hang for good, and nothing in a thread can be interrupted. So the whole reading runs in a thread
of its own, and the inspection goes on without it once its time is over (SPEC.md, 4.8). One thread does everything:
handing over every single command would cost more than most of them do.
"""

import threading
from collections.abc import Callable

from card_layout.iso7816.channel import ReadingLimitError
from card_layout.transport.connection import CardConnection, CardReader

__all__ = ["Deadline", "run_bounded"]


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


def run_bounded(
    work: Callable[[CardReader], None],
    *,
    reader: CardReader,
    deadline: Deadline,
    cut: Callable[[], None],
) -> None:
    """Let ``work`` use the reader in a thread of its own, until it is done or the time is over.

    When the time is over, ``cut`` is called at once, while the work may still be under way: it takes what there is.
    From then on the abandoned work can send nothing to the card; when the call that hangs comes back, it ends with
    an error, and so the work lets go of the card.

    Raises:
        BaseException: what the work raised, as it is; nothing where its time was over.
    """
    guarded = _GuardedReader(reader, deadline)
    raised: list[BaseException] = []

    def serve() -> None:
        try:
            work(guarded)
        except BaseException as error:  # noqa: BLE001 - handed over to the caller's thread as it is
            raised.append(error)

    thread = threading.Thread(target=serve, name="card", daemon=True)
    thread.start()
    try:
        thread.join(deadline.seconds_left)
        if thread.is_alive():
            guarded.is_abandoned = True
            cut()
            return
    finally:
        # Whoever interrupts the wait abandons the reading as well.
        guarded.is_abandoned = True
        thread.join(_CLOSING_SECONDS)
    if raised:
        raise raised[0]


class _GuardedReader:
    """A reader that can be taken away from those who use it; ``is_abandoned`` is set by the one who waits."""

    def __init__(self, inner: CardReader, deadline: Deadline) -> None:
        self.is_abandoned = False
        self._inner = inner
        self._deadline = deadline

    @property
    def name(self) -> str:
        return self._inner.name

    def is_card_present(self) -> bool:
        return self._inner.is_card_present()

    def connect(self) -> CardConnection:
        """Power the card; one that comes too late is let go of at once."""
        connection = self._inner.connect()
        if self.is_abandoned:
            connection.close()
        self.require_wanted()
        return _GuardedConnection(connection, self)

    def require_wanted(self) -> None:
        """Go on only while somebody waits.

        Raises:
            ReadingLimitError: nobody does any more.
        """
        if self.is_abandoned:
            raise self._deadline.exceeded()


class _GuardedConnection:
    """A connection over which nothing is sent, and no answer counts, once nobody waits any more."""

    def __init__(self, inner: CardConnection, reader: _GuardedReader) -> None:
        self._inner = inner
        self._reader = reader

    @property
    def atr(self) -> bytes:
        return self._inner.atr

    def transmit(self, command: bytes) -> bytes:
        self._reader.require_wanted()
        answer = self._inner.transmit(command)
        self._reader.require_wanted()
        return answer

    def reset(self) -> bytes:
        self._reader.require_wanted()
        atr = self._inner.reset()
        self._reader.require_wanted()
        return atr

    def close(self) -> None:
        self._inner.close()
