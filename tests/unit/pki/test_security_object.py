"""Security objects: what is signed is read back, and everything else is refused with its code (SPEC.md, 7 and 9.3-9.5)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from card_layout import tlv
from pki.certificates.certificate import load_certificate
from pki.errors import PkiError
from pki.keys.algorithms import HashAlgorithm, SignatureAlgorithm
from pki.keys.software import SoftwareSigner
from pki.signed.security_object import (
    LdsVersion,
    SecurityObject,
    SecurityObjectError,
    StatusReference,
    sign_security_object,
)

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
VECTORS = Path(__file__).resolve().parents[4] / "shared" / "vectors"
STATUS = StatusReference(list_id=b"LIST0001", index=4711)


def make_certificate(key: ec.EllipticCurvePrivateKey, *, serial_number: int = 77) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "TEST signer")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial_number)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


KEY = ec.generate_private_key(ec.SECP256R1())
CERTIFICATE = make_certificate(KEY)
HASHES = {number: bytes((number,)) * 32 for number in (14, 1, 2, 11)}


def sign(**changes: object) -> bytes:
    arguments: dict[str, object] = {
        "signer": SoftwareSigner(KEY),
        "certificate_der": CERTIFICATE,
        "file_hashes": HASHES,
        "signing_time": NOW,
        "status_reference": STATUS,
    }
    return sign_security_object(**(arguments | changes))  # type: ignore[arg-type]


SIGNED = sign()


def code_of(content_info: bytes) -> str:
    with pytest.raises(SecurityObjectError) as caught:
        SecurityObject.from_bytes(content_info).verify_signature()
    return caught.value.code


def resign(content_info: cms.ContentInfo) -> bytes:
    """The same structure after a change, with message digest and signature made to fit."""
    data = content_info["content"]
    signer = data["signer_infos"][0]
    digest = HashAlgorithm.SHA256.digest(data["encap_content_info"]["content"].contents)
    for attribute in signer["signed_attrs"]:
        if attribute["type"].native == "message_digest":
            attribute["values"] = [digest]
    attributes = cms.CMSAttributes(list(signer["signed_attrs"]))
    signer["signed_attrs"] = attributes
    signer["signature"] = SoftwareSigner(KEY).sign(attributes.untag().dump(force=True))
    return bytes(content_info.dump(force=True))


def test_what_was_signed_is_read_back_and_verifies() -> None:
    parsed = SecurityObject.from_bytes(SIGNED)
    parsed.verify_signature()
    assert dict(parsed.file_hashes) == dict(sorted(HASHES.items()))
    assert list(parsed.file_hashes) == [1, 2, 11, 14]
    assert parsed.hash_algorithm is HashAlgorithm.SHA256
    assert parsed.signing_time == NOW
    assert parsed.status_reference == STATUS
    assert parsed.signer_certificate == CERTIFICATE
    assert parsed.to_bytes() == SIGNED


def test_an_independent_reader_finds_the_same_values() -> None:
    data = cms.ContentInfo.load(SIGNED, strict=True)["content"]
    assert data["version"].native == "v3"
    assert data["encap_content_info"]["content_type"].dotted == "2.23.136.1.1.1"
    signer = data["signer_infos"][0]
    assert signer["sid"].name == "issuer_and_serial_number"
    assert signer["sid"].chosen["serial_number"].native == 77
    attributes = {item["type"].dotted: item["values"] for item in signer["signed_attrs"]}
    assert attributes["1.2.840.113549.1.9.5"][0].native == NOW
    assert attributes["1.3.6.1.4.1.32473.51.1.1"][0].dump() == bytes.fromhex(
        "300e0408"
    ) + b"LIST0001" + bytes.fromhex("02021267")


def test_a_384_bit_signer_uses_sha_384_throughout() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    signed = sign(
        signer=SoftwareSigner(key),
        certificate_der=make_certificate(key),
        file_hashes={1: bytes(48), 2: bytes(48)},
    )
    parsed = SecurityObject.from_bytes(signed)
    parsed.verify_signature()
    assert parsed.hash_algorithm is HashAlgorithm.SHA384


def test_a_signing_time_from_2050_on_is_a_generalized_time() -> None:
    late = datetime(2050, 1, 1, tzinfo=UTC)
    signed = sign(signing_time=late)
    assert b"\x18\x0f20500101000000Z" in signed
    assert SecurityObject.from_bytes(signed).signing_time == late


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"file_hashes": {1: bytes(32)}}, "signing.request-invalid"),
        ({"file_hashes": {0: bytes(32), 1: bytes(32)}}, "signing.request-invalid"),
        ({"file_hashes": {16: bytes(32), 17: bytes(32)}}, "signing.request-invalid"),
        ({"file_hashes": {1: bytes(32), 2: bytes(31)}}, "signing.request-invalid"),
        ({"signing_time": datetime(2026, 1, 1)}, "signing.request-invalid"),  # noqa: DTZ001 - the point of it
        (
            {"signer": SoftwareSigner(ec.generate_private_key(ec.SECP256R1()))},
            "signing.key-mismatch",
        ),
    ],
)
def test_a_request_that_does_not_fit_is_refused_before_signing(
    changes: dict[str, object], code: str
) -> None:
    with pytest.raises(PkiError) as caught:
        sign(**changes)
    assert caught.value.code == code


@pytest.mark.parametrize("index", [-1, 2**32])
def test_a_status_index_out_of_range_is_refused(index: int) -> None:
    with pytest.raises(SecurityObjectError):
        StatusReference(list_id=bytes(8), index=index)


def test_an_altered_hash_breaks_the_message_digest() -> None:
    altered = SIGNED.replace(bytes((14,)) * 32, bytes((15,)) * 32)
    assert altered != SIGNED
    assert code_of(altered) == "security-object.signature-invalid"


def test_an_altered_attribute_breaks_the_signature() -> None:
    assert code_of(SIGNED.replace(b"LIST0001", b"LIST0002")) == "security-object.signature-invalid"


def test_another_certificate_of_the_same_name_does_not_verify() -> None:
    other = make_certificate(ec.generate_private_key(ec.SECP256R1()))
    content_info = cms.ContentInfo.load(SIGNED)
    content_info["content"]["certificates"] = [cms.CertificateChoices.load(other)]
    assert code_of(content_info.dump(force=True)) == "security-object.signature-invalid"


def test_a_certificate_with_another_serial_number_is_not_the_signers() -> None:
    other = make_certificate(KEY, serial_number=78)
    content_info = cms.ContentInfo.load(SIGNED)
    content_info["content"]["certificates"] = [cms.CertificateChoices.load(other)]
    assert code_of(content_info.dump(force=True)) == "security-object.signature-invalid"


def lds(numbers: list[int], *, version: int = 0, oid: str = "608648016503040201") -> bytes:
    groups = b"".join(
        tlv.encode(0x30, tlv.encode(0x02, bytes((number,))) + tlv.encode(0x04, bytes(32)))
        for number in numbers
    )
    algorithm = tlv.encode(0x30, tlv.encode(0x06, bytes.fromhex(oid)))
    return tlv.encode(
        0x30, tlv.encode(0x02, bytes((version,))) + algorithm + tlv.encode(0x30, groups)
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (lds([1, 2, 2]), "security-object.duplicate-group"),
        (lds([2, 1, 2]), "security-object.duplicate-group"),
        (lds([0, 1]), "security-object.malformed"),
        (lds([1, 17]), "security-object.malformed"),
        (lds([1]), "security-object.malformed"),
        (lds([1, 2], version=1), "security-object.malformed"),
        (lds([1, 2], oid="2b0e03021a"), "security-object.algorithm-not-allowed"),
        (lds([1, 2], oid="608648016503040204"), "security-object.algorithm-not-allowed"),
        (lds([1, 2], oid="608648016503040202"), "security-object.malformed"),
    ],
)
def test_signed_content_that_breaks_the_specification_has_its_code(
    content: bytes, code: str
) -> None:
    content_info = cms.ContentInfo.load(SIGNED)
    content_info["content"]["encap_content_info"]["content"] = content
    assert code_of(resign(content_info)) == code


def test_content_that_keeps_the_specification_passes_the_same_way() -> None:
    content_info = cms.ContentInfo.load(SIGNED)
    content_info["content"]["encap_content_info"]["content"] = lds([1, 2])
    SecurityObject.from_bytes(resign(content_info)).verify_signature()


def test_data_groups_may_stand_in_any_order() -> None:
    content_info = cms.ContentInfo.load(SIGNED)
    content_info["content"]["encap_content_info"]["content"] = lds([14, 1, 3])
    assert list(SecurityObject.from_bytes(resign(content_info)).file_hashes) == [14, 1, 3]


def test_version_1_signs_the_versions_of_the_file_structure_as_well() -> None:
    signed = sign(lds_version=LdsVersion.V1)
    parsed = SecurityObject.from_bytes(signed)
    parsed.verify_signature()
    assert parsed.signed_content.startswith(b"\x30")
    assert parsed.signed_content.endswith(bytes.fromhex("300e1304") + b"0108" + b"\x13\x06040000")
    assert parsed.file_hashes == SecurityObject.from_bytes(SIGNED).file_hashes


@pytest.mark.parametrize(
    "info",
    [b"\x13\x040107\x13\x06040000", b"\x13\x040108\x13\x06050000", b"\x13\x040108", b""],
)
def test_version_information_of_other_versions_is_malformed(info: bytes) -> None:
    content = tlv.parse(lds([1, 2], version=1)).value + tlv.encode(0x30, info)
    content_info = cms.ContentInfo.load(SIGNED)
    content_info["content"]["encap_content_info"]["content"] = tlv.encode(0x30, content)
    assert code_of(resign(content_info)) == "security-object.malformed"


def test_version_information_in_version_0_is_malformed() -> None:
    info = tlv.encode(0x30, b"\x13\x040108\x13\x06040000")
    content = tlv.parse(lds([1, 2])).value + info
    content_info = cms.ContentInfo.load(SIGNED)
    content_info["content"]["encap_content_info"]["content"] = tlv.encode(0x30, content)
    assert code_of(resign(content_info)) == "security-object.malformed"


def without_attribute(name: str) -> bytes:
    content_info = cms.ContentInfo.load(SIGNED)
    signer = content_info["content"]["signer_infos"][0]
    signer["signed_attrs"] = [
        item
        for item in signer["signed_attrs"]
        if name not in (item["type"].native, item["type"].dotted)
    ]
    return resign(content_info)


def test_a_missing_signing_time_is_told_apart_from_a_malformed_object() -> None:
    parsed = SecurityObject.from_bytes(without_attribute("signing_time"))
    parsed.verify_signature()
    assert parsed.signing_time is None
    with pytest.raises(PkiError) as caught:
        parsed.check_signing_time(now=NOW)
    assert caught.value.code == "security-object.signing-time-missing"


def test_a_missing_status_reference_reads_as_none() -> None:
    parsed = SecurityObject.from_bytes(without_attribute("1.3.6.1.4.1.32473.51.1.1"))
    parsed.verify_signature()
    assert parsed.status_reference is None


@pytest.mark.parametrize("name", ["message_digest", "content_type"])
def test_a_missing_mandatory_attribute_is_malformed(name: str) -> None:
    assert code_of(without_attribute(name)) == "security-object.malformed"


def test_an_attribute_with_two_values_or_standing_twice_is_malformed() -> None:
    for twice in (True, False):
        content_info = cms.ContentInfo.load(SIGNED)
        signer = content_info["content"]["signer_infos"][0]
        attributes = list(signer["signed_attrs"])
        time = next(item for item in attributes if item["type"].native == "signing_time")
        if twice:
            attributes.append(time.copy())
        else:
            time["values"] = [time["values"][0], time["values"][0].copy()]
        signer["signed_attrs"] = attributes
        assert code_of(resign(content_info)) == "security-object.malformed"


def test_signing_time_in_the_future_is_refused_and_the_same_moment_is_not() -> None:
    parsed = SecurityObject.from_bytes(SIGNED)
    assert parsed.check_signing_time(now=NOW) == NOW
    with pytest.raises(PkiError) as caught:
        parsed.check_signing_time(now=NOW - timedelta(seconds=1))
    assert caught.value.code == "security-object.signing-time-in-future"


def test_unsigned_attributes_a_second_certificate_and_crls_are_refused() -> None:
    for change in ("unsigned", "certificate", "crl"):
        content_info = cms.ContentInfo.load(SIGNED)
        data = content_info["content"]
        if change == "unsigned":
            data["signer_infos"][0]["unsigned_attrs"] = [
                {"type": "signing_time", "values": [cms.Time({"utc_time": NOW})]}
            ]
        elif change == "certificate":
            second = make_certificate(KEY, serial_number=78)
            data["certificates"] = [
                cms.CertificateChoices.load(item) for item in (CERTIFICATE, second)
            ]
        else:
            data["crls"] = []
        assert code_of(content_info.dump(force=True)) == "security-object.malformed"


def test_bytes_behind_the_object_and_an_endless_object_are_refused() -> None:
    assert code_of(SIGNED + b"\x00") == "security-object.malformed"
    assert code_of(SIGNED + bytes(70_000)) == "security-object.malformed"


def test_the_published_rsa_pss_object_is_read_in_its_own_order_and_verifies() -> None:
    path = VECTORS / "bsi-reference-dataset" / "EF_SOD.bin"
    if not path.is_file():
        pytest.skip("the published BSI reference data set does not stand beside the checkout")
    content_info = tlv.parse(path.read_bytes(), expected_tag=0x77).value
    published = SecurityObject.from_bytes(content_info)
    published.verify_signature()
    assert list(published.file_hashes) != sorted(published.file_hashes)
    assert published.signing_time is None
    assert published.status_reference is None
    # What somebody else signed with RSASSA-PSS is read by its identifier, and verifies with our own key reading.
    signed = cms.ContentInfo.load(content_info)["content"]
    signer = signed["signer_infos"][0]
    algorithm = SignatureAlgorithm.from_identifier(signer["signature_algorithm"].dump())
    assert algorithm is SignatureAlgorithm.RSA_PSS_SHA256
    public_key = load_certificate(signed["certificates"][0].chosen.dump()).public_key
    attributes = signer["signed_attrs"].untag().dump()
    signature = signer["signature"].native
    assert algorithm.verifies(public_key, signature=signature, message=attributes)
    assert not algorithm.verifies(public_key, signature=signature, message=attributes + b"\x00")


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_data_error(data: bytes) -> None:
    with pytest.raises(SecurityObjectError):
        SecurityObject.from_bytes(data)


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_no_flipped_byte_is_ever_accepted(position: int, mask: int) -> None:
    altered = bytearray(SIGNED)
    altered[position] ^= mask
    inside_certificate = CERTIFICATE not in bytes(altered)
    try:
        parsed = SecurityObject.from_bytes(bytes(altered))
        parsed.verify_signature()
    except SecurityObjectError:
        return
    # The certificate's own validity and signature are judged elsewhere (SPEC.md, 9.6 to 9.9).
    assert inside_certificate
    assert parsed.to_bytes() == bytes(altered)
