from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from card_layout import tlv
from card_layout.errors import AccessError, CardDataError
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.secure_messaging import (
    SecureMessagingError,
    SecureMessagingSession,
    pad,
    unpad,
)

K_ENC = bytes(range(16))
K_MAC = bytes(range(16, 32))
READ = CommandApdu(cla=0x00, ins=0xB0, p1=0x00, p2=0x00, expected_length=16)


def initial_vector(counter: int) -> bytes:
    return Cipher(AES(K_ENC), CBC(bytes(16))).encryptor().update(counter.to_bytes(16, "big"))


def mac_of(counter: int, covered: bytes) -> bytes:
    mac = CMAC(AES(K_MAC))
    padded = covered + b"\x80"
    mac.update(counter.to_bytes(16, "big") + padded + bytes(-len(padded) % 16))
    return mac.finalize()[:8]


def protect(
    counter: int,
    plain: bytes,
    status_word: int,
    padded: bytes | None = None,
    *,
    is_odd: bool = False,
) -> bytes:
    """The data field of a protected answer, written apart from the code under test."""
    body = b""
    if plain or padded is not None:
        if padded is None:
            padded = plain + b"\x80" + bytes(15 - len(plain) % 16)
        encryptor = Cipher(AES(K_ENC), CBC(initial_vector(counter))).encryptor()
        cryptogram = encryptor.update(padded)
        body = tlv.encode(0x85, cryptogram) if is_odd else tlv.encode(0x87, b"\x01" + cryptogram)
    body += tlv.encode(0x99, status_word.to_bytes(2, "big"))
    return body + tlv.encode(0x8E, mac_of(counter, body))


def waiting_session() -> SecureMessagingSession:
    """A session whose first command was sent: the answer counts as 2."""
    session = SecureMessagingSession(K_ENC, K_MAC)
    session.wrap(READ)
    return session


def test_a_command_without_data_carries_le_and_a_mac() -> None:
    wrapped = SecureMessagingSession(K_ENC, K_MAC).wrap(READ)
    body = b"\x97\x01\x10"
    covered = b"\x0c\xb0\x00\x00\x80" + bytes(11) + body
    assert wrapped.header == b"\x0c\xb0\x00\x00"
    assert wrapped.data == body + b"\x8e\x08" + mac_of(1, covered)
    assert wrapped.expected_length == 256


def test_a_command_with_data_is_encrypted_under_the_counter() -> None:
    command = CommandApdu(cla=0x00, ins=0xA4, p1=0x02, p2=0x0C, data=b"\x01\x1e")
    wrapped = SecureMessagingSession(K_ENC, K_MAC, 40).wrap(command)
    encryptor = Cipher(AES(K_ENC), CBC(initial_vector(41))).encryptor()
    body = tlv.encode(0x87, b"\x01" + encryptor.update(b"\x01\x1e\x80" + bytes(13)))
    covered = b"\x0c\xa4\x02\x0c\x80" + bytes(11) + body
    assert wrapped.data == body + b"\x8e\x08" + mac_of(41, covered)


def test_an_odd_instruction_has_its_data_without_padding_indicator() -> None:
    command = CommandApdu(cla=0x00, ins=0xB1, p1=0, p2=0, data=b"\x54\x01\x00", expected_length=8)
    objects = tlv.parse_all(SecureMessagingSession(K_ENC, K_MAC).wrap(command).data)
    assert [item.tag for item in objects] == [0x85, 0x97, 0x8E]
    assert len(objects[0].value) == 16


def test_a_command_of_a_header_only_is_padded_twice() -> None:
    command = CommandApdu(cla=0x00, ins=0xA4, p1=0x00, p2=0x0C)
    wrapped = SecureMessagingSession(K_ENC, K_MAC).wrap(command)
    assert wrapped.data == b"\x8e\x08" + mac_of(1, b"\x0c\xa4\x00\x0c\x80" + bytes(11))


@pytest.mark.parametrize(
    ("expected_length", "inner", "outer"),
    [
        (1, b"\x97\x01\x01", 256),
        (223, b"\x97\x01\xdf", 256),
        (224, b"\x97\x01\xe0", 65536),
        (256, b"\x97\x01\x00", 256),
        (257, b"\x97\x02\x01\x01", 65536),
        (65536, b"\x97\x02\x00\x00", 65536),
    ],
)
def test_le_inside_and_outside(expected_length: int, inner: bytes, outer: int) -> None:
    wrapped = SecureMessagingSession(K_ENC, K_MAC).wrap(READ.with_expected_length(expected_length))
    assert wrapped.data.startswith(inner)
    assert wrapped.expected_length == outer


