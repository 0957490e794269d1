"""The card plays the chip of ICAO Doc 9303-11, appendix G.1, byte for byte.

The transcript is that of the published vectors. The chip's nonce and private keys stand in the appendix itself; the
tests that use them first prove them by the public keys of the transcript.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from card_layout import tlv
from card_layout.atr import LifeCycle, encode_atr
from card_layout.curves import NamedCurve
from simulators.card.aes import decrypt_cbc
from simulators.card.operating_system import VirtualCard
from simulators.card.pace import PaceExchange, mrz_secret, password_key
from simulators.card.pace_offers import PaceOffer
from simulators.card.points import Point
from simulators.card.session_cipher import derive_key
from simulators.image import CardImage, ImageFile, ReadRule, Secrets, SessionAlgorithm

CURVE = NamedCurve.BRAINPOOLP256R1
INFORMATION = "T22000129364081251010318"
MAPPING_KEY = bytes.fromhex("498FF49756F2DC1587840041839A85982BE7761D14715FB091EFA7BCE9058560")
AGREEMENT_KEY = bytes.fromhex("107CF58696EF6155053340FD633392BA81909DF7B9706F226F32086C7AFF974A")


@pytest.fixture(scope="module")
def transcript(shared_vectors: Path) -> dict[str, Any]:
    path = shared_vectors / "icao-9303-11" / "transcripts.json"
    cases = json.loads(path.read_text(encoding="utf-8"))
    found = [case for case in cases if case["test"] == "TestDoPace_GM_ECDH"]
    assert len(found) == 1
    case: dict[str, Any] = found[0]
    assert len(case["apdus"]) == 5
    return case


@pytest.fixture(scope="module")
def exchanges(transcript: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(bytes.fromhex(step["c"]), bytes.fromhex(step["r"])) for step in transcript["apdus"]]


@pytest.fixture(scope="module")
def nonce(exchanges: list[tuple[bytes, bytes]]) -> bytes:
    """What the transcript's second answer carries, under the key of the document's MRZ."""
    encrypted = tlv.parse(exchanges[1][1][:-2], expected_tag=0x7C).children()[0].value
    return decrypt_cbc(key_of(INFORMATION), encrypted)


def random_of(*values: bytes) -> Callable[[int], bytes]:
    """A source that gives these values one after another, and nothing else."""
    waiting = list(values)

    def draw(size: int) -> bytes:
        value = waiting.pop(0)
        assert len(value) == size
        return value

    return draw


def key_of(information: str) -> bytes:
    return password_key(mrz_secret(information), SessionAlgorithm.AES_128)


def document(card_access: bytes) -> CardImage:
    return CardImage(
        profile="ICAO 9303-11 appendix G.1",
        state=LifeCycle.OPERATIONAL,
        serial=bytes(10),
        atr=encode_atr(LifeCycle.OPERATIONAL, extended_lengths=True),
        files={
            "3F00/011C": ImageFile(
                data=card_access, read=ReadRule.ALWAYS, short_identifier=0x1C, capacity=256
            )
        },
        secrets=Secrets(mrz_information=INFORMATION),
    )


def card_access_of(transcript: dict[str, Any]) -> bytes:
    """The transcript's security infos, as EF.CardAccess holds them."""
    infos = [
        bytes.fromhex(constant["hex"])
        for constant in transcript["constants"]
        if constant["hex"].startswith("3114")
    ]
    assert len(infos) == 1
    return infos[0]


def test_the_card_gives_the_published_answers(
    transcript: dict[str, Any], exchanges: list[tuple[bytes, bytes]], nonce: bytes
) -> None:
    card = VirtualCard(
        document(card_access_of(transcript)),
        random=random_of(nonce, MAPPING_KEY, AGREEMENT_KEY),
    )
    card.power_on()
    for command, answer in exchanges:
        assert card.process(command).hex() == answer.hex()


def test_the_keys_of_the_appendix_are_those_of_the_transcript(
    exchanges: list[tuple[bytes, bytes]], nonce: bytes
) -> None:
    terminal_map = Point.from_bytes(CURVE, exchanges[2][0][-66:-1])
    card_map = exchanges[2][1][-67:-2]
    mapping = int.from_bytes(MAPPING_KEY, "big")
    assert Point.generator(CURVE).times(mapping).to_bytes() == card_map
    shared = terminal_map.times(mapping)
    generator = Point.generator(CURVE).times(int.from_bytes(nonce, "big")).plus(shared)
    agreed = generator.times(int.from_bytes(AGREEMENT_KEY, "big"))
    assert agreed.to_bytes() == exchanges[3][1][-67:-2]


def test_the_session_keys_are_the_published_ones(
    transcript: dict[str, Any], exchanges: list[tuple[bytes, bytes]], nonce: bytes
) -> None:
    exchange = PaceExchange(
        offer=PaceOffer(curve=CURVE),
        password_key=key_of(INFORMATION),
        random=random_of(nonce, MAPPING_KEY, AGREEMENT_KEY),
    )
    for command, answer in exchanges[1:]:
        data = command[5 : 5 + command[4]]
        assert exchange.answer(data) == answer[:-2]
    published = {constant["hex"] for constant in transcript["constants"]}
    for counter in (1, 2):
        key = derive_key(exchange._shared_secret, counter, SessionAlgorithm.AES_128)
        assert key.hex().upper() in published


def test_a_token_that_is_wrong_in_one_bit_is_refused(
    transcript: dict[str, Any], exchanges: list[tuple[bytes, bytes]], nonce: bytes
) -> None:
    card = VirtualCard(
        document(card_access_of(transcript)),
        random=random_of(nonce, MAPPING_KEY, AGREEMENT_KEY),
    )
    card.power_on()
    for command, _ in exchanges[:-1]:
        card.process(command)
    last = bytearray(exchanges[-1][0])
    last[-2] ^= 0x01
    assert card.process(bytes(last)).hex() == "6300"
    assert card.image.secrets.wrong_passwords == 1


def test_another_mrz_leads_to_another_nonce(
    exchanges: list[tuple[bytes, bytes]], nonce: bytes
) -> None:
    encrypted = tlv.parse(exchanges[1][1][:-2], expected_tag=0x7C).children()[0].value
    assert decrypt_cbc(key_of("T22000129364081251010319"), encrypted) != nonce
