"""Basic access control and 3DES secure messaging against the worked examples of ICAO 9303-11, appendix D."""

import json
from pathlib import Path
from typing import Any

import pytest

from card_layout.iso7816 import commands
from card_layout.iso7816.channel import CardChannel
from card_layout.iso7816.triple_des import TripleDesSession
from card_layout.mrz import check_digit
from card_layout.protocols.algorithms import SessionCipher
from card_layout.protocols.basic_access_control import perform_basic_access_control
from card_layout.protocols.session_keys import KeyPurpose, derive_key

TRANSCRIPTS = (
    Path(__file__).resolve().parents[2].parent
    / "shared"
    / "vectors"
    / "icao-9303-11"
    / "transcripts.json"
)

pytestmark = pytest.mark.skipif(
    not TRANSCRIPTS.exists(), reason=f"{TRANSCRIPTS} is not beside the checkout"
)


class ReplayedCard:
    """Expects exactly the commands of a transcript, and gives its answers."""

    atr = b"\x3b\x80\x80\x01\x01"

    def __init__(self, transcript: dict[str, Any]) -> None:
        self.exchanges = [(pair["c"], pair["r"]) for pair in transcript["apdus"]]

    def transmit(self, command: bytes) -> bytes:
        expected, response = self.exchanges.pop(0)
        assert command.hex().upper() == expected
        return bytes.fromhex(response)

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def transcript(test: str) -> dict[str, Any]:
    entries = json.loads(TRANSCRIPTS.read_text(encoding="utf-8"))
    found: dict[str, Any] = next(entry for entry in entries if entry["test"] == test)
    return found


def constants(example: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(entry["hex"]) for entry in example["constants"]]


def test_the_worked_example_of_basic_access_control_is_reproduced_byte_for_byte() -> None:
    example = transcript("TestDoBAC")
    challenge, seed, encryption_key, mac_key, counter = constants(example)
    drawn = iter((challenge, seed))
    card = ReplayedCard(example)
    channel = CardChannel(card)
    number, birth, expiry = "L898902C<", "690806", "940623"
    information = "".join(part + check_digit(part) for part in (number, birth, expiry))

    perform_basic_access_control(
        channel, information=information, random_bytes=lambda _size: next(drawn)
    )

    assert not card.exchanges
    assert isinstance(channel.session, TripleDesSession)
    assert channel.session.send_sequence_counter == int.from_bytes(counter, "big")
    expected = TripleDesSession(encryption_key, mac_key, int.from_bytes(counter, "big"))
    command = commands.select_elementary_file(0x011E)
    assert channel.session.wrap(command) == expected.wrap(command)


def test_the_worked_example_of_3des_secure_messaging_is_reproduced_byte_for_byte() -> None:
    example = transcript("TestNfcSessionSecureMessagingTDES")
    content, encryption_key, mac_key, before, after = constants(example)
    card = ReplayedCard(example)
    channel = CardChannel(card)
    session = TripleDesSession(encryption_key, mac_key, int.from_bytes(before, "big"))
    channel.session = session

    channel.require(commands.select_elementary_file(0x011E))
    head = channel.require(commands.read_binary(0, 4))
    rest = channel.require(commands.read_binary(4, 18))

    assert not card.exchanges
    assert head + rest == content
    assert session.send_sequence_counter == int.from_bytes(after, "big")


def test_the_keys_of_the_worked_example_differ_in_parity_bits_only() -> None:
    # Appendix D.1 prints them with odd parity, which DES does not look at.
    seed = bytes.fromhex("239AB9CB282DAF66231DC5A4DF6BFBAE")
    for purpose, printed in (
        (KeyPurpose.ENCRYPTION, "AB94FDECF2674FDFB9B391F85D7F76F2"),
        (KeyPurpose.MAC, "7962D9ECE03D1ACD4C76089DCE131543"),
    ):
        derived = derive_key(seed, purpose, SessionCipher.TRIPLE_DES)
        assert bytes(byte & 0xFE for byte in derived) == bytes(
            byte & 0xFE for byte in bytes.fromhex(printed)
        )
