"""Terminal authentication with chip-authentication mapping, and through the real PC/SC stack."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from card_layout.curves import NamedCurve
from card_layout.transport.connection import CardReader
from card_layout.transport.readers import (
    list_readers,
    open_reader,
    wait_for_card,
    wait_for_removal,
)
from pki.card_verifiable.credentials import TerminalCredentials
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.card.pace_offers import Mapping, PaceOffer
from simulators.connection import SimulatedReader
from simulators.hopper import Hopper
from simulators.image_keys import SessionAlgorithm
from simulators.issued_image import draw_chip_key, issue_image
from simulators.population.member import SyntheticMember
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.variants import ChipVariant, in_variant
from simulators.vpcd import Serving, VirtualIcc
from tests.unit.verifier.terminal_hierarchy import DEFAULT, Hierarchy, protected_card
from verifier.inspection.snapshot import CardSnapshot, ChipOutcome, FileOutcome
from verifier.inspection.terminal_evidence import TerminalOutcome
from verifier.reading.card_reading import read_card
from verifier.reading.terminal_proof import TerminalAccess
from verifier.services.card_password import CardPassword

READER = "Virtual PCD 00 00"


def read(reader: CardReader, credentials: TerminalCredentials | None) -> CardSnapshot:
    return read_card(
        reader,
        password=CardPassword.from_can(TEST_CAN),
        profile=DEFAULT,
        pace_parameter_ids=frozenset({12, 13, 16}),
        now=TEST_TIME + timedelta(days=1),
        monotonic=time.monotonic,
        terminal=TerminalAccess(credentials=credentials),
    )


@pytest.mark.parametrize("curve", [NamedCurve.SECP256R1, NamedCurve.BRAINPOOLP384R1])
def test_chip_authentication_mapping_stands_in_for_chip_authentication(
    test_pki: TestAuthority, synthetic_member: SyntheticMember, curve: NamedCurve
) -> None:
    hierarchy = Hierarchy()
    issued = issue_image(
        synthetic_member, authority=test_pki, random=Random(1), can=TEST_CAN, profile=DEFAULT
    )
    offer = PaceOffer(
        mapping=Mapping.CHIP_AUTHENTICATION, curve=curve, algorithm=SessionAlgorithm.AES_128
    )
    variant = ChipVariant(offers=(offer,), chip_keys=(draw_chip_key(curve),))
    card = protected_card(
        in_variant(issued, variant, profile=DEFAULT, authority=test_pki),
        hierarchy.root(),
        authority=test_pki,
    )
    snapshot = read(SimulatedReader(VirtualCard(card)), hierarchy.credentials())
    assert snapshot.chip.outcome is ChipOutcome.PROVEN
    assert snapshot.terminal is not None
    assert snapshot.terminal.outcome is TerminalOutcome.SUCCEEDED
    assert snapshot.files["EF.DG13"].outcome is FileOutcome.READ

    # A chip whose mapping proved no key that is signed for it is shown nothing.
    path = "3F00/011D"
    unproven = card.with_file(path, replace(card.files[path], data=b"\x30\x00"))
    snapshot = read(SimulatedReader(VirtualCard(unproven)), hierarchy.credentials())
    assert snapshot.chip.outcome is ChipOutcome.FAILED
    assert snapshot.terminal is not None
    assert snapshot.terminal.code == "terminal-authentication.not-possible"


@pytest.mark.pcsc
def test_a_terminal_right_through_the_real_pcsc_stack(
    test_pki: TestAuthority, synthetic_member: SyntheticMember, tmp_path: Path
) -> None:
    if READER not in list_readers():
        pytest.skip(f"pcscd does not run here with vsmartcard-vpcd: no reader {READER!r}")
    reader = open_reader(READER)
    if not wait_for_removal(reader, timeout_seconds=5):
        pytest.skip(f"somebody else's card is in {READER!r}")
    issued = issue_image(
        synthetic_member, authority=test_pki, random=Random(1), can=TEST_CAN, profile=DEFAULT
    )
    shown: list[TerminalCredentials | None] = []
    paths: list[Path] = []
    for number, curve in enumerate((*NamedCurve, None)):
        hierarchy = Hierarchy(curve=curve or NamedCurve.SECP256R1)
        shown.append(None if curve is None else hierarchy.credentials())
        paths.append(tmp_path / f"{number}.json")
        protected_card(issued, hierarchy.root(), authority=test_pki).save(paths[-1])
    stop = threading.Event()
    slot = VirtualIcc(slot=0, hopper=Hopper(paths), report=lambda _: None, stop=stop)
    service = Serving([slot], stop=stop)
    thread = threading.Thread(target=lambda: service.run(until_empty=True))
    thread.start()
    try:
        for credentials in shown:
            assert wait_for_card(reader, timeout_seconds=20)
            snapshot = read(reader, credentials)
            assert snapshot.problem is None
            assert snapshot.terminal is not None
            assert (snapshot.terminal.outcome is TerminalOutcome.SUCCEEDED) == (
                credentials is not None
            )
            assert (snapshot.content("EF.DG13") is not None) == (credentials is not None)
            assert wait_for_removal(reader, timeout_seconds=20)
    finally:
        service.end()
        thread.join(20)
    assert not thread.is_alive()
