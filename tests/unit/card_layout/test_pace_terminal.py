from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st

from card_layout import der, tlv
from card_layout.curves import NamedCurve
from card_layout.errors import AccessError, CardDataError, CardError, TransportError
from card_layout.files.security_infos import ID_PACE_ECDH_GM_AES_128, PaceInfo
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.channel import CardChannel
from card_layout.iso7816.commands import PasswordReference
from card_layout.iso7816.secure_messaging import SecureMessagingSession
from card_layout.protocols.generic_mapping import EphemeralKey, map_generator
from card_layout.protocols.pace import (
    PaceFailedError,
    PacePassword,
    PaceUnsupportedError,
    PasswordState,
    PasswordUnusableError,
    WrongPasswordError,
    authentication_token,
    perform_pace,
    unblock_pin,
)
from card_layout.protocols.session_keys import KeyPurpose, derive_key

P256 = PaceInfo(parameter_id=12)
CAN = PacePassword.can("123456")
PROTOCOL = der.encode_object_identifier(ID_PACE_ECDH_GM_AES_128)
OK = b"\x90\x00"


class CardPlayer:
    """An honest card of five answers, any of which a test may change; ``change(step, answer)``."""

    def __init__(
        self, change: Callable[[int, bytes, bytes], bytes] = lambda _step, _command, answer: answer
    ) -> None:
        self.atr = b"\x3b\x80"
        self.commands: list[bytes] = []
        self._change = change
        self._curve = NamedCurve.SECP256R1
        self._nonce = bytes(range(16))
        self._steps = iter((self._set, self._send_nonce, self._map, self._agree, self._confirm))

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        step = len(self.commands)
        if step > 5:
            raise TransportError("the card expects nothing more")
        return self._change(step, command, next(self._steps)(command))

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass

    def _set(self, _command: bytes) -> bytes:
        return OK

    def _send_nonce(self, _command: bytes) -> bytes:
        key = derive_key(b"123456", KeyPurpose.PASSWORD)
        encrypted = Cipher(AES(key), CBC(bytes(16))).encryptor().update(self._nonce)
        return answer_of(0x80, encrypted)

    def _key(self) -> EphemeralKey:
        return EphemeralKey(curve=self._curve)

    def _map(self, command: bytes) -> bytes:
        key = self._key()
        shared = key.multiply(object_in(command))
        self._generator = map_generator(self._curve, nonce=self._nonce, shared_point=shared)
        return answer_of(0x82, key.public_point())

    def _agree(self, command: bytes) -> bytes:
        key = self._key()
        self._theirs = object_in(command)
        self._own = key.multiply(self._generator)
        self._mac_key = derive_key(key.shared_x(self._theirs), KeyPurpose.MAC)
        return answer_of(0x84, self._own)

    def _confirm(self, command: bytes) -> bytes:
        if object_in(command) != authentication_token(self._mac_key, PROTOCOL, self._own):
            return b"\x63\x00"
        return answer_of(0x86, authentication_token(self._mac_key, PROTOCOL, self._theirs))


def answer_of(tag: int, value: bytes) -> bytes:
    return tlv.encode(0x7C, tlv.encode(tag, value)) + OK


def object_in(command: bytes) -> bytes:
    data = command[5 : 5 + command[4]]
    return tlv.parse(tlv.parse(data, expected_tag=0x7C).value).value


def at_step(number: int, answer: bytes) -> CardPlayer:
    return CardPlayer(lambda step, _command, honest: answer if step == number else honest)


def test_an_honest_card_is_opened() -> None:
    card = CardPlayer()
    channel = CardChannel(card)
    result = perform_pace(channel, pace_info=P256, password=CAN)
    assert result.password is PasswordReference.CAN
    assert result.curve is NamedCurve.SECP256R1
    assert result.pace_info is P256
    assert channel.session is not None
    assert channel.session.send_sequence_counter == 0
    assert [command[:4].hex() for command in card.commands] == [
        "0022c1a4",
        "10860000",
        "10860000",
        "10860000",
        "00860000",
    ]


def test_the_password_and_the_parameters_are_named() -> None:
    card = CardPlayer()
    perform_pace(CardChannel(card), pace_info=P256, password=CAN)
    assert card.commands[0].hex().upper() == "0022C1A412800A04007F0007020204020283010284010C"


def test_a_wrong_password_is_told_apart() -> None:
    channel = CardChannel(CardPlayer())
    with pytest.raises(WrongPasswordError) as caught:
        perform_pace(channel, pace_info=P256, password=PacePassword.can("123457"))
    assert caught.value.code == "access.wrong-password"
    assert channel.session is None
    assert "123457" not in str(caught.value)


def test_a_chip_that_counts_tries_says_wrong_password_too() -> None:
    with pytest.raises(WrongPasswordError):
        perform_pace(CardChannel(at_step(5, b"\x63\xc2")), pace_info=P256, password=CAN)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("status_word", ["6982", "6985", "6A80", "6D00", "6283"])
