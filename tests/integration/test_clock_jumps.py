"""A terminal's life in real processes under libfaketime, whose clock jumps ten years to and fro between any two steps."""

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from websockets.sync.client import ClientConnection, connect

from pki.signed.card_states import CardState
from pki.signed.security_object import StatusReference
from simulators.authority import TestAuthority
from simulators.image import CardImage
from simulators.issued_image import issue_image
from simulators.population.member import draw_member
from simulators.trust_directory import write_trust_directory
from tests.unit.verifier.bundle_office import BundleOffice, layout_files
from tests.unit.verifier.status_office import StatusOffice
from verifier.bootstrap_terminal import open_journal
from verifier.trust.approvals import Approval, create_approver_key
from verifier.trust.clock_reset import clock_state, reset_clock
from verifier.trust.publishing import publish_bundle
from verifier.trust.terminal_home import TerminalHome

PROGRAM: Final = Path(sys.executable).with_name("membercard-verifier")
LIBRARIES: Final = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
REFERENCE: Final = StatusReference(list_id=bytes.fromhex("8d1f00aa42c70b35"), index=77)
CAN: Final = "314159"
PIN: Final = "86420975"

HOUR: Final = timedelta(hours=1)
USABLE: Final = timedelta(days=30)
"""How long the policy of tests believes a status list."""

TOLERANCE: Final = timedelta(minutes=5)
TRUE: Final = 0
AHEAD: Final = 3650
BACK: Final = -3650
WEEK: Final = 7
"""Days between the true time and what the clock tells."""

SLEEP: Final = """\
# libfaketime takes the moment until which clock_nanosleep is to sleep for one of the time of day, even by the
# monotonic clock, and refuses it.
import select
import time

time.sleep = lambda seconds: select.select((), (), (), seconds) and None
"""

STEPS: Final = ("install", "start", "inspect", "fetch", "inspect", "restart", "inspect", "journal")

pytestmark = pytest.mark.skipif(
    not LIBRARIES,
    reason="libfaketime is not installed (Debian package faketime)",
)


@dataclass(frozen=True, kw_only=True)
class Office:
    """The centre: two bundles, an hour apart, for the one card."""

    authority: TestAuthority
    image: CardImage
    bundles: tuple[bytes, bytes]
    made_at: tuple[datetime, datetime]


@pytest.fixture(scope="module")
def office() -> Office:
    now = datetime.now(UTC).replace(microsecond=0)
    made_at = (now - 2 * HOUR, now - HOUR)
    authority = TestAuthority.create(now=now - 3 * HOUR)
    image = issue_image(
        draw_member(Random(1), serial_number=1),
        authority=authority,
        random=Random(1),
        can=CAN,
        status_reference=REFERENCE,
    )
    lists, signer = StatusOffice(authority=authority), BundleOffice(authority)
    bundles = [
        signer.bundle(
            layout_files(
                authority,
                now=at,
                status=lists.sign(REFERENCE, CardState.VALID, at=at, number=number),
            ),
            at=at,
            number=number,
        )
        for number, at in enumerate(made_at, start=1)
    ]
    return Office(
        authority=authority, image=image, bundles=(bundles[0], bundles[1]), made_at=made_at
    )


