"""Explicit parameters, RSASSA-PSS, purposes and bounds: what the profiles' data becomes in certificates."""

import shutil
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from card_layout.curves import EcPublicKey, NamedCurve
from pki.certificates.certificate import load_certificate
from pki.certificates.crl import issue_crl
from pki.certificates.issue import issue_authority_certificate, issue_signer_certificate
from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import (
    ProfileKind,
    ProfileVariant,
    load_certificate_profile,
)
from pki.certificates.public_keys import decode_public_key, encode_public_key
from pki.certificates.trust import (
    DocumentSignerCertificate,
    TrustAnchors,
    check_revocation,
    check_signer_profile,
    find_authority,
)
from pki.errors import PkiDataError, PkiError
from pki.keys.algorithms import PublicKey, SignatureAlgorithm
from pki.keys.software import PrivateKey, SoftwareSigner

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
LABELS = [curve.label for curve in NamedCurve] + ["rsa3072"]
LIST_SIGNERS = [
    kind
    for kind in ProfileKind
    if not kind.is_authority
    and not kind.is_under_service_authority
    and kind is not ProfileKind.DOCUMENT_SIGNER
]


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


@cache
def key_of(label: str) -> PrivateKey:
    for curve in NamedCurve:
        if curve.label == label:
            return ec.generate_private_key(curve.to_cryptography())
    return rsa.generate_private_key(65537, int(label.removeprefix("rsa")))


@cache
def chain(
    root: str, signer: str, variant: ProfileVariant, profile: str = "document-signer"
) -> tuple[bytes, bytes, bytes]:
    """CSCA, signer and CRL with these kinds of keys."""
    root_signer = SoftwareSigner(key_of(root))
    authority = issue_authority_certificate(
        signer=root_signer,
        profile=load_certificate_profile("csca").with_key(root).in_variant(variant),
        name=DistinguishedName(country="VN", common_name="TEST authority"),
        serial_number=2**100,
        not_before=NOW,
        is_test=True,
    )
    certificate = issue_signer_certificate(
        authority_signer=root_signer,
        authority_certificate=authority,
        public_key=key_of(signer).public_key(),
        profile=load_certificate_profile(profile).with_key(signer).in_variant(variant),
        name=DistinguishedName(country="VN", common_name="TEST signer"),
        serial_number=2**100 + 1,
        not_before=NOW,
    )
    crl = issue_crl(
        signer=root_signer,
        authority_certificate=authority,
        number=1,
        this_update=NOW,
        next_update=NOW + timedelta(days=30),
        revoked={},
    )
    return authority, certificate, crl


@pytest.mark.parametrize("variant", ProfileVariant)
@pytest.mark.parametrize("label", LABELS)
def test_a_signer_with_any_key_is_trusted_under_an_authority_with_any_key(
    label: str, variant: ProfileVariant
) -> None:
    for root, signer in ((label, label), (label, "secp256r1"), ("secp384r1", label)):
        authority, certificate, crl = chain(root, signer, variant)
        anchors = TrustAnchors.from_bytes(certificates=[authority], crls=[crl])
        found = find_authority(certificate, anchors)
        check_signer_profile(certificate, document_code="CM", allow_test=True)
        check_revocation(certificate, found, anchors, now=NOW)
        assert load_certificate(certificate).public_key == key_of(signer).public_key()


@pytest.mark.parametrize("label", [curve.label for curve in NamedCurve])
def test_the_icao_variant_writes_parameters_out_and_the_private_one_names_the_curve(
    label: str,
) -> None:
    curve = next(item for item in NamedCurve if item.label == label)
    for variant, is_explicit in ((ProfileVariant.ICAO, True), (ProfileVariant.PRIVATE, False)):
        for der in chain(label, label, variant)[:2]:
            algorithm = asn1_x509.Certificate.load(der).public_key["algorithm"]
            parameters = algorithm["parameters"]
            assert parameters.name == ("specified" if is_explicit else "named")
            if is_explicit:
                found = parameters.chosen
                # RFC 3279, 2.3.5, read by another library; Doc 9303-12, 4.1.6 wants the cofactor.
                assert found["cofactor"].native == curve.h
                assert found["order"].native == curve.n
                assert found["field_id"]["parameters"].native == curve.p
                assert found["base"].native == curve.generator


