from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout import tlv
from card_layout.errors import CardDataError, CardError, CardRefusedError
from card_layout.iso7816.channel import (
    CardChannel,
    ChannelLimits,
    ExtendedLengths,
    ReadingLimitError,
)
from card_layout.protocols.file_reading import (
    FileReadingError,
    learn_extended_lengths,
    read_card_access,
    read_file,
    read_file_to_end,
    select_application,
    select_master_file,
)

CARD_ACCESS = bytes.fromhex("3114 3012 060A04007F00070202040202 0201 02 0201 0C".replace(" ", ""))


class PlainCard:
    """Files in plain, by short identifier and identifier, with READ BINARY as SPEC.md has it."""

    def __init__(
        self,
        files: dict[int, bytes],
        *,
        takes_short_identifiers: bool = True,
        change: Callable[[bytes, bytes], bytes] = lambda _command, answer: answer,
        knows_offset_objects: bool = True,
    ) -> None:
        self.knows_offset_objects = knows_offset_objects
        self.files = files
        self.commands: list[str] = []
        self.atr = b"\x3b\x80"
        self._change = change
        self._takes_short_identifiers = takes_short_identifiers
        self._current: bytes | None = None

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command.hex().upper())
        return self._change(command, self._answer(command))

    def _answer(self, command: bytes) -> bytes:
        if command[1] == 0xA4:
            return self._select(command)
        if command[1] == 0xB1 and self.knows_offset_objects:
            return self._read_odd(command)
        return self._read(command) if command[1] == 0xB0 else b"\x6d\x00"

    def _select(self, command: bytes) -> bytes:
        if command[2] != 0x02:
            return b"\x90\x00"
        self._current = self.files.get(command[6])
        return b"\x90\x00" if self._current is not None else b"\x6a\x82"

    def _read(self, command: bytes) -> bytes:
        offset = (command[2] << 8) | command[3]
        if command[2] & 0x80:
            if not self._takes_short_identifiers:
                return b"\x6a\x86"
            self._current = self.files.get(command[2] & 0x1F, b"")
            offset = command[3]
        if not self._current:
            return b"\x6a\x82"
        le = command[4] or (256 if len(command) == 5 else int.from_bytes(command[5:7], "big"))
        piece = self._current[offset : offset + le]
        if not piece:
            return b"\x6b\x00"
        is_all = le == 256 and len(command) == 5
        return piece + (b"\x90\x00" if is_all or len(piece) == le else b"\x62\x82")

    def _read_odd(self, command: bytes) -> bytes:
        """The offset in 54, the content in 53, which as a whole fits into Le (ISO/IEC 7816-4, 11.3.3)."""
        assert command[2:4] == b"\x00\x00"
        is_extended = command[4] == 0
        begin = 7 if is_extended else 5
        length = int.from_bytes(command[5:7], "big") if is_extended else command[4]
        offset = int.from_bytes(tlv.parse(command[begin : begin + length]).value, "big")
        le = int.from_bytes(command[begin + length :], "big") or (65536 if is_extended else 256)
        assert self._current is not None
        piece = self._current[offset:]
        if not piece:
            return b"\x6b\x00"
        fitting = [size for size in range(le, 0, -1) if len(tlv.encode(0x53, piece[:size])) <= le]
        return tlv.encode(0x53, piece[: fitting[0]]) + b"\x90\x00"

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def of_size(total: int, tag: int = 0x61) -> bytes:
    for header in (2, 3, 4, 5):
        content = tlv.encode(tag, bytes(index % 251 for index in range(max(0, total - header))))
        if len(content) == total:
            return content
    raise AssertionError(total)