@pytest.mark.parametrize("plain", [b"", b"\x60", bytes(15), bytes(16), bytes(4063)])
def test_a_verified_answer_is_given_in_plain(plain: bytes) -> None:
    answer = ResponseApdu(protect(2, plain, 0x9000), 0x9000)
    assert waiting_session().unwrap(answer) == ResponseApdu(plain, 0x9000)


READ_ODD = CommandApdu(cla=0x00, ins=0xB1, p1=0, p2=0, data=b"\x54\x01\x00", expected_length=256)


@pytest.mark.parametrize("command", [READ, READ_ODD], ids=["even", "odd"])
@pytest.mark.parametrize("is_odd", [False, True])
def test_an_answer_has_the_object_of_its_instruction(command: CommandApdu, *, is_odd: bool) -> None:
    session = SecureMessagingSession(K_ENC, K_MAC)
    session.wrap(command)
    answer = ResponseApdu(protect(2, b"\x53\x01\x60", 0x9000, is_odd=is_odd), 0x9000)
    if is_odd is (command is READ_ODD):
        assert session.unwrap(answer).data == b"\x53\x01\x60"
        return
    with pytest.raises(SecureMessagingError):
        session.unwrap(answer)
    assert not session.is_alive


def test_an_error_inside_the_session_keeps_it() -> None:
    session = waiting_session()
    assert session.unwrap(ResponseApdu(protect(2, b"", 0x6A82), 0x6A82)).status_word == 0x6A82
    session.wrap(READ)
    assert session.unwrap(ResponseApdu(protect(4, b"\x01", 0x9000), 0x9000)).data == b"\x01"
    assert session.is_alive
    assert session.send_sequence_counter == 4


def good() -> bytes:
    return protect(2, b"content", 0x9000)


def rebuilt(order: Callable[[list[bytes]], list[bytes]]) -> bytes:
    """The good answer's objects in another order or number, under a right MAC over what precedes it."""
    objects = [item.to_bytes() for item in tlv.parse_all(good())]
    body = order(objects[:2])
    return b"".join(body) + tlv.encode(0x8E, mac_of(2, b"".join(body)))


BROKEN_ANSWERS = {
    "plain-success": (b"", 0x9000),
    "plain-error": (b"", 0x6982),
    "plain-secure-messaging-error": (b"", 0x6988),
    "plain-data": (b"\x61\x03abc", 0x9000),
    "one-bit-of-the-data": (good()[:5] + bytes((good()[5] ^ 1,)) + good()[6:], 0x9000),
    "one-bit-of-the-mac": (good()[:-1] + bytes((good()[-1] ^ 1,)), 0x9000),
    "another-trailer": (good(), 0x6282),
    "of-the-command's-counter": (protect(1, b"content", 0x9000), 0x9000),
    "of-the-next-counter": (protect(3, b"content", 0x9000), 0x9000),
    "without-mac": (good()[:-10], 0x9000),
    "without-status": (rebuilt(lambda body: body[:1]), 0x9000),
    "short-mac": (good()[:-10] + b"\x8e\x04" + good()[-8:-4], 0x9000),
    "empty-mac": (good()[:-10] + b"\x8e\x00", 0x9000),
    "status-first": (rebuilt(lambda body: body[::-1]), 0x9000),
    "data-twice": (rebuilt(lambda body: [body[0], *body]), 0x9000),
    "status-twice": (rebuilt(lambda body: [*body, body[1]]), 0x9000),
    "an-unknown-object": (rebuilt(lambda body: [b"\x80\x00", *body]), 0x9000),
    "plain-data-object": (rebuilt(lambda body: [b"\x81\x01a", body[1]]), 0x9000),
    "trailing-byte": (good() + b"\x00", 0x9000),
    "trailing-object": (good() + b"\x99\x02\x90\x00", 0x9000),
    "other-padding-indicator": (
        rebuilt(lambda body: [body[0].replace(b"\x87\x11\x01", b"\x87\x11\x02"), body[1]]),
        0x9000,
    ),
    "no-ciphertext": (rebuilt(lambda body: [b"\x87\x01\x01", body[1]]), 0x9000),
    "empty-data-object": (rebuilt(lambda body: [b"\x87\x00", body[1]]), 0x9000),
    "half-a-block": (rebuilt(lambda body: [b"\x87\x09\x01" + bytes(8), body[1]]), 0x9000),
    "no-padding": (protect(2, b"", 0x9000, padded=b"\x11" * 16), 0x9000),
    "zeros-only": (protect(2, b"", 0x9000, padded=bytes(16)), 0x9000),
    "a-whole-block-of-zeros": (
        protect(2, b"", 0x9000, padded=b"\x80" + bytes(31)),
        0x9000,
    ),
    "status-with-a-zero-before": (
        rebuilt(lambda body: [body[0], b"\x99\x03\x00\x90\x00"]),
        0x9000,
    ),
    "three-byte-status": (rebuilt(lambda body: [body[0], b"\x99\x03\x90\x00\x00"]), 0x9000),
}


