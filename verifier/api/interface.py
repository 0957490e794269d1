"""One program at the local interface: its commands become what a clerk would do, states become messages. No network here.

Locks are taken in one order only: the terminal's own, then the session's. Whatever a command asks of the terminal is
therefore asked with no lock of the session held.
"""

import json
import threading
from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from verifier.api.messages import (
    COMMANDS,
    BadCommand,
    BadState,
    Cancel,
    Command,
    EnterCan,
    GetInfo,
    GetReaderList,
    Holder,
    Info,
    InsertCard,
    Message,
    Progress,
    Reader,
    ReaderList,
    ReaderOfList,
    Result,
    RunInspection,
    SetCan,
    SetHolder,
    SetMrz,
)
from verifier.api.ports import PageServices, ProgramRight
from verifier.errors import UsageError, VerifierError
from verifier.services.card_password import CardPassword
from verifier.services.terminal_state import (
    BadStateError,
    HolderAnswer,
    Outcome,
    Stage,
    TerminalState,
)
from verifier.services.typed_password import password_of_typed

__all__ = ["InspectionClaims", "ProgramSession"]

_BAD_COMMAND: Final = "terminal.bad-command"
_BUSY: Final = "terminal.busy"
_CANCELLED: Final = "terminal.cancelled"
_NO_CARD: Final = frozenset({Stage.READER_GONE, Stage.INSERT_CARD})
_BEGINNING: Final = frozenset({Stage.READER_GONE, Stage.INSERT_CARD, Stage.ENTER_PASSWORD})


class InspectionClaims:
    """Which program's inspection runs: one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: object | None = None

    def take(self, owner: object) -> bool:
        """Whether it is the owner's now."""
        with self._lock:
            if self._owner not in (None, owner):
                return False
            self._owner = owner
            return True

    def release(self, owner: object) -> None:
        """Let another one have it."""
        with self._lock:
            if self._owner is owner:
                self._owner = None


