"""The terminal as a machine of states: what it shows, and what each event makes of it. Pure: time is an argument.

    READER_GONE -- the reader is back --> INSERT_CARD -- card in --> ENTER_PASSWORD -- password --> READING --> RESULT
                                              ^------------------- card out, from anywhere ------------------------'

Whatever a card gave lives in the state's ``outcome`` and nowhere else: the state after a removal has none.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum, unique
from typing import Final

from verifier.errors import VerifierError
from verifier.inspection.explanation import Explanation
from verifier.inspection.report import Report, Verdict
from verifier.inspection.snapshot import AccessOutcome

__all__ = [
    "BadStateError",
    "CardPresent",
    "Dismissed",
    "Event",
    "HolderAnswer",
    "HolderAnswered",
    "Judged",
    "NotRecorded",
    "Outcome",
    "PasswordGiven",
    "Progress",
    "Progressed",
    "ReaderEmpty",
    "ReaderGone",
    "ReadingStep",
    "Stage",
    "TerminalState",
    "TryAgain",
    "advance",
    "back_off_seconds",
]

_FREE_TRIES: Final = 2
_LONGEST_WAIT_SECONDS: Final = 60.0
_WRONG_PASSWORD: Final = "access.wrong-password"  # noqa: S105 - a code
_REMOVED_EARLY: Final = "terminal.card-removed-early"


@unique
class Stage(StrEnum):
    """What the terminal waits for."""

    READER_GONE = "reader-gone"
    INSERT_CARD = "insert-card"
    ENTER_PASSWORD = "enter-password"  # noqa: S105 - the name of a stage
    READING = "reading"
    RESULT = "result"
    REMOVE_CARD = "remove-card"
    """Somebody cleared the screen; the card is still in."""


@unique
class ReadingStep(StrEnum):
    """The phases of a reading as people see them, in their order; the last is the judgement."""

    CONNECT = "connect"
    ACCESS = "access"
    CHIP = "chip"
    FILES = "files"
    JUDGE = "judge"


@unique
class HolderAnswer(StrEnum):
    """Whether the clerk found the person in front to be the one in the portrait; no verdict ever says that."""

    COMPARED_YES = "compared-yes"
    NO = "no"
    NOT_DONE = "not-done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a reading is."""

    step: ReadingStep = ReadingStep.CONNECT
    files: int = 0
    """Files that were asked for so far."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False, weakref_slot=True)
class Outcome:
    """What came of one card: everything that may be shown of it, and the number of its record in the journal."""

    report: Report
    explanation: Explanation
    purpose: str
    record: int
    portrait: bytes | None = None
    """PNG; only of an accepted card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalState:
    """What the terminal shows; ``presentation`` counts the cards that were put in since it was started."""

    stage: Stage = Stage.READER_GONE
    presentation: int = 0
    progress: Progress | None = None
    outcome: Outcome | None = field(default=None, repr=False)
    answer: HolderAnswer | None = None
    notice: str | None = None
    """The code of what whoever stands there should know now."""
    is_password_given: bool = False
    """Whether a password was given before its card."""
    wrong_passwords: int = 0
    """In a row, on whatever cards: taking a card out and putting it in again makes no new try."""
    next_try_at: float = 0.0
    """When the next password is taken, on the clock that never jumps."""


