"""The card's end of secure messaging with known keys: objects in every wrong form, under right MACs (SPEC.md, 5.3)."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout import tlv
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.secure_messaging import SecureMessagingSession
from simulators.card.aes import cmac, encrypt_block, encrypt_cbc, pad, unpad
from simulators.card.command import Command
from simulators.card.reply import Reply
from simulators.card.secure_messaging import SecureMessaging
from simulators.card.session_cipher import AesCipher
from simulators.card.status import Refused

ENC, MAC = b"e" * 16, b"m" * 16
Objects = Callable[[bytes], list[tlv.Tlv]]


def card_side() -> SecureMessaging:
    return SecureMessaging(AesCipher(encryption_key=ENC, mac_key=MAC))


def protected(objects: list[tlv.Tlv], *, ins: int = 0xA4, counter: int = 1) -> Command:
    """A command with these objects and a right MAC over them."""
    header = bytes((0x0C, ins, 0x04, 0x0C))
    block = counter.to_bytes(16, "big")
    body = tlv.concatenate(objects)
    mac = cmac(MAC, pad(block + pad(header) + body))[:8]
    data = body + tlv.encode(0x8E, mac)
    return Command(cla=0x0C, ins=ins, p1=0x04, p2=0x0C, data=data, expected_length=256)


def encrypt(data: bytes, *, counter: int = 1) -> bytes:
    return encrypt_cbc(ENC, data, iv=encrypt_block(ENC, counter.to_bytes(16, "big")))


CRYPTOGRAM = tlv.Tlv(0x87, b"\x01" + encrypt(pad(b"data")))
LENGTH = tlv.Tlv(0x97, b"\x00")


@pytest.mark.parametrize(
    ("objects", "data", "expected_length"),
    [
        ([], b"", None),
        ([LENGTH], b"", 256),
        ([tlv.Tlv(0x97, b"\x04")], b"", 4),
        ([tlv.Tlv(0x97, b"\x00\x00")], b"", 65536),
        ([tlv.Tlv(0x97, b"\x01\x00")], b"", 256),
        ([CRYPTOGRAM], b"data", None),
        ([CRYPTOGRAM, LENGTH], b"data", 256),
    ],
)
def test_well_formed_objects_are_read(
    objects: list[tlv.Tlv], data: bytes, expected_length: int | None
) -> None:
    inner = card_side().unwrap(protected(objects))
    assert (inner.cla, inner.data, inner.expected_length) == (0, data, expected_length)
    assert inner.asks_for_all == (expected_length in (256, 65536) and objects[-1].value[0] == 0)


def test_an_odd_instruction_carries_its_data_without_a_padding_indicator() -> None:
    objects = [tlv.Tlv(0x85, encrypt(pad(b"data")))]
    assert card_side().unwrap(protected(objects, ins=0xB1)).data == b"data"


@pytest.mark.parametrize(
    ("objects", "ins"),
    [
        ([LENGTH, CRYPTOGRAM], 0xA4),
        ([LENGTH, LENGTH], 0xA4),
        ([CRYPTOGRAM, CRYPTOGRAM], 0xA4),
        ([CRYPTOGRAM, tlv.Tlv(0x99, b"\x90\x00")], 0xA4),
        ([tlv.Tlv(0x81, b"plain")], 0xA4),
        ([tlv.Tlv(0x85, encrypt(pad(b"data")))], 0xA4),
        ([CRYPTOGRAM], 0xB1),
        ([tlv.Tlv(0x97, b"")], 0xA4),
        ([tlv.Tlv(0x97, b"\x00\x00\x00")], 0xA4),
        ([tlv.Tlv(0x87, b"")], 0xA4),
        ([tlv.Tlv(0x87, b"\x01")], 0xA4),
        ([tlv.Tlv(0x87, b"\x01" + bytes(15))], 0xA4),
        ([tlv.Tlv(0x87, b"\x02" + encrypt(pad(b"data")))], 0xA4),
        ([tlv.Tlv(0x87, encrypt(pad(b"data")))], 0xA4),
        ([tlv.Tlv(0x87, b"\x01" + encrypt(bytes(16)))], 0xA4),
        ([tlv.Tlv(0x87, b"\x01" + encrypt(b"\x80" + bytes(31)))], 0xA4),
    ],
)
def test_objects_in_a_wrong_form_are_refused_under_a_right_mac(
    objects: list[tlv.Tlv], ins: int
) -> None:
    with pytest.raises(Refused) as caught:
        card_side().unwrap(protected(objects, ins=ins))
    assert caught.value.status_word == 0x6988


def test_the_counter_is_part_of_the_mac() -> None:
    for counter in (0, 2, 1 << 64):
        with pytest.raises(Refused):
            card_side().unwrap(protected([LENGTH], counter=counter))
    session = card_side()
    for counter in (1, 3, 5):
        assert session.unwrap(protected([LENGTH], counter=counter)).expected_length == 256
        session.wrap(Reply())
    # The same command is not taken twice.
    with pytest.raises(Refused):
        session.unwrap(protected([LENGTH], counter=5))


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=300),
            st.none() | st.integers(1, 65536),
            st.binary(max_size=300),
            st.sampled_from([0x9000, 0x6282, 0x6A82, 0x6982]),
        ),
        max_size=4,
    )
)
def test_both_ends_understand_each_other(
    exchanges: list[tuple[bytes, int | None, bytes, int]],
) -> None:
    card, terminal = card_side(), SecureMessagingSession(ENC, MAC)
    for data, length, answer, status_word in exchanges:
        sent = CommandApdu(cla=0, ins=0xA4, p1=4, p2=12, data=data, expected_length=length)
        inner = card.unwrap(Command.from_bytes(terminal.wrap(sent).to_bytes()))
        assert (inner.header, inner.data) == (sent.header, data)
        assert inner.expected_length == length
        wrapped = card.wrap(Reply(data=answer, status_word=status_word))
        assert terminal.unwrap(ResponseApdu(wrapped, status_word)).data == answer


@pytest.mark.parametrize("limit", [256, 258, 300, 4094, 65536])
def test_room_is_the_most_that_fits(limit: int) -> None:
    room = card_side().room(limit)
    assert len(card_side().wrap(Reply(data=bytes(room)))) <= limit
    assert len(card_side().wrap(Reply(data=bytes(room + 1)))) > limit


@given(st.binary(max_size=64))
def test_padding_comes_off_as_it_went_on(data: bytes) -> None:
    assert len(pad(data)) % 16 == 0
    assert len(pad(data)) > len(data)
    assert unpad(pad(data)) == data


@pytest.mark.parametrize("padded", [b"", bytes(16), b"\x01" * 16, b"\x80" + bytes(16)])
def test_what_is_no_padding_is_refused(padded: bytes) -> None:
    assert unpad(padded) is None
