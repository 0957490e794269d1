"""Faults on the wire, in the reader, and in the card itself."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from card_layout.errors import CardDataError, NoCardError, TransportError
from card_layout.files.security_infos import ID_PACE_ECDH_GM_AES_128, PaceInfo
from card_layout.iso7816.apdu import CommandApdu
from card_layout.iso7816.channel import CardChannel, ReadingLimitError
from card_layout.protocols.file_reading import read_file
from card_layout.protocols.pace import PacePassword, perform_pace
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.faults import IN_CARD, Fault, FaultKind, FaultyExchange, TornError, overlong
from simulators.image import CardImage

READ = bytes.fromhex("00B0810000")
CONTENT = bytes.fromhex("47039421C09000")
SELECT = bytes.fromhex("00A4000C")


def answers(operational: CardImage, fault: Fault, count: int = 4) -> list[str]:
    """What ``count`` readings give, a torn card or a lost answer as text."""
    reader = SimulatedReader(VirtualCard(operational), faults=(fault,))
    connection = reader.connect()
    found = []
    for _ in range(count):
        try:
            found.append(connection.transmit(READ).hex().upper())
        except TransportError as error:
            found.append(str(error))
    return found


GOOD = CONTENT.hex().upper()
AWAY = "the card was taken away"


CASES: list[tuple[Fault, list[str]]] = [
    (Fault(kind=FaultKind.TEAR_BEFORE, at=2), [GOOD, AWAY, AWAY, AWAY]),
    (Fault(kind=FaultKind.TEAR_DURING, at=2), [GOOD, AWAY, AWAY, AWAY]),
    (Fault(kind=FaultKind.TEAR_AFTER, at=2), [GOOD, GOOD, AWAY, AWAY]),
    (Fault(kind=FaultKind.DROP, at=2), [GOOD, "the card did not answer", GOOD, GOOD]),
    (Fault(kind=FaultKind.FLIP_BIT, at=1), ["C7" + GOOD[2:], GOOD, GOOD, GOOD]),
    (Fault(kind=FaultKind.FLIP_BIT, at=1, bit=55), [GOOD[:-1] + "1", GOOD, GOOD, GOOD]),
    (Fault(kind=FaultKind.FLIP_BIT, at=1, bit=56), ["C7" + GOOD[2:], GOOD, GOOD, GOOD]),
    (Fault(kind=FaultKind.WRONG_STATUS_WORD), ["6F00"] * 4),
    (
        Fault(kind=FaultKind.WRONG_STATUS_WORD, at=3, status_word=0x6A82),
        [GOOD, GOOD, "6A82", GOOD],
    ),
    (Fault(kind=FaultKind.SHORT_RESPONSE, at=1), ["47", GOOD, GOOD, GOOD]),
    (Fault(kind=FaultKind.RUBBISH, at=1), ["202122232425260000", GOOD, GOOD, GOOD]),
    (Fault(kind=FaultKind.ENDLESS_MORE, at=2), [GOOD, *["00" * 16 + "6110"] * 3]),
    (Fault(kind=FaultKind.ENDLESS_LENGTH, at=2), [GOOD, *["6C10"] * 3]),
    (Fault(kind=FaultKind.REPLACE, at=2, response=b"\x01\x90\x00"), [GOOD, "019000", GOOD, GOOD]),
    (Fault(kind=FaultKind.OTHER_ANSWER, at=1), ["the card did not answer", GOOD, GOOD, GOOD]),
    (Fault(kind=FaultKind.OTHER_ANSWER, at=2), [GOOD] * 4),
    (Fault(kind=FaultKind.SWAP, at=2), [GOOD] * 4),
    (Fault(kind=FaultKind.WRONG_STATUS_WORD, instruction=0xA4), [GOOD] * 4),
    (Fault(kind=FaultKind.WRONG_STATUS_WORD, instruction=0xB0, p1=0x82), [GOOD] * 4),
    (Fault(kind=FaultKind.WRONG_STATUS_WORD, instruction=0xB0, p1=0x81), ["6F00"] * 4),
]


@pytest.mark.parametrize(("fault", "expected"), CASES)
def test_each_kind_of_fault(operational: CardImage, fault: Fault, expected: list[str]) -> None:
    assert answers(operational, fault) == expected


def test_every_kind_of_fault_is_tried() -> None:
    tried = {fault.kind for fault, _ in CASES} | {FaultKind.DELAY}
    assert tried | IN_CARD == set(FaultKind)


def test_an_answer_to_another_command_is_the_one_before(operational: CardImage) -> None:
    fault = Fault(kind=FaultKind.OTHER_ANSWER, at=2)
    connection = SimulatedReader(VirtualCard(operational), faults=(fault,)).connect()
    refused = connection.transmit(bytes.fromhex("00B09F0000"))
    assert refused != CONTENT
    assert connection.transmit(READ) == refused
    assert connection.transmit(READ) == CONTENT


def test_a_swapped_card_knows_nothing_of_what_was_selected(operational: CardImage) -> None:
    """The terminal is told nothing; a reset afterwards is one of the card that is in now."""
    other = VirtualCard(replace(operational, files={}))
    fault = Fault(kind=FaultKind.SWAP, at=2)
    reader = SimulatedReader(VirtualCard(operational), faults=(fault,), other=other)
    connection = reader.connect()
    assert connection.transmit(READ) == CONTENT
    assert connection.transmit(READ) == bytes.fromhex("6A82")
    connection.reset()
    assert connection.transmit(READ) == bytes.fromhex("6A82")
    assert connection.is_in_use


def test_a_file_shrinks_after_it_was_read_from(operational: CardImage) -> None:
    fault = Fault(kind=FaultKind.SHRINKING_FILE, path="3F00/2F01")
    connection = SimulatedReader(VirtualCard(operational), faults=(fault,)).connect()
    assert connection.transmit(READ) == CONTENT
    shorter = connection.transmit(READ)
    assert shorter[:-2] == CONTENT[: (len(CONTENT) - 2) // 2]


def test_a_delay_waits(operational: CardImage) -> None:
    slept: list[float] = []
    fault = Fault(kind=FaultKind.DELAY, at=2, milliseconds=1500)
    reader = SimulatedReader(VirtualCard(operational), faults=(fault,), sleep=slept.append)
    connection = reader.connect()
    assert [connection.transmit(READ) for _ in range(3)] == [CONTENT] * 3
    assert slept == [1.5]


def test_a_tear_before_does_nothing_and_a_tear_during_does_all() -> None:
    done: list[bytes] = []

    def process(command: bytes) -> bytes:
        done.append(command)
        return b"\x90\x00"

    for kind, expected in ((FaultKind.TEAR_BEFORE, []), (FaultKind.TEAR_DURING, [SELECT])):
        done.clear()
        power: list[FaultKind] = []
        exchange = FaultyExchange(
            process,
            (Fault(kind=kind, at=1),),
            power_off=partial(power.append, kind),
            sleep=lambda _: None,
        )
        for _ in range(2):
            with pytest.raises(TornError):
                exchange.transmit(SELECT)
        assert done == expected
        assert power == [kind]


def test_a_torn_card_is_silent_until_it_is_put_in_again(operational: CardImage) -> None:
    fault = Fault(kind=FaultKind.TEAR_AFTER, at=2)
    reader = SimulatedReader(VirtualCard(operational), faults=(fault,))
    first = reader.connect()
    first.transmit(READ)
    first.transmit(READ)
    with pytest.raises(TransportError):
        first.transmit(READ)
    with pytest.raises(TransportError):
        first.reset()
    second = reader.connect()
    assert second.transmit(READ) == CONTENT
    # The fault struck once; the old connection stays dead.
    with pytest.raises(TransportError):
        first.transmit(READ)
    assert second.reset() == operational.atr
    assert reader.next_command_number == 4


def test_faults_of_an_image_strike_each_time_the_card_is_put_in(
    operational: CardImage, tmp_path: Path
) -> None:
    path = tmp_path / "card.json"
    fault = Fault(kind=FaultKind.TEAR_BEFORE, at=3)
    replace(operational, faults=(fault,)).save(path)
    reader = SimulatedReader(path)
    for _ in range(2):
        connection = reader.connect()
        connection.transmit(READ)
        # A reset, and letting go of the card, do not put it in again.
        connection.reset()
        connection.close()
        connection = reader.connect()
        connection.transmit(READ)
        with pytest.raises(TransportError):
            connection.transmit(READ)


def test_a_reader_in_use_is_busy(operational: CardImage) -> None:
    reader = SimulatedReader(VirtualCard(operational))
    connection = reader.connect()
    with pytest.raises(NoCardError) as caught:
        reader.connect()
    assert caught.value.code == "transport.reader-busy"
    connection.close()
    connection.close()
    with pytest.raises(TransportError):
        connection.transmit(READ)
    with pytest.raises(TransportError):
        connection.reset()
    assert reader.connect().transmit(READ) == CONTENT


def test_a_file_that_announces_four_gigabytes(operational: CardImage) -> None:
    fault = Fault(kind=FaultKind.OVERLONG_LENGTH, path="3F00/2F01")
    card = VirtualCard(replace(operational, faults=(fault,)))
    connection = SimulatedReader(card).connect()
    assert connection.transmit(READ).hex().startswith("4784ffffffff")
    # What the file really holds is not touched.
    assert card.image.files["3F00/2F01"].data == CONTENT[:-2]
    with pytest.raises(CardDataError):
        read_file(CardChannel(connection), short_identifier=1)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("6103AABBCC", "6184FFFFFFFF03AABBCC"),
        ("7F6101AA", "7F6184FFFFFFFF01AA"),
        ("", "6084FFFFFFFF"),
    ],
)
def test_the_overlong_length_comes_behind_the_tag(content: str, expected: str) -> None:
    assert overlong(bytes.fromhex(content)) == bytes.fromhex(expected)


def test_an_instruction_is_refused_under_secure_messaging_too(operational: CardImage) -> None:
    fault = Fault(kind=FaultKind.INSTRUCTION_REFUSED, instruction=0x22, p1=0x41, status_word=0x6A81)
    card = VirtualCard(replace(operational, faults=(fault,)))
    channel = CardChannel(SimulatedReader(card).connect())
    info = PaceInfo(protocol=ID_PACE_ECDH_GM_AES_128, version=2, parameter_id=12)
    # PACE uses the same instruction with another P1.
    perform_pace(channel, pace_info=info, password=PacePassword.can("123456"))
    set_at = CommandApdu(cla=0, ins=0x22, p1=0x41, p2=0xA4, data=b"\x80\x00")
    assert channel.transmit(set_at).status_word == 0x6A81
    aid = bytes.fromhex("A0000002471001")
    channel.require(CommandApdu(cla=0, ins=0xA4, p1=4, p2=0x0C, data=aid))


@pytest.mark.parametrize("number", [2, 4])
def test_an_instruction_may_be_refused_once(operational: CardImage, number: int) -> None:
    fault = Fault(kind=FaultKind.INSTRUCTION_REFUSED, instruction=0xB0, at=number)
    connection = SimulatedReader(VirtualCard(replace(operational, faults=(fault,)))).connect()
    found = [connection.transmit(READ) for _ in range(5)]
    assert found.pop(number - 1) == b"\x6f\x00"
    assert found == [CONTENT] * 4


@pytest.mark.parametrize("kind", [FaultKind.ENDLESS_MORE, FaultKind.ENDLESS_LENGTH])
def test_an_endless_answer_ends_at_the_terminals_bound(
    operational: CardImage, kind: FaultKind
) -> None:
    reader = SimulatedReader(VirtualCard(operational), faults=(Fault(kind=kind, at=1),))
    channel = CardChannel(reader.connect())
    read = CommandApdu(cla=0, ins=0xB0, p1=0x81, p2=0, expected_length=256)
    if kind is FaultKind.ENDLESS_MORE:
        with pytest.raises(ReadingLimitError):
            channel.transmit(read)
    else:
        # A terminal corrects Le once; the second 6Cxx is the answer.
        assert channel.transmit(read).status_word == 0x6C10
    assert channel.apdu_count <= 34
