"""The personalisation channel, written twice: every mode, key length and key set, the station's hand and the card's."""

from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

from card_layout.atr import LifeCycle
from card_layout.errors import AccessError, CardDataError, CardRefusedError
from card_layout.iso7816 import commands
from card_layout.iso7816.channel import CardChannel
from card_layout.iso7816.status_words import StatusWord
from card_layout.profile import PersonalisationProfile, load_profile
from issuer.domain.chip import Serial
from issuer.domain.chip_keys import ChipKeySet, WrongKeyTries
from issuer.domain.chip_plan import ReplaceKeys, SetStatus
from issuer.errors import IssuerRefusedError
from issuer.personalisation.native import NativeDialect
from issuer.personalisation.scp03 import InitializeUpdateResponse, Scp03Session
from issuer.personalisation.scp03_keys import Scp03Keys, Scp03Mode, SessionKeys
from simulators.blank import blank_image, transport_keys
from simulators.card.aes import derive_scp03
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.image import CardImage, PersonalisationKeys

MASTER_KEY = bytes(range(32))
SERIAL = bytes.fromhex("00112233445566778899")
PROFILE = load_profile("membercard-1-icao")
LENGTHS = (16, 24, 32)
MODES = tuple(product(LENGTHS, (8, 16)))


def blank(key_bytes: int = 16, challenge_bytes: int = 8) -> CardImage:
    profile = replace(
        PROFILE, personalisation=PersonalisationProfile(transport_key_bytes=key_bytes)
    )
    return blank_image(
        profile,
        serial=SERIAL,
        transport_master_key=MASTER_KEY,
        challenge_bytes=challenge_bytes,
    )


def keys_of(key_set: PersonalisationKeys) -> Scp03Keys:
    return Scp03Keys(enc=key_set.enc, mac=key_set.mac, dek=key_set.dek)


def new_keys(length: int, seed: int = 1) -> Scp03Keys:
    source = Random(seed)
    return Scp03Keys(
        enc=source.randbytes(length), mac=source.randbytes(length), dek=source.randbytes(length)
    )


def channel_to(card: VirtualCard) -> CardChannel:
    return CardChannel(SimulatedReader(card).connect())


def opened(card: VirtualCard, keys: Scp03Keys, version: int = 0) -> Scp03Session:
    return Scp03Session.open(channel_to(card), keys_for=lambda _: keys, key_version=version)


@pytest.mark.parametrize(("length", "challenge"), MODES)
def test_every_mode_and_key_length_opens_and_carries_data(length: int, challenge: int) -> None:
    card = VirtualCard(blank(length, challenge))
    session = opened(card, keys_of(transport_keys(MASTER_KEY, SERIAL, length)))
    assert session.chip.mode.size == challenge
    for _ in range(3):
        template = session.require(commands.get_key_information())
        assert template[:6] == bytes((0xE0, 18, 0xC0, 4, 1, 0xFF))
        assert template[7] == length
    # The longest command that fits, and not one byte more.
    size = session.max_command_data(None)
    assert size == (239 if challenge == 8 else 223)
    session.require(
        commands.create_elementary_file(
            file_identifier=0x2F01, short_identifier=1, capacity=512, read_rule=0, write_rule=0x10
        )
    )
    session.require(commands.update_binary(0, bytes(range(size))))
    assert card.image.files["3F00/2F01"].data == bytes(range(size))


@pytest.mark.parametrize(("length", "challenge"), MODES)
def test_keys_are_replaced_by_others_that_are_not_longer(length: int, challenge: int) -> None:
    for shorter in (each for each in LENGTHS if each <= length):
        card = VirtualCard(blank(length, challenge))
        session = opened(card, keys_of(transport_keys(MASTER_KEY, SERIAL, length)))
        keys = new_keys(shorter)
        session.replace_keys(keys, new_key_version=0x31)
        assert session.key_version_held == 0x31
        assert opened(card, keys).chip.key_version == 0x31
        with pytest.raises(CardRefusedError) as caught:
            opened(card, keys, 0xFF)
        assert caught.value.status_word == StatusWord.REFERENCE_NOT_FOUND


def test_a_stronger_key_never_travels_under_a_weaker_one() -> None:
    card = VirtualCard(blank(16))
    session = opened(card, keys_of(transport_keys(MASTER_KEY, SERIAL)))
    with pytest.raises(CardDataError) as caught:
        session.replace_keys(new_keys(32), new_key_version=0x30)
    assert caught.value.code == "personalisation.key-strength"
    assert card.image == blank(16)


