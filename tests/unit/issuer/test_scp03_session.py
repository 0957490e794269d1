from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from card_layout.errors import AccessError, CardDataError, CardRefusedError, TransportError
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.channel import CardChannel
from issuer.personalisation.scp03 import (
    CardCryptogramError,
    InitializeUpdateResponse,
    Scp03Session,
    SecureChannelError,
)
from issuer.personalisation.scp03_keys import Scp03Keys, SessionKeys, key_check_value, key_data

KEYS = Scp03Keys(enc=b"e" * 16, mac=b"m" * 16, dek=b"d" * 16)
SERIAL = b"0123456789"
HOST_CHALLENGE = b"HOSTHOST"
CARD_CHALLENGE = b"CARDCARD"
UPDATE = CommandApdu(cla=0x00, ins=0xD6, p1=0x00, p2=0x00, data=b"content")
GET = CommandApdu(cla=0x80, ins=0xCA, p1=0x01, p2=0x02, expected_length=256)


def cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(AES(key))
    mac.update(message)
    return mac.finalize()


def derived(key: bytes, constant: int, bits: int) -> bytes:
    context = HOST_CHALLENGE + CARD_CHALLENGE
    block = bytes(11) + bytes((constant, 0)) + bits.to_bytes(2, "big") + b"\x01" + context
    return cmac(key, block)[: bits // 8]


def cbc(key: bytes, counter: int) -> Cipher[CBC]:
    vector = Cipher(AES(key), CBC(bytes(16))).encryptor().update(counter.to_bytes(16, "big"))
    return Cipher(AES(key), CBC(vector))


class Chip:
    """The other side, written apart from the code under test; ``answer`` makes the inner answer."""

    def __init__(
        self,
        answer: Callable[[bytes], tuple[bytes, int]] = lambda _data: (b"", 0x9000),
        *,
        change: Callable[[int, bytes], bytes] = lambda _number, wire: wire,
        keys: Scp03Keys = KEYS,
    ) -> None:
        self.atr = b"\x3b\x80"
        self.commands: list[bytes] = []
        self.received: list[bytes] = []
        self._answer = answer
        self._change = change
        self._enc = derived(keys.enc, 4, 128)
        self._mac = derived(keys.mac, 6, 128)
        self._rmac = derived(keys.mac, 7, 128)
        self._chain = bytes(16)
        self._counter = 0

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        return self._change(len(self.commands), self._respond(command))

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass

    def _respond(self, command: bytes) -> bytes:
        if command[:2] == b"\x80\x50":
            header = SERIAL + b"\xff\x03\x60" + CARD_CHALLENGE
            return header + derived(self._mac, 0, 64) + b"\x90\x00"
        data = command[5 : 5 + command[4]]
        self._chain = cmac(self._mac, self._chain + command[:5] + data[:-8])
        assert data[-8:] == self._chain[:8]
        assert command[0] == 0x84
        if command[1] == 0x82:
            return b"\x90\x00" if data[:-8] == derived(self._mac, 1, 64) else b"\x63\x00"
        self._counter += 1
        plain = b""
        if data[:-8]:
            padded = cbc(self._enc, self._counter).decryptor().update(data[:-8])
            plain = padded.rstrip(b"\x00")[:-1]
        self.received.append(plain)
        inner, status_word = self._answer(plain)
        return self.protected(inner, status_word)

    def protected(self, inner: bytes, status_word: int, padded: bytes | None = None) -> bytes:
        trailer = status_word.to_bytes(2, "big")
        if status_word != 0x9000 and status_word >> 8 not in (0x62, 0x63):
            return trailer
        body = b""
        if inner or padded is not None:
            padded = padded or inner + b"\x80" + bytes(15 - len(inner) % 16)
            body = cbc(self._enc, self._counter | 1 << 127).encryptor().update(padded)
        return body + cmac(self._rmac, self._chain + body + trailer)[:8] + trailer


def opened(chip: Chip) -> Scp03Session:
    return Scp03Session.open(
        CardChannel(chip), keys_for=lambda _: KEYS, host_challenge=HOST_CHALLENGE
    )


def test_a_channel_opens_with_two_commands_and_names_the_chip() -> None:
    chip = Chip()
    session = opened(chip)
    assert [command[:4].hex() for command in chip.commands] == ["80500000", "84823300"]
    assert session.chip.serial == SERIAL
    assert session.chip.key_version == 0xFF
    assert session.is_alive


def test_the_keys_are_chosen_by_serial_and_key_version() -> None:
    asked: list[InitializeUpdateResponse] = []

    def keys_for(chip: InitializeUpdateResponse) -> Scp03Keys:
        asked.append(chip)
        return KEYS

    chip = Chip()
    Scp03Session.open(
        CardChannel(chip), keys_for=keys_for, key_version=0xFF, host_challenge=HOST_CHALLENGE
    )
    assert [(found.serial, found.key_version) for found in asked] == [(SERIAL, 0xFF)]
    assert chip.commands[0][2] == 0xFF


def test_a_chip_that_names_other_keys_than_it_was_asked_for_is_refused() -> None:
    chip = Chip()
    with pytest.raises(CardDataError) as caught:
        Scp03Session.open(CardChannel(chip), keys_for=lambda _: KEYS, key_version=0x30)
    assert caught.value.code == "personalisation.malformed"
    assert len(chip.commands) == 1


def test_host_challenges_differ_where_none_is_given() -> None:
    challenges = set()
    for _ in range(3):
        chip = Chip()
        with pytest.raises(CardCryptogramError):
            Scp03Session.open(CardChannel(chip), keys_for=lambda _: KEYS)
        challenges.add(chip.commands[0][5:13])
    assert len(challenges) == 3


def test_a_chip_with_other_keys_is_not_authenticated_to() -> None:
    chip = Chip(keys=Scp03Keys(enc=b"e" * 16, mac=b"x" * 16, dek=b"d" * 16))
    with pytest.raises(CardCryptogramError) as caught:
        opened(chip)
    assert caught.value.code == "personalisation.card-cryptogram"
    assert isinstance(caught.value, AccessError)
    assert len(chip.commands) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"\x90\x00",
        bytes(28) + b"\x90\x00",
        bytes(32) + b"\x90\x00",
        SERIAL + b"\xff\x02\x60" + bytes(16) + b"\x90\x00",
        SERIAL + b"\xff\x03\x70" + bytes(16) + b"\x90\x00",
        SERIAL + b"\xff\x03\x61" + bytes(16) + b"\x90\x00",
    ],
    ids=["empty", "short", "with-counter", "scp02", "pseudo-random", "s16"],
)
def test_a_chip_that_speaks_something_else_is_refused(answer: bytes) -> None:
    chip = Chip(change=lambda _number, _wire: answer)
    with pytest.raises(CardDataError) as caught:
        opened(chip)
    assert caught.value.code == "personalisation.malformed"
    assert len(chip.commands) == 1


