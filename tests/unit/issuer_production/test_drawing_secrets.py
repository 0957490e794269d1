import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.card_secrets import CardSecrets
from issuer.domain.status_allotment import LIST_SIZE, StatusListRoom, draw_below, draw_index
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
    drawn = [draw_index(source.randbytes, size=LIST_SIZE, taken=()) for _ in range(1000)]
    assert 0 <= min(drawn) < LIST_SIZE // 20
    assert LIST_SIZE - LIST_SIZE // 20 < max(drawn) < LIST_SIZE


@given(size=st.integers(1, 200), seed=st.integers(0, 1000))
def test_a_list_gives_away_every_position_once(size: int, seed: int) -> None:
    source = random.Random(seed)
    taken: list[int] = []
    while StatusListRoom(list_id=bytes(8), size=size, taken=frozenset(taken)).room:
        taken.append(draw_index(source.randbytes, size=size, taken=set(taken)))
    assert sorted(taken) == list(range(size))
    with pytest.raises(ValueError, match="taken"):
        draw_index(source.randbytes, size=size, taken=set(taken))


def test_the_last_positions_of_a_list_are_drawn_evenly() -> None:
    source = random.Random(5)
    taken = set(range(1000)) - {3, 500, 997}
    drawn = [draw_index(source.randbytes, size=1000, taken=taken) for _ in range(600)]
    assert {index: drawn.count(index) > 140 for index in drawn} == dict.fromkeys(
        (3, 500, 997), True
    )


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
