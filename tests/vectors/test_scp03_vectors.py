"""The personalisation channel against published sessions and against yubikey-manager's implementation."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from yubikit.core import BadResponseError
from yubikit.core.smartcard import scp as yubikit_scp

from card_layout.iso7816.apdu import CommandApdu, ResponseApdu
from issuer.personalisation.scp03 import InitializeUpdateResponse, Scp03Session
from issuer.personalisation.scp03_keys import Scp03Keys, SessionKeys, key_check_value

VECTORS = sorted((Path(__file__).parent / "scp03").glob("*.json"))

KEYS = Scp03Keys(
    enc=bytes.fromhex("404142434445464748494A4B4C4D4E4F"),
    mac=bytes.fromhex("505152535455565758595A5B5C5D5E5F"),
    dek=bytes.fromhex("606162636465666768696A6B6C6D6E6F"),
)
HOST_CHALLENGE = bytes.fromhex("0102030405060708")
CARD_CHALLENGE = bytes.fromhex("A1A2A3A4A5A6A7A8")
SERIAL = bytes.fromhex("00112233445566778899")

COMMANDS = [
    CommandApdu(cla=0x80, ins=0xD6, p1=0x00, p2=0x10, data=b"content of a file"),
    CommandApdu(cla=0x80, ins=0xD6, p1=0x00, p2=0x20, data=bytes(16)),
    CommandApdu(cla=0x80, ins=0xDA, p1=0x01, p2=0x02, data=bytes(range(239))),
    CommandApdu(cla=0x80, ins=0xD6, p1=0x01, p2=0x00, data=bytes(range(256)) * 5),
]


class Recorder:
    """Takes wrapped commands down and answers with what the test prepared."""

    def __init__(self, answer: Callable[[CommandApdu], ResponseApdu]) -> None:
        self.commands: list[CommandApdu] = []
        self._answer = answer

    def __call__(self, command: CommandApdu) -> ResponseApdu:
        self.commands.append(command)
        return self._answer(command)


def chip_of(session_keys: SessionKeys, card_challenge: bytes) -> InitializeUpdateResponse:
    return InitializeUpdateResponse(
        serial=SERIAL,
        key_version=0xFF,
        card_challenge=card_challenge,
        card_cryptogram=session_keys.card_cryptogram(),
    )


def without_le(command: bytes) -> bytes:
    data_end = 5 + command[4] if len(command) > 4 and command[4] else len(command)
    return command[:data_end]


def test_there_are_vectors() -> None:
    assert VECTORS


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_a_published_session_is_reproduced(path: Path) -> None:
    vector = json.loads(path.read_text(encoding="utf-8"))
    keys = Scp03Keys(**{name: bytes.fromhex(value) for name, value in vector["keys"].items()})
    host_challenge = bytes.fromhex(vector["initialize_update"])[5:13]
    answer = bytes.fromhex(vector["initialize_update_response"])
    card_challenge, card_cryptogram = answer[13:21], answer[21:29]

    session_keys = SessionKeys.derive(keys, host_challenge, card_challenge)
    assert session_keys.card_cryptogram() == card_cryptogram

    responses: Iterator[ResponseApdu] = (
        ResponseApdu.from_bytes(bytes.fromhex(exchange["response"]))
        for exchange in vector["exchanges"]
        if "response" in exchange
    )
    recorder = Recorder(lambda _: next(responses, ResponseApdu(b"", 0x6A88)))
    session = Scp03Session(
        recorder, keys=keys, session_keys=session_keys, chip=chip_of(session_keys, card_challenge)
    )
    external_authenticate = session._authenticated(
        CommandApdu(cla=0x80, ins=0x82, p1=0x33, p2=0, data=session_keys.host_cryptogram())
    )
    assert external_authenticate.to_bytes().hex() == vector["external_authenticate"]

    for exchange in vector["exchanges"]:
        plain = bytes.fromhex(exchange["plain"])
        data = plain[5 : 5 + plain[4]] if len(plain) > 5 else b""
        cla, ins, p1, p2 = plain[:4]
        response = session.transmit(CommandApdu(cla=cla, ins=ins, p1=p1, p2=p2, data=data))
        wrapped = recorder.commands[-1].to_bytes()
        assert without_le(wrapped) == without_le(bytes.fromhex(exchange["wrapped"]))
        if "plain_response" in exchange:
            assert response.to_bytes().hex() == exchange["plain_response"]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_published_key_check_values_are_reproduced(path: Path) -> None:
    vector = json.loads(path.read_text(encoding="utf-8"))
    for name, check_value in vector["key_check_values"].items():
        assert key_check_value(bytes.fromhex(vector["keys"][name])).hex() == check_value


def opened_at_both_ends() -> tuple[yubikit_scp.ScpState, bytes, SessionKeys]:
    """yubikey-manager's host side, opened with the same keys and challenges."""
    session_keys = SessionKeys.derive(KEYS, HOST_CHALLENGE, CARD_CHALLENGE)
    answer = chip_of(session_keys, CARD_CHALLENGE).to_bytes()
    state, host_cryptogram = yubikit_scp.ScpState.scp03_init(
        lambda *_: answer,
        yubikit_scp.Scp03KeyParams(
            keys=yubikit_scp.StaticKeys(KEYS.enc, KEYS.mac, KEYS.dek),
        ),
        host_challenge=HOST_CHALLENGE,
    )
    return state, host_cryptogram, session_keys


