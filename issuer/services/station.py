"""A station: one worker a reader, one chip after another, until the work or the patience ends."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from card_layout.atr import read_life_cycle
from card_layout.errors import CardDataError, NoCardError, TransportError
from card_layout.transport.connection import CardConnection, CardReader
from issuer.domain.chip import Serial
from issuer.services.station_events import (
    StationEvent,
    StationEventKind,
    StationReport,
    StationTiming,
)
from issuer.services.visit_chip import Visit, VisitOutcome, VisitResult, Workbench
from issuer.services.visit_progress import VisitProgress

__all__ = [
    "MAX_REJECTS_IN_A_ROW",
    "Station",
    "StationEvent",
    "StationEventKind",
    "StationReport",
    "StationTiming",
]

MAX_REJECTS_IN_A_ROW = 3
"""So many chips rejected one after another on one reader are no accident: its worker stops."""

_BAD_RESULTS = frozenset({VisitResult.CONDEMNED, VisitResult.HELD, VisitResult.INTERRUPTED})


@dataclass(slots=True)
class _Progress:
    """What the workers share; only touched under the station's lock."""

    done: int = 0
    in_progress: int = 0
    outcomes: list[VisitOutcome] = field(default_factory=list)
    readers_given_up: list[str] = field(default_factory=list)