def test_a_refusal_anywhere_is_a_failed_pace(step: int, status_word: str) -> None:
    card = at_step(step, bytes.fromhex(status_word))
    channel = CardChannel(card)
    with pytest.raises(PaceFailedError) as caught:
        perform_pace(channel, pace_info=P256, password=CAN)
    assert caught.value.code == "access.pace-failed"
    assert len(card.commands) == step
    assert channel.session is None


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_6300_before_the_last_step_says_nothing_of_the_password(step: int) -> None:
    with pytest.raises(PaceFailedError):
        perform_pace(CardChannel(at_step(step, b"\x63\x00")), pace_info=P256, password=CAN)


GENERATOR = NamedCurve.SECP256R1.generator
BROKEN = {
    "empty-nonce": (2, answer_of(0x80, b"")),
    "short-nonce": (2, answer_of(0x80, bytes(15))),
    "long-nonce": (2, answer_of(0x80, bytes(32))),
    "no-data": (2, OK),
    "no-template": (2, tlv.encode(0x80, bytes(16)) + OK),
    "empty-template": (2, tlv.encode(0x7C, b"") + OK),
    "another-tag": (2, answer_of(0x81, bytes(16))),
    "two-objects": (
        2,
        tlv.encode(0x7C, tlv.encode(0x80, bytes(16)) * 2) + OK,
    ),
    "rubbish": (2, b"\xff\xff\xff" + OK),
    "mapping-key-off-curve": (3, answer_of(0x82, GENERATOR[:-1] + b"\x00")),
    "mapping-key-infinity": (3, answer_of(0x82, b"\x00")),
    "mapping-key-compressed": (3, answer_of(0x82, b"\x03" + GENERATOR[1:33])),
    "mapping-key-empty": (3, answer_of(0x82, b"")),
    "mapping-key-of-another-curve": (
        3,
        answer_of(0x82, NamedCurve.BRAINPOOLP256R1.generator),
    ),
    "agreement-key-off-curve": (4, answer_of(0x84, GENERATOR[:-1] + b"\x00")),
    "agreement-key-infinity": (4, answer_of(0x84, b"\x00")),
    "another-agreement-key": (4, answer_of(0x84, GENERATOR)),
    "token-of-zeros": (5, answer_of(0x86, bytes(8))),
    "empty-token": (5, answer_of(0x86, b"")),
    "token-in-another-object": (5, answer_of(0x85, bytes(8))),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_card_against_the_protocol_is_not_opened(case: str) -> None:
    step, answer = BROKEN[case]
    channel = CardChannel(at_step(step, answer))
    expected = WrongPasswordError if case == "another-agreement-key" else PaceFailedError
    with pytest.raises(expected):
        perform_pace(channel, pace_info=P256, password=CAN)
    assert channel.session is None


@pytest.mark.parametrize(("step", "tag"), [(3, 0x82), (4, 0x84)])
def test_our_own_public_key_is_not_taken_back(step: int, tag: int) -> None:
    card = CardPlayer(
        lambda number, command, honest: (
            answer_of(tag, object_in(command)) if number == step else honest
        )
    )
    with pytest.raises(PaceFailedError, match="our own public key"):
        perform_pace(CardChannel(card), pace_info=P256, password=CAN)
    assert len(card.commands) == step


def test_our_own_token_is_not_taken_back() -> None:
    card = CardPlayer(
        lambda step, command, honest: answer_of(0x86, object_in(command)) if step == 5 else honest
    )
    with pytest.raises(PaceFailedError, match="token is wrong"):
        perform_pace(CardChannel(card), pace_info=P256, password=CAN)


@pytest.mark.parametrize(
    "pace_info",
    [
        PaceInfo(protocol="0.4.0.127.0.7.2.2.4.3.2", parameter_id=12),
        PaceInfo(protocol="0.4.0.127.0.7.2.2.4.2.1", parameter_id=12),
        PaceInfo(version=1, parameter_id=12),
        PaceInfo(parameter_id=None),
        PaceInfo(parameter_id=0),
        PaceInfo(parameter_id=14),
    ],
    ids=["finite-field", "3des", "version-1", "own-domain", "dh-group", "p-320"],
)
def test_what_we_do_not_speak_is_refused_before_anything_is_sent(pace_info: PaceInfo) -> None:
    card = CardPlayer()
    with pytest.raises(PaceUnsupportedError) as caught:
        perform_pace(CardChannel(card), pace_info=pace_info, password=CAN)
    assert caught.value.code == "access.pace-unsupported"
    assert not card.commands


PIN = PacePassword.pin("123456")


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("6283", PasswordState.DEACTIVATED),
        ("63C0", PasswordState.BLOCKED),
        ("6983", PasswordState.BLOCKED),
        ("63C1", PasswordState.SUSPENDED),
    ],
)
def test_a_pin_that_takes_no_try_is_told_apart_and_none_is_spent(
    answer: str, state: PasswordState
) -> None:
    card = at_step(1, bytes.fromhex(answer))
    with pytest.raises(PasswordUnusableError) as caught:
        perform_pace(CardChannel(card), pace_info=P256, password=PIN)
    assert caught.value.state is state
    assert caught.value.code == f"access.password-{state.name.lower()}"
    assert len(card.commands) == 1


