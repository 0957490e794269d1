"""What a card says without a session, and in one: selection, reading, lengths, chaining (SPEC.md, 4 and 5.3)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from card_layout import tlv
from card_layout.atr import LifeCycle
from card_layout.files.security_infos import ID_PACE_ECDH_GM_AES_128, PaceInfo
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.channel import CardChannel, ExtendedLengths
from card_layout.protocols.file_reading import read_file
from card_layout.protocols.pace import PacePassword, perform_pace
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.image import CardImage, ImageFile, Limits, ReadRule

AID = "A0000002471001"
SELECT_APPLICATION = f"00A4040C07{AID}"
EXTENDED = ExtendedLengths(max_command_bytes=4096, max_response_bytes=4096)
Maker = Callable[..., CardImage]


def send(card: VirtualCard, *commands: str) -> str:
    answer = b""
    for command in commands:
        answer = card.process(bytes.fromhex(command))
    return answer.hex().upper()


def open_session(card: VirtualCard) -> CardChannel:
    channel = CardChannel(SimulatedReader(card).connect())
    info = PaceInfo(protocol=ID_PACE_ECDH_GM_AES_128, version=2, parameter_id=12)
    perform_pace(channel, pace_info=info, password=PacePassword.can("123456"))
    return channel


def command(text: str, data: bytes = b"", length: int | None = None) -> CommandApdu:
    cla, ins, p1, p2 = bytes.fromhex(text)
    return CommandApdu(cla=cla, ins=ins, p1=p1, p2=p2, data=data, expected_length=length)


@pytest.mark.parametrize(
    ("commands", "answer"),
    [
        ((SELECT_APPLICATION,), "9000"),
        ((SELECT_APPLICATION.replace("040C", "0400"),), "9000"),
        ((SELECT_APPLICATION.replace("040C", "0404"),), "6A86"),
        (("00A4040C06A00000024710",), "6A82"),
        (("00A4040C08A000000247100100",), "6A82"),
        (("00A4000C",), "9000"),
        (("00A4000C023F00",), "9000"),
        (("00A4000C023F01",), "6A82"),
        (("00A4020C02011C",), "9000"),
        (("00A4020C020101",), "6A82"),
        (("00A4020C03010101",), "6700"),
        ((SELECT_APPLICATION, "00A4020C020101"), "9000"),
        ((SELECT_APPLICATION, "00A4020C02011C"), "6A82"),
        ((SELECT_APPLICATION, "00A4000C", "00A4020C02011C"), "9000"),
        (("00A4030C02011C",), "6A86"),
        (("00B0000000",), "6986"),
        (("00B0A00000",), "6A86"),
        (("00B0C10000",), "6A86"),
        (("00B0800000",), "6A86"),
        (("00B09F0000",), "6A86"),
        (("00B0850000",), "6A82"),
        (("00B0810100",), "039421C0" + "9000"),
        (("00B0810500",), "6B00"),
        (("00B0810006",), "47039421C0" + "6282"),
        (("00B0810005",), "47039421C0" + "9000"),
        (("00B08100000006",), "47039421C0" + "6282"),
        (("00B08100000000",), "47039421C0" + "9000"),
        (("00B0810000", "00B0000100"), "039421C09000"),
        (("00B0810001AA00",), "6700"),
        (("00B0810000", "00A4020C02FFFF", "00B0000100"), "039421C09000"),
        ((SELECT_APPLICATION, "00B0810000"), "6982"),
        ((SELECT_APPLICATION, "00B0816400"), "6982"),
        (("00B08100",), "6105"),
        (("00B08100", "00C0000000"), "47039421C09000"),
        (("00B08100", "00C0000002"), "47036103"),
        (("00B08100", "00C0000002", "00C0000000"), "9421C09000"),
        (("00B08100", "00C0000000", "00C0000000"), "6985"),
        (("00B08100", "00A4000C", "00C0000000"), "6985"),
        (("00B08100", "00C0010000"), "6A86"),
        (("00C0000000",), "6985"),
        (("00B1000000",), "6A80"),
        (("00B1000003" + "540100" + "00",), "6986"),
        (("00B1000103" + "540100" + "00",), "5305" + "47039421C0" + "9000"),
        (("00B12F0103" + "540100" + "00",), "5305" + "47039421C0" + "9000"),
        (("00B1000104" + "54020001" + "00",), "5304" + "039421C0" + "9000"),
        (("00B1000103" + "540105" + "00",), "6B00"),
        (("00B1000103" + "540102" + "03",), "530194" + "9000"),
        (("00B1000103" + "540102" + "04",), "53029421" + "9000"),
        (("00B1000103" + "540100" + "08",), "5305" + "47039421C0" + "6282"),
        (("00B1000103" + "540100" + "02",), "6700"),
        (("00B1000503" + "540100" + "00",), "6A82"),
        (("00B12F0203" + "540100" + "00",), "6A82"),
        (("00B1000103" + "530100" + "00",), "6A80"),
        (("00B1000102" + "5400" + "00",), "6A80"),
        (("00B1000107" + "54050000000000" + "00",), "6A80"),
        (("00B1000106" + "540100540100" + "00",), "6A80"),
        (("00B12F0103" + "540100" + "00", "00B0000100"), "039421C09000"),
        ((SELECT_APPLICATION, "00B1000103" + "540100" + "00"), "6982"),
        ((SELECT_APPLICATION, "00B1010103" + "540100" + "00"), "6982"),
        (("00D6000001AA",), "6D00"),
        (("00E0000000",), "6D00"),
        (("8050000008" + "00" * 8 + "00",), "6D00"),
        (("8482330010" + "00" * 16,), "6D00"),
        (("94D6000001AA",), "6D00"),
        (("84D6000001AA",), "6D00"),
        (("FFCA000000",), "6E00"),
        (("01A4000C",), "6E00"),
        (("B0A4000C",), "6E00"),
        (("0CA4000C",), "6988"),
        (("00A404",), "6700"),
        (("",), "6700"),
        (("10A4040C05A000000247", "00A4040C021001"), "9000"),
        (("10A4040C05A000000247",), "9000"),
        (("10A4040C05A000000247", "00A4000C021001"), "6883"),
        (("10A4040C05A000000247", "00B0810000"), "6883"),
        (("10A4040C05A000000247", "00B0810000", "00B0810000"), "47039421C09000"),
        (("10A4040C05A000000247", "00A4", "00A4040C021001"), "6A82"),
        (("10A4040C05A000000247", "01A4000C", "00A4040C021001"), "6A82"),
        (("10A4040C05A000000247", "108600000 27C0000".replace(" ", "")), "6883"),
        (("0022C1A40F800A04007F00070202040202830102",), "9000"),
        (("0022C1A412800A04007F0007020204020283010284010C",), "9000"),
        (("0022C1A412800A04007F0007020204020283010284010D",), "6A80"),
        (("0022C1A40F800A04007F00070202040204830102",), "6A80"),
        (("0022C1A40F800A04007F00070202040202830103",), "6A88"),
        (("0022C1A40C800A04007F00070202040202",), "6A80"),
        (("0022C1A412800A04007F00070202040202830102830102",), "6A80"),
        (("0022C1A400",), "6A80"),
        (("0022C1B600",), "6A86"),
        (("002241A40C800A04007F00070202030202",), "6982"),
        ((SELECT_APPLICATION, "0022C1A40F800A04007F00070202040202830102"), "6985"),
        (("0086000002" + "7C00" + "00",), "6985"),
        (("1086000002" + "7C00" + "00",), "6985"),
    ],
)
def test_answers_without_a_session(
    card: VirtualCard, commands: tuple[str, ...], answer: str
) -> None:
    assert send(card, *commands) == answer


@pytest.mark.parametrize("state", [LifeCycle.BLANK, LifeCycle.INITIALISED, LifeCycle.PERSONALISING])
def test_before_quality_control_only_free_files_are_read(
    make_image: Maker, state: LifeCycle
) -> None:
    card = VirtualCard(make_image(state))
    card.power_on()
    assert send(card, "00B0810000") == "47039421C09000"
    assert send(card, "0022C1A40F800A04007F00070202040202830102") == "6985"
    assert send(card, "00860000027C0000") == "6985"
    assert send(card, SELECT_APPLICATION, "00B0810000") == "6982"


def test_a_terminated_card_refuses_everything(make_image: Maker) -> None:
    card = VirtualCard(make_image(LifeCycle.TERMINATED))
    card.power_on()
    for apdu in ("00A4000C", "00B0810000", "8050000008" + "00" * 8, "FF000000", "10A4000C0100"):
        assert send(card, apdu) == "6D00"


def test_a_file_that_is_not_there_is_not_found(operational: CardImage) -> None:
    files = {path: file for path, file in operational.files.items() if path != "3F00/011C"}
    card = VirtualCard(replace(operational, files=files))
    card.power_on()
    assert send(card, "00A4020C02011C") == "6A82"
    assert send(card, "00B09C0000") == "6A82"
    assert send(card, "0022C1A40F800A04007F00070202040202830102") == "6A80"


def test_a_card_without_extended_lengths_refuses_them(operational: CardImage) -> None:
    card = VirtualCard(replace(operational, limits=Limits(extended_lengths=False)))
    card.power_on()
    assert send(card, "00B0810000") == "47039421C09000"
    assert send(card, "00B08100000000") == "6700"


def test_the_longest_command_is_the_limit(card: VirtualCard) -> None:
    longest = "00D60000" + "00" + f"{4096 - 7:04X}" + "AA" * (4096 - 7)
    assert send(card, longest) == "6D00"
    assert send(card, "00D60000" + "00" + f"{4096 - 6:04X}" + "AA" * (4096 - 6)) == "6700"


def test_a_chain_as_a_whole_counts_against_the_longest_command(card: VirtualCard) -> None:
    part = "10D60000FF" + "AA" * 255
    for _ in range(16):
        assert send(card, part) == "9000"
    assert send(card, part) == "6700"
    # The chain is gone: its last part alone is a command of its own.
    assert send(card, "00D6000001AA") == "6D00"


def test_a_reset_ends_everything(card: VirtualCard) -> None:
    channel = open_session(card)
    channel.require(command("00A4040C", bytes.fromhex(AID)))
    assert channel.transmit(command("00B08100", length=4)).data
    assert card.reset() == card.image.atr
    assert send(card, "00B0000004") == "6986"
    assert send(card, SELECT_APPLICATION, "00B0810004") == "6982"


@pytest.mark.parametrize("rule", list(ReadRule))
def test_every_rule_in_a_session(operational: CardImage, rule: ReadRule) -> None:
    path = f"{AID}/0101"
    changed = operational.with_file(path, replace(operational.files[path], read=rule))
    channel = open_session(VirtualCard(changed))
    channel.require(command("00A4040C", bytes.fromhex(AID)))
    answer = channel.transmit(command("00B08100", length=4))
    expected = 0x9000 if rule in (ReadRule.ALWAYS, ReadRule.PASSWORD) else 0x6982
    assert answer.status_word == expected
    assert bool(answer.data) == (expected == 0x9000)


@pytest.mark.parametrize("extended", [None, EXTENDED], ids=["short", "extended"])
def test_a_file_beyond_the_last_offset_is_read_with_the_odd_instruction(
    operational: CardImage, extended: ExtendedLengths | None
) -> None:
    content = tlv.encode(0x75, bytes(range(250)) * 160)
    path = f"{AID}/0102"
    long = replace(operational.files[path], data=content, capacity=len(content))
    channel = open_session(VirtualCard(operational.with_file(path, long)))
    channel.extended = extended
    channel.require(command("00A4040C", bytes.fromhex(AID)))
    assert read_file(channel, short_identifier=2) == content


def test_errors_are_protected_and_keep_the_session(card: VirtualCard) -> None:
    channel = open_session(card)
    for text, data, expected in (
        ("00A4020C", b"\x01\x01", 0x6A82),
        ("00B00000", b"", 0x6986),
        ("00D60000", b"\xaa", 0x6D00),
        ("00C00000", b"", 0x6985),
        ("00860000", b"\x7c\x00", 0x6985),
        ("0022C1A4", bytes.fromhex("800A04007F00070202040202830102"), 0x6985),
        ("002241A4", bytes.fromhex("800A04007F00070202030202"), 0x6985),
    ):
        assert channel.transmit(command(text, data)).status_word == expected
    channel.require(command("00A4040C", bytes.fromhex(AID)))
    channel.require(command("00A4000C"))
    channel.require(command("00A4040C", bytes.fromhex(AID)))
    assert channel.transmit(command("00B08100", length=4)).status_word == 0x9000


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ("00B0810004", "6987"),
        ("80B0810004", "6987"),
        ("10A4040C0100", "6987"),
        ("FFB0810004", "6987"),
        ("00C0000000", "6987"),
        ("0CB0810000", "6987"),
        ("0CB08100039701" + "04" + "00", "6987"),
        ("0CB081000D970104" + "8E08" + "00" * 8 + "00", "6988"),
        ("0CB081000A8E08" + "00" * 8 + "00", "6988"),
        ("0CB081000D8E08" + "00" * 8 + "970104" + "00", "6988"),
        ("0CB08100028E01" + "00", "6988"),
        ("0CB0810001AA00", "6988"),
    ],
)
def test_broken_secure_messaging_is_answered_in_plain_and_ends_the_session(
    card: VirtualCard, broken: str, expected: str
) -> None:
    channel = open_session(card)
    channel.require(command("00A4040C", bytes.fromhex(AID)))
    assert send(card, broken) == expected
    assert channel.session is not None
    wrapped = channel.session.wrap(command("00B08100", length=4)).to_bytes()
    assert card.process(wrapped).hex() == "6988"
    assert send(card, "00B0810004") == "6982"


def test_every_single_bit_of_a_protected_command_matters(operational: CardImage) -> None:
    for position in range(8 * 5, 8 * 40, 7):
        card = VirtualCard(operational)
        channel = open_session(card)
        assert channel.session is not None
        select = channel.session.wrap(command("00A4040C", bytes.fromhex(AID))).to_bytes()
        changed = bytearray(select)
        changed[(position // 8) % (len(select) - 1)] ^= 1 << position % 8
        answer = card.process(bytes(changed))
        assert answer.hex() in ("6987", "6988", "6700", "6e00", "6883")


def test_an_answer_to_a_short_le_has_at_most_258_bytes_and_to_an_extended_one_the_maximum(
    card: VirtualCard,
) -> None:
    channel = open_session(card)
    channel.require(command("00A4040C", bytes.fromhex(AID)))
    session = channel.session
    assert session is not None
    asked = command("00B08200", length=256)
    short = card.process(session.wrap(asked).to_bytes())
    assert len(short) <= 258
    assert len(session.unwrap(ResponseApdu.from_bytes(short)).data) == 223
    wrapped = session.wrap(command("00B08200", length=65536))
    extended = card.process(wrapped.to_bytes(extended=True))
    plain = session.unwrap(ResponseApdu.from_bytes(extended))
    assert 4096 - 16 < len(extended) <= 4096
    assert plain.status_word == 0x9000
    assert len(plain.data) == session.max_response_data(4094)


def test_a_plain_answer_fits_the_maximum_too(operational: CardImage) -> None:
    content = bytes(5000)
    big = ImageFile(data=content, read=ReadRule.ALWAYS, short_identifier=5, capacity=6000)
    card = VirtualCard(operational.with_file("3F00/0105", big))
    card.power_on()
    assert len(card.process(bytes.fromhex("00B0850000"))) == 258
    assert len(card.process(bytes.fromhex("00B08500000000"))) == 4096
    assert send(card, "00B08500001388")[-4:] == "9000"
    assert send(card, "00B01000") == "6100"
    assert len(card.process(bytes.fromhex("00C0000000"))) == 258


def test_a_protected_command_without_le_is_fetched_with_get_response(card: VirtualCard) -> None:
    channel = open_session(card)
    session = channel.session
    assert session is not None
    wrapped = session.wrap(command("00A4040C", bytes.fromhex(AID))).with_expected_length(None)
    assert send(card, wrapped.to_bytes().hex()) == "610E"
    answer = card.process(bytes.fromhex("00C000000E"))
    assert session.unwrap(ResponseApdu.from_bytes(answer)).status_word == 0x9000


def test_a_protected_command_may_come_as_a_chain(card: VirtualCard) -> None:
    channel = open_session(card)
    session = channel.session
    assert session is not None
    whole = session.wrap(command("00A4040C", bytes.fromhex(AID)))
    part = replace(whole, cla=0x1C, data=whole.data[:20], expected_length=None)
    assert card.process(part.to_bytes()) == b"\x90\x00"
    last = replace(whole, data=whole.data[20:])
    answer = ResponseApdu.from_bytes(card.process(last.to_bytes()))
    assert session.unwrap(answer).status_word == 0x9000


def test_all_files_read_back_short_and_extended(operational: CardImage) -> None:
    for extended in (None, EXTENDED):
        channel = open_session(VirtualCard(operational))
        channel.extended = extended
        channel.require(command("00A4040C", bytes.fromhex(AID)))
        for path, file in operational.files.items():
            if path.startswith("3F00"):
                continue
            identifier = int(path[-4:], 16)
            channel.require(command("00A4020C", identifier.to_bytes(2, "big")))
            content = b""
            while len(content) < len(file.data):
                p1, p2 = divmod(len(content), 256)
                length = 65536 if extended else 256
                content += channel.require(
                    CommandApdu(cla=0, ins=0xB0, p1=p1, p2=p2, expected_length=length)
                )
            assert content == file.data
            assert tlv.parse(content).value


def test_without_power_the_card_says_nothing(operational: CardImage) -> None:
    card = VirtualCard(operational)
    with pytest.raises(RuntimeError, match="no power"):
        card.process(bytes.fromhex("00A4000C"))
    card.power_on()
    assert card.is_powered
    card.power_off()
    with pytest.raises(RuntimeError):
        card.process(bytes.fromhex("00A4000C"))
