"""The commands of terminal authentication against a chip that a test writes down, answer by answer."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout.curves import NamedCurve
from card_layout.errors import AccessError, CardDataError, CardRefusedError
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.channel import CardChannel
from card_layout.protocols.terminal_authentication import (
    CertificateToShow,
    RefusedStep,
    SessionBinding,
    TerminalAuthenticationMalformedError,
    TerminalRefusedError,
    compress,
    perform_terminal_authentication,
)

CHAIN = (
    CertificateToShow(authority_reference=b"VNMEMBER00001", content=b"\x7f\x4e\x01A\x5f\x37\x01a"),
    CertificateToShow(authority_reference=b"VNOFFICES00001", content=b"\x7f\x4e\x01B\x5f\x37\x01b"),
)
POINT = NamedCurve.SECP256R1.generator
BINDING = SessionBinding(chip_key=POINT, terminal_key=b"\x04" + POINT[:0:-1])
CHALLENGE = bytes(range(8))
OK = b"\x90\x00"
GOOD = [OK, OK, OK, OK, OK, CHALLENGE + OK, OK]


class PlainSession:
    """A session whose protection is left out, so that commands can be looked at."""

    is_alive = True
    send_sequence_counter = 0

    def end(self) -> None:
        self.is_alive = False

    def max_response_data(self, limit: int) -> int:
        return limit

    def wrap(self, command: CommandApdu) -> CommandApdu:
        return command

    def unwrap(self, response: ResponseApdu) -> ResponseApdu:
        return response


class ScriptedChip:
    """Gives one answer after another and keeps the commands."""

    atr = b"\x3b\x00"

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = list(answers)
        self.sent: list[bytes] = []

    def transmit(self, command: bytes) -> bytes:
        self.sent.append(command)
        return self.answers.pop(0)

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def run(
    answers: list[bytes], sign: Callable[[bytes], bytes] = lambda _: b"R" * 32 + b"S" * 32
) -> ScriptedChip:
    chip = ScriptedChip(answers)
    channel = CardChannel(chip)
    channel.session = PlainSession()
    try:
        perform_terminal_authentication(
            channel, chain=CHAIN, holder_reference=b"VNGATE100001", binding=BINDING, sign=sign
        )
    except Exception as error:
        error.add_note(str(len(chip.sent)))
        raise
    return chip


def test_every_command_is_the_one_of_the_specification() -> None:
    signed: list[bytes] = []

    def sign(message: bytes) -> bytes:
        signed.append(message)
        return b"R" * 32 + b"S" * 32

    chip = run(GOOD, sign)
    assert chip.sent == [
        bytes.fromhex("002281B60F830D") + b"VNMEMBER00001",
        bytes.fromhex("002A00BE08") + CHAIN[0].content,
        bytes.fromhex("002281B610830E") + b"VNOFFICES00001",
        bytes.fromhex("002A00BE08") + CHAIN[1].content,
        bytes.fromhex("002281A40E830C") + b"VNGATE100001",
        bytes.fromhex("0084000008"),
        bytes.fromhex("0082000040") + b"R" * 32 + b"S" * 32,
    ]
    assert signed == [POINT[1:33] + CHALLENGE + BINDING.terminal_key[1:33]]


@pytest.mark.parametrize("at", range(7))
@pytest.mark.parametrize("status_word", [0x6300, 0x6982, 0x6985, 0x6A80, 0x6A88, 0x6D00, 0x9001])
def test_a_no_at_any_command_ends_it_with_a_code(at: int, status_word: int) -> None:
    answers = list(GOOD)
    answers[at] = status_word.to_bytes(2, "big")
    with pytest.raises(TerminalRefusedError) as raised:
        run(answers)
    assert raised.value.step is (RefusedStep.CHAIN if at < 4 else RefusedStep.TERMINAL)
    assert raised.value.code == raised.value.step.value
    assert raised.value.status_word == status_word
    assert raised.value.__notes__ == [str(at + 1)]


@pytest.mark.parametrize("challenge", [b"", b"1234567"])
def test_a_challenge_of_another_length_is_never_signed(challenge: bytes) -> None:
    answers = list(GOOD)
    answers[5] = challenge + OK

    def sign(_: bytes) -> bytes:
        raise AssertionError("it was signed")

    with pytest.raises(TerminalAuthenticationMalformedError):
        run(answers, sign)


@given(at=st.integers(0, 6), answer=st.binary(max_size=20))
def test_garbage_to_any_command_is_a_card_error_or_a_good_answer(at: int, answer: bytes) -> None:
    answers = list(GOOD)
    answers[at] = answer
    # The announced rest of an answer, and a command sent again, are answered as badly.
    answers += [answer] * 40
    try:
        run(answers)
    except (CardDataError, CardRefusedError):
        return
    assert answer[-2:] in (OK, b"") or answer[-2] in (0x61, 0x6C)


def test_without_a_session_nothing_is_sent() -> None:
    chip = ScriptedChip([])
    with pytest.raises(AccessError):
        perform_terminal_authentication(
            CardChannel(chip),
            chain=CHAIN,
            holder_reference=b"VNGATE100001",
            binding=BINDING,
            sign=lambda _: b"",
        )
    assert chip.sent == []


@pytest.mark.parametrize("point", [b"", b"\x04", b"\x02" + POINT[1:], POINT[:-1], POINT + b"\x00"])
def test_only_an_uncompressed_point_can_be_compressed(point: bytes) -> None:
    with pytest.raises(CardDataError):
        compress(point)


@pytest.mark.parametrize("curve", list(NamedCurve))
def test_comp_is_as_long_as_the_field(curve: NamedCurve) -> None:
    assert len(compress(curve.generator)) == (curve.p.bit_length() + 7) // 8