def test_a_chip_that_does_not_open_a_channel_is_refused() -> None:
    with pytest.raises(CardRefusedError) as caught:
        opened(Chip(change=lambda _number, _wire: b"\x6d\x00"))
    assert caught.value.code == "personalisation.refused"


@pytest.mark.parametrize("status_word", ["6300", "6982", "6985"])
def test_a_rejected_authentication_is_not_tried_again(status_word: str) -> None:
    chip = Chip(change=lambda number, wire: bytes.fromhex(status_word) if number == 2 else wire)
    with pytest.raises(CardRefusedError) as caught:
        opened(chip)
    assert caught.value.code == "personalisation.authentication-refused"
    assert len(chip.commands) == 2


def test_a_torn_authentication_is_not_tried_again() -> None:
    def tear(number: int, wire: bytes) -> bytes:
        if number == 2:
            raise TransportError("gone")
        return wire

    chip = Chip(change=tear)
    with pytest.raises(TransportError):
        opened(chip)
    assert len(chip.commands) == 2


@given(st.lists(st.tuples(st.binary(max_size=200), st.binary(max_size=200)), max_size=5))
def test_data_go_and_come_encrypted_and_in_order(pairs: list[tuple[bytes, bytes]]) -> None:
    answers = iter([answer for _, answer in pairs])
    chip = Chip(lambda _data: (next(answers), 0x9000))
    session = opened(chip)
    for data, answer in pairs:
        command = CommandApdu(cla=0x80, ins=0xDA, p1=0, p2=0, data=data)
        assert session.transmit(command) == ResponseApdu(answer, 0x9000)
        assert len(data) < 8 or data not in chip.commands[-1]
    assert chip.received == [data for data, _ in pairs]


