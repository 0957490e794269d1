from importlib import metadata

import pytest

from card_layout.errors import NoCardError
from card_layout.transport import readers
from card_layout.transport.connection import CardConnection
from card_layout.transport.pcsc import PcscUnavailableError, UnknownReaderError
from card_layout.transport.readers import (
    list_readers,
    open_reader,
    wait_for_card,
    wait_for_removal,
)

NAMES = ("ACME Reader 00 00", "ACME Reader 01 00", "Virtual PCD 00 00")


class FakeReader:
    def __init__(self, rest: str = "", presence: list[bool] | None = None) -> None:
        self.name = f"made-up:{rest}"
        self._presence = presence or []

    def is_card_present(self) -> bool:
        return self._presence.pop(0)

    def connect(self) -> CardConnection:
        raise NoCardError("none")


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def _readers_of_pcsc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "list_pcsc_readers", lambda: NAMES)


@pytest.fixture
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    entry_point = metadata.EntryPoint(
        name="made-up", value=f"{__name__}:FakeReader", group=readers.ENTRY_POINT_GROUP
    )
    monkeypatch.setattr(metadata.EntryPoint, "load", lambda _self: FakeReader)

    def entry_points(*, group: str, name: str) -> tuple[metadata.EntryPoint, ...]:
        assert group == "membercard.readers"
        return (entry_point,) if name == entry_point.name else ()

    monkeypatch.setattr(metadata, "entry_points", entry_points)


@pytest.mark.usefixtures("_registered")
def test_a_registered_scheme_gets_the_rest_of_the_name() -> None:
    assert open_reader("made-up:a:b.json").name == "made-up:a:b.json"


@pytest.mark.usefixtures("_registered")
def test_an_unregistered_scheme_is_a_name_like_any_other() -> None:
    with pytest.raises(UnknownReaderError):
        open_reader("other:image.json")


@pytest.mark.parametrize("name", ["Virtual PCD 00 00", "Virtual", "PCD"])
def test_a_reader_is_opened_by_its_name_or_a_part_that_only_it_has(name: str) -> None:
    assert open_reader(name).name == "Virtual PCD 00 00"


def test_a_whole_name_wins_over_a_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "list_pcsc_readers", lambda: ("Reader", "Reader 2"))
    assert open_reader("Reader").name == "Reader"


@pytest.mark.parametrize("name", ["", "ACME", "Nobody"])
def test_a_name_of_no_reader_or_of_several_is_refused(name: str) -> None:
    with pytest.raises(UnknownReaderError) as caught:
        open_reader(name)
    assert caught.value.code == "transport.no-reader"
    assert isinstance(caught.value, NoCardError)
    assert "ACME Reader 01 00" in caught.value.hint


def test_without_pcsc_there_are_no_readers_and_opening_one_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert list_readers() == NAMES

    def unavailable() -> tuple[str, ...]:
        raise PcscUnavailableError("no service", hint="start it")

    monkeypatch.setattr(readers, "list_pcsc_readers", unavailable)
    assert list_readers() == ()
    with pytest.raises(PcscUnavailableError):
        open_reader("Virtual")


def test_waiting_ends_with_the_card() -> None:
    clock = FakeClock()
    reader = FakeReader(presence=[False, False, True])
    assert wait_for_card(reader, poll_seconds=1, clock=clock, sleep=clock.sleep)
    assert clock.now == 2
    reader = FakeReader(presence=[True, False])
    assert wait_for_removal(
        reader, timeout_seconds=9, poll_seconds=1, clock=clock, sleep=clock.sleep
    )


def test_waiting_ends_with_the_time() -> None:
    clock = FakeClock()
    assert not wait_for_card(
        FakeReader(presence=[False] * 9),
        timeout_seconds=3,
        poll_seconds=1,
        clock=clock,
        sleep=clock.sleep,
    )
    assert clock.now == 3
    assert not wait_for_removal(
        FakeReader(presence=[True] * 9),
        timeout_seconds=0,
        poll_seconds=1,
        clock=clock,
        sleep=clock.sleep,
    )
    assert clock.now == 3
