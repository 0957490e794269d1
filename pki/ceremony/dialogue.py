"""What people type in a ceremony: a yes, a sheet's words, three of them again; wrong ones can be typed again."""

import secrets
from collections.abc import Callable
from typing import Final

from pki.ceremony.console import Console
from pki.ceremony.script import Text
from pki.ceremony.shares import (
    WORDS_OF_A_SHEET,
    Quorum,
    RootSecret,
    Sheet,
    combine,
    find_wrong_word,
    read_sheet,
    read_word,
)
from pki.errors import PkiDataError, PkiError, PkiRefusedError

__all__ = ["Dialogue"]

_YES: Final = frozenset({"có", "co", "yes", "y"})
_NO: Final = frozenset({"không", "khong", "no", "n"})
_MAX_WRONG: Final = 40
"""After so many wrong answers somebody should think; the ceremony stands, and can be resumed."""

_CHECKED_WORDS: Final = 3


class Dialogue:
    """Questions whose wrong answers are recorded by their code, and asked again."""

    def __init__(self, console: Console, *, refused: Callable[[str], None]) -> None:
        self._console = console
        self._refused = refused
        self._wrong = 0

    def confirm(self, question: str, prompt: Text) -> None:
        """A yes.

        Raises:
            PkiRefusedError: ``ceremony.stopped``.
        """
        if not self.agrees(question, prompt):
            raise PkiRefusedError(
                f"question {question} was answered with no: the ceremony stands where it is",
                code="ceremony.stopped",
                hint="membercard-pki ceremony resume, or ceremony abandon",
            )

    def agrees(self, question: str, prompt: Text) -> bool:
        """Yes or no, and nothing else."""
        while True:
            answer = self._console.ask(
                question, Text(f"{prompt.vi} (có/không)", f"{prompt.en} (yes/no)")
            )
            if answer.casefold() in _YES | _NO:
                return answer.casefold() in _YES
            self._again(
                PkiDataError("the answer is neither yes nor no", code="ceremony.answer-unclear")
            )

    def read_back(self, question: str, prompt: Text, *, expected: str, what: str) -> None:
        """Something that stands on paper, typed from there."""
        while self._console.ask(question, prompt).strip().lower() != expected:
            self._again(
                PkiDataError(
                    f"what was typed is not {what}: read it from the paper again",
                    code="ceremony.paper-differs",
                )
            )

    def check_sheet(self, sheet: Sheet) -> None:
        """Three random words of a sheet, typed from the paper."""
        chosen = sorted(
            secrets.SystemRandom().sample(range(1, WORDS_OF_A_SHEET + 1), _CHECKED_WORDS)
        )
        for place in chosen:
            while True:
                typed = self._console.ask_secret(
                    f"word.{sheet.number}.{place}",
                    Text(f"từ số {place} trên giấy", f"word {place} on the paper"),
                )
                if typed.strip().lower() == sheet.words[place - 1]:
                    break
                self._again(
                    PkiDataError(
                        f"word {place} of sheet {sheet.number} was typed wrongly: read it from the paper again",
                        code="ceremony.paper-differs",
                    )
                )

    def collect(self, quorum: Quorum) -> tuple[RootSecret, tuple[int, ...]]:
        """Sheets of the quorum, as many as it needs; a refused one is typed again, the others stay.

        Returns:
            The secret, and the numbers of the sheets in the order in which they were typed.
        """
        while True:
            sheets: dict[int, Sheet] = {}
            while len(sheets) < quorum.threshold:
                number = self._sheet_number(quorum, sheets)
                sheets[number] = self._sheet(number, quorum)
                self._console.clear()
                left = quorum.threshold - len(sheets)
                self._console.show(
                    Text(
                        f"Tờ {number} đúng; còn cần {left}.",
                        f"Sheet {number} is right; {left} more.",
                    )
                )
            try:
                return combine(tuple(sheets.values())), tuple(sheets)
            except PkiError as error:
                self._again(error)

    def refuse(self, error: PkiError) -> None:
        """Say why something is asked for again.

        Raises:
            PkiRefusedError: ``ceremony.too-many-mistakes``.
        """
        self._again(error)

    def _sheet_number(self, quorum: Quorum, sheets: dict[int, Sheet]) -> int:
        question = f"number.{len(sheets) + 1}"
        while True:
            answer = self._console.ask(
                question,
                Text(
                    f"số tờ (1 đến {len(quorum.custodians)})",
                    f"number of the sheet (1 to {len(quorum.custodians)})",
                ),
            )
            number = int(answer) if answer.isascii() and answer.isdigit() and len(answer) < 3 else 0
            if not 1 <= number <= len(quorum.custodians):
                self._again(
                    PkiDataError(
                        f"there is no such sheet, only 1 to {len(quorum.custodians)}",
                        code="sheet.number-unknown",
                    )
                )
            elif number in sheets:
                self._again(
                    PkiRefusedError(f"sheet {number} was given already", code="sheet.duplicate")
                )
            else:
                return number

    def _sheet(self, number: int, quorum: Quorum) -> Sheet:
        while True:
            words = self._words(number)
            place = find_wrong_word(words)
            if place:
                # One wrong word is told by its place: only that one is typed again.
                self._again(
                    PkiDataError(
                        f"word {place} of sheet {number} cannot be right: the checksum does not hold",
                        code="sheet.checksum",
                    )
                )
                words[place - 1] = self._word(number, place)
            try:
                return read_sheet(words, number=number, quorum=quorum)
            except PkiError as error:
                self._again(error)

    def _words(self, number: int) -> list[str]:
        """All words of a sheet, any number a line; those before a wrong one stay."""
        words: list[str] = []
        while len(words) < WORDS_OF_A_SHEET:
            place = len(words) + 1
            line = self._console.ask_secret(
                f"sheet.{number}",
                Text(
                    f"tờ {number}, từ số {place} trở đi (bốn chữ cái đầu là đủ)",
                    f"sheet {number}, from word {place} on (four letters are enough)",
                ),
            )
            for typed in line.split():
                try:
                    if len(words) == WORDS_OF_A_SHEET:
                        raise PkiDataError(
                            f"sheet {number} was typed with more than {WORDS_OF_A_SHEET} words",
                            code="sheet.malformed",
                        )
                    words.append(read_word(typed, place=len(words) + 1, sheet=number))
                except PkiError as error:
                    self._again(error)
                    if len(words) == WORDS_OF_A_SHEET:
                        words.clear()
                    break
        return words

    def _word(self, number: int, place: int) -> str:
        while True:
            typed = self._console.ask_secret(
                f"correction.{number}.{place}",
                Text(f"tờ {number}, lại từ số {place}", f"sheet {number}, word {place} again"),
            )
            try:
                return read_word(typed, place=place, sheet=number)
            except PkiError as error:
                self._again(error)

    def _again(self, error: PkiError) -> None:
        self._wrong += 1
        self._refused(error.code)
        if self._wrong > _MAX_WRONG:
            raise PkiRefusedError(
                f"{self._wrong} answers were wrong: the ceremony stands where it is",
                code="ceremony.too-many-mistakes",
                hint="membercard-pki ceremony resume",
            ) from error
        self._console.show(Text(f"Chưa đúng [{error.code}]", f"refused: {error} [{error.code}]"))