@pytest.mark.parametrize("case", BROKEN_ANSWERS)
def test_an_answer_that_is_not_verified_ends_the_session_for_ever(case: str) -> None:
    data, status_word = BROKEN_ANSWERS[case]
    session = waiting_session()
    with pytest.raises(SecureMessagingError) as caught:
        session.unwrap(ResponseApdu(data, status_word))
    assert caught.value.code == "access.secure-messaging"
    assert isinstance(caught.value, AccessError)
    assert not session.is_alive
    with pytest.raises(SecureMessagingError):
        session.unwrap(ResponseApdu(good(), 0x9000))
    with pytest.raises(SecureMessagingError):
        session.wrap(READ)


def test_the_good_answer_of_the_broken_ones_is_taken() -> None:
    assert waiting_session().unwrap(ResponseApdu(good(), 0x9000)).data == b"content"
    assert waiting_session().unwrap(ResponseApdu(rebuilt(list), 0x9000)).data == b"content"


def test_an_answer_counts_once() -> None:
    session = waiting_session()
    session.unwrap(ResponseApdu(good(), 0x9000))
    with pytest.raises(SecureMessagingError, match="without a command"):
        session.unwrap(ResponseApdu(good(), 0x9000))
    assert not session.is_alive


def test_two_commands_in_a_row_end_the_session() -> None:
    session = waiting_session()
    with pytest.raises(SecureMessagingError, match="before the last one was answered"):
        session.wrap(READ)
    assert not session.is_alive


def test_an_ended_session_protects_nothing_any_more() -> None:
    session = SecureMessagingSession(K_ENC, K_MAC)
    session.end()
    with pytest.raises(SecureMessagingError, match="is over"):
        session.wrap(READ)


def test_a_used_up_counter_ends_the_session() -> None:
    session = SecureMessagingSession(K_ENC, K_MAC, (1 << 128) - 1)
    with pytest.raises(SecureMessagingError, match="used up"):
        session.wrap(READ)
    with pytest.raises(SecureMessagingError):
        SecureMessagingSession(K_ENC, K_MAC, 1 << 128)


def test_neither_repr_nor_error_shows_a_key() -> None:
    session = waiting_session()
    assert repr(session) == "SecureMessagingSession(alive)"
    with pytest.raises(SecureMessagingError) as caught:
        session.unwrap(ResponseApdu(b"", 0x9000))
    assert K_MAC.hex() not in str(caught.value).lower()
    assert repr(session) == "SecureMessagingSession(over)"


@given(st.integers(0, 70000))
def test_what_fits_an_answer_is_the_most_that_fits(limit: int) -> None:
    session = SecureMessagingSession(K_ENC, K_MAC)
    most = session.max_response_data(limit)
    if most:
        assert len(protect(2, bytes(most), 0x9000)) <= limit
    assert len(protect(2, bytes(most + 1), 0x9000)) > limit


def test_a_short_answer_holds_223_bytes_and_one_of_4096_holds_4063() -> None:
    session = SecureMessagingSession(K_ENC, K_MAC)
    assert session.max_response_data(256) == 223
    assert session.max_response_data(4094) == 4063


@given(st.binary(max_size=100))
def test_padding_is_undone(data: bytes) -> None:
    assert len(pad(data)) % 16 == 0
    assert unpad(pad(data)) == data


@given(st.binary(max_size=64))
def test_whatever_unpads_pads_again_to_the_same_bytes(data: bytes) -> None:
    try:
        plain = unpad(data)
    except CardDataError:
        return
    assert pad(plain) == data


@given(st.binary(max_size=300), st.sampled_from([0x9000, 0x6282, 0x6988]))
def test_any_bytes_raise_only_the_session_s_error(data: bytes, status_word: int) -> None:
    session = waiting_session()
    with pytest.raises(SecureMessagingError):
        session.unwrap(ResponseApdu(data, status_word))
    assert not session.is_alive
