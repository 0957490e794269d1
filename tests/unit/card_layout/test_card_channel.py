import pytest

from card_layout.errors import CardDataError, CardRefusedError, TransportError
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.channel import (
    CardChannel,
    ChannelLimits,
    ExtendedLengths,
    ReadingLimitError,
)
from card_layout.iso7816.secure_messaging import SecureMessagingError, SecureMessagingSession

READ = CommandApdu(cla=0x00, ins=0xB0, p1=0x00, p2=0x00, expected_length=256)
PUT = CommandApdu(cla=0x80, ins=0xDA, p1=0x01, p2=0x02, data=b"\x01" * 16)
EXTENDED = ExtendedLengths(max_command_bytes=4096, max_response_bytes=4096)


class ScriptedConnection:
    """Answers with what it was given, in order; the last answer again and again where it is told so."""

    def __init__(self, *answers: bytes, is_endless: bool = False) -> None:
        self._answers = list(answers)
        self._is_endless = is_endless
        self.commands: list[bytes] = []
        self.resets = 0
        self.atr = b"\x3b\x80"

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        if self._is_endless and len(self._answers) == 1:
            return self._answers[0]
        if not self._answers:
            raise TransportError("the card is gone")
        return self._answers.pop(0)

    def reset(self) -> bytes:
        self.resets += 1
        return self.atr

    def close(self) -> None:
        pass


def session() -> SecureMessagingSession:
    return SecureMessagingSession(bytes(16), bytes(16))


def test_a_short_command_goes_out_short() -> None:
    connection = ScriptedConnection(b"abc\x90\x00")
    channel = CardChannel(connection)
    assert channel.transmit(READ) == ResponseApdu(b"abc", 0x9000)
    assert connection.commands == [bytes.fromhex("00B0000000")]
    assert channel.apdu_count == 1


def test_a_short_command_goes_out_short_although_the_card_takes_extended_ones() -> None:
    connection = ScriptedConnection(b"\x90\x00")
    channel = CardChannel(connection)
    channel.extended = EXTENDED
    channel.transmit(PUT)
    assert connection.commands == [PUT.to_bytes(extended=False)]


def test_a_long_command_goes_out_extended_where_the_card_announced_it() -> None:
    connection = ScriptedConnection(b"\x90\x00")
    channel = CardChannel(connection)
    channel.extended = EXTENDED
    command = CommandApdu(cla=0x00, ins=0xD6, p1=0, p2=0, data=bytes(4087))
    channel.transmit(command)
    assert connection.commands == [command.to_bytes()]
    assert len(connection.commands[0]) == 4094


def test_a_long_command_is_chained_where_the_card_did_not_announce_extended_lengths() -> None:
    connection = ScriptedConnection(b"\x90\x00", b"\x90\x00", b"xy\x90\x00")
    channel = CardChannel(connection)
    data = bytes(range(256)) * 2
    command = CommandApdu(cla=0x0C, ins=0xD6, p1=1, p2=2, data=data, expected_length=65536)
    assert channel.transmit(command).data == b"xy"
    first, second, last = connection.commands
    assert first == b"\x1c\xd6\x01\x02\xff" + data[:255]
    assert second == b"\x1c\xd6\x01\x02\xff" + data[255:510]
    assert last == b"\x0c\xd6\x01\x02\x02" + data[510:] + b"\x00"
    assert channel.apdu_count == 3


def test_a_chain_with_extended_lengths_has_parts_of_the_announced_size() -> None:
    connection = ScriptedConnection(b"\x90\x00", b"\x90\x00")
    channel = CardChannel(connection)
    channel.extended = EXTENDED
    channel.transmit(CommandApdu(cla=0x00, ins=0xD6, p1=0, p2=0, data=bytes(5000)))
    assert all(len(command) <= 4096 for command in connection.commands)


def test_a_refused_part_ends_the_chain() -> None:
    connection = ScriptedConnection(b"\x90\x00", b"\x68\x84")
    channel = CardChannel(connection)
    command = CommandApdu(cla=0x00, ins=0xD6, p1=0, p2=0, data=bytes(700))
    assert channel.transmit(command).status_word == 0x6884
    assert len(connection.commands) == 2