@pytest.mark.parametrize("status_word", [0x6282, 0x6310])
def test_warnings_are_authenticated(status_word: int) -> None:
    session = opened(Chip(lambda _data: (b"abc", status_word)))
    assert session.transmit(GET) == ResponseApdu(b"abc", status_word)


def test_an_error_comes_alone_and_the_channel_goes_on() -> None:
    answers = iter([(b"", 0x6A89), (b"abc", 0x9000)])
    session = opened(Chip(lambda _data: next(answers)))
    assert session.transmit(UPDATE) == ResponseApdu(b"", 0x6A89)
    assert session.transmit(GET).data == b"abc"


def test_require_says_what_was_refused() -> None:
    session = opened(Chip(lambda _data: (b"", 0x6A84)))
    with pytest.raises(CardRefusedError) as caught:
        session.require(UPDATE)
    assert (caught.value.code, caught.value.status_word) == ("personalisation.refused", 0x6A84)
    assert session.require(UPDATE, 0x9000, 0x6A84) == b""


def test_6982_ends_the_channel_as_the_chip_ended_it() -> None:
    session = opened(Chip(lambda _data: (b"", 0x6982)))
    assert session.transmit(UPDATE).status_word == 0x6982
    assert not session.is_alive
    with pytest.raises(SecureChannelError):
        session.transmit(UPDATE)


def broken_answers() -> dict[str, Callable[[bytes], bytes]]:
    return {
        "no-mac": lambda _wire: b"\x90\x00",
        "short-mac": lambda wire: wire[:7] + b"\x90\x00",
        "one-bit-of-the-mac": lambda wire: wire[:-3] + bytes((wire[-3] ^ 1,)) + wire[-2:],
        "one-bit-of-the-data": lambda wire: bytes((wire[0] ^ 1,)) + wire[1:],
        "another-status-word": lambda wire: wire[:-2] + b"\x62\x82",
        "an-error-with-data": lambda wire: wire[:-2] + b"\x6a\x80",
        "without-data": lambda wire: wire[16:],
        "plain": lambda _wire: b"plain text answer" + b"\x90\x00",
    }


@pytest.mark.parametrize("case", broken_answers())
def test_an_answer_that_is_not_verified_ends_the_channel_for_ever(case: str) -> None:
    change = broken_answers()[case]
    chip = Chip(
        lambda _data: (b"answer", 0x9000),
        change=lambda number, wire: change(wire) if number == 3 else wire,
    )
    session = opened(chip)
    with pytest.raises(SecureChannelError) as caught:
        session.transmit(GET)
    assert caught.value.code == "personalisation.secure-channel"
    assert not session.is_alive
    with pytest.raises(SecureChannelError):
        session.transmit(GET)
    assert len(chip.commands) == 3


@pytest.mark.parametrize(
    "padded", [bytes(16), b"\x01" * 16, b"\x80" + bytes(31)], ids=["zeros", "none", "too-much"]
)
def test_wrong_padding_under_a_right_mac_ends_the_channel(padded: bytes) -> None:
    chip = Chip()
    session = opened(chip)
    chip._change = lambda _number, _wire: chip.protected(b"", 0x9000, padded=padded)
    with pytest.raises(SecureChannelError):
        session.transmit(GET)
    assert not session.is_alive


def test_half_a_block_under_a_right_mac_ends_the_channel() -> None:
    chip = Chip()
    session = opened(chip)

    def half(_number: int, _wire: bytes) -> bytes:
        body = bytes(8)
        return body + cmac(chip._rmac, chip._chain + body + b"\x90\x00")[:8] + b"\x90\x00"

    chip._change = half
    with pytest.raises(SecureChannelError):
        session.transmit(GET)


