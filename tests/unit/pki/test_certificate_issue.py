"""Certificates as issued: read by other libraries, within the profile, refused where they would not be."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from card_layout import tlv
from card_layout.curves import EcPublicKey
from pki.certificates.certificate import (
    CertificateError,
    load_certificate,
    load_certificate_list,
)
from pki.certificates.crl import prepare_crl
from pki.certificates.issue import issue_signer_certificate, prepare_authority_certificate
from pki.certificates.names import DistinguishedName, country_of, is_test_name, name_text
from pki.certificates.profile import add_months, load_certificate_profile
from pki.errors import KeystoreError, PkiDataError, PkiError
from pki.keys.software import SoftwareSigner

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
CSCA = load_certificate_profile("csca")
DS = load_certificate_profile("document-signer")
MASTER_LISTS = Path(__file__).resolve().parents[4] / "shared" / "vectors" / "master-lists"


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def test_the_authority_is_as_doc_9303_12_profiles_it(authority: Any) -> None:
    certificate = x509.load_der_x509_certificate(authority.certificate)
    names = {item.oid: item.value for item in certificate.subject}
    assert names == {NameOID.COUNTRY_NAME: "VN", NameOID.COMMON_NAME: "TEST authority"}
    assert certificate.subject == certificate.issuer
    assert certificate.version is x509.Version.v3
    certificate.verify_directly_issued_by(certificate)
    assert certificate.not_valid_after_utc == datetime(2041, 10, 22, 12, tzinfo=UTC)
    by_oid = {item.oid.dotted_string: item for item in certificate.extensions}
    assert {oid for oid, item in by_oid.items() if item.critical} == {"2.5.29.15", "2.5.29.19"}
    usage = by_oid["2.5.29.15"].value
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    assert by_oid["2.5.29.19"].value == x509.BasicConstraints(ca=True, path_length=0)
    identifier = by_oid["2.5.29.14"].value.digest
    assert identifier == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
    assert by_oid["2.5.29.35"].value.key_identifier == identifier
    period = by_oid["2.5.29.16"].value
    assert period.not_after - period.not_before <= timedelta(days=5 * 365 + 2)
    location = x509.Name(
        [x509.NameAttribute(NameOID.LOCALITY_NAME, "VNM", x509.name._ASN1Type.PrintableString)]
    )
    for oid in ("2.5.29.17", "2.5.29.18"):
        assert by_oid[oid].value.get_values_for_type(x509.DirectoryName) == [location]
    assert "2.5.29.31" in by_oid
    assert by_oid["2.5.29.32"].value[0].policy_identifier.dotted_string == (
        "1.3.6.1.4.1.32473.51.3.1"
    )


def test_the_signer_is_as_doc_9303_12_profiles_it(authority: Any) -> None:
    certificate = x509.load_der_x509_certificate(authority.issue())
    certificate.verify_directly_issued_by(x509.load_der_x509_certificate(authority.certificate))
    by_oid = {item.oid.dotted_string: item for item in certificate.extensions}
    assert {oid for oid, item in by_oid.items() if item.critical} == {"2.5.29.15"}
    usage = by_oid["2.5.29.15"].value
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (False, False, True)
    assert by_oid["2.23.136.1.1.6.2"].value.value == bytes.fromhex("30090201003104") + b"\x13\x02CM"
    assert not {"2.5.29.19", "2.5.29.37"} & set(by_oid)
    key_use = by_oid["2.5.29.16"].value
    assert key_use.not_before == datetime(2026, 10, 22, 12)  # noqa: DTZ001 - the library's way
    assert key_use.not_after == datetime(2027, 1, 22, 12)  # noqa: DTZ001 - the same
    # Valid as long as a card that is signed on the last day of the key's use.
    assert certificate.not_valid_after_utc >= datetime(2037, 1, 22, 12, tzinfo=UTC)


def test_a_strict_reader_of_another_make_takes_them(authority: Any) -> None:
    for der in (authority.certificate, authority.issue()):
        parsed = asn1_x509.Certificate.load(der, strict=True)
        assert parsed.native
        assert parsed.dump(force=True) == der
    crl = asn1_crl.CertificateList.load(authority.crl(5), strict=True)
    assert crl.native
    assert [
        item["user_certificate"].native for item in crl["tbs_cert_list"]["revoked_certificates"]
    ] == [5]


def test_a_list_is_as_doc_9303_12_profiles_it(authority: Any) -> None:
    crl = x509.load_der_x509_crl(authority.crl(9, 7, number=12))
    assert crl.is_signature_valid(authority.key.public_key())
    assert sorted(item.serial_number for item in crl) == [7, 9]
    assert all(not list(item.extensions) for item in crl)
    found = {item.oid.dotted_string: item for item in crl.extensions}
    assert set(found) == {"2.5.29.20", "2.5.29.35"}
    assert found["2.5.29.20"].value.crl_number == 12
    empty = x509.load_der_x509_crl(authority.crl())
    assert len(empty) == 0


def test_every_value_is_parsed_back(authority: Any) -> None:
    certificate = load_certificate(authority.certificate)
    assert certificate.public_key == authority.key.public_key()
    assert certificate.verify_by(authority.key.public_key())
    assert not certificate.verify_by(ec.generate_private_key(ec.SECP384R1()).public_key())
    assert name_text(certificate.subject) == "C=VN, CN=TEST authority"
    crl = load_certificate_list(authority.crl(3))
    assert crl.revoked == {3: NOW - timedelta(days=1)}
    assert crl.verify_by(authority.key.public_key())


def prepare(**changes: Any) -> object:
    arguments: dict[str, Any] = {
        "public_key": ec.generate_private_key(ec.SECP384R1()).public_key(),
        "profile": CSCA,
        "name": DistinguishedName(country="VN", common_name="TEST x"),
        "serial_number": 2**100,
        "not_before": NOW,
        "is_test": True,
    }
    return prepare_authority_certificate(**(arguments | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"profile": DS},
        {"public_key": ec.generate_private_key(ec.SECP256R1()).public_key()},
        {"public_key": ec.generate_private_key(ec.SECP256K1()).public_key()},
        {"serial_number": 0},
        {"serial_number": -(2**100)},
        {"serial_number": 2**63 - 1},
        {"serial_number": 2**159},
        {"not_before": datetime(2026, 1, 1)},  # noqa: DTZ001 - the point of it
        {"is_test": False},
        {"name": DistinguishedName(country="VN", common_name="No mark")},
        {"name": DistinguishedName(country="FR", common_name="TEST x")},
    ],
)
def test_a_request_outside_the_profile_is_refused(changes: dict[str, Any]) -> None:
    assert code_of(lambda: prepare(**changes)) == "certificate.request-invalid"


def test_a_serial_number_of_twenty_octets_is_accepted() -> None:
    prepare(serial_number=2**159 - 1)


@pytest.mark.parametrize(
    ("country", "common_name"),
    [
        ("vn", "TEST"),
        ("VNM", "TEST"),
        ("V", "x"),
        ("VN", ""),
        ("VN", "x" * 65),
        ("VN", " x"),
        ("VN", "a\nb"),
    ],
)
def test_a_name_that_cannot_stand_in_a_certificate_is_refused(
    country: str, common_name: str
) -> None:
    action = lambda: DistinguishedName(country=country, common_name=common_name)  # noqa: E731 - one of many alike
    assert code_of(action) == "certificate.name-invalid"


def test_a_signer_outside_its_authoritys_key_use_is_refused(make_authority: Any) -> None:
    old = make_authority(start=NOW - timedelta(days=365 * 4 + 180))
    short = make_authority(start=NOW)
    issue = lambda issuer, start: issue_signer_certificate(  # noqa: E731 - used thrice
        authority_signer=issuer.signer,
        authority_certificate=issuer.certificate,
        public_key=ec.generate_private_key(ec.SECP256R1()).public_key(),
        profile=DS,
        name=DistinguishedName(country="VN", common_name="TEST x"),
        serial_number=2**100,
        not_before=start,
    )
    assert issue(old, NOW - timedelta(days=30))
    assert code_of(lambda: issue(old, NOW + timedelta(days=30))) == "authority.key-usage-period"
    assert code_of(lambda: issue(short, NOW - timedelta(days=1))) == "authority.key-usage-period"


def test_a_key_that_signs_wrongly_gets_nothing_out(authority: Any) -> None:
    class Faulty(SoftwareSigner):
        def sign(self, message: bytes) -> bytes:
            return super().sign(message + b"!")

    with pytest.raises(KeystoreError) as caught:
        issue_signer_certificate(
            authority_signer=Faulty(authority.key),
            authority_certificate=authority.certificate,
            public_key=ec.generate_private_key(ec.SECP256R1()).public_key(),
            profile=DS,
            name=DistinguishedName(country="VN", common_name="TEST x"),
            serial_number=2**100,
            not_before=NOW,
        )
    assert caught.value.code == "keystore.signature-wrong"


@pytest.mark.parametrize("number", [0, -1, 2**159])
def test_a_crl_number_out_of_range_is_refused(authority: Any, number: int) -> None:
    action = lambda: prepare_crl(  # noqa: E731 - one of many alike
        authority_certificate=authority.certificate,
        number=number,
        this_update=NOW,
        next_update=NOW + timedelta(days=1),
        revoked={},
    )
    assert code_of(action) == "crl.request-invalid"


# Profiles


def test_the_profiles_of_the_package_fit_each_other() -> None:
    assert CSCA.validity_months >= CSCA.private_key_use_months + DS.validity_months
    assert DS.validity_months >= DS.private_key_use_months + DS.card_validity_months
    assert DS.private_key_use_months <= 3
    assert CSCA.private_key_use_months <= 60


GOOD = {
    "format": "1",
    "kind": '"document-signer"',
    "curve": '"secp256r1"',
    "validity_months": "124",
    "private_key_use_months": "3",
    "card_validity_months": "120",
    "document_codes": '["CM"]',
}


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "2"},
        {"kind": '"root"'},
        {"kind": '"authority"'},
        {"kind": "[1]"},
        {"curve": '"secp224r1"'},
        {"validity_months": "122"},
        {"validity_months": "265"},
        {"validity_months": "true"},
        {"private_key_use_months": "4"},
        {"private_key_use_months": "0"},
        {"document_codes": "[]"},
        {"document_codes": '["cm"]'},
        {"document_codes": '["CMX"]'},
        {"document_codes": '"CM"'},
        {"card_validity_months": "0"},
        {"extra": "1"},
        {"curve": None},
    ],
)
def test_a_profile_outside_the_law_is_refused(
    tmp_path: Path, changes: dict[str, str | None]
) -> None:
    path = tmp_path / "profile.toml"
    path.write_text("".join(f"{key} = {value}\n" for key, value in GOOD.items()))
    assert load_certificate_profile(str(path)).document_codes == {"CM"}
    lines = {key: value for key, value in (GOOD | changes).items() if value is not None}
    path.write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
    assert code_of(lambda: load_certificate_profile(str(path))) == "profile.invalid"


@pytest.mark.parametrize("name", ["nobody", "", "../csca", "/dev/null/x", "\x00"])
def test_a_profile_that_is_not_there_is_refused(name: str) -> None:
    assert code_of(lambda: load_certificate_profile(name)) == "profile.invalid"


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (datetime(2026, 1, 31, tzinfo=UTC), 1, datetime(2026, 2, 28, tzinfo=UTC)),
        (datetime(2027, 11, 30, tzinfo=UTC), 3, datetime(2028, 2, 29, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), 12, datetime(2027, 12, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, tzinfo=UTC), 1, datetime(2027, 1, 31, tzinfo=UTC)),
    ],
)
def test_months_are_calendar_months(start: datetime, months: int, end: datetime) -> None:
    assert add_months(start, months) == end


# Reading


def spliced(der: bytes, old: bytes, new: bytes) -> bytes:
    """The certificate with one piece of its content exchanged, lengths made to fit."""
    content, *rest = tlv.parse(der).children()
    assert old in content.value
    return tlv.encode(
        0x30, tlv.encode(0x30, content.value.replace(old, new, 1)) + tlv.concatenate(rest)
    )


def test_explicit_parameters_that_equal_a_named_curve_are_read(authority: Any) -> None:
    value = EcPublicKey.from_cryptography(authority.key.public_key())
    named = value.to_subject_public_key_info(explicit=False)
    explicit = value.to_subject_public_key_info(explicit=True)
    assert load_certificate(spliced(authority.certificate, named, explicit)).public_key == (
        authority.key.public_key()
    )
    other = explicit.replace(value.curve.generator, value.point, 1)
    with pytest.raises(CertificateError) as caught:
        load_certificate(spliced(authority.certificate, named, other))
    assert caught.value.code == "certificate.algorithm-not-allowed"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("a003020102", "a003020101", "certificate.malformed"),
        ("a003020102", "", "certificate.malformed"),
        ("020d10000000000000000000000000", "020100", "certificate.malformed"),
        (
            "020d10000000000000000000000000",
            "020dff000000000000000000000000",
            "certificate.malformed",
        ),
        ("06082a8648ce3d040303", "06082a8648ce3d040302", "certificate.malformed"),
        ("0603551d13", "0603551d0f", "certificate.malformed"),
    ],
)
def test_a_certificate_that_breaks_rfc_5280_is_refused(
    authority: Any, old: str, new: str, code: str
) -> None:
    broken = spliced(authority.certificate, bytes.fromhex(old), bytes.fromhex(new))
    with pytest.raises(CertificateError) as caught:
        load_certificate(broken)
    assert caught.value.code == code


@given(st.binary(max_size=300))
def test_any_bytes_are_a_data_error(data: bytes) -> None:
    for load in (load_certificate, load_certificate_list):
        with pytest.raises(CertificateError):
            load(data)
    for read in (country_of, is_test_name, name_text):
        try:
            read(data)
        except PkiDataError:
            continue


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_flipped_byte_is_read_or_a_data_error(authority: Any, position: int, mask: int) -> None:
    for der, load in (
        (authority.certificate, load_certificate),
        (KEPT.setdefault("crl", authority.crl(1, 2)), load_certificate_list),
    ):
        altered = bytearray(der)
        altered[position % len(altered)] ^= mask
        try:
            load(bytes(altered))
        except CertificateError:
            continue


KEPT: dict[str, bytes] = {}


def test_real_country_signing_certificates_are_read_or_refused_with_a_reason() -> None:
    if not MASTER_LISTS.is_dir():
        pytest.skip("the published certificates do not stand beside the checkout")
    paths = sorted(MASTER_LISTS.glob("*.cer"))
    assert paths
    results = []
    for path in paths:
        try:
            results.append(country_of(load_certificate(path.read_bytes()).subject))
        except CertificateError as error:
            results.append(error.code)
    # The Indonesian one signs with RSASSA-PSS, the German ones with ECDSA over explicit parameters.
    assert set(results) <= {"DE", "ID", "certificate.algorithm-not-allowed"}
    assert {"DE", "ID"} <= set(results)
