"""The verifier against the virtual card: genuine, forged and hostile ones, by every way in."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card_layout.atr import LifeCycle, encode_atr
from card_layout.errors import NoCardError, TransportError
from card_layout.profile import CardProfile, load_profile
from card_layout.transport.connection import CardConnection, CardReader
from pki.certificates.trust import TrustAnchors
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.forge import ForgeKind, forge
from simulators.image import CardImage
from simulators.issued_image import issue_image
from simulators.population.member import SyntheticMember
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.trust_directory import TEST_POLICY
from verifier.inspection.codes import CODES
from verifier.inspection.policy import Policy
from verifier.inspection.report import Assurance, Report, Verdict, inspect
from verifier.inspection.snapshot import AccessPath, CardSnapshot, ChipOutcome, FileOutcome
from verifier.reading.card_reading import read_card
from verifier.reading.least import least_apdus
from verifier.services.card_password import CardPassword

NOW = TEST_TIME + timedelta(days=1)
PROFILES = ("membercard-1-icao", "membercard-1-icao-brainpool")


@dataclass
class Terminal:
    """Reads and judges; ``trust`` is what `test_pki` vouches for."""

    anchors: TrustAnchors
    policy: Policy = field(default_factory=lambda: Policy.from_bytes(TEST_POLICY.encode()))

    def read(
        self,
        reader: CardReader,
        *,
        password: CardPassword | None = None,
        profile: str = PROFILES[0],
        max_seconds: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> CardSnapshot:
        return read_card(
            reader,
            password=CardPassword.from_can(TEST_CAN) if password is None else password,
            profile=load_profile(profile),
            pace_parameter_ids=self.policy.pace_parameter_ids,
            now=NOW,
            monotonic=monotonic,
            max_seconds=max_seconds,
        )

    def judge(self, snapshot: CardSnapshot, *, now: datetime = NOW) -> Report:
        return inspect(snapshot, trust=self.anchors, policy=self.policy, now=now)


@pytest.fixture(scope="session")
def terminal(test_pki: TestAuthority) -> Terminal:
    return Terminal(
        anchors=TrustAnchors.from_bytes(
            certificates=(test_pki.root.certificate,), crls=(test_pki.revocation_list(now=NOW),)
        )
    )


class Tapped:
    """A reader that hears every command, and may answer in the card's stead."""

    name = "tapped"

    def __init__(
        self, card: VirtualCard, answer: Callable[[int, bytes, bytes], bytes] | None = None
    ) -> None:
        self.inner = SimulatedReader(card)
        self.answer = answer
        self.commands: list[bytes] = []
        self.resets = 0

    def is_card_present(self) -> bool:
        return True

    def connect(self) -> CardConnection:
        return TappedConnection(self, self.inner.connect())


class TappedConnection:
    """The connection of a tapped reader."""

    def __init__(self, reader: Tapped, inner: CardConnection) -> None:
        self.reader = reader
        self.inner = inner

    @property
    def atr(self) -> bytes:
        return self.inner.atr

    def transmit(self, command: bytes) -> bytes:
        self.reader.commands.append(command)
        response = self.inner.transmit(command)
        if self.reader.answer is None:
            return response
        return self.reader.answer(len(self.reader.commands), command, response)

    def reset(self) -> bytes:
        self.reader.resets += 1
        return self.inner.reset()

    def close(self) -> None:
        self.inner.close()


@pytest.mark.parametrize("profile_name", PROFILES)
@pytest.mark.parametrize("by", [AccessPath.PACE_CAN, AccessPath.PACE_MRZ])
def test_a_genuine_card_is_accepted_on_both_curves_and_by_both_passwords(
    terminal: Terminal,
    test_pki: TestAuthority,
    synthetic_member: SyntheticMember,
    profile_name: str,
    by: AccessPath,
) -> None:
    image = issue_image(
        synthetic_member, authority=test_pki, profile=profile_name, random=Random(2), can=TEST_CAN
    )
    information = image.secrets.mrz_information
    assert information is not None
    password = (
        CardPassword.from_can(TEST_CAN)
        if by is AccessPath.PACE_CAN
        else CardPassword.from_mrz(information)
    )
    snapshot = terminal.read(
        SimulatedReader(VirtualCard(image)), password=password, profile=profile_name
    )
    report = terminal.judge(snapshot)
    assert report.verdict is Verdict.ACCEPTED
    assert report.assurance is Assurance.DATA_AND_CHIP
    assert report.access.path is by
    assert report.holder is not None
    assert report.holder.citizen_number == synthetic_member.citizen_number


