"""Cards of the profile's variants, read and judged: no silent way around PACE, and no proof of a chip that is none.

The chip is a small one of the tests' own: it holds the files of an issued card and speaks what a test gives it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.x509 import ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from card_layout import der, tlv
from card_layout.curves import EcPublicKey, NamedCurve
from card_layout.files.common_data import CommonData
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.data_group_15 import ActiveAuthenticationKey
from card_layout.files.data_groups import TAG_OF_GROUP
from card_layout.files.security_infos import (
    ActiveAuthenticationInfo,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
    SecurityInfos,
)
from card_layout.files.security_object_file import SecurityObjectFile
from card_layout.iso7816 import triple_des
from card_layout.mrz import password_from_information
from card_layout.profile import CardProfile, load_profile
from card_layout.protocols.algorithms import SessionCipher
from card_layout.protocols.generic_mapping import EphemeralKey, map_generator
from card_layout.protocols.pace import authentication_token
from card_layout.protocols.session_keys import KeyPurpose, derive_key
from pki.certificates.certificate import load_certificate
from pki.certificates.trust import TrustAnchors
from pki.signed.card_security import CardSecurityObject, CardSecurityObjectError
from pki.signed.decoding import algorithm_identifier
from pki.signed.security_object import StatusReference, sign_security_object
from pki.signed.structures import (
    ID_CONTENT_TYPE,
    ID_MESSAGE_DIGEST,
    ID_SIGNED_DATA,
    Attribute,
    ContentInfo,
    EncapsulatedContentInfo,
    IssuerAndSerialNumber,
    SignedData,
    SignerInfo,
)
from simulators.authority import SignerKind, TestAuthority
from simulators.image import CardImage
from simulators.issued_image import data_groups
from simulators.testing import TEST_CAN, TEST_TIME
from verifier.inspection.checks import CheckName, CheckState
from verifier.inspection.policy import Policy
from verifier.inspection.report import Assurance, Report, Verdict, inspect
from verifier.inspection.snapshot import (
    AccessOutcome,
    AccessPath,
    CardSnapshot,
    ChipOutcome,
    FileEvidence,
    FileOutcome,
)
from verifier.presentation import batch_table, report_view
from verifier.reading.card_reading import read_card
from verifier.services.card_password import CardPassword
from verifier.services.inspect_batch import BatchEntry
from verifier.services.inspect_card import Inspection

CHIP_SCALAR = 0xC0FFEE
CURVE = NamedCurve.SECP256R1
CHIP_KEY = EphemeralKey(curve=CURVE, scalar=CHIP_SCALAR)
CHALLENGE = bytes(range(8))
MAPPING = PaceInfo(protocol="0.4.0.127.0.7.2.2.4.6.2", parameter_id=12)
MAPPING_PROTOCOL = der.encode_object_identifier(MAPPING.protocol)
APPLICATION = "A0000002471001"


class ChipSession:
    """The chip's end of secure messaging, under 3DES or AES."""

    def __init__(self, shared: bytes, cipher: SessionCipher, counter: int = 0) -> None:
        self.is_triple = cipher is SessionCipher.TRIPLE_DES
        self.block = 8 if self.is_triple else 16
        self.encryption_key = derive_key(shared, KeyPurpose.ENCRYPTION, cipher)
        self.mac_key = derive_key(shared, KeyPurpose.MAC, cipher)
        self.counter = counter

    def open(self, command: bytes) -> tuple[bytes, bytes, int]:
        """Header, plain data and Le of a command whose MAC is right."""
        self.counter += 1
        header = command[:4]
        if command[4]:
            body = command[5 : 5 + command[4]]
        else:
            body = command[7 : 7 + int.from_bytes(command[5:7], "big")]
        objects = tlv.parse_all(body)
        covered = tlv.concatenate(objects[:-1])
        assert objects[-1].value == self.mac(self.padded(header) + covered)
        data, expected = b"", 0
        for item in objects[:-1]:
            if item.tag == 0x87:
                data = self.crypt(item.value[1:], encrypt=False).rstrip(b"\x00")[:-1]
            if item.tag == 0x97:
                expected = int.from_bytes(item.value, "big") or 256 ** len(item.value)
        return header, data, expected

    def close(self, data: bytes, status_word: int) -> bytes:
        """A protected answer."""
        self.counter += 1
        trailer = status_word.to_bytes(2, "big")
        body = b""
        if data:
            body = tlv.encode(0x87, b"\x01" + self.crypt(self.padded(data), encrypt=True))
        body += tlv.encode(0x99, trailer)
        return body + tlv.encode(0x8E, self.mac(body)) + trailer

    def padded(self, data: bytes) -> bytes:
        return data + b"\x80" + bytes(-(len(data) + 1) % self.block)

    def mac(self, covered: bytes) -> bytes:
        message = self.padded(self.counter.to_bytes(self.block, "big") + covered)
        if self.is_triple:
            return triple_des.retail_mac(self.mac_key, message)
        calculation = CMAC(AES(self.mac_key))
        calculation.update(message)
        return calculation.finalize()[:8]

    def crypt(self, data: bytes, *, encrypt: bool) -> bytes:
        if self.is_triple:
            function = triple_des.encrypt if encrypt else triple_des.decrypt
            return function(self.encryption_key, data)
        vector = Cipher(AES(self.encryption_key), ECB()).encryptor()  # noqa: S305 - one block
        cipher = Cipher(
            AES(self.encryption_key), CBC(vector.update(self.counter.to_bytes(16, "big")))
        )
        context = cipher.encryptor() if encrypt else cipher.decryptor()
        return context.update(data)


