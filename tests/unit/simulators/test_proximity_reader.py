"""The identifier that a contactless reader tells: another one at every power-up, so that nobody is followed by it."""

from collections.abc import Callable
from typing import Any

import pytest

from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.image import CardImage
from simulators.proximity import ProximityReader

GET_UID = bytes.fromhex("FFCA000000")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("FFCA000000", "08A1B2C39000"),
        ("FFCA000004", "08A1B2C39000"),
        ("FFCA000007", "08A1B2C36282"),
        ("FFCA000003", "6C04"),
        ("FFCA0000", "6700"),
        ("FFCA00000100", "6700"),
        ("FFCA010000", "6A81"),
        ("FF00000000", "6E00"),
        ("FF", "6E00"),
        ("00CA000000", None),
        ("0CB0810000", None),
        ("", None),
    ],
)
def test_the_reader_answers_its_own_class_and_no_other(command: str, answer: str | None) -> None:
    reader = ProximityReader(lambda size: bytes.fromhex("A1B2C3")[:size])
    reader.power_on()
    found = reader.answer(bytes.fromhex(command))
    assert (None if found is None else found.hex().upper()) == answer


def test_no_identifier_follows_itself() -> None:
    drawn = iter([b"aaa", b"aaa", b"bbb"])
    reader = ProximityReader(lambda _size: next(drawn))
    reader.power_on()
    reader.power_on()
    assert reader.answer(GET_UID) == b"\x08bbb\x90\x00"


def test_every_power_up_and_reset_draws_another(operational: CardImage) -> None:
    reader = SimulatedReader(VirtualCard(operational))
    seen = set()
    for _ in range(5):
        connection = reader.connect()
        for _ in range(2):
            answer = connection.transmit(GET_UID)
            assert answer == connection.transmit(GET_UID)
            assert (len(answer), answer[0], answer[-2:]) == (6, 8, b"\x90\x00")
            seen.add(answer)
            connection.reset()
        connection.close()
    # Ten draws of 24 bits: that so many of them meet is beyond all chance.
    assert len(seen) > 5


def test_asking_for_it_leaves_the_session_alone(
    operational: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    card = VirtualCard(operational)
    connection = SimulatedReader(card).connect()
    terminal = open_terminal(card)
    assert terminal.pace(b"123456")
    terminal.select_application()
    assert connection.transmit(GET_UID)[-2:] == b"\x90\x00"
    assert terminal.read(1)
    assert terminal.status == "9000"
