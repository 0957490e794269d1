"""The CV certificates of the BSI's worked example for EAC: other people's bytes, read and judged."""

import json
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import EcPublicKey, NamedCurve
from pki.card_verifiable.authorisation import Role, TerminalType
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.chain import JudgedCertificate, judge_chain
from pki.card_verifiable.public_key import verify_plain_signature
from pki.errors import PkiRefusedError
from pki.keys.algorithms import SignatureAlgorithm

DAY = date(2010, 10, 1)
NAMES = ("tc_ecdh_cvca_cert", "tc_ecdh_dv_cert", "tc_ecdh_ta_cert")


@pytest.fixture(scope="module")
def encoded(shared_vectors: Path) -> dict[str, bytes]:
    found = json.loads((shared_vectors / "eac-worked-example" / "ecdh.json").read_text())
    return {name: bytes.fromhex(found[name]) for name in NAMES}


@pytest.fixture(scope="module")
def chain(encoded: dict[str, bytes]) -> tuple[CvCertificate, CvCertificate, CvCertificate]:
    cvca, verifier, terminal = (CvCertificate.from_bytes(encoded[name]) for name in NAMES)
    return cvca, verifier, terminal


@pytest.mark.parametrize("name", NAMES)
def test_each_certificate_encodes_to_the_published_bytes(
    encoded: dict[str, bytes], name: str
) -> None:
    assert CvCertificate.from_bytes(encoded[name]).to_bytes() == encoded[name]


def test_the_certificates_say_what_the_example_says(
    chain: tuple[CvCertificate, CvCertificate, CvCertificate],
) -> None:
    cvca, verifier, terminal = (certificate.body for certificate in chain)
    assert cvca.is_self_signed
    assert cvca.holder_reference.text == "DECVCAAT00001"
    assert cvca.public_key.curve is NamedCurve.BRAINPOOLP512R1
    assert cvca.authorisation.access_bits == 0b11
    assert (cvca.effective_date, cvca.expiration_date) == (date(2010, 9, 30), date(2011, 9, 25))
    assert verifier.holder_reference.text == "DETESTDVDE019"
    assert verifier.holder_reference.next.sequence_number == "DE01A"
    assert verifier.authorisation.role is Role.DOCUMENT_VERIFIER
    assert terminal.authorisation.role is Role.TERMINAL
    assert terminal.authorisation.terminal_type is TerminalType.AUTHENTICATION_TERMINAL
    assert terminal.public_key.algorithm is SignatureAlgorithm.ECDSA_SHA512
    assert terminal.public_key.curve is None


def test_every_signature_of_the_example_verifies(
    chain: tuple[CvCertificate, CvCertificate, CvCertificate],
) -> None:
    cvca = JudgedCertificate.trusted(chain[0], on=DAY)
    issuer = chain[0]
    for certificate in chain[1:]:
        verify_plain_signature(
            issuer.body.public_key.on(cvca.public_key.curve),
            issuer.body.public_key.algorithm,
            signature=certificate.signature,
            message=certificate.body.to_bytes(),
            name=certificate.body.holder_reference.text,
        )
        issuer = certificate


def test_the_private_key_of_the_example_is_the_terminals(
    shared_vectors: Path, chain: tuple[CvCertificate, CvCertificate, CvCertificate]
) -> None:
    found = json.loads((shared_vectors / "eac-worked-example" / "ecdh.json").read_text())
    # The ECPrivateKey ends with its octet string of 64 bytes (RFC 5915); the parameters before it are explicit.
    scalar = int.from_bytes(bytes.fromhex(found["tc_ecdh_ta_pcd_key"])[-64:], "big")
    curve = NamedCurve.BRAINPOOLP512R1
    public_key = ec.derive_private_key(scalar, curve.to_cryptography()).public_key()
    assert chain[2].body.public_key.on(curve) == EcPublicKey.from_cryptography(public_key)


def test_its_cvca_for_inspection_systems_may_not_certify_authentication_terminals(
    chain: tuple[CvCertificate, CvCertificate, CvCertificate],
) -> None:
    with pytest.raises(PkiRefusedError) as caught:
        judge_chain(chain[1:], anchors=chain[:1], on=DAY)
    assert caught.value.code == "cv-certificate.terminal-type-differs"
