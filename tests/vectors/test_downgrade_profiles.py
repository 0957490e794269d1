"""No attacker talks the terminal down: every profile of tests/vectors/downgrade, and what may be sent under each policy.

One row of profiles.csv is one attack: who attacks (the chip; somebody in the middle; a forger of files; whoever keeps
the terminal's own files), what he changes, under which policy, and what has to come of it: verdict, assurance, codes
and notes of the report, every instruction byte that may pass (``+``: protected), and how many commands may follow the one that
was meddled with, where that is settled.
"""

import csv
import importlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout import tlv
from card_layout.profile import load_profile
from card_layout.protocols.algorithms import pace_algorithm
from simulators.testing import TEST_CAN, TEST_TIME
from verifier.inspection.codes import CODES
from verifier.reading.card_reading import read_card
from verifier.services.card_password import CardPassword

FOLDER = Path(__file__).parent / "downgrade"
FAMILIES = {
    "access": "ACCESS_ATTACKS",
    "chip": "CHIP_ATTACKS",
    "terminal": "TERMINAL_ATTACKS",
    "session": "SESSION_ATTACKS",
    "file": "FILE_ATTACKS",
}


def _vectors(name: str) -> ModuleType:
    """A module of the vectors; they build on those of the conformance catalogues."""
    for folder in ("downgrade", "conformance", "lint"):
        path = str(Path(__file__).parent / folder)
        if path not in sys.path:
            sys.path.insert(0, path)
    return importlib.import_module(f"downgrade_vectors.{name}")


