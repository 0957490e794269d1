import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout.errors import CardError, TransportError
from card_layout.iso7816 import triple_des
from card_layout.iso7816.channel import CardChannel
from card_layout.mrz import MrzError
from card_layout.protocols.basic_access_control import (
    BasicAccessControlError,
    perform_basic_access_control,
)
from card_layout.protocols.pace import WrongPasswordError

INFORMATION = "L898902C<369080619406236"
CHALLENGE = bytes(range(8))
SEED = bytes(range(16))
OK = b"\x90\x00"

Change = Callable[[int, bytes], bytes]


class Chip:
    """An honest chip of two answers, any of which a test may change; ``change(step, answer)``."""

    atr = b"\x3b\x80"

    def __init__(self, change: Change = lambda _step, answer: answer) -> None:
        self.commands: list[bytes] = []
        self._change = change
        digest = hashlib.sha1(INFORMATION.encode()).digest()[:16]  # noqa: S324 - what the standard fixes
        self.encryption_key, self.mac_key = (
            hashlib.sha1(digest + bytes((0, 0, 0, counter))).digest()[:16]  # noqa: S324 - the same
            for counter in (1, 2)
        )

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        if len(self.commands) == 1:
            return self._change(1, CHALLENGE + OK)
        if len(self.commands) > 2:
            raise TransportError("the chip expects nothing more")
        cryptogram, mac = command[5:37], command[37:45]
        if mac != self.authenticate(cryptogram):
            return self._change(2, b"\x63\x00")
        plain = triple_des.decrypt(self.encryption_key, cryptogram)
        assert plain[8:16] == CHALLENGE
        return self._change(2, self.sealed(CHALLENGE + plain[:8] + SEED) + OK)

    def sealed(self, plain: bytes) -> bytes:
        cryptogram = triple_des.encrypt(self.encryption_key, plain)
        return cryptogram + self.authenticate(cryptogram)

    def authenticate(self, cryptogram: bytes) -> bytes:
        return triple_des.retail_mac(self.mac_key, triple_des.pad(cryptogram))

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def at_step(number: int, answer: bytes) -> Chip:
    return Chip(lambda step, honest: answer if step == number else honest)


def test_an_honest_chip_is_opened() -> None:
    chip = Chip()
    channel = CardChannel(chip)
    perform_basic_access_control(
        channel, information=INFORMATION, random_bytes=lambda size: bytes((0xA0,)) * size
    )
    assert channel.session is not None
    assert channel.session.send_sequence_counter == int.from_bytes(
        CHALLENGE[4:] + b"\xa0" * 4, "big"
    )
    assert [command[:5].hex() for command in chip.commands] == ["0084000008", "0082000028"]


@pytest.mark.parametrize("status_word", ["6300", "63C2", "6982", "6988"])
def test_a_zone_of_another_card_is_told_apart(status_word: str) -> None:
    channel = CardChannel(at_step(2, bytes.fromhex(status_word)))
    with pytest.raises(WrongPasswordError) as caught:
        perform_basic_access_control(channel, information=INFORMATION)
    assert caught.value.code == "access.wrong-password"
    assert channel.session is None
    assert "L898902C" not in str(caught.value)


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("status_word", ["6985", "6A80", "6D00", "6700"])
def test_a_refusal_anywhere_is_a_failure(step: int, status_word: str) -> None:
    channel = CardChannel(at_step(step, bytes.fromhex(status_word)))
    with pytest.raises(BasicAccessControlError) as caught:
        perform_basic_access_control(channel, information=INFORMATION)
    assert caught.value.code == "access.bac-failed"
    assert channel.session is None


FRESH = b"\xa0" * 8
BROKEN = {
    "short-challenge": (1, bytes(7) + OK),
    "no-challenge": (1, OK),
    "short-answer": (2, bytes(39) + OK),
    "no-answer": (2, OK),
    "wrong-mac": (2, Chip().sealed(CHALLENGE + FRESH + SEED)[:-1] + b"\x00" + OK),
    "our-own-challenge-first": (2, Chip().sealed(FRESH + CHALLENGE + SEED) + OK),
    "another-challenge-of-its-own": (2, Chip().sealed(bytes(8) + FRESH + SEED) + OK),
    "an-old-challenge-of-ours": (2, Chip().sealed(CHALLENGE + bytes(8) + SEED) + OK),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_chip_against_the_protocol_is_not_opened(case: str) -> None:
    step, answer = BROKEN[case]
    channel = CardChannel(at_step(step, answer))
    with pytest.raises(BasicAccessControlError):
        perform_basic_access_control(
            channel, information=INFORMATION, random_bytes=lambda size: bytes((0xA0,)) * size
        )
    assert channel.session is None


def test_our_own_cryptogram_is_not_taken_back() -> None:
    class Mirror(Chip):
        def transmit(self, command: bytes) -> bytes:
            honest = super().transmit(command)
            return honest if len(self.commands) == 1 else command[5:45] + OK

    with pytest.raises(BasicAccessControlError, match="these challenges"):
        perform_basic_access_control(CardChannel(Mirror()), information=INFORMATION)


def test_a_zone_with_a_wrong_check_digit_is_not_sent() -> None:
    chip = Chip()
    with pytest.raises(MrzError):
        perform_basic_access_control(CardChannel(chip), information="L898902C<469080619406236")
    assert not chip.commands


@given(st.integers(1, 2), st.binary(max_size=60))
def test_any_bytes_from_the_chip_raise_only_our_errors(step: int, answer: bytes) -> None:
    channel = CardChannel(at_step(step, answer))
    with pytest.raises(CardError):
        perform_basic_access_control(channel, information=INFORMATION)
    assert channel.session is None
