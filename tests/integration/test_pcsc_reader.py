"""The PC/SC adapter on the real stack: pcscd, the vpcd driver, and virtual cards behind it."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from card_layout.atr import LifeCycle, read_life_cycle
from card_layout.errors import CardDataError, NoCardError, TransportError
from card_layout.files.card_access import CardAccess
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.iso7816.apdu import CommandApdu
from card_layout.iso7816.channel import CardChannel
from card_layout.protocols.chip_authentication import perform_chip_authentication
from card_layout.protocols.file_reading import (
    learn_extended_lengths,
    read_card_access,
    read_file,
    select_application,
)
from card_layout.protocols.pace import PacePassword, perform_pace
from card_layout.transport.connection import CardReader
from card_layout.transport.pcsc import PcscReader, ReaderBusyError
from card_layout.transport.readers import (
    list_readers,
    open_reader,
    wait_for_card,
    wait_for_removal,
)
from simulators.faults import Fault, FaultKind
from simulators.hopper import Hopper
from simulators.image import CardImage
from simulators.testing import TEST_CAN
from simulators.vpcd import FIRST_PORT, VirtualIcc

pytestmark = pytest.mark.pcsc

SLOT = 1
READER_NAME = "Virtual PCD 00 01"
APPLICATION = bytes.fromhex("A0000002471001")
SECONDS = 10

Serve = Callable[..., contextlib.AbstractContextManager[CardReader]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Put images into the virtual reader, one after another."""
    if READER_NAME not in list_readers():
        pytest.skip(f"pcscd does not run, or has no reader {READER_NAME!r} (vsmartcard-vpcd)")

    @contextmanager
    def served(*images: CardImage) -> Iterator[CardReader]:
        paths = [tmp_path / f"{number:04}.json" for number in range(1, len(images) + 1)]
        for path, image in zip(paths, images, strict=True):
            image.save(path)
        stop = threading.Event()
        slot = VirtualIcc(
            slot=SLOT,
            port=FIRST_PORT + SLOT,
            hopper=Hopper(paths),
            report=lambda _line: None,
            stop=stop,
        )
        thread = threading.Thread(target=slot.run)
        thread.start()
        reader = open_reader(READER_NAME)
        try:
            assert wait_for_card(reader, timeout_seconds=SECONDS)
            yield reader
        finally:
            stop.set()
            slot.interrupt()
            thread.join()
            wait_for_removal(reader, timeout_seconds=SECONDS)

    return served


def open_card(channel: CardChannel) -> None:
    content = read_card_access(channel)
    assert content is not None
    (pace_info,) = CardAccess.from_bytes(content).security_infos.pace_infos
    perform_pace(channel, pace_info=pace_info, password=PacePassword.can(TEST_CAN))
    select_application(channel, APPLICATION)


@pytest.mark.parametrize("lengths", ["short", "extended"])
def test_a_card_is_read_and_proven_through_the_real_stack(
    serve: Serve, issued_card: CardImage, lengths: str
) -> None:
    with serve(issued_card) as reader:
        assert isinstance(reader, PcscReader)
        connection = reader.connect()
        assert connection.atr == issued_card.atr
        assert read_life_cycle(connection.atr) is LifeCycle.OPERATIONAL
        channel = CardChannel(connection)
        if lengths == "extended":
            assert learn_extended_lengths(channel) is not None
        open_card(channel)
        for identifier in (1, 2, 14):
            content = read_file(channel, short_identifier=identifier)
            assert content == issued_card.files[f"A0000002471001/01{identifier:02X}"].data
        infos = SecurityOptions.from_bytes(content or b"").security_infos
        perform_chip_authentication(
            channel,
            info=infos.chip_authentication_infos[0],
            public_key_info=infos.chip_authentication_keys[0],
        )
        expected = issued_card.files["A0000002471001/011E"].data
        assert read_file(channel, short_identifier=0x1E) == expected
        connection.close()


def test_a_reset_ends_the_session_on_the_card(serve: Serve, issued_card: CardImage) -> None:
    with serve(issued_card) as reader:
        connection = reader.connect()
        channel = CardChannel(connection)
        open_card(channel)
        assert channel.reset() == issued_card.atr
        select_application(channel, APPLICATION)
        refused = channel.transmit(CommandApdu(cla=0, ins=0xB0, p1=0x81, p2=0, expected_length=256))
        assert refused.status_word == 0x6982
        connection.close()


def test_a_card_is_held_by_one_connection_at_a_time(serve: Serve, issued_card: CardImage) -> None:
    with serve(issued_card) as reader:
        connection = reader.connect()
        with pytest.raises(ReaderBusyError):
            reader.connect()
        connection.close()


def test_closing_lets_the_next_card_in_and_the_last_leaves_the_reader_empty(
    serve: Serve, issued_card: CardImage
) -> None:
    second = replace(issued_card, secrets=replace(issued_card.secrets, can="271828"))
    with serve(issued_card, second) as reader:
        connection = reader.connect()
        open_card(CardChannel(connection))
        connection.close()
        assert wait_for_removal(reader, timeout_seconds=SECONDS)
        assert wait_for_card(reader, timeout_seconds=SECONDS)
        connection = reader.connect()
        with pytest.raises(CardDataError) as caught:
            open_card(CardChannel(connection))
        assert caught.value.code == "access.wrong-password"
        connection.close()
        connection.close()
        assert wait_for_removal(reader, timeout_seconds=SECONDS)
        with pytest.raises(NoCardError):
            reader.connect()


def test_a_card_pulled_out_is_a_transport_error(serve: Serve, issued_card: CardImage) -> None:
    torn = replace(issued_card, faults=(Fault(kind=FaultKind.TEAR_DURING, at=3),))
    with serve(torn) as reader:
        connection = reader.connect()
        channel = CardChannel(connection)
        with pytest.raises(TransportError) as caught:
            open_card(channel)
        assert channel.apdu_count == 3
        assert caught.value.code == "transport.lost"
        with pytest.raises(TransportError):
            connection.reset()
        connection.close()
        assert wait_for_removal(reader, timeout_seconds=SECONDS)
