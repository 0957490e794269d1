from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout.atr import (
    AtrError,
    LifeCycle,
    announces_extended_lengths,
    encode_atr,
    read_life_cycle,
)


def with_check(body: str) -> bytes:
    octets = bytes.fromhex(body)
    return b"\x3b" + octets + bytes((reduce(xor, octets),))


@pytest.mark.parametrize("life_cycle", list(LifeCycle))
@pytest.mark.parametrize(
    ("extended_lengths", "capabilities"), [(True, "9421C0"), (False, "942180")]
)
def test_the_atr_is_that_of_the_specification(
    life_cycle: LifeCycle, *, extended_lengths: bool, capabilities: str
) -> None:
    atr = encode_atr(life_cycle, extended_lengths=extended_lengths)
    assert atr == with_check(f"878001 8073{capabilities} 81{life_cycle:02X}")
    assert read_life_cycle(atr) is life_cycle
    assert announces_extended_lengths(atr) is extended_lengths


@pytest.mark.parametrize(
    "atr",
    [
        with_check("8001"),
        with_check("848001 00739421"),
        with_check("848001 80729421"),
        with_check("828001 8070"),
    ],
    ids=["no historical bytes", "another format", "capabilities of two bytes", "of none"],
)
def test_capabilities_that_are_not_told_are_not_there(atr: bytes) -> None:
    assert not announces_extended_lengths(atr)


def test_capabilities_that_are_cut_short_are_an_error() -> None:
    with pytest.raises(AtrError):
        announces_extended_lengths(with_check("838001 807394"))


def test_an_operational_card_answers_these_bytes() -> None:
    atr = encode_atr(LifeCycle.OPERATIONAL, extended_lengths=True)
    assert atr.hex().upper() == "3B87800180739421C0810504"


@pytest.mark.parametrize(
    "atr",
    [
        bytes.fromhex("3B00"),  # no historical bytes
        with_check("8180010A"),  # historical bytes of another category
        with_check("838001805100"),  # compact TLV without a status indicator
        with_check("84800180829000"),  # a status word alone
        with_check("838001808100"),  # no information given
    ],
)
def test_an_atr_without_a_life_cycle_tells_none(atr: bytes) -> None:
    assert read_life_cycle(atr) is None


def test_other_interface_bytes_do_not_hide_the_life_cycle() -> None:
    assert read_life_cycle(with_check("F3 96 00 00 80 31 FE 45 80 81 05")) is LifeCycle.OPERATIONAL
    # T=0 alone has no check byte; a status indicator of three bytes begins with the life cycle.
    assert read_life_cycle(bytes.fromhex("3B05 80 83 05 9000")) is LifeCycle.OPERATIONAL


@pytest.mark.parametrize(
    "atr",
    [
        b"",
        b"\x3b",
        bytes.fromhex("3A00"),
        bytes.fromhex("3B01"),
        bytes.fromhex("3B0000"),
        bytes.fromhex("3BF0"),
        bytes.fromhex("3B8080808080"),
        bytes(34),
        with_check("828001 8081"),  # the status indicator is cut short
        with_check("838001 808106"),  # a state that is none of ours
        with_check("838001 808107"),
        encode_atr(LifeCycle.OPERATIONAL, extended_lengths=True)[:-1] + b"\x05",  # check byte
        encode_atr(LifeCycle.OPERATIONAL, extended_lengths=True) + b"\x00",
    ],
)
def test_a_malformed_atr_is_refused(atr: bytes) -> None:
    with pytest.raises(AtrError) as raised:
        read_life_cycle(atr)
    assert raised.value.code == "card.malformed-atr"


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_a_data_error(atr: bytes) -> None:
    try:
        assert read_life_cycle(atr) in {None, *LifeCycle}
    except AtrError:
        return


@given(
    st.lists(st.sampled_from([0x3B, 0x80, 0x01, 0x83, 0x81, 0x05, 0x90, 0xFF, 0x00]), max_size=33)
)
def test_likely_bytes_are_read_or_a_data_error(atr: list[int]) -> None:
    try:
        assert read_life_cycle(bytes(atr)) in {None, *LifeCycle}
    except AtrError:
        return
