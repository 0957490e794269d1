"""The decision of a station, over every combination of what a chip says and what the record says."""

import itertools
from datetime import UTC, datetime
from uuid import UUID

import pytest

from card_layout.atr import LifeCycle
from card_layout.curves import EcPublicKey, NamedCurve
from issuer.domain.card import Card, CardReference, CardState
from issuer.domain.chip import Chip, ChipState, Serial
from issuer.domain.member import MemberId
from issuer.domain.requests import RequestId
from issuer.domain.station_decision import Action, ChipEvidence, Decision, decide
from issuer.domain.status_allotment import StatusIndex

REFERENCE = CardReference(bytes(range(16)))
OTHER = CardReference(bytes(16))
SERIAL = Serial(bytes(10))
KEY = EcPublicKey(curve=NamedCurve.SECP256R1, point=NamedCurve.SECP256R1.generator)
TRANSPORT, OURS = 0xFF, 0x30


def chip(state: ChipState, *, has_key: bool = True, held: str | None = None) -> Chip:
    return Chip(
        serial=SERIAL,
        state=state,
        public_key=KEY if has_key else None,
        held=held,
        condemned_for="test" if state is ChipState.CONDEMNED else None,
    )


def card(state: CardState) -> Card:
    return Card(
        reference=REFERENCE,
        member_id=MemberId(UUID(int=1)),
        request_id=RequestId(UUID(int=2)),
        serial=SERIAL,
        state=state,
        ordinal=1,
        status=StatusIndex(list_id=bytes(8), index=0),
        profile="membercard-1-icao",
        bound_at=datetime(2026, 11, 21, tzinfo=UTC),
    )


def evidence(
    life_cycle: LifeCycle, *, version: int | None = OURS, reference: CardReference | None = None
) -> ChipEvidence:
    return ChipEvidence(life_cycle=life_cycle, key_version=version, reference=reference)


ALL_EVIDENCE = [
    evidence(life_cycle, version=version, reference=reference)
    for life_cycle, version, reference in itertools.product(
        LifeCycle, (TRANSPORT, OURS, None), (None, REFERENCE, OTHER)
    )
]
ALL_CHIPS = [None] + [
    chip(state, has_key=has_key, held=held)
    for state, has_key, held in itertools.product(ChipState, (True, False), (None, "test"))
]
ALL_CARDS = [None] + [card(state) for state in CardState]
EVERYTHING = list(itertools.product(ALL_EVIDENCE, ALL_CHIPS, ALL_CARDS))


def decisions() -> list[tuple[ChipEvidence, Chip | None, Card | None, Decision]]:
    return [
        (found, stock, bound, decide(found, stock, bound)) for found, stock, bound in EVERYTHING
    ]


def test_there_is_a_decision_for_every_combination() -> None:
    assert len(EVERYTHING) == 6 * 3 * 3 * 17 * 9
    assert all(isinstance(decision, Decision) for *_, decision in decisions())


def test_a_refusal_and_a_condemnation_tell_their_reason() -> None:
    for *_, decision in decisions():
        if decision.action in (Action.REFUSE, Action.CONDEMN, Action.TERMINATE):
            assert decision.code
            assert decision.reason
        else:
            assert decision.code is None


def test_nothing_is_done_to_a_chip_that_is_unknown_terminated_or_held() -> None:
    for found, stock, bound, decision in decisions():
        is_condemned = (stock is not None and stock.state is ChipState.CONDEMNED) or (
            bound is not None and bound.state is CardState.CONDEMNED
        )
        if (
            stock is None
            or found.life_cycle is LifeCycle.TERMINATED
            or (stock.held is not None and not is_condemned)
        ):
            assert decision.action is Action.REFUSE


def test_a_condemned_record_never_leads_to_anything_but_the_end_of_its_chip() -> None:
    for _, stock, bound, decision in decisions():
        if stock is not None and (
            stock.state is ChipState.CONDEMNED
            or (bound is not None and bound.state is CardState.CONDEMNED)
        ):
            assert decision.action in (Action.REFUSE, Action.TERMINATE)


def test_only_a_blank_chip_is_initialised() -> None:
    for found, stock, _, decision in decisions():
        if decision.action in (Action.INITIALISE, Action.RESUME_INITIALISE):
            assert stock is not None
            assert found.life_cycle is LifeCycle.BLANK
            assert stock.state in (ChipState.RECEIVED, ChipState.INITIALISING)


def test_a_card_is_written_only_to_its_own_or_an_empty_chip_and_only_once_signed() -> None:
    for found, _, bound, decision in decisions():
        if decision.action is Action.PERSONALISE:
            assert bound is not None
            assert bound.state in (CardState.SIGNED, CardState.PERSONALISING)
            assert found.key_version == OURS
            assert found.life_cycle is LifeCycle.INITIALISED or (
                found.life_cycle is LifeCycle.PERSONALISING and found.reference == bound.reference
            )


def test_only_a_written_chip_with_its_own_reference_is_judged_and_locked() -> None:
    for found, _, bound, decision in decisions():
        if decision.action is Action.QUALITY_CONTROL:
            assert bound is not None
            assert found.life_cycle is LifeCycle.PERSONALISED
            assert found.reference == bound.reference
            assert bound.state in (
                CardState.SIGNED,
                CardState.PERSONALISING,
                CardState.PERSONALISED,
                CardState.LOCKING,
            )