def test_the_answer_to_the_last_command_is_not_taken_again() -> None:
    chip = Chip(lambda _data: (b"abc", 0x9000))
    session = opened(chip)
    session.transmit(GET)
    last = chip.protected(b"abc", 0x9000)
    chip._change = lambda _number, _wire: last
    with pytest.raises(SecureChannelError):
        session.transmit(GET)


def test_a_torn_command_ends_the_channel() -> None:
    def tear(number: int, wire: bytes) -> bytes:
        if number == 3:
            raise TransportError("gone")
        return wire

    session = opened(Chip(change=tear))
    with pytest.raises(TransportError):
        session.transmit(UPDATE)
    with pytest.raises(SecureChannelError):
        session.transmit(UPDATE)


NEW = Scp03Keys(enc=b"1" * 16, mac=b"2" * 16, dek=b"3" * 16)
CHECK_VALUES = b"".join(key_check_value(key) for key in (NEW.enc, NEW.mac, NEW.dek))


def test_new_keys_go_under_the_data_encryption_key() -> None:
    chip = Chip(lambda _data: (b"\x30" + CHECK_VALUES, 0x9000))
    opened(chip).replace_keys(NEW, new_key_version=0x30)
    assert chip.commands[-1][:4].hex() == "84d8ff81"
    (data,) = chip.received
    assert data[0] == 0x30
    parts = [data[start : start + 23] for start in range(1, len(data), 23)]
    for part, key in zip(parts, (NEW.enc, NEW.mac, NEW.dek), strict=True):
        assert part[:3] == b"\x88\x11\x10"
        decryptor = Cipher(AES(KEYS.dek), CBC(bytes(16))).decryptor()
        assert decryptor.update(part[3:19]) == key
        assert part[19:] == b"\x03" + key_check_value(key)


@pytest.mark.parametrize(
    "answer", [b"", b"\x31" + CHECK_VALUES, b"\x30" + CHECK_VALUES[:-1] + b"x"]
)
def test_a_chip_that_took_other_keys_is_found_out(answer: bytes) -> None:
    session = opened(Chip(lambda _data: (answer, 0x9000)))
    with pytest.raises(SecureChannelError):
        session.replace_keys(NEW, new_key_version=0x30)


def test_the_longest_command_fills_an_apdu() -> None:
    chip = Chip()
    session = opened(chip)
    size = session.max_command_data(None)
    assert size == 239
    session.transmit(CommandApdu(cla=0, ins=0xD6, p1=0, p2=0, data=bytes(size)))
    assert len(chip.commands) == 3
    assert session.max_command_data(4096) == 4063


def test_keys_are_checked_and_not_shown() -> None:
    with pytest.raises(CardDataError):
        Scp03Keys(enc=bytes(15), mac=bytes(16), dek=bytes(16))
    with pytest.raises(CardDataError):
        Scp03Keys(enc=bytes(16), mac=bytes(32), dek=bytes(16))
    session = opened(Chip())
    for key, code in ((bytes(15), "card.malformed"), (bytes(24), "personalisation.key-strength")):
        with pytest.raises(CardDataError) as caught:
            key_data(key, bytes(16))
        assert caught.value.code == code
    session_keys = SessionKeys.derive(KEYS, HOST_CHALLENGE, CARD_CHALLENGE)
    for shown in (repr(KEYS), repr(session_keys), repr(session)):
        assert "eeee" not in shown
        assert session_keys.enc.hex() not in shown
    assert repr(session) == "Scp03Session(alive)"


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8))
def test_the_answer_to_initialize_update_is_read_and_written_the_same(
    challenge: bytes, cryptogram: bytes
) -> None:
    data = SERIAL + b"\x30\x03\x60" + challenge + cryptogram
    assert InitializeUpdateResponse.from_bytes(data).to_bytes() == data


@given(st.binary(max_size=40))
def test_any_bytes_are_such_an_answer_or_a_data_error(data: bytes) -> None:
    try:
        value = InitializeUpdateResponse.from_bytes(data)
    except CardDataError:
        return
    assert value.to_bytes() == data
