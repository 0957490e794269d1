"""What the page shows of a state: plain values for the template, in the language of whoever reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from verifier.api.texts import ANSWERS, FIELDS, KINDS, NOTICES, STEPS
from verifier.inspection.checks import CheckState
from verifier.inspection.codes import CODES
from verifier.inspection.explanation import ExplainedStep
from verifier.inspection.messages import JUDGED, STATES, VERDICTS, Language, Text, code_texts
from verifier.inspection.report import Verdict
from verifier.services.terminal_state import (
    HolderAnswer,
    Outcome,
    ReadingStep,
    Stage,
    TerminalState,
)

__all__ = ["Screen", "notice_text", "screen_of"]

_WORDS: Final[Mapping[str, Mapping[str, Text]]] = {
    "sex": {"M": Text("Nam", "male"), "F": Text("Nữ", "female")},
    "kind": KINDS,
}
_STEPS: Final = tuple(ReadingStep)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeLine:
    """One code, what it means, and what to do."""

    code: str
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLine:
    """One step of the procedure."""

    clause: str
    name: str
    judges: str
    state: str
    state_name: str
    sentence: str
    code: str | None
    is_required: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ResultView:
    """One card's result."""

    verdict: Verdict
    assurance: str
    codes: tuple[CodeLine, ...]
    notes: tuple[CodeLine, ...]
    fields: tuple[tuple[str, str], ...]
    left_out: tuple[CheckLine, ...]
    checks: tuple[CheckLine, ...]
    has_portrait: bool
    answer: str | None
    answers: tuple[tuple[str, str], ...]
    record: int
    seconds: str
    apdus: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Screen:
    """What the template needs beside the texts."""

    stage: Stage
    presentation: int
    notice: str | None
    notice_code: str | None
    wait_seconds: int
    is_password_given: bool
    steps: tuple[tuple[str, str], ...]
    files: int
    result: ResultView | None

    @property
    def sound(self) -> str:
        """What is to be heard."""
        if self.result is not None:
            return self.result.verdict.value
        return "wrong" if self.notice_code == "access.wrong-password" else ""


def screen_of(state: TerminalState, language: Language, *, wait_seconds: float) -> Screen:
    """The screen of a state."""
    return Screen(
        stage=state.stage,
        presentation=state.presentation,
        notice=None if state.notice is None else notice_text(state.notice, language),
        notice_code=state.notice,
        wait_seconds=int(wait_seconds + 0.999),
        is_password_given=state.is_password_given,
        steps=_steps(state, language),
        files=0 if state.progress is None else state.progress.files,
        result=None if state.outcome is None else _result(state, state.outcome, language),
    )


def notice_text(code: str, language: Language) -> str:
    """A code in words for whoever stands there."""
    if code in NOTICES:
        return NOTICES[code].within(language)
    if code in CODES:
        cause, remedy = code_texts(code, language)
        return f"{cause} {remedy}"
    return code


def _steps(state: TerminalState, language: Language) -> tuple[tuple[str, str], ...]:
    """Every step of a reading with what it is: done, now, or to come."""
    if state.progress is None:
        return ()
    now = _STEPS.index(state.progress.step)
    return tuple(
        (
            STEPS[step].within(language),
            "done" if number < now else "now" if number == now else "later",
        )
        for number, step in enumerate(_STEPS)
    )


def _result(state: TerminalState, outcome: Outcome, language: Language) -> ResultView:
    report = outcome.report
    lines = [_check(step, language) for step in outcome.explanation.steps]
    return ResultView(
        verdict=report.verdict,
        assurance=VERDICTS[report.assurance.value].within(language),
        codes=_codes(report.codes, language),
        notes=_codes(report.notes, language),
        fields=_fields(outcome, language),
        left_out=tuple(line for line in lines if line.state == CheckState.NOT_PERFORMED.value),
        checks=tuple(line for line in lines if line.state != CheckState.NOT_PERFORMED.value),
        has_portrait=outcome.portrait is not None,
        answer=None if state.answer is None else state.answer.value,
        answers=tuple((answer.value, ANSWERS[answer].within(language)) for answer in HolderAnswer),
        record=outcome.record,
        seconds=f"{sum(report.phase_seconds.values()):.2f}",
        apdus=report.apdu_count,
    )


def _codes(codes: Sequence[str], language: Language) -> tuple[CodeLine, ...]:
    return tuple(
        CodeLine(code=code, cause=cause, remedy=remedy)
        for code in codes
        for cause, remedy in [code_texts(code, language)]
    )


def _check(step: ExplainedStep, language: Language) -> CheckLine:
    check = step.check
    return CheckLine(
        clause=check.clause,
        name=check.name.value,
        judges=JUDGED[check.name].within(language),
        state=check.state.value,
        state_name=STATES[check.state].within(language),
        sentence=step.sentence(language),
        code=check.code,
        is_required=step.is_required,
    )


def _fields(outcome: Outcome, language: Language) -> tuple[tuple[str, str], ...]:
    """Only what the report gives of an accepted card; dates as people here write them."""
    holder = outcome.report.holder
    if holder is None:
        return ()
    values: Mapping[str, object] = {name: getattr(holder, name) for name in FIELDS}
    return tuple(
        (FIELDS[name].within(language), _value(name, value, language))
        for name, value in values.items()
        if value is not None
    )


def _value(name: str, value: object, language: Language) -> str:
    if isinstance(value, date):
        return value.strftime("%d/%m/%Y")
    if name in _WORDS and value in _WORDS[name]:
        return _WORDS[name][str(value)].within(language)
    return "".join(character if character.isprintable() else "�" for character in str(value))
