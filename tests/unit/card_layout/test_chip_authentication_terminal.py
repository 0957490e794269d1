import pytest

from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.errors import AccessError, CardDataError, CardRefusedError
from card_layout.files.security_infos import (
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
)
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.channel import CardChannel
from card_layout.iso7816.secure_messaging import SecureMessagingSession
from card_layout.iso7816.triple_des import TripleDesSession
from card_layout.protocols.algorithms import SessionCipher
from card_layout.protocols.chip_authentication import (
    ChipNotProvenError,
    perform_chip_authentication,
)
from card_layout.protocols.generic_mapping import EphemeralKey
from card_layout.protocols.session_keys import open_session

CURVE = NamedCurve.SECP256R1
CHIP_KEY = EphemeralKey(curve=CURVE, scalar=4711)
TERMINAL_SCALAR = 815
INFO = ChipAuthenticationInfo(key_id=1)
KEY_INFO = ChipAuthenticationPublicKeyInfo(
    public_key=EcPublicKey(curve=CURVE, point=CHIP_KEY.public_point()), key_id=1
)


class PlainSession(SecureMessagingSession):
    """A session that protects nothing, so that a test sees what is said inside."""

    def __init__(self) -> None:
        super().__init__(bytes(16), bytes(16))

    def wrap(self, command: CommandApdu) -> CommandApdu:
        return command

    def unwrap(self, response: ResponseApdu) -> ResponseApdu:
        return response


class ScriptedConnection:
    def __init__(self, *answers: str) -> None:
        self._answers = [bytes.fromhex(answer) for answer in answers]
        self.commands: list[str] = []
        self.atr = b"\x3b\x80"

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command.hex().upper())
        return self._answers.pop(0)

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def perform(
    connection: ScriptedConnection,
    info: ChipAuthenticationInfo = INFO,
    key_info: ChipAuthenticationPublicKeyInfo = KEY_INFO,
) -> CardChannel:
    channel = CardChannel(connection)
    channel.session = PlainSession()
    perform_chip_authentication(
        channel, info=info, public_key_info=key_info, random_scalar=lambda _: TERMINAL_SCALAR
    )
    return channel


def test_the_new_session_has_the_keys_that_only_the_chip_can_make() -> None:
    connection = ScriptedConnection("9000", "7C009000")
    channel = perform(connection)
    own = EphemeralKey(curve=CURVE, scalar=TERMINAL_SCALAR).public_point()
    assert connection.commands == [
        "002241A40F800A04007F00070202030202840101",
        f"00860000457C438041{own.hex().upper()}00",
    ]
    assert channel.session is not None
    expected = open_session(CHIP_KEY.shared_x(own))
    command = CommandApdu(cla=0, ins=0xB0, p1=0x9E, p2=0, expected_length=16)
    assert channel.session.wrap(command) == expected.wrap(command)


def test_one_key_needs_no_name() -> None:
    connection = ScriptedConnection("9000", "7C009000")
    perform(connection, ChipAuthenticationInfo(key_id=None))
    assert connection.commands[0] == "002241A40C800A04007F00070202030202"


@pytest.mark.parametrize(
    "answers", [("6A81",), ("6A88",), ("9000", "6982")], ids=["mse", "no-key", "authenticate"]
)
def test_a_chip_that_says_no_keeps_its_session(answers: tuple[str, ...]) -> None:
    connection = ScriptedConnection(*answers)
    channel = CardChannel(connection)
    old = channel.session = PlainSession()
    with pytest.raises(CardRefusedError) as caught:
        perform_chip_authentication(channel, info=INFO, public_key_info=KEY_INFO)
    assert caught.value.code == "chip-authentication.not-performed"
    assert caught.value.status_word == int(answers[-1], 16)
    assert channel.session is old
    assert old.is_alive


@pytest.mark.parametrize("answer", ["9000", "7C0281009000", "7D009000", "8000" + "9000"])
def test_another_answer_than_an_empty_template_proves_nothing(answer: str) -> None:
    connection = ScriptedConnection("9000", answer)
    channel = CardChannel(connection)
    old = channel.session = PlainSession()
    with pytest.raises(ChipNotProvenError) as caught:
        perform_chip_authentication(channel, info=INFO, public_key_info=KEY_INFO)
    assert caught.value.code == "chip.not-proven"
    assert not old.is_alive


@pytest.mark.parametrize(
    "info",
    [
        ChipAuthenticationInfo(protocol="0.4.0.127.0.7.2.2.3.2.1", key_id=1),
        ChipAuthenticationInfo(version=2, key_id=1),
        ChipAuthenticationInfo(key_id=2),
    ],
    ids=["3des", "version-2", "another-key"],
)
def test_what_we_do_not_speak_is_not_sent(info: ChipAuthenticationInfo) -> None:
    connection = ScriptedConnection()
    with pytest.raises(CardDataError) as caught:
        perform(connection, info)
    assert caught.value.code == "chip-authentication.not-performed"
    assert not connection.commands


TRIPLE_DES = ChipAuthenticationInfo(protocol="0.4.0.127.0.7.2.2.3.2.1", key_id=1)


def test_with_3des_one_command_carries_the_key() -> None:
    connection = ScriptedConnection("9000")
    channel = CardChannel(connection)
    channel.session = PlainSession()
    perform_chip_authentication(
        channel,
        info=TRIPLE_DES,
        public_key_info=KEY_INFO,
        random_scalar=lambda _: TERMINAL_SCALAR,
        allow_triple_des=True,
    )
    own = EphemeralKey(curve=CURVE, scalar=TERMINAL_SCALAR).public_point()
    assert connection.commands == [f"002241A6469141{own.hex().upper()}840101"]
    assert isinstance(channel.session, TripleDesSession)
    assert channel.session.send_sequence_counter == 0
    expected = open_session(CHIP_KEY.shared_x(own), SessionCipher.TRIPLE_DES)
    command = CommandApdu(cla=0, ins=0xB0, p1=0x9E, p2=0, expected_length=16)
    assert channel.session.wrap(command) == expected.wrap(command)


def test_3des_is_allowed_by_name_only_and_answered_without_data() -> None:
    with pytest.raises(CardDataError, match="allowed"):
        perform(ScriptedConnection(), TRIPLE_DES)
    channel = CardChannel(ScriptedConnection("6A80"))
    channel.session = PlainSession()
    with pytest.raises(CardRefusedError):
        perform_chip_authentication(
            channel, info=TRIPLE_DES, public_key_info=KEY_INFO, allow_triple_des=True
        )


def test_without_a_session_nothing_is_sent() -> None:
    connection = ScriptedConnection()
    with pytest.raises(AccessError):
        perform_chip_authentication(CardChannel(connection), info=INFO, public_key_info=KEY_INFO)
    assert not connection.commands