def test_several_key_sets_live_side_by_side_and_are_asked_for_by_version() -> None:
    card = VirtualCard(blank(32, 16))
    transport = keys_of(transport_keys(MASTER_KEY, SERIAL, 32))
    session = opened(card, transport)
    sets = {version: new_keys(length, version) for version, length in ((0x30, 32), (0x31, 16))}
    for version, keys in sets.items():
        session.replace_keys(keys, new_key_version=version, replaced_version=0)
    assert session.key_version_held == 0xFF
    for version, keys in {0xFF: transport, **sets}.items():
        assert opened(card, keys, version).chip.key_version == version
    assert opened(card, transport).chip.key_version == 0xFF
    session = opened(card, sets[0x30], 0x30)
    # A version that another set has is not given twice, and there is room for four sets.
    for version, replaced, status_word in (
        (0x31, 0x00, 0x6A80),
        (0x31, 0x30, 0x6A80),
        (0x32, 0x35, 0x6A88),
    ):
        with pytest.raises(CardRefusedError) as caught:
            session.replace_keys(new_keys(16), new_key_version=version, replaced_version=replaced)
        assert caught.value.status_word == status_word
    session.replace_keys(new_keys(16), new_key_version=0x32, replaced_version=0)
    with pytest.raises(CardRefusedError) as caught:
        session.replace_keys(new_keys(16), new_key_version=0x33, replaced_version=0)
    assert caught.value.status_word == 0x6A84
    # The whole of it survives the image's file.
    assert CardImage.from_json(card.image.to_json()) == card.image


def test_a_chip_that_says_s16_to_a_short_challenge_is_refused_before_its_keys_are_looked_up() -> (
    None
):
    answer = SERIAL + b"\xff\x03\x61" + bytes(32)

    class Liar:
        atr = b"\x3b\x80"

        def transmit(self, _command: bytes) -> bytes:
            return answer + b"\x90\x00"

        def reset(self) -> bytes:
            return self.atr

        def close(self) -> None:
            pass

    def never(_chip: InitializeUpdateResponse) -> Scp03Keys:
        raise AssertionError

    assert InitializeUpdateResponse.from_bytes(answer).mode is Scp03Mode.S16
    assert InitializeUpdateResponse.from_bytes(answer).to_bytes() == answer
    with pytest.raises(CardDataError) as caught:
        Scp03Session.open(CardChannel(Liar()), keys_for=never)
    assert caught.value.code == "personalisation.malformed"


@pytest.mark.parametrize("challenge", [8, 16])
def test_one_changed_bit_ends_the_channel_in_either_mode(challenge: int) -> None:
    card = VirtualCard(blank(32, challenge))
    session = opened(card, keys_of(transport_keys(MASTER_KEY, SERIAL, 32)))
    inner: Any = session._transmit

    def changed(command: Any) -> Any:
        data = command.data[:-1] + bytes((command.data[-1] ^ 1,))
        return inner(replace(command, data=data))

    session._transmit = changed
    with pytest.raises(CardRefusedError):
        session.require(commands.get_key_information())
    assert not session.is_alive


class KeysOfTest:
    def __init__(self, key_bytes: int = 16) -> None:
        self.key_bytes = key_bytes

    def __call__(self, serial: Serial, version: int) -> ChipKeySet:
        keys = (
            keys_of(transport_keys(MASTER_KEY, serial, self.key_bytes))
            if version == 0xFF
            else new_keys(self.key_bytes, version)
        )
        return ChipKeySet(key_version=version, enc=keys.enc, mac=keys.mac, dek=keys.dek)


def with_wrong(image: CardImage, count: int) -> CardImage:
    keys = image.keys.personalisation
    assert keys is not None
    return replace(
        image,
        keys=replace(image.keys, personalisation=replace(keys, wrong_authentications=count)),
    )


