"""The PC/SC adapter over a made-up scard module: every result code becomes an error that says what to do."""

import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import pytest

from card_layout.errors import NoCardError, TransportError
from card_layout.transport.connection import CardConnection, CardReader
from card_layout.transport.pcsc import (
    PcscReader,
    PcscUnavailableError,
    ReaderBusyError,
    UnknownReaderError,
    list_pcsc_readers,
)

CODES = (
    "SCARD_S_SUCCESS",
    "SCARD_E_NO_SERVICE",
    "SCARD_E_NO_READERS_AVAILABLE",
    "SCARD_E_NO_SMARTCARD",
    "SCARD_W_REMOVED_CARD",
    "SCARD_E_UNKNOWN_READER",
    "SCARD_E_READER_UNAVAILABLE",
    "SCARD_E_SHARING_VIOLATION",
    "SCARD_W_UNRESPONSIVE_CARD",
    "SCARD_W_UNPOWERED_CARD",
    "SCARD_W_RESET_CARD",
    "SCARD_E_SERVICE_STOPPED",
)
READER = "Made-up Reader 00 00"


class ScardError(Exception):
    pass


class FakeScard(ModuleType):
    """As much of ``smartcard.scard`` as the adapter uses; each function's result can be set."""

    def __init__(self) -> None:
        super().__init__("smartcard.scard")
        for number, name in enumerate(CODES):
            setattr(self, name, number and 0x80100000 + number)
        self.SCARD_SCOPE_SYSTEM = 2
        self.SCARD_SHARE_EXCLUSIVE = 1
        self.SCARD_PROTOCOL_T0 = 1
        self.SCARD_PROTOCOL_T1 = 2
        self.SCARD_PCI_T0 = 101
        self.SCARD_PCI_T1 = 102
        self.SCARD_RESET_CARD = 11
        self.SCARD_UNPOWER_CARD = 12
        self.SCARD_STATE_UNAWARE = 0
        self.SCARD_STATE_UNKNOWN = 4
        self.SCARD_STATE_PRESENT = 32
        self.error = ScardError
        self.results: dict[str, int] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.protocol = self.SCARD_PROTOCOL_T1
        self.event_state = self.SCARD_STATE_PRESENT
        self.answer: Callable[[list[int]], list[int]] = lambda _command: [0x90, 0x00]
        self.open_contexts = 0
        self.SCardGetErrorMessage = self._get_error_message
        self.SCardEstablishContext = self._establish_context
        self.SCardReleaseContext = self._release_context
        self.SCardListReaders = self._list_readers
        self.SCardGetStatusChange = self._get_status_change
        self.SCardConnect = self._connect
        self.SCardReconnect = self._reconnect
        self.SCardStatus = self._status
        self.SCardTransmit = self._transmit
        self.SCardDisconnect = self._disconnect

    def _result(self, name: str, *arguments: Any) -> int:
        self.calls.append((name, *arguments))
        return self.results.get(name, 0)

    def names_called(self) -> list[str]:
        return [str(call[0]) for call in self.calls]

    def _get_error_message(self, result: int) -> str:
        return f"made-up message {result & 0xFF}."

    def _establish_context(self, scope: int) -> tuple[int, int]:
        result = self._result("SCardEstablishContext", scope)
        self.open_contexts += not result
        return result, 7

    def _release_context(self, context: int) -> int:
        self.open_contexts -= 1
        return self._result("SCardReleaseContext", context)

    def _list_readers(self, context: int, groups: Sequence[str]) -> tuple[int, list[str]]:
        return self._result("SCardListReaders", context, groups), [READER, "Other 01"]

    def _get_status_change(
        self, context: int, timeout: int, states: list[tuple[str, int]]
    ) -> tuple[int, list[tuple[str, int, list[int]]]]:
        result = self._result("SCardGetStatusChange", context, timeout, states)
        return result, [(states[0][0], self.event_state, [])]

    def _connect(self, context: int, name: str, mode: int, protocols: int) -> tuple[int, int, int]:
        result = self._result("SCardConnect", context, name, mode, protocols)
        return result, 99, self.protocol

    def _reconnect(self, card: int, mode: int, protocols: int, how: int) -> tuple[int, int]:
        return self._result("SCardReconnect", card, mode, protocols, how), self.protocol

    def _status(self, card: int) -> tuple[int, str, int, int, list[int]]:
        # Some builds of pyscard give bytes above 7F as negative numbers.
        return self._result("SCardStatus", card), READER, 0, self.protocol, [0x3B, -128]

    def _transmit(self, card: int, header: int, command: list[int]) -> tuple[int, list[int]]:
        result = self._result("SCardTransmit", card, header, command)
        return result, self.answer(command)

    def _disconnect(self, card: int, how: int) -> int:
        return self._result("SCardDisconnect", card, how)


