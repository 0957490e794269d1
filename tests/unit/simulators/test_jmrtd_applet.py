"""The passport applet's personality: what it answers, state by state (SPEC.md, 11.3 and 11.4)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_layout import tlv
from card_layout.atr import LifeCycle, read_life_cycle
from card_layout.curves import NamedCurve
from card_layout.iso7816.channel import CardChannel
from card_layout.profile import load_profile
from card_layout.protocols.basic_access_control import perform_basic_access_control
from simulators.blank import blank_image
from simulators.card.operating_system import VirtualCard
from simulators.card.points import Point
from simulators.connection import SimulatedReader
from simulators.image import CardImage
from simulators.image_keys import SessionAlgorithm
from simulators.variants import draw_rsa_key

SERIAL = bytes.fromhex("47906A4300112233AABB")
PROFILE = load_profile("dev-bac")
SELECT = "00A4040C07A0000002471001"
MRZ = tlv.encode(
    0x62, b"".join(tlv.encode(4, part) for part in (b"T22000129", b"640812", b"101031"))
)
INFORMATION = "T22000129364081251010318"


def powered(image: CardImage | None = None, *first: str) -> VirtualCard:
    blank = blank_image(PROFILE, serial=SERIAL, transport_master_key=bytes(32))
    card = VirtualCard(blank if image is None else image)
    card.power_on()
    for command in first:
        assert say(card, command) == "9000"
    return card


def say(card: VirtualCard, command: str) -> str:
    return card.process(bytes.fromhex(command)).hex().upper()


def put(p2: int, data: bytes, p1: int = 0) -> str:
    return (bytes((0x00, 0xDA, p1, p2, len(data))) + data).hex()


def key_objects(curve: NamedCurve, scalar: int, generator: bytes | None = None) -> bytes:
    size = curve.field_bytes
    parts = {
        0x81: curve.p.to_bytes(size, "big"),
        0x82: curve.a.to_bytes(size, "big"),
        0x83: curve.b.to_bytes(size, "big"),
        0x84: generator or Point.generator(curve).to_bytes(),
        0x85: curve.n.to_bytes(size, "big"),
        0x86: scalar.to_bytes(size, "big"),
        0x87: b"\x01",
    }
    return b"".join(tlv.encode(tag, value) for tag, value in parts.items())


def test_the_card_manager_tells_the_production_data_and_the_atr_no_state() -> None:
    card = powered()
    assert read_life_cycle(card.image.atr) is None
    assert say(card, "00A4040000") == "9000"
    data = tlv.parse(bytes.fromhex(say(card, "80CA9F7F00"))[:-2], expected_tag=0x9F7F).value
    assert (len(data), data[0:4] + data[16:18] + data[12:16]) == (42, SERIAL)
    assert say(card, "00A4020C02011C") == "6A82"
    assert say(card, "00B09C0000") == "6D00"
    assert say(card, "00A4040C07A0000002471002") == "6A82"
    assert say(card, "8050000008" + "00" * 8) == "6D00"


@pytest.mark.parametrize(
    ("command", "unlocked", "locked"),
    [
        ("00E000000663040040011E", "9000", "6985"),
        ("00E000000663040040010F", "6983", "6985"),
        ("00E000000663040040013F", "6F00", "6985"),
        ("00E000000664040040011E", "6984", "6985"),
        ("00E0000003630400", "6700", "6985"),
        ("00A4020C02010F", "9000", "6982"),
        ("00A4020C020110", "6A82", "6982"),
        ("00D6000001AA", "9000", "6985"),
        ("00D6004001AA", "6D42", "6985"),
        ("00B0000001", "6982", "6982"),
        ("00DA0000", "6A86", "6985"),
        ("00DA0065", "6A86", "6985"),
        (put(0x62, MRZ), "9000", "6985"),
        (put(0x62, MRZ[:-1]), "6A80", "6985"),
        (put(0x63, key_objects(NamedCurve.SECP256R1, 7)), "9000", "6985"),
        (put(0x63, key_objects(NamedCurve.SECP256R1, 0)), "6A80", "6985"),
        (put(0x63, key_objects(NamedCurve.SECP256R1, 7, b"\x04" + bytes(64))), "6A80", "6985"),
        (put(0x64, b"\x7f\x21\x00"), "6A80", "6985"),
        (put(0x60, b"\x60\x00"), "6A80", "6985"),
        ("0084000008", "6982", "6982"),
        ("0022C1A400", "6982", "6982"),
        ("0088000008" + "00" * 8, "6982", "6982"),
        ("0CB0000000", "6882", "6882"),
        ("0050000000", "6D00", "6D00"),
        ("10DA0000", "6E00", "6E00"),
    ],
)
def test_each_command_before_and_after_the_lock(command: str, unlocked: str, locked: str) -> None:
    prepared = ("00E000000663040040010F", "00A4020C02010F")
    assert say(powered(None, SELECT, *prepared), command) == unlocked
    card = powered(None, SELECT, *prepared, "00DADEAD")
    assert card.image.state is LifeCycle.OPERATIONAL
    before = card.image
    assert say(card, command) == locked
    assert card.image == before


def test_the_keys_of_basic_access_control_are_made_of_the_three_values() -> None:
    card = powered(None, SELECT, put(0x62, MRZ))
    assert card.image.secrets.mrz_information == INFORMATION
    connection = SimulatedReader(card).connect()
    channel = CardChannel(connection)
    connection.transmit(bytes.fromhex(SELECT))
    perform_basic_access_control(channel, information=INFORMATION)
    assert channel.session is not None
    # A plain command in a session ends it.
    assert connection.transmit(bytes.fromhex("00B0000001")) == b"\x69\x87"
    assert connection.transmit(bytes.fromhex("0CB0000000")) == b"\x68\x82"


def test_the_chip_key_is_for_triple_des_and_the_last_one_counts() -> None:
    card = powered(None, SELECT)
    for scalar in (5, 7):
        assert say(card, put(0x63, key_objects(NamedCurve.BRAINPOOLP256R1, scalar))) == "9000"
    [key] = card.image.keys.chip_authentication
    assert (key.curve, key.private_scalar) == (NamedCurve.BRAINPOOLP256R1, 7)
    assert key.algorithms == (SessionAlgorithm.TRIPLE_DES,)
    assert CardImage.from_json(card.image.to_json()) == card.image


@pytest.mark.parametrize("is_old", [False, True])
def test_a_key_of_active_authentication_comes_in_two_numbers(*, is_old: bool) -> None:
    drawn = draw_rsa_key(1024)
    card = powered(None, SELECT)

    def number(tag: int, value: int) -> bytes:
        inner = tlv.encode(0x04, value.to_bytes(128, "big"))
        return tlv.encode(tag, b"") + inner if is_old else tlv.encode(tag, inner)

    assert say(card, put(0x60, number(0x60, drawn.modulus))) == "9000"
    assert card.image.keys.active_authentication is None
    assert say(card, put(0x61, number(0x61, drawn.private_exponent))) == "9000"
    assert card.image.keys.active_authentication == drawn


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=30))
def test_no_command_whatever_breaks_the_applet_and_a_locked_one_never_changes(
    commands: list[bytes],
) -> None:
    card = powered(None, SELECT, put(0x62, MRZ), "00DADEAD")
    before = card.image
    for command in commands:
        for attempt in (command, b"\x00" + command, b"\x00\xda" + command, b"\x00\xd6" + command):
            answer = card.process(attempt)
            assert len(answer) >= 2
    # Only the count of wrong passwords may move.
    assert replace(card.image, secrets=before.secrets) == before
