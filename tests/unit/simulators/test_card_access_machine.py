"""Access rules explored: whatever a terminal does, a file is read exactly where the small model here allows it."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from card_layout.atr import LifeCycle
from card_layout.curves import NamedCurve
from simulators.card.operating_system import VirtualCard
from simulators.card.points import Point
from simulators.image import CardImage, ImageFile, ReadRule

MARK = b"PROTECTED CONTENT"
INFORMATION = "T22000129364081251010318"
PUBLIC = Point.generator(NamedCurve.SECP256R1).times(0x1234567)
SECRETS = {
    "mrz": (1, hashlib.sha1(INFORMATION.encode()).digest()),  # noqa: S324 -- fixed by 9303-11
    "can": (2, b"123456"),
    "pin": (3, b"24680"),
    "puk": (4, b"1357913579"),
}
SHORT_IDENTIFIERS = {
    1: ReadRule.PASSWORD,
    3: ReadRule.TERMINAL,
    4: ReadRule.NEVER,
    30: ReadRule.ALWAYS,
}
READING = (LifeCycle.PERSONALISED, LifeCycle.OPERATIONAL)


def rich_image(operational: CardImage) -> CardImage:
    """A card with a file of every rule and a way in of every kind."""
    files = {path: file for path, file in operational.files.items() if "3F00" in path}
    for number, rule_of_file in SHORT_IDENTIFIERS.items():
        files[f"A0000002471001/01{number:02X}"] = ImageFile(
            data=MARK + bytes((number,)) * 4,
            read=rule_of_file,
            short_identifier=number,
            capacity=64,
        )
    secrets = replace(operational.secrets, basic_access_control=True, pin="24680", puk="1357913579")
    return replace(operational, files=files, secrets=secrets)


class AccessMachine(RuleBasedStateMachine):
    """The model: who opened the session, whether the application is selected, the card's state."""

    image: CardImage
    open_terminal: Callable[[VirtualCard], Any]

    @initialize(state=st.sampled_from([*READING, *READING, *LifeCycle]))
    def insert(self, state: LifeCycle) -> None:
        self.state = state
        self.terminal = type(self).open_terminal(VirtualCard(self.image.with_state(state)))
        self.opened_by: str | None = None
        self.is_in_application = False

    @property
    def can_open(self) -> bool:
        return self.state in READING

    def follow(self) -> None:
        """A session that the card ended is over for the model, too."""
        if self.terminal.algorithm is None:
            self.opened_by = None

    @rule()
    def reset(self) -> None:
        self.terminal = type(self).open_terminal(self.terminal.card)
        self.opened_by, self.is_in_application = None, False

    @rule()
    def select_application(self) -> None:
        self.terminal.select_application()
        if self.terminal.status == "9000":
            self.is_in_application = True

    @rule()
    def select_master_file(self) -> None:
        self.terminal.send("00A4000C", le=False)
        if self.terminal.status == "9000":
            self.is_in_application = False

    @rule(number=st.sampled_from(list(SHORT_IDENTIFIERS)), by_selection=st.booleans())
    def read(self, number: int, *, by_selection: bool) -> None:
        if by_selection:
            self.terminal.send("00A4020C", bytes((1, number)), le=False)
            content = self.terminal.send("00B00000")
        else:
            content = self.terminal.read(number)
        allowed = (
            self.state is not LifeCycle.TERMINATED
            and self.is_in_application
            and (
                SHORT_IDENTIFIERS[number] is ReadRule.ALWAYS
                or (
                    SHORT_IDENTIFIERS[number] is ReadRule.PASSWORD
                    and self.opened_by in ("mrz", "can", "pin")
                    and self.can_open
                )
            )
        )
        if allowed:
            assert content == MARK + bytes((number,)) * 4
        else:
            assert MARK not in content
            # The master file has a file of its own under the first identifier.
            assert self.terminal.status != "9000" or not self.is_in_application

    @rule(flaw=st.sampled_from([{}, {}, {}, {"mac_flaw": 1}, {"nonce_flaw": 1}]))
    def basic_access(self, flaw: dict[str, int]) -> None:
        if self.opened_by is not None:
            return
        self.terminal.basic_access(INFORMATION, **flaw)
        opened = self.terminal.algorithm is not None
        assert opened is (self.is_in_application and self.can_open and not flaw)
        self.opened_by = "mrz" if opened else None

    @rule(name=st.sampled_from(["can", "mrz", "pin", "puk"]), is_flawed=st.sampled_from([0, 0, 1]))
    def pace(self, name: str, is_flawed: int) -> None:
        if is_flawed and name in ("pin", "puk"):
            # Their counters would run out; test_card_pin_and_puk.py looks at that.
            return
        reference, secret = SECRETS[name]
        objects = self.terminal.pace(secret, reference=reference, token_flaw=is_flawed)
        is_resuming = (self.opened_by, name) == ("can", "pin")
        may_begin = self.can_open and not self.is_in_application
        expected = may_begin and (self.opened_by is None or is_resuming) and not is_flawed
        assert bool(objects) is expected
        if objects:
            self.opened_by = name
        self.follow()

    @rule(name=st.sampled_from(["can", "mrz", "pin", "puk"]))
    def open_from_the_beginning(self, name: str) -> None:
        """What a terminal does: so that the rules above meet an open session often enough."""
        self.reset()
        self.pace(name, 0)
        self.select_application()
        for number in SHORT_IDENTIFIERS:
            self.read(number, by_selection=False)

    @rule()
    def prove_chip(self) -> None:
        if self.opened_by is None:
            return
        self.terminal.prove_chip((PUBLIC.x, PUBLIC.y), NamedCurve.SECP256R1, "aes-128", 1)
        expected = self.is_in_application and self.opened_by != "puk"
        assert (self.terminal.status == "9000") is expected

    @rule()
    def unblock(self) -> None:
        self.terminal.send("002C0303", le=False)
        expected = self.opened_by == "puk" and self.can_open
        assert (self.terminal.status == "9000") is expected

    @rule(number=st.sampled_from(list(SHORT_IDENTIFIERS)))
    def read_in_plain(self, number: int) -> None:
        had_session = self.opened_by is not None
        content = self.terminal.plain(f"00B0{0x80 | number:02X}00")
        assert MARK not in content or SHORT_IDENTIFIERS[number] is ReadRule.ALWAYS
        assert not (content and had_session)
        if had_session:
            assert self.terminal.status == "6987"
            self.terminal.algorithm = self.opened_by = None

    @rule(data=st.binary(max_size=40))
    def spoil_the_session(self, data: bytes) -> None:
        assert self.terminal.plain("0CB08100", data) == b""
        assert self.terminal.status != "9000"
        self.terminal.algorithm = self.opened_by = None

    @rule(command=st.binary(min_size=4, max_size=40))
    def say_anything(self, command: bytes) -> None:
        answer = self.terminal.card.process(command)
        rest_is_open = command[:2] == b"\x00\xb0"
        assert MARK not in answer or rest_is_open
        self.reset()


def explore(
    operational: CardImage,
    open_terminal: Callable[[VirtualCard], Any],
    *,
    examples: int,
    steps: int,
) -> None:
    class Machine(AccessMachine):
        """The one of these fixtures."""

    Machine.image = rich_image(operational)
    Machine.open_terminal = staticmethod(open_terminal)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_sequence_reads_what_the_model_does_not_allow(
    operational: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    explore(operational, open_terminal, examples=40, steps=25)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_steps_read_nothing_that_the_model_does_not_allow(
    operational: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    explore(operational, open_terminal, examples=2_000, steps=50)
