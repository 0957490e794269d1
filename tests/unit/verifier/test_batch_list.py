"""Lists of cards, and the change from one card to the next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout.transport.connection import CardConnection, CardReader
from verifier.errors import UsageError
from verifier.services.card_password import CardPassword
from verifier.services.inspect_batch import (
    MAX_BATCH_BYTES,
    CardChange,
    inspect_batch,
    parse_batch,
)
from verifier.services.inspect_card import Inspection


def test_a_list_names_cards_and_what_opens_them() -> None:
    entries = parse_batch("\ufefflabel,serial,can\r\none,x,123456\r\n\r\ntwo,y,654321\r\n".encode())
    assert [entry.label for entry in entries] == ["one", "two"]
    assert entries[0].password == CardPassword.from_can("123456")
    assert "123456" not in repr(entries)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "columns label and can"),
        ("label\none\n", "columns label and can"),
        ("label,can\n", "0 cards"),
        ("label,can\none\n", "row 2 has 1 columns"),
        ("label,can\none,123456\none,123456\n", "row 3: label 'one' stands twice"),
        ("label,can\none,12345\n", "row 2: the card access number is not six digits"),
        ("label,can\n../../etc/passwd,123456\n", "row 2: the label"),
        ("label,can\n.hidden,123456\n", "row 2: the label"),
        ('label,can\n"one,123456\n', "not CSV"),
        ("label,can\n" + "x" * MAX_BATCH_BYTES, "bytes"),
    ],
)
def test_a_list_that_is_wrong_is_refused_as_a_whole(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_batch(text.encode())
    assert said in str(caught.value)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_list_or_a_usage_error(data: bytes) -> None:
    with pytest.raises(UsageError):
        parse_batch(data)


class Hand:
    """Puts cards in and takes them out, until it tires of it."""

    def __init__(self, cards: int) -> None:
        self.cards = cards
        self.log: list[str] = []

    def wait_for_card(self, _: CardReader) -> bool:
        self.log.append("wait")
        self.cards -= 1
        return self.cards >= 0

    def wait_for_removal(self, _: CardReader) -> bool:
        self.log.append("remove")
        return True


class NoReader:
    name = "none"

    def is_card_present(self) -> bool:
        return False

    def connect(self) -> CardConnection:
        raise AssertionError("nobody connects in this test")


def run(cards: int) -> list[str]:
    hand = Hand(cards)

    def inspect(_: CardReader, __: CardPassword) -> Inspection:
        hand.log.append("inspect")
        return None  # type: ignore[return-value]  # what is inspected is not of this test

    entries = parse_batch(b"label,can\na,111111\nb,222222\nc,333333\n")
    change = CardChange(wait_for_card=hand.wait_for_card, wait_for_removal=hand.wait_for_removal)
    results = list(inspect_batch(NoReader(), entries, inspect=inspect, change=change))
    assert [entry.label for entry, _ in results] == ["a", "b", "c"]
    return hand.log


def test_each_card_is_awaited_after_the_last_one_was_taken_out() -> None:
    first, further = ["wait", "inspect"], ["remove", "wait", "inspect"]
    assert run(cards=3) == first + further + further


def test_nobody_is_awaited_any_more_once_a_card_did_not_come() -> None:
    assert run(cards=1) == ["wait", "inspect", "remove", "wait", "inspect", "inspect"]
