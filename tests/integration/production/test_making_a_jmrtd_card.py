"""The same plan, said to the open-source passport applet: written, read back over basic access control, locked."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from card_layout.atr import LifeCycle
from card_layout.profile import CardProfile
from issuer.services.visit_chip import StationTask, VisitOutcome, VisitResult
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.faults import Fault, FaultKind
from simulators.image import CardImage

INITIALISE_APDUS = 19
PERSONALISE_APDUS = 84
TEARS = (FaultKind.TEAR_BEFORE, FaultKind.TEAR_DURING, FaultKind.TEAR_AFTER)
AID = bytes.fromhex("A0000002471001")


class Bench:
    """One workshop for cards of ``dev-bac``, with one chip."""

    def __init__(self, workshop: Any) -> None:
        self.workshop = workshop
        self.card: VirtualCard = workshop.blank(1)

    def visit(self, task: StationTask, *faults: Fault) -> VisitOutcome:
        return self.workshop.visit(self.card, task, faults=faults)[0]  # type: ignore[no-any-return] # a fixture

    @property
    def image(self) -> CardImage:
        return self.card.image

    def require_complete(self) -> None:
        [card] = self.workshop.cards.cards()
        job = self.workshop.station.load_job(card.reference)
        for file in self.workshop.profile.application_files:
            assert self.image.files[file.path].data == job.contents[file.name].ljust(
                file.capacity, b"\x00"
            )
        assert self.image.secrets.mrz_information == job.mrz_information
        [key] = self.image.keys.chip_authentication
        assert key.private_scalar

    def require_nothing_half(self) -> None:
        """What must hold at any moment: what works is whole, and what can be read was meant to be written."""
        states = [card.state.value for card in self.workshop.cards.cards()]
        if self.image.state is LifeCycle.OPERATIONAL:
            assert states in (["locking"], ["issued"])
            self.require_complete()
        if self.image.secrets.mrz_information is not None:
            assert states[0] in ("personalising", "personalised", "locking", "issued")
            self.require_complete()


@pytest.fixture
def blank_bench(
    make_workshop: Callable[..., Any], small_profile: Callable[[str], CardProfile]
) -> Bench:
    profile = small_profile("dev-bac")
    # The applet shows all that a file can hold, so the places are made as small as the content of the test allows.
    files = tuple(replace(file, capacity=min(file.capacity, 1280)) for file in profile.files)
    workshop = make_workshop(replace(profile, files=files))
    workshop.add_members(1)
    workshop.receive(1)
    return Bench(workshop)


@pytest.fixture
def signed_bench(blank_bench: Bench) -> Bench:
    outcome, apdus = blank_bench.workshop.visit(blank_bench.card, StationTask.INITIALISE)
    assert (outcome.result, apdus) == (VisitResult.DONE, INITIALISE_APDUS)
    blank_bench.workshop.bind_and_sign()
    return blank_bench


def test_a_card_is_made_and_the_dossier_says_that_its_key_was_injected(signed_bench: Bench) -> None:
    outcome, apdus = signed_bench.workshop.visit(signed_bench.card, StationTask.PERSONALISE)
    assert (outcome.result, apdus) == (VisitResult.DONE, PERSONALISE_APDUS), outcome
    assert signed_bench.image.state is LifeCycle.OPERATIONAL
    signed_bench.require_complete()
    [event] = [
        event
        for event in signed_bench.workshop.stock.journal()
        if event.kind == "chip-key-recorded"
    ]
    assert event.code == "chip-key.injected"
    again = signed_bench.visit(StationTask.PERSONALISE)
    assert (again.result, again.code) == (VisitResult.REFUSED, "card.already-issued")
    assert again.serial == outcome.serial


def test_a_locked_card_takes_neither_file_nor_key_nor_content(signed_bench: Bench) -> None:
    assert signed_bench.visit(StationTask.PERSONALISE).result is VisitResult.DONE
    before = signed_bench.image
    connection = SimulatedReader(signed_bench.card).connect()
    assert connection.transmit(b"\x00\xa4\x04\x0c\x07" + AID)[-2:] == b"\x90\x00"
    for command, status_word in (
        ("00E00000066304004001 10".replace(" ", ""), "6985"),
        ("00DA0062021234", "6985"),
        ("00DADEAD", "6985"),
        ("00A4020C02011E", "6982"),
        ("00D6000001AA", "6985"),
        ("00B0000001", "6982"),
    ):
        assert connection.transmit(bytes.fromhex(command)).hex().upper() == status_word, command
    connection.close()
    assert signed_bench.image == before


def some(apdus: int) -> list[Any]:
    """Every tear in the slow set; in the normal run those at every fourth command."""
    return [
        pytest.param(
            Fault(kind=kind, at=at),
            id=f"{kind}-{at}",
            marks=() if at % 4 == 1 or at == apdus else pytest.mark.slow,
        )
        for at in range(1, apdus + 1)
        for kind in TEARS
    ]


@pytest.mark.parametrize("fault", some(INITIALISE_APDUS))
def test_a_tear_at_any_apdu_of_initialisation_ends_initialised(
    blank_bench: Bench, fault: Fault
) -> None:
    torn = blank_bench.visit(StationTask.INITIALISE, fault)
    blank_bench.require_nothing_half()
    if torn.result is not VisitResult.DONE:
        assert torn.result is VisitResult.INTERRUPTED
        again = blank_bench.visit(StationTask.INITIALISE)
        assert again.result is VisitResult.DONE, again
    # The key that was recorded is the one that the chip holds: a card made with it passes quality control.
    blank_bench.workshop.bind_and_sign()
    made = blank_bench.visit(StationTask.PERSONALISE)
    assert made.result is VisitResult.DONE, made
    blank_bench.require_complete()


@pytest.mark.parametrize("fault", some(PERSONALISE_APDUS))
def test_a_tear_at_any_apdu_of_personalisation_ends_resumed_and_completed(
    signed_bench: Bench, fault: Fault
) -> None:
    torn = signed_bench.visit(StationTask.PERSONALISE, fault)
    signed_bench.require_nothing_half()
    if torn.result is not VisitResult.DONE:
        assert torn.result is VisitResult.INTERRUPTED
        again = signed_bench.visit(StationTask.PERSONALISE)
        assert again.result is VisitResult.DONE, again
    assert signed_bench.image.state is LifeCycle.OPERATIONAL
    signed_bench.require_complete()
    [card] = signed_bench.workshop.cards.cards()
    assert card.state.value == "issued"


@pytest.mark.parametrize(
    "kind", [FaultKind.FLIP_BIT, FaultKind.RUBBISH, FaultKind.SHORT_RESPONSE, FaultKind.DROP]
)
@pytest.mark.parametrize("at", [1, 2, 4, 5, 6, 9, 20, 35, 44, 46, 50, 60, 75, 80, 84])
def test_a_disturbed_answer_never_leaves_a_half_card(
    signed_bench: Bench, kind: FaultKind, at: int
) -> None:
    signed_bench.visit(StationTask.PERSONALISE, Fault(kind=kind, at=at))
    signed_bench.require_nothing_half()
    [record] = signed_bench.workshop.stock.chips()
    if record.chip.held is not None:
        signed_bench.workshop.stock.release(record.chip.serial)
    last = signed_bench.visit(StationTask.PERSONALISE)
    assert last.result is VisitResult.DONE or last.code == "card.already-issued", last
    signed_bench.require_complete()


def test_a_chip_that_was_written_by_somebody_else_is_refused(blank_bench: Bench) -> None:
    connection = SimulatedReader(blank_bench.card).connect()
    connection.transmit(b"\x00\xa4\x04\x0c\x07" + AID)
    assert connection.transmit(bytes.fromhex("00E0000006630400 40011E")) == b"\x90\x00"
    connection.close()
    refused = blank_bench.visit(StationTask.INITIALISE)
    assert (refused.result, refused.code) == (VisitResult.REFUSED, "chip.ahead-of-record")


def test_one_altered_byte_condemns_the_card_and_nobody_reads_it_any_more(
    signed_bench: Bench,
) -> None:
    fault = Fault(kind=FaultKind.TEAR_AFTER, at=46)
    assert signed_bench.visit(StationTask.PERSONALISE, fault).result is VisitResult.INTERRUPTED
    image = signed_bench.image
    assert image.state is LifeCycle.PERSONALISED
    path = "A0000002471001/010D"
    data = image.files[path].data
    changed = replace(image.files[path], data=data[:40] + bytes((data[40] ^ 1,)) + data[41:])
    signed_bench.card = VirtualCard(
        image.with_file(path, changed), random=random.Random(3).randbytes
    )
    [card] = signed_bench.workshop.cards.cards()
    information = signed_bench.workshop.station.load_job(card.reference).mrz_information
    outcome = signed_bench.visit(StationTask.PERSONALISE)
    assert (outcome.result, outcome.code) == (VisitResult.CONDEMNED, "quality-control.differs")
    thrown_away = signed_bench.image
    assert thrown_away.state is LifeCycle.OPERATIONAL
    assert thrown_away.secrets.mrz_information != information
    assert not any(thrown_away.files["A0000002471001/011D"].data[:200])
    after = signed_bench.visit(StationTask.PERSONALISE)
    assert (after.result, after.code) == (VisitResult.REFUSED, "card.already-issued")


def test_a_chip_of_another_dialect_is_none_of_ours(
    blank_bench: Bench, make_workshop: Callable[..., Any]
) -> None:
    native = make_workshop()
    native.receive(1)
    outcome, _ = native.visit(blank_bench.card, StationTask.INITIALISE)
    assert (outcome.result, outcome.code) == (VisitResult.REFUSED, "chip.unknown-kind")
    outcome, _ = blank_bench.workshop.visit(native.blank(1), StationTask.INITIALISE)
    assert (outcome.result, outcome.code) == (VisitResult.REFUSED, "chip.unknown-kind")
