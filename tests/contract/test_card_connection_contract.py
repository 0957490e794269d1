"""What every reader and every connection owes, whatever is behind it (card_layout.transport.connection)."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from card_layout.errors import NoCardError, TransportError
from card_layout.transport.connection import CardConnection, CardReader
from card_layout.transport.readers import list_readers, open_reader, wait_for_card, wait_for_removal
from card_layout.transport.transcript import RecordingConnection
from simulators.connection import SimulatedReader
from simulators.hopper import Hopper
from simulators.image import CardImage
from simulators.vpcd import FIRST_PORT, VirtualIcc

SLOT = 1
PCSC_READER = "Virtual PCD 00 01"
SECONDS = 10

READ_CARD_ACCESS = bytes.fromhex("00B09C0000")
SELECT_APPLICATION = bytes.fromhex("00A4040C07A0000002471001")
SELECT_DATA_GROUP_1 = bytes.fromhex("00A4020C020101")


class RecordingReader:
    """A reader whose connections are recorded."""

    def __init__(self, inner: CardReader) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        return self._inner.name

    def is_card_present(self) -> bool:
        return self._inner.is_card_present()

    def connect(self) -> CardConnection:
        return RecordingConnection(self._inner.connect())


@contextlib.contextmanager
def behind_pcsc(path: Path) -> Iterator[CardReader]:
    if PCSC_READER not in list_readers():
        pytest.skip(f"pcscd does not run, or has no reader {PCSC_READER!r} (vsmartcard-vpcd)")
    stop = threading.Event()
    slot = VirtualIcc(
        slot=SLOT,
        port=FIRST_PORT + SLOT,
        hopper=Hopper([path]),
        report=lambda _line: None,
        stop=stop,
    )
    thread = threading.Thread(target=slot.run)
    thread.start()
    reader = open_reader(PCSC_READER)
    try:
        assert wait_for_card(reader, timeout_seconds=SECONDS)
        yield reader
    finally:
        stop.set()
        slot.interrupt()
        thread.join()
        wait_for_removal(reader, timeout_seconds=SECONDS)


@pytest.fixture(
    params=[
        "in-process",
        "recorded",
        pytest.param("pcsc", marks=pytest.mark.pcsc),
    ]
)
def reader(
    request: pytest.FixtureRequest, tmp_path: Path, issued_card: CardImage
) -> Iterator[CardReader]:
    path = tmp_path / "card.json"
    issued_card.save(path)
    if request.param == "pcsc":
        with behind_pcsc(path) as found:
            yield found
    else:
        simulated = SimulatedReader(path)
        yield RecordingReader(simulated) if request.param == "recorded" else simulated


def test_reader_and_connection_have_the_shape_of_the_port(reader: CardReader) -> None:
    assert isinstance(reader, CardReader)
    assert reader.name
    connection = reader.connect()
    assert isinstance(connection, CardConnection)
    connection.close()


def test_a_card_that_lies_in_the_reader_is_present(reader: CardReader) -> None:
    assert reader.is_card_present()


def test_commands_go_and_answers_come_as_the_card_sends_them(
    reader: CardReader, issued_card: CardImage
) -> None:
    connection = reader.connect()
    assert connection.atr == issued_card.atr
    expected = issued_card.files["3F00/011C"].data + b"\x90\x00"
    assert connection.transmit(READ_CARD_ACCESS) == expected
    assert connection.transmit(bytes.fromhex("00840000")) == b"\x6d\x00"
    connection.close()


def test_a_reset_makes_the_card_forget_what_was_selected(
    reader: CardReader, issued_card: CardImage
) -> None:
    connection = reader.connect()
    assert connection.transmit(SELECT_APPLICATION) == b"\x90\x00"
    assert connection.transmit(SELECT_DATA_GROUP_1) == b"\x90\x00"
    assert connection.reset() == issued_card.atr == connection.atr
    assert connection.transmit(SELECT_DATA_GROUP_1) == b"\x6a\x82"
    connection.close()


def test_a_closed_connection_sends_nothing_and_closes_again_without_harm(
    reader: CardReader,
) -> None:
    connection = reader.connect()
    connection.close()
    connection.close()
    with pytest.raises(TransportError):
        connection.transmit(READ_CARD_ACCESS)
    with pytest.raises(TransportError):
        connection.reset()


def test_a_card_in_use_is_not_given_twice(reader: CardReader) -> None:
    connection = reader.connect()
    with pytest.raises(NoCardError) as caught:
        reader.connect()
    assert caught.value.code == "transport.reader-busy"
    assert connection.transmit(READ_CARD_ACCESS).endswith(b"\x90\x00")
    connection.close()
