"""The BSI's reference document as a card in the reader: read by basic access control, proven as far as it can be.

A specimen of another state and size, with keys of its own that others drew: what is proven here, no mistake that both
of our hands share could prove. Nobody at hand vouches for its signer, so it is refused all the same.
"""

import hashlib
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from card_layout.atr import LifeCycle, encode_atr
from card_layout.files.data_group_15 import ActiveAuthenticationKey
from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.iso7816.channel import CardChannel
from card_layout.profile import load_profile
from card_layout.protocols.active_authentication import (
    ActiveAuthenticationError,
    request_signature,
    verify_signature,
)
from card_layout.protocols.basic_access_control import perform_basic_access_control
from card_layout.protocols.file_reading import read_file, select_application
from card_layout.transport.connection import CardReader
from card_layout.transport.readers import (
    list_readers,
    open_reader,
    wait_for_card,
    wait_for_removal,
)
from pki.signed.security_object import SecurityObject
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.hopper import Hopper
from simulators.image import CardImage, ImageFile, Keys, Limits, ReadRule, Secrets
from simulators.image_keys import HashAlgorithm, RsaKey
from simulators.issued_image import DEFAULT_PROFILE
from simulators.testing import TEST_TIME
from simulators.trust_directory import TEST_POLICY, write_trust_directory
from simulators.variants import draw_rsa_key
from simulators.vpcd import Serving, VirtualIcc
from verifier.inspection.checks import CheckName, CheckState
from verifier.inspection.report import Assurance, Report, Verdict, inspect
from verifier.inspection.snapshot import AccessPath, CardSnapshot, ChipOutcome, FileOutcome
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
READ = {1: "Datagroup1.bin", 2: "Datagroup2.bin", 14: "Datagroup14.bin"}
"""The listed files that a terminal without a right may ask for."""


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


def read_and_judge(
    reader: CardReader, authority: TestAuthority, directory: Path
) -> tuple[CardSnapshot, Report]:
    """By a terminal that knows nobody who vouches for the document, and opens it by basic access control."""
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
        allow_bac=trust.policy.allow_bac,
    )
    return snapshot, inspect(snapshot, trust=trust.anchors, policy=trust.policy, now=TEST_TIME)


def must_be_proven_and_refused(snapshot: CardSnapshot, report: Report, folder: Path) -> None:
    """Everything that others signed holds, and everything that a verdict needs besides is told to be missing."""
    security_object = SecurityObject.from_bytes(
        SecurityObjectFile.from_bytes(snapshot.content("EF.SOD") or b"").content_info
    )
    security_object.verify_signature()
    assert list(security_object.file_hashes) == [1, 2, 3, 14, 4]
    for number, name in READ.items():
        content = snapshot.content(f"EF.DG{number}")
        assert content == (folder / name).read_bytes()
        assert hashlib.sha256(content).digest() == security_object.file_hashes[number]
    for number in (3, 4):
        assert snapshot.files[f"EF.DG{number}"].outcome is FileOutcome.NOT_REQUESTED
        content = (folder / f"Datagroup{number}.bin").read_bytes()
        assert hashlib.sha256(content).digest() == security_object.file_hashes[number]
    assert snapshot.access.path is AccessPath.BAC

    assert (report.verdict, report.assurance) == (Verdict.REFUSED, Assurance.NONE)
    found = {check.name: (check.state, check.code) for check in report.checks}
    passed = (CheckState.PASSED, None)
    assert found[CheckName.SECURITY_OBJECT_SIGNATURE] == passed
    assert found[CheckName.DATA_GROUPS_INTEGRITY] == passed
    assert found[CheckName.DATA_GROUPS_COVERAGE] == passed
    assert report.codes == (
        "security-object.signing-time-missing",
        # A zone of size TD3 is no member card's.
        "data-group.malformed",
        "signer.authority-unknown",
        "data-group.missing",
        "status.reference-missing",
    )
    assert report.notes == (
        "access.bac-used",
        "common-data.version-not-signed",
        "data-group.no-right",
    )
    # Chip authentication is announced with a key on brainpoolP224r1, which is not spoken.
    assert report.chip is ChipOutcome.NOT_ATTEMPTED
    assert found[CheckName.CHIP_AUTHENTICATION][0] is CheckState.NOT_PERFORMED


def must_sign(reader: CardReader, folder: Path) -> None:
    """EF.DG15 stands in neither list of the document, so no inspection asks for it: the terminal's hand does here."""
    connection = reader.connect()
    try:
        channel = CardChannel(connection)
        select_application(channel, PROFILE.application_identifier)
        perform_basic_access_control(channel, information=INFORMATION)
        content = read_file(channel, short_identifier=0x0F)
        assert content == (folder / "Datagroup15.bin").read_bytes()
        key = ActiveAuthenticationKey.from_bytes(content).public_key
        challenge = bytes(range(8))
        signature = request_signature(channel, public_key=key, challenge=challenge)
    finally:
        connection.close()
    verify_signature(key, challenge=challenge, signature=signature, signature_algorithm=None)
    for wrong in (bytes(8), challenge[::-1]):
        with pytest.raises(ActiveAuthenticationError):
            verify_signature(key, challenge=wrong, signature=signature, signature_algorithm=None)


def test_it_is_read_proven_and_refused(
    document: CardImage, shared_vectors: Path, test_pki: TestAuthority, tmp_path: Path
) -> None:
    folder = shared_vectors / "bsi-reference-dataset"
    reader = SimulatedReader(VirtualCard(document))
    must_be_proven_and_refused(*read_and_judge(reader, test_pki, tmp_path / "trust"), folder)
    must_sign(reader, folder)


def test_a_copy_without_the_key_is_told_from_it(document: CardImage, shared_vectors: Path) -> None:
    copied = replace(document.keys, active_authentication=draw_rsa_key(1024))
    reader = SimulatedReader(VirtualCard(replace(document, keys=copied)))
    with pytest.raises(ActiveAuthenticationError):
        must_sign(reader, shared_vectors / "bsi-reference-dataset")


@pytest.mark.pcsc
def test_it_is_the_same_document_through_the_real_pcsc_stack(
    document: CardImage, shared_vectors: Path, test_pki: TestAuthority, tmp_path: Path
) -> None:
    if READER not in list_readers():
        pytest.skip(f"pcscd does not run here with vsmartcard-vpcd: no reader {READER!r}")
    reader = open_reader(READER)
    if not wait_for_removal(reader, timeout_seconds=5):
        pytest.skip(f"somebody else's card is in {READER!r}")
    # A card leaves the hopper once it was read and let go: one to be inspected, one to be asked for its signature.
    paths = [tmp_path / f"document-{number}.json" for number in range(2)]
    for path in paths:
        document.save(path)
    stop = threading.Event()
    slot = VirtualIcc(slot=0, hopper=Hopper(paths), report=lambda _: None, stop=stop)
    service = Serving([slot], stop=stop)
    thread = threading.Thread(target=lambda: service.run(until_empty=True))
    thread.start()
    folder = shared_vectors / "bsi-reference-dataset"
    try:
        assert wait_for_card(reader, timeout_seconds=10)
        must_be_proven_and_refused(*read_and_judge(reader, test_pki, tmp_path / "trust"), folder)
        assert wait_for_removal(reader, timeout_seconds=10)
        assert wait_for_card(reader, timeout_seconds=10)
        must_sign(reader, folder)
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