class ProgramSession:
    """One connection of a paired program; ``send`` takes each message and must neither wait nor raise."""

    def __init__(
        self,
        services: PageServices,
        program: ProgramRight,
        *,
        claims: InspectionClaims,
        send: Callable[[Message], None],
    ) -> None:
        self._services = services
        self._terminal = services.terminal
        self._program = program
        self._claims = claims
        self._send = send
        self._lock = threading.RLock()
        self._is_running = False
        self._reader: Reader | None = None
        self._told: object = None
        self._judged_presentation: int | None = None
        self._answer: HolderAnswer | None = None

    def greet(self) -> None:
        """The first message."""
        self._send(self._info())

    def close(self) -> None:
        """The program has gone: its inspection is the clerk's from now on."""
        with self._lock:
            self._is_running = False
        self._claims.release(self)

    def told(self, state: TerminalState) -> None:
        """A new state: the messages that it is worth."""
        with self._lock:
            self._tell_reader(state)
            if self._is_running:
                self._tell_inspection(state)
            elif (
                state.presentation == self._judged_presentation
                and state.answer is not None
                and state.answer is not self._answer
            ):
                self._answer = state.answer
                self._send(Holder(answer=state.answer.value))

    def hear(self, text: str) -> None:
        """One message of the program, whatever it is."""
        name: str | None = None
        try:
            found = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
            name = _name_of(found)
            command = COMMANDS.validate_python(found)
        except (ValueError, ValidationError, RecursionError):
            self._send(BadCommand(error=name, reason=_BAD_COMMAND))
            return
        try:
            self._do(command)
        except BadStateError as error:
            self._send(
                BadState(error=command.cmd, reason=error.code, wait_seconds=error.wait_seconds)
            )
        except UsageError as error:
            self._send(BadCommand(error=command.cmd, reason=error.code))
        except VerifierError as error:
            self._send(BadState(error=command.cmd, reason=error.code))

    def _do(self, command: Command) -> None:
        match command:
            case GetInfo():
                self._send(self._info())
            case GetReaderList():
                self._send(self._reader_list())
            case RunInspection():
                self._terminal.tell(self._begin)
            case SetCan():
                self._give(CardPassword.from_can(command.value))
            case SetMrz():
                self._give(password_of_typed(command.value))
            case SetHolder():
                if self._judged_presentation is None:
                    raise BadStateError("no card was accepted for this program")
                self._terminal.answer_for_holder(
                    HolderAnswer(command.answer), presentation=self._judged_presentation
                )
            case Cancel():
                self._require_running()
                self._terminal.tell(
                    lambda _state: self._end(Result(verdict=None, reason=_CANCELLED))
                )
                self._terminal.dismiss()

    def _give(self, password: CardPassword) -> None:
        self._require_running()
        self._terminal.give_password(password)

    def _require_running(self) -> None:
        if not self._is_running:
            raise BadStateError("no inspection of this program runs: RUN_INSPECTION begins one")

    def _begin(self, state: TerminalState) -> None:
        """Under the terminal's lock, so that no state is left out."""
        with self._lock:
            if self._is_running or state.stage not in _BEGINNING:
                raise BadStateError(f"the terminal is at {state.stage.value}")
            if not self._claims.take(self):
                raise BadStateError("another program's inspection runs", code=_BUSY)
            self._is_running = True
            self._judged_presentation = self._answer = self._told = None
            self._tell_inspection(state)

    def _end(self, result: Result) -> None:
        with self._lock:
            self._is_running = False
            self._claims.release(self)
            self._send(result)

    def _tell_reader(self, state: TerminalState) -> None:
        is_attached = state.stage is not Stage.READER_GONE
        reader = Reader(
            name=self._terminal.reader_name,
            attached=is_attached,
            card=state.stage not in _NO_CARD,
            reason=None if is_attached else state.notice,
        )
        if reader != self._reader:
            self._reader = reader
            self._send(reader)

    def _tell_inspection(self, state: TerminalState) -> None:
        worth = (state.stage, state.presentation, state.notice, state.progress, state.next_try_at)
        if worth == self._told:
            return
        self._told = worth
        match state.stage:
            case Stage.INSERT_CARD:
                self._send(InsertCard(reason=state.notice))
            case Stage.ENTER_PASSWORD:
                wait = self._terminal.wait_seconds(state)
                self._send(EnterCan(reason=state.notice, wait_seconds=wait))
            case Stage.READING if state.progress is not None:
                progress = state.progress
                self._send(Progress(phase=progress.step.value, files=progress.files))
            case Stage.RESULT if state.outcome is not None:
                self._judged_presentation = state.presentation
                self._end(self._result(state.outcome))
            case Stage.REMOVE_CARD:
                self._end(Result(verdict=None, reason=state.notice or _CANCELLED))
            case _:
                # Without a reader the inspection waits: READER has said so.
                pass

    def _result(self, outcome: Outcome) -> Result:
        report = outcome.report
        holder = report.holder if self._program.may_see_holder else None
        return Result(
            verdict=report.verdict.value,
            assurance=report.assurance.value,
            reason=report.codes[0] if report.codes else None,
            codes=list(report.codes),
            notes=list(report.notes),
            purpose=outcome.purpose,
            record=outcome.record,
            judged_at=report.judged_at,
            holder=None if holder is None else holder.to_json(),
        )

    def _info(self) -> Info:
        return Info(
            version=self._services.version,
            terminal=self._services.terminal_name,
            purpose=self._services.purpose,
        )

    def _reader_list(self) -> ReaderList:
        watched = self._terminal.reader_name
        names = dict.fromkeys((*self._services.reader_names(), watched))
        return ReaderList(
            readers=[ReaderOfList(name=name, watched=name == watched) for name in names]
        )


def _name_of(found: Any) -> str | None:
    """The command's name, to say which one was wrong; never more of a message than that."""
    name = found.get("cmd") if isinstance(found, dict) else None
    is_name = isinstance(name, str) and name.isascii() and name.isprintable() and len(name) <= 40
    return name if is_name else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
