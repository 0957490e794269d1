"""The terminal's side of PACE against the worked examples of ICAO 9303-11 and of the BSI's EAC example."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from card_layout import tlv
from card_layout.curves import NamedCurve
from card_layout.files.security_infos import PaceInfo
from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from card_layout.iso7816.channel import CardChannel
from card_layout.iso7816.secure_messaging import SecureMessagingSession
from card_layout.protocols import generic_mapping
from card_layout.protocols.pace import PacePassword, perform_pace
from card_layout.protocols.session_keys import KeyPurpose, derive_key

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"
ICAO = SHARED / "icao-9303-11" / "transcripts.json"
EAC = SHARED / "eac-worked-example" / "ecdh.json"
BRAINPOOL = PaceInfo(parameter_id=13)

needs_icao = pytest.mark.skipif(not ICAO.exists(), reason=f"{ICAO} is not beside the checkout")
needs_eac = pytest.mark.skipif(not EAC.exists(), reason=f"{EAC} is not beside the checkout")


class ReplayedCard:
    """Expects exactly the commands of a transcript, and gives its answers."""

    def __init__(self, exchanges: list[tuple[bytes | None, bytes]]) -> None:
        self._exchanges = exchanges
        self.atr = b"\x3b\x80\x80\x01\x01"

    def transmit(self, command: bytes) -> bytes:
        expected, response = self._exchanges.pop(0)
        if expected is not None:
            assert command.hex() == expected.hex()
        return response

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass

    @property
    def is_played_to_the_end(self) -> bool:
        return not self._exchanges


def icao_transcript() -> dict[str, Any]:
    entries = json.loads(ICAO.read_text(encoding="utf-8"))
    found: dict[str, Any] = next(
        entry for entry in entries if entry["test"] == "TestDoPace_GM_ECDH"
    )
    return found


def scalars(*values: str) -> Iterator[int]:
    return iter([int(value, 16) for value in values])


@needs_icao
def test_the_icao_worked_example_of_generic_mapping_is_reproduced_byte_for_byte() -> None:
    transcript = icao_transcript()
    constants = [entry["hex"] for entry in transcript["constants"]]
    drawn = scalars(constants[0], constants[3])
    k_enc, k_mac = (bytes.fromhex(value) for value in constants[5:7])
    card = ReplayedCard(
        [(bytes.fromhex(pair["c"]), bytes.fromhex(pair["r"])) for pair in transcript["apdus"]]
    )
    channel = CardChannel(card)
    # The example's document number, date of birth and date of expiry, with their check digits.
    password = PacePassword.mrz("T22000129364081251010318")

    result = perform_pace(
        channel, pace_info=BRAINPOOL, password=password, random_scalar=lambda _: next(drawn)
    )

    assert card.is_played_to_the_end
    assert result.curve is NamedCurve.BRAINPOOLP256R1
    assert channel.session is not None
    expected = SecureMessagingSession(k_enc, k_mac)
    command = CommandApdu(cla=0, ins=0xA4, p1=4, p2=0x0C, data=b"\xa0\x00\x00\x02\x47\x10\x01")
    assert channel.session.wrap(command) == expected.wrap(command)


@needs_eac
def test_the_eac_worked_example_of_generic_mapping_is_reproduced() -> None:
    example = {key: bytes.fromhex(value) for key, value in load_eac().items()}
    drawn = scalars(
        example["tc_ecdh_map_pcd_priv_key"].hex(), example["tc_ecdh_pcd_priv_key"].hex()
    )

    def authenticate(cla: int, tag: int, name: str) -> bytes:
        data = tlv.encode(0x7C, tlv.encode(tag, example[name]) if name else b"")
        return CommandApdu(cla=cla, ins=0x86, p1=0, p2=0, data=data, expected_length=256).to_bytes()

    def answer(tag: int, name: str) -> bytes:
        return tlv.encode(0x7C, tlv.encode(tag, example[name])) + b"\x90\x00"

    card = ReplayedCard(
        [
            # MSE:Set AT differs: the example is EAC version 2 and sends an authorisation template.
            (None, b"\x90\x00"),
            (authenticate(0x10, 0, ""), answer(0x80, "tc_ecdh_nonce_enc")),
            (
                authenticate(0x10, 0x81, "tc_ecdh_map_pcd_pub_key"),
                answer(0x82, "tc_ecdh_map_picc_pub_key"),
            ),
            (
                authenticate(0x10, 0x83, "tc_ecdh_pcd_pub_key"),
                answer(0x84, "tc_ecdh_picc_pub_key"),
            ),
            (
                authenticate(0x00, 0x85, "tc_ecdh_authentication_token_pcd"),
                answer(0x86, "tc_ecdh_authentication_token_picc"),
            ),
        ]
    )
    channel = CardChannel(card)

    perform_pace(
        channel,
        pace_info=BRAINPOOL,
        password=PacePassword.can("123456"),
        random_scalar=lambda _: next(drawn),
    )

    assert card.is_played_to_the_end
    assert channel.session is not None
    # The example's first protected exchange is MSE:Set DST: [83] certificate reference.
    wrapped = channel.session.wrap(
        CommandApdu(cla=0, ins=0x22, p1=0x81, p2=0xB6, data=example["tc_ecdh_d1"])
    )
    assert tlv.parse_all(wrapped.data)[0].value == b"\x01" + example["tc_ecdh_e1"]
    answered = example["tc_ecdh_ad1"] + tlv.encode(0x8E, example["tc_ecdh_a1"])
    assert channel.session.unwrap(ResponseApdu(answered, 0x9000)) == ResponseApdu(b"", 0x9000)


@needs_eac
def test_the_eac_worked_example_of_the_mapping_arithmetic_is_reproduced() -> None:
    example = {key: bytes.fromhex(value) for key, value in load_eac().items()}
    curve = NamedCurve.BRAINPOOLP256R1
    for private, public in (
        ("tc_ecdh_map_pcd_priv_key", "tc_ecdh_map_picc_pub_key"),
        ("tc_ecdh_map_picc_priv_key", "tc_ecdh_map_pcd_pub_key"),
    ):
        key = generic_mapping.EphemeralKey(
            curve=curve, scalar=int.from_bytes(example[private], "big")
        )
        shared = key.multiply(example[public])
        assert shared == example["tc_ecdh_map_shared_secret_h"]
        mapped = generic_mapping.map_generator(
            curve, nonce=example["tc_ecdh_nonce"], shared_point=shared
        )
        assert mapped == example["tc_ecdh_map_generator"]


@needs_eac
def test_the_eac_worked_example_of_the_key_derivation_is_reproduced() -> None:
    example = {key: bytes.fromhex(value) for key, value in load_eac().items()}
    secret = example["tc_ecdh_shared_secret_k"]
    assert derive_key(secret, KeyPurpose.ENCRYPTION) == example["tc_ecdh_k_enc"]
    assert derive_key(secret, KeyPurpose.MAC) == example["tc_ecdh_k_mac"]


def load_eac() -> dict[str, str]:
    loaded: dict[str, str] = json.loads(EAC.read_text(encoding="utf-8"))
    return loaded
