"""Cards whose signers have other keys, parameters and algorithms: accepted as long as everything else is right."""

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.profile import load_profile
from pki.certificates.profile import ProfileVariant
from pki.keys.algorithms import SignatureAlgorithm
from pki.signed.security_object import SecurityObject
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.image import CardImage
from simulators.issued_image import DEFAULT_PROFILE, issue_image
from simulators.population.member import SyntheticMember
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.trust_directory import write_trust_directory
from verifier.inspection.report import Report, inspect
from verifier.reading.card_reading import read_card
from verifier.services.card_password import CardPassword
from verifier.trust.directory import load_trust

PROFILE = load_profile(DEFAULT_PROFILE)
SECURITY_OBJECT = PROFILE.file("EF.SOD").path
NOW = TEST_TIME + timedelta(days=1)


def inspect_image(image: CardImage, authority: TestAuthority, directory: Path) -> Report:
    write_trust_directory(directory, [authority], now=NOW)
    trust = load_trust(directory)
    snapshot = read_card(
        SimulatedReader(VirtualCard(image)),
        password=CardPassword.from_can(TEST_CAN),
        profile=PROFILE,
        pace_parameter_ids=trust.policy.pace_parameter_ids,
        now=NOW,
        monotonic=time.monotonic,
    )
    return inspect(snapshot, trust=trust.anchors, policy=trust.policy, now=NOW)


def security_object(image: CardImage) -> SecurityObject:
    file = SecurityObjectFile.from_bytes(image.files[SECURITY_OBJECT].data)
    return SecurityObject.from_bytes(file.content_info)


@pytest.mark.parametrize(
    ("root", "signer", "variant", "algorithm"),
    [
        ("secp384r1", "secp256r1", ProfileVariant.ICAO, SignatureAlgorithm.ECDSA_SHA256),
        ("brainpoolP384r1", "brainpoolP256r1", ProfileVariant.ICAO, SignatureAlgorithm.ECDSA_SHA256),
        ("secp521r1", "secp384r1", ProfileVariant.ICAO, SignatureAlgorithm.ECDSA_SHA384),
        ("brainpoolP512r1", "brainpoolP512r1", ProfileVariant.PRIVATE, SignatureAlgorithm.ECDSA_SHA512),
        ("rsa3072", "rsa3072", ProfileVariant.PRIVATE, SignatureAlgorithm.RSA_PSS_SHA256),
        ("rsa3072", "secp256r1", ProfileVariant.ICAO, SignatureAlgorithm.ECDSA_SHA256),
    ],
)  # fmt: skip
def test_a_card_is_accepted_whatever_keys_signed_it_and_refused_when_a_bit_is_not_theirs(
    synthetic_member: SyntheticMember,
    tmp_path: Path,
    *,
    root: str,
    signer: str,
    variant: ProfileVariant,
    algorithm: SignatureAlgorithm,
) -> None:
    authority = TestAuthority.create(
        now=TEST_TIME, variant=variant, root_key_label=root, signer_key_label=signer
    )
    image = issue_image(synthetic_member, authority=authority, random=Random(1), can=TEST_CAN)
    assert security_object(image).signature_algorithm is algorithm
    report = inspect_image(image, authority, tmp_path)
    assert report.codes == ()
    assert report.verdict.value == "accepted"
    file = image.files[SECURITY_OBJECT]
    altered = bytearray(file.data)
    altered[-1] ^= 1
    forged = image.with_file(SECURITY_OBJECT, replace(file, data=bytes(altered)))
    assert inspect_image(forged, authority, tmp_path).codes == (
        "security-object.signature-invalid",
    )


def test_an_authority_with_rsa_keys_is_the_same_after_it_was_saved(tmp_path: Path) -> None:
    authority = TestAuthority.create(
        now=TEST_TIME, root_key_label="rsa3072", signer_key_label="secp256r1"
    )
    authority.save(tmp_path)
    assert TestAuthority.load(tmp_path).root.certificate == authority.root.certificate
