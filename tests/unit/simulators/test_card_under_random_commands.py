"""Whatever a terminal sends, the card answers with a status word and gives no protected content away."""

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from card_layout import tlv
from card_layout.atr import LifeCycle
from card_layout.curves import NamedCurve
from card_layout.files.security_infos import ID_PACE_ECDH_GM_AES_128, PaceInfo
from card_layout.iso7816.apdu import CommandApdu
from card_layout.iso7816.channel import CardChannel
from card_layout.protocols.pace import PacePassword, perform_pace
from simulators.card.operating_system import VirtualCard
from simulators.card.points import Point
from simulators.connection import SimulatedReader
from simulators.image import CardImage

Maker = Callable[..., CardImage]
MARK = b"PROTECTED CONTENT"
POINT = Point.generator(NamedCurve.SECP256R1).times(7).to_bytes()

byte = st.integers(0, 255)
classes = st.sampled_from([0x00, 0x00, 0x00, 0x0C, 0x10, 0x1C, 0x80, 0x84, 0x94]) | byte
instructions = st.sampled_from(
    [0xA4, 0xB0, 0xB1, 0x22, 0x86, 0xC0, 0x50, 0x82, 0xD8, 0xE0, 0x47, 0xDA, 0xCA, 0xD6, 0xF0]
)
parameters = st.sampled_from(
    [0x00, 0x01, 0x02, 0x04, 0x0C, 0x33, 0x41, 0x80, 0x81, 0x82, 0x9C, 0xA4, 0xC1, 0xFF]
)
data = st.binary(max_size=300) | st.sampled_from(
    [
        bytes.fromhex("A0000002471001"),
        bytes.fromhex("3F00"),
        bytes.fromhex("0101"),
        bytes.fromhex("011C"),
        bytes.fromhex("800A04007F00070202040202830102"),
        bytes.fromhex("800A04007F00070202030202"),
        bytes.fromhex("7C00"),
        tlv.encode(0x7C, tlv.encode(0x81, POINT)),
        tlv.encode(0x7C, tlv.encode(0x83, POINT)),
        tlv.encode(0x7C, tlv.encode(0x85, bytes(8))),
        bytes(8),
        bytes(16),
        bytes.fromhex("9701008E080000000000000000"),
    ]
)
commands = st.builds(
    lambda cla, ins, p1, p2, data, length, extended: CommandApdu(
        cla=cla, ins=ins, p1=p1, p2=p2, data=data, expected_length=length
    ).to_bytes(extended=True if extended else None),
    classes,
    instructions | byte,
    parameters | byte,
    parameters | byte,
    st.just(b"") | data,
    st.none() | st.sampled_from([1, 4, 256, 4096, 65536]),
    st.booleans(),
)
sequences = st.lists(commands | st.binary(max_size=20), max_size=25)


def check(card: VirtualCard, sequence: list[bytes]) -> None:
    before = card.image
    for command in sequence:
        answer = card.process(command)
        assert 2 <= len(answer) <= 4096
        assert answer[-2] & 0xF0 in (0x60, 0x90)
        assert MARK not in answer
    after = card.image
    assert after.files == before.files
    assert after.keys.chip_authentication == before.keys.chip_authentication
    assert (after.secrets.can, after.secrets.mrz_information) == (
        before.secrets.can,
        before.secrets.mrz_information,
    )


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(LifeCycle), sequences)
def test_no_sequence_without_a_password_gets_protected_content(
    make_image: Maker, state: LifeCycle, sequence: list[bytes]
) -> None:
    card = VirtualCard(make_image(state))
    card.power_on()
    check(card, sequence)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(sequences)
def test_nobody_steps_into_the_session_of_another(
    operational: CardImage, sequence: list[bytes]
) -> None:
    card = VirtualCard(operational)
    channel = CardChannel(SimulatedReader(card).connect())
    info = PaceInfo(protocol=ID_PACE_ECDH_GM_AES_128, version=2, parameter_id=12)
    perform_pace(channel, pace_info=info, password=PacePassword.can("123456"))
    aid = bytes.fromhex("A0000002471001")
    channel.require(CommandApdu(cla=0, ins=0xA4, p1=4, p2=0x0C, data=aid))
    check(card, sequence)


def test_with_the_password_the_content_is_there(operational: CardImage) -> None:
    channel = CardChannel(SimulatedReader(VirtualCard(operational)).connect())
    info = PaceInfo(protocol=ID_PACE_ECDH_GM_AES_128, version=2, parameter_id=12)
    perform_pace(channel, pace_info=info, password=PacePassword.can("123456"))
    aid = bytes.fromhex("A0000002471001")
    channel.require(CommandApdu(cla=0, ins=0xA4, p1=4, p2=0x0C, data=aid))
    read = CommandApdu(cla=0, ins=0xB0, p1=0x81, p2=0, expected_length=256)
    assert MARK in channel.require(read)