def test_a_genuine_card_is_read_with_the_least_number_of_commands(
    terminal: Terminal, virtual_card: VirtualCard
) -> None:
    reader = Tapped(virtual_card)
    snapshot = terminal.read(reader)
    sizes = {name: len(item.content or b"") for name, item in snapshot.files.items()}
    assert snapshot.apdu_count == len(reader.commands)
    assert snapshot.apdu_count == least_apdus(load_profile(PROFILES[0]), sizes)
    assert reader.resets == 0


def test_a_card_without_extended_lengths_is_read_with_short_commands(
    terminal: Terminal,
    test_pki: TestAuthority,
    synthetic_member: SyntheticMember,
) -> None:
    profile: CardProfile = replace(load_profile(PROFILES[0]), extended_lengths=False)
    image = issue_image(
        synthetic_member, authority=test_pki, profile=profile, random=Random(3), can=TEST_CAN
    )
    reader = Tapped(VirtualCard(image))
    snapshot = terminal.read(reader)
    assert terminal.judge(snapshot).verdict is Verdict.ACCEPTED
    assert max(map(len, reader.commands)) <= 261
    sizes = {name: len(item.content or b"") for name, item in snapshot.files.items()}
    # EF.ATR/INFO says that there are no extended lengths; nobody can know before reading it.
    assert snapshot.apdu_count == least_apdus(profile, sizes) + 1


@pytest.mark.parametrize("kind", list(ForgeKind))
@pytest.mark.parametrize("seed", [1, 2])
def test_each_forged_card_is_refused_with_its_code(
    terminal: Terminal, test_pki: TestAuthority, kind: ForgeKind, seed: int
) -> None:
    image = forge(kind, authority=test_pki, random=Random(seed), can=TEST_CAN)
    reader = Tapped(VirtualCard(image))
    report = terminal.judge(terminal.read(reader))
    assert report.verdict is Verdict.REFUSED
    assert kind.expected_code in report.codes
    assert report.holder is None
    # GET CHALLENGE would open the weak access of old passports: it is never sent.
    assert all(command[1] != 0x84 for command in reader.commands)


def test_a_clone_has_genuine_data_and_is_refused_for_its_chip_alone(
    terminal: Terminal, test_pki: TestAuthority
) -> None:
    image = forge(ForgeKind.CLONE, authority=test_pki, random=Random(1), can=TEST_CAN)
    reader = Tapped(VirtualCard(image))
    snapshot = terminal.read(reader)
    report = terminal.judge(snapshot)
    assert snapshot.chip.outcome is ChipOutcome.FAILED
    assert report.codes == ("chip.not-proven",)
    assert report.assurance is Assurance.DATA
    assert reader.resets == 1


def test_a_bac_only_chip_gets_no_command_but_those_that_look_for_pace(
    terminal: Terminal, test_pki: TestAuthority
) -> None:
    image = forge(ForgeKind.BAC_ONLY, authority=test_pki, random=Random(1), can=TEST_CAN)
    reader = Tapped(VirtualCard(image))
    report = terminal.judge(terminal.read(reader))
    assert report.codes == ("access.pace-required",)
    assert {command[1] for command in reader.commands} <= {0xA4, 0xB0}


def test_a_wrong_password_makes_the_card_unreadable_and_is_tried_once(
    terminal: Terminal, virtual_card: VirtualCard
) -> None:
    snapshot = terminal.read(
        SimulatedReader(virtual_card), password=CardPassword.from_can("000000")
    )
    report = terminal.judge(snapshot)
    assert report.verdict is Verdict.UNREADABLE
    assert report.codes == ("access.wrong-password",)
    assert virtual_card.image.secrets.wrong_passwords == 1


