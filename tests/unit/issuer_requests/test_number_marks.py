"""Blocks of card numbers, and the mark of what may have been given out."""

import json
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.domain.card_number import CardNumber
from issuer.domain.number_blocks import (
    BlockId,
    BlockSupply,
    NumberBlock,
    NumberMark,
    Span,
    card_number,
    supply_of,
    take_free,
)
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from issuer.errors import IssuerDataError, IssuerRefusedError

REGISTER = bytes(range(16))
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def block(first: int, last: int, following: int) -> NumberBlock:
    return NumberBlock(
        block_id=BlockId(uuid.UUID(int=1)),
        committee=OrganisationCode("P"),
        first=card_number(first),
        last=card_number(last),
        next=following,
        granted_at=NOW,
        granted_by=AccountName("an"),
    )


def spans() -> st.SearchStrategy[Span]:
    return st.builds(
        lambda first, length: Span(first, first + length), st.integers(0, 300), st.integers(1, 40)
    )


def test_a_number_has_eight_digits() -> None:
    assert card_number(1_000_023) == CardNumber("01000023")


@pytest.mark.parametrize(
    ("following", "supply"),
    [
        (98_000_001, BlockSupply.ENOUGH),
        (98_000_090, BlockSupply.ENOUGH),
        (98_000_091, BlockSupply.NEAR_EXHAUSTED),
        (98_000_100, BlockSupply.NEAR_EXHAUSTED),
        (98_000_101, BlockSupply.EXHAUSTED),
    ],
)
def test_a_supply_says_when_it_nears_its_end(following: int, supply: BlockSupply) -> None:
    assert supply_of([block(98_000_001, 98_000_100, following)]) is supply


def test_a_committee_without_blocks_has_no_supply() -> None:
    assert supply_of([]) is BlockSupply.EXHAUSTED


@given(st.sets(st.integers(0, 40)), st.integers(0, 20), st.integers(0, 12))
def test_the_lowest_free_numbers_are_taken(taken: set[int], start: int, count: int) -> None:
    found, position = take_free(start, 40, count, taken=taken)
    free = [each for each in range(start, 40) if each not in taken]
    assert found == free[:count]
    assert start <= position <= 40 or start >= 40
    assert all(each < position for each in found)
    assert position == 40 or len(found) == count or start >= 40


@given(st.lists(spans(), max_size=12))
def test_whatever_was_spent_stays_spent(added: list[Span]) -> None:
    mark = NumberMark(register_id=REGISTER)
    for span in added:
        mark = mark.with_spent([span])
    spent = {number for span in added for number in range(span.first, span.end)}
    assert {number for span in mark.spent for number in range(span.first, span.end)} == spent
    assert mark.allotments == len(added)
    for position in range(345):
        free = [each for each in range(position, 350) if each not in spent]
        found = mark.next_unspent(Span(position, 350))
        assert found is not None
        assert found.first == free[0]
        assert not spent & set(range(found.first, found.end))
        assert found.end == 350 or found.end in spent
    assert NumberMark.from_bytes(mark.to_bytes()) == mark


def test_where_all_is_spent_nothing_is_left() -> None:
    mark = NumberMark(register_id=REGISTER, spent=(Span(1, 5), Span(7, 20)))
    assert mark.next_unspent(Span(8, 20)) is None
    assert mark.next_unspent(Span(2, 20)) == Span(5, 7)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_mark_or_refused(content: bytes) -> None:
    with pytest.raises(IssuerDataError) as caught:
        NumberMark.from_bytes(content)
    assert caught.value.code == "numbers.mark-malformed"


@pytest.mark.parametrize(
    "changes",
    [
        {"allotments": -1},
        {"allotments": True},
        {"allotments": 1.0},
        {"format": 2},
        {"register": "00"},
        {"spent": [[5, 5]]},
        {"spent": [[5, 4]]},
        {"spent": [[-1, 4]]},
        {"spent": [[1, 10**8 + 1]]},
        {"spent": [[1, 3], [3, 4]]},
        {"spent": [[5, 6], [1, 2]]},
        {"spent": [[1, 2, 3]]},
        {"spent": {}, "more": 1},
    ],
)
def test_a_mark_that_is_not_as_written_is_refused(changes: dict[str, object]) -> None:
    good = json.loads(NumberMark(register_id=REGISTER, spent=(Span(1, 4),)).to_bytes())
    content = json.dumps(good | changes, sort_keys=True, indent=1).encode() + b"\n"
    with pytest.raises(IssuerDataError) as caught:
        NumberMark.from_bytes(content)
    assert caught.value.code == "numbers.mark-malformed"


def test_another_registers_mark_is_refused() -> None:
    mark = NumberMark(register_id=REGISTER)
    mark.require_same_register(REGISTER)
    with pytest.raises(IssuerRefusedError) as caught:
        mark.require_same_register(bytes(16))
    assert caught.value.code == "numbers.mark-of-other-register"