@pytest.fixture
def scard(monkeypatch: pytest.MonkeyPatch) -> FakeScard:
    fake = FakeScard()
    package = ModuleType("smartcard")
    monkeypatch.setitem(sys.modules, "smartcard", package)
    monkeypatch.setitem(sys.modules, "smartcard.scard", fake)
    return fake


def test_readers_are_listed(scard: FakeScard) -> None:
    assert list_pcsc_readers() == (READER, "Other 01")
    scard.results["SCardListReaders"] = scard.SCARD_E_NO_READERS_AVAILABLE
    assert list_pcsc_readers() == ()
    scard.results["SCardListReaders"] = scard.SCARD_E_SERVICE_STOPPED
    with pytest.raises(TransportError):
        list_pcsc_readers()
    assert scard.open_contexts == 0


def test_without_pyscard_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard.scard", None)
    with pytest.raises(PcscUnavailableError) as caught:
        list_pcsc_readers()
    assert caught.value.code == "transport.no-pcsc"
    assert "membercard[pcsc]" in caught.value.hint


def test_without_the_service_the_error_says_how_to_start_it(scard: FakeScard) -> None:
    scard.results["SCardEstablishContext"] = scard.SCARD_E_NO_SERVICE
    for use in (list_pcsc_readers, PcscReader(READER).connect, PcscReader(READER).is_card_present):
        with pytest.raises(PcscUnavailableError) as caught:
            use()
        assert "pcscd" in caught.value.hint
        assert "made-up message" in str(caught.value)


def test_a_card_is_held_exclusively_and_reset_before_use(scard: FakeScard) -> None:
    reader = PcscReader(READER)
    connection = reader.connect()
    assert isinstance(reader, CardReader)
    assert isinstance(connection, CardConnection)
    assert reader.name == READER
    assert connection.atr == b"\x3b\x80"
    assert ("SCardConnect", 7, READER, scard.SCARD_SHARE_EXCLUSIVE, 3) in scard.calls
    assert ("SCardReconnect", 99, scard.SCARD_SHARE_EXCLUSIVE, 3, scard.SCARD_RESET_CARD) in (
        scard.calls
    )


def test_commands_and_answers_are_bytes(scard: FakeScard) -> None:
    scard.answer = lambda command: [*command[:2], -1, 0x90, 0x00]
    connection = PcscReader(READER).connect()
    assert connection.transmit(b"\x00\xb0\x01\x02\x00") == b"\x00\xb0\xff\x90\x00"
    assert scard.calls[-1] == ("SCardTransmit", 99, scard.SCARD_PCI_T1, [0, 0xB0, 1, 2, 0])


@pytest.mark.parametrize(
    ("command", "sent"),
    [
        ("00A4040C02ABCD00", "00A4040C02ABCD"),
        ("00A4040C02ABCD", "00A4040C02ABCD"),
        ("00B0000000", "00B0000000"),
        ("00A4000C", "00A4000C"),
        ("00D60000010000", "00D600000100"),
    ],
)
def test_in_t_0_a_command_with_data_goes_without_le(
    scard: FakeScard, command: str, sent: str
) -> None:
    scard.protocol = scard.SCARD_PROTOCOL_T0
    connection = PcscReader(READER).connect()
    connection.transmit(bytes.fromhex(command))
    assert scard.calls[-1] == ("SCardTransmit", 99, scard.SCARD_PCI_T0, list(bytes.fromhex(sent)))


@pytest.mark.parametrize(
    ("result", "error", "code"),
    [
        ("SCARD_E_NO_SMARTCARD", NoCardError, "transport.no-card"),
        ("SCARD_W_REMOVED_CARD", NoCardError, "transport.no-card"),
        ("SCARD_E_UNKNOWN_READER", UnknownReaderError, "transport.no-reader"),
        ("SCARD_E_READER_UNAVAILABLE", UnknownReaderError, "transport.no-reader"),
        ("SCARD_E_SHARING_VIOLATION", ReaderBusyError, "transport.reader-busy"),
        ("SCARD_W_UNRESPONSIVE_CARD", TransportError, "transport.lost"),
        ("SCARD_E_SERVICE_STOPPED", TransportError, "transport.lost"),
    ],
)
def test_a_card_that_cannot_be_had(
    scard: FakeScard, result: str, error: type[TransportError], code: str
) -> None:
    scard.results["SCardConnect"] = getattr(scard, result)
    with pytest.raises(TransportError) as caught:
        PcscReader(READER).connect()
    assert type(caught.value) is error
    assert caught.value.code == code
    assert scard.open_contexts == 0


