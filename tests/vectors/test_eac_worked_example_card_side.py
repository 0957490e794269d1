"""The BSI's worked example for EAC, on the card: its certificates and its signature of terminal authentication.

The example is EACv2. Its certificates have the form of version 1, and its terminal signs the same message: the
compressed key of the chip, the chip's challenge, the compressed key of the terminal. It lets a CVCA for
inspection systems certify authentication terminals, which the chip refuses as a chain.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from card_layout import tlv
from card_layout.curves import NamedCurve
from simulators.card.cv_certificate import (
    INSPECTION_SYSTEM,
    CvCertificate,
    CvCertificateError,
    Role,
    read_trust_point,
)
from simulators.card.non_volatile import NonVolatileMemory
from simulators.card.status import Refused
from simulators.card.terminal_authentication import TerminalAuthentication
from simulators.card.trust_points import cvca_content
from simulators.image import CardImage

CURVE = NamedCurve.BRAINPOOLP512R1
NAMES = ("tc_ecdh_cvca_cert", "tc_ecdh_dv_cert", "tc_ecdh_ta_cert")


@pytest.fixture(scope="module")
def example(shared_vectors: Path) -> dict[str, bytes]:
    found = json.loads((shared_vectors / "eac-worked-example" / "ecdh.json").read_text())
    return {name: bytes.fromhex(value) for name, value in found.items()}


@pytest.mark.parametrize("name", NAMES)
def test_each_certificate_is_read_and_written_back(example: dict[str, bytes], name: str) -> None:
    assert CvCertificate.from_bytes(example[name]).to_bytes() == example[name]


def test_the_chip_reads_what_the_certificates_say(example: dict[str, bytes]) -> None:
    cvca, verifier, terminal = (CvCertificate.from_bytes(example[name]) for name in NAMES)
    assert [item.role for item in (cvca, verifier, terminal)] == [
        Role.CVCA,
        Role.DOCUMENT_VERIFIER,
        Role.TERMINAL,
    ]
    assert cvca.terminal_type == INSPECTION_SYSTEM
    assert cvca.access_bits == 0b11
    assert cvca.curve is CURVE
    assert (cvca.effective_date, cvca.expiration_date) == ("20100930", "20110925")
    assert verifier.curve is terminal.curve is None
    assert cvca_content([read_trust_point(example[NAMES[0]])])[:15] == b"\x42\x0dDECVCAAT00001"


def test_every_signature_verifies_and_no_altered_one(example: dict[str, bytes]) -> None:
    cvca, verifier, terminal = (CvCertificate.from_bytes(example[name]) for name in NAMES)
    for issuer, certificate in ((cvca, cvca), (cvca, verifier), (verifier, terminal)):
        key = issuer.key(CURVE)
        assert key.verifies(certificate.signature, certificate.body)
        assert not key.verifies(certificate.signature, certificate.body + b"\x00")
    assert not cvca.key(None).verifies(terminal.signature, terminal.body)


def test_the_terminals_signature_is_over_both_keys_and_the_challenge(
    example: dict[str, bytes],
) -> None:
    key = CvCertificate.from_bytes(example["tc_ecdh_ta_cert"]).key(CURVE)
    chip, terminal = (
        example[name][1 : 1 + len(example[name]) // 2]
        for name in ("tc_ecdh_picc_pub_key", "tc_ecdh_ca_pcd_pub_key")
    )
    message = chip + example["tc_ecdh_ta_nonce"] + terminal
    assert key.verifies(example["tc_ecdh_ta_pcd_signature"], message)
    assert not key.verifies(example["tc_ecdh_ta_pcd_signature"], message[1:])


def test_the_chip_refuses_the_chain_of_another_type_of_terminals(
    example: dict[str, bytes], issued_card: CardImage
) -> None:
    image = replace(
        issued_card, trust_points=(example["tc_ecdh_cvca_cert"],), current_date="20101001"
    )
    side = TerminalAuthentication(
        memory=NonVolatileMemory(image, None), chip_key=b"", terminal_key=b""
    )
    side.select_verification_key(tlv.encode(0x83, b"DECVCAAT00001"))
    content = tlv.parse(example["tc_ecdh_dv_cert"], expected_tag=0x7F21).value
    with pytest.raises(Refused) as caught:
        side.verify_certificate(content)
    assert caught.value.status_word == 0x6300


def test_only_the_cvcas_certificate_can_be_a_trust_point(example: dict[str, bytes]) -> None:
    for name in NAMES[1:]:
        with pytest.raises(CvCertificateError, match="not the certificate of a CVCA"):
            read_trust_point(example[name])