bench = _vectors("bench")
ATTACKS = {
    family: getattr(_vectors(f"{family}_attacks"), name) for family, name in FAMILIES.items()
}


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One row."""

    id: str
    family: str
    attacker: str
    change: str
    policy: str
    verdict: str
    assurance: str
    codes: tuple[str, ...]
    notes: tuple[str, ...]
    instructions: tuple[str, ...]
    after: int | None


def _profiles() -> Iterator[Profile]:
    with (FOLDER / "profiles.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, strict=True):
            lists = {name: tuple(row[name].split()) for name in ("codes", "notes", "instructions")}
            after = int(row["after"]) if row["after"] else None
            yield Profile(**{**row, **lists, "after": after})


PROFILES = {profile.id: profile for profile in _profiles()}
SECRETS = (TEST_CAN.encode(), bench.ZONE.information.encode())
BAC_INSTRUCTIONS = {"84", "82"}


def test_the_table_is_that_of_the_attacks_and_long_enough() -> None:
    rows = list(_profiles())
    assert len(rows) == len(PROFILES) >= 60
    assert {(row.family, row.id) for row in rows} == {
        (family, name) for family, attacks in ATTACKS.items() for name in attacks
    }
    assert {row.attacker for row in rows} == {"chip", "middle", "forger", "terminal"}
    assert {row.policy for row in rows} == set(bench.POLICIES)
    assert (
        len({(row.change, row.policy) for row in rows if not row.change.startswith("the same")})
        >= 150
    )


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_an_attack_comes_to_what_its_profile_says(name: str) -> None:
    profile = PROFILES[name]
    attack = ATTACKS[profile.family][name]
    outcome = bench.run(attack, bench.POLICIES[profile.policy])
    report = outcome.report
    assert (report.verdict.value, report.assurance.value) == (profile.verdict, profile.assurance)
    assert report.codes == profile.codes
    assert report.notes == profile.notes
    assert set(outcome.instructions) == set(profile.instructions)
    if profile.after is not None:
        assert outcome.after == profile.after
    for command in outcome.sent:
        assert not any(secret in command for secret in SECRETS)
    if attack.look is not None:
        attack.look(outcome)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_no_attack_is_silent(name: str) -> None:
    profile = PROFILES[name]
    told = (*profile.codes, *profile.notes)
    assert set(told) <= set(CODES)
    if not told:
        # Only where it changed nothing: the strongest way was taken, and a closer look shows that.
        assert profile.verdict == "accepted"
        assert profile.assurance == "data-and-chip"
        assert ATTACKS[profile.family][name].look is not None


def test_basic_access_control_is_never_tried_where_policy_does_not_name_it() -> None:
    for profile in PROFILES.values():
        used = BAC_INSTRUCTIONS & set(profile.instructions)
        assert not used or profile.policy.startswith("bac")
        assert ("access.bac-used" in profile.notes) == bool(used)


def test_a_pace_that_fails_is_the_last_word_at_each_step_and_in_each_way() -> None:
    failing = [item for item in PROFILES.values() if item.id.startswith("pace-step-")]
    assert {item.id[len("pace-step-")] for item in failing} == set("01234")
    assert len(failing) >= 30
    for profile in failing:
        assert profile.policy == "bac"
        assert profile.after == 0
        assert profile.verdict != "accepted"


def test_only_a_purpose_that_asks_for_less_accepts_a_copy_or_a_hidden_pace() -> None:
    for profile in PROFILES.values():
        if profile.verdict == "accepted" and profile.assurance != "data-and-chip":
            assert profile.policy == "chip not required"
            assert {"chip.not-proven", "chip-authentication.not-performed"} & set(profile.notes)


class ScriptedCard:
    """Answers as it was told, whatever it is asked, and then for ever with its last answer."""

    name = "scripted"

    def __init__(self, atr: bytes, answers: list[bytes]) -> None:
        self.atr = atr
        self._answers = answers
        self.sent: list[bytes] = []

    def is_card_present(self) -> bool:
        return True

    def connect(self) -> "ScriptedCard":
        return self

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        """Nothing is held."""

    def transmit(self, command: bytes) -> bytes:
        self.sent.append(command)
        return self._answers[min(len(self.sent), len(self._answers)) - 1]


def _card_accesses() -> list[bytes]:
    """Every EF.CardAccess of the access family, as a chip gives it."""
    found = []
    for attack in ATTACKS["access"].values():
        content = attack.card().contents().get("EF.CardAccess")
        if content is not None:
            found.append(content + b"\x90\x00")
    return sorted(set(found))


STATUS_WORDS = (
    "9000",
    "6282",
    "6A82",
    "6982",
    "6986",
    "6A86",
    "6B00",
    "6700",
    "6D00",
    "6E00",
    "6300",
)
ANSWERS = st.one_of(
    st.sampled_from([bytes.fromhex(word) for word in STATUS_WORDS]),
    st.sampled_from(_card_accesses()),
    st.binary(max_size=40),
)
FIRST = bytes.fromhex("00B09C0000")
"""READ BINARY of EF.CardAccess by its short identifier."""
READING = {
    # EF.CardAccess and EF.ATR/INFO by short identifier, the master file by either form, EF.CardAccess by its own.
    "B09C",
    "B081",
    "A400",
    "A402",
}
APPLICATION = "A404"
GET_CHALLENGE = "8400"


@pytest.mark.parametrize("policy", sorted(bench.POLICIES))
@pytest.mark.parametrize("password", ["can", "mrz"])
@given(atr=st.binary(max_size=33), answers=st.lists(ANSWERS, min_size=1, max_size=12))
def test_what_may_be_said_first_is_settled_before_anything_is_believed(
    policy: str, password: str, atr: bytes, answers: list[bytes]
) -> None:
    rules = bench.POLICIES[policy]
    given_password = CardPassword.from_can(TEST_CAN) if password == "can" else bench.ZONE
    card = ScriptedCard(atr, answers)
    read_card(
        card,
        password=given_password,
        profile=load_profile("membercard-1"),
        pace_parameter_ids=rules.pace_parameter_ids,
        now=TEST_TIME,
        monotonic=time.monotonic,
        allow_bac=rules.allow_bac,
    )
    assert card.sent[0] == FIRST
    may_bac = rules.allow_bac and password == "mrz"
    for command in card.sent:
        # A card that answers at random opens nothing: every command is plain, and none is protected by keys of its choice.
        assert command[0] & 0x0C == 0
        must_be_allowed(command, rules.pace_parameter_ids, may_bac=may_bac)


@pytest.mark.parametrize("policy", sorted(bench.POLICIES))
@pytest.mark.parametrize("password", ["can", "mrz"])
def test_a_card_that_has_nothing_is_asked_for_it_and_for_no_more(
    policy: str, password: str
) -> None:
    rules = bench.POLICIES[policy]
    card = ScriptedCard(b"", [b"\x6a\x82"])
    read_card(
        card,
        password=CardPassword.from_can(TEST_CAN) if password == "can" else bench.ZONE,
        profile=load_profile("membercard-1"),
        pace_parameter_ids=rules.pace_parameter_ids,
        now=TEST_TIME,
        monotonic=time.monotonic,
        allow_bac=rules.allow_bac,
    )
    sent = [command[1:3].hex().upper() for command in card.sent]
    is_bac_tried = rules.allow_bac and password == "mrz"
    assert sent[:4] == ["B09C", "A400", "A400", "A402"]
    # EF.ATR/INFO, and then the application, in which basic access control happens.
    assert sent[4:] == (["B081", APPLICATION] if is_bac_tried else [])


def must_be_allowed(command: bytes, parameter_ids: frozenset[int], *, may_bac: bool) -> None:
    header = command[1:3].hex().upper()
    if header == "22C1":
        parts = {part.tag: part.value for part in tlv.parse_all(command[5 : 5 + command[4]])}
        assert parts[0x84][0] in parameter_ids
        arcs = parts[0x80][-2:]
        assert pace_algorithm(f"0.4.0.127.0.7.2.2.4.{arcs[0]}.{arcs[1]}") is not None
    elif header in (APPLICATION, GET_CHALLENGE):
        assert may_bac
    else:
        is_rest_of_file = command[1] == 0xB0 and not command[2] & 0x80
        assert is_rest_of_file or header in READING or command[1] in (0xC0, 0x86)
