"""A terminal composed as `terminal run` composes it: trust that is renewed while it runs, and the command itself."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from card_layout.errors import TransportError
from card_layout.transport.connection import CardReader
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.image import CardImage
from simulators.issued_image import issue_image
from simulators.population.member import draw_member
from simulators.trust_directory import TEST_POLICY, write_trust_directory
from verifier.bootstrap_terminal import OpenTerminal, open_terminal
from verifier.reading.awaited_reader import AwaitedReader
from verifier.services.card_password import CardPassword
from verifier.services.terminal_state import Outcome, Stage
from verifier.trust.changes import fingerprint_of
from verifier.trust.terminal_home import TerminalHome

CAN = "314159"
PROGRAM = Path(sys.executable).with_name("membercard-verifier")


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority.create(now=made_at())


@pytest.fixture(scope="module")
def image(authority: TestAuthority) -> CardImage:
    member = draw_member(Random(1), serial_number=1)
    return issue_image(member, authority=authority, random=Random(1), can=CAN)


def made_at() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)


class Slot:
    """A reader in which a card lies, or not."""

    name = "slot"

    def __init__(self, image: CardImage) -> None:
        self.is_in = False
        self.card = SimulatedReader(VirtualCard(image))

    def is_card_present(self) -> bool:
        return self.is_in

    def connect(self) -> object:
        return self.card.connect()


@contextmanager
def composed(folder: Path, slot: CardReader) -> Iterator[OpenTerminal]:
    with open_terminal(
        reader_name="slot",
        trust_directory=folder / "trust",
        home=TerminalHome(folder / "home"),
        profile_name="membercard-1-icao",
        find_reader=lambda _name: slot,
    ) as opened:
        opened.terminal._wait = lambda _seconds: None  # type: ignore[method-assign]
        yield opened


def inspected(opened: OpenTerminal, slot: Slot) -> Outcome | str | None:
    slot.is_in = False
    opened.terminal.look()
    opened.terminal.give_password(CardPassword.from_can(CAN))
    slot.is_in = True
    opened.terminal.look()
    state = opened.terminal.state
    return state.notice if state.outcome is None else state.outcome


def verdict(found: Outcome | str | None) -> tuple[str, ...]:
    assert isinstance(found, Outcome)
    return (found.report.verdict.value, *found.report.codes)


def test_what_comes_into_the_trust_directory_counts_from_the_next_card_on(
    tmp_path: Path, authority: TestAuthority, image: CardImage
) -> None:
    other = TestAuthority.create(now=made_at())
    write_trust_directory(tmp_path / "trust", [other], now=made_at())
    slot = Slot(image)
    with composed(tmp_path, slot) as opened:
        assert verdict(inspected(opened, slot)) == ("refused", "signer.authority-unknown")
        write_trust_directory(tmp_path / "trust", [other, authority], now=made_at())
        first = inspected(opened, slot)
        assert verdict(first) == ("accepted",)
        assert isinstance(first, Outcome)
        assert (first.portrait or b"")[:8] == b"\x89PNG\r\n\x1a\n"
        # Nothing is judged with a part of what was meant to be trusted.
        (tmp_path / "trust" / "policy.toml").write_text("format = 2")
        assert inspected(opened, slot) == "policy.malformed"
        assert inspected(opened, slot) == "policy.malformed"
        (tmp_path / "trust" / "policy.toml").write_text(TEST_POLICY)
        assert verdict(inspected(opened, slot)) == ("accepted",)
        assert len(list(opened.journal.lines())) == 3
        # What the terminal writes there itself is no news.
        before = fingerprint_of(tmp_path / "trust")
        (tmp_path / "trust" / "clock.json").write_text("{}")
        assert fingerprint_of(tmp_path / "trust") == before
        (tmp_path / "trust" / "other.json").write_text("{}")
        assert fingerprint_of(tmp_path / "trust") != before


def test_a_reader_is_looked_for_again_under_its_name_after_it_was_gone(image: CardImage) -> None:
    found: list[str] = []
    slot = Slot(image)

    def find(name: str) -> CardReader:
        found.append(name)
        if len(found) == 2:
            raise TransportError("not yet")
        return slot  # type: ignore[return-value]

    reader = AwaitedReader("part of a name", find=find)
    assert reader.name == "part of a name"
    assert not reader.is_card_present()
    assert reader.name == "slot"

    def gone() -> bool:
        raise TransportError("gone")

    slot.is_card_present = gone  # type: ignore[method-assign]
    with pytest.raises(TransportError, match="gone"):
        reader.is_card_present()
    del slot.is_card_present  # type: ignore[method-assign]
    with pytest.raises(TransportError, match="not yet"):
        reader.is_card_present()
    assert not reader.is_card_present()
    assert found == ["part of a name"] * 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_starts_without_a_reader_says_where_its_page_is_and_ends_in_good_order(
    tmp_path: Path, authority: TestAuthority, number: signal.Signals
) -> None:
    write_trust_directory(tmp_path / "trust", [authority], now=made_at())
    environment = {**os.environ, "MEMBERCARD_VERIFIER_HOME": str(tmp_path / "home")}
    command = [
        str(PROGRAM), "terminal", "run", "--reader", "no such reader", "--trust",
        str(tmp_path / "trust"), "--listen", "127.0.0.1:0",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    address = process.stdout.readline().removeprefix("page: ")
    page = subprocess.run(
        [str(PROGRAM), "terminal", "page"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert page.stdout == address
    assert (tmp_path / "home" / "page").stat().st_mode & 0o027 == 0
    process.send_signal(number)
    assert process.communicate() == ("", "")
    assert process.returncode == 0
    assert not (tmp_path / "home" / "page").exists()


def test_a_port_that_is_taken_is_an_error_of_one_line(
    tmp_path: Path, authority: TestAuthority
) -> None:
    import socket  # noqa: PLC0415 - this test alone

    write_trust_directory(tmp_path / "trust", [authority], now=made_at())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = subprocess.run(
            [str(PROGRAM), "terminal", "run", "--reader", "x", "--trust", str(tmp_path / "trust"),
             "--home", str(tmp_path / "home"), "--listen", f"127.0.0.1:{port}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert result.returncode == 2
    assert "[terminal.port-taken]" in result.stderr.splitlines()[0]


def test_the_records_of_a_terminal_say_which_one_it_is(
    tmp_path: Path, authority: TestAuthority, image: CardImage
) -> None:
    write_trust_directory(tmp_path / "trust", [authority], now=made_at())
    slot = Slot(image)
    with composed(tmp_path, slot) as opened:
        inspected(opened, slot)
        assert opened.terminal.state.stage is Stage.RESULT
        (line,) = opened.journal.lines()
        name = json.loads((tmp_path / "home" / "terminal.json").read_text())["name"]
        assert line.fields["terminal"] == opened.name == name
        assert len(line.fields["card"]) == 64
