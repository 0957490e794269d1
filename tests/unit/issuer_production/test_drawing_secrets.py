import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.card_secrets import CardSecrets
from issuer.domain.status_allotment import LIST_SIZE, draw_below, draw_index, room_left
from issuer.errors import IssuerDataError


def test_drawn_secrets_have_the_form_of_the_card() -> None:
    drawn = CardSecrets.draw(random.Random(1).randbytes)
    assert re.fullmatch("[0-9]{6}", drawn.can)
    assert re.fullmatch("[A-Z0-9]{9}", drawn.document_number)
    assert len(drawn.salt) == 16


def test_every_digit_and_letter_is_drawn_equally_often() -> None:
    source = random.Random(2)
    drawn = [CardSecrets.draw(source.randbytes) for _ in range(4000)]
    letters = Counter("".join(each.document_number for each in drawn))
    assert len(letters) == 36
    assert max(letters.values()) < 1.25 * min(letters.values())
    digits = Counter(each.can[0] for each in drawn)
    assert len(digits) == 10
    assert max(digits.values()) < 1.35 * min(digits.values())


@given(bound=st.integers(1, 1 << 40), seed=st.integers(0, 1000))
def test_a_drawn_number_is_below_its_bound(bound: int, seed: int) -> None:
    assert 0 <= draw_below(random.Random(seed).randbytes, bound) < bound


def test_a_number_that_is_too_large_is_thrown_away_and_not_folded() -> None:
    drawn = iter([b"\xff", b"\xa0", b"\x30"])
    # Below 10 takes four bits: 15 and 10 are thrown away.
    assert draw_below(lambda _size: next(drawn), 10) == 3


def test_a_status_index_lies_in_its_list() -> None:
    source = random.Random(3)
    drawn = [draw_index(source.randbytes, size=LIST_SIZE) for _ in range(1000)]
    assert 0 <= min(drawn) < LIST_SIZE // 20
    assert LIST_SIZE - LIST_SIZE // 20 < max(drawn) < LIST_SIZE


@pytest.mark.parametrize(
    ("allotted", "size", "left"), [(0, 8, 4), (3, 8, 1), (4, 8, 0), (7, 8, 0), (0, 1, 1), (1, 1, 0)]
)
def test_a_list_gives_away_half_of_its_positions(allotted: int, size: int, left: int) -> None:
    assert room_left(allotted=allotted, size=size) == left


@given(seed=st.integers(0, 10_000))
def test_secrets_survive_their_encoding(seed: int) -> None:
    drawn = CardSecrets.draw(random.Random(seed).randbytes)
    assert CardSecrets.from_bytes(drawn.to_bytes()) == drawn


@given(st.binary(max_size=40))
def test_any_bytes_are_secrets_or_refused(encoded: bytes) -> None:
    try:
        accepted = CardSecrets.from_bytes(encoded)
    except IssuerDataError:
        return
    assert accepted.to_bytes() == encoded


def test_secrets_do_not_show_themselves() -> None:
    drawn = CardSecrets.draw(random.Random(4).randbytes)
    assert drawn.can not in repr(drawn)
    assert drawn.document_number not in repr(drawn)
