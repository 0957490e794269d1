"""The card plays the chip of ICAO Doc 9303-11, appendices H.1 and I.1: integrated and chip authentication mapping."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from card_layout import tlv
from card_layout.atr import LifeCycle, encode_atr
from card_layout.curves import NamedCurve
from simulators.card.integrated_mapping import map_nonces
from simulators.card.operating_system import VirtualCard
from simulators.card.pace import encrypt_chip_authentication_data, password_key
from simulators.card.points import Point
from simulators.card.session_cipher import ENCRYPTION, MAC, derive_key
from simulators.image import (
    CardImage,
    EcKey,
    ImageFile,
    Keys,
    ReadRule,
    Secrets,
    SessionAlgorithm,
)

CURVE = NamedCurve.BRAINPOOLP256R1
FOLDER = Path(__file__).parent / "pace"
Example = dict[str, bytes]


def read_example(name: str) -> Example:
    content = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    assert content["provenance"]
    assert content["parameter_id"] == CURVE.pace_parameter_id
    texts = {key: value for key, value in content.items() if isinstance(value, str)}
    password = texts.pop("password")
    numbers = {key: value for key, value in texts.items() if key not in ("source", "provenance")}
    return {
        "password": password.encode(),
        **{key: bytes.fromhex(value) for key, value in numbers.items()},
    }


@pytest.fixture(scope="module")
def integrated() -> Example:
    return read_example("integrated_mapping_ecdh.json")


@pytest.fixture(scope="module")
def proving() -> Example:
    return read_example("chip_authentication_mapping_ecdh.json")


def random_of(*values: bytes) -> Callable[[int], bytes]:
    waiting = list(values)

    def draw(size: int) -> bytes:
        value = waiting.pop(0)
        assert len(value) == size
        return value

    return draw


def card_of(example: Example, *drawn: bytes, keys: tuple[EcKey, ...] = ()) -> VirtualCard:
    info = (
        tlv.encode(0x06, example["protocol"])
        + tlv.encode(0x02, b"\x02")
        + tlv.encode(0x02, bytes((CURVE.pace_parameter_id,)))
    )
    data = tlv.encode(0x31, tlv.encode(0x30, info))
    password = example["password"].decode()
    image = CardImage(
        profile="ICAO 9303-11",
        state=LifeCycle.OPERATIONAL,
        serial=bytes(10),
        atr=encode_atr(LifeCycle.OPERATIONAL, extended_lengths=True),
        files={"3F00/011C": ImageFile(data=data, read=ReadRule.ALWAYS, capacity=64)},
        secrets=(
            Secrets(can=password)
            if example["password_reference"] == b"\x02"
            else Secrets(mrz_information=password)
        ),
        keys=Keys(chip_authentication=keys),
    )
    card = VirtualCard(image, random=random_of(*drawn))
    card.power_on()
    set_at = tlv.encode(0x80, example["protocol"]) + b"\x83\x01" + example["password_reference"]
    assert card.process(bytes.fromhex("0022C1A4") + bytes((len(set_at),)) + set_at) == b"\x90\x00"
    return card


def exchange(card: VirtualCard, tag: int | None, value: bytes = b"", *, last: bool = False) -> str:
    data = tlv.encode(0x7C, b"" if tag is None else tlv.encode(tag, value))
    header = bytes.fromhex("00860000" if last else "10860000")
    return card.process(header + bytes((len(data),)) + data + b"\x00").hex().upper()


def answer(tag: int, value: bytes) -> str:
    return tlv.encode(0x7C, tlv.encode(tag, value)).hex().upper() + "9000"


def test_integrated_mapping_gives_the_published_answers(integrated: Example) -> None:
    card = card_of(integrated, integrated["nonce"], integrated["chip_private_key"])
    assert exchange(card, None) == answer(0x80, integrated["encrypted_nonce"])
    assert exchange(card, 0x81, integrated["terminal_nonce"]) == "7C0282009000"
    agreed = exchange(card, 0x83, integrated["terminal_public_key"])
    assert agreed == answer(0x84, integrated["chip_public_key"])
    token = exchange(card, 0x85, integrated["terminal_token"], last=True)
    assert token == answer(0x86, integrated["chip_token"])


def test_the_published_generator_comes_out_of_the_published_nonces(integrated: Example) -> None:
    generator = map_nonces(CURVE, integrated["nonce"], integrated["terminal_nonce"])
    assert generator.to_bytes() == integrated["generator"]


@pytest.mark.parametrize("size", [0, 8, 15, 17, 32])
def test_a_terminal_nonce_of_another_length_is_refused(integrated: Example, size: int) -> None:
    card = card_of(integrated, integrated["nonce"])
    exchange(card, None)
    assert exchange(card, 0x81, bytes(size)) == "6A80"


def static_key(proving: Example) -> EcKey:
    mapping = int.from_bytes(proving["mapping_private_key"], "big")
    data = int.from_bytes(proving["chip_authentication_data"], "big")
    scalar = mapping * pow(data, -1, CURVE.n) % CURVE.n
    return EcKey(curve=CURVE, private_scalar=scalar, key_id=13)


def test_the_static_key_of_the_appendix_is_the_one_that_its_data_proves(proving: Example) -> None:
    scalar = static_key(proving).private_scalar
    assert Point.generator(CURVE).times(scalar).to_bytes() == proving["static_public_key"]
    data = int.from_bytes(proving["chip_authentication_data"], "big")
    proven = Point.from_bytes(CURVE, proving["static_public_key"]).times(data)
    assert proven.to_bytes() == proving["mapping_public_key"]


def test_chip_authentication_mapping_maps_as_published(proving: Example) -> None:
    card = card_of(
        proving,
        proving["nonce"],
        proving["mapping_private_key"],
        keys=(static_key(proving),),
    )
    assert exchange(card, None) == answer(0x80, proving["encrypted_nonce"])
    mapped = exchange(card, 0x81, proving["terminal_mapping_public_key"])
    assert mapped == answer(0x82, proving["mapping_public_key"])


def test_the_encrypted_data_is_the_published_one(proving: Example) -> None:
    encrypted = encrypt_chip_authentication_data(
        proving["encryption_key"],
        static_key(proving),
        int.from_bytes(proving["mapping_private_key"], "big"),
    )
    assert encrypted == proving["encrypted_chip_authentication_data"]


def test_a_card_without_a_key_on_the_curve_does_not_offer_the_mapping(proving: Example) -> None:
    other = EcKey(curve=NamedCurve.SECP256R1, private_scalar=5, key_id=1)
    with pytest.raises(AssertionError):
        card_of(proving, keys=(other,))


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        (SessionAlgorithm.AES_128, "591468CDA83D65219CCCB8560233600F"),
        (SessionAlgorithm.AES_192, "8DF3278FB32026E66277357FCD6C826DBEB3DE32088B2531"),
        (
            SessionAlgorithm.AES_256,
            "8DF3278FB32026E66277357FCD6C826DBEB3DE32088B2531757D753940185923",
        ),
    ],
)
def test_the_keys_under_a_password_are_those_of_other_implementations(
    algorithm: SessionAlgorithm, key: str
) -> None:
    # As typed in the tests of Governikus/AusweisApp (aes128Key, aes196Key, aes256Key) for 123456.
    assert password_key(b"123456", algorithm).hex().upper() == key


@pytest.mark.parametrize("name", ["integrated", "proving"])
def test_the_session_keys_are_those_of_the_published_secret(
    name: str, request: pytest.FixtureRequest
) -> None:
    example: Example = request.getfixturevalue(name)
    secret = example["shared_secret"]
    keys = [derive_key(secret, n, SessionAlgorithm.AES_128) for n in (ENCRYPTION, MAC)]
    assert keys == [example["encryption_key"], example["mac_key"]]
