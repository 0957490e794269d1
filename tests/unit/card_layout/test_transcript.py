import pytest

from card_layout.errors import TransportError
from card_layout.transport.connection import CardConnection
from card_layout.transport.transcript import RecordingConnection, Transcript


class FakeConnection:
    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.commands: list[bytes] = []
        self.is_closed = False
        self.resets = 0
        self.atr = b"\x3b\x80"

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        answer = self.answers.pop(0)
        if answer is None:
            raise TransportError("the card is gone")
        return answer

    def reset(self) -> bytes:
        self.resets += 1
        return self.atr

    def close(self) -> None:
        self.is_closed = True


def test_everything_passes_through() -> None:
    inner = FakeConnection(b"secret\x90\x00")
    connection = RecordingConnection(inner)
    assert isinstance(connection, CardConnection)
    assert connection.transmit(b"\x00\xb0\x00\x00\x06") == b"secret\x90\x00"
    assert inner.commands == [b"\x00\xb0\x00\x00\x06"]
    assert connection.atr == connection.reset() == inner.atr
    connection.close()
    assert (inner.resets, inner.is_closed, connection.apdu_count) == (1, True, 1)


def test_data_fields_are_not_kept() -> None:
    transcript = Transcript()
    connection = RecordingConnection(FakeConnection(b"answer\x90\x00"), transcript=transcript)
    connection.transmit(b"\x00\xda\x01\x01\x06123456")
    (exchange,) = transcript
    assert exchange.header == b"\x00\xda\x01\x01"
    assert (exchange.command_bytes, exchange.response_bytes) == (11, 8)
    assert exchange.status_word == 0x9000
    assert str(exchange) == "00 DA 01 01 (11 bytes) -> 9000 (8 bytes)"
    for kept in (repr(exchange), str(exchange), repr(vars(transcript))):
        assert "123456" not in kept
        assert "answer" not in kept


def test_an_exchange_without_answer_is_recorded_as_such() -> None:
    transcript = Transcript()
    connection = RecordingConnection(FakeConnection(None), transcript=transcript)
    with pytest.raises(TransportError):
        connection.transmit(b"\x00\xb0\x00\x00\x00")
    (exchange,) = transcript
    assert exchange.response_bytes is None
    assert exchange.status_word is None
    assert str(exchange).endswith("-> no answer")
    assert connection.apdu_count == 1


def test_an_answer_too_short_for_a_status_word_has_none() -> None:
    transcript = Transcript()
    transcript.add(b"\x00\xb0\x00\x00", b"\x90")
    (exchange,) = transcript
    assert (exchange.response_bytes, exchange.status_word) == (1, None)


def test_a_transcript_is_bounded_and_goes_on_counting() -> None:
    transcript = Transcript(max_exchanges=2)
    for _ in range(5):
        transcript.add(b"\x00\xb0\x00\x00", b"\x90\x00")
    assert len(list(transcript)) == 2
    assert len(transcript) == 5