@pytest.mark.parametrize("value", ["p", "a", "b", "g_x", "n", "h"])
def test_parameters_that_differ_from_the_named_curve_anywhere_are_refused(value: str) -> None:
    curve = NamedCurve.SECP256R1
    authority = chain("secp256r1", "secp256r1", ProfileVariant.ICAO)[0]
    number: int = getattr(curve, value)
    size = 1 if value == "h" else 32
    genuine = number.to_bytes(size, "big")
    altered = (number ^ 2).to_bytes(size, "big")
    parameters = EcPublicKey(curve=curve, point=curve.generator).to_subject_public_key_info(
        explicit=True
    )
    start = authority.find(parameters[26:60])
    assert start > 0
    at = authority.rfind(b"\x02\x01\x01", start, start + 400) + 2 if value == "h" else -1
    position = authority.find(genuine, start) if at < 0 else at
    forged = authority[:position] + altered + authority[position + size :]
    assert forged != authority
    assert code_of(lambda: load_certificate(forged)) == "certificate.algorithm-not-allowed"


@pytest.mark.parametrize("label", LABELS)
def test_a_key_is_read_as_it_was_written(label: str) -> None:
    public_key = key_of(label).public_key()
    for explicit in (False, True):
        encoded = encode_public_key(public_key, explicit=explicit)
        assert decode_public_key(encoded) == public_key
        assert code_of(lambda encoded=encoded: decode_public_key(encoded + b"\x00")) in {
            "certificate.malformed",
            "certificate.algorithm-not-allowed",
        }


@given(st.binary(max_size=200))
def test_any_bytes_are_no_key_or_a_data_error(data: bytes) -> None:
    with pytest.raises(PkiDataError):
        decode_public_key(data)


@pytest.mark.parametrize(("bits", "exponent"), [(1024, 65537), (2048, 3)])
def test_weak_rsa_keys_are_refused(bits: int, exponent: int) -> None:
    public_key = rsa.generate_private_key(exponent, bits).public_key()
    encoded = encode_public_key(public_key, explicit=False)
    assert code_of(lambda: decode_public_key(encoded)) == "certificate.algorithm-not-allowed"


def test_an_rsa_key_of_2048_bits_is_read_and_signs_nothing_here() -> None:
    private_key = rsa.generate_private_key(65537, 2048)
    encoded = encode_public_key(private_key.public_key(), explicit=False)
    assert decode_public_key(encoded) == private_key.public_key()
    assert code_of(lambda: SoftwareSigner(private_key)) == "key.too-short"


def test_rsassa_pss_is_one_set_of_parameters() -> None:
    identifier = SignatureAlgorithm.RSA_PSS_SHA256.identifier
    assert SignatureAlgorithm.from_identifier(identifier) is SignatureAlgorithm.RSA_PSS_SHA256
    for position in range(len(identifier)):
        altered = bytearray(identifier)
        altered[position] ^= 1
        assert SignatureAlgorithm.from_identifier(bytes(altered)) is None


def test_a_key_of_the_other_family_verifies_nothing() -> None:
    message = b"a message"
    for label, other in (("rsa3072", "secp256r1"), ("secp256r1", "rsa3072")):
        signer = SoftwareSigner(key_of(label))
        signature = signer.sign(message)
        public_key: PublicKey = key_of(other).public_key()
        arguments = {"signature": signature, "message": message}
        assert signer.algorithm.verifies(signer.public_key, **arguments)
        assert not signer.algorithm.verifies(public_key, **arguments)
        assert not SignatureAlgorithm.for_key(public_key).verifies(signer.public_key, **arguments)


