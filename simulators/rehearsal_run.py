"""One run of the demo: commands that are printed before they run, and readers with cards in them."""

import csv
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

__all__ = ["DEMO", "Rehearsal", "RehearsalError", "batch_file", "import_members"]

DEMO = Path("demo")


class RehearsalError(Exception):
    """A step of the demo did not end as it must."""


@dataclass(kw_only=True)
class Rehearsal:
    """One run of the demo; ``readers`` are the names that the station and the terminal use."""

    console: Console
    in_process: bool
    readers: list[str] = field(default_factory=list)

    def step(self, number: int, title: str) -> None:
        """Say what comes next."""
        self.console.rule(f"[bold]{number}  {title}[/]", align="left")

    def run(self, *words: str, expected: Sequence[int] = (0,), quiet: bool = False) -> str:
        """Print and run one command; its output is passed on, and given back where ``quiet``.

        Raises:
            RehearsalError: it ended with another status than ``expected``.
        """
        self.console.print(f"[bold cyan]$[/] {shlex.join(words)}", soft_wrap=True, highlight=False)
        program = Path(sys.executable).parent / words[0]
        result = subprocess.run(  # noqa: S603 - our own scripts, words given above
            [str(program), *words[1:]],
            stdout=subprocess.PIPE if quiet else None,
            text=True,
            check=False,
        )
        if result.returncode not in expected:
            wanted = " or ".join(map(str, expected))
            raise RehearsalError(
                f"{words[0]} ended with status {result.returncode}, expected {wanted}"
            )
        return result.stdout or ""

    def set_profile(self, home: str, profile: str) -> None:
        """Set the card profile of an issuer's home, as one would in an editor."""
        settings = Path(home) / "settings.toml"
        line = f'card_profile = "{profile}"'
        self.console.print(
            f"[bold cyan]$[/] echo '{line}' > {settings}", soft_wrap=True, highlight=False
        )
        settings.write_text(f"{line}\n", "utf-8")

    @contextmanager
    def cards_in_readers(self, *hoppers: str) -> Iterator[list[str]]:
        """Put the images of each hopper into a reader, one after another; give back the readers' names."""
        if self.in_process:
            yield [f"sim:{hopper}" for hopper in hoppers]
            return
        words = ["membercard-simulator", "serve", "--until-empty"]
        for hopper in hoppers:
            words += ["--slot", hopper]
        self.console.print(
            f"[bold cyan]$[/] {shlex.join(words)} &", soft_wrap=True, highlight=False
        )
        program = Path(sys.executable).parent / words[0]
        with (DEMO / "serve.log").open("a") as log:
            server = subprocess.Popen([str(program), *words[1:]], stdout=log, stderr=log)  # noqa: S603 - our own script
        try:
            yield self.readers[: len(hoppers)]
            server.wait(timeout=20)
        except subprocess.TimeoutExpired as error:
            raise RehearsalError(
                "the simulated cards were not all used; see demo/serve.log"
            ) from error
        finally:
            if server.poll() is None:
                server.terminate()
                server.wait(timeout=10)


def import_members(
    demo: Rehearsal, admin: Sequence[str], clerk: Sequence[str], *, quiet: bool = False
) -> None:
    """Organisations and members of the list; six rows of it are refused, so the status is 1."""
    demo.run(*admin, "organisations", "import", "demo/population/organisations.csv", quiet=quiet)
    demo.run(
        *clerk, "members", "import", "demo/population/members.xlsx",
        "--portraits", "demo/population/portraits", "--report", "demo/import-report.csv",
        expected=(1,), quiet=quiet,
    )  # fmt: skip


def batch_file(name: str, rows: Sequence[tuple[str, str]]) -> str:
    """Write the codes to type, card by card, as the terminal's batch reads them."""
    path = DEMO / name
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("label", "can"), *rows])
    path.chmod(0o600)
    return str(path)
