"""The terminal at work: it holds the state, takes what people and programs give, and tells whoever listens.

Two kinds of threads meet here. One thread owns the reader (`run`), and nobody else ever touches it. All others only
give passwords and answers, and look at the state. What they give is applied under one lock.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from card_layout.errors import CardError, TransportError
from card_layout.transport.connection import CardReader
from verifier.errors import VerifierError
from verifier.inspection.report import Verdict
from verifier.services.card_password import CardPassword
from verifier.services.clock import Clock
from verifier.services.terminal_ports import (
    Examiner,
    HolderRecord,
    InspectionJournal,
    InspectionRecord,
)
from verifier.services.terminal_state import (
    BadStateError,
    CardPresent,
    Dismissed,
    Event,
    HolderAnswer,
    HolderAnswered,
    Judged,
    NotRecorded,
    Outcome,
    PasswordGiven,
    Progress,
    Progressed,
    ReaderEmpty,
    ReaderGone,
    Stage,
    TerminalState,
    TryAgain,
    advance,
)

__all__ = ["PASSWORD_SECONDS", "Listener", "Terminal"]

logger = logging.getLogger(__name__)

PASSWORD_SECONDS: Final = 60.0
"""How long a password waits for its card; then it is forgotten."""

_LOOK_SECONDS: Final = 0.02
_LOOK_FOR_READER_SECONDS: Final = 0.3

Listener = Callable[[TerminalState], None]
"""Is told every new state, by whichever thread made it; it must neither wait nor raise."""


class Terminal:
    """One reader, one state, and everybody who looks at it."""

    def __init__(
        self,
        *,
        reader: CardReader,
        examine: Examiner,
        journal: InspectionJournal,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._examine = examine
        self._journal = journal
        self._clock = clock
        self._changed = threading.Condition(threading.RLock())
        self._state = TerminalState()
        self._password: CardPassword | None = None
        self._password_until = 0.0
        self._listeners: list[Listener] = []
        self._is_stopped = False

    @property
    def state(self) -> TerminalState:
        """What the terminal shows now."""
        return self._state

    @property
    def reader_name(self) -> str:
        """The reader that it watches."""
        return self._reader.name

    def wait_seconds(self, state: TerminalState) -> float:
        """How long the next password has to wait."""
        return max(0.0, state.next_try_at - self._clock.monotonic())

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell a listener every new state, from the present one on; gives what ends that."""
        with self._changed:
            self._listeners.append(listener)
            listener(self._state)

        def unsubscribe() -> None:
            with self._changed, suppress(ValueError):
                self._listeners.remove(listener)

        return unsubscribe

    def tell(self, listener: Listener) -> None:
        """Tell one listener the present state once; no other state comes in between. What it raises is raised."""
        with self._changed:
            listener(self._state)

    def give_password(self, password: CardPassword) -> None:
        """Read the card with it, or the next one that is put in.

        Raises:
            BadStateError: no password is wanted now, or not yet.
        """
        with self._changed:
            now = self._clock.monotonic()
            self._apply(PasswordGiven(at=now))
            self._password = password
            self._password_until = now + PASSWORD_SECONDS
            self._changed.notify_all()

    def answer_for_holder(self, answer: HolderAnswer, *, presentation: int) -> None:
        """Record whether the clerk found the holder to be the one in the portrait, then show it.

        Raises:
            BadStateError: no accepted card is there, or another one.
            VerifierError: it could not be recorded, and counts as not given.
        """
        with self._changed:
            event = HolderAnswered(presentation=presentation, answer=answer)
            outcome = self._state.outcome
            advance(self._state, event)
            if outcome is None:
                raise BadStateError("there is no card whose holder could be compared")
            self._journal.record(
                HolderRecord(at=self._clock.now(), inspection=outcome.record, answer=answer)
            )
            self._apply(event)

    def try_again(self) -> None:
        """Ask for the password of the same card once more.

        Raises:
            BadStateError: there is no card that could not be read.
        """
        with self._changed:
            self._apply(TryAgain())

    def dismiss(self) -> None:
        """Clear the screen now, and forget a password that waits for its card."""
        with self._changed:
            self._password = None
            self._apply(Dismissed())

    def run(self) -> None:
        """Watch the reader until ``stop``; the thread that calls this owns the reader."""
        while not self._is_stopped:
            self.look()

    def stop(self) -> None:
        """End ``run`` as soon as the card that is being read is done."""
        with self._changed:
            self._is_stopped = True
            self._password = None
            self._changed.notify_all()

    def look(self) -> None:
        """Look at the reader once, read its card where there is a password for it, else wait shortly."""
        try:
            is_present = self._reader.is_card_present()
        except TransportError as error:
            self._pass_on(ReaderGone(code=error.code))
            self._wait(_LOOK_FOR_READER_SECONDS)
            return
        self._forget_old_password()
        self._pass_on(CardPresent() if is_present else ReaderEmpty())
        if self._state.stage is Stage.READING:
            self._read()
        else:
            self._wait(_LOOK_SECONDS)

    def _read(self) -> None:
        with self._changed:
            password, self._password = self._password, None
            presentation = self._state.presentation
        if password is None:
            self._pass_on(NotRecorded(presentation=presentation, code="verifier.error"))
            return

        def tell(progress: Progress) -> None:
            self._pass_on(Progressed(presentation=presentation, progress=progress))

        try:
            outcome = self._examined(password, tell)
        except (VerifierError, CardError) as error:
            logger.warning("no inspection: %s", error.code)
            self._pass_on(NotRecorded(presentation=presentation, code=error.code))
        except Exception as error:  # noqa: BLE001 - the next card must be read all the same
            # Only the kind is logged: the text may hold data of the card.
            logger.error("an inspection broke with %s", type(error).__name__)  # noqa: TRY400 - as said
            self._pass_on(NotRecorded(presentation=presentation, code="verifier.error"))
        else:
            event = Judged(presentation=presentation, outcome=outcome, at=self._clock.monotonic())
            self._pass_on(event)

    def _examined(self, password: CardPassword, tell: Callable[[Progress], None]) -> Outcome:
        """Nothing is shown of an inspection that is not on record."""
        examined = self._examine(password, tell)
        report = examined.report
        number = self._journal.record(
            InspectionRecord(
                at=self._clock.now(),
                purpose=examined.purpose,
                verdict=report.verdict,
                assurance=report.assurance,
                codes=report.codes,
                notes=report.notes,
                card=examined.card,
                chip=examined.chip,
            )
        )
        return Outcome(
            report=report,
            explanation=examined.explanation,
            purpose=examined.purpose,
            record=number,
            portrait=examined.portrait if report.verdict is Verdict.ACCEPTED else None,
        )

    def _forget_old_password(self) -> None:
        with self._changed:
            if (
                self._state.stage is Stage.INSERT_CARD
                and self._password is not None
                and self._clock.monotonic() > self._password_until
            ):
                self._password = None
                self._apply(Dismissed())

    def _pass_on(self, event: Event) -> None:
        with self._changed:
            before = self._state.stage
            self._apply(event)
            if self._state.stage is not before and self._state.stage in (
                Stage.READER_GONE,
                Stage.REMOVE_CARD,
            ):
                self._password = None

    def _apply(self, event: Event) -> None:
        """Under the lock."""
        state = advance(self._state, event)
        if state is self._state:
            return
        self._state = state
        for listener in tuple(self._listeners):
            listener(state)

    def _wait(self, seconds: float) -> None:
        with self._changed:
            if not self._is_stopped and self._state.stage is not Stage.READING:
                self._changed.wait(seconds)
