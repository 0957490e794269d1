"""The terminal's side and the card's side, written apart, through a whole life of a card in process."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from card_layout import tlv
from card_layout.atr import LifeCycle, read_life_cycle
from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.errors import AccessError, CardRefusedError
from card_layout.files.atr_info import AtrInfo
from card_layout.files.card_access import CardAccess
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.security_infos import (
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
    SecurityInfos,
)
from card_layout.iso7816 import commands
from card_layout.iso7816.channel import CardChannel, ExtendedLengths
from card_layout.iso7816.secure_messaging import SecureMessagingError
from card_layout.profile import CardProfile, load_profile
from card_layout.protocols.chip_authentication import perform_chip_authentication
from card_layout.protocols.file_reading import (
    learn_extended_lengths,
    read_card_access,
    read_file,
    select_application,
    select_master_file,
)
from card_layout.protocols.pace import PacePassword, WrongPasswordError, perform_pace
from card_layout.transport.transcript import RecordingConnection, Transcript
from issuer.personalisation.scp03 import CardCryptogramError, InitializeUpdateResponse, Scp03Session
from issuer.personalisation.scp03_keys import Scp03Keys
from simulators.blank import blank_image, transport_keys
from simulators.connection import SimulatedConnection, SimulatedReader
from simulators.faults import Fault, FaultKind
from simulators.image import CardImage

MASTER_KEY = bytes(range(32))
SERIAL = bytes.fromhex("4D430000000000000001")
CAN = "314159"
MRZ_INFORMATION = "T22000129364081251010318"
REFERENCE = bytes(range(16))
PERSONALISATION_KEYS = Scp03Keys(enc=b"e" * 16, mac=b"m" * 16, dek=b"d" * 16)
PROFILES = ("membercard-1-icao", "membercard-1-icao-brainpool")


def content_of(profile: CardProfile, name: str, security_infos: SecurityInfos) -> bytes:
    if name == "EF.ATR/INFO":
        return AtrInfo(
            capabilities=bytes.fromhex("9421C0"),
            max_command_bytes=profile.max_command_bytes,
            max_response_bytes=profile.max_response_bytes,
        ).to_bytes()
    if name == "EF.CardAccess":
        return CardAccess(security_infos=SecurityInfos(infos=security_infos.pace_infos)).to_bytes()
    if name == "EF.DG14":
        return SecurityOptions(security_infos=security_infos).to_bytes()
    file = profile.file(name)
    size = {"EF.DG2": 15000, "EF.SOD": 1700}.get(name, 60)
    assert file.tag is not None
    return tlv.encode(file.tag, bytes(range(256)) * (size // 256) + bytes(size % 256))


class Station:
    """Carries a blank through to an operational card with our own commands."""

    def __init__(self, reader: SimulatedReader, profile: CardProfile) -> None:
        self._reader = reader
        self._profile = profile
        self.contents: dict[str, bytes] = {}

    def transport_keys_for(self, chip: InitializeUpdateResponse) -> Scp03Keys:
        assert chip.serial == SERIAL
        assert chip.key_version == 0xFF
        keys = transport_keys(MASTER_KEY, chip.serial)
        return Scp03Keys(enc=keys.enc, mac=keys.mac, dek=keys.dek)

    def connected(self) -> tuple[SimulatedConnection, CardChannel]:
        connection = self._reader.connect()
        channel = CardChannel(connection)
        channel.extended = ExtendedLengths(
            max_command_bytes=self._profile.max_command_bytes,
            max_response_bytes=self._profile.max_response_bytes,
        )
        return connection, channel

    def write(self, session: Scp03Session, name: str, content: bytes) -> None:
        file = self._profile.file(name)
        assert file.short_identifier is not None
        size = session.max_command_data(self._profile.max_command_bytes)
        session.require(
            commands.update_binary_by_short_identifier(file.short_identifier, 0, content[:size])
        )
        for offset in range(size, len(content), size):
            session.require(commands.update_binary(offset, content[offset : offset + size]))
        self.contents[name] = content

    def initialise(self) -> SecurityInfos:
        profile = self._profile
        connection, channel = self.connected()
        session = Scp03Session.open(channel, keys_for=self.transport_keys_for)
        session.replace_keys(PERSONALISATION_KEYS, new_key_version=0x30)
        channel.reset()
        session = Scp03Session.open(channel, keys_for=lambda _: PERSONALISATION_KEYS)
        pace_info = PaceInfo(parameter_id=profile.pace_curve.pace_parameter_id)
        for file in profile.master_files:
            session.require(
                commands.create_elementary_file(
                    file_identifier=file.file_identifier,
                    short_identifier=file.short_identifier,
                    capacity=file.capacity,
                    read_rule=file.read,
                    write_rule=0x10,
                )
            )
            infos = SecurityInfos(infos=(pace_info,))
            self.write(session, file.name, content_of(profile, file.name, infos))
        session.require(
            commands.create_application(
                file_identifier=profile.application_file_identifier,
                application_identifier=profile.application_identifier,
            )
        )
        for file in profile.application_files:
            session.require(
                commands.create_elementary_file(
                    file_identifier=file.file_identifier,
                    short_identifier=file.short_identifier,
                    capacity=file.capacity,
                    read_rule=file.read,
                    write_rule=0x10,
                )
            )
        curve = profile.chip_authentication_curve
        answer = session.require(commands.generate_key_pair(curve=curve.oid_bytes, key_id=1))
        oid, point = tlv.parse(answer, expected_tag=0x7F49).children()
        assert (oid.tag, oid.value, point.tag) == (0x06, curve.oid_bytes, 0x86)
        session.require(commands.set_status(LifeCycle.INITIALISED))
        connection.close()
        public_key = EcPublicKey(curve=curve, point=point.value)
        return SecurityInfos(
            infos=(
                pace_info,
                ChipAuthenticationInfo(key_id=1),
                ChipAuthenticationPublicKeyInfo(public_key=public_key, key_id=1),
            )
        )

    def personalise(self, security_infos: SecurityInfos) -> None:
        profile = self._profile
        connection, channel = self.connected()
        session = Scp03Session.open(channel, keys_for=lambda _: PERSONALISATION_KEYS)
        session.require(commands.put_card_reference(REFERENCE))
        assert session.require(commands.get_card_reference()) == REFERENCE
        session.require(commands.put_passwords(mrz_information=MRZ_INFORMATION, can=CAN))
        session.require(commands.select_application(profile.application_identifier))
        for file in profile.application_files:
            self.write(session, file.name, content_of(profile, file.name, security_infos))
        session.require(commands.set_status(LifeCycle.PERSONALISED))
        connection.close()

    def lock(self) -> None:
        connection, channel = self.connected()
        session = Scp03Session.open(channel, keys_for=lambda _: PERSONALISATION_KEYS)
        session.require(commands.set_status(LifeCycle.OPERATIONAL))
        channel.reset()
        assert read_life_cycle(channel.atr) is LifeCycle.OPERATIONAL
        refused = channel.transmit(
            commands.initialize_update(key_version=0, host_challenge=bytes(8))
        )
        assert refused.status_word == 0x6D00
        refused = channel.transmit(commands.update_binary_by_short_identifier(0x1C, 0, b"\x00"))
        assert refused.status_word == 0x6D00
        connection.close()


class IssuedCard:
    def __init__(self, path: Path, profile: CardProfile, contents: dict[str, bytes]) -> None:
        self.path = path
        self.profile = profile
        self.contents = contents

    def image(self, change: Callable[[CardImage], CardImage]) -> None:
        change(CardImage.load(self.path)).save(self.path)


@pytest.fixture(scope="module", params=PROFILES)
def issued(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> IssuedCard:
    profile = load_profile(request.param)
    path = tmp_path_factory.mktemp("cards") / "0001.json"
    blank_image(profile, serial=SERIAL, transport_master_key=MASTER_KEY).save(path)
    station = Station(SimulatedReader(path), profile)
    station.personalise(station.initialise())
    station.lock()
    return IssuedCard(path, profile, station.contents)


@pytest.fixture
def card(issued: IssuedCard, tmp_path: Path) -> IssuedCard:
    path = tmp_path / "card.json"
    path.write_bytes(issued.path.read_bytes())
    return IssuedCard(path, issued.profile, issued.contents)


@pytest.fixture
def channel(card: IssuedCard) -> Iterator[CardChannel]:
    connection = SimulatedReader(card.path).connect()
    yield CardChannel(connection)
    connection.close()


def open_with(channel: CardChannel, password: PacePassword) -> PaceInfo:
    content = read_card_access(channel)
    assert content is not None
    (pace_info,) = CardAccess.from_bytes(content).security_infos.pace_infos
    perform_pace(channel, pace_info=pace_info, password=password)
    return pace_info


def prove_chip(channel: CardChannel, data_group_14: bytes) -> None:
    infos = SecurityOptions.from_bytes(data_group_14).security_infos
    (info,) = infos.chip_authentication_infos
    (key,) = infos.chip_authentication_keys
    perform_chip_authentication(channel, info=info, public_key_info=key)


@pytest.mark.parametrize("extended", [True, False], ids=["extended", "short"])
@pytest.mark.parametrize(
    "password",
    [PacePassword.can(CAN), PacePassword.mrz(MRZ_INFORMATION)],
    ids=["can", "mrz"],
)
def test_every_file_is_read_back_and_the_chip_proven(
    card: IssuedCard, channel: CardChannel, password: PacePassword, *, extended: bool
) -> None:
    if extended:
        lengths = learn_extended_lengths(channel)
        assert lengths == ExtendedLengths(max_command_bytes=4096, max_response_bytes=4096)
    open_with(channel, password)
    select_application(channel, card.profile.application_identifier)
    before = channel.apdu_count
    for file in card.profile.application_files:
        content = read_file(
            channel,
            short_identifier=file.short_identifier,
            file_identifier=file.file_identifier,
        )
        assert content == card.contents[file.name], file.name
    chunk = 4063 if extended else 223
    least = sum(
        -(-len(card.contents[file.name]) // chunk) for file in card.profile.application_files
    )
    assert channel.apdu_count - before == least
    prove_chip(channel, card.contents["EF.DG14"])
    assert read_file(channel, short_identifier=0x1E) == card.contents["EF.COM"]


def test_files_are_read_by_identifier_as_well(card: IssuedCard, channel: CardChannel) -> None:
    open_with(channel, PacePassword.can(CAN))
    select_application(channel, card.profile.application_identifier)
    assert read_file(channel, file_identifier=0x0102) == card.contents["EF.DG2"]


def test_a_file_that_is_not_there_is_none(card: IssuedCard, channel: CardChannel) -> None:
    open_with(channel, PacePassword.can(CAN))
    select_application(channel, card.profile.application_identifier)
    assert read_file(channel, short_identifier=0x0F, file_identifier=0x010F) is None
    assert read_file(channel, file_identifier=0x010F) is None
    assert read_file(channel, short_identifier=0x01) == card.contents["EF.DG1"]


def test_without_pace_no_personal_file_is_read(card: IssuedCard, channel: CardChannel) -> None:
    select_application(channel, card.profile.application_identifier)
    with pytest.raises(CardRefusedError) as caught:
        read_file(channel, short_identifier=0x01)
    assert caught.value.status_word == 0x6982


def test_a_wrong_can_is_told_as_such_and_blocks_nothing(channel: CardChannel) -> None:
    for wrong in ("000000", "314158"):
        with pytest.raises(WrongPasswordError) as caught:
            open_with(channel, PacePassword.can(wrong))
        assert caught.value.code == "access.wrong-password"
        assert channel.session is None
        channel.reset()
    open_with(channel, PacePassword.can(CAN))
    assert channel.session is not None


def test_a_wrong_mrz_is_told_as_such(channel: CardChannel) -> None:
    with pytest.raises(WrongPasswordError):
        open_with(channel, PacePassword.mrz("T22000129364081251010411"))


def test_selecting_the_master_file_keeps_the_session(
    card: IssuedCard, channel: CardChannel
) -> None:
    open_with(channel, PacePassword.can(CAN))
    select_application(channel, card.profile.application_identifier)
    assert select_master_file(channel)
    assert read_card_access(channel) == card.contents["EF.CardAccess"]
    assert channel.transmit(commands.select_master_file(with_identifier=True)).status_word == 0x9000
    select_application(channel, card.profile.application_identifier)
    assert read_file(channel, short_identifier=0x01) == card.contents["EF.DG1"]


def test_a_chip_without_card_access_has_none(card: IssuedCard) -> None:
    def without(image: CardImage) -> CardImage:
        files = {path: file for path, file in image.files.items() if path != "3F00/011C"}
        return replace(image, files=files)

    card.image(without)
    connection = SimulatedReader(card.path).connect()
    assert read_card_access(CardChannel(connection)) is None
    connection.close()


def test_a_clone_without_the_private_key_is_not_proven(card: IssuedCard) -> None:
    def cloned(image: CardImage) -> CardImage:
        (key,) = image.keys.chip_authentication
        other = replace(key, private_scalar=secrets.randbelow(key.curve.n - 1) + 1)
        return replace(image, keys=replace(image.keys, chip_authentication=(other,)))

    card.image(cloned)
    connection = SimulatedReader(card.path).connect()
    channel = CardChannel(connection)
    open_with(channel, PacePassword.can(CAN))
    select_application(channel, card.profile.application_identifier)
    prove_chip(channel, card.contents["EF.DG14"])
    with pytest.raises(SecureMessagingError):
        read_file(channel, short_identifier=0x1E)
    connection.close()


def test_a_chip_that_refuses_chip_authentication_goes_on_in_its_session(card: IssuedCard) -> None:
    fault = Fault(kind=FaultKind.INSTRUCTION_REFUSED, instruction=0x22, p1=0x41, status_word=0x6A81)
    card.image(lambda image: replace(image, faults=(fault,)))
    connection = SimulatedReader(card.path).connect()
    channel = CardChannel(connection)
    open_with(channel, PacePassword.can(CAN))
    select_application(channel, card.profile.application_identifier)
    with pytest.raises(CardRefusedError) as caught:
        prove_chip(channel, card.contents["EF.DG14"])
    assert caught.value.code == "chip-authentication.not-performed"
    assert caught.value.status_word == 0x6A81
    assert read_file(channel, short_identifier=0x1E) == card.contents["EF.COM"]
    connection.close()


def test_any_flipped_bit_of_a_protected_answer_ends_the_session(card: IssuedCard) -> None:
    for bit in range(0, 200, 7):
        connection = SimulatedReader(
            card.path, faults=(Fault(kind=FaultKind.FLIP_BIT, at=8, bit=bit),)
        ).connect()
        channel = CardChannel(connection)
        open_with(channel, PacePassword.can(CAN))
        select_application(channel, card.profile.application_identifier)
        with pytest.raises(AccessError) as caught:
            read_file(channel, short_identifier=0x01)
        assert caught.value.code == "access.secure-messaging"
        connection.close()


def test_a_transcript_holds_nothing_that_was_said(card: IssuedCard) -> None:
    transcript = Transcript()
    connection = RecordingConnection(SimulatedReader(card.path).connect(), transcript=transcript)
    channel = CardChannel(connection)
    open_with(channel, PacePassword.can(CAN))
    select_application(channel, card.profile.application_identifier)
    read_file(channel, short_identifier=0x01)
    connection.close()
    assert connection.apdu_count == channel.apdu_count == len(transcript)
    assert all(len(exchange.header) == 4 for exchange in transcript)
    assert {exchange.status_word for exchange in transcript} == {0x9000, 0x6282}


def test_wrong_transport_keys_are_found_before_any_authentication(tmp_path: Path) -> None:
    path = tmp_path / "blank.json"
    profile = load_profile(PROFILES[0])
    blank_image(profile, serial=SERIAL, transport_master_key=MASTER_KEY).save(path)
    transcript = Transcript()
    connection = RecordingConnection(SimulatedReader(path).connect(), transcript=transcript)
    with pytest.raises(CardCryptogramError):
        Scp03Session.open(CardChannel(connection), keys_for=lambda _: PERSONALISATION_KEYS)
    connection.close()
    assert [exchange.header.hex() for exchange in transcript] == ["80500000"]
    keys = CardImage.load(path).keys.personalisation
    assert keys is not None
    assert keys.wrong_authentications == 0


def test_long_commands_reach_the_chip_as_a_chain_too(tmp_path: Path) -> None:
    path = tmp_path / "blank.json"
    profile = load_profile(PROFILES[0])
    blank_image(profile, serial=SERIAL, transport_master_key=MASTER_KEY).save(path)
    reader = SimulatedReader(path)
    station = Station(reader, profile)
    infos = station.initialise()
    connection = reader.connect()
    # Without extended lengths on the channel the same protected command goes out in parts.
    channel = CardChannel(connection)
    session = Scp03Session.open(channel, keys_for=lambda _: PERSONALISATION_KEYS)
    session.require(commands.put_card_reference(REFERENCE))
    session.require(commands.select_application(profile.application_identifier))
    content = content_of(profile, "EF.SOD", infos)
    before = channel.apdu_count
    session.require(commands.update_binary_by_short_identifier(0x1D, 0, content))
    assert channel.apdu_count - before > 1
    connection.close()
    assert CardImage.load(path).files["A0000002471001/011D"].data == content


def test_both_curves_were_used(issued: IssuedCard) -> None:
    expected = {
        "membercard-1-icao": NamedCurve.SECP256R1,
        "membercard-1-icao-brainpool": NamedCurve.BRAINPOOLP256R1,
    }
    curve = expected[issued.profile.name]
    assert issued.profile.pace_curve is curve
    assert issued.profile.chip_authentication_curve is curve
    infos = SecurityOptions.from_bytes(issued.contents["EF.DG14"]).security_infos
    assert infos.chip_authentication_keys[0].public_key.curve is curve
