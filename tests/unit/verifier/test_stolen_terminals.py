"""A stolen terminal is refused by every card that has since met one with newer certificates."""

import time
from datetime import datetime, timedelta
from random import Random

from pki.card_verifiable.authorisation import Role
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.issued_image import issue_image
from simulators.population.member import draw_member
from simulators.testing import TEST_CAN, TEST_TIME
from tests.unit.verifier.terminal_hierarchy import (
    DAY,
    DEFAULT,
    Hierarchy,
    protected_card,
    reference,
)
from verifier.inspection.policy import Policy
from verifier.inspection.snapshot import CardSnapshot
from verifier.inspection.terminal_evidence import TerminalOutcome
from verifier.reading.card_reading import read_card
from verifier.reading.terminal_proof import TerminalAccess
from verifier.services.card_password import CardPassword


def test_a_card_that_met_a_newer_terminal_refuses_the_stolen_one(
    test_pki: TestAuthority, policy: Policy
) -> None:
    hierarchy = Hierarchy()
    root, office = hierarchy.root(), hierarchy.office(end=DAY + timedelta(days=9))
    issued = issue_image(
        draw_member(Random(5), serial_number=5),
        authority=test_pki,
        random=Random(5),
        can=TEST_CAN,
        profile=DEFAULT,
    )
    card = VirtualCard(protected_card(issued, root, authority=test_pki))
    stolen = hierarchy.credentials(
        root, office, hierarchy.terminal(begin=DAY, end=DAY + timedelta(days=5))
    )
    # The renewal of another terminal brings the document verifier's newest certificate along.
    later = DAY + timedelta(days=10)
    newest = hierarchy.certificate(
        reference("OFFICES", 2), hierarchy.cvca(1), Role.DOCUMENT_VERIFIER, begin=later
    )
    gate = hierarchy.certificate(
        reference("GATE2"), reference("OFFICES", 2), Role.TERMINAL, begin=later
    )
    renewed = hierarchy.credentials(root, newest, gate)

    def read(credentials: object, *, now: datetime) -> CardSnapshot:
        return read_card(
            SimulatedReader(card),
            password=CardPassword.from_can(TEST_CAN),
            profile=DEFAULT,
            pace_parameter_ids=policy.pace_parameter_ids,
            now=now,
            monotonic=time.monotonic,
            terminal=TerminalAccess(credentials=credentials),  # type: ignore[arg-type]
        )

    today = TEST_TIME + timedelta(days=3)
    assert read(stolen, now=today).content("EF.DG13") is not None
    shown = read(renewed, now=TEST_TIME + timedelta(days=12))
    assert shown.terminal is not None
    assert shown.terminal.chain == ("VNOFFICES00002", "VNGATE200001")
    # The thief sets the terminal's clock back to when the certificate was valid: the card knows better.
    refused = read(stolen, now=today)
    assert refused.content("EF.DG13") is None
    assert refused.terminal is not None
    assert refused.terminal.outcome is TerminalOutcome.REFUSED_BY_CHIP
    assert refused.terminal.code == "terminal-authentication.chain-refused"
