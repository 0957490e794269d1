from math import ceil
from typing import Any

import pytest

from issuer.services.visit_chip import StationTask, VisitResult

CHANNEL = 2
"""INITIALIZE UPDATE and EXTERNAL AUTHENTICATE."""
PACE = 5
"""MSE:Set AT and GENERAL AUTHENTICATE four times."""
CHIP_AUTHENTICATION = 2
PROOF_OF_LOCK = 2
MAX_WRITTEN = 4063
"""What fits a command of 4,096 bytes under SCP03: blocks of 16 with their padding, and 8 bytes of MAC."""
MAX_READ = 4063
"""What fits an answer of 4,096 bytes under secure messaging, with its three data objects."""


def test_a_blank_chip_becomes_an_issued_card(workshop: Any) -> None:
    workshop.add_members(1)
    workshop.receive(1)
    card: Any = workshop.blank(1)

    outcome, _ = workshop.visit(card, StationTask.INITIALISE)
    assert outcome.result is VisitResult.DONE, outcome
    assert card.image.state == 0x03

    [reference] = workshop.bind_and_sign()
    outcome, _ = workshop.visit(card, StationTask.PERSONALISE)
    assert outcome.result is VisitResult.DONE, outcome
    assert card.image.state == 0x05
    [issued] = workshop.cards.cards()
    assert issued.reference == reference
    assert issued.state.value == "issued"


@pytest.mark.parametrize("portrait_bytes", [700, 4000, 15_000, 20_000])
def test_a_card_takes_no_more_commands_than_its_profile_needs(
    workshop: Any, portrait_bytes: int, portrait_image: bytes
) -> None:
    workshop.add_members(1)
    workshop.receive(1)
    card: Any = workshop.blank(1)
    files = workshop.profile.application_files
    _, apdus = workshop.visit(card, StationTask.INITIALISE)
    # Keys, two files of the master file created and written, application, its files, key pair, state.
    assert apdus == CHANNEL + 1 + 4 + 1 + len(files) + 1 + 1

    workshop.portrait = portrait_image.ljust(portrait_bytes, b"\x00")
    [reference] = workshop.bind_and_sign()
    outcome, apdus = workshop.visit(card, StationTask.PERSONALISE)
    assert outcome.result is VisitResult.DONE, outcome
    sizes = [len(each) for each in workshop.station.load_job(reference).contents.values()]
    assert len(sizes) == len(files)
    assert max(sizes) >= portrait_bytes
    write = CHANNEL + 2 + 1 + sum(ceil(size / MAX_WRITTEN) for size in sizes) + 1
    read = 2 + PACE + 1 + CHIP_AUTHENTICATION + sum(ceil(size / MAX_READ) for size in sizes)
    lock = CHANNEL + 1 + PROOF_OF_LOCK
    assert apdus == write + read + lock