@pytest.mark.parametrize("total", [2, 3, 60, 129, 131, 255, 256, 257, 258, 512, 513, 15000])
def test_a_file_of_any_size_is_read_with_the_fewest_commands(total: int) -> None:
    content = of_size(total)
    card = PlainCard({1: content})
    assert read_file(CardChannel(card), short_identifier=1) == content
    assert len(card.commands) == max(1, -(-total // 256))


def test_large_chunks_are_asked_for_where_the_card_announced_them() -> None:
    content = of_size(15000)
    card = PlainCard({2: content})
    channel = CardChannel(card)
    channel.extended = ExtendedLengths(max_command_bytes=4096, max_response_bytes=4096)
    assert read_file(channel, short_identifier=2) == content
    assert card.commands[0] == "00B08200000FFE"
    assert len(card.commands) == 4


@given(st.integers(2, 3000), st.integers(0, 40))
def test_bytes_behind_the_data_object_are_not_part_of_it(total: int, more: int) -> None:
    if total == 130:
        return  # No length field makes a data object of exactly 130 bytes with a one-byte tag.
    content = of_size(total) if total != 259 else of_size(260)
    card = PlainCard({1: content + b"\xff" * more})
    assert read_file(CardChannel(card), short_identifier=1) == content


def test_a_file_that_is_not_there_is_none() -> None:
    card = PlainCard({})
    channel = CardChannel(card)
    assert read_file(channel, short_identifier=1, file_identifier=0x0101) is None
    assert len(card.commands) == 1
    assert read_file(channel, file_identifier=0x0101) is None


@pytest.mark.parametrize("status_word", ["6700", "6986", "6A86", "6B00", "6D00", "6A81", "6981"])
def test_a_chip_without_short_identifiers_is_read_by_identifier(status_word: str) -> None:
    content = of_size(300)

    def change(command: bytes, answer: bytes) -> bytes:
        is_by_short_identifier = command[1] == 0xB0 and command[2] & 0x80
        return bytes.fromhex(status_word) if is_by_short_identifier else answer

    card = PlainCard({1: content}, change=change)
    channel = CardChannel(card)
    assert read_file(channel, short_identifier=1, file_identifier=0x0101) == content
    assert card.commands[1] == "00A4020C020101"
    with pytest.raises(CardRefusedError):
        read_file(channel, short_identifier=1)


def test_a_file_that_may_not_be_read_is_refused() -> None:
    card = PlainCard({1: of_size(10)}, change=lambda _command, _answer: b"\x69\x82")
    with pytest.raises(CardRefusedError) as caught:
        read_file(CardChannel(card), short_identifier=1, file_identifier=0x0101)
    assert caught.value.status_word == 0x6982
    assert len(card.commands) == 1


def test_a_file_without_identifier_cannot_be_asked_for() -> None:
    with pytest.raises(FileReadingError):
        read_file(CardChannel(PlainCard({})))


def change_from(number: int, answer: bytes) -> Callable[[bytes, bytes], bytes]:
    """The answer that comes in the place of the honest one, from command ``number`` on."""
    count = 0

    def change(_command: bytes, honest: bytes) -> bytes:
        nonlocal count
        count += 1
        return answer if count >= number else honest

    return change


HOSTILE_FIRST_ANSWERS = {
    "empty": b"\x90\x00",
    "empty-at-the-end": b"\x62\x82",
    "four-gigabytes": bytes.fromhex("6184FFFFFFFF") + bytes(100) + b"\x90\x00",
    "indefinite-length": bytes.fromhex("6180") + bytes(100) + b"\x90\x00",
    "length-not-shortest": bytes.fromhex("618101") + bytes(100) + b"\x90\x00",
    "no-tag": bytes(100) + b"\x90\x00",
    "endless-tag": b"\x7f" + b"\xff" * 100 + b"\x90\x00",
}


@pytest.mark.parametrize("case", HOSTILE_FIRST_ANSWERS)
def test_a_beginning_that_is_none_is_refused(case: str) -> None:
    card = PlainCard({1: of_size(10)}, change=change_from(1, HOSTILE_FIRST_ANSWERS[case]))
    with pytest.raises(FileReadingError) as caught:
        read_file(CardChannel(card), short_identifier=1)
    assert caught.value.code == "reading.malformed"
    assert len(card.commands) == 1


@pytest.mark.parametrize(
    ("header", "maximum_bytes"),
    [("6183FFFFFF", 65536), ("6183010000", 65536), ("618203E9", 1000)],
)
def test_a_file_that_announces_too_much_is_not_read(header: str, maximum_bytes: int) -> None:
    answer = bytes.fromhex(header) + bytes(200) + b"\x90\x00"
    card = PlainCard({1: of_size(10)}, change=change_from(1, answer))
    with pytest.raises(ReadingLimitError) as caught:
        read_file(CardChannel(card), short_identifier=1, maximum_bytes=maximum_bytes)
    assert caught.value.code == "reading.limit"
    assert len(card.commands) == 1


@pytest.mark.parametrize("total", [32767, 32768, 32769, 33024, 33025, 40000, 65535])
@pytest.mark.parametrize("extended", [None, 4096], ids=["short", "extended"])
def test_a_file_goes_on_beyond_the_last_offset_with_the_odd_instruction(
    total: int, extended: int | None
) -> None:
    content = of_size(total)
    card = PlainCard({1: content})
    channel = CardChannel(card)
    if extended is not None:
        channel.extended = ExtendedLengths(max_command_bytes=extended, max_response_bytes=extended)
    assert read_file(channel, short_identifier=1) == content
    per_answer, beyond = (256, 253) if extended is None else (4094, 4090)
    even = -(-min(total, 32768) // per_answer)
    even_end = min(total, even * per_answer)
    assert len(card.commands) == even + -(-(total - even_end) // beyond)


def test_a_chip_without_the_odd_instruction_refuses_the_rest() -> None:
    card = PlainCard({1: of_size(40000)}, knows_offset_objects=False)
    with pytest.raises(CardRefusedError) as caught:
        read_file(CardChannel(card), short_identifier=1)
    assert caught.value.status_word == 0x6D00


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x53\x00",
        b"\x53\x05abc",
        b"\x54\x01a",
        b"\x53\x01ab",
        tlv.encode(0x53, bytes(254)),
    ],
)
def test_what_is_no_content_object_of_the_size_asked_for_is_refused(answer: bytes) -> None:
    card = PlainCard({1: of_size(40000)}, change=change_from(129, answer + b"\x90\x00"))
    with pytest.raises(CardDataError):
        read_file(CardChannel(card), short_identifier=1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"\x90\x00", FileReadingError),
        (b"\x62\x82", FileReadingError),
        (b"\x6b\x00", FileReadingError),
        (b"\x69\x82", CardRefusedError),
        (b"\x6a\x82", CardRefusedError),
        (bytes(257) + b"\x90\x00", CardDataError),
    ],
    ids=["empty", "empty-at-the-end", "ends", "forbidden", "vanished", "more-than-asked"],
)
def test_a_file_that_breaks_off_is_refused(answer: bytes, error: type[CardError]) -> None:
    card = PlainCard({1: of_size(600)}, change=change_from(2, answer))
    with pytest.raises(error):
        read_file(CardChannel(card), short_identifier=1)
    assert len(card.commands) == 2


