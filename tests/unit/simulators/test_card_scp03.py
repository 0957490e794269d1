"""The card's end of SCP03 (SPEC.md, 8.1) with yubikey-manager, an independent host, as the counterpart."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from yubikit.core import TRANSPORT, BadResponseError, Version
from yubikit.core.smartcard import ApduError, SmartCardConnection, SmartCardProtocol
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, StaticKeys

from card_layout import tlv
from card_layout.atr import LifeCycle
from card_layout.iso7816.apdu import CommandApdu
from card_layout.iso7816.channel import CardChannel
from issuer.personalisation.scp03 import Scp03Session as Scp03Host
from issuer.personalisation.scp03_keys import Scp03Keys
from simulators.blank import derive_card_key, transport_keys
from simulators.card.aes import cmac
from simulators.card.operating_system import VirtualCard
from simulators.card.scp03 import Scp03Session
from simulators.connection import SimulatedReader
from simulators.image import CardImage

Maker = Callable[..., CardImage]
KEYS = StaticKeys(b"e" * 16, b"m" * 16, b"d" * 16)


class CardOfYubikit(SmartCardConnection):
    """The card as yubikit reaches one."""

    def __init__(self, card: VirtualCard) -> None:
        self.card = card
        self.sent: list[bytes] = []

    @property
    def transport(self) -> TRANSPORT:
        return TRANSPORT.USB

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        self.sent.append(apdu)
        answer = self.card.process(apdu)
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def close(self) -> None:
        self.card.power_off()


def powered(image: CardImage, **options: object) -> VirtualCard:
    card = VirtualCard(image, **options)  # type: ignore[arg-type] # passed on as they came
    card.power_on()
    return card


def host(card: VirtualCard, keys: StaticKeys = KEYS, key_version: int = 0) -> SmartCardProtocol:
    protocol = SmartCardProtocol(CardOfYubikit(card))
    protocol.init_scp(Scp03KeyParams(KeyRef(1, key_version), keys))
    return protocol


def status_of(action: Callable[[], object]) -> int:
    with pytest.raises(ApduError) as caught:
        action()
    status: int = caught.value.sw
    return status


def test_an_independent_host_opens_the_channel_and_gets_data(make_image: Maker) -> None:
    card = powered(make_image(LifeCycle.PERSONALISING))
    channel = host(card)
    assert channel.send_apdu(0x80, 0xCA, 0x01, 0x02) == b"r" * 16
    assert channel.send_apdu(0x80, 0xCA, 0x01, 0x02) == b"r" * 16
    assert status_of(lambda: channel.send_apdu(0x80, 0xCA, 0x01, 0x03)) == 0x6A86
    # An error comes without a MAC and the channel goes on.
    assert channel.send_apdu(0x80, 0xCA, 0x01, 0x02) == b"r" * 16


@pytest.mark.parametrize("extended", [False, True])
def test_an_independent_host_writes_chained_and_extended(
    make_image: Maker, *, extended: bool
) -> None:
    content = tlv.encode(0x75, bytes(range(256)) * 3)
    card = powered(make_image(LifeCycle.PERSONALISING))
    channel = SmartCardProtocol(CardOfYubikit(card))
    if extended:
        channel.configure(Version(5, 7, 2))
    channel.init_scp(Scp03KeyParams(KeyRef(1, 0), KEYS))
    channel.send_apdu(0x80, 0xA4, 0x04, 0x0C, bytes.fromhex("A0000002471001"))
    channel.send_apdu(0x80, 0xD6, 0x82, 0x00, content)
    assert card.image.files["A0000002471001/0102"].data.startswith(content)
    assert status_of(lambda: channel.send_apdu(0x80, 0xD6, 0x9E, 0x00, bytes(65))) == 0x6A84


def test_transport_keys_of_a_blank_open_it(blank: CardImage) -> None:
    keys = transport_keys(bytes(range(32)), blank.serial)
    static = StaticKeys(keys.enc, keys.mac, keys.dek)
    for key_version in (0x00, 0xFF):
        host(powered(blank), static, key_version)
    # This is how the counterpart tells of 6A88.
    with pytest.raises(ValueError, match="Incorrect SCP parameters") as caught:
        host(powered(blank), static, 0x30)
    assert isinstance(caught.value.__context__, ApduError)
    assert caught.value.__context__.sw == 0x6A88


def test_keys_derive_as_clause_8_2_says(blank: CardImage) -> None:
    # Computed with OpenSSL 3: kdf KBKDF, mode counter, mac CMAC, cipher AES-256-CBC.
    derived = derive_card_key(bytes(range(32)), label="membercard transport enc", serial=bytes(10))
    assert derived.hex() == "200321c7c85dba512a741a51b69ddac8"
    keys = transport_keys(bytes(range(32)), blank.serial)
    assert len({keys.enc, keys.mac, keys.dek}) == 3


def test_initialize_update_says_what_clause_8_1_lists(make_image: Maker) -> None:
    card = powered(make_image(LifeCycle.INITIALISED), random=lambda size: b"\xc5" * size)
    answer = card.process(bytes.fromhex("8050000008") + b"h" * 8 + b"\x00")
    assert answer[-2:] == b"\x90\x00"
    assert len(answer) == 31
    assert answer[:10] == card.image.serial
    assert answer[10:13] == bytes.fromhex("300360")
    assert answer[13:21] == b"\xc5" * 8
    # Without Le the answer waits.
    short = card.process(bytes.fromhex("8050000008") + b"h" * 8)
    assert short == b"\x61\x1d"
    assert len(card.process(bytes.fromhex("00C000001D"))) == 31


@pytest.mark.parametrize(
    ("apdu", "expected"),
    [
        ("8050310008" + "00" * 8, "6a88"),
        ("8050000108" + "00" * 8, "6a86"),
        ("8050000007" + "00" * 7, "6700"),
        ("80500000", "6700"),
        ("8482330010" + "00" * 16, "6982"),
        ("84D6000001AA", "6982"),
        ("80D6000001AA", "6982"),
        ("8010000001AA", "6d00"),
        ("80CA0102", "6982"),
    ],
)
def test_without_a_channel_nothing_of_clause_8_happens(
    make_image: Maker, apdu: str, expected: str
) -> None:
    card = powered(make_image(LifeCycle.PERSONALISING))
    assert card.process(bytes.fromhex(apdu)).hex() == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("8482330010", "6982"),
        ("8482030010", "6a86"),
        ("8482330110", "6a86"),
        ("84D6330010", "6982"),
    ],
)
def test_external_authenticate_is_due_next(make_image: Maker, command: str, expected: str) -> None:
    card = powered(make_image(LifeCycle.PERSONALISING))
    card.process(bytes.fromhex("8050000008") + bytes(8))
    assert card.process(bytes.fromhex(command) + bytes(16)).hex() == expected
    # Whatever went wrong, the attempt is over.
    assert card.process(bytes.fromhex("8482330010") + bytes(16)).hex() == "6982"


def test_a_wrong_length_is_no_attempt(make_image: Maker) -> None:
    card = powered(make_image(LifeCycle.PERSONALISING))
    card.process(bytes.fromhex("8050000008") + bytes(8))
    assert card.process(bytes.fromhex("8482330008") + bytes(8)).hex() == "6700"
    keys = card.image.keys.personalisation
    assert keys is not None
    assert keys.wrong_authentications == 0


def state_of(card: VirtualCard) -> LifeCycle:
    return card.image.state


def fail_once(card: VirtualCard) -> str:
    card.power_on()
    card.process(bytes.fromhex("8050000008") + bytes(8))
    return card.process(bytes.fromhex("8482330010") + bytes(16)).hex()


def test_the_tenth_wrong_authentication_in_a_row_terminates_the_card(make_image: Maker) -> None:
    stored: list[CardImage] = []
    card = powered(make_image(LifeCycle.PERSONALISED), store=stored.append)
    for _ in range(9):
        assert fail_once(card) == "6982"
    assert state_of(card) is LifeCycle.PERSONALISED
    assert fail_once(card) == "6982"
    assert state_of(card) is LifeCycle.TERMINATED
    assert card.power_on() == bytes.fromhex("3B87800180739421C0810F0E")
    assert fail_once(card) == "6d00"
    assert len(stored) == 10
    assert stored[-1] == card.image


def test_one_right_authentication_resets_the_count(make_image: Maker) -> None:
    card = powered(make_image(LifeCycle.PERSONALISED))
    for _ in range(9):
        fail_once(card)
    card.power_on()
    host(card)
    for _ in range(9):
        fail_once(card)
    assert state_of(card) is LifeCycle.PERSONALISED
    fail_once(card)
    assert state_of(card) is LifeCycle.TERMINATED


def test_a_host_with_wrong_keys_sees_it_before_it_authenticates(make_image: Maker) -> None:
    connection = CardOfYubikit(powered(make_image(LifeCycle.INITIALISED)))
    protocol = SmartCardProtocol(connection)
    params = Scp03KeyParams(KeyRef(1, 0), StaticKeys(b"e" * 16, b"X" * 16, b"d" * 16))
    with pytest.raises(ValueError, match="Incorrect SCP parameters") as caught:
        protocol.init_scp(params)
    assert isinstance(caught.value.__context__, BadResponseError)
    assert not [apdu for apdu in connection.sent if apdu[1] == 0x82]


def test_a_wrong_cryptogram_under_a_right_mac_is_refused(make_image: Maker) -> None:
    card = powered(make_image(LifeCycle.INITIALISED), random=bytes)
    keys = card.image.keys.personalisation
    assert keys is not None
    card.process(bytes.fromhex("8050000008") + bytes(8))
    twin = Scp03Session.begin(
        serial=bytes(10), keys=keys, host_challenge=bytes(8), card_challenge=bytes(8)
    )
    header = bytes.fromhex("8482330010")
    mac = cmac(twin.mac_key, bytes(16) + header + bytes(8))[:8]
    assert card.process(header + bytes(8) + mac).hex() == "6300"
    assert card.image.keys.personalisation == replace(keys, wrong_authentications=1)


@pytest.mark.parametrize("plain", ["00A4000C", "00B0810004", "8050000008" + "00" * 8, "80CA0102"])
def test_a_plain_command_ends_the_channel(make_image: Maker, plain: str) -> None:
    card = powered(make_image(LifeCycle.PERSONALISING))
    channel = host(card)
    card.process(bytes.fromhex(plain))
    assert status_of(lambda: channel.send_apdu(0x80, 0xCA, 0x01, 0x02)) == 0x6982


def test_a_wrong_mac_ends_the_channel(make_image: Maker) -> None:
    card = powered(make_image(LifeCycle.PERSONALISING))
    channel = host(card)
    assert card.process(bytes.fromhex("84CA010208") + bytes(8)).hex() == "6982"
    assert status_of(lambda: channel.send_apdu(0x80, 0xCA, 0x01, 0x02)) == 0x6982
    card.power_on()
    channel = host(card)
    assert card.process(bytes.fromhex("84CA0102")).hex() == "6982"
    assert status_of(lambda: channel.send_apdu(0x80, 0xCA, 0x01, 0x02)) == 0x6982


GET_DATA = CommandApdu(cla=0, ins=0xCA, p1=1, p2=2)


def own_host(card: VirtualCard) -> Scp03Host:
    """Our own host, which sends a command without data as such."""
    card.power_off()
    keys = Scp03Keys(enc=b"e" * 16, mac=b"m" * 16, dek=b"d" * 16)
    channel = CardChannel(SimulatedReader(card).connect())
    return Scp03Host.open(channel, keys_for=lambda _: keys)


def test_commands_without_data_are_counted(make_image: Maker) -> None:
    session = own_host(VirtualCard(make_image(LifeCycle.PERSONALISING)))
    for _ in range(3):
        # The answer is encrypted under the counter of its command.
        assert session.transmit(GET_DATA).data == b"r" * 16
    passwords = bytes.fromhex("DA0101")
    command = CommandApdu(cla=0, ins=passwords[0], p1=passwords[1], p2=passwords[2], data=b"x")
    assert session.transmit(command).status_word == 0x6A80


def test_after_a_wrong_mac_no_right_one_helps(make_image: Maker) -> None:
    card = VirtualCard(make_image(LifeCycle.PERSONALISING))
    session = own_host(card)
    assert card.process(bytes.fromhex("84CA010208") + bytes(8)).hex() == "6982"
    assert session.transmit(GET_DATA).status_word == 0x6982


@pytest.mark.parametrize("block", [bytes(16), bytes(15), bytes(17)])
def test_encrypted_data_in_a_wrong_form_ends_the_channel(make_image: Maker, block: bytes) -> None:
    card = powered(make_image(LifeCycle.PERSONALISING), random=bytes)
    keys = card.image.keys.personalisation
    assert keys is not None
    card.process(bytes.fromhex("8050000008") + bytes(8))
    twin = Scp03Session.begin(
        serial=bytes(10), keys=keys, host_challenge=bytes(8), card_challenge=bytes(8)
    )
    header = bytes.fromhex("8482330010")
    chain = cmac(twin.mac_key, bytes(16) + header + twin.host_cryptogram)
    assert card.process(header + twin.host_cryptogram + chain[:8]).hex() == "9000"
    header = bytes.fromhex("84DA0101") + bytes((len(block) + 8,))
    mac = cmac(twin.mac_key, chain + header + block)
    assert card.process(header + block + mac[:8]).hex() == "6982"
    # A right command behind it finds no channel.
    header = bytes.fromhex("84CA010208")
    mac = cmac(twin.mac_key, mac + header)
    assert card.process(header + mac[:8]).hex() == "6982"


def test_a_reset_ends_the_channel(make_image: Maker) -> None:
    card = powered(make_image(LifeCycle.PERSONALISING))
    channel = host(card)
    card.reset()
    assert status_of(lambda: channel.send_apdu(0x80, 0xCA, 0x01, 0x02)) == 0x6982


def test_a_command_cannot_be_sent_twice(make_image: Maker) -> None:
    card = powered(make_image(LifeCycle.PERSONALISING))
    connection = CardOfYubikit(card)
    channel = SmartCardProtocol(connection)
    channel.init_scp(Scp03KeyParams(KeyRef(1, 0), KEYS))
    channel.send_apdu(0x80, 0xCA, 0x01, 0x02)
    get_data = [apdu for apdu in connection.sent if apdu[1] == 0xCA]
    assert len(get_data) == 1
    assert card.process(get_data[0]).hex() == "6982"


def test_the_session_of_the_reading_side_and_the_channel_exclude_each_other(
    make_image: Maker,
) -> None:
    card = powered(make_image(LifeCycle.PERSONALISED))
    channel = host(card)
    assert card.process(bytes.fromhex("0CA4000C")).hex() == "6988"
    # A command of the other secure channel is not a plain one: it ends nothing here.
    assert channel.send_apdu(0x80, 0xCA, 0x01, 0x02) == b"r" * 16
