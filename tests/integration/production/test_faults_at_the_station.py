"""Every kind of fault while a card is made: no crash, no card that is called done and is not, and a way on."""

from typing import Any

import pytest

from card_layout.atr import LifeCycle
from issuer.services.visit_chip import StationTask, Visit, VisitResult
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.faults import IN_CARD, Fault, FaultKind

ON_THE_WIRE = sorted(set(FaultKind) - IN_CARD)
INITIALISE, PERSONALISE = StationTask.INITIALISE, StationTask.PERSONALISE
MAX_APDUS = 2000


def fault_of(kind: FaultKind, at: int) -> Fault:
    return Fault(kind=kind, at=at, bit=5 * at, milliseconds=5, response=b"\x04\x90\x00")


def visit(
    workshop: Any, card: VirtualCard, task: StationTask, fault: Fault, other: VirtualCard | None
) -> Any:
    reader = SimulatedReader(card, faults=(fault,), sleep=lambda _seconds: None, other=other)
    connection = reader.connect()
    try:
        outcome = Visit(workshop.bench(task), connection).run()
    finally:
        connection.close()
    assert reader.next_command_number <= MAX_APDUS
    return outcome


def must_be_told(outcome: Any) -> None:
    assert outcome.result in VisitResult
    assert (outcome.code is None) is (outcome.result is VisitResult.DONE)
    if outcome.code is not None:
        assert "." in outcome.code


def must_go_on(workshop: Any, card: VirtualCard, task: StationTask, fault: Fault) -> None:
    """One disturbed visit and a quiet one; whatever is called done is so on the chip."""
    goal = LifeCycle.INITIALISED if task is INITIALISE else LifeCycle.OPERATIONAL
    twin = VirtualCard(card.image)
    chips = (card, twin) if fault.kind is FaultKind.SWAP else (card,)
    outcomes = [visit(workshop, card, task, fault, twin), workshop.visit(card, task)[0]]
    for outcome in outcomes:
        must_be_told(outcome)
        if outcome.result is VisitResult.DONE:
            assert goal in {chip.image.state for chip in chips}


def initialised(workshop: Any) -> VirtualCard:
    workshop.add_members(1)
    workshop.receive(1)
    card: VirtualCard = workshop.blank(1)
    assert workshop.visit(card, INITIALISE)[0].result is VisitResult.DONE
    workshop.bind_and_sign()
    return card


@pytest.mark.parametrize("kind", ON_THE_WIRE)
@pytest.mark.parametrize("at", [1, 9, 14])
def test_a_fault_while_a_chip_is_initialised_is_told_and_leaves_a_way_on(
    workshop: Any, kind: FaultKind, at: int
) -> None:
    workshop.add_members(1)
    workshop.receive(1)
    must_go_on(workshop, workshop.blank(1), INITIALISE, fault_of(kind, at))


@pytest.mark.parametrize("kind", ON_THE_WIRE)
@pytest.mark.parametrize("at", [9, 31])
def test_a_fault_while_a_card_is_personalised_never_issues_what_is_not_locked(
    workshop: Any, kind: FaultKind, at: int
) -> None:
    must_go_on(workshop, initialised(workshop), PERSONALISE, fault_of(kind, at))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ON_THE_WIRE)
@pytest.mark.parametrize("at", range(1, 38))
def test_a_fault_at_every_command_of_both_visits_is_told(
    workshop: Any, kind: FaultKind, at: int
) -> None:
    if at <= 18:
        workshop.add_members(1)
        workshop.receive(1)
        must_go_on(workshop, workshop.blank(1), INITIALISE, fault_of(kind, at))
    else:
        must_go_on(workshop, initialised(workshop), PERSONALISE, fault_of(kind, at))


def test_a_chip_swapped_before_it_said_its_serial_is_the_other_one(workshop: Any) -> None:
    workshop.add_members(1)
    workshop.receive(1, 2)
    card, other = workshop.blank(1), workshop.blank(2)
    outcome = visit(workshop, card, INITIALISE, Fault(kind=FaultKind.SWAP, at=2), other)
    assert (outcome.result, outcome.serial) == (VisitResult.DONE, other.image.serial)
    assert other.image.state is LifeCycle.INITIALISED
    assert card.image.state is LifeCycle.BLANK


@pytest.mark.parametrize("at", [5, 9, 18])
def test_a_chip_swapped_for_another_blank_is_never_recorded_as_the_first(
    workshop: Any, at: int
) -> None:
    workshop.add_members(1)
    workshop.receive(1, 2)
    card, other = workshop.blank(1), workshop.blank(2)
    outcome = visit(workshop, card, INITIALISE, Fault(kind=FaultKind.SWAP, at=at), other)
    must_be_told(outcome)
    assert outcome.result is not VisitResult.DONE
    assert other.image.state is not LifeCycle.INITIALISED