@pytest.mark.parametrize("label", ["rsa3072", "brainpoolP384r1", "secp521r1"])
def test_openssl_verifies_the_same_chain(tmp_path: Path, label: str) -> None:
    # It refuses explicit parameters whatever they are (its error 94), so that those are read by another library above.
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    authority, certificate, _ = chain(label, label, ProfileVariant.PRIVATE)
    for name, der in (("csca", authority), ("ds", certificate)):
        (tmp_path / f"{name}.pem").write_text(ssl.DER_cert_to_PEM_cert(der))
    moment = str(int((NOW + timedelta(days=1)).timestamp()))
    result = subprocess.run(
        [
            openssl, "verify", "-attime", moment, "-CAfile", str(tmp_path / "csca.pem"),
            str(tmp_path / "ds.pem"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("kind", LIST_SIGNERS)
def test_a_signer_of_lists_has_one_critical_purpose_and_signs_no_cards(kind: ProfileKind) -> None:
    _, certificate, _ = chain("secp384r1", "secp256r1", ProfileVariant.ICAO, kind.value)
    found = ListSignerCertificate.from_bytes(certificate, kind=kind)
    assert (found.country, found.is_test) == ("VN", True)
    usage = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
        x509.ExtendedKeyUsage
    )
    assert usage.critical
    assert [item.dotted_string for item in usage.value] == list(kind.extended_key_usage)
    # Doc 9303-12 knows the signer of master lists; the others are ours alone.
    parameters = asn1_x509.Certificate.load(certificate).public_key["algorithm"]["parameters"]
    is_explicit = kind is ProfileKind.MASTER_LIST_SIGNER
    assert parameters.name == ("specified" if is_explicit else "named")
    assert (
        x509.load_der_x509_certificate(certificate).public_key() == key_of("secp256r1").public_key()
    )
    assert code_of(lambda: DocumentSignerCertificate.from_bytes(certificate)) == "signer.profile"
    for other in LIST_SIGNERS:
        if other is not kind:
            action = lambda other=other: ListSignerCertificate.from_bytes(certificate, kind=other)  # noqa: E731 - one of many alike
            assert code_of(action) == "signer.profile"


def test_a_document_signer_signs_no_lists() -> None:
    _, certificate, _ = chain("secp384r1", "secp256r1", ProfileVariant.PRIVATE)
    for kind in [*LIST_SIGNERS, ProfileKind.DOCUMENT_SIGNER]:
        action = lambda kind=kind: ListSignerCertificate.from_bytes(certificate, kind=kind)  # noqa: E731 - one of many alike
        assert code_of(action) == "signer.profile"


def test_every_kind_has_a_profile_and_every_purpose_its_own_identifier() -> None:
    names = {ProfileKind.AUTHORITY: "csca"}
    for kind in ProfileKind:
        assert load_certificate_profile(names.get(kind, kind.value)).kind is kind
    purposes = [kind.extended_key_usage for kind in LIST_SIGNERS]
    assert len(set(purposes)) == len(LIST_SIGNERS) == 6
    assert ProfileKind.MASTER_LIST_SIGNER.extended_key_usage == ("2.23.136.1.1.3",)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        # Decree 68/2024/ND-CP and Doc 9303-12, 4.1, one bound each, just passed.
        ("csca", {"validity_months": 27 * 12 + 1}),
        ("csca", {"private_key_use_months": 61}),
        ("csca", {"signer_validity_months": 127}),
        ("csca", {"signer_validity_months": -1}),
        ("document-signer", {"validity_months": 22 * 12 + 1}),
        ("document-signer", {"private_key_use_months": 4}),
        ("document-signer", {"card_validity_months": 122}),
        ("document-signer", {"document_codes": frozenset()}),
        ("document-signer", {"document_codes": frozenset({"cm"})}),
        ("document-signer", {"signer_validity_months": 1}),
        ("stop-list-signer", {"validity_months": 61}),
        ("stop-list-signer", {"private_key_use_months": 16}),
        ("stop-list-signer", {"card_validity_months": 1}),
        ("stop-list-signer", {"document_codes": frozenset({"CM"})}),
        ("service", {"validity_months": 61}),
        ("service-authority", {"validity_months": 121}),
        ("operator", {"private_key_use_months": 0}),
        ("operator", {"curve": None}),
        ("operator", {"rsa_bits": 3072}),
        ("operator", {"curve": None, "rsa_bits": 2048}),
        ("operator", {"curve": None, "rsa_bits": 3072, "has_explicit_parameters": True}),
    ],
)
def test_a_profile_beyond_its_bounds_is_refused(name: str, changes: dict[str, Any]) -> None:
    profile = load_certificate_profile(name)
    assert code_of(lambda: replace(profile, **changes)) == "profile.invalid"


def test_a_profile_exactly_at_its_bounds_is_taken() -> None:
    signer = load_certificate_profile("document-signer")
    longest = replace(signer, validity_months=22 * 12, card_validity_months=22 * 12 - 3)
    assert longest.validity_months == longest.private_key_use_months + longest.card_validity_months
    replace(load_certificate_profile("csca"), validity_months=27 * 12, private_key_use_months=60)


@pytest.mark.parametrize("label", LABELS)
def test_a_profile_takes_another_key_by_its_label(label: str) -> None:
    profile = load_certificate_profile("csca").with_key(label)
    assert profile.key_label == label
    assert profile.in_variant(ProfileVariant.ICAO).has_explicit_parameters == (label != "rsa3072")
    assert not profile.in_variant(ProfileVariant.PRIVATE).has_explicit_parameters


@pytest.mark.parametrize(
    "text",
    [
        'curve = "secp256r1"\nrsa_bits = 3072',
        "rsa_bits = 2048",
        'rsa_bits = "3072"',
        'curve = "secp192r1"',
        "",
    ],
)
def test_a_profile_file_names_exactly_one_known_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "profile.toml"
    path.write_text(
        'format = 1\nkind = "operator"\nvalidity_months = 12\nprivate_key_use_months = 12\n' + text
    )
    assert code_of(lambda: load_certificate_profile(str(path))) == "profile.invalid"
    path.write_text(path.read_text().removesuffix(text) + "rsa_bits = 4096")
    assert load_certificate_profile(str(path)).key_label == "rsa4096"