@dataclass
class Life:
    """One terminal: its directories, its clock, and what it must know of the time by now."""

    folder: Path
    office: Office
    days: int = TRUE
    mark: datetime = field(default_factory=lambda: datetime.min.replace(tzinfo=UTC))
    list_made_at: datetime = field(default_factory=lambda: datetime.min.replace(tzinfo=UTC))
    verdicts: list[str] = field(default_factory=list)
    _terminal: subprocess.Popen[str] | None = None
    _connection: ClientConnection | None = None
    _opened: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def begin(cls, folder: Path, office: Office) -> "Life":
        found = cls(folder, office)
        write_trust_directory(found.trust, [office.authority], now=office.made_at[0])
        (folder / "first.bundle").write_bytes(office.bundles[0])
        (folder / "second.bundle").write_bytes(office.bundles[1])
        publish_bundle(folder / "second.bundle", folder / "public")
        (folder / "python").mkdir()
        (folder / "python" / "sitecustomize.py").write_text(SLEEP)
        home = TerminalHome(folder / "home")
        home.prepare()
        token = home.pair("test", may_see_holder=False, now=datetime.now(UTC))
        (folder / "token").write_text(token)
        found.jump(TRUE)
        return found

    @property
    def trust(self) -> Path:
        return self.folder / "trust"

    @property
    def told(self) -> datetime:
        """What the terminal's clock tells now."""
        return datetime.now(UTC) + timedelta(days=self.days)

    def jump(self, days: int) -> None:
        """Set the clock of all processes of this life, those that run, too."""
        self.days = days
        path = self.folder / "clock.new"
        path.write_text(f"{days:+d}d\n")
        path.rename(self.folder / "clock")
        if self._terminal is not None:
            # A process looks at the file again after a second.
            time.sleep(2.2)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"),
            "FAKETIME_CACHE_DURATION": "1",
            # Otherwise no compiled module is as old as its source, and each start compiles all of them.
            "NO_FAKE_STAT": "1",
            # What measures durations is never set, by nobody.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(self.folder / "python"),
            "MEMBERCARD_VERIFIER_HOME": str(self.folder / "home"),
        }

    def call(self, *words: object) -> None:
        result = subprocess.run(
            [PROGRAM, *map(str, words)],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr

    def take(self, step: str) -> None:
        """One step of the life, and what must hold after it."""
        getattr(self, f"_{step}")()

    def _install(self) -> None:
        self.call("bundle", "install", self.folder / "first.bundle", "--trust", self.trust)
        self._know(0)

    def _fetch(self) -> None:
        with serving(self.folder / "public") as address:
            self.call("bundle", "fetch", address, "--trust", self.trust)
        self._know(1)

    def _know(self, number: int) -> None:
        self.list_made_at = self.office.made_at[number]
        self.mark = max(self.mark, self.list_made_at)

    def _start(self) -> None:
        reader = f"sim:{self.folder / 'card.json'}"
        command = [
            str(PROGRAM), "terminal", "run", "--reader", reader, "--trust", str(self.trust),
            "--profile", "membercard-1-icao", "--listen", "127.0.0.1:0",
        ]  # fmt: skip
        self._terminal = subprocess.Popen(
            command, env=self.environment(), stdout=subprocess.PIPE, text=True
        )
        assert self._terminal.stdout is not None
        assert self._terminal.stdout.readline() == "ready\n"
        port = self._terminal.stdout.readline().partition("127.0.0.1:")[2].partition("/")[0]
        token = (self.folder / "token").read_text()
        connecting = connect(
            f"ws://127.0.0.1:{port}/v1/terminal",
            additional_headers={"Authorization": f"Bearer {token}"},
            origin=None,
            open_timeout=60,
        )
        self._connection = self._opened.enter_context(connecting)
        self._see()

    def _restart(self) -> None:
        self.end()
        self._start()

    def end(self) -> None:
        self._opened.close()
        if self._terminal is not None:
            self._terminal.terminate()
            self._terminal.communicate()
            assert self._terminal.returncode == 0
        self._terminal = self._connection = None

    def _inspect(self) -> None:
        result = self._result()
        if result["reason"] == "reading.limit":
            # A machine that does many other things at once reads slowly, which says nothing about clocks.
            self.verdicts.append(result["verdict"])
            result = self._result()
        self._see()
        judged_at = datetime.fromisoformat(result["judged_at"])
        expected = max(self.told, self.mark)
        assert expected - TOLERANCE < judged_at <= expected
        is_behind = self.told < self.mark - TOLERANCE
        assert ("clock.rolled-back" in result["notes"]) == is_behind
        # Nothing that has expired counts, whatever the clock tells now; what has not expired does.
        is_usable = judged_at <= self.list_made_at + USABLE
        assert (result["verdict"] == "accepted") == is_usable, result
        self.verdicts.append(result["verdict"])

    def _result(self) -> dict[str, Any]:
        """Put the card in, hear what becomes of it, and take it out."""
        self._say("RUN_INSPECTION")
        self._hear("INSERT_CARD")
        self._say("SET_CAN", value=CAN)
        self.office.image.save(self.folder / "card.json")
        result = self._hear("RESULT")
        (self.folder / "card.json").unlink()
        while self._hear("READER")["card"]:
            """The next card waits until this one is out."""
        return result

    def _journal(self) -> None:
        with open_journal(TerminalHome(self.folder / "home")) as journal:
            assert journal.verify().sequence == len(self.verdicts)
            # A clock that jumped ahead has emptied nothing, and one that jumped back has hidden nothing.
            assert [line.fields["verdict"] for line in journal.lines()] == self.verdicts

    def _see(self) -> None:
        """The terminal looked at its clock, which it believes as far as a status list is ever believed."""
        limit = self.list_made_at + USABLE + timedelta(seconds=1)
        self.mark = max(self.mark, min(self.told, limit))

    def _say(self, command: str, **members: str) -> None:
        assert self._connection is not None
        self._connection.send(json.dumps({"cmd": command, **members}))

    def _hear(self, name: str) -> dict[str, Any]:
        assert self._connection is not None
        while True:
            message: dict[str, Any] = json.loads(self._connection.recv(timeout=60))
            assert message["msg"] not in {"BAD_STATE", "BAD_COMMAND"}, message
            if message["msg"] == name:
                return message


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Nothing."""


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    """Any web server, which serves a directory."""
    listening = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(directory)))
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


@contextmanager
def living(folder: Path, office: Office) -> Iterator[Life]:
    life = Life.begin(folder, office)
    try:
        yield life
    finally:
        life.end()


def live(life: Life, jumps: Sequence[tuple[int, int]], *, steps: Sequence[str] = STEPS) -> None:
    """Each step; ``jumps`` are the number of a step and where the clock stands before it."""
    at = dict(jumps)
    for number, step in enumerate(steps):
        if number in at:
            life.jump(at[number])
        life.take(step)


def test_a_terminal_whose_clock_jumps_to_and_fro_accepts_nothing_expired_and_finds_its_way_back(
    tmp_path: Path, office: Office
) -> None:
    """A dead battery at first, then ten years ahead for one card, then the truth; and two people help."""
    steps = ("install", "start", "inspect", "inspect", "inspect", "journal")
    with living(tmp_path, office) as life:
        live(life, [(0, BACK), (3, AHEAD), (4, TRUE)], steps=steps)
        assert life.verdicts[-3:] == ["accepted", "refused", "refused"]
        keys = {name: create_approver_key(PIN) for name in ("Lan", "Bình")}
        lines = [
            f'[[approvers]]\nname = "{name}"\nkey = "{key}"\n' for name, (_, key) in keys.items()
        ]
        (life.trust / "approvers.toml").write_text("format = 1\n" + "".join(lines), "utf-8")
        stated = clock_state(life.trust).statement
        reset_clock(
            life.trust,
            [
                Approval.make(name=name, key_file=key, pin=PIN, stated=stated)
                for name, (key, _) in keys.items()
            ],
        )
        life.mark = life.list_made_at
        life.take("inspect")
        assert life.verdicts[-1] == "accepted"


def test_a_terminal_without_a_network_goes_on_for_a_week_and_not_for_ever(
    tmp_path: Path, office: Office
) -> None:
    steps = ("install", "start", "inspect", "inspect", "inspect", "journal")
    with living(tmp_path, office) as life:
        live(life, [(3, WEEK), (4, USABLE.days + 1)], steps=steps)
        assert life.verdicts == ["accepted", "accepted", "refused"]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("days", [AHEAD, BACK], ids=["ahead", "back"])
@pytest.mark.parametrize(
    ("first", "then"),
    [(first, then) for first, then in itertools.combinations(range(len(STEPS) + 1), 2)],
)
def test_a_jump_between_any_two_steps_and_back_between_any_later_two(
    tmp_path: Path, office: Office, first: int, then: int, days: int
) -> None:
    with living(tmp_path, office) as life:
        live(life, [(first, days), (then, TRUE)])
        if days == BACK:
            assert set(life.verdicts) <= {"accepted", "unreadable"}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(8))
def test_a_clock_that_stands_elsewhere_at_every_step(
    tmp_path: Path, office: Office, seed: int
) -> None:
    random = Random(seed)
    with living(tmp_path, office) as life:
        live(life, [(step, random.choice((TRUE, AHEAD, BACK))) for step in range(len(STEPS))])