def test_a_file_that_shrank_after_its_header_was_read_is_refused() -> None:
    card = PlainCard({1: of_size(600)[:300]})
    with pytest.raises(FileReadingError):
        read_file(CardChannel(card), short_identifier=1)


def test_a_chip_that_gives_byte_by_byte_is_followed_within_the_bounds() -> None:
    content = of_size(200)

    def one_byte(_command: bytes, answer: bytes) -> bytes:
        return answer[:1] + b"\x90\x00" if len(answer) > 2 else answer

    card = PlainCard({1: content}, change=one_byte)
    assert read_file(CardChannel(card), short_identifier=1) == content
    channel = CardChannel(card, limits=ChannelLimits(max_apdus=50))
    with pytest.raises(ReadingLimitError):
        read_file(channel, short_identifier=1)


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_any_answers_raise_only_our_errors(answers: list[bytes]) -> None:
    remaining = iter(answers)
    card = PlainCard({}, change=lambda _command, _answer: next(remaining, b"\x90\x00"))
    try:
        content = read_file(CardChannel(card), short_identifier=1, file_identifier=0x0101)
    except CardError:
        return
    assert content is None or tlv.parse(content)


def test_a_file_that_is_no_data_object_is_read_to_its_end() -> None:
    for size in (1, 40, 255, 256, 257, 512, 700):
        content = bytes(index % 7 for index in range(size))
        card = PlainCard({1: content})
        assert read_file_to_end(CardChannel(card), short_identifier=1) == content
    assert read_file_to_end(CardChannel(PlainCard({})), short_identifier=1) is None