@dataclass
class VariantChip:
    """A chip: files by path, an MRZ, and the key of `CHIP_KEY`; it is its own reader and connection."""

    atr: bytes
    files: Mapping[str, bytes]
    information: str
    name: str = "test chip"
    session: ChipSession | None = None
    next_session: ChipSession | None = None
    folder: str = "3F00"
    current: bytes = b""
    chip_scalar: int = CHIP_SCALAR
    key_id: int = 1
    sign: Callable[[bytes], tuple[bytes, int]] = lambda _challenge: (b"", 0x6D00)
    commands: list[str] = field(default_factory=list)

    def is_card_present(self) -> bool:
        return True

    def connect(self) -> "VariantChip":
        self.reset()
        return self

    def close(self) -> None:
        pass

    def reset(self) -> bytes:
        self.session, self.folder = None, "3F00"
        return self.atr

    def transmit(self, command: bytes) -> bytes:
        session = self.session
        if session is None:
            self.commands.append(command[:4].hex())
            size = command[4] if len(command) > 5 else 0
            expected = command[-1] or 256
            data, status_word = self.answer(command[:4], command[5 : 5 + size], expected)
            self.session, self.next_session = self.next_session or self.session, None
            return data + status_word.to_bytes(2, "big")
        header, plain, expected = session.open(command)
        header = bytes((header[0] & 0xF0,)) + header[1:]
        self.commands.append(header.hex())
        answer = session.close(*self.answer(header, plain, expected))
        self.session, self.next_session = self.next_session or session, None
        return answer

    def answer(self, header: bytes, data: bytes, expected: int) -> tuple[bytes, int]:
        answers: dict[int, Callable[[], tuple[bytes, int]]] = {
            0xA4: lambda: self.select(header, data),
            0xB0: lambda: self.read(header, expected),
            0x84: lambda: (CHALLENGE, 0x9000),
            0x82: lambda: self.mutual_authenticate(data),
            0x22: lambda: self.set_template(header, data),
            0x86: lambda: self.authenticate(data),
            0x88: lambda: self.sign(data),
        }
        return answers.get(header[1], lambda: (b"", 0x6D00))()

    def select(self, header: bytes, data: bytes) -> tuple[bytes, int]:
        if header[2] == 0x04:
            self.folder = data.hex().upper()
            return b"", 0x9000
        if header[2] == 0x00:
            self.folder = "3F00"
            return b"", 0x9000
        return self.open_file(f"{self.folder}/{data.hex().upper()}")

    def set_template(self, header: bytes, data: bytes) -> tuple[bytes, int]:
        """MSE: with Set KAT chip authentication is done already; a key that is not `key_id` is not there."""
        objects = {item.tag: item.value for item in tlv.parse_all(data)}
        if header[2] == 0x41 and objects.get(0x84, b"\x01") != bytes((self.key_id,)):
            return b"", 0x6A88
        if header[3] == 0xA6:
            shared = CHIP_KEY.shared_x(objects[0x91])
            self.next_session = ChipSession(shared, SessionCipher.TRIPLE_DES)
        return b"", 0x9000

    def open_file(self, path: str) -> tuple[bytes, int]:
        if path not in self.files:
            return b"", 0x6A82
        if path not in ("3F00/011C", "3F00/2F01") and self.session is None:
            return b"", 0x6982
        self.current = self.files[path]
        return b"", 0x9000

    def read(self, header: bytes, expected: int) -> tuple[bytes, int]:
        offset = int.from_bytes(header[2:], "big")
        if header[2] & 0x80:
            short, offset = header[2] & 0x1F, header[3]
            _, status_word = self.open_file(f"{self.folder}/01{short:02X}")
            if status_word != 0x9000:
                return b"", status_word
        size = expected if self.session is None else min(expected, 220)
        return self.current[offset : offset + size], 0x9000

    def mutual_authenticate(self, data: bytes) -> tuple[bytes, int]:
        seed = password_from_information(self.information)[:16]
        triple = SessionCipher.TRIPLE_DES
        encryption_key = derive_key(seed, KeyPurpose.ENCRYPTION, triple)
        mac_key = derive_key(seed, KeyPurpose.MAC, triple)
        if data[32:] != triple_des.retail_mac(mac_key, triple_des.pad(data[:32])):
            return b"", 0x6300
        plain = triple_des.decrypt(encryption_key, data[:32])
        own = bytes(range(16, 32))
        cryptogram = triple_des.encrypt(encryption_key, CHALLENGE + plain[:8] + own)
        common = bytes(one ^ other for one, other in zip(plain[16:], own, strict=True))
        counter = int.from_bytes(CHALLENGE[4:] + plain[4:8], "big")
        self.session = ChipSession(common, triple, counter)
        return cryptogram + triple_des.retail_mac(mac_key, triple_des.pad(cryptogram)), 0x9000

    def authenticate(self, data: bytes) -> tuple[bytes, int]:
        """Chip authentication: the answer goes out under the old keys, the new ones hold from then on."""
        if self.session is None:
            return self.pace(tlv.parse(data, expected_tag=0x7C).value)
        theirs = tlv.parse(tlv.parse(data, expected_tag=0x7C).value, expected_tag=0x80).value
        self.next_session = ChipSession(CHIP_KEY.shared_x(theirs), SessionCipher.AES_128)
        return b"\x7c\x00", 0x9000

    def pace(self, inner: bytes) -> tuple[bytes, int]:
        """PACE with chip-authentication mapping on P-256, with AES-128."""
        nonce, aes = bytes(range(16)), SessionCipher.AES_128
        if not inner:
            key = derive_key(password_from_information(self.information), KeyPurpose.PASSWORD)
            encrypted = Cipher(AES(key), CBC(bytes(16))).encryptor().update(nonce)
            return dynamic(0x80, encrypted), 0x9000
        item = tlv.parse(inner)
        if item.tag == 0x81:
            own = EphemeralKey(curve=CURVE, scalar=0xABCDEF)
            shared_point = own.multiply(item.value)
            self.generator = map_generator(CURVE, nonce=nonce, shared_point=shared_point)
            return dynamic(0x82, own.public_point()), 0x9000
        if item.tag == 0x83:
            own = EphemeralKey(curve=CURVE, scalar=0xFEDCBA)
            self.theirs, self.public = item.value, own.multiply(self.generator)
            self.shared = own.shared_x(self.theirs)
            return dynamic(0x84, self.public), 0x9000
        mac_key = derive_key(self.shared, KeyPurpose.MAC)
        if item.value != authentication_token(mac_key, MAPPING_PROTOCOL, self.public):
            return b"", 0x6300
        number = 0xABCDEF * pow(self.chip_scalar, -1, CURVE.n) % CURVE.n
        encryption_key = derive_key(self.shared, KeyPurpose.ENCRYPTION)
        vector = Cipher(AES(encryption_key), ECB()).encryptor().update(b"\xff" * 16)  # noqa: S305 - one block
        padded = number.to_bytes(32, "big") + b"\x80" + bytes(15)
        encrypted = Cipher(AES(encryption_key), CBC(vector)).encryptor().update(padded)
        token = authentication_token(mac_key, MAPPING_PROTOCOL, self.theirs)
        self.next_session = ChipSession(self.shared, aes)
        return tlv.encode(0x7C, tlv.encode(0x86, token) + tlv.encode(0x8A, encrypted)), 0x9000