class Station:
    """Runs one worker a reader over one workbench."""

    def __init__(
        self,
        workbench: Workbench,
        readers: Sequence[CardReader],
        *,
        timing: StationTiming,
        count: int | None = None,
        on_event: Callable[[StationEvent], None] = lambda _event: None,
        hand_in: Callable[[], bool] | None = None,
        is_attended: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``count`` ends the station after that many chips; ``on_event`` is called by one worker at a time.

        ``hand_in`` tells the centre what happened, and whether it took everything; it is called beside the readers,
        which wait for nothing. ``is_attended``: somebody can be asked, so a reader on which chip after chip was
        rejected waits for ``go_on`` and its worker does not end.
        """
        self._workbench = workbench
        self._readers = tuple(readers)
        self._timing = timing
        self._count = count
        self._on_event = on_event
        self._hand_in = hand_in
        self._is_attended = is_attended
        self._something_happened = threading.Event()
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._display_lock = threading.Lock()
        self._progress = _Progress()
        self._is_stopping = False
        self._is_suspended = False
        self._last_done: dict[str, Serial] = {}
        self._given_up: set[str] = set()

    @property
    def is_suspended(self) -> bool:
        """Whether no worker begins a chip."""
        return self._is_suspended

    def suspend(self) -> None:
        """Let every worker finish the chip that it has in hand, and wait."""
        with self._lock:
            self._is_suspended = True

    @property
    def is_quiet(self) -> bool:
        """Whether no chip is in hand, and none is going to be before the workers are let go on."""
        with self._lock:
            return self._is_suspended and self._progress.in_progress == 0

    def resume(self) -> None:
        """Let the workers go on."""
        self._is_suspended = False

    def wait_until_quiet(self, seconds: float) -> bool:
        """Wait for ``is_quiet``, so long at most: a finished chip that was left in is looked at for a moment."""
        until = self._monotonic() + seconds
        while not self.is_quiet and self._monotonic() < until:
            self._sleep(self._timing.poll)
        return self.is_quiet

    def last_done(self, reader: int) -> Serial | None:
        """The chip that was done last on a reader, which counts from 0; ``None`` where there is none."""
        with self._lock:
            return self._last_done.get(self._readers[reader].name)

    def stop(self) -> None:
        """Let every worker finish the chip that it has in hand, and begin no other."""
        self._is_stopping = True

    def run(self) -> StationReport:
        """Work until ``count`` chips are done, patience ends, or ``stop`` is called.

        Raises:
            IssuerUnavailableError, PkiError: the database or the keystore is gone; all workers have ended.
        """
        with ThreadPoolExecutor(
            max_workers=len(self._readers), thread_name_prefix="station"
        ) as executor:
            futures = [executor.submit(self._work, reader) for reader in self._readers]
            try:
                self._report_while(futures)
                for future in futures:
                    future.result()
            finally:
                # An interrupt, or one worker's failure, lets the others finish their chip before it is raised.
                self.stop()
        if self._hand_in is not None:
            self._hand_in()
        return StationReport(
            done=self._progress.done,
            outcomes=tuple(self._progress.outcomes),
            readers_given_up=tuple(self._progress.readers_given_up),
        )

    def _report_while(self, futures: Sequence[Future[None]]) -> None:
        """Hand in after every visit, and again later where the centre did not answer, until all workers are done."""
        if self._hand_in is None:
            return
        has_all = True
        while not all(future.done() for future in futures):
            happened = self._something_happened.wait(self._timing.retry)
            self._something_happened.clear()
            if happened or not has_all:
                has_all = self._hand_in()

    def tell(self, reader: str, kind: StationEventKind, text: str = "") -> None:
        """Pass an event to the display."""
        self._show(StationEvent(reader=reader, kind=kind, text=text))

    def progress(self, reader: str, progress: VisitProgress) -> None:
        """Tell the display how far a visit is."""
        self._show(
            StationEvent(
                reader=reader,
                kind=StationEventKind.STAGE,
                text=progress.stage.value,
                progress=progress,
            )
        )

    def end_visit(self, reader: str, outcome: VisitOutcome) -> None:
        """Count a visit that took a ticket, and show how it ended."""
        with self._lock:
            self._progress.in_progress -= 1
            self._progress.done += outcome.result is VisitResult.DONE
            self._progress.outcomes.append(outcome)
            if outcome.result is VisitResult.DONE and outcome.serial is not None:
                self._last_done[reader] = outcome.serial
        self._something_happened.set()
        self._show(
            StationEvent(
                reader=reader,
                kind=StationEventKind.VISIT_ENDED,
                text=outcome.message or "",
                outcome=outcome,
            )
        )

    def give_up(self, reader: str) -> bool:
        """Record that chip after chip was rejected on a reader; whether its worker waits for somebody's word."""
        with self._lock:
            self._progress.readers_given_up.append(reader)
            if self._is_attended:
                self._given_up.add(reader)
        self.tell(
            reader,
            StationEventKind.GAVE_UP,
            f"{MAX_REJECTS_IN_A_ROW} chips in a row were rejected: find the cause before going on",
        )
        return self._is_attended

    def is_given_up(self, reader: str) -> bool:
        """Whether a reader waits for somebody's word."""
        with self._lock:
            return reader in self._given_up

    def go_on(self, reader: str) -> bool:
        """Let a reader work again on which chip after chip was rejected; whether it had stopped."""
        with self._lock:
            if reader not in self._given_up:
                return False
            self._given_up.discard(reader)
        self.tell(reader, StationEventKind.GOES_ON)
        return True

    def take_ticket(self) -> bool:
        """Whether another chip may be begun without making more than ``count``."""
        with self._lock:
            if self._is_suspended:
                return False
            begun = self._progress.done + self._progress.in_progress
            if self._count is not None and begun >= self._count:
                return False
            self._progress.in_progress += 1
            return True

    def return_ticket(self) -> None:
        """The chip was not begun after all."""
        with self._lock:
            self._progress.in_progress -= 1

    def is_over(self) -> bool:
        """Whether no worker should begin another chip."""
        if self._is_stopping:
            return True
        with self._lock:
            return self._count is not None and self._progress.done >= self._count

    def _show(self, event: StationEvent) -> None:
        with self._display_lock:
            self._on_event(event)

    def _work(self, reader: CardReader) -> None:
        worker = _Worker(
            station=self,
            reader=reader,
            workbench=self._workbench,
            timing=self._timing,
            monotonic=self._monotonic,
            sleep=self._sleep,
        )
        try:
            worker.run()
        except BaseException:
            self.stop()
            raise
        finally:
            self._something_happened.set()


class _Worker:
    """One reader's loop."""

    def __init__(
        self,
        *,
        station: Station,
        reader: CardReader,
        workbench: Workbench,
        timing: StationTiming,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._station = station
        self._reader = reader
        self._workbench = workbench
        self._timing = timing
        self._monotonic = monotonic
        self._sleep = sleep
        self._idle_since = monotonic()
        self._last: VisitOutcome | None = None
        self._told_same_chip = False
        self._is_reader_lost = False
        self._was_present = False
        self._mute_since: float | None = None
        self._told_mute = False
        self._rejects = 0

    def run(self) -> None:
        self._station.tell(self._reader.name, StationEventKind.WAITING)
        while not self._station.is_over():
            outcome = self._next_visit()
            if outcome is None:
                if self._is_out_of_patience():
                    break
                continue
            self._idle_since = self._monotonic()
            self._count_rejects(outcome)
            if self._rejects == MAX_REJECTS_IN_A_ROW:
                if not self._station.give_up(self._reader.name):
                    return
                self._wait_for_word()
            self._station.tell(self._reader.name, StationEventKind.WAITING)
        self._station.tell(self._reader.name, StationEventKind.STOPPED)

    def _count_rejects(self, outcome: VisitOutcome) -> None:
        # A refusal says nothing: a condemned chip that stays in the reader is refused right after.
        if outcome.result is VisitResult.DONE:
            self._rejects = 0
        elif outcome.result in _BAD_RESULTS:
            self._rejects += 1

    def _wait_for_word(self) -> None:
        """Begin nothing until somebody has looked for the cause."""
        while self._station.is_given_up(self._reader.name) and not self._station.is_over():
            self._sleep(self._timing.poll)
        self._rejects = 0
        self._idle_since = self._monotonic()

    def _next_visit(self) -> VisitOutcome | None:
        """A visit where there is a chip to begin; else a short wait and ``None``."""
        if self._station.is_suspended:
            # Nobody is impatient with a station that was told to wait.
            self._idle_since = self._monotonic()
        elif self._is_chip_present() and self._station.take_ticket():
            return self._visit()
        self._sleep(self._timing.poll)
        return None

    def _pause(self) -> None:
        """Wait before the same reader is tried again, but not when everything is over."""
        until = self._monotonic() + self._timing.retry
        while self._monotonic() < until and not self._station.is_over():
            self._sleep(self._timing.poll)

    def _is_out_of_patience(self) -> bool:
        patience = self._timing.patience
        return patience is not None and self._monotonic() - self._idle_since > patience

    def _is_chip_present(self) -> bool:
        try:
            is_present = self._reader.is_card_present()
        except TransportError as error:
            if not self._is_reader_lost:
                self._station.tell(self._reader.name, StationEventKind.READER_LOST, str(error))
            self._is_reader_lost = True
            self._pause()
            return False
        if self._is_reader_lost:
            self._is_reader_lost = False
            self._station.tell(self._reader.name, StationEventKind.WAITING)
        if not is_present:
            self._forget_last()
            if self._was_present:
                self._station.tell(self._reader.name, StationEventKind.CHIP_GONE)
        self._was_present = is_present
        return is_present

    def _forget_last(self) -> None:
        self._last = None
        self._told_same_chip = False

    def _visit(self) -> VisitOutcome | None:
        """One visit with the ticket that was taken; ``None`` where there was nothing to begin."""
        is_ticket_used = False
        try:
            connection = self._reader.connect()
            self._mute_since = None
            self._told_mute = False
            try:
                if self._is_finished_chip_again(connection):
                    return None
                outcome = Visit(
                    self._workbench,
                    connection,
                    report=lambda progress: self._station.progress(self._reader.name, progress),
                    warn=lambda text: self._station.tell(
                        self._reader.name, StationEventKind.WARNING, text
                    ),
                ).run()
            finally:
                # Unpowers the chip: a reader that swaps chips by itself gives the next one.
                connection.close()
            if self._is_same_as_last(outcome):
                self._tell_same_chip()
                return None
            is_ticket_used = True
        except NoCardError:
            self._forget_last()
            return None
        except TransportError as error:
            self._forget_last()
            self._note_mute_chip(error)
            return None
        finally:
            if not is_ticket_used:
                self._station.return_ticket()
        self._last = outcome
        self._told_same_chip = False
        self._station.end_visit(self._reader.name, outcome)
        return outcome

    def _note_mute_chip(self, error: TransportError) -> None:
        """A chip that gives no ATR: for a moment while it is being put in, for longer when it is in wrongly.

        Nothing was sent to it, so trying again is no blind retry.
        """
        now = self._monotonic()
        if self._mute_since is None:
            self._mute_since = now
        elif not self._told_mute and now - self._mute_since > self._timing.retry:
            self._told_mute = True
            self._station.tell(self._reader.name, StationEventKind.MUTE_CHIP, str(error))
        self._sleep(self._timing.poll)

    def _is_finished_chip_again(self, connection: CardConnection) -> bool:
        """Whether this is the chip that was just finished, told by its ATR without a command.

        A finished card tells no serial. Where nobody saw it leave the reader, a card in the same final state is
        taken for the same one, and left alone until it is gone.
        """
        if self._last is None or self._last.result is not VisitResult.DONE:
            return False
        try:
            life_cycle = read_life_cycle(connection.atr)
        except CardDataError:
            return False
        if life_cycle is not self._last.reached:
            return False
        self._tell_same_chip()
        return True

    def _is_same_as_last(self, outcome: VisitOutcome) -> bool:
        return (
            self._last is not None
            and outcome.result is VisitResult.REFUSED
            and outcome.serial == self._last.serial
            and (outcome.serial is not None or outcome.code == self._last.code)
        )

    def _tell_same_chip(self) -> None:
        if not self._told_same_chip:
            self._station.tell(
                self._reader.name, StationEventKind.SAME_CHIP, "the same chip again: take it out"
            )
        self._told_same_chip = True
        self._pause()