def test_yubikey_manager_accepts_our_card_cryptogram_and_computes_our_host_cryptogram() -> None:
    _, host_cryptogram, session_keys = opened_at_both_ends()
    assert host_cryptogram == session_keys.host_cryptogram()


def test_yubikey_manager_refuses_another_card_cryptogram() -> None:
    session_keys = SessionKeys.derive(KEYS, HOST_CHALLENGE, CARD_CHALLENGE)
    answer = chip_of(session_keys, CARD_CHALLENGE).to_bytes()
    with pytest.raises(BadResponseError):
        yubikit_scp.ScpState.scp03_init(
            lambda *_: answer[:-1] + bytes((answer[-1] ^ 1,)),
            yubikit_scp.Scp03KeyParams(
                keys=yubikit_scp.StaticKeys(KEYS.enc, KEYS.mac, KEYS.dek),
            ),
            host_challenge=HOST_CHALLENGE,
        )


def test_wrapped_commands_are_the_bytes_that_yubikey_manager_makes() -> None:
    state, host_cryptogram, session_keys = opened_at_both_ends()

    def yubikit_wrap(command: CommandApdu, *, encrypt: bool) -> bytes:
        data = state.encrypt(command.data) if encrypt else command.data
        size = len(data) + 8
        length = bytes((size,)) if size <= 255 else b"\x00" + struct.pack("!H", size)
        header = bytes((0x84, command.ins, command.p1, command.p2))
        return data + state.mac(header + length + data)

    recorder = Recorder(lambda _: ResponseApdu(b"", 0x6A80))
    session = Scp03Session(
        recorder,
        keys=KEYS,
        session_keys=session_keys,
        chip=chip_of(session_keys, CARD_CHALLENGE),
    )
    external = CommandApdu(cla=0x80, ins=0x82, p1=0x33, p2=0, data=host_cryptogram)
    assert session._authenticated(external).data == yubikit_wrap(external, encrypt=False)
    for command in COMMANDS:
        session.transmit(command)
        assert recorder.commands[-1].data == yubikit_wrap(command, encrypt=True)
        assert recorder.commands[-1].cla == 0x84


def test_answers_that_yubikey_manager_reads_are_read_the_same() -> None:
    state, host_cryptogram, session_keys = opened_at_both_ends()
    plain = b"answer of the chip"

    def answer(_command: CommandApdu) -> ResponseApdu:
        # The oracle is a host, too: it counts along, and reads what its own primitives made.
        state.encrypt(b"command")
        state._mac_chain = session._chaining_value
        cipher = yubikit_scp._init_cipher(session_keys.enc, state._enc_counter - 1, response=True)
        encryptor = cipher.encryptor()
        data = encryptor.update(plain + b"\x80" + bytes(15 - len(plain) % 16))
        _, mac = yubikit_scp._calculate_mac(
            session_keys.rmac, session._chaining_value, data + b"\x90\x00"
        )
        assert state.decrypt(state.unmac(data + mac, 0x9000)) == plain
        return ResponseApdu(data + mac, 0x9000)

    session = Scp03Session(
        answer,
        keys=KEYS,
        session_keys=session_keys,
        chip=chip_of(session_keys, CARD_CHALLENGE),
    )
    session._authenticated(CommandApdu(cla=0x80, ins=0x82, p1=0x33, p2=0, data=host_cryptogram))
    for sent in COMMANDS:
        assert session.transmit(sent) == ResponseApdu(plain, 0x9000)
