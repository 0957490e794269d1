"""The BSI's reference document as a card in the reader: read by basic access control, proven as far as it can be.

A specimen of another state and size, with keys of its own that others drew: what is proven here, no mistake that both
of our hands share could prove. Nobody at hand vouches for its signer, so it is refused all the same.
"""

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from card_layout.atr import LifeCycle, encode_atr
from card_layout.profile import load_profile
from card_layout.transport.connection import CardReader
from card_layout.transport.readers import (
    list_readers,
    open_reader,
    wait_for_card,
    wait_for_removal,
)
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.hopper import Hopper
from simulators.image import CardImage, ImageFile, Keys, Limits, ReadRule, Secrets
from simulators.image_keys import HashAlgorithm, RsaKey
from simulators.issued_image import DEFAULT_PROFILE
from simulators.testing import TEST_TIME
from simulators.trust_directory import TEST_POLICY, write_trust_directory
from simulators.vpcd import Serving, VirtualIcc
from verifier.inspection.checks import CheckName, CheckState
from verifier.inspection.report import Assurance, Report, Verdict, inspect
from verifier.inspection.snapshot import AccessPath
from verifier.reading.card_reading import read_card
from verifier.services.card_password import CardPassword
from verifier.trust.directory import load_trust

PROFILE = load_profile(DEFAULT_PROFILE)
READER = "Virtual PCD 00 00"
INFORMATION = "C11T002JM496081222310314"
"""Number, birth date and expiry date of the specimen's zone, each with its check digit."""

FILES = {
    "EF_COM.bin": (0x1E, ReadRule.PASSWORD),
    "EF_SOD.bin": (0x1D, ReadRule.PASSWORD),
    "Datagroup1.bin": (0x01, ReadRule.PASSWORD),
    "Datagroup2.bin": (0x02, ReadRule.PASSWORD),
    "Datagroup3.bin": (0x03, ReadRule.TERMINAL),
    "Datagroup4.bin": (0x04, ReadRule.TERMINAL),
    "Datagroup14.bin": (0x0E, ReadRule.PASSWORD),
    "Datagroup15.bin": (0x0F, ReadRule.PASSWORD),
}


@pytest.fixture
def document(shared_vectors: Path) -> CardImage:
    folder = shared_vectors / "bsi-reference-dataset"
    signing_key = load_der_private_key((folder / "DG15_sk.pkcs8").read_bytes(), None)
    assert isinstance(signing_key, rsa.RSAPrivateKey)
    numbers = signing_key.private_numbers()
    application = PROFILE.application_identifier.hex().upper()
    return CardImage(
        profile="specimen of the BSI reference data set",
        state=LifeCycle.OPERATIONAL,
        serial=bytes(10),
        atr=encode_atr(LifeCycle.OPERATIONAL, extended_lengths=False),
        limits=Limits(extended_lengths=False),
        applications={PROFILE.application_identifier: PROFILE.application_file_identifier},
        files={
            f"{application}/01{number:02X}": ImageFile(
                data=(folder / name).read_bytes(),
                read=rule,
                short_identifier=number,
                capacity=(folder / name).stat().st_size,
            )
            for name, (number, rule) in FILES.items()
        },
        secrets=Secrets(mrz_information=INFORMATION, basic_access_control=True),
        keys=Keys(
            active_authentication=RsaKey(
                modulus=numbers.public_numbers.n,
                private_exponent=numbers.d,
                hash_algorithm=HashAlgorithm.SHA_1,
            )
        ),
    )


def inspect_in(reader: CardReader, authority: TestAuthority, directory: Path) -> Report:
    policy = TEST_POLICY.replace("format = 1\n", "format = 1\nallow_bac = true\n")
    write_trust_directory(directory, [authority], now=TEST_TIME, policy=policy)
    trust = load_trust(directory)
    snapshot = read_card(
        reader,
        password=CardPassword.from_mrz(INFORMATION),
        profile=PROFILE,
        pace_parameter_ids=trust.policy.pace_parameter_ids,
        now=TEST_TIME,
        monotonic=time.monotonic,
        max_seconds=60,
        allow_bac=True,
    )
    return inspect(snapshot, trust=trust.anchors, policy=trust.policy, now=TEST_TIME)


def states(report: Report) -> Mapping[CheckName, tuple[CheckState, str | None]]:
    return {check.name: (check.state, check.code) for check in report.checks}


def must_be_proven_and_refused(report: Report) -> None:
    found = states(report)
    print("\n".join(f"{k.value}: {v}" for k, v in found.items()), report)
    assert report.verdict is Verdict.REFUSED


def test_it_is_read_proven_and_refused(
    document: CardImage, test_pki: TestAuthority, tmp_path: Path
) -> None:
    reader = SimulatedReader(VirtualCard(document))
    must_be_proven_and_refused(inspect_in(reader, test_pki, tmp_path / "trust"))
    assert 0
