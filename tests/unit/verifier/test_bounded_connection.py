"""A reader that hangs, fails or comes back late never keeps an inspection waiting."""

import threading
import time

import pytest

from card_layout.errors import NoCardError, TransportError
from card_layout.iso7816.channel import ReadingLimitError
from card_layout.transport.connection import CardConnection, CardReader
from verifier.reading.bounded import BoundedConnection, Deadline


class HangingConnection:
    """Answers every command with 9000, but hangs on the one that is given."""

    def __init__(self, hang_on: bytes | None = None) -> None:
        self.hang_on = hang_on
        self.release = threading.Event()
        self.closed = threading.Event()
        self.atr = b"\x3b\x00"

    def transmit(self, command: bytes) -> bytes:
        if command == self.hang_on:
            self.release.wait(10)
        if command == b"lost":
            raise TransportError("the card is gone")
        return b"\x90\x00"

    def reset(self) -> bytes:
        return b"\x3b\x01"

    def close(self) -> None:
        self.closed.set()


class OneReader:
    """Connects to what it is given, or fails as it is told."""

    name = "one"

    def __init__(self, connection: HangingConnection, error: Exception | None = None) -> None:
        self.connection = connection
        self.error = error

    def is_card_present(self) -> bool:
        return True

    def connect(self) -> CardConnection:
        if self.error is not None:
            raise self.error
        return self.connection


def deadline(seconds: float = 5.0) -> Deadline:
    return Deadline(seconds, time.monotonic)


def test_it_is_a_connection_like_any_other() -> None:
    inner = HangingConnection()
    assert isinstance(OneReader(inner), CardReader)
    connection = BoundedConnection(OneReader(inner), deadline())
    assert isinstance(connection, CardConnection)
    assert connection.atr == b"\x3b\x00"
    assert connection.transmit(b"command") == b"\x90\x00"
    assert connection.reset() == connection.atr == b"\x3b\x01"
    connection.close()
    connection.close()
    assert inner.closed.is_set()
    with pytest.raises(TransportError):
        connection.transmit(b"command")


def test_errors_come_through_as_they_are() -> None:
    inner = HangingConnection()
    connection = BoundedConnection(OneReader(inner), deadline())
    with pytest.raises(TransportError, match="the card is gone"):
        connection.transmit(b"lost")
    connection.close()
    error = NoCardError("no card")
    with pytest.raises(NoCardError, match="no card"):
        BoundedConnection(OneReader(inner, error), deadline())


def test_a_call_that_hangs_ends_with_the_deadline_and_closes_the_card_when_it_comes_back() -> None:
    inner = HangingConnection(hang_on=b"hang")
    connection = BoundedConnection(OneReader(inner), deadline(0.05))
    with pytest.raises(ReadingLimitError):
        connection.transmit(b"hang")
    with pytest.raises(TransportError):
        connection.transmit(b"after")
    assert not inner.closed.is_set()
    inner.release.set()
    assert inner.closed.wait(5)
    connection.close()


def test_a_deadline_counts_by_the_clock_that_it_was_given() -> None:
    seconds = [100.0]
    bound = Deadline(10, lambda: seconds[0])
    bound.check()
    seconds[0] = 109.9
    bound.check()
    seconds[0] = 110.0
    assert bound.seconds_left == 0
    with pytest.raises(ReadingLimitError) as caught:
        bound.check()
    assert caught.value.code == "reading.limit"
