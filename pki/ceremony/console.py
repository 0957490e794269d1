"""How a ceremony talks with people: a terminal in two languages, or a rehearsal's file of answers."""

import getpass
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol, TextIO

from pki.ceremony.script import Role, ScriptStep, Text
from pki.errors import PkiDataError, RecordError

__all__ = ["AnswersConsole", "Console", "TerminalConsole", "read_answers"]

_MAX_ANSWER_CHARACTERS: Final = 1000
_MAX_ANSWERS_BYTES: Final = 1024 * 1024
_CLEAR: Final = "\x1b[2J\x1b[3J\x1b[H"
"""Clear the screen and what can be scrolled back to (ECMA-48, ED)."""

_ROLES: Final = {
    Role.ADMINISTRATOR: Text("chủ trì", "administrator"),
    Role.CUSTODIAN: Text("người giữ", "custodians"),
    Role.WITNESS: Text("chứng kiến", "witnesses"),
}


class Console(Protocol):
    """Shows and asks; ``question`` is the identifier of a question, which a file of answers goes by."""

    def heading(self, number: int, total: int, step: ScriptStep) -> None:
        """A step begins."""

    def show(self, text: Text) -> None:
        """One sentence, in both languages."""

    def fact(self, name: str, value: str) -> None:
        """One value."""

    def ask(self, question: str, prompt: Text) -> str:
        """Something that may be seen.

        Raises:
            RecordError: ``ceremony.no-answer``.
        """

    def ask_secret(self, question: str, prompt: Text) -> str:
        """Something that does not appear on the screen.

        Raises:
            RecordError: ``ceremony.no-answer``.
        """

    def show_words(self, number: int, words: tuple[str, ...], *, on_screen: bool) -> None:
        """A sheet's words are there to be copied; ``on_screen`` where no page of paper bears them."""

    def clear(self) -> None:
        """Take what was shown off the screen."""


class TerminalConsole:
    """Standard input and output; without a terminal, lines of standard input."""

    def __init__(self, *, source: TextIO | None = None, target: TextIO | None = None) -> None:
        self._source = source if source is not None else sys.stdin
        self._target = target if target is not None else sys.stdout

    def heading(self, number: int, total: int, step: ScriptStep) -> None:
        """See ``Console``."""
        roles = ", ".join(f"{_ROLES[role].vi} / {_ROLES[role].en}" for role in step.present)
        self._write(
            f"\n=== {number}/{total}  {step.title.vi} / {step.title.en}\n"
            f"    có mặt / present: {roles}\n"
            f"    gõ / typed: {step.typed.vi} / {step.typed.en}\n"
        )

    def show(self, text: Text) -> None:
        """See ``Console``."""
        self._write(f"{text.vi}\n{text.en}\n")

    def fact(self, name: str, value: str) -> None:
        """See ``Console``."""
        self._write(f"    {name}: {_printable(value)}\n")

    def ask(self, question: str, prompt: Text) -> str:
        """See ``Console``."""
        self._write(f"[{question}] {prompt.vi} / {prompt.en}: ")
        return self._line(question)

    def ask_secret(self, question: str, prompt: Text) -> str:
        """See ``Console``."""
        if not (self._source is sys.stdin and self._source.isatty()):
            return self.ask(question, prompt)
        try:
            return getpass.getpass(f"[{question}] {prompt.vi} / {prompt.en}: ")[
                :_MAX_ANSWER_CHARACTERS
            ]
        except EOFError as error:
            raise _no_answer(question) from error

    def show_words(self, number: int, words: tuple[str, ...], *, on_screen: bool) -> None:
        """See ``Console``."""
        if not on_screen:
            return
        self._write(f"--- {number} ---\n")
        rows = -(-len(words) // 3)
        for row in range(rows):
            line = (f"{place + 1:>4} {words[place]:12}" for place in range(row, len(words), rows))
            self._write("".join(line).rstrip() + "\n")

    def clear(self) -> None:
        """See ``Console``."""
        if self._target.isatty():
            self._write(_CLEAR)

    def _line(self, question: str) -> str:
        line = self._source.readline(_MAX_ANSWER_CHARACTERS)
        if not line.endswith("\n"):
            raise _no_answer(question)
        return line.strip()

    def _write(self, text: str) -> None:
        self._target.write(text)
        self._target.flush()


class AnswersConsole(TerminalConsole):
    """A rehearsal without people: a file answers, and what is on the sheets is known from having made them."""

    def __init__(self, answers: Mapping[str, str], *, target: TextIO | None = None) -> None:
        super().__init__(target=target)
        self._answers = answers
        self._sheets: dict[int, tuple[str, ...]] = {}
        self._shown = ""

    def ask(self, question: str, prompt: Text) -> str:
        """The answer to this question, or to all of its kind (``kind.*``).

        ``@sheet`` stands for the words of a sheet that was shown, ``@shown`` for the last group of the last fact.
        """
        self._write(f"[{question}] {prompt.vi} / {prompt.en}: ")
        kind, _, rest = question.partition(".")
        answer = self._answers.get(question, self._answers.get(f"{kind}.*"))
        if answer == "@sheet":
            number, _, place = rest.partition(".")
            words = self._sheets.get(int(number), ())
            answer = " ".join(words) if not place else words[int(place) - 1] if words else ""
        elif answer == "@shown":
            answer = self._shown.split(" ")[-1]
        if answer is None:
            raise _no_answer(question)
        self._write("\n")
        return answer

    def fact(self, name: str, value: str) -> None:
        """Show it, and remember it for ``@shown``."""
        super().fact(name, value)
        self._shown = value

    def ask_secret(self, question: str, prompt: Text) -> str:
        """See ``ask``."""
        return self.ask(question, prompt)

    def show_words(self, number: int, words: tuple[str, ...], *, on_screen: bool) -> None:
        """Remember them: it is a rehearsal."""
        super().show_words(number, words, on_screen=on_screen)
        self._sheets[number] = words


def read_answers(path: Path) -> Mapping[str, str]:
    """A file of answers: one JSON object of texts.

    Raises:
        PkiDataError: ``ceremony.answers-malformed``.
    """
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MAX_ANSWERS_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise _malformed(path) from error
    if not isinstance(found, dict) or not all(isinstance(item, str) for item in found.values()):
        raise _malformed(path)
    return found


def _malformed(path: Path) -> PkiDataError:
    return PkiDataError(
        f"file of answers {path} is not one JSON object of texts",
        code="ceremony.answers-malformed",
    )


def _no_answer(question: str) -> RecordError:
    return RecordError(
        f"question {question} was not answered: the ceremony stands where it is",
        code="ceremony.no-answer",
        hint="membercard-pki ceremony resume",
    )


def _printable(text: str) -> str:
    return "".join(item if item.isprintable() else "?" for item in text)
