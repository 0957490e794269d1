"""The BSI's worked example for EAC, at the terminal: what it signs and how it says the commands.

The example is EACv2, whose terminal signs the same message as that of version 1.
"""

import json
from pathlib import Path

import pytest

from card_layout.curves import NamedCurve
from card_layout.iso7816 import commands
from card_layout.protocols.terminal_authentication import SessionBinding, compress
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.public_key import verify_plain_signature
from pki.errors import PkiDataError

CURVE = NamedCurve.BRAINPOOLP512R1


@pytest.fixture(scope="module")
def example(shared_vectors: Path) -> dict[str, bytes]:
    found = json.loads((shared_vectors / "eac-worked-example" / "ecdh.json").read_text())
    return {name: bytes.fromhex(value) for name, value in found.items()}


def test_the_published_signature_is_over_the_message_of_the_session(
    example: dict[str, bytes],
) -> None:
    binding = SessionBinding(
        chip_key=example["tc_ecdh_picc_pub_key"], terminal_key=example["tc_ecdh_ca_pcd_pub_key"]
    )
    message = binding.message(example["tc_ecdh_ta_nonce"])
    certificate = CvCertificate.from_bytes(example["tc_ecdh_ta_cert"])
    key, algorithm = certificate.body.public_key.on(CURVE), certificate.body.public_key.algorithm
    signature = example["tc_ecdh_ta_pcd_signature"]
    verify_plain_signature(key, algorithm, signature=signature, message=message, name="terminal")
    other = SessionBinding(chip_key=binding.terminal_key, terminal_key=binding.chip_key)
    with pytest.raises(PkiDataError):
        verify_plain_signature(
            key,
            algorithm,
            signature=signature,
            message=other.message(example["tc_ecdh_ta_nonce"]),
            name="terminal",
        )


def test_comp_is_the_x_coordinate_in_the_width_of_the_field(example: dict[str, bytes]) -> None:
    point = example["tc_ecdh_ca_pcd_pub_key"]
    assert compress(point) == point[1 : 1 + len(point) // 2]


def test_a_certificate_is_shown_as_body_and_signature(example: dict[str, bytes]) -> None:
    encoded = example["tc_ecdh_dv_cert"]
    certificate = CvCertificate.from_bytes(encoded)
    command = commands.verify_certificate(certificate.to_value())
    assert (command.ins, command.p1, command.p2) == (0x2A, 0x00, 0xBE)
    assert encoded.endswith(command.data)
    assert command.data.startswith(b"\x7f\x4e")