def test_a_card_that_is_being_powered_is_waited_for(scard: FakeScard) -> None:
    pauses: list[float] = []

    def power_after_three(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            del scard.results["SCardConnect"]

    scard.results["SCardConnect"] = scard.SCARD_W_UNPOWERED_CARD
    connection = PcscReader(READER, sleep=power_after_three).connect()
    assert connection.atr == b"\x3b\x80"
    assert len(pauses) == 3
    connection.close()
    assert scard.open_contexts == 0


def test_a_card_that_gets_no_power_is_not_waited_for_without_end(scard: FakeScard) -> None:
    pauses: list[float] = []
    scard.results["SCardConnect"] = scard.SCARD_W_UNPOWERED_CARD
    with pytest.raises(TransportError) as caught:
        PcscReader(READER, sleep=pauses.append).connect()
    assert caught.value.code == "transport.lost"
    assert 0.1 < sum(pauses) < 1.0
    assert scard.open_contexts == 0


@pytest.mark.parametrize("function", ["SCardReconnect", "SCardStatus"])
def test_a_card_that_does_not_take_the_reset_is_let_go(scard: FakeScard, function: str) -> None:
    scard.results[function] = scard.SCARD_W_UNRESPONSIVE_CARD
    with pytest.raises(TransportError):
        PcscReader(READER).connect()
    assert scard.names_called()[-2:] == ["SCardDisconnect", "SCardReleaseContext"]
    assert scard.open_contexts == 0


@pytest.mark.parametrize(
    "result", ["SCARD_W_REMOVED_CARD", "SCARD_W_RESET_CARD", "SCARD_E_SERVICE_STOPPED"]
)
def test_a_command_that_breaks_off_leaves_the_state_unknown(scard: FakeScard, result: str) -> None:
    connection = PcscReader(READER).connect()
    scard.results["SCardTransmit"] = getattr(scard, result)
    with pytest.raises(TransportError) as caught:
        connection.transmit(b"\x00\xb0\x00\x00\x00")
    assert not isinstance(caught.value, NoCardError)
    assert caught.value.code == "transport.lost"
    assert "made-up message" in str(caught.value)


def test_no_answer_at_all_is_a_card_that_went_away(scard: FakeScard) -> None:
    connection = PcscReader(READER).connect()
    scard.answer = lambda _command: []
    with pytest.raises(TransportError) as caught:
        connection.transmit(b"\x00\xb0\x00\x00\x00")
    assert caught.value.code == "transport.lost"


@pytest.mark.parametrize(
    "raised", [ScardError("x"), TypeError("x"), MemoryError(), OverflowError()]
)
def test_what_pyscard_raises_is_translated(scard: FakeScard, raised: Exception) -> None:
    def fail(_command: list[int]) -> list[int]:
        raise raised

    connection = PcscReader(READER).connect()
    scard.answer = fail
    with pytest.raises(TransportError) as caught:
        connection.transmit(b"\x00\xb0\x00\x00\x00")
    assert caught.value.__cause__ is raised


def test_a_reset_gives_the_new_answer_to_reset(scard: FakeScard) -> None:
    connection = PcscReader(READER).connect()
    before = scard.names_called().count("SCardReconnect")
    assert connection.reset() == connection.atr == b"\x3b\x80"
    assert scard.names_called().count("SCardReconnect") == before + 1
    scard.results["SCardReconnect"] = scard.SCARD_W_REMOVED_CARD
    with pytest.raises(TransportError):
        connection.reset()


def test_closing_takes_the_power_away_once_and_raises_nothing(scard: FakeScard) -> None:
    connection = PcscReader(READER).connect()
    scard.results["SCardDisconnect"] = scard.SCARD_W_REMOVED_CARD
    connection.close()
    connection.close()
    assert scard.calls.count(("SCardDisconnect", 99, scard.SCARD_UNPOWER_CARD)) == 1
    assert scard.open_contexts == 0
    with pytest.raises(TransportError):
        connection.transmit(b"\x00\xb0\x00\x00\x00")
    with pytest.raises(TransportError):
        connection.reset()


def test_presence_is_polled_in_one_context(scard: FakeScard) -> None:
    reader = PcscReader(READER)
    assert reader.is_card_present()
    scard.event_state = 16
    assert not reader.is_card_present()
    assert scard.names_called().count("SCardEstablishContext") == 1


def test_a_reader_that_is_gone_is_told_and_found_again(scard: FakeScard) -> None:
    reader = PcscReader(READER)
    scard.event_state = scard.SCARD_STATE_UNKNOWN
    with pytest.raises(TransportError):
        reader.is_card_present()
    scard.event_state = scard.SCARD_STATE_PRESENT
    scard.results["SCardGetStatusChange"] = scard.SCARD_E_SERVICE_STOPPED
    with pytest.raises(TransportError):
        reader.is_card_present()
    del scard.results["SCardGetStatusChange"]
    assert reader.is_card_present()
    assert scard.names_called().count("SCardEstablishContext") == 3
    assert scard.open_contexts == 1
