"""The card plays the chip of ICAO Doc 9303-11, appendix D: BAC, then 3DES secure messaging, byte for byte.

Both transcripts are those of the published vectors and belong to one conversation. The chip's key K.IC is taken out of
its published answer by OpenSSL, not by the card's own code.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from card_layout.atr import LifeCycle, encode_atr
from simulators.card.operating_system import VirtualCard
from simulators.image import CardImage, ImageFile, Secrets

INFORMATION = "L898902C<369080619406236"
AID = bytes.fromhex("A0000002471001")
SELECT_APPLICATION = bytes.fromhex("00A4040C07") + AID
Exchanges = list[tuple[bytes, bytes]]


def read_exchanges(shared_vectors: Path, name: str) -> Exchanges:
    path = shared_vectors / "icao-9303-11" / "transcripts.json"
    cases = [case for case in json.loads(path.read_text("utf-8")) if case["test"] == name]
    assert len(cases) == 1
    return [(bytes.fromhex(step["c"]), bytes.fromhex(step["r"])) for step in cases[0]["apdus"]]


@pytest.fixture(scope="module")
def access(shared_vectors: Path) -> Exchanges:
    exchanges = read_exchanges(shared_vectors, "TestDoBAC")
    assert len(exchanges) == 2
    return exchanges


@pytest.fixture(scope="module")
def reading(shared_vectors: Path) -> Exchanges:
    exchanges = read_exchanges(shared_vectors, "TestNfcSessionSecureMessagingTDES")
    assert len(exchanges) == 3
    return exchanges


@pytest.fixture
def card(access: Exchanges) -> VirtualCard:
    challenge = access[0][1][:-2]
    seed = hashlib.sha1(INFORMATION.encode()).digest()[:16]  # noqa: S324 -- fixed by 9303-11
    key = hashlib.sha1(seed + bytes((0, 0, 0, 1))).digest()[:16]  # noqa: S324 -- as above
    decryptor = Cipher(TripleDES(key + key[:8]), modes.CBC(bytes(8))).decryptor()
    chip_key = decryptor.update(access[1][1][:32])[16:]
    image = CardImage(
        profile="ICAO 9303-11 appendix D",
        state=LifeCycle.OPERATIONAL,
        serial=bytes(10),
        atr=encode_atr(LifeCycle.OPERATIONAL, extended_lengths=True),
        applications={AID: 0x0100},
        files={
            f"{AID.hex().upper()}/011E": ImageFile(
                data=bytes.fromhex("60145F0104303130365F36063034303030305C026175"),
                short_identifier=0x1E,
                capacity=64,
            )
        },
        secrets=Secrets(mrz_information=INFORMATION, basic_access_control=True),
    )
    card = VirtualCard(image, random=random_of(challenge, chip_key))
    card.power_on()
    assert card.process(SELECT_APPLICATION) == b"\x90\x00"
    return card


def random_of(*values: bytes) -> Callable[[int], bytes]:
    waiting = list(values)

    def draw(size: int) -> bytes:
        value = waiting.pop(0)
        assert len(value) == size
        return value

    return draw


def test_the_card_gives_the_published_answers(
    card: VirtualCard, access: Exchanges, reading: Exchanges
) -> None:
    for command, answer in access + reading:
        assert card.process(command).hex() == answer.hex()


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("place", [-2, -12])
def test_one_wrong_bit_ends_the_published_session(
    card: VirtualCard, access: Exchanges, reading: Exchanges, number: int, place: int
) -> None:
    for command, answer in access + reading[:number]:
        assert card.process(command) == answer
    flawed = bytearray(reading[number][0])
    flawed[place] ^= 0x01
    assert card.process(bytes(flawed)).hex() in ("6987", "6988")
    assert card.process(reading[number][0]).hex() == "6988"


@pytest.mark.parametrize("place", [5, 13, 30, 36, 37, 44])
def test_one_wrong_bit_in_the_published_cryptogram_gives_6300(
    card: VirtualCard, access: Exchanges, place: int
) -> None:
    card.process(access[0][0])
    flawed = bytearray(access[1][0])
    flawed[place] ^= 0x80
    assert card.process(bytes(flawed)).hex() == "6300"
