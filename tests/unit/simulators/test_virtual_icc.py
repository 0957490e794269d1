"""The wire to vsmartcard's driver, with a driver of our own on the other end."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from simulators.errors import ImageError, VirtualIccError
from simulators.faults import Fault, FaultKind
from simulators.hopper import Hopper
from simulators.image import CardImage
from simulators.vpcd import Serving, VirtualIcc

READ = bytes.fromhex("00B0810000")
CONTENT = bytes.fromhex("47039421C09000")
OFF, ON, RESET, ATR = b"\x00", b"\x01", b"\x02", b"\x04"


@dataclass
class Driver:
    """Listens as the driver does, and talks to one card at a time."""

    server: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    connection: socket.socket | None = None

    @property
    def port(self) -> int:
        port: int = self.server.getsockname()[1]
        return port

    def accept(self) -> None:
        self.server.settimeout(5)
        if self.connection is not None:
            self.connection.close()
        self.connection, _ = self.server.accept()
        self.connection.settimeout(5)

    def send(self, message: bytes) -> None:
        assert self.connection is not None
        self.connection.sendall(struct.pack(">H", len(message)) + message)

    def receive(self) -> bytes:
        """One message; no bytes where the card went away."""
        assert self.connection is not None
        header = self.connection.recv(2, socket.MSG_WAITALL)
        if len(header) < 2:
            return b""
        return self.connection.recv(struct.unpack(">H", header)[0], socket.MSG_WAITALL)

    def ask(self, message: bytes) -> bytes:
        self.send(message)
        return self.receive()

    def hang_up(self) -> None:
        assert self.connection is not None
        self.connection.close()


@dataclass
class Station:
    """One slot being served in the background."""

    driver: Driver
    lines: list[str]
    stop: threading.Event
    thread: threading.Thread
    errors: list[Exception]


@contextmanager
def serving(paths: list[Path], *, wait_seconds: float = 5) -> Iterator[Station]:
    driver, stop = Driver(), threading.Event()
    lines: list[str] = []
    errors: list[Exception] = []
    slot = VirtualIcc(
        slot=0,
        hopper=Hopper(paths),
        report=lines.append,
        stop=stop,
        port=driver.port,
        wait_seconds=wait_seconds,
        absent_seconds=0,
    )
    service = Serving([slot], stop=stop)

    def run() -> None:
        try:
            service.run(until_empty=True)
        except (VirtualIccError, ImageError) as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield Station(driver, lines, stop, thread, errors)
    finally:
        service.end()
        if driver.connection is not None:
            driver.hang_up()
        thread.join(5)
        driver.server.close()
        assert not thread.is_alive()


@pytest.fixture
def two_cards(operational: CardImage, tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "1.json", tmp_path / "2.json"]
    for path in paths:
        operational.save(path)
    return paths


def test_every_power_up_shows_another_identifier(two_cards: list[Path]) -> None:
    get_uid = bytes.fromhex("FFCA000000")
    with serving(two_cards[:1]) as station:
        driver = station.driver
        driver.accept()
        seen = []
        for control in (ON, RESET, RESET):
            driver.send(control)
            seen.append(driver.ask(get_uid))
            assert driver.ask(get_uid) == seen[-1]
        assert {(len(answer), answer[0]) for answer in seen} == {(6, 8)}
        assert seen[0] != seen[1] != seen[2]


def test_controls_and_commands_are_told_apart(
    operational: CardImage, two_cards: list[Path]
) -> None:
    with serving(two_cards[:1]) as station:
        driver = station.driver
        driver.accept()
        # The driver looks for the ATR before it powers anything.
        assert driver.ask(ATR) == operational.atr
        driver.send(ON)
        assert driver.ask(ATR) == operational.atr
        assert driver.ask(READ) == CONTENT
        assert driver.ask(bytes.fromhex("00B0000100")) == CONTENT[1:]
        driver.send(RESET)
        assert driver.ask(bytes.fromhex("00B0000100")) == bytes.fromhex("6986")
        long = bytes.fromhex("00D60000") + b"\x00\x0f\xf9" + bytes(4089)
        assert driver.ask(long) == bytes.fromhex("6D00")


def test_a_card_is_swapped_when_it_was_used_and_powered_off(two_cards: list[Path]) -> None:
    with serving(two_cards) as station:
        driver = station.driver
        driver.accept()
        for _ in range(2):
            # Not used: it stays, whatever its power.
            driver.send(ON)
            driver.send(OFF)
            assert driver.ask(ATR)
        driver.send(ON)
        driver.ask(READ)
        driver.send(OFF)
        assert driver.receive() == b""
        driver.accept()
        assert driver.ask(ATR)
        driver.ask(READ)
        driver.send(OFF)
        assert driver.receive() == b""
        station.thread.join(5)
        assert station.lines == [
            f"slot 0 (port {driver.port}): {two_cards[0]}",
            f"slot 0 (port {driver.port}): {two_cards[1]}",
            "slot 0: empty",
        ]


def test_a_driver_that_hangs_up_gets_the_same_card_again(two_cards: list[Path]) -> None:
    with serving(two_cards) as station:
        station.driver.accept()
        station.driver.ask(READ)
        station.driver.hang_up()
        station.driver.accept()
        assert station.driver.ask(READ) == CONTENT
        assert len(station.lines) == 2
        assert station.lines[0] == station.lines[1]


def test_a_card_that_nobody_powers_goes_in_again(
    operational: CardImage, two_cards: list[Path]
) -> None:
    with serving(two_cards) as station:
        driver = station.driver
        for _ in range(2):
            driver.accept()
            for _ in range(3):
                assert driver.ask(ATR) == operational.atr
            assert driver.ask(ATR) == b""
        driver.accept()
        driver.ask(ATR)
        driver.send(ON)
        for _ in range(9):
            assert driver.ask(ATR) == operational.atr
        assert len(set(station.lines)) == 1


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (FaultKind.TEAR_BEFORE, b""),
        (FaultKind.TEAR_DURING, b""),
        (FaultKind.TEAR_AFTER, CONTENT),
        (FaultKind.DROP, b""),
    ],
)
def test_a_torn_card_is_gone_and_the_next_one_comes(
    operational: CardImage, two_cards: list[Path], kind: FaultKind, answer: bytes
) -> None:
    replace(operational, faults=(Fault(kind=kind, at=2),)).save(two_cards[0])
    with serving(two_cards) as station:
        station.driver.accept()
        assert station.driver.ask(READ) == CONTENT
        assert station.driver.ask(READ) == answer
        if answer:
            assert station.driver.receive() == b""
        station.driver.accept()
        assert station.driver.ask(READ) == CONTENT
        assert station.lines[-1].endswith("2.json")


def test_what_the_card_commits_is_on_disk(operational: CardImage, two_cards: list[Path]) -> None:
    with serving(two_cards) as station:
        station.driver.accept()
        generator = (
            bytes.fromhex("04") + operational.keys.chip_authentication[0].curve.generator[1:]
        )
        for command in (
            bytes.fromhex("0022C1A40F800A04007F00070202040202830102"),
            bytes.fromhex("10860000027C0000"),
            bytes.fromhex("10860000457C438141") + generator + b"\x00",
            bytes.fromhex("10860000457C438341") + generator + b"\x00",
        ):
            assert station.driver.ask(command)[-2:] == b"\x90\x00"
        assert station.driver.ask(bytes.fromhex("008600000C7C0A8508") + bytes(9)) == b"\x63\x00"
        assert CardImage.load(two_cards[0]).secrets.wrong_passwords == 1


def test_ending_takes_the_cards_out(two_cards: list[Path]) -> None:
    with serving(two_cards) as station:
        station.driver.accept()
        station.driver.ask(ATR)
        station.stop.set()
        assert station.driver.receive() == b""
        station.thread.join(5)
        assert not station.thread.is_alive()
        assert station.errors == []


def test_a_port_where_nothing_listens_is_told(two_cards: list[Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    slot = VirtualIcc(
        slot=0,
        hopper=Hopper(two_cards),
        report=lambda _: None,
        stop=threading.Event(),
        port=port,
        wait_seconds=0.3,
    )
    with pytest.raises(VirtualIccError) as caught:
        slot.run()
    assert caught.value.code == "virtual-icc.no-reader"
    assert str(port) in str(caught.value)
    assert caught.value.hint


def test_a_slot_that_another_card_holds_is_told(two_cards: list[Path]) -> None:
    # The kernel takes the connection for the driver, which never looks at it.
    with serving(two_cards, wait_seconds=0.3) as station:
        station.thread.join(5)
        assert [error.code for error in station.errors if isinstance(error, VirtualIccError)] == [
            "virtual-icc.slot-busy"
        ]


def test_the_driver_may_come_up_later(two_cards: list[Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    stop = threading.Event()
    slot = VirtualIcc(
        slot=0,
        hopper=Hopper(two_cards),
        report=lambda _: None,
        stop=stop,
        port=port,
        wait_seconds=5,
    )
    service = Serving([slot], stop=stop)
    thread = threading.Thread(target=lambda: service.run(until_empty=True))
    thread.start()
    stop.wait(0.15)
    driver = Driver(socket.create_server(("127.0.0.1", port)))
    driver.accept()
    assert driver.ask(READ) == CONTENT
    service.end()
    thread.join(5)
    driver.hang_up()
    driver.server.close()


def test_an_image_that_broke_meanwhile_ends_the_service(two_cards: list[Path]) -> None:
    two_cards[0].write_text("{}", encoding="utf-8")
    with serving(two_cards) as station:
        station.thread.join(5)
        assert [type(error) for error in station.errors] == [ImageError]
