"""A ceremony played through the console script: prompts are read, answered from the printed sheets, and kills survived."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pypdfium2

PROMPT = re.compile(r"\[([a-z0-9.-]+)\] [^\n]*: $")
HEADING = re.compile(r"\n=== ([0-9]+)/([0-9]+)  ")
PROGRAM = Path(sys.executable).parent / "membercard-pki"

ROOT = (
    *("ceremony", "root", "--rehearse", "--name", "Trial", "--threshold", "2"),
    *("--custodian", "Nguyễn Thị An", "--custodian", "Trần Bình", "--custodian", "Lê Chi"),
    *("--administrator", "Đỗ Hoà", "--witness", "Bùi Khánh"),
)
PEOPLE = ("--rehearse", "--administrator", "Đỗ Hoà", "--witness", "Bùi Khánh")


def words_of(page: Path) -> list[str]:
    """The words of a printed sheet, by their numbers."""
    with pypdfium2.PdfDocument(page) as document:
        assert len(document) == 1
        text = document[0].get_textpage().get_text_range()
    numbered = re.findall(r"^([0-9]{1,2}) ([a-z]{4,8})\s*$", text, re.MULTILINE)
    assert [int(number) for number, _ in numbered] == list(range(1, 34))
    return [word for _, word in numbered]


@dataclass
class Played:
    status: int
    out: str
    err: str

    @property
    def digest(self) -> str:
        found = re.search(r"^digest +([0-9a-f ]+)$", self.out, re.MULTILINE)
        assert found is not None, self.out[-2000:] + self.err
        return found[1]


@dataclass
class Stage:
    folder: Path
    sheets: dict[int, list[str]] = field(default_factory=dict)
    custodians: tuple[int, ...] = (1, 3)
    overrides: dict[str, list[str]] = field(default_factory=dict)
    answers: dict[str, Callable[[int, str], str]] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    watch: Callable[[str, int], None] = lambda _question, _pid: None

    @property
    def home(self) -> Path:
        return self.folder / "pki"

    @property
    def page_folder(self) -> Path:
        return self.folder / "sheets"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, "--home", self.home, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def json(self, *words: str) -> Any:
        result = self.run(*words, "--format", "json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def root(self, *words: str, kill_at: int = 0) -> Played:
        return self.play(
            *ROOT, "--pin-file", str(self.folder / "pin"), *words, with_sheets=True, kill_at=kill_at
        )

    def play(self, *words: str, with_sheets: bool = False, kill_at: int = 0) -> Played:
        """Run to the end, or until the heading of step ``kill_at``, which kills it."""
        sheets = ("--sheets", str(self.page_folder)) if with_sheets else ()
        process = subprocess.Popen(
            [*self.prefix, PROGRAM, "--home", self.home, *words, *sheets],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        out = b""
        answered = 0
        try:
            while piece := process.stdout.read1(65536):
                out += piece
                text = out.decode("utf-8", "replace")
                if kill_at and any(int(number) == kill_at for number, _ in HEADING.findall(text)):
                    process.kill()
                    break
                prompt = PROMPT.search(text[answered:])
                if prompt is not None:
                    answered = len(text)
                    self.watch(prompt[1], process.pid)
                    process.stdin.write((self.answer(prompt[1], text) + "\n").encode())
                    process.stdin.flush()
            err = process.stderr.read().decode()
            return Played(process.wait(timeout=60), out.decode("utf-8", "replace"), err)
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                stream.close()

    def answer(self, question: str, text: str) -> str:
        kind, _, rest = question.partition(".")
        if self.overrides.get(question):
            return self.overrides[question].pop(0)
        by_kind: dict[str, Callable[[], str]] = {
            "copied": lambda: self._copy(int(rest), text),
            "word": lambda: self.sheets[int(rest.split(".")[0])][int(rest.split(".")[1]) - 1],
            "number": lambda: str(self.custodians[int(rest) - 1]),
            "sheet": lambda: " ".join(word[:4] for word in self.sheets[int(rest)]),
            "fingerprint": lambda: re.findall(r"SHA-256: ([0-9a-f ]+)\n", text)[-1].split(" ")[-1],
        }
        if kind in self.answers:
            return self.answers[kind](int(rest), text)
        return by_kind.get(kind, lambda: "yes")()

    def _copy(self, number: int, text: str) -> str:
        page = self.page_folder / f"sheet-{number}.pdf"
        if page.exists():
            self.sheets[number] = words_of(page)
            return "có"
        # Shown on the screen: in three columns of numbered words.
        grid = text.rpartition(f"--- {number} ---")[2]
        numbered = {int(place): word for place, word in re.findall(r"([0-9]+) ([a-z]+)", grid)}
        self.sheets[number] = [numbered[place] for place in range(1, 34)]
        return "yes"