@pytest.mark.parametrize("state", [s for s in LifeCycle if s is not LifeCycle.OPERATIONAL])
def test_a_card_that_is_not_operational_is_refused(
    terminal: Terminal, issued_card: CardImage, state: LifeCycle
) -> None:
    image = replace(issued_card, state=state, atr=encode_atr(state, extended_lengths=True))
    report = terminal.judge(terminal.read(SimulatedReader(VirtualCard(image))))
    assert report.verdict is Verdict.REFUSED
    assert report.codes == ("card.not-operational",)


def test_the_report_of_a_stored_snapshot_equals_the_first(
    terminal: Terminal, virtual_card: VirtualCard
) -> None:
    snapshot = terminal.read(SimulatedReader(virtual_card))
    again = CardSnapshot.from_json(snapshot.to_json())
    assert again == snapshot
    assert terminal.judge(again) == terminal.judge(snapshot)
    assert json.dumps(terminal.judge(again).to_json()) == json.dumps(
        terminal.judge(snapshot).to_json()
    )


def must_end_in_a_report(terminal: Terminal, reader: CardReader) -> Report:
    begin = time.monotonic()
    report = terminal.judge(terminal.read(reader))
    assert time.monotonic() - begin < 10
    assert report.verdict is not Verdict.ACCEPTED
    assert report.codes
    assert set(report.codes) <= CODES.keys()
    CardSnapshot.from_json(terminal.read(reader).to_json())
    return report


