"""PACE and chip authentication on the card (SPEC.md, 5.1-5.4), played by the terminal's own code and by hand."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from card_layout import tlv
from card_layout.atr import LifeCycle
from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.files.security_infos import (
    ID_CA_ECDH_AES_128,
    ID_PACE_ECDH_GM_AES_128,
    ID_PK_ECDH,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
)
from card_layout.iso7816.apdu import CommandApdu
from card_layout.iso7816.channel import CardChannel
from card_layout.protocols.chip_authentication import perform_chip_authentication
from card_layout.protocols.pace import PacePassword, WrongPasswordError, perform_pace
from simulators.card.operating_system import VirtualCard
from simulators.card.points import Point
from simulators.connection import SimulatedReader
from simulators.image import CardImage, EcKey, Timing

Maker = Callable[..., CardImage]
CURVES = [NamedCurve.SECP256R1, NamedCurve.BRAINPOOLP256R1]
CAN = PacePassword.can("123456")
MRZ = PacePassword.mrz("T22000129364081251010318")
SET_AT = "0022C1A40F800A04007F00070202040202830102"
FIRST = "10860000027C0000"


def pace(card: VirtualCard, password: PacePassword, curve: NamedCurve) -> CardChannel:
    card.power_off()
    channel = CardChannel(SimulatedReader(card).connect())
    info = PaceInfo(
        protocol=ID_PACE_ECDH_GM_AES_128, version=2, parameter_id=curve.pace_parameter_id
    )
    perform_pace(channel, pace_info=info, password=password)
    return channel


def select_application(channel: CardChannel) -> None:
    aid = bytes.fromhex("A0000002471001")
    channel.require(CommandApdu(cla=0, ins=0xA4, p1=4, p2=0x0C, data=aid))


def send(card: VirtualCard, *commands: str) -> str:
    answer = b""
    for command in commands:
        answer = card.process(bytes.fromhex(command))
    return answer.hex().upper()


def authenticate(tag: int, value: bytes, cla: str = "10") -> str:
    data = tlv.encode(0x7C, tlv.encode(tag, value))
    return f"{cla}860000{len(data):02X}{data.hex()}00"


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("password", [CAN, MRZ])
@pytest.mark.parametrize("state", [LifeCycle.OPERATIONAL, LifeCycle.PERSONALISED])
def test_both_passwords_open_the_card(
    make_image: Maker, curve: NamedCurve, password: PacePassword, state: LifeCycle
) -> None:
    channel = pace(VirtualCard(make_image(state, curve)), password, curve)
    select_application(channel)
    read = CommandApdu(cla=0, ins=0xB0, p1=0x81, p2=0, expected_length=8)
    assert channel.require(read)


def test_wrong_passwords_are_counted_until_a_right_one(operational: CardImage) -> None:
    stored: list[int] = []
    card = VirtualCard(operational, store=lambda i: stored.append(i.secrets.wrong_passwords))
    for wrong in (PacePassword.can("123457"), PacePassword.mrz("L898902C<369080619406236")):
        with pytest.raises(WrongPasswordError):
            pace(card, wrong, NamedCurve.SECP256R1)
    assert stored == [1, 2]
    pace(card, CAN, NamedCurve.SECP256R1)
    pace(card, CAN, NamedCurve.SECP256R1)
    # A right password with nothing to forget writes nothing.
    assert stored == [1, 2, 0]


@pytest.mark.parametrize(("timing", "delays"), [(Timing.OFF, []), (Timing.CHIP, [0, 1, 2, 10])])
def test_wrong_passwords_slow_a_chip_down_and_block_nothing(
    operational: CardImage, timing: Timing, delays: list[int]
) -> None:
    slept: list[float] = []
    measured: list[float] = []
    card = VirtualCard(replace(operational, timing=timing), sleep=slept.append)
    for before in (0, 1, 2, 40):
        image = card.image
        card = VirtualCard(
            replace(image, secrets=replace(image.secrets, wrong_passwords=before)),
            sleep=slept.append,
        )
        slept.clear()
        with pytest.raises(WrongPasswordError):
            pace(card, PacePassword.can("000000"), NamedCurve.SECP256R1)
        measured += [seconds for seconds in slept if seconds in (0, 1, 2, 10)]
    assert measured == delays


def test_the_wrong_password_is_told_at_the_last_step_only(card: VirtualCard) -> None:
    curve = NamedCurve.SECP256R1
    generator = Point.generator(curve)
    assert send(card, SET_AT) == "9000"
    assert send(card, FIRST).endswith("9000")
    assert send(card, authenticate(0x81, generator.to_bytes())).endswith("9000")
    assert send(card, authenticate(0x83, generator.times(5).to_bytes())).endswith("9000")
    assert send(card, authenticate(0x85, bytes(8), cla="00")) == "6300"
    assert card.image.secrets.wrong_passwords == 1
    # The run is over: its next command finds nothing.
    assert send(card, authenticate(0x85, bytes(8), cla="00")) == "6985"


GOOD_POINT = Point.generator(NamedCurve.SECP256R1).times(7).to_bytes()
OTHER_CURVE = Point.generator(NamedCurve.BRAINPOOLP256R1).to_bytes()


@pytest.mark.parametrize(
    "commands",
    [
        ("10860000037C010000",),
        ("10860000047C02800000",),
        ("1086000000",),
        (FIRST, FIRST),
        (FIRST, authenticate(0x83, GOOD_POINT)),
        (FIRST, authenticate(0x81, b"")),
        (FIRST, authenticate(0x81, b"\x00")),
        (FIRST, authenticate(0x81, OTHER_CURVE)),
        (FIRST, authenticate(0x81, GOOD_POINT[:-1] + b"\x00")),
        (FIRST, authenticate(0x81, GOOD_POINT), authenticate(0x81, GOOD_POINT)),
        (FIRST, authenticate(0x81, GOOD_POINT), authenticate(0x83, OTHER_CURVE)),
    ],
)
def test_wrong_data_ends_the_run(card: VirtualCard, commands: tuple[str, ...]) -> None:
    assert send(card, SET_AT, *commands) == "6A80"
    assert send(card, FIRST) == "6985"
    assert card.image.secrets.wrong_passwords == 0


@pytest.mark.parametrize("between", ["00A4000C", "00B0810004", "00C0000000", "0022C1B600"])
def test_another_command_ends_the_run(card: VirtualCard, between: str) -> None:
    assert send(card, SET_AT, FIRST).endswith("9000")
    send(card, between)
    assert send(card, authenticate(0x81, GOOD_POINT)) == "6985"


def test_the_chaining_bit_is_required_up_to_the_last_command(card: VirtualCard) -> None:
    assert send(card, SET_AT, "00860000027C0000") == "6985"
    steps = (FIRST, authenticate(0x81, GOOD_POINT), authenticate(0x83, GOOD_POINT))
    assert send(card, SET_AT, *steps).endswith("9000")
    assert send(card, authenticate(0x85, bytes(8))) == "6883"
    assert card.image.secrets.wrong_passwords == 0


def test_the_card_does_not_take_its_own_key_back(operational: CardImage) -> None:
    private = (9).to_bytes(32, "big")
    for step, tag in ((1, 0x81), (2, 0x83)):
        card = VirtualCard(operational, random=lambda size: private[-size:])
        card.power_on()
        send(card, SET_AT, FIRST)
        own = Point.generator(NamedCurve.SECP256R1).times(9).to_bytes()
        if step == 2:
            answer = card.process(bytes.fromhex(authenticate(0x81, GOOD_POINT)))
            assert answer.endswith(b"\x90\x00")
            mapped = Point.from_bytes(NamedCurve.SECP256R1, GOOD_POINT).times(9)
            generator = Point.generator(NamedCurve.SECP256R1).times(9).plus(mapped)
            own = generator.times(9).to_bytes()
        assert send(card, authenticate(tag, own)) == "6A80"


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("named_key", [True, False])
def test_chip_authentication_starts_new_keys(
    make_image: Maker, curve: NamedCurve, *, named_key: bool
) -> None:
    channel = pace(VirtualCard(make_image(curve=curve)), CAN, curve)
    select_application(channel)
    prove(channel, curve, key_id=1 if named_key else None)
    assert channel.require(CommandApdu(cla=0, ins=0xB0, p1=0x81, p2=0, expected_length=8))


def prove(channel: CardChannel, curve: NamedCurve, *, key_id: int | None) -> None:
    public = Point.generator(curve).times(0x1234567).to_bytes()
    perform_chip_authentication(
        channel,
        info=ChipAuthenticationInfo(protocol=ID_CA_ECDH_AES_128, version=1, key_id=key_id),
        public_key_info=ChipAuthenticationPublicKeyInfo(
            protocol=ID_PK_ECDH,
            public_key=EcPublicKey(curve=curve, point=public),
            key_id=key_id,
        ),
    )


SET_CHIP_AT = bytes.fromhex("800A04007F00070202030202")


@pytest.mark.parametrize(
    ("keys", "data", "expected"),
    [
        (1, SET_CHIP_AT, 0x9000),
        (1, SET_CHIP_AT + b"\x84\x01\x01", 0x9000),
        (1, SET_CHIP_AT + b"\x84\x01\x02", 0x6A88),
        (1, SET_CHIP_AT + b"\x84\x02\x00\x01", 0x6A88),
        (2, SET_CHIP_AT, 0x6A88),
        (2, SET_CHIP_AT + b"\x84\x01\x02", 0x9000),
        (0, SET_CHIP_AT, 0x6A88),
        (0, SET_CHIP_AT + b"\x84\x01\x01", 0x6A88),
        (1, SET_CHIP_AT[:-1] + b"\x04", 0x6A80),
        (1, b"\x84\x01\x01", 0x6A80),
        (1, SET_CHIP_AT + b"\x91\x00", 0x6A80),
    ],
)
def test_the_key_that_is_asked_for(
    operational: CardImage, keys: int, data: bytes, expected: int
) -> None:
    chip_keys = tuple(
        EcKey(curve=NamedCurve.SECP256R1, private_scalar=5 + number, key_id=1 + number)
        for number in range(keys)
    )
    image = replace(operational, keys=replace(operational.keys, chip_authentication=chip_keys))
    channel = pace(VirtualCard(image), CAN, NamedCurve.SECP256R1)
    set_at = CommandApdu(cla=0, ins=0x22, p1=0x41, p2=0xA4, data=data)
    assert channel.transmit(set_at).status_word == 0x6985
    select_application(channel)
    assert channel.transmit(set_at).status_word == expected


def test_a_point_off_the_curve_leaves_the_session_as_it_is(card: VirtualCard) -> None:
    channel = pace(card, CAN, NamedCurve.SECP256R1)
    select_application(channel)
    set_at = CommandApdu(cla=0, ins=0x22, p1=0x41, p2=0xA4, data=SET_CHIP_AT)
    for point in (OTHER_CURVE, b"", GOOD_POINT[:-1] + b"\x00"):
        data = tlv.encode(0x7C, tlv.encode(0x80, point))
        channel.require(set_at)
        authenticate_chip = CommandApdu(cla=0, ins=0x86, p1=0, p2=0, data=data, expected_length=256)
        assert channel.transmit(authenticate_chip).status_word == 0x6A80
        # The key reference served once.
        assert channel.transmit(authenticate_chip).status_word == 0x6985
    prove(channel, NamedCurve.SECP256R1, key_id=1)


def test_after_chip_authentication_the_old_keys_are_dead(card: VirtualCard) -> None:
    channel = pace(card, CAN, NamedCurve.SECP256R1)
    old = channel.session
    select_application(channel)
    assert old is not None
    prove(channel, NamedCurve.SECP256R1, key_id=1)
    counter = old.send_sequence_counter
    again = type(old)(b"x" * 16, b"y" * 16, counter)
    wrapped = again.wrap(CommandApdu(cla=0, ins=0xB0, p1=0x81, p2=0, expected_length=4))
    assert card.process(wrapped.to_bytes()).hex() == "6988"
