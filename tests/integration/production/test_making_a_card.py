from dataclasses import replace
from math import ceil
from random import Random
from typing import Any

import pytest

from card_layout.profile import PersonalisationProfile
from issuer.services.visit_chip import StationTask, Visit, VisitResult
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader

INITIALISE, PERSONALISE = 20, 39
"""Commands of the whole with a portrait of one command."""
CHANNEL = 3
"""The count of wrong keys, INITIALIZE UPDATE and EXTERNAL AUTHENTICATE."""
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
    # Keys, two files of the master file created and written, application, its files, key pair, key sets, state.
    assert apdus == CHANNEL + 1 + 4 + 1 + len(files) + 1 + 1 + 1

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


@pytest.mark.parametrize(("bits", "challenge"), [(256, 16), (192, 16), (256, 8), (128, 16)])
def test_a_card_is_made_under_longer_keys_and_longer_macs(
    make_workshop: Any, small_profile: Any, bits: int, challenge: int
) -> None:
    lengths = PersonalisationProfile(key_bytes=bits // 8, transport_key_bytes=32)
    workshop = make_workshop(replace(small_profile("membercard-1-icao"), personalisation=lengths))
    workshop.add_members(1)
    workshop.receive(1)
    card = workshop.blank(1, challenge_bytes=challenge)
    commands = 0
    for task in (StationTask.INITIALISE, StationTask.PERSONALISE):
        outcome, apdus = workshop.visit(card, task)
        commands += apdus
        assert outcome.result is VisitResult.DONE, outcome
        if task is StationTask.INITIALISE:
            keys = card.image.keys.personalisation
            assert (keys.key_version, len(keys.enc)) == (0x30, bits // 8)
            workshop.bind_and_sign()
    # Another mode is found out by one more INITIALIZE UPDATE each time that a channel is opened.
    assert commands == INITIALISE + PERSONALISE + (3 if challenge == 16 else 0)


def test_the_count_of_wrong_keys_is_shown_before_the_attempt_and_the_last_one_not_made(
    workshop: Any,
) -> None:
    workshop.receive(1)
    for used, result in ((2, VisitResult.DONE), (9, VisitResult.REFUSED)):
        blank = workshop.blank(1).image
        counted = replace(blank.keys.personalisation, wrong_authentications=used)
        card = VirtualCard(
            replace(blank, keys=replace(blank.keys, personalisation=counted)),
            random=Random(1).randbytes,
        )
        warnings: list[str] = []
        connection = SimulatedReader(card).connect()
        bench = workshop.bench(StationTask.INITIALISE)
        if result is VisitResult.REFUSED:
            before = card.image
        outcome = Visit(bench, connection, warn=warnings.append).run()
        connection.close()
        assert outcome.result is result, outcome
        assert warnings == [f"the chip was given wrong keys: {used} of 10 tries used"]
        if result is VisitResult.REFUSED:
            assert outcome.code == "personalisation.last-try"
            assert card.image == before
