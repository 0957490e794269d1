"""A terminal's key in a token that hangs ends an inspection in time, as a reader that hangs does."""

import threading
import time
from random import Random

import pytest

from pki.card_verifiable.credentials import TerminalCredentials
from pki.keys.software import SoftwareSigner
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.issued_image import issue_image
from simulators.population.member import SyntheticMember
from simulators.testing import TEST_CAN, TEST_TIME
from tests.unit.verifier.terminal_hierarchy import DEFAULT, Hierarchy, protected_card
from verifier.inspection.snapshot import ChipOutcome, Phase
from verifier.inspection.terminal_evidence import TerminalOutcome
from verifier.reading.card_reading import read_card
from verifier.reading.terminal_proof import TerminalAccess
from verifier.services.card_password import CardPassword


class HangingSigner(SoftwareSigner):
    """A key whose token answers when it is released."""

    def __init__(self, signer: SoftwareSigner) -> None:
        super().__init__(signer.private_key)
        self.release = threading.Event()
        self.answered = threading.Event()

    def sign(self, message: bytes) -> bytes:
        self.release.wait(20)
        self.answered.set()
        return super().sign(message)


class CountingReader(SimulatedReader):
    """A reader that tells when the card was let go of."""

    def __init__(self, card: VirtualCard) -> None:
        super().__init__(card)
        self.card = card

    @property
    def is_let_go_of(self) -> bool:
        return not self.card.is_powered


@pytest.fixture
def hierarchy() -> Hierarchy:
    return Hierarchy()


def test_a_key_that_hangs_ends_the_reading_in_time_and_proves_nothing_afterwards(
    hierarchy: Hierarchy, test_pki: TestAuthority, synthetic_member: SyntheticMember
) -> None:
    certificates = (hierarchy.root(), hierarchy.office(), hierarchy.terminal())
    signer = HangingSigner(hierarchy.signer(certificates[-1].body.holder_reference))
    image = issue_image(
        synthetic_member, authority=test_pki, random=Random(1), can=TEST_CAN, profile=DEFAULT
    )
    card = VirtualCard(protected_card(image, hierarchy.root(), authority=test_pki))
    reader = CountingReader(card)
    snapshot = read_card(
        reader,
        password=CardPassword.from_can(TEST_CAN),
        profile=DEFAULT,
        pace_parameter_ids=frozenset({12, 13}),
        now=TEST_TIME,
        monotonic=time.monotonic,
        max_seconds=0.5,
        terminal=TerminalAccess(
            credentials=TerminalCredentials.from_certificates(certificates, signer=signer)
        ),
    )
    stored = snapshot.to_json()
    assert snapshot.problem is not None
    assert (snapshot.problem.phase, snapshot.problem.code) == (Phase.FILES, "reading.limit")
    assert snapshot.chip.outcome is ChipOutcome.PROVEN
    assert snapshot.terminal is not None
    assert snapshot.terminal.outcome is TerminalOutcome.FAILED
    assert not reader.is_let_go_of
    commands = reader.next_command_number
    signer.release.set()
    assert signer.answered.wait(5)
    while not reader.is_let_go_of:
        time.sleep(0.01)
    assert reader.next_command_number == commands, "an abandoned reading sent something"
    assert snapshot.to_json() == stored