def test_a_file_without_end_is_given_up() -> None:
    card = PlainCard({1: bytes(100)}, change=change_from(1, bytes(256) + b"\x90\x00"))
    with pytest.raises(ReadingLimitError):
        read_file_to_end(CardChannel(card), short_identifier=1, maximum_bytes=1024)
    assert len(card.commands) == 4


def test_announced_lengths_are_learnt_with_one_command() -> None:
    content = bytes.fromhex("47039421C0 7F6608 02021000 02021000".replace(" ", ""))
    card = PlainCard({1: content})
    channel = CardChannel(card)
    expected = ExtendedLengths(max_command_bytes=4096, max_response_bytes=4096)
    assert learn_extended_lengths(channel) == channel.extended == expected
    assert card.commands == ["00B0810000"]


@pytest.mark.parametrize(
    "card",
    [
        PlainCard({}),
        PlainCard({1: bytes.fromhex("4703942180")}),
        PlainCard({}, takes_short_identifiers=False),
    ],
    ids=["no-file", "not-announced", "refused"],
)
def test_without_an_announcement_commands_stay_short(card: PlainCard) -> None:
    channel = CardChannel(card)
    assert learn_extended_lengths(channel) is None
    assert channel.extended is None


def test_a_malformed_announcement_is_an_error() -> None:
    with pytest.raises(CardDataError) as caught:
        learn_extended_lengths(CardChannel(PlainCard({1: b"\x47\x03\x94"})))
    assert caught.value.code == "atr-info.malformed"


def test_card_access_is_read_with_one_command() -> None:
    card = PlainCard({0x1C: CARD_ACCESS})
    assert read_card_access(CardChannel(card)) == CARD_ACCESS
    assert card.commands == ["00B09C0000"]


@pytest.mark.parametrize("refusal", ["6D00", "6A86", "6985"])
def test_card_access_is_found_on_chips_that_refuse_to_select_the_master_file(refusal: str) -> None:
    def change(command: bytes, answer: bytes) -> bytes:
        is_master_file = command[1] == 0xA4 and command[2] == 0x00
        return bytes.fromhex(refusal) if is_master_file else answer

    card = PlainCard({0x1C: CARD_ACCESS}, takes_short_identifiers=False, change=change)
    assert read_card_access(CardChannel(card)) == CARD_ACCESS
    assert card.commands == [
        "00B09C0000",
        "00A4000C",
        "00A4000C023F00",
        "00A4020C02011C",
        "00B0000000",
    ]


def test_a_chip_without_card_access_has_none() -> None:
    card = PlainCard({})
    assert read_card_access(CardChannel(card)) is None
    assert all(command[2:4] in ("B0", "A4") for command in card.commands)


def test_both_forms_of_selecting_the_master_file_are_tried() -> None:
    refused = PlainCard({}, change=lambda _command, _answer: b"\x6d\x00")
    assert not select_master_file(CardChannel(refused))
    assert refused.commands == ["00A4000C", "00A4000C023F00"]
    taken = PlainCard({})
    assert select_master_file(CardChannel(taken))
    assert taken.commands == ["00A4000C"]


def test_an_application_that_is_not_there_is_refused() -> None:
    card = PlainCard({}, change=lambda _command, _answer: b"\x6a\x82")
    with pytest.raises(CardRefusedError) as caught:
        select_application(CardChannel(card), bytes.fromhex("A0000002471001"))
    assert caught.value.status_word == 0x6A82
    assert card.commands == ["00A4040C07A0000002471001"]