class BadStateError(VerifierError):
    """What was asked does not fit what the terminal is doing; ``wait_seconds`` where it only has to wait."""

    default_code = "terminal.bad-state"

    def __init__(
        self, message: str, *, code: str | None = None, wait_seconds: float | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderGone:
    """There is no reader; ``code`` says why."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderEmpty:
    """The reader is there, and no card in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPresent:
    """A card is in the reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordGiven:
    """Somebody typed or scanned a password, well-formed."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """The reading of a card came a step further."""

    presentation: int
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The reading of a card ended, and was judged and recorded."""

    presentation: int
    outcome: Outcome
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRecorded:
    """A card was not read, or its result could not be recorded; then nothing of it is shown."""

    presentation: int
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderAnswered:
    """The clerk compared, or did not."""

    presentation: int
    answer: HolderAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """The same card once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismissed:
    """Clear the screen, and forget what was typed."""


Event = (
    ReaderGone
    | ReaderEmpty
    | CardPresent
    | PasswordGiven
    | Progressed
    | Judged
    | NotRecorded
    | HolderAnswered
    | TryAgain
    | Dismissed
)


def back_off_seconds(wrong_passwords: int) -> float:
    """How long the next password has to wait: nobody guesses a CAN by trying; a clerk who mistypes does not notice."""
    if wrong_passwords <= _FREE_TRIES:
        return 0.0
    doublings = min(wrong_passwords - _FREE_TRIES, 6)
    return min(_LONGEST_WAIT_SECONDS, 2.0**doublings)


def advance(state: TerminalState, event: Event) -> TerminalState:
    """The state after an event; the same object where nothing changed.

    Events of the reader and of a reading that is over change nothing where they do not fit; people and programs are told.

    Raises:
        BadStateError: the event is a person's or program's, and does not fit (``terminal.bad-state``,
            ``terminal.wait``).
    """
    match event:
        case ReaderGone() | ReaderEmpty() | CardPresent():
            return _after_look(state, event)
        case PasswordGiven():
            return _after_password(state, event)
        case Progressed() | Judged() | NotRecorded():
            return _after_reading(state, event)
        case HolderAnswered():
            return _after_answer(state, event)
        case TryAgain():
            return _after_try_again(state)
        case Dismissed():
            return _after_dismissal(state)


def _cleared(state: TerminalState, stage: Stage, notice: str | None = None) -> TerminalState:
    """Everything of the card and about it is left out; the count of wrong passwords is the terminal's own."""
    return TerminalState(
        stage=stage,
        notice=notice,
        presentation=state.presentation,
        wrong_passwords=state.wrong_passwords,
        next_try_at=state.next_try_at,
    )


def _after_look(
    state: TerminalState, event: ReaderGone | ReaderEmpty | CardPresent
) -> TerminalState:
    if isinstance(event, ReaderGone):
        if state.stage is Stage.READER_GONE and state.notice == event.code:
            return state
        return _cleared(state, Stage.READER_GONE, event.code)
    if isinstance(event, ReaderEmpty):
        if state.stage is Stage.INSERT_CARD:
            return state
        is_early = state.stage is Stage.READING or (
            state.outcome is not None and state.outcome.report.verdict is Verdict.UNREADABLE
        )
        return _cleared(state, Stage.INSERT_CARD, _REMOVED_EARLY if is_early else None)
    if state.stage not in (Stage.READER_GONE, Stage.INSERT_CARD):
        return state
    is_reading = state.is_password_given
    inserted = _cleared(state, Stage.READING if is_reading else Stage.ENTER_PASSWORD)
    return replace(
        inserted,
        presentation=state.presentation + 1,
        progress=Progress() if is_reading else None,
    )


def _after_password(state: TerminalState, event: PasswordGiven) -> TerminalState:
    if state.stage not in (Stage.INSERT_CARD, Stage.ENTER_PASSWORD):
        raise BadStateError(f"no password is wanted now: the terminal is at {state.stage.value}")
    wait = state.next_try_at - event.at
    if wait > 0:
        raise BadStateError(
            f"after {state.wrong_passwords} wrong passwords the next one is taken in {wait:.0f} s",
            code="terminal.wait",
            wait_seconds=wait,
        )
    if state.stage is Stage.INSERT_CARD:
        return replace(state, is_password_given=True, notice=None)
    return replace(state, stage=Stage.READING, progress=Progress(), notice=None)


def _after_reading(state: TerminalState, event: Progressed | Judged | NotRecorded) -> TerminalState:
    if state.stage is not Stage.READING or state.presentation != event.presentation:
        return state
    if isinstance(event, Progressed):
        return replace(state, progress=event.progress)
    if isinstance(event, NotRecorded):
        return _cleared(state, Stage.REMOVE_CARD, event.code)
    outcome = event.outcome
    if outcome.report.access.outcome is AccessOutcome.WRONG_PASSWORD:
        wrong = state.wrong_passwords + 1
        return replace(
            _cleared(state, Stage.ENTER_PASSWORD, _WRONG_PASSWORD),
            wrong_passwords=wrong,
            next_try_at=event.at + back_off_seconds(wrong),
        )
    is_opened = outcome.report.access.outcome is AccessOutcome.SUCCEEDED
    return replace(
        _cleared(state, Stage.RESULT),
        outcome=outcome,
        wrong_passwords=0 if is_opened else state.wrong_passwords,
        next_try_at=0.0 if is_opened else state.next_try_at,
    )


def _after_answer(state: TerminalState, event: HolderAnswered) -> TerminalState:
    if (
        state.stage is not Stage.RESULT
        or state.presentation != event.presentation
        or state.outcome is None
        or state.outcome.report.verdict is not Verdict.ACCEPTED
    ):
        raise BadStateError("there is no accepted card whose holder could be compared")
    return replace(state, answer=event.answer)


def _after_try_again(state: TerminalState) -> TerminalState:
    is_unread = (
        state.outcome is not None and state.outcome.report.verdict is Verdict.UNREADABLE
    ) or state.stage is Stage.REMOVE_CARD
    if state.stage not in (Stage.RESULT, Stage.REMOVE_CARD) or not is_unread:
        raise BadStateError("there is no card to read once more")
    return _cleared(state, Stage.ENTER_PASSWORD)


def _after_dismissal(state: TerminalState) -> TerminalState:
    if state.stage in (Stage.READING, Stage.RESULT):
        return _cleared(state, Stage.REMOVE_CARD)
    return replace(state, notice=None, is_password_given=False)
