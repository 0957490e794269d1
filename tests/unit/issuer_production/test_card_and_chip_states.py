import itertools

import pytest

from issuer.domain.card import CardEvent, CardState, may_be_operational, next_card_state
from issuer.domain.chip import ChipEvent, ChipState, next_chip_state, parse_serial
from issuer.domain.production_errors import TransitionError
from issuer.errors import IssuerDataError

CARD_STEPS = {
    (CardState.BOUND, CardEvent.SIGNED): CardState.SIGNED,
    (CardState.SIGNED, CardEvent.PERSONALISATION_BEGUN): CardState.PERSONALISING,
    (CardState.PERSONALISING, CardEvent.PERSONALISATION_BEGUN): CardState.PERSONALISING,
    (CardState.PERSONALISING, CardEvent.PERSONALISED): CardState.PERSONALISED,
    (CardState.PERSONALISED, CardEvent.LOCK_INTENDED): CardState.LOCKING,
    (CardState.LOCKING, CardEvent.LOCK_INTENDED): CardState.LOCKING,
    (CardState.LOCKING, CardEvent.ISSUED): CardState.ISSUED,
    (CardState.ISSUED, CardEvent.HANDED_OVER): CardState.HANDED_OVER,
}
CHIP_STEPS = {
    (ChipState.RECEIVED, ChipEvent.INITIALISATION_BEGUN): ChipState.INITIALISING,
    (ChipState.INITIALISING, ChipEvent.INITIALISATION_BEGUN): ChipState.INITIALISING,
    (ChipState.INITIALISING, ChipEvent.KEY_RECORDED): ChipState.INITIALISING,
    (ChipState.INITIALISING, ChipEvent.INITIALISED): ChipState.INITIALISED,
}


def test_a_card_moves_only_as_drawn() -> None:
    for state, event in itertools.product(CardState, CardEvent):
        is_condemning = event is CardEvent.CONDEMNED and state not in (
            CardState.CONDEMNED,
            CardState.HANDED_OVER,
        )
        expected = CardState.CONDEMNED if is_condemning else CARD_STEPS.get((state, event))
        if expected is not None:
            assert next_card_state(state, event) is expected
        else:
            with pytest.raises(TransitionError, match=str(state)):
                next_card_state(state, event)


def test_a_chip_moves_only_as_drawn() -> None:
    for state, event in itertools.product(ChipState, ChipEvent):
        is_condemning = event is ChipEvent.CONDEMNED and state is not ChipState.CONDEMNED
        expected = ChipState.CONDEMNED if is_condemning else CHIP_STEPS.get((state, event))
        if expected is not None:
            assert next_chip_state(state, event) is expected
        else:
            with pytest.raises(TransitionError, match=str(state)):
                next_chip_state(state, event)


def test_a_card_is_issued_only_through_an_intended_lock() -> None:
    leading = [state for state, event in CARD_STEPS if event is CardEvent.ISSUED]
    assert leading == [CardState.LOCKING]


def test_from_the_intended_lock_on_a_card_may_work() -> None:
    assert [state for state in CardState if may_be_operational(state)] == [
        CardState.LOCKING,
        CardState.ISSUED,
        CardState.HANDED_OVER,
    ]


def test_a_serial_is_twenty_hexadecimal_digits() -> None:
    assert parse_serial("000102030405060708fF") == bytes.fromhex("000102030405060708FF")


@pytest.mark.parametrize(
    "text", ["", "00" * 9, "00" * 11, "zz" * 10, "00" * 10 + "\n", "００" * 10]
)
def test_anything_else_is_no_serial(text: str) -> None:
    with pytest.raises(IssuerDataError) as caught:
        parse_serial(text)
    assert caught.value.code == "chip.serial-malformed"
