"""The card's own reading of APDUs, against the terminal's writing of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout.iso7816.apdu import CommandApdu
from simulators.card.command import Command
from simulators.card.status import Refused

byte = st.integers(0, 255)


@given(
    header=st.tuples(byte, byte, byte, byte),
    data=st.binary(max_size=600),
    length=st.none() | st.integers(1, 65536),
    extended=st.booleans(),
)
def test_the_card_reads_what_the_terminal_writes(
    header: tuple[int, int, int, int], data: bytes, length: int | None, *, extended: bool
) -> None:
    cla, ins, p1, p2 = header
    sent = CommandApdu(cla=cla, ins=ins, p1=p1, p2=p2, data=data, expected_length=length)
    extended = extended or sent.needs_extended
    read = Command.from_bytes(sent.to_bytes(extended=extended))
    assert (read.header, read.data, read.expected_length) == (sent.header, data, length)
    assert read.asks_for_all == (length == (65536 if extended else 256))
    # A command of four bytes has no lengths that could be extended.
    assert read.is_extended == (extended and bool(data or length))


@given(st.binary(max_size=400))
def test_any_bytes_are_a_command_or_a_wrong_length(apdu: bytes) -> None:
    read = read_or_refuse(apdu)
    if isinstance(read, int):
        assert read == 0x6700
        return
    again = CommandApdu(
        cla=read.cla,
        ins=read.ins,
        p1=read.p1,
        p2=read.p2,
        data=read.data,
        expected_length=read.expected_length,
    )
    assert again.to_bytes(extended=read.is_extended) == apdu


def read_or_refuse(apdu: bytes) -> Command | int:
    """The command, or the status word that refuses it."""
    try:
        return Command.from_bytes(apdu)
    except Refused as refusal:
        return refusal.status_word


@pytest.mark.parametrize(
    ("apdu", "expected_length"),
    [("00B0000000", 256), ("00B0000001", 1), ("00B00000000001", 1), ("00B00000000000", 65536)],
)
def test_a_body_of_one_or_three_bytes_is_a_length(apdu: str, expected_length: int) -> None:
    assert Command.from_bytes(bytes.fromhex(apdu)).expected_length == expected_length


@pytest.mark.parametrize(
    "apdu",
    [
        "",
        "00A404",
        "00A4040C0500",
        "00A4040C020102" + "0304",
        "00A4040C02010203" + "04",
        "00B000000000",
        "00B0000000000000",
        "00A4040C000002AA",
        "00A4040C000002AABB00",
        "00A4040C000002AABB000000",
        "00A4040C00000001",
    ],
)
def test_lengths_that_do_not_add_up_are_refused(apdu: str) -> None:
    with pytest.raises(Refused):
        Command.from_bytes(bytes.fromhex(apdu))
