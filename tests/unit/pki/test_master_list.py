"""Master lists are read strictly and within bounds; ours are what Doc 9303-12 says and what other programs read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asn1crypto import cms, core
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from card_layout import tlv
from pki.certificates.lint.findings import Dialect
from pki.certificates.lint.linter import lint
from pki.errors import PkiDataError, PkiError, PkiRefusedError
from pki.keys.software import SoftwareSigner
from pki.signed.master_list import MAX_LISTED, MAX_MASTER_LIST_BYTES, MasterList
from pki.signed.master_list_writing import MAX_OWN_LIST_BYTES, PreparedMasterList

FIXED = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def read(der: bytes) -> str:
    return code_of(lambda: MasterList.from_bytes(der))


class Draft:
    """A list taken apart by another library, so that it can be put together wrongly and signed again."""

    def __init__(self, der: bytes, key: Any) -> None:
        self.info = cms.ContentInfo.load(der)
        self.signed = self.info["content"]
        self.signer = self.signed["signer_infos"][0]
        self.key = key

    def sign(self) -> bytes:
        attributes = self.signer["signed_attrs"].untag().dump(force=True)
        if isinstance(self.key, rsa.RSAPrivateKey):
            signature = self.key.sign(attributes, padding.PKCS1v15(), hashes.SHA256())
        else:
            signature = self.key.sign(attributes, ec.ECDSA(hashes.SHA256()))
        self.signer["signature"] = signature
        return self.dump()

    def dump(self) -> bytes:
        encoded: bytes = self.info.dump(force=True)
        return encoded

    def replace_content(self, content: bytes) -> None:
        self.signed["encap_content_info"]["content"] = core.ParsableOctetString(content)
        context = hashes.Hash(hashes.SHA256())
        context.update(content)
        digest = context.finalize()
        attributes = self.signer["signed_attrs"]
        kept = [item for item in attributes if item["type"].native != "message_digest"]
        kept.append(cms.CMSAttribute({"type": "message_digest", "values": [digest]}))
        self.signer["signed_attrs"] = cms.CMSAttributes(kept)


@pytest.fixture
def draft(list_office: Any) -> Draft:
    return Draft(list_office.make(), list_office.key)


def test_what_was_signed_is_read_back(list_office: Any, authority: Any) -> None:
    found = MasterList.from_bytes(list_office.make(authority.certificate, list_office.certificate))
    assert set(found.listed) == {authority.certificate, list_office.certificate}
    assert found.signer_certificate == list_office.certificate
    assert set(found.carried) == {authority.certificate, list_office.certificate}
    assert found.signing_time == FIXED - DAY


def test_the_lint_finds_no_error_in_ours(list_office: Any) -> None:
    assert not lint(list_office.make(), dialect=Dialect.PRIVATE).errors


def test_another_library_finds_the_signer_by_its_key_identifier(draft: Draft) -> None:
    assert draft.signed["version"].native == "v3"
    assert draft.signer["version"].native == "v3"
    assert draft.signer["sid"].name == "subject_key_identifier"
    assert draft.signed["encap_content_info"]["content_type"].dotted == "2.23.136.1.1.2"


def test_putting_it_together_again_changes_nothing_and_holds(draft: Draft) -> None:
    MasterList.from_bytes(draft.sign())


def test_a_signer_may_be_named_by_issuer_and_serial_number(draft: Draft, list_office: Any) -> None:
    certificate = cms.Certificate.load(list_office.certificate)
    draft.signer["version"] = "v1"
    draft.signer["sid"] = cms.SignerIdentifier(
        "issuer_and_serial_number",
        {"issuer": certificate.issuer, "serial_number": certificate.serial_number},
    )
    assert MasterList.from_bytes(draft.sign()).signer_certificate == list_office.certificate


def test_a_certificate_beside_the_list_that_nobody_can_read_is_passed_over(draft: Draft) -> None:
    odd = tlv.encode(0x30, tlv.encode(0x02, b"\x01"))
    encoded = draft.sign()
    assert len(MasterList.from_bytes(with_carried(encoded, odd)).carried) == 3


def with_carried(encoded: bytes, certificate: bytes) -> bytes:
    """One more certificate beside the list; they are not signed."""
    return edited(encoded, 3, lambda part: tlv.encode(0xA0, tlv.parse(part).value + certificate))


def edited(encoded: bytes, index: int, change: Callable[[bytes], bytes]) -> bytes:
    """The list with one element of its SignedData changed: version, digests, content, certificates, signers."""
    oid, wrapped = tlv.parse(encoded).children()
    signed = tlv.parse(wrapped.value)
    parts = [part.to_bytes() for part in signed.children()]
    parts[index] = change(parts[index])
    inner = tlv.encode(0xA0, tlv.encode(0x30, b"".join(parts)))
    return tlv.encode(0x30, oid.to_bytes() + inner)


def test_unsigned_attributes_are_not_processed(draft: Draft) -> None:
    draft.signer["unsigned_attrs"] = cms.CMSAttributes(
        [cms.CMSAttribute({"type": "signing_time", "values": [cms.Time({"utc_time": FIXED})]})]
    )
    assert MasterList.from_bytes(draft.sign()).signing_time == FIXED - DAY


def test_rsa_with_pkcs1_padding_is_verified_under_both_of_its_names(
    draft: Draft, list_office: Any
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    certificate = cms.Certificate.load(list_office.certificate)
    key_info = key.public_key().public_bytes(
        encoding=Encoding.DER, format=PublicFormat.SubjectPublicKeyInfo
    )
    certificate["tbs_certificate"]["subject_public_key_info"] = type(
        certificate["tbs_certificate"]["subject_public_key_info"]
    ).load(key_info)
    encoded = certificate.dump(force=True)
    draft.key = key
    draft.signed["certificates"] = cms.CertificateSet(
        [cms.CertificateChoices("certificate", cms.Certificate.load(encoded))]
    )
    for name in ("sha256_rsa", "rsassa_pkcs1v15"):
        draft.signer["signature_algorithm"] = {"algorithm": name, "parameters": core.Null()}
        assert MasterList.from_bytes(draft.sign()).signer_certificate == encoded
    assert read(edited(draft.dump(), 4, lambda part: part[:-1] + bytes([part[-1] ^ 1]))) == (
        "master-list.signature-invalid"
    )


def test_a_signature_by_another_key_is_invalid(draft: Draft) -> None:
    draft.key = ec.generate_private_key(ec.SECP256R1())
    assert read(draft.sign()) == "master-list.signature-invalid"


def test_an_altered_content_is_malformed_because_its_digest_differs(list_office: Any) -> None:
    encoded = bytearray(list_office.make())
    place = bytes(encoded).index(b"TEST authority")
    encoded[place] ^= 1
    assert read(bytes(encoded)) == "master-list.malformed"


def test_a_signer_that_is_not_carried_is_missing(list_office: Any) -> None:
    encoded = list_office.make()
    root = list_office.authority.certificate
    assert (
        read(edited(encoded, 3, lambda _: tlv.encode(0xA0, root))) == "master-list.signer-missing"
    )


@pytest.mark.parametrize("name", ["sha1", "sha224", "md5"])
def test_a_weak_digest_is_not_allowed(draft: Draft, name: str) -> None:
    draft.signer["digest_algorithm"] = {"algorithm": name}
    assert read(draft.sign()) == "master-list.algorithm-not-allowed"


@pytest.mark.parametrize("name", ["sha1_ecdsa", "dsa", "ed25519"])
def test_a_weak_or_unknown_signature_algorithm_is_not_allowed(draft: Draft, name: str) -> None:
    draft.signer["signature_algorithm"] = {"algorithm": name}
    assert read(draft.sign()) == "master-list.algorithm-not-allowed"


def content_of(listed: bytes, version: bytes = b"\x02\x01\x00") -> bytes:
    return tlv.encode(0x30, version + listed)


@pytest.mark.parametrize(
    "content",
    [
        content_of(tlv.encode(0x31, b"")),
        content_of(tlv.encode(0x31, b"\x30\x00"), b"\x02\x01\x01"),
        content_of(tlv.encode(0x30, b"\x30\x00")),
        content_of(tlv.encode(0x31, b"\x30\x05")),
        content_of(tlv.encode(0x31, b"\x30\x00")) + b"\x00",
        b"",
    ],
    ids=["empty", "version", "sequence", "overlong", "trailing", "nothing"],
)
def test_a_content_that_is_no_list_is_malformed(draft: Draft, content: bytes) -> None:
    draft.replace_content(content)
    assert read(draft.sign()) == "master-list.malformed"


def test_an_object_of_another_type_is_malformed(draft: Draft) -> None:
    draft.signed["encap_content_info"]["content_type"] = "2.23.136.1.1.1"
    assert read(draft.sign()) == "master-list.malformed"


def test_a_list_without_signing_time_is_malformed(draft: Draft) -> None:
    attributes = [
        item for item in draft.signer["signed_attrs"] if item["type"].native != "signing_time"
    ]
    draft.signer["signed_attrs"] = cms.CMSAttributes(attributes)
    assert read(draft.sign()) == "master-list.malformed"


def test_two_signers_are_malformed_and_so_is_none(list_office: Any) -> None:
    encoded = list_office.make()
    for change in (
        lambda part: tlv.encode(0x31, tlv.parse(part).value * 2),
        lambda _: tlv.encode(0x31, b""),
    ):
        assert read(edited(encoded, 4, change)) == "master-list.malformed"


def test_crls_beside_the_list_are_malformed(list_office: Any) -> None:
    encoded = list_office.make()
    assert (
        read(edited(encoded, 3, lambda part: part + tlv.encode(0xA1, b"")))
        == "master-list.malformed"
    )


def test_what_is_too_large_is_refused_before_it_is_decoded(draft: Draft, list_office: Any) -> None:
    assert read(bytes(MAX_MASTER_LIST_BYTES + 1)) == "master-list.too-large"
    draft.replace_content(content_of(tlv.encode(0x31, b"\x30\x00" * (MAX_LISTED + 1))))
    assert read(draft.sign()) == "master-list.too-large"
    encoded = list_office.make()
    many = tlv.encode(0xA0, b"\x30\x00" * 65)
    assert read(edited(encoded, 3, lambda _: many)) == "master-list.too-large"
    wide = tlv.encode(0x31, tlv.encode(0x30, b"\x05\x00" * 40_000))
    assert read(edited(encoded, 4, lambda _: wide)) == "master-list.too-large"
    assert read(edited(encoded, 1, lambda _: tlv.encode(0x31, b"\x30\x00" * 9))) == (
        "master-list.too-large"
    )


@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(1, 255))
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_changed_byte_is_a_data_error_or_stands_outside_of_what_is_signed(
    list_office: Any, place: float, byte: int
) -> None:
    whole = list_office.make()
    changed = bytearray(whole)
    changed[int(place * len(changed))] ^= byte
    found, before = outcome(bytes(changed)), outcome(whole)
    if isinstance(found, str):
        assert found.startswith("master-list.")
    else:
        # Certificates that are only carried are not signed, and the signer's own is judged elsewhere.
        assert isinstance(before, MasterList)
        assert (found.listed, found.signing_time) == (before.listed, before.signing_time)


def outcome(der: bytes) -> MasterList | str:
    try:
        return MasterList.from_bytes(der)
    except PkiDataError as error:
        return error.code


@given(content=st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_data_error(content: bytes) -> None:
    for prefix in (b"", b"\x30\x80", b"\x30\x82\x00\xc8\x06\x09"):
        with pytest.raises(PkiDataError) as caught:
            MasterList.from_bytes(prefix + content)
        assert caught.value.code.startswith("master-list.")


def prepare(office: Any, *listed: bytes, **fields: Any) -> PreparedMasterList:
    given_fields = {
        "signer_certificate": office.certificate,
        "authority_certificate": office.authority.certificate,
        "public_key": office.key.public_key(),
        "listed": listed,
        "signing_time": FIXED,
        **fields,
    }
    return PreparedMasterList.compose(**given_fields)


def test_nothing_twice_nothing_at_all_and_nothing_too_large_is_prepared(list_office: Any) -> None:
    root = list_office.authority.certificate
    for listed in ((), (root, root), (bytes(MAX_OWN_LIST_BYTES + 1),)):
        assert (
            code_of(lambda listed=listed: prepare(list_office, *listed))
            == "master-list.request-invalid"
        )


def test_another_key_and_another_kind_of_signer_are_refused(
    list_office: Any, make_list_office: Any, authority: Any
) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    root = authority.certificate
    assert code_of(lambda: prepare(list_office, root, public_key=other)) == "signing.key-mismatch"
    stop = make_list_office(authority=authority, profile="stop-list-signer")
    assert code_of(lambda: prepare(stop, root)) == "signer.profile"


def test_a_prepared_list_is_signed_once_and_is_what_its_draft_was(list_office: Any) -> None:
    prepared = prepare(list_office, list_office.authority.certificate)
    draft = prepared.draft(SoftwareSigner(ec.generate_private_key(ec.SECP256R1())))
    signed = prepared.sign(SoftwareSigner(list_office.key))
    assert prepared.frame(draft) == prepared.frame(signed)
    assert draft != signed
    with pytest.raises(PkiRefusedError, match="already"):
        prepared.sign(SoftwareSigner(list_office.key))