def test_a_command_that_sets_bit_5_of_cla_itself_is_not_chained() -> None:
    connection = ScriptedConnection()
    command = CommandApdu(cla=0x10, ins=0x86, p1=0, p2=0, data=bytes(256))
    with pytest.raises(CardDataError, match="bit 5"):
        CardChannel(connection).transmit(command)
    assert not connection.commands


def test_waiting_bytes_are_fetched() -> None:
    connection = ScriptedConnection(b"\x61\x00", bytes(256) + b"\x61\x03", b"end\x90\x00")
    channel = CardChannel(connection)
    assert channel.transmit(PUT) == ResponseApdu(bytes(256) + b"end", 0x9000)
    assert connection.commands[1:] == [bytes.fromhex("00C0000000"), bytes.fromhex("00C0000003")]


def test_a_wrong_length_is_corrected_once() -> None:
    connection = ScriptedConnection(b"\x6c\x05", b"12345\x90\x00")
    assert CardChannel(connection).transmit(READ).data == b"12345"
    assert connection.commands[1] == bytes.fromhex("00B0000005")


def test_a_card_that_corrects_again_and_again_is_not_followed() -> None:
    connection = ScriptedConnection(b"\x6c\x05", is_endless=True)
    assert CardChannel(connection).transmit(READ).status_word == 0x6C05
    assert len(connection.commands) == 2


@pytest.mark.parametrize(
    "answer", [b"\x61\x10", b"\x6c\x10", b"a\x61\x01"], ids=["61", "6C", "61-with-data"]
)
def test_endless_get_response_is_bounded(answer: bytes) -> None:
    connection = ScriptedConnection(b"\x61\x10", answer, is_endless=True)
    channel = CardChannel(connection)
    with pytest.raises(ReadingLimitError) as caught:
        channel.transmit(PUT)
    assert caught.value.code == "reading.limit"
    assert channel.apdu_count == 1 + 32


def test_32_times_get_response_are_still_allowed() -> None:
    connection = ScriptedConnection(*[b"\x61\x01"] * 32, b"z\x90\x00")
    assert CardChannel(connection).transmit(PUT).data == b"z"


def test_an_answer_collected_in_pieces_is_bounded_in_bytes() -> None:
    connection = ScriptedConnection(b"\x61\x00", bytes(256) + b"\x61\x00", is_endless=True)
    channel = CardChannel(connection, limits=ChannelLimits(max_response_bytes=1000))
    with pytest.raises(ReadingLimitError):
        channel.transmit(PUT)
    assert channel.apdu_count == 5


def test_the_number_of_apdus_is_bounded() -> None:
    connection = ScriptedConnection(b"\x90\x00", is_endless=True)
    channel = CardChannel(connection, limits=ChannelLimits(max_apdus=3))
    for _ in range(3):
        channel.transmit(PUT)
    with pytest.raises(ReadingLimitError):
        channel.transmit(PUT)
    assert len(connection.commands) == 3


def test_the_deadline_is_asked_before_every_apdu() -> None:
    times_asked = 0

    def deadline() -> None:
        nonlocal times_asked
        times_asked += 1
        if times_asked == 3:
            raise ReadingLimitError("10 s are over")

    connection = ScriptedConnection(b"\x61\x01", is_endless=True)
    with pytest.raises(ReadingLimitError):
        CardChannel(connection, deadline=deadline).transmit(PUT)
    assert len(connection.commands) == 2


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (READ, bytes(257) + b"\x90\x00"),
        (READ.with_expected_length(4), b"12345\x90\x00"),
        (PUT, b"1\x90\x00"),
        (READ, b""),
        (READ, b"\x90"),
        (READ, b"\x00\x00"),
        (READ, bytes(70000)),
    ],
    ids=["too-long", "one-too-long", "unasked", "empty", "one-byte", "no-status", "huge"],
)
def test_an_answer_that_is_none_is_refused(command: CommandApdu, answer: bytes) -> None:
    with pytest.raises(CardDataError) as caught:
        CardChannel(ScriptedConnection(answer)).transmit(command)
    assert caught.value.code == "card.malformed-response"