def dynamic(tag: int, value: bytes) -> bytes:
    return tlv.encode(0x7C, tlv.encode(tag, value))


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the tests of this file need to make, read and judge a card."""

    image: CardImage
    profile: CardProfile
    authority: TestAuthority
    anchors: TrustAnchors
    policy: Policy
    now: datetime

    @property
    def information(self) -> str:
        assert self.image.secrets.mrz_information is not None
        return self.image.secrets.mrz_information

    def chip(
        self, options: SecurityOptions, *, groups: Mapping[int, bytes] | None = None
    ) -> VariantChip:
        """A chip with the files of the issued card but EF.CardAccess, and this EF.DG14, all of it signed."""
        contents = data_groups(self.image, self.profile) | {14: options.to_bytes()} | (groups or {})
        contents = dict(sorted(contents.items()))
        key = self.authority.signers[SignerKind.CURRENT]
        security_object = sign_security_object(
            signer=key.signer,
            certificate_der=key.certificate,
            file_hashes={
                number: key.signer.algorithm.hash_algorithm.digest(data)
                for number, data in contents.items()
            },
            signing_time=TEST_TIME,
            status_reference=StatusReference(list_id=bytes(8), index=1),
        )
        files = {f"{APPLICATION}/01{number:02X}": data for number, data in contents.items()}
        files[f"{APPLICATION}/011D"] = SecurityObjectFile(content_info=security_object).to_bytes()
        files[f"{APPLICATION}/011E"] = CommonData(
            data_group_tags=tuple(TAG_OF_GROUP[number] for number in contents)
        ).to_bytes()
        return VariantChip(atr=self.image.atr, files=files, information=self.information)

    def mapping_chip(
        self,
        *,
        signed: SecurityInfos | None = None,
        signer: SignerKind = SignerKind.CURRENT,
        options: SecurityOptions | None = None,
    ) -> VariantChip:
        """A chip that proves its key in PACE; ``signed`` is what its EF.CardSecurity says."""
        announced = (options or variant_options(MAPPING)).security_infos
        chip = self.chip(options or variant_options(MAPPING))
        access = SecurityInfos(infos=(MAPPING,))
        chip.files = {
            **chip.files,
            "3F00/011C": access.to_bytes(),
            "3F00/011D": signed_card_security(signed or announced, self.authority, signer),
        }
        return chip

    def read(self, chip: VariantChip, **changes: Any) -> CardSnapshot:
        arguments: dict[str, Any] = {
            "password": CardPassword.from_mrz(self.information),
            "profile": self.profile,
            "pace_parameter_ids": self.policy.pace_parameter_ids,
            "now": self.now,
            "monotonic": time.monotonic,
            "allow_bac": True,
        } | changes
        return read_card(chip, **arguments)

    def judge(self, snapshot: CardSnapshot, **changes: Any) -> Report:
        policy = replace(self.policy, **({"allow_bac": True} | changes))
        return inspect(snapshot, trust=self.anchors, policy=policy, now=self.now)


def signed_card_security(infos: SecurityInfos, authority: TestAuthority, kind: SignerKind) -> bytes:
    """EF.CardSecurity as SPEC.md, 5.8 wants it."""
    key = authority.signers[kind]
    certificate = load_certificate(key.certificate)
    content = infos.to_bytes()
    hash_algorithm = key.signer.algorithm.hash_algorithm
    content_type = ObjectIdentifier("0.4.0.127.0.7.3.2.1")

    def attribute(kind: ObjectIdentifier, value: object) -> Attribute:
        encoded = asn1.decode_der(asn1.TLV, asn1.encode_der(value))
        return Attribute(kind=kind, values=asn1.SetOf([encoded]))

    attributes = asn1.SetOf(
        [
            attribute(ID_CONTENT_TYPE, content_type),
            attribute(ID_MESSAGE_DIGEST, hash_algorithm.digest(content)),
        ]
    )
    digest_algorithm = algorithm_identifier(hash_algorithm.oid)
    signer = SignerInfo(
        version=1,
        signer=IssuerAndSerialNumber(
            issuer=asn1.decode_der(asn1.TLV, certificate.issuer),
            serial_number=certificate.serial_number,
        ),
        digest_algorithm=digest_algorithm,
        signed_attributes=attributes,
        signature_algorithm=algorithm_identifier(key.signer.algorithm.oid),
        signature=key.signer.sign(asn1.encode_der(attributes)),
    )
    return asn1.encode_der(
        ContentInfo(
            content_type=ID_SIGNED_DATA,
            content=SignedData(
                version=3,
                digest_algorithms=asn1.SetOf([digest_algorithm]),
                content_info=EncapsulatedContentInfo(content_type=content_type, content=content),
                certificates=asn1.SetOf([asn1.decode_der(asn1.TLV, key.certificate)]),
                signers=asn1.SetOf([signer]),
            ),
        )
    )


@pytest.fixture
def bench(
    issued_card: CardImage,
    test_pki: TestAuthority,
    anchors: TrustAnchors,
    policy: Policy,
    now: datetime,
) -> Bench:
    return Bench(
        image=issued_card,
        profile=load_profile("membercard-1-icao"),
        authority=test_pki,
        anchors=anchors,
        policy=policy,
        now=now,
    )


def variant_options(*infos: PaceInfo) -> SecurityOptions:
    return SecurityOptions(
        security_infos=SecurityInfos(
            infos=(
                *infos,
                ChipAuthenticationInfo(key_id=1),
                ChipAuthenticationPublicKeyInfo(
                    public_key=EcPublicKey(curve=CURVE, point=CHIP_KEY.public_point()), key_id=1
                ),
            )
        )
    )


def result(report: Report, name: CheckName) -> tuple[CheckState, str | None]:
    (found,) = [check for check in report.checks if check.name is name]
    return found.state, found.code


def test_a_chip_without_pace_is_opened_where_the_policy_names_the_old_way(bench: Bench) -> None:
    snapshot = bench.read(bench.chip(variant_options()))
    report = bench.judge(snapshot)
    assert report.codes == ()
    assert report.verdict is Verdict.ACCEPTED
    assert report.assurance is Assurance.DATA_AND_CHIP
    assert report.access.path is AccessPath.BAC
    assert report.to_json()["access"] == {
        "path": "bac",
        "outcome": "succeeded",
        "chip_authentication": "proven",
    }


def test_nothing_is_silent_about_it(bench: Bench) -> None:
    snapshot = bench.read(bench.chip(variant_options()))
    report = bench.judge(snapshot)
    # The chip's answer to reset names extended lengths, and it has no EF.ATR/INFO.
    assert report.notes == ("access.bac-used", "reading.short-apdus")
    assert report.to_json()["notes"] == ["access.bac-used", "reading.short-apdus"]
    inspection = Inspection(snapshot=snapshot, report=report, judge_seconds=0.0)
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(report_view(inspection, show_unverified=False, is_terminal=False))
        entry = BatchEntry(label="1", password=CardPassword.from_mrz(bench.information))
        console.print(batch_table([(entry, inspection)], show_unverified=False, is_terminal=False))
    assert capture.get().count("access.bac-used") == 2


def test_a_stored_snapshot_of_such_a_card_gives_the_same_report(bench: Bench) -> None:
    snapshot = bench.read(bench.chip(variant_options()))
    assert bench.judge(CardSnapshot.from_json(snapshot.to_json())) == bench.judge(snapshot)


def test_without_the_policys_word_nothing_of_it_is_sent(bench: Bench) -> None:
    chip = bench.chip(variant_options())
    snapshot = bench.read(chip, allow_bac=False)
    assert not {"00840000", "00820000", "00a4040c"} & set(chip.commands)
    assert snapshot.access.outcome is AccessOutcome.NOT_ATTEMPTED
    report = bench.judge(snapshot)
    assert report.verdict is Verdict.REFUSED
    assert "access.pace-required" in report.codes
    assert report.notes == ()


def test_a_card_access_number_cannot_open_such_a_chip(bench: Bench) -> None:
    chip = bench.chip(variant_options())
    snapshot = bench.read(chip, password=CardPassword.from_can(TEST_CAN))
    assert "00840000" not in chip.commands
    assert "access.pace-required" in bench.judge(snapshot).codes


def test_a_policy_that_does_not_name_it_refuses_the_evidence(bench: Bench) -> None:
    report = bench.judge(bench.read(bench.chip(variant_options())), allow_bac=False)
    assert report.verdict is Verdict.REFUSED
    assert result(report, CheckName.PACE) == (CheckState.FAILED, "access.pace-required")
    assert report.notes == ("access.bac-used", "reading.short-apdus")


def test_a_chip_whose_signed_data_offers_pace_was_talked_down(bench: Bench) -> None:
    report = bench.judge(bench.read(bench.chip(variant_options(PaceInfo(parameter_id=12)))))
    assert report.verdict is Verdict.REFUSED
    assert report.codes == ("access.parameters-not-signed",)


def test_the_zone_of_another_card_says_nothing_about_this_one(bench: Bench) -> None:
    snapshot = bench.read(
        bench.chip(variant_options()), password=CardPassword.from_mrz("L898902C<369080619406236")
    )
    assert snapshot.access.outcome is AccessOutcome.WRONG_PASSWORD
    report = bench.judge(snapshot)
    assert report.verdict is Verdict.UNREADABLE
    assert report.codes == ("access.wrong-password",)


def test_a_chip_that_breaks_it_off_is_refused(bench: Bench) -> None:
    chip = bench.chip(variant_options())
    chip.mutual_authenticate = lambda _data: (bytes(40), 0x9000)  # type: ignore[method-assign]
    snapshot = bench.read(chip)
    assert snapshot.access.outcome is AccessOutcome.FAILED
    report = bench.judge(snapshot)
    assert result(report, CheckName.PACE) == (CheckState.FAILED, "access.bac-failed")
    assert report.verdict is Verdict.REFUSED


@pytest.mark.parametrize("outcome", [FileOutcome.REFUSED, FileOutcome.MALFORMED])
def test_only_a_chip_that_has_no_card_access_counts_as_one_without_pace(
    bench: Bench, outcome: FileOutcome
) -> None:
    snapshot = bench.read(bench.chip(variant_options()))
    evidence = FileEvidence(name="EF.CardAccess", outcome=outcome)
    changed = replace(snapshot, files={**snapshot.files, "EF.CardAccess": evidence})
    assert result(bench.judge(changed), CheckName.PACE) == (
        CheckState.FAILED,
        "access.pace-required",
    )


def test_pace_that_failed_is_final(bench: Bench) -> None:
    chip = bench.chip(variant_options(PaceInfo(parameter_id=12)))
    infos = SecurityInfos(infos=(PaceInfo(parameter_id=12),))
    chip.files = {**chip.files, "3F00/011C": infos.to_bytes()}
    chip.authenticate = lambda _data: (b"", 0x6985)  # type: ignore[method-assign]
    snapshot = bench.read(chip)
    assert snapshot.access.path is AccessPath.PACE_MRZ
    assert snapshot.access.outcome is AccessOutcome.FAILED
    assert "00840000" not in chip.commands


Spoil = Callable[[CardSnapshot], CardSnapshot]
SPOILS: dict[str, Spoil] = {
    "no-outcome": lambda snapshot: replace(
        snapshot, access=replace(snapshot.access, outcome=AccessOutcome.NOT_ATTEMPTED)
    ),
    "another-zone": lambda snapshot: replace(
        snapshot, access=replace(snapshot.access, is_password_of_data=False)
    ),
    "zone-not-compared": lambda snapshot: replace(
        snapshot, access=replace(snapshot.access, is_password_of_data=None)
    ),
}


@pytest.mark.parametrize("name", SPOILS)
def test_nothing_is_gained_by_leaving_evidence_out(bench: Bench, name: str) -> None:
    report = bench.judge(SPOILS[name](bench.read(bench.chip(variant_options()))))
    assert report.verdict is Verdict.REFUSED


def test_a_chip_that_proves_its_key_in_pace_needs_no_chip_authentication(bench: Bench) -> None:
    chip = bench.mapping_chip()
    snapshot = bench.read(chip)
    report = bench.judge(snapshot, allow_bac=False)
    assert report.codes == ()
    assert report.verdict is Verdict.ACCEPTED
    assert report.assurance is Assurance.DATA_AND_CHIP
    assert report.notes == ("reading.short-apdus",)
    assert "002241a4" not in chip.commands
    assert bench.judge(CardSnapshot.from_json(snapshot.to_json()), allow_bac=False) == report


def test_a_clone_that_knows_another_scalar_is_found_out(bench: Bench) -> None:
    chip = bench.mapping_chip()
    chip.chip_scalar = CHIP_SCALAR + 1
    snapshot = bench.read(chip)
    assert snapshot.chip.outcome is ChipOutcome.FAILED
    report = bench.judge(snapshot)
    assert report.codes == ("chip.not-proven",)
    assert report.assurance is Assurance.DATA


OTHER_KEY = EphemeralKey(curve=CURVE, scalar=0xBADC0DE)


def infos_with_key(key: EphemeralKey, *infos: PaceInfo, key_id: int = 1) -> SecurityInfos:
    public_key = EcPublicKey(curve=CURVE, point=key.public_point())
    return SecurityInfos(
        infos=(*infos, ChipAuthenticationPublicKeyInfo(public_key=public_key, key_id=key_id))
    )


def test_a_chip_with_a_key_of_its_own_is_found_out_by_the_signed_one(bench: Bench) -> None:
    # The forger's EF.CardSecurity names the key that his chip holds.
    chip = bench.mapping_chip(signed=infos_with_key(OTHER_KEY, MAPPING))
    chip.chip_scalar = 0xBADC0DE
    snapshot = bench.read(chip)
    assert snapshot.chip.outcome is ChipOutcome.PROVEN
    assert bench.judge(snapshot).codes == ("chip.not-proven",)


@pytest.mark.parametrize(
    "signed",
    [
        infos_with_key(CHIP_KEY, PaceInfo(parameter_id=12)),
        infos_with_key(CHIP_KEY, MAPPING, PaceInfo(parameter_id=12)),
        infos_with_key(CHIP_KEY),
    ],
    ids=["other", "more", "none"],
)
def test_card_security_that_names_other_parameters_is_refused(
    bench: Bench, signed: SecurityInfos
) -> None:
    report = bench.judge(bench.read(bench.mapping_chip(signed=signed)))
    assert report.codes == ("card-security.not-proven",)


def test_a_key_under_another_number_is_another_key(bench: Bench) -> None:
    signed = infos_with_key(CHIP_KEY, MAPPING, key_id=2)
    assert bench.judge(bench.read(bench.mapping_chip(signed=signed))).codes == ("chip.not-proven",)


def test_card_security_of_another_signer_is_refused(bench: Bench) -> None:
    report = bench.judge(bench.read(bench.mapping_chip(signer=SignerKind.REVOKED)))
    assert report.codes == ("card-security.not-proven",)


def test_card_security_with_a_broken_signature_is_refused(bench: Bench) -> None:
    chip = bench.mapping_chip()
    content = chip.files["3F00/011D"]
    key = CHIP_KEY.public_point()
    for spoilt in (
        content[:-1] + bytes((content[-1] ^ 1,)),
        content.replace(b"\x02\x01\x01\x02\x01\x01", b"\x02\x01\x01\x02\x01\x02"),
    ):
        assert spoilt != content
        chip.files = {**chip.files, "3F00/011D": spoilt}
        assert key in spoilt
        report = bench.judge(bench.read(chip))
        assert report.codes == ("card-security.not-proven",)


@pytest.mark.parametrize("content", [None, b"", b"\x30\x00", b"\x30\x03\x02\x01\x00", b"\x31\x00"])
def test_a_chip_that_hides_its_card_security_is_not_proven(
    bench: Bench, content: bytes | None
) -> None:
    chip = bench.mapping_chip()
    files = {path: data for path, data in chip.files.items() if path != "3F00/011D"}
    chip.files = files if content is None else {**files, "3F00/011D": content}
    snapshot = bench.read(chip)
    assert snapshot.chip.outcome is ChipOutcome.FAILED
    report = bench.judge(snapshot)
    assert report.verdict is Verdict.REFUSED
    assert report.codes == ("chip.not-proven",)
    assert "002241a4" not in chip.commands


def test_evidence_of_the_key_cannot_be_left_out(bench: Bench) -> None:
    snapshot = bench.read(bench.mapping_chip())
    without = {name: item for name, item in snapshot.files.items() if name != "EF.CardSecurity"}
    for changed in (
        replace(snapshot, files=without),
        replace(snapshot, chip=replace(snapshot.chip, public_key=None)),
        replace(snapshot, chip=replace(snapshot.chip, outcome=ChipOutcome.NOT_ATTEMPTED)),
        replace(snapshot, access=replace(snapshot.access, pace_info=None)),
    ):
        assert bench.judge(changed).verdict is Verdict.REFUSED


SIGNING_KEY = ec.generate_private_key(ec.SECP256R1())
SIGNING_FILE = ActiveAuthenticationKey(
    subject_public_key_info=EcPublicKey.from_cryptography(
        SIGNING_KEY.public_key()
    ).to_subject_public_key_info(explicit=True)
).to_bytes()
ALGORITHM = ActiveAuthenticationInfo(signature_algorithm="0.4.0.127.0.7.1.1.4.1.3")


def plain_signature(challenge: bytes) -> tuple[bytes, int]:
    r, s = decode_dss_signature(SIGNING_KEY.sign(challenge, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big"), 0x9000


def signing_chip(bench: Bench, *, announced: bool = True) -> VariantChip:
    """A chip that only active authentication can prove."""
    options = SecurityOptions(
        security_infos=SecurityInfos(
            infos=(ALGORITHM,) if announced else (PaceInfo(parameter_id=9),)
        )
    )
    chip = bench.chip(options, groups={15: SIGNING_FILE})
    chip.sign = plain_signature
    return chip


def test_a_chip_that_signs_is_proven(bench: Bench) -> None:
    chip = signing_chip(bench)
    snapshot = bench.read(chip)
    assert chip.commands[-1] == "00880000"
    report = bench.judge(snapshot)
    assert report.codes == ()
    assert report.verdict is Verdict.ACCEPTED
    assert report.assurance is Assurance.DATA_AND_CHIP
    assert bench.judge(CardSnapshot.from_json(snapshot.to_json())) == report


def test_a_chip_with_both_proofs_must_pass_both(bench: Bench) -> None:
    options = SecurityOptions(
        security_infos=SecurityInfos(infos=(ALGORITHM, *variant_options().security_infos.infos))
    )
    chip = bench.chip(options, groups={15: SIGNING_FILE})
    chip.sign = plain_signature
    assert bench.judge(bench.read(chip)).verdict is Verdict.ACCEPTED
    chip.sign = lambda _challenge: plain_signature(bytes(8))
    assert bench.judge(bench.read(chip)).codes == ("chip.not-proven",)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((b"", 0x6D00), "active-authentication.not-performed"),
        ((b"", 0x6982), "active-authentication.not-performed"),
        ((b"", 0x9000), "chip.not-proven"),
        ((bytes(64), 0x9000), "chip.not-proven"),
        (plain_signature(bytes(8)), "chip.not-proven"),
    ],
    ids=["unknown", "refused", "empty", "zeros", "replayed"],
)
def test_a_clone_without_the_signing_key_is_found_out(
    bench: Bench, answer: tuple[bytes, int], code: str
) -> None:
    chip = signing_chip(bench)
    chip.sign = lambda _challenge: answer
    report = bench.judge(bench.read(chip))
    assert report.codes == (code,)
    assert report.assurance is Assurance.DATA


def test_a_key_on_a_curve_needs_a_signed_algorithm(bench: Bench) -> None:
    report = bench.judge(bench.read(signing_chip(bench, announced=False)))
    assert "chip.not-proven" in report.codes


def test_evidence_of_the_signature_cannot_be_left_out(bench: Bench) -> None:
    snapshot = bench.read(signing_chip(bench))
    absent = FileEvidence(name="EF.DG15", outcome=FileOutcome.ABSENT)
    spoilt = FileEvidence(name="EF.DG15", outcome=FileOutcome.READ, content=SIGNING_FILE + b"\x00")
    without = {name: item for name, item in snapshot.files.items() if name != "EF.DG15"}
    for changed in (
        replace(snapshot, active_authentication=None),
        replace(snapshot, files=without),
        replace(snapshot, files={**snapshot.files, "EF.DG15": absent}),
        replace(snapshot, files={**snapshot.files, "EF.DG15": spoilt}),
    ):
        assert bench.judge(changed).verdict is Verdict.REFUSED


@given(st.binary(max_size=200))
def test_any_bytes_are_a_card_security_object_or_its_own_error(data: bytes) -> None:
    with pytest.raises(CardSecurityObjectError):
        CardSecurityObject.from_bytes(data)


TRIPLE_DES = ChipAuthenticationInfo(protocol="0.4.0.127.0.7.2.2.3.2.1", key_id=1)


def test_a_chip_of_the_old_way_proves_its_key_with_3des(bench: Bench) -> None:
    options = SecurityOptions(
        security_infos=SecurityInfos(infos=(TRIPLE_DES, *infos_with_key(CHIP_KEY).infos))
    )
    chip = bench.chip(options)
    report = bench.judge(bench.read(chip))
    assert "002241a6" in chip.commands
    assert report.codes == ()
    assert report.assurance is Assurance.DATA_AND_CHIP


@pytest.mark.parametrize("key_id", [1, 2])
def test_of_several_keys_the_chip_proves_the_one_that_it_holds(bench: Bench, key_id: int) -> None:
    keys = {1: OTHER_KEY, 2: OTHER_KEY, key_id: CHIP_KEY}
    infos = [ChipAuthenticationInfo(key_id=number) for number in keys]
    options = SecurityOptions(
        security_infos=SecurityInfos(
            infos=(
                *infos,
                *(infos_with_key(key, key_id=number).infos[0] for number, key in keys.items()),
            )
        )
    )
    chip = bench.chip(options)
    chip.key_id = key_id
    snapshot = bench.read(chip)
    assert snapshot.chip.key_id == key_id
    assert bench.judge(snapshot).codes == ()


def test_a_chip_that_takes_none_of_its_keys_is_not_proven(bench: Bench) -> None:
    chip = bench.chip(variant_options())
    chip.key_id = 3
    report = bench.judge(bench.read(chip))
    assert report.codes == ("chip-authentication.not-performed",)
