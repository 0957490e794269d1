"""A reader that hangs, fails or comes back late never keeps an inspection waiting."""

import threading
import time
from collections.abc import Callable

import pytest

from card_layout.errors import NoCardError, TransportError
from card_layout.iso7816.channel import ReadingLimitError
from card_layout.transport.connection import CardConnection, CardReader
from verifier.reading.bounded import Deadline, run_bounded


class HangingConnection:
    """Answers every command with 9000, but hangs on the one that is given."""

    def __init__(self, hang_on: bytes | None = None) -> None:
        self.hang_on = hang_on
        self.release = threading.Event()
        self.closed = threading.Event()
        self.commands: list[bytes] = []
        self.atr = b"\x3b\x00"

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        if command == self.hang_on:
            self.release.wait(10)
        if command == b"lost":
            raise TransportError("the card is gone")
        return b"\x90\x00"

    def reset(self) -> bytes:
        self.commands.append(b"reset")
        if self.hang_on == b"reset":
            self.release.wait(10)
        return b"\x3b\x01"

    def close(self) -> None:
        self.closed.set()


class OneReader:
    """Connects to what it is given, or fails or hangs as it is told."""

    name = "one"

    def __init__(
        self, connection: HangingConnection, error: Exception | None = None, *, hangs: bool = False
    ) -> None:
        self.connection = connection
        self.error = error
        self.hangs = hangs

    def is_card_present(self) -> bool:
        return True

    def connect(self) -> CardConnection:
        if self.hangs:
            self.connection.release.wait(10)
        if self.error is not None:
            raise self.error
        return self.connection


def deadline(seconds: float = 5.0) -> Deadline:
    return Deadline(seconds, time.monotonic)


def never() -> None:
    pytest.fail("the reading was cut off")


def test_the_work_gets_a_reader_like_any_other() -> None:
    inner = HangingConnection()
    seen: list[object] = []

    def work(reader: CardReader) -> None:
        assert isinstance(reader, CardReader)
        connection = reader.connect()
        assert isinstance(connection, CardConnection)
        seen.extend((reader.name, reader.is_card_present(), connection.atr))
        seen.extend((connection.transmit(b"command"), connection.reset()))
        connection.close()

    run_bounded(work, reader=OneReader(inner), deadline=deadline(), cut=never)
    assert seen == ["one", True, b"\x3b\x00", b"\x90\x00", b"\x3b\x01"]
    assert inner.closed.is_set()


def test_all_of_the_work_runs_in_one_other_thread() -> None:
    threads: set[threading.Thread] = set()

    class Watching(HangingConnection):
        def transmit(self, command: bytes) -> bytes:
            threads.add(threading.current_thread())
            return super().transmit(command)

    def work(reader: CardReader) -> None:
        threads.add(threading.current_thread())
        connection = reader.connect()
        for _ in range(3):
            connection.transmit(b"command")

    run_bounded(work, reader=OneReader(Watching()), deadline=deadline(), cut=never)
    (thread,) = threads
    assert thread is not threading.current_thread()
    assert thread.daemon, "a hanging driver would keep the program from ending"
    assert not thread.is_alive()


@pytest.mark.parametrize("error", [NoCardError("no card"), KeyboardInterrupt(), SystemExit(3)])
def test_whatever_is_raised_comes_through_as_it_is(error: BaseException) -> None:
    def work(_: CardReader) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        run_bounded(work, reader=OneReader(HangingConnection()), deadline=deadline(), cut=never)
    assert caught.value is error


def test_the_errors_of_reader_and_card_reach_the_work() -> None:
    def connecting(reader: CardReader) -> None:
        reader.connect()

    def transmitting(reader: CardReader) -> None:
        reader.connect().transmit(b"lost")

    inner = HangingConnection()
    no_card = OneReader(inner, NoCardError("no card"))
    with pytest.raises(NoCardError, match="no card"):
        run_bounded(connecting, reader=no_card, deadline=deadline(), cut=never)
    with pytest.raises(TransportError, match="the card is gone"):
        run_bounded(transmitting, reader=OneReader(inner), deadline=deadline(), cut=never)


def _transmit(connection: CardConnection) -> None:
    connection.transmit(b"hang")


def _reset(connection: CardConnection) -> None:
    connection.reset()


@pytest.mark.parametrize(("call", "hang_on"), [(_transmit, b"hang"), (_reset, b"reset")])
def test_a_call_that_hangs_ends_with_the_deadline_and_the_card_is_let_go_of_when_it_comes_back(
    call: Callable[[CardConnection], None], hang_on: bytes
) -> None:
    inner = HangingConnection(hang_on=hang_on)
    cuts: list[str] = []
    late: list[str] = []

    def work(reader: CardReader) -> None:
        connection = reader.connect()
        try:
            # The late answer is an error, and so are further commands of somebody who goes on all the same.
            for again in (call, _transmit, _reset):
                try:
                    again(connection)
                except ReadingLimitError as error:
                    late.append(error.code)
        finally:
            connection.close()

    run_bounded(
        work, reader=OneReader(inner), deadline=deadline(0.05), cut=lambda: cuts.append("cut")
    )
    assert cuts == ["cut"]
    assert not inner.closed.is_set()
    assert late == []
    inner.release.set()
    assert inner.closed.wait(5)
    assert late == ["reading.limit"] * 3
    assert inner.commands == [hang_on], "an abandoned reading sent something to the card"


def test_a_reader_that_connects_too_late_lets_go_of_the_card_at_once() -> None:
    inner = HangingConnection()
    ended = threading.Event()

    def work(reader: CardReader) -> None:
        try:
            with pytest.raises(ReadingLimitError):
                reader.connect()
        finally:
            ended.set()

    cuts: list[str] = []
    run_bounded(
        work,
        reader=OneReader(inner, hangs=True),
        deadline=deadline(0.05),
        cut=lambda: cuts.append("cut"),
    )
    assert cuts == ["cut"]
    inner.release.set()
    assert ended.wait(5)
    assert inner.closed.is_set()


def test_somebody_who_stops_waiting_abandons_the_reading() -> None:
    inner = HangingConnection(hang_on=b"hang")

    def work(reader: CardReader) -> None:
        connection = reader.connect()
        try:
            connection.transmit(b"hang")
            connection.transmit(b"after")
        finally:
            connection.close()

    class Interrupted(Deadline):
        @property
        def seconds_left(self) -> float:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_bounded(
            work, reader=OneReader(inner), deadline=Interrupted(5, time.monotonic), cut=never
        )
    inner.release.set()
    assert inner.closed.wait(5)
    assert b"after" not in inner.commands


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
