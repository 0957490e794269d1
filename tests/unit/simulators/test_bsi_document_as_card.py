"""BSI's reference data set as a card: BAC opens it, every file reads back, its RSA key proves itself.

Chip authentication is left out: its key lies on brainpoolP224r1, which the card does not have.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from card_layout import tlv
from card_layout.atr import LifeCycle, encode_atr
from card_layout.mrz import check_digit
from simulators.card.operating_system import VirtualCard
from simulators.image import CardImage, HashAlgorithm, ImageFile, Keys, ReadRule, RsaKey, Secrets

AID = bytes.fromhex("A0000002471001")
GROUPS = (1, 2, 3, 4, 14, 15)
PROTECTED = (3, 4)


@pytest.fixture(scope="module")
def data_set(shared_vectors: Path) -> Path:
    return shared_vectors / "bsi-reference-dataset"


def file_of(data: bytes, identifier: int, read: ReadRule) -> tuple[str, ImageFile]:
    path = f"{AID.hex().upper()}/{identifier:04X}"
    short = identifier & 0x1F
    return path, ImageFile(data=data, read=read, short_identifier=short, capacity=len(data))


@pytest.fixture(scope="module")
def document(data_set: Path) -> CardImage:
    files = [
        file_of((data_set / "EF_COM.bin").read_bytes(), 0x011E, ReadRule.PASSWORD),
        file_of((data_set / "EF_SOD.bin").read_bytes(), 0x011D, ReadRule.PASSWORD),
    ]
    for group in GROUPS:
        rule = ReadRule.TERMINAL if group in PROTECTED else ReadRule.PASSWORD
        data = (data_set / f"Datagroup{group}.bin").read_bytes()
        files.append(file_of(data, 0x0100 + group, rule))
    zone = tlv.parse((data_set / "Datagroup1.bin").read_bytes()).children()[0].value.decode()
    second = zone[44:]
    # The check digits are computed, because the data set's own MRZ writes some as fillers.
    information = "".join(
        field + check_digit(field) for field in (second[:9], second[13:19], second[21:27])
    )
    private = load_der_private_key((data_set / "DG15_sk.pkcs8").read_bytes(), password=None)
    assert isinstance(private, rsa.RSAPrivateKey)
    numbers = private.private_numbers()
    image = CardImage(
        profile="BSI TR-03105-5 reference data set",
        state=LifeCycle.OPERATIONAL,
        serial=bytes(10),
        atr=encode_atr(LifeCycle.OPERATIONAL, extended_lengths=True),
        applications={AID: 0x0100},
        files=dict(files),
        secrets=Secrets(mrz_information=information, basic_access_control=True),
        keys=Keys(
            active_authentication=RsaKey(
                modulus=numbers.public_numbers.n,
                private_exponent=numbers.d,
                hash_algorithm=HashAlgorithm.SHA_1,
            )
        ),
    )
    # What a tester would keep is the file: the card is the one that it describes.
    return CardImage.from_json(image.to_json())


@pytest.fixture
def terminal(document: CardImage, open_terminal: Callable[[VirtualCard], Any]) -> Any:
    terminal = open_terminal(VirtualCard(document))
    terminal.select_application()
    terminal.basic_access(document.secrets.mrz_information)
    assert terminal.status == "9000"
    return terminal


def read_whole(terminal: Any, identifier: int, size: int) -> bytes:
    terminal.send("00A4020C", identifier.to_bytes(2, "big"), le=False)
    content = b""
    while len(content) < size:
        part = terminal.send(f"00B0{len(content):04X}")
        assert terminal.status == "9000"
        content += part
    return content


def test_every_open_file_reads_back_under_bac(terminal: Any, document: CardImage) -> None:
    for path, file in document.files.items():
        identifier = int(path.rpartition("/")[2], 16)
        if file.read is ReadRule.PASSWORD:
            assert read_whole(terminal, identifier, len(file.data)) == file.data
        else:
            terminal.send("00A4020C", identifier.to_bytes(2, "big"), le=False)
            assert terminal.send("00B00000") == b""
            assert terminal.status == "6982"


def test_the_rsa_key_of_the_data_set_proves_itself(terminal: Any, data_set: Path) -> None:
    encoded = tlv.parse((data_set / "Datagroup15.bin").read_bytes(), expected_tag=0x6F).value
    public = load_der_public_key(encoded)
    assert isinstance(public, rsa.RSAPublicKey)
    numbers = public.public_numbers()
    challenge = bytes.fromhex("F173589974BF40C6")
    signature = terminal.send("00880000", challenge)
    size = (numbers.n.bit_length() + 7) // 8
    recovered = pow(int.from_bytes(signature, "big"), numbers.e, numbers.n).to_bytes(size, "big")
    assert (recovered[0], recovered[-1]) == (0x6A, 0xBC)
    digest = hashlib.sha1(recovered[1:-21] + challenge).digest()  # noqa: S324 -- the trailer says so
    assert recovered[-21:-1] == digest


def test_the_card_has_no_other_way_in(
    document: CardImage, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    terminal = open_terminal(VirtualCard(document))
    terminal.plain("00A4020C", bytes.fromhex("011C"), le=False)
    assert terminal.status == "6A82"
    assert terminal.pace(b"123456") == {}
    assert terminal.status == "6A80"
