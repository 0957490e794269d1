"""Virtual cards through the real PC/SC stack: pcscd, vsmartcard's driver, pyscard.

The tests put cards into the first slot of the driver that runs on this machine; where it does not run, or the slot is
taken, they are skipped with the reason.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from card_layout.atr import LifeCycle, encode_atr
from card_layout.errors import NoCardError, TransportError
from card_layout.profile import load_profile
from card_layout.transport.connection import CardConnection, CardReader
from card_layout.transport.readers import (
    list_readers,
    open_reader,
    wait_for_card,
    wait_for_removal,
)
from simulators.blank import blank_image
from simulators.faults import Fault, FaultKind
from simulators.hopper import Hopper
from simulators.image import CardImage, ImageFile, ReadRule
from simulators.vpcd import Serving, VirtualIcc

pytestmark = pytest.mark.pcsc

READER = "Virtual PCD 00 00"
READ = bytes.fromhex("00B0850000")
CONTENT = bytes(range(200))
LONG_CONTENT = bytes(range(256)) * 15


@pytest.fixture
def reader() -> CardReader:
    if READER not in list_readers():
        pytest.skip(f"pcscd does not run here with vsmartcard-vpcd: no reader {READER!r}")
    found = open_reader(READER)
    # pcscd notices only at its next look that a card of the test before is gone.
    if not wait_for_removal(found, timeout_seconds=5):
        pytest.skip(f"somebody else's card is in {READER!r}")
    return found


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    profile = load_profile("membercard-1-icao")
    paths = []
    for number in range(3):
        image = blank_image(
            profile, serial=bytes((number,)) * 10, transport_master_key=bytes(range(32))
        )
        image = image.with_file(
            "3F00/0105",
            ImageFile(data=CONTENT, read=ReadRule.ALWAYS, short_identifier=5, capacity=200),
        ).with_file(
            "3F00/0106",
            ImageFile(data=LONG_CONTENT, read=ReadRule.ALWAYS, short_identifier=6, capacity=4000),
        )
        path = tmp_path / f"{number}.json"
        image.save(path)
        paths.append(path)
    return paths


@contextmanager
def in_slot(paths: list[Path]) -> Iterator[threading.Thread]:
    stop = threading.Event()
    slot = VirtualIcc(slot=0, hopper=Hopper(paths), report=lambda _: None, stop=stop)
    service = Serving([slot], stop=stop)
    thread = threading.Thread(target=lambda: service.run(until_empty=True))
    thread.start()
    try:
        yield thread
    finally:
        service.end()
        thread.join(10)
        assert not thread.is_alive()


def serial_in(connection: CardConnection) -> int:
    answer = connection.transmit(bytes.fromhex("8050000008") + bytes(8) + b"\x00")
    assert answer[-2:] == b"\x90\x00"
    return answer[0]


def lost(action: Callable[[], object]) -> TransportError:
    with pytest.raises(TransportError) as caught:
        action()
    return caught.value


def test_cards_come_one_after_another_and_each_change_shows(
    reader: CardReader, images: list[Path]
) -> None:
    with in_slot(images) as thread:
        for number in range(3):
            assert wait_for_card(reader, timeout_seconds=10)
            connection = reader.connect()
            assert connection.atr == encode_atr(LifeCycle.BLANK, extended_lengths=True)
            assert serial_in(connection) == number
            connection.close()
            assert wait_for_removal(reader, timeout_seconds=10)
        thread.join(10)
        assert not thread.is_alive()
        assert isinstance(lost(reader.connect), NoCardError)


def test_short_and_extended_commands_pass_whole(reader: CardReader, images: list[Path]) -> None:
    with in_slot(images):
        assert wait_for_card(reader, timeout_seconds=10)
        connection = reader.connect()
        assert connection.transmit(READ) == CONTENT + b"\x90\x00"
        answer = connection.transmit(bytes.fromhex("00B08600000000"))
        assert answer == LONG_CONTENT + b"\x90\x00"
        longest = bytes.fromhex("00D6000000") + (4089).to_bytes(2, "big") + bytes(4089)
        assert connection.transmit(longest) == b"\x6d\x00"
        assert connection.transmit(bytes.fromhex("00B08600")) == b"\x61\x00"
        connection.close()


def test_a_reset_ends_the_session_and_does_not_swap_the_card(
    reader: CardReader, images: list[Path]
) -> None:
    with in_slot(images):
        assert wait_for_card(reader, timeout_seconds=10)
        connection = reader.connect()
        assert connection.transmit(READ)[-2:] == b"\x90\x00"
        assert connection.transmit(bytes.fromhex("00B0000001"))[-2:] == b"\x90\x00"
        assert connection.reset() == connection.atr
        # The file is no longer selected.
        assert connection.transmit(bytes.fromhex("00B0000001")) == b"\x69\x86"
        assert serial_in(connection) == 0
        connection.close()


def test_a_card_that_was_only_powered_stays(reader: CardReader, images: list[Path]) -> None:
    with in_slot(images):
        for _ in range(2):
            assert wait_for_card(reader, timeout_seconds=10)
            reader.connect().close()
        time.sleep(1)
        assert reader.is_card_present()
        connection = reader.connect()
        assert serial_in(connection) == 0
        connection.close()


@pytest.mark.parametrize("kind", [FaultKind.TEAR_BEFORE, FaultKind.TEAR_DURING, FaultKind.DROP])
def test_a_torn_card_is_lost_and_the_next_one_comes(
    reader: CardReader, images: list[Path], kind: FaultKind
) -> None:
    torn = replace(CardImage.load(images[0]), faults=(Fault(kind=kind, at=2),))
    torn.save(images[0])
    with in_slot(images):
        assert wait_for_card(reader, timeout_seconds=10)
        connection = reader.connect()
        assert connection.transmit(READ)[-2:] == b"\x90\x00"
        assert not isinstance(lost(lambda: connection.transmit(READ)), NoCardError)
        lost(lambda: connection.transmit(READ))
        connection.close()
        deadline = time.monotonic() + 10
        while True:
            try:
                second = reader.connect()
                break
            except TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert serial_in(second) == 1
        second.close()


def test_an_apdu_does_not_wait_for_delayed_acknowledgements(
    reader: CardReader, images: list[Path]
) -> None:
    with in_slot(images):
        assert wait_for_card(reader, timeout_seconds=10)
        connection = reader.connect()
        begin = time.monotonic()
        for _ in range(50):
            connection.transmit(READ)
        # Without TCP_QUICKACK each takes over 40 ms; a busy machine gets a wide margin.
        assert time.monotonic() - begin < 50 * 0.020
        connection.close()
