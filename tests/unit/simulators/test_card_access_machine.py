"""Access rules explored: whatever a terminal does, a file is read exactly where the small model here allows it."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from card_layout import tlv
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
    5: ReadRule.TERMINAL,
    13: ReadRule.TERMINAL,
    30: ReadRule.ALWAYS,
}
WAYS = ("short", "selected", "short odd", "selected odd", "identifier odd")
"""The forms of READ BINARY."""

READING = (LifeCycle.PERSONALISED, LifeCycle.OPERATIONAL)


ROLES = {
    "link": ("root", None),
    "domestic": ("root", None),
    "foreign": ("root", None),
    "terminal": ("domestic", {3, 13}),
    "foreign_terminal": ("foreign", {3, 13}),
    "narrow": ("domestic", {13}),
    "mute": ("domestic", set[int]()),
    "rogue": ("root", None),
    "usurper": ("root", {3, 13}),
    "kin": ("terminal", {3, 13}),
}
"""The holders of the game: by whom, and what a terminal's chain grants; the last three are never to be believed."""

BELIEVED = set(ROLES) - {"rogue", "usurper", "kin"}


def all_holders(hierarchy: Any, make_cv_holder: Callable[..., Any]) -> dict[str, Any]:
    """The hierarchy of the fixtures, with terminals of fewer rights and with forged certificates."""
    stranger = make_cv_holder("VNROOT00001", 0xC0)
    domestic = hierarchy.domestic
    return {
        "root": hierarchy.root,
        "link": hierarchy.link,
        "domestic": domestic,
        "foreign": hierarchy.foreign,
        "terminal": hierarchy.terminal,
        "foreign_terminal": hierarchy.foreign_terminal,
        "narrow": make_cv_holder("VNGATE00003", 0, domestic, access_bits=0),
        "mute": make_cv_holder("VNGATE00004", 0, domestic, access_bits=0, files=None),
        "rogue": make_cv_holder("VNOFFICE00009", 0x80, stranger),
        "usurper": make_cv_holder("VNGATE00005", 0, hierarchy.root),
        "kin": make_cv_holder("VNGATE00006", 0, hierarchy.terminal),
    }


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
    """The model: who opened the session, how far chip and terminal are proven, whether the application is selected."""

    image: CardImage
    holders: dict[str, Any]
    open_terminal: Callable[[VirtualCard], Any]

    @initialize(state=st.sampled_from([*READING, *READING, *LifeCycle]))
    def insert(self, state: LifeCycle) -> None:
        self.state = state
        self.terminal = type(self).open_terminal(VirtualCard(self.image.with_state(state)))
        self.close()
        self.is_in_application = False

    def close(self) -> None:
        """No session, and nothing that was proven in one."""
        self.opened_by: str | None = None
        self.by_pace = self.is_proven = self.is_spent = False
        self.lose_terminal()

    def lose_terminal(self) -> None:
        """No rights, and no chain that was begun."""
        self.rights: set[int] = set()
        self.chain: list[str] = []

    @property
    def may_authenticate(self) -> bool:
        """Whether terminal authentication may go on."""
        has_opened = self.opened_by in ("mrz", "can", "pin")
        return has_opened and self.is_proven and self.is_in_application and not self.is_spent

    @property
    def can_open(self) -> bool:
        return self.state in READING

    def follow(self) -> None:
        """A session that the card ended is over for the model, too."""
        if self.terminal.algorithm is None:
            self.close()

    @rule()
    def reset(self) -> None:
        self.terminal = type(self).open_terminal(self.terminal.card)
        self.close()
        self.is_in_application = False

    @rule()
    def select_application(self) -> None:
        self.terminal.select_application()
        if self.terminal.status == "9000":
            self.is_in_application = True
            self.lose_terminal()

    @rule()
    def select_master_file(self) -> None:
        self.terminal.send("00A4000C", le=False)
        if self.terminal.status == "9000":
            self.is_in_application = False
            self.lose_terminal()

    @rule(number=st.sampled_from(list(SHORT_IDENTIFIERS)), way=st.sampled_from(WAYS))
    def read(self, number: int, way: str) -> None:
        offset = bytes.fromhex("540100")
        if way in ("selected", "selected odd"):
            self.terminal.send("00A4020C", bytes((1, number)), le=False)
        match way:
            case "short":
                content = self.terminal.read(number)
            case "selected":
                content = self.terminal.send("00B00000")
            case "short odd":
                content = self.terminal.send(f"00B100{number:02X}", offset)
            case "selected odd":
                content = self.terminal.send("00B10000", offset)
            case _:
                content = self.terminal.send(f"00B101{number:02X}", offset)
        if content and way.endswith("odd"):
            content = tlv.parse(content, expected_tag=0x53).value
        allowed = (
            self.state is not LifeCycle.TERMINATED
            and self.is_in_application
            and (
                SHORT_IDENTIFIERS[number] is ReadRule.ALWAYS
                or (
                    (
                        SHORT_IDENTIFIERS[number] is ReadRule.PASSWORD
                        or (
                            SHORT_IDENTIFIERS[number] is ReadRule.TERMINAL
                            and (number in self.rights or self.state is LifeCycle.PERSONALISED)
                        )
                    )
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
        self.close()
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
            self.close()
            self.opened_by, self.by_pace = name, True
        self.follow()

    @rule(name=st.sampled_from(["can", "mrz", "pin", "puk"]))
    def open_from_the_beginning(self, name: str) -> None:
        """What a terminal does: so that the rules above meet an open session often enough."""
        self.reset()
        self.pace(name, 0)
        self.select_application()
        self.read_everything()

    @rule()
    def prove_chip(self) -> None:
        if self.opened_by is None:
            return
        self.terminal.prove_chip((PUBLIC.x, PUBLIC.y), NamedCurve.SECP256R1, "aes-128", 1)
        expected = self.is_in_application and self.opened_by != "puk"
        assert (self.terminal.status == "9000") is expected
        if expected:
            self.is_proven = self.by_pace
            self.lose_terminal()

    @rule(name=st.sampled_from(list(ROLES)))
    def present(self, name: str) -> None:
        """One certificate under the key of its authority."""
        if self.opened_by is None:
            return
        above, _ = ROLES[name]
        holder = self.holders[name]
        found = self.terminal.present_chain(holder)[-1]
        is_found = above == "root" or self.chain[-1:] == [above]
        expected = self.may_authenticate and is_found and name in BELIEVED
        assert (found == "9000") is expected
        if not (self.may_authenticate and is_found):
            return
        begun = [] if above == "root" else self.chain
        self.chain = [*begun, name] if expected else []

    @rule(
        name=st.sampled_from([name for name, (_, rights) in ROLES.items() if rights is not None]),
        flaw=st.sampled_from([0, 0, 0, 1]),
    )
    def prove_terminal(self, name: str, flaw: int) -> None:
        if self.opened_by is None:
            return
        found = self.terminal.prove_terminal(self.holders[name], flaw=flaw)
        is_named = self.may_authenticate and self.chain[-1:] == [name]
        assert (found == "9000") is (is_named and not flaw)
        if not is_named:
            return
        self.lose_terminal()
        if not flaw:
            self.is_spent = True
            self.rights = set(ROLES[name][1] or ())

    @rule(
        password=st.sampled_from(["can", "mrz", "pin"]),
        name=st.sampled_from(["terminal", "foreign_terminal", "narrow", "mute"]),
        intruder=st.sampled_from([None, None, "rogue", "usurper", "kin"]),
        flaw=st.sampled_from([0, 0, 0, 1]),
        afterwards=st.sampled_from(["nothing", "chip", "chip again", "application", "master file"]),
    )
    def authenticate_from_the_beginning(
        self, *, password: str, name: str, intruder: str | None, flaw: int, afterwards: str
    ) -> None:
        """What a terminal with rights does, so that the rules above meet a session that has them."""
        self.reset()
        self.pace(password, 0)
        self.select_application()
        self.prove_chip()
        if intruder is not None:
            self.present(intruder)
            self.prove_terminal("usurper", 0)
        self.present(ROLES[name][0])
        self.present(name)
        if intruder == "kin":
            self.present(intruder)
        self.prove_terminal(name, flaw)
        self.read_everything()
        match afterwards:
            case "chip":
                self.prove_chip()
            case "chip again":
                self.prove_chip()
                self.present(ROLES[name][0])
                self.present(name)
                self.prove_terminal(name, 0)
            case "application":
                self.select_application()
            case "master file":
                self.select_master_file()
                self.select_application()
        self.read_everything()

    @rule(name=st.sampled_from(["terminal", "foreign_terminal", "narrow"]))
    def authenticate_after_basic_access(self, name: str) -> None:
        """The chip would be named by what is printed on the card: no terminal proves itself to that."""
        self.reset()
        self.select_application()
        self.basic_access({})
        self.prove_chip()
        self.present(ROLES[name][0])
        self.present(name)
        self.prove_terminal(name, 0)
        self.read_everything()

    def read_everything(self) -> None:
        """Every file by its short identifier."""
        for number in SHORT_IDENTIFIERS:
            self.read(number, "short")

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
            self.terminal.algorithm = None
            self.close()

    @rule(data=st.binary(max_size=40))
    def spoil_the_session(self, data: bytes) -> None:
        assert self.terminal.plain("0CB08100", data) == b""
        assert self.terminal.status != "9000"
        self.terminal.algorithm = None
        self.close()

    @rule(command=st.binary(min_size=4, max_size=40))
    def say_anything(self, command: bytes) -> None:
        answer = self.terminal.card.process(command)
        rest_is_open = command[:2] == b"\x00\xb0"
        assert MARK not in answer or rest_is_open
        self.reset()


@pytest.fixture(scope="module")
def machine(
    guarded: CardImage,
    open_terminal: Callable[[VirtualCard], Any],
    hierarchy: Any,
    make_cv_holder: Callable[..., Any],
) -> type[AccessMachine]:
    class Machine(AccessMachine):
        """The one of these fixtures."""

    Machine.image = rich_image(guarded)
    Machine.holders = all_holders(hierarchy, make_cv_holder)
    Machine.open_terminal = staticmethod(open_terminal)
    return Machine


def explore(machine: type[AccessMachine], *, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_sequence_reads_what_the_model_does_not_allow(
    machine: type[AccessMachine],
) -> None:
    explore(machine, examples=25, steps=30)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_steps_read_nothing_that_the_model_does_not_allow(
    machine: type[AccessMachine],
) -> None:
    explore(machine, examples=2_000, steps=50)