def test_an_answer_collected_beyond_le_is_refused() -> None:
    connection = ScriptedConnection(b"12345678\x61\x08", b"12345678\x90\x00")
    with pytest.raises(CardDataError) as caught:
        CardChannel(connection).transmit(READ.with_expected_length(10))
    assert caught.value.code == "card.malformed-response"


def test_require_gives_data_or_says_what_was_refused() -> None:
    assert CardChannel(ScriptedConnection(b"a\x90\x00")).require(READ) == b"a"
    assert CardChannel(ScriptedConnection(b"a\x62\x82")).require(READ, 0x9000, 0x6282) == b"a"
    with pytest.raises(CardRefusedError) as caught:
        CardChannel(ScriptedConnection(b"\x6a\x82")).require(READ)
    assert caught.value.status_word == 0x6A82
    assert "6A82" in str(caught.value)


def test_more_than_short_is_asked_only_of_a_card_with_extended_lengths() -> None:
    connection = ScriptedConnection(b"\x90\x00", b"\x90\x00")
    channel = CardChannel(connection)
    channel.transmit(READ.with_expected_length(5000))
    channel.extended = EXTENDED
    channel.transmit(READ.with_expected_length(5000))
    assert connection.commands == [
        bytes.fromhex("00B0000000"),
        bytes.fromhex("00B00000001388"),
    ]


def test_how_much_an_answer_brings_depends_on_lengths_and_session() -> None:
    channel = CardChannel(ScriptedConnection())
    assert channel.max_response_data == 256
    channel.session = session()
    assert channel.max_response_data == 223
    channel.extended = EXTENDED
    assert channel.max_response_data == 4063
    channel.session = None
    assert channel.max_response_data == 4094


@pytest.mark.parametrize(
    ("name", "value"), [("max_command_bytes", 260), ("max_response_bytes", 257)]
)
def test_announced_lengths_too_small_to_be_extended_are_refused(name: str, value: int) -> None:
    values = {"max_command_bytes": 4096, "max_response_bytes": 4096, name: value}
    with pytest.raises(CardDataError, match=name):
        ExtendedLengths(**values)


def test_in_a_session_commands_are_protected_and_plain_answers_end_it() -> None:
    connection = ScriptedConnection(b"\x69\x88", b"abc\x90\x00")
    channel = CardChannel(connection)
    channel.session = session()
    with pytest.raises(SecureMessagingError):
        channel.transmit(READ)
    assert connection.commands[0][0] == 0x0C
    # Nothing goes out in plain although the session is over.
    with pytest.raises(SecureMessagingError):
        channel.transmit(READ)
    assert len(connection.commands) == 1


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x90", b"\x00\x00", bytes(300) + b"\x90\x00", b"\x6c\x10"],
    ids=["empty", "one-byte", "no-status", "too-long", "corrected-length"],
)
def test_rubbish_in_a_session_is_the_session_s_error(answer: bytes) -> None:
    connection = ScriptedConnection(answer)
    channel = CardChannel(connection)
    channel.session = session()
    with pytest.raises(SecureMessagingError) as caught:
        channel.transmit(READ)
    assert caught.value.code == "access.secure-messaging"
    assert not channel.session.is_alive
    assert len(connection.commands) == 1


@pytest.mark.parametrize(
    ("connection", "error"),
    [
        (ScriptedConnection(), TransportError),
        (ScriptedConnection(b"\x61\x01", is_endless=True), ReadingLimitError),
    ],
    ids=["torn", "endless"],
)
def test_an_exchange_that_breaks_off_ends_the_session(
    connection: ScriptedConnection, error: type[Exception]
) -> None:
    channel = CardChannel(connection)
    channel.session = session()
    with pytest.raises(error):
        channel.transmit(READ)
    assert not channel.session.is_alive
    with pytest.raises(SecureMessagingError):
        channel.transmit(READ)


def test_a_reset_ends_the_session_and_opens_the_way_in_plain() -> None:
    connection = ScriptedConnection(b"abc\x90\x00")
    channel = CardChannel(connection)
    ended = channel.session = session()
    assert channel.reset() == connection.atr == channel.atr
    assert not ended.is_alive
    assert channel.transmit(READ).data == b"abc"
    assert connection.commands == [READ.to_bytes()]
