"""An office: a terminal in a process of its own, cards that people put into the virtual reader, a browser in front of it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Page, sync_playwright

from card_layout.transport.readers import list_readers, open_reader, wait_for_removal
from simulators.authority import TestAuthority
from simulators.forge import ForgeKind, forge
from simulators.hopper import Hopper
from simulators.image import CardImage
from simulators.issued_image import issue_image
from simulators.population.member import SyntheticMember, draw_member
from simulators.trust_directory import write_trust_directory
from simulators.vpcd import Serving, VirtualIcc
from tests.e2e.devtools import CHROMIUM

READER = "Virtual PCD 00 00"
PROGRAM = Path(sys.executable).with_name("membercard-verifier")
CAN = "314159"
FORGED_CAN = "333333"

_BROWSER_OPTIONS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


@dataclass
class TerminalOffice:
    """The folder of an office, its cards, and what it takes to run a terminal there."""

    folder: Path
    member: SyntheticMember
    authority: TestAuthority
    genuine: CardImage
    forged: CardImage
    cards: int = field(default=0)

    @classmethod
    def open(cls, folder: Path) -> "TerminalOffice":
        now = datetime.now(UTC) - timedelta(hours=2)
        authority = TestAuthority.create(now=now)
        member = draw_member(Random(1), serial_number=1)
        write_trust_directory(folder / "trust", [authority], now=now)
        return cls(
            folder=folder,
            member=member,
            authority=authority,
            genuine=issue_image(member, authority=authority, random=Random(1), can=CAN),
            forged=forge(ForgeKind.CLONE, authority=authority, random=Random(3), can=FORGED_CAN),
        )

    @property
    def name(self) -> str:
        """Whose card the genuine one is."""
        return self.member.name.full

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command of the verifier, with this office's home."""
        return subprocess.run(
            [str(PROGRAM), *words],
            env={**os.environ, "MEMBERCARD_VERIFIER_HOME": str(self.folder / "home")},
            capture_output=True,
            text=True,
            check=False,
        )

    @contextmanager
    def terminal(self, *, reader: str = READER, words: Sequence[str] = ()) -> Iterator[str]:
        """A running terminal; gives the one-time address of its page."""
        command = [
            str(PROGRAM), "terminal", "run", "--reader", reader, "--trust", str(self.folder / "trust"),
            "--home", str(self.folder / "home"), "--listen", "127.0.0.1:0", *words,
        ]  # fmt: skip
        with (self.folder / "terminal.log").open("w") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process.stdout.readline().removeprefix("page: ").strip()
        finally:
            process.terminate()
            process.communicate()
        assert process.returncode == 0, (self.folder / "terminal.log").read_text()
        assert (self.folder / "terminal.log").read_text() == ""

    @contextmanager
    def card(self, image: CardImage) -> Iterator[None]:
        """A card lies in the reader, until somebody takes it out."""
        self.cards += 1
        path = self.folder / f"card-{self.cards}.json"
        image.save(path)
        stop = threading.Event()
        slot = VirtualIcc(
            slot=0, hopper=Hopper([path]), report=lambda _: None, stop=stop, stays=True
        )
        service = Serving([slot], stop=stop)
        thread = threading.Thread(target=lambda: service.run(until_empty=True))
        thread.start()
        try:
            yield
        finally:
            service.end()
            thread.join()


def require_reader_and_browser() -> None:
    """Skip, with the reason, where either is not there; in CI a skip of a test marked pcsc is a failure."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    if READER not in list_readers():
        pytest.skip(f"pcscd does not run here with vsmartcard-vpcd: no reader {READER!r}")
    # pcscd notices only at its next look that a card of the test before is gone.
    if not wait_for_removal(open_reader(READER), timeout_seconds=5):
        pytest.skip(f"somebody else's card is in {READER!r}")


@dataclass
class Watched:
    """A page, and whatever it complained about or asked elsewhere."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


@contextmanager
def paired_page(address: str, *, locale: str = "vi-VN") -> Iterator[Watched]:
    """A browser that opened the one-time address."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_BROWSER_OPTIONS)
        context = browser.new_context(viewport={"width": 1280, "height": 900}, locale=locale)
        watched = Watched(context.new_page())
        watched.page.on("console", lambda message: watched.complaints.append(message.text))
        watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        watched.page.on("request", lambda request: watched.addresses.append(request.url))
        watched.page.goto(address)
        watched.page.wait_for_url("**/")
        try:
            yield watched
        finally:
            browser.close()


def stage(page: Page, name: str) -> None:
    """Wait until the page shows a stage."""
    page.wait_for_selector(f'section[data-stage="{name}"]')


def record_steps(page: Page) -> None:
    """From now on the page notes every step of a reading that it shows."""
    page.evaluate(
        """() => {
            window.shownSteps = [];
            const look = () => {
                const now = document.querySelector(".steps .now span");
                if (now !== null) window.shownSteps.push(now.textContent);
            };
            new MutationObserver(look).observe(document.querySelector("#screen"), {childList: true});
        }"""
    )


def shown_steps(page: Page) -> list[str]:
    """The steps that were shown, each once."""
    return list(dict.fromkeys(page.evaluate("window.shownSteps")))


def until(page: Page, expression: str) -> None:
    """Wait until an expression is true in the page, whose own policy forbids the driver to evaluate it there by itself."""
    for _ in range(600):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {expression}")