@pytest.mark.parametrize("used", range(10))
def test_people_see_the_count_before_a_key_is_tried_and_the_last_try_is_nobodys(used: int) -> None:
    card = VirtualCard(with_wrong(blank(), used))
    connection = SimulatedReader(card).connect()
    seen: list[str] = []

    def show(tries: WrongKeyTries) -> None:
        assert card.image == with_wrong(blank(), used)
        seen.append(str(tries))
        tries.require_more_than_one()

    dialect = NativeDialect(profile=PROFILE)
    if used == 9:
        with pytest.raises(IssuerRefusedError) as caught:
            dialect.open(connection, keys_for=KeysOfTest(), on_tries=show)
        assert caught.value.code == "personalisation.last-try"
        assert card.image.state is LifeCycle.BLANK
    else:
        dialect.open(connection, keys_for=KeysOfTest(), on_tries=show)
        assert card.image.keys.personalisation is not None
        assert card.image.keys.personalisation.wrong_authentications == 0
    assert seen == [f"{used} of 10 tries used"]


def test_wrong_keys_are_seen_in_the_cryptogram_and_cost_no_try() -> None:
    card = VirtualCard(blank())

    def wrong(serial: Serial, version: int) -> ChipKeySet:
        return replace(KeysOfTest()(serial, version), mac=bytes(16))

    with pytest.raises(AccessError) as caught:
        NativeDialect(profile=PROFILE).open(SimulatedReader(card).connect(), keys_for=wrong)
    assert caught.value.code == "personalisation.card-cryptogram"
    assert card.image == blank()


def test_a_chip_with_another_key_set_beside_ours_is_not_initialised() -> None:
    card = VirtualCard(blank())
    session = opened(card, keys_of(transport_keys(MASTER_KEY, SERIAL)))
    session.replace_keys(new_keys(16, 0x3F), new_key_version=0x3F, replaced_version=0)
    chip = NativeDialect(profile=PROFILE).open(
        SimulatedReader(card).connect(), keys_for=KeysOfTest()
    )
    chip.execute(ReplaceKeys(key_version=0x30))
    with pytest.raises(IssuerRefusedError) as caught:
        chip.execute(SetStatus(life_cycle=LifeCycle.INITIALISED))
    assert caught.value.code == "chip.other-keys-left"
    assert card.image.state is LifeCycle.BLANK


def test_keys_of_another_length_than_the_profile_wants_are_not_put_into_a_chip() -> None:
    profile = replace(
        PROFILE, personalisation=PersonalisationProfile(key_bytes=32, transport_key_bytes=32)
    )
    card = VirtualCard(blank(32))
    keys = KeysOfTest(32)

    def short_ones(serial: Serial, version: int) -> ChipKeySet:
        return keys(serial, version) if version == 0xFF else KeysOfTest(16)(serial, version)

    chip = NativeDialect(profile=profile).open(SimulatedReader(card).connect(), keys_for=short_ones)
    with pytest.raises(IssuerRefusedError) as caught:
        chip.execute(ReplaceKeys(key_version=0x30))
    assert caught.value.code == "personalisation.key-length"
    chip.keys_for(Serial(SERIAL), 0x30)
    assert card.image == blank(32)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("size", [8, 16])
def test_both_hands_derive_what_a_library_derives_by_the_standard(length: int, size: int) -> None:
    """SP 800-108 in counter mode over CMAC, the counter behind label, 00 and L (SCP03, 4.1.5)."""
    source = Random(length + size)
    keys = new_keys(length, size)
    host, card = source.randbytes(size), source.randbytes(size)

    def derived(key: bytes, constant: int, bytes_wanted: int) -> bytes:
        before = bytes(11) + bytes((constant, 0)) + (8 * bytes_wanted).to_bytes(2, "big")
        return KBKDFCMAC(
            AES,
            Mode.CounterMode,
            bytes_wanted,
            1,
            None,
            CounterLocation.MiddleFixed,
            None,
            None,
            before + host + card,
            break_location=len(before),
        ).derive(key)

    mode = Scp03Mode.S8 if size == 8 else Scp03Mode.S16
    session = SessionKeys.derive(keys, host, card, mode=mode)
    assert session.enc == derived(keys.enc, 4, length)
    assert session.mac == derived(keys.mac, 6, length)
    assert session.rmac == derived(keys.mac, 7, length)
    assert session.card_cryptogram() == derived(session.mac, 0, size)
    assert session.host_cryptogram() == derived(session.mac, 1, size)
    for constant, bytes_wanted in ((4, length), (0, size)):
        assert derive_scp03(
            keys.mac, constant=constant, context=host + card, bits=8 * bytes_wanted
        ) == derived(keys.mac, constant, bytes_wanted)
