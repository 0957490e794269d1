from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from random import Random

import pytest

from card_layout.profile import load_profile, packaged_profiles
from card_layout.transport.connection import CardConnection, CardReader
from pki.certificates.trust import TrustAnchors
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.forge import ForgeKind, forge
from simulators.image import CardImage
from simulators.issued_image import issue_image
from simulators.population.member import SyntheticMember, draw_member
from simulators.population.names import NOTABLE_NAMES, NotableName
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.trust_directory import TEST_POLICY
from verifier.inspection.policy import Policy
from verifier.inspection.report import Report, inspect
from verifier.reading.card_reading import read_card
from verifier.services.card_password import CardPassword

NOW = TEST_TIME + timedelta(days=1)
POLICY = Policy.from_bytes(TEST_POLICY.encode())
PROFILES = [name for name in packaged_profiles() if load_profile(name).pace_curve is not None]
"""Those of cards that PACE opens; what becomes of the others stands in the tests of basic access control."""


@pytest.fixture(scope="module")
def anchors(test_pki: TestAuthority) -> TrustAnchors:
    return TrustAnchors.from_bytes(
        certificates=[test_pki.root.certificate], crls=[test_pki.revocation_list(now=NOW)]
    )


class ListeningConnection:
    """Notes the instruction of every command that the card hears."""

    def __init__(self, inner: CardConnection, instructions: list[int]) -> None:
        self._inner = inner
        self._instructions = instructions

    @property
    def atr(self) -> bytes:
        return self._inner.atr

    def transmit(self, command: bytes) -> bytes:
        self._instructions.append(command[1])
        return self._inner.transmit(command)

    def reset(self) -> bytes:
        return self._inner.reset()

    def close(self) -> None:
        self._inner.close()


class ListeningReader:
    def __init__(self, image: CardImage) -> None:
        self._inner = SimulatedReader(VirtualCard(image))
        self.instructions: list[int] = []

    @property
    def name(self) -> str:
        return self._inner.name

    def is_card_present(self) -> bool:
        return self._inner.is_card_present()

    def connect(self) -> ListeningConnection:
        return ListeningConnection(self._inner.connect(), self.instructions)


def judge(reader: CardReader, anchors: TrustAnchors, *, profile: str) -> Report:
    ticks: Iterator[int] = count()
    snapshot = read_card(
        reader,
        password=CardPassword.from_can(TEST_CAN),
        profile=load_profile(profile),
        pace_parameter_ids=POLICY.pace_parameter_ids,
        now=NOW,
        monotonic=lambda: next(ticks) / 1000,
    )
    return inspect(snapshot, trust=anchors, policy=POLICY, now=NOW, purpose=None)


@pytest.mark.parametrize("profile", PROFILES)
def test_an_issued_card_is_accepted_with_data_and_chip(
    test_pki: TestAuthority, synthetic_member: SyntheticMember, anchors: TrustAnchors, profile: str
) -> None:
    image = issue_image(
        synthetic_member, authority=test_pki, profile=profile, random=Random(1), can=TEST_CAN
    )
    report = judge(SimulatedReader(VirtualCard(image)), anchors, profile=profile)
    assert (report.verdict.value, report.assurance.value, report.codes) == (
        "accepted",
        "data-and-chip",
        (),
    )


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("kind", ForgeKind)
def test_a_forged_card_is_refused_with_its_code(
    test_pki: TestAuthority,
    synthetic_member: SyntheticMember,
    anchors: TrustAnchors,
    kind: ForgeKind,
    profile: str,
) -> None:
    image = forge(
        kind,
        authority=test_pki,
        random=Random(1),
        can=TEST_CAN,
        member=synthetic_member,
        profile=profile,
    )
    report = judge(SimulatedReader(VirtualCard(image)), anchors, profile=profile)
    if kind is ForgeKind.ALTERED_DATA_GROUP and profile == "membercard-1":
        # What was altered is the member record, which this terminal has no right to and so shows nobody.
        assert report.verdict.value == "accepted"
        assert report.unverified_holder is not None
        assert report.unverified_holder.card_number is None
        assert "data-group.no-right" in report.notes
        return
    assert report.verdict.value == "refused"
    assert report.codes[0] == kind.expected_code


def test_a_bac_only_card_hears_no_get_challenge(
    test_pki: TestAuthority, synthetic_member: SyntheticMember, anchors: TrustAnchors
) -> None:
    image = forge(
        ForgeKind.BAC_ONLY,
        authority=test_pki,
        random=Random(1),
        can=TEST_CAN,
        member=synthetic_member,
    )
    reader = ListeningReader(image)
    judge(reader, anchors, profile=image.profile)
    assert reader.instructions
    assert 0x84 not in reader.instructions


@pytest.mark.parametrize("notable", NOTABLE_NAMES, ids=lambda notable: str(notable.name.full))
def test_a_card_in_every_notable_name_is_accepted(
    test_pki: TestAuthority, anchors: TrustAnchors, notable: NotableName
) -> None:
    member = draw_member(Random(2), serial_number=2, name=notable.name)
    image = issue_image(member, authority=test_pki, random=Random(2), can=TEST_CAN)
    report = judge(SimulatedReader(VirtualCard(image)), anchors, profile=image.profile)
    assert (report.verdict.value, report.codes) == ("accepted", ())