@pytest.mark.parametrize("answer", ["9000", "63C2", "63C3"])
def test_a_pin_with_tries_left_opens_the_card(answer: str) -> None:
    card = at_step(1, bytes.fromhex(answer))
    result = perform_pace(CardChannel(card), pace_info=P256, password=PIN)
    assert result.password is PasswordReference.PIN
    assert card.commands[0].hex().upper() == "0022C1A412800A04007F0007020204020283010384010C"


@pytest.mark.parametrize(("answer", "left"), [("6300", None), ("63C2", 2), ("63C0", 0)])
def test_the_tries_that_are_left_are_surfaced(answer: str, left: int | None) -> None:
    with pytest.raises(WrongPasswordError) as caught:
        perform_pace(CardChannel(at_step(5, bytes.fromhex(answer))), pace_info=P256, password=PIN)
    assert caught.value.tries_left == left


@pytest.mark.parametrize("answer", ["6A88", "6A80", "6300", "63D1"])
def test_a_card_without_such_a_password_fails(answer: str) -> None:
    with pytest.raises(PaceFailedError):
        perform_pace(CardChannel(at_step(1, bytes.fromhex(answer))), pace_info=P256, password=PIN)


def test_a_counter_says_nothing_about_a_password_that_is_not_counted() -> None:
    with pytest.raises(PaceFailedError):
        perform_pace(CardChannel(at_step(1, b"\x63\xc1")), pace_info=P256, password=CAN)


class PlainSession(SecureMessagingSession):
    """A session that protects nothing, so that a test sees what is said inside."""

    def __init__(self) -> None:
        super().__init__(bytes(16), bytes(16))

    def wrap(self, command: CommandApdu) -> CommandApdu:
        return command

    def unwrap(self, response: ResponseApdu) -> ResponseApdu:
        return response


def test_a_suspended_pin_is_tried_inside_the_session_of_the_can() -> None:
    channel = CardChannel(at_step(1, b"\x63\xc1"))
    outer = channel.session = PlainSession()
    perform_pace(channel, pace_info=P256, password=PIN)
    assert channel.session is not None
    assert channel.session is not outer


def test_a_wrong_pin_inside_a_session_ends_it() -> None:
    channel = CardChannel(at_step(5, b"\x63\xc0"))
    outer = channel.session = PlainSession()
    with pytest.raises(WrongPasswordError):
        perform_pace(channel, pace_info=P256, password=PIN)
    assert not outer.is_alive


def test_a_session_of_the_puk_unblocks_the_pin() -> None:
    class Obedient(CardPlayer):
        def transmit(self, command: bytes) -> bytes:
            self.commands.append(command)
            return OK

    card = Obedient()
    channel = CardChannel(card)
    with pytest.raises(AccessError, match="needs a session"):
        unblock_pin(channel)
    channel.session = PlainSession()
    unblock_pin(channel)
    assert [command.hex() for command in card.commands] == ["002c0303"]


@pytest.mark.parametrize("digits", ["", "1234", "12345678901234567", "12345a", "１２３４５"])
def test_a_pin_is_5_to_16_digits(digits: str) -> None:
    with pytest.raises(CardDataError) as caught:
        PacePassword.pin(digits)
    assert caught.value.code == "access.password-malformed"
    assert not digits or digits not in str(caught.value)


def test_a_puk_is_8_to_16_digits() -> None:
    assert PacePassword.puk("1234567890").reference is PasswordReference.PUK
    assert "1234567890" not in repr(PacePassword.puk("1234567890"))
    with pytest.raises(CardDataError):
        PacePassword.puk("1234567")


def test_a_card_that_goes_away_is_lost_not_failed() -> None:
    def vanish(step: int, _command: bytes, honest: bytes) -> bytes:
        if step == 3:
            raise TransportError("gone")
        return honest

    with pytest.raises(TransportError):
        perform_pace(CardChannel(CardPlayer(vanish)), pace_info=P256, password=CAN)


@pytest.mark.parametrize(
    "digits", ["", "12345", "1234567", "12345a", "12345\n", "１２３４５６", " 12345"]
)
def test_a_can_is_six_digits(digits: str) -> None:
    with pytest.raises(CardDataError) as caught:
        PacePassword.can(digits)
    assert caught.value.code == "access.password-malformed"
    assert not digits or digits not in str(caught.value)


def test_an_mrz_with_a_wrong_check_digit_is_refused() -> None:
    assert PacePassword.mrz("T22000129364081251010318").reference is PasswordReference.MRZ
    with pytest.raises(CardDataError):
        PacePassword.mrz("T22000129464081251010318")


def test_a_password_is_not_shown() -> None:
    assert "313233343536" not in repr(CAN)
    assert "123456" not in repr(CAN)


@given(st.integers(1, 5), st.binary(max_size=120))
def test_any_bytes_from_the_card_raise_only_our_errors(step: int, answer: bytes) -> None:
    channel = CardChannel(at_step(step, answer))
    with pytest.raises(CardError):
        perform_pace(channel, pace_info=P256, password=CAN)
    assert channel.session is None