def test_a_record_is_finished_only_where_a_lock_was_intended() -> None:
    for found, _, bound, decision in decisions():
        if decision.action is Action.FINISH_RECORD:
            assert bound is not None
            assert found.life_cycle is LifeCycle.OPERATIONAL
            assert bound.state is CardState.LOCKING


def test_an_initialisation_is_recorded_only_with_the_key_that_the_chip_made() -> None:
    for found, stock, _, decision in decisions():
        if decision.action is Action.FINISH_INITIALISATION_RECORD:
            assert stock is not None
            assert stock.state is ChipState.INITIALISING
            assert stock.public_key is not None
            assert found.life_cycle is LifeCycle.INITIALISED


def test_nothing_is_done_to_an_issued_card_by_a_chip_that_claims_its_serial() -> None:
    for _, stock, bound, decision in decisions():
        if (
            stock is not None
            and stock.state is not ChipState.CONDEMNED
            and bound is not None
            and bound.state in (CardState.ISSUED, CardState.HANDED_OVER)
        ):
            assert decision.action is Action.REFUSE


@pytest.mark.parametrize(
    ("found", "stock", "bound", "expected"),
    [
        (
            evidence(LifeCycle.BLANK, version=TRANSPORT),
            chip(ChipState.RECEIVED, has_key=False),
            None,
            Action.INITIALISE,
        ),
        (
            evidence(LifeCycle.BLANK, version=TRANSPORT),
            chip(ChipState.INITIALISING, has_key=False),
            None,
            Action.INITIALISE,
        ),
        (
            evidence(LifeCycle.BLANK),
            chip(ChipState.INITIALISING, has_key=False),
            None,
            Action.RESUME_INITIALISE,
        ),
        (evidence(LifeCycle.BLANK), chip(ChipState.RECEIVED), None, Action.REFUSE),
        (
            evidence(LifeCycle.INITIALISED),
            chip(ChipState.INITIALISING),
            None,
            Action.FINISH_INITIALISATION_RECORD,
        ),
        (
            evidence(LifeCycle.INITIALISED),
            chip(ChipState.INITIALISING, has_key=False),
            None,
            Action.REFUSE,
        ),
        (evidence(LifeCycle.INITIALISED), chip(ChipState.INITIALISED), None, Action.REFUSE),
        (
            evidence(LifeCycle.INITIALISED),
            chip(ChipState.INITIALISED),
            card(CardState.BOUND),
            Action.REFUSE,
        ),
        (
            evidence(LifeCycle.INITIALISED),
            chip(ChipState.INITIALISED),
            card(CardState.SIGNED),
            Action.PERSONALISE,
        ),
        (
            evidence(LifeCycle.INITIALISED),
            chip(ChipState.INITIALISED),
            card(CardState.PERSONALISING),
            Action.PERSONALISE,
        ),
        (
            evidence(LifeCycle.INITIALISED, version=TRANSPORT),
            chip(ChipState.INITIALISED),
            card(CardState.SIGNED),
            Action.REFUSE,
        ),
        (
            evidence(LifeCycle.PERSONALISING, reference=REFERENCE),
            chip(ChipState.INITIALISED),
            card(CardState.PERSONALISING),
            Action.PERSONALISE,
        ),
        (
            evidence(LifeCycle.PERSONALISING, reference=OTHER),
            chip(ChipState.INITIALISED),
            card(CardState.PERSONALISING),
            Action.CONDEMN,
        ),
        (
            evidence(LifeCycle.PERSONALISED, reference=REFERENCE),
            chip(ChipState.INITIALISED),
            card(CardState.PERSONALISING),
            Action.QUALITY_CONTROL,
        ),
        (
            evidence(LifeCycle.PERSONALISED, reference=REFERENCE),
            chip(ChipState.INITIALISED),
            card(CardState.LOCKING),
            Action.QUALITY_CONTROL,
        ),
        (
            evidence(LifeCycle.PERSONALISED, reference=OTHER),
            chip(ChipState.INITIALISED),
            card(CardState.LOCKING),
            Action.CONDEMN,
        ),
        (
            evidence(LifeCycle.OPERATIONAL, version=None),
            chip(ChipState.INITIALISED),
            card(CardState.LOCKING),
            Action.FINISH_RECORD,
        ),
        (
            evidence(LifeCycle.OPERATIONAL, version=None),
            chip(ChipState.INITIALISED),
            card(CardState.ISSUED),
            Action.REFUSE,
        ),
        (
            evidence(LifeCycle.OPERATIONAL, version=None),
            chip(ChipState.INITIALISED),
            card(CardState.PERSONALISED),
            Action.CONDEMN,
        ),
        (
            evidence(LifeCycle.PERSONALISED, reference=REFERENCE),
            chip(ChipState.CONDEMNED),
            card(CardState.CONDEMNED),
            Action.TERMINATE,
        ),
    ],
)
def test_every_step_of_the_way_has_its_action(
    found: ChipEvidence, stock: Chip, bound: Card | None, expected: Action
) -> None:
    assert decide(found, stock, bound).action is expected