HOSTILE: dict[str, Callable[[int, bytes, bytes], bytes]] = {
    "endless 61xx": lambda _n, _c, _r: b"\x61\x00",
    "endless 61xx with data": lambda _n, _c, _r: bytes(256) + b"\x61\xff",
    "endless 6Cxx": lambda _n, _c, _r: b"\x6c\x01",
    "a length of 4 GB": lambda _n, _c, _r: b"\x31\x84\xff\xff\xff\xff\x00\x90\x00",
    "a length of 16 MB": lambda _n, _c, _r: b"\x31\x83\xff\xff\xff\x00\x90\x00",
    "one byte at a time": lambda _n, _c, _r: b"\x31\x90\x00",
    "no bytes of a file": lambda _n, _c, _r: b"\x90\x00",
    "a short answer": lambda _n, _c, _r: b"\x90",
    "no answer": lambda _n, _c, _r: b"",
    "rubbish": lambda _n, _c, _r: bytes(range(256)),
    "a far too long answer": lambda _n, _c, _r: bytes(70_000),
    "more than was asked for": lambda _n, _c, _r: bytes(300) + b"\x90\x00",
    "always no": lambda _n, _c, _r: b"\x6f\x00",
    "always not found": lambda _n, _c, _r: b"\x6a\x82",
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_chip_that_is_hostile_from_the_start_ends_in_a_report(
    terminal: Terminal, virtual_card: VirtualCard, answer: Callable[[int, bytes, bytes], bytes]
) -> None:
    must_end_in_a_report(terminal, Tapped(virtual_card, answer))


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("begin", [2, 3, 5, 7, 9, 11, 13, 20])
def test_a_chip_that_turns_hostile_ends_in_a_report(
    terminal: Terminal,
    virtual_card: VirtualCard,
    answer: Callable[[int, bytes, bytes], bytes],
    begin: int,
) -> None:
    def turning(number: int, command: bytes, response: bytes) -> bytes:
        return response if number < begin else answer(number, command, response)

    must_end_in_a_report(terminal, Tapped(virtual_card, turning))


def test_a_file_of_a_gigantic_length_is_not_asked_for_beyond_the_bound(
    terminal: Terminal, virtual_card: VirtualCard
) -> None:
    reader = Tapped(virtual_card, HOSTILE["a length of 16 MB"])
    report = must_end_in_a_report(terminal, reader)
    assert report.codes == ("reading.limit",)
    assert report.verdict is Verdict.UNREADABLE
    assert len(reader.commands) < 10


@pytest.mark.parametrize("number", range(1, 23))
@pytest.mark.parametrize("what", ["flipped", "cut", "lost"])
def test_a_disturbance_at_any_command_is_never_an_accepted_card(
    terminal: Terminal, issued_card: CardImage, number: int, what: str
) -> None:
    def disturb(count: int, _: bytes, response: bytes) -> bytes:
        if count != number:
            return response
        if what == "lost":
            raise TransportError("the card was taken away")
        if what == "cut":
            return response[: len(response) // 2]
        middle = len(response) // 2
        return response[:middle] + bytes((response[middle] ^ 0x10,)) + response[middle + 1 :]

    reader = Tapped(VirtualCard(issued_card), disturb)
    report = terminal.judge(terminal.read(reader))
    if what == "lost":
        assert report.verdict is Verdict.UNREADABLE
        assert report.codes == ("transport.lost",)
    elif number == 2:
        # EF.ATR/INFO only says how long commands may be; a chip that says it wrongly is no card of ours.
        assert report.codes == ("atr-info.malformed",)
        assert report.verdict is Verdict.REFUSED
    elif report.verdict is Verdict.ACCEPTED:
        # The chip's proof broke, and so the card was read in a new session; it must not count as proven.
        pytest.fail("a disturbed card was accepted")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_answers_whatever_end_in_a_report(
    terminal: Terminal, issued_card: CardImage, data: st.DataObject
) -> None:
    begin = data.draw(st.integers(1, 24))
    answers = data.draw(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
    endings = data.draw(st.sampled_from([b"", b"\x90\x00", b"\x62\x82", b"\x61\x10", b"\x6c\x05"]))

    def answer(number: int, _: bytes, response: bytes) -> bytes:
        return response if number < begin else answers[number % len(answers)] + endings

    report = terminal.judge(terminal.read(Tapped(VirtualCard(issued_card), answer)))
    assert report.verdict is not Verdict.ACCEPTED or begin > 22
    assert set(report.codes) <= CODES.keys()


def test_a_reader_that_hangs_ends_in_a_report_in_time(
    terminal: Terminal, virtual_card: VirtualCard
) -> None:
    release = threading.Event()

    def hang(number: int, _: bytes, response: bytes) -> bytes:
        if number == 4:
            release.wait(20)
        return response

    begin = time.monotonic()
    snapshot = terminal.read(Tapped(virtual_card, hang), max_seconds=0.3)
    assert time.monotonic() - begin < 5
    release.set()
    report = terminal.judge(snapshot)
    assert report.verdict is Verdict.UNREADABLE
    assert report.codes == ("reading.limit",)


@pytest.mark.parametrize("number", [1, 5, 12, 20])
def test_a_hanging_reading_leaves_a_cut_that_the_late_answer_does_not_change(
    terminal: Terminal, virtual_card: VirtualCard, number: int
) -> None:
    release, let_go = threading.Event(), threading.Event()

    class Closing(TappedConnection):
        def close(self) -> None:
            super().close()
            let_go.set()

    class ClosingReader(Tapped):
        def connect(self) -> CardConnection:
            return Closing(self, self.inner.connect())

    def hang(count: int, _: bytes, response: bytes) -> bytes:
        if count == number:
            release.wait(20)
        return response

    reader = ClosingReader(virtual_card, hang)
    snapshot = terminal.read(reader, max_seconds=0.3)
    stored = snapshot.to_json()
    assert not let_go.is_set()
    release.set()
    assert let_go.wait(5)
    assert snapshot.to_json() == stored
    assert snapshot.apdu_count == number == len(reader.commands), "something was sent too late"
    assert snapshot.problem is not None
    assert snapshot.problem.code == "reading.limit"
    assert snapshot.phase_seconds[snapshot.problem.phase] > 0
    # All that was read before is in the snapshot, and EF.CardAccess is the first.
    assert (snapshot.content("EF.CardAccess") is not None) == (number > 1)
    assert (snapshot.content("EF.COM") is not None) == (number >= 20)


def test_a_slow_chip_is_given_up_after_ten_seconds_of_the_clock(
    terminal: Terminal, virtual_card: VirtualCard
) -> None:
    seconds = [0.0]

    def slow(_: int, __: bytes, response: bytes) -> bytes:
        seconds[0] += 1.0
        return response

    reader = Tapped(virtual_card, slow)
    report = terminal.judge(terminal.read(reader, monotonic=lambda: seconds[0]))
    assert report.verdict is Verdict.UNREADABLE
    assert report.codes == ("reading.limit",)
    assert len(reader.commands) == 10


class EmptyReader:
    """A reader without a card, or one that fails."""

    name = "empty"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def is_card_present(self) -> bool:
        return False

    def connect(self) -> CardConnection:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code", "verdict"),
    [
        (NoCardError("no card"), "transport.no-card", Verdict.UNREADABLE),
        (TransportError("mute"), "transport.lost", Verdict.UNREADABLE),
        (NoCardError("busy", code="transport.reader-busy"), "transport.reader-busy", Verdict.UNREADABLE),
        (NoCardError("gone", code="transport.no-reader"), "transport.no-reader", Verdict.UNREADABLE),
        (RuntimeError("a driver's bug"), "reading.broken", Verdict.REFUSED),
    ],
)  # fmt: skip
def test_a_reader_without_a_usable_card_ends_in_a_report(
    terminal: Terminal, error: Exception, code: str, verdict: Verdict
) -> None:
    report = terminal.judge(terminal.read(EmptyReader(error)))
    assert report.codes == (code,)
    assert report.verdict is verdict


def test_a_card_without_the_application_has_nothing_signed(
    terminal: Terminal, issued_card: CardImage
) -> None:
    image = replace(
        issued_card,
        applications={},
        files={path: file for path, file in issued_card.files.items() if path.startswith("3F00")},
    )
    report = terminal.judge(terminal.read(SimulatedReader(VirtualCard(image))))
    assert report.verdict is Verdict.REFUSED
    assert "security-object.missing" in report.codes


def test_files_that_ef_com_names_beyond_the_profile_are_asked_for(
    terminal: Terminal, issued_card: CardImage
) -> None:
    path = load_profile(PROFILES[0]).file("EF.COM").path
    file = issued_card.files[path]
    tags = file.data[-6:] + b"\x6f"
    changed = file.data[:-7] + bytes((len(tags),)) + tags
    changed = changed[:1] + bytes((changed[1] + 1,)) + changed[2:]
    image = issued_card.with_file(path, replace(file, data=changed, capacity=len(changed)))
    snapshot = terminal.read(SimulatedReader(VirtualCard(image)))
    assert snapshot.files["EF.DG15"].outcome is FileOutcome.ABSENT
    assert terminal.judge(snapshot).codes == ("common-data.inconsistent",)


def test_a_chip_that_opens_with_another_zone_than_its_own_is_refused(
    terminal: Terminal, issued_card: CardImage
) -> None:
    # The printed zone of another card: what a chip moved into another body opens with.
    password = CardPassword.from_mrz("ABCDEFGHI/800101/350101")
    secrets = replace(issued_card.secrets, mrz_information=password.information)
    image = replace(issued_card, secrets=secrets)
    report = terminal.judge(terminal.read(SimulatedReader(VirtualCard(image)), password=password))
    assert report.verdict is Verdict.REFUSED
    assert report.codes == ("holder.inconsistent",)


def test_a_clone_that_brings_its_own_key_in_dg14_has_altered_it(
    terminal: Terminal,
    test_pki: TestAuthority,
    synthetic_member: SyntheticMember,
    issued_card: CardImage,
) -> None:
    profile = load_profile(PROFILES[0])
    own = issue_image(synthetic_member, authority=test_pki, random=Random(9), can=TEST_CAN)
    path = profile.file("EF.DG14").path
    image = replace(issued_card.with_file(path, own.files[path]), keys=own.keys)
    snapshot = terminal.read(SimulatedReader(VirtualCard(image)))
    assert snapshot.chip.outcome is ChipOutcome.PROVEN
    report = terminal.judge(snapshot)
    assert report.codes == ("data-group.altered",)
    assert report.assurance is Assurance.NONE
