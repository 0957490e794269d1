"""Judging a document signer: profile, path, validity, revocation, each with its code (SPEC.md, 9.6-9.9)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.certificates.trust import (
    Authority,
    DocumentSignerCertificate,
    TrustAnchors,
    check_revocation,
    check_signer_profile,
    check_validity,
    find_authority,
)
from pki.errors import PkiDataError, PkiError

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
DOCUMENT_TYPES = x509.ObjectIdentifier("2.23.136.1.1.6.2")
CM = bytes.fromhex("30090201003104") + b"\x13\x02CM"
UNKNOWN = x509.ObjectIdentifier("1.2.3.4")


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def anchors_of(*authorities: Any, crls: tuple[bytes, ...] = ()) -> TrustAnchors:
    return TrustAnchors.from_bytes(
        certificates=[authority.certificate for authority in authorities], crls=crls
    )


class Forge:
    """Certificates made with another library, so that every value can be wrong."""

    def __init__(self, authority: Any) -> None:
        self.authority = authority
        issuer = x509.load_der_x509_certificate(authority.certificate)
        self.issuer = issuer.subject
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.identifier = issuer.extensions.get_extension_for_class(
            x509.SubjectKeyIdentifier
        ).value.digest
        self.extensions: dict[str, tuple[x509.ExtensionType, bool]] = {
            "aki": (x509.AuthorityKeyIdentifier(self.identifier, None, None), False),
            "usage": (_usage(digital_signature=True), True),
            "period": (
                x509.PrivateKeyUsagePeriod(datetime(2026, 11, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - the library's way
                False,
            ),
            "types": (x509.UnrecognizedExtension(DOCUMENT_TYPES, CM), False),
            "policy": (
                x509.CertificatePolicies(
                    [
                        x509.PolicyInformation(
                            x509.ObjectIdentifier("1.3.6.1.4.1.32473.51.3.1"), None
                        )
                    ]
                ),
                False,
            ),
        }

    def sign(
        self,
        *,
        key: ec.EllipticCurvePrivateKey | None = None,
        country: str = "VN",
        issuer: x509.Name | None = None,
        **changes: tuple[x509.ExtensionType, bool] | None,
    ) -> bytes:
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, country),
                x509.NameAttribute(NameOID.COMMON_NAME, "TEST forged"),
            ]
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or self.issuer)
            .public_key(self.key.public_key())
            .serial_number(99)
            .not_valid_before(NOW - 20 * DAY)
            .not_valid_after(NOW + 4000 * DAY)
        )
        for item in (self.extensions | changes).values():
            if item is not None:
                builder = builder.add_extension(item[0], critical=item[1])
        return builder.sign(key or self.authority.key, hashes.SHA384()).public_bytes(Encoding.DER)


def _usage(*, digital_signature: bool = False, sign: bool = False, more: bool = False) -> Any:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=more,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def judge(
    certificate: bytes,
    anchors: TrustAnchors,
    *,
    signing_time: datetime = NOW,
    now: datetime = NOW,
    allow_test: bool = True,
    document_code: str = "CM",
) -> Authority:
    check_signer_profile(certificate, document_code=document_code, allow_test=allow_test)
    found = find_authority(certificate, anchors)
    check_validity(certificate, found, signing_time=signing_time, now=now)
    check_revocation(certificate, found, anchors, now=now)
    return found


def test_a_good_signer_passes_every_step(authority: Any) -> None:
    found = judge(authority.issue(), anchors_of(authority, crls=(authority.crl(),)))
    assert found.der == authority.certificate
    assert found.country == "VN"
    assert found.is_test


def test_the_forge_itself_makes_good_certificates(authority: Any) -> None:
    judge(Forge(authority).sign(), anchors_of(authority, crls=(authority.crl(),)))


def test_what_a_signer_says_of_itself_is_read(authority: Any) -> None:
    signer = DocumentSignerCertificate.from_bytes(authority.issue())
    assert signer.country == "VN"
    assert signer.document_codes == {"CM"}
    assert signer.name == "C=VN, CN=TEST signer"
    assert signer.not_before == signer.key_use_not_before == NOW - timedelta(days=30)
    assert signer.key_use_not_after == datetime(2027, 1, 22, 12, tzinfo=UTC)
    assert signer.not_after == datetime(2037, 2, 22, 12, tzinfo=UTC)


# 9.6


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"usage": None}, "signer.profile"),
        ({"usage": (_usage(digital_signature=True), False)}, "signer.profile"),
        ({"usage": (_usage(sign=True), True)}, "signer.profile"),
        ({"usage": (_usage(digital_signature=True, more=True), True)}, "signer.profile"),
        ({"constraints": (x509.BasicConstraints(ca=True, path_length=0), True)}, "signer.profile"),
        (
            {"extended": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)},
            "signer.profile",
        ),
        ({"unknown": (x509.UnrecognizedExtension(UNKNOWN, b"\x05\x00"), True)}, "signer.profile"),
        ({"aki": None}, "signer.profile"),
        ({"period": None}, "signer.profile"),
        ({"types": None}, "signer.profile"),
        (
            {"types": (x509.UnrecognizedExtension(DOCUMENT_TYPES, CM + b"\x00"), False)},
            "signer.profile",
        ),
        (
            {"types": (x509.UnrecognizedExtension(DOCUMENT_TYPES, CM[:-1] + b"\xff"), False)},
            "signer.profile",
        ),
        (
            {"types": (x509.UnrecognizedExtension(DOCUMENT_TYPES, CM[:-1] + b"A"), False)},
            "signer.document-type",
        ),
        (
            {
                "types": (
                    x509.UnrecognizedExtension(
                        DOCUMENT_TYPES, bytes.fromhex("3008020100310313") + b"\x01P"
                    ),
                    False,
                )
            },
            "signer.document-type",
        ),
    ],
)
def test_a_certificate_that_is_no_document_signers_is_refused(
    authority: Any, changes: dict[str, Any], code: str
) -> None:
    certificate = Forge(authority).sign(**changes)
    assert (
        code_of(lambda: check_signer_profile(certificate, document_code="CM", allow_test=True))
        == code
    )


@pytest.mark.parametrize(
    "change",
    [
        {"constraints": (x509.BasicConstraints(ca=False, path_length=None), True)},
        {"unknown": (x509.UnrecognizedExtension(UNKNOWN, b"\x05\x00"), False)},
        {"period": (x509.PrivateKeyUsagePeriod(None, datetime(2027, 1, 1)), False)},  # noqa: DTZ001 - the library's way
    ],
)
def test_what_the_profile_leaves_open_is_no_reason_to_refuse(
    authority: Any, change: dict[str, Any]
) -> None:
    certificate = Forge(authority).sign(**change)
    judge(certificate, anchors_of(authority, crls=(authority.crl(),)))


def test_test_marks_need_leave(authority: Any) -> None:
    certificate = authority.issue()
    assert (
        code_of(lambda: check_signer_profile(certificate, document_code="CM", allow_test=False))
        == "signer.test-authority"
    )


def test_the_word_test_in_a_name_is_a_mark_as_well(authority: Any) -> None:
    certificate = Forge(authority).sign(policy=None)
    assert (
        code_of(lambda: check_signer_profile(certificate, document_code="CM", allow_test=False))
        == "signer.test-authority"
    )


def test_a_production_authority_needs_no_leave(make_authority: Any) -> None:
    production = make_authority(common_name="Card signing", is_test=False)
    anchors = anchors_of(production, crls=(production.crl(),))
    assert not judge(production.issue(), anchors, allow_test=False).is_test


def test_a_country_in_small_letters_is_refused(authority: Any) -> None:
    certificate = Forge(authority).sign(country="vn")
    assert (
        code_of(lambda: check_signer_profile(certificate, document_code="CM", allow_test=True))
        == "signer.profile"
    )


# 9.7


def test_without_anchors_every_authority_is_unknown(authority: Any) -> None:
    assert code_of(lambda: find_authority(authority.issue(), anchors_of())) == (
        "signer.authority-unknown"
    )


def test_an_authority_of_the_same_name_and_another_key_is_unknown(
    authority: Any, make_authority: Any
) -> None:
    impostor = make_authority()
    certificate = impostor.issue()
    assert code_of(lambda: find_authority(certificate, anchors_of(authority))) == (
        "signer.authority-unknown"
    )
    assert find_authority(certificate, anchors_of(authority, impostor)).der == impostor.certificate


def test_an_authority_of_another_name_and_the_same_key_is_unknown(
    authority: Any, make_authority: Any
) -> None:
    other = make_authority(common_name="TEST other", key=authority.key)
    assert code_of(lambda: find_authority(other.issue(), anchors_of(authority))) == (
        "signer.authority-unknown"
    )


def test_name_and_key_identifier_without_the_signature_are_no_path(authority: Any) -> None:
    certificate = Forge(authority).sign(key=ec.generate_private_key(ec.SECP384R1()))
    assert code_of(lambda: find_authority(certificate, anchors_of(authority))) == (
        "signer.path-invalid"
    )


def test_an_unmarked_signer_under_a_test_authority_is_no_path(make_authority: Any) -> None:
    production = make_authority(common_name="Card signing", is_test=False)
    forge = Forge(production)
    assert code_of(lambda: find_authority(forge.sign(), anchors_of(production))) == (
        "signer.path-invalid"
    )


# 9.8


@pytest.mark.parametrize(
    ("signing_time", "now", "code"),
    [
        (datetime(2026, 10, 22, 11, 59, 59, tzinfo=UTC), NOW, "signer.expired-at-signing"),
        (datetime(2037, 2, 22, 12, 0, 1, tzinfo=UTC), NOW, "signer.expired-at-signing"),
        (datetime(2027, 1, 22, 12, 0, 1, tzinfo=UTC), NOW, "signer.key-usage-period"),
        (NOW, datetime(2037, 2, 22, 12, 0, 1, tzinfo=UTC), "signer.expired"),
        (NOW, datetime(2026, 10, 22, 11, 59, 59, tzinfo=UTC), "signer.expired"),
    ],
)
def test_times_outside_have_their_codes(
    authority: Any, signing_time: datetime, now: datetime, code: str
) -> None:
    found = Authority.from_bytes(authority.certificate)
    certificate = authority.issue()
    assert (
        code_of(lambda: check_validity(certificate, found, signing_time=signing_time, now=now))
        == code
    )


@pytest.mark.parametrize(
    ("signing_time", "now"),
    [
        (datetime(2026, 10, 22, 12, tzinfo=UTC), NOW),
        (datetime(2027, 1, 22, 12, tzinfo=UTC), datetime(2037, 2, 22, 12, tzinfo=UTC)),
    ],
)
def test_the_first_and_the_last_moment_are_inside(
    authority: Any, signing_time: datetime, now: datetime
) -> None:
    found = Authority.from_bytes(authority.certificate)
    check_validity(authority.issue(), found, signing_time=signing_time, now=now)


def test_an_authority_that_was_not_valid_at_signing_is_refused(
    authority: Any, make_authority: Any
) -> None:
    later = make_authority(start=NOW + DAY)
    certificate = authority.issue()
    found = Authority.from_bytes(later.certificate)
    assert (
        code_of(lambda: check_validity(certificate, found, signing_time=NOW, now=NOW + 2 * DAY))
        == "signer.authority-expired"
    )


# 9.9


def revocation_code(authority: Any, certificate: bytes, *crls: bytes, now: datetime = NOW) -> str:
    anchors = anchors_of(authority, crls=crls)
    found = Authority.from_bytes(authority.certificate)
    return code_of(lambda: check_revocation(certificate, found, anchors, now=now))


def test_a_listed_signer_is_revoked(authority: Any) -> None:
    serial = 2**100 + 1
    certificate = authority.issue(serial_number=serial)
    assert revocation_code(authority, certificate, authority.crl(serial)) == "signer.revoked"


def test_a_list_of_others_does_not_revoke(authority: Any) -> None:
    certificate = authority.issue()
    anchors = anchors_of(authority, crls=(authority.crl(2**100 + 7, 2**100 + 8),))
    check_revocation(certificate, Authority.from_bytes(authority.certificate), anchors, now=NOW)


def test_a_listed_signer_stays_revoked_however_old_the_list(authority: Any) -> None:
    certificate = authority.issue(serial_number=2**100 + 1)
    old = authority.crl(2**100 + 1, this_update=NOW - 25 * DAY, lifetime=DAY)
    fresh = authority.crl(number=2)
    assert revocation_code(authority, certificate, old) == "signer.revoked"
    assert revocation_code(authority, certificate, fresh, old) == "signer.revoked"


def test_no_list_an_old_one_and_one_of_tomorrow_leave_it_unknown(authority: Any) -> None:
    certificate = authority.issue()
    crl = authority.crl()
    for crls, now in (
        ((), NOW),
        ((crl,), NOW + 29 * DAY + timedelta(seconds=1)),
        ((crl,), NOW - DAY - timedelta(seconds=1)),
    ):
        code = revocation_code(authority, certificate, *crls, now=now)
        assert code == "signer.revocation-unknown"


def test_the_first_and_the_last_moment_of_a_list_are_inside(authority: Any) -> None:
    certificate = authority.issue()
    anchors = anchors_of(authority, crls=(authority.crl(),))
    found = Authority.from_bytes(authority.certificate)
    for now in (NOW - DAY, NOW + 29 * DAY):
        check_revocation(certificate, found, anchors, now=now)


def test_a_cleared_signer_is_cleared_for_no_longer_than_the_list_is_current(authority: Any) -> None:
    certificate = authority.issue(serial_number=2**100 + 5)
    other = authority.issue(serial_number=2**100 + 1)
    anchors = anchors_of(authority, crls=(authority.crl(2**100 + 1),))
    found = Authority.from_bytes(authority.certificate)
    second = timedelta(seconds=1)
    for now in (NOW, NOW + 29 * DAY, NOW - DAY, NOW):
        check_revocation(certificate, found, anchors, now=now)
        for outside in (NOW - DAY - second, NOW + 29 * DAY + second):
            code = code_of(
                lambda outside=outside: check_revocation(certificate, found, anchors, now=outside)
            )
            assert code == "signer.revocation-unknown"
        # What is known of one signer says nothing about another, and nothing under other lists.
        assert code_of(lambda: check_revocation(other, found, anchors, now=NOW)) == "signer.revoked"
    later = replace(anchors, revocation_lists=())
    code = code_of(lambda: check_revocation(certificate, found, later, now=NOW))
    assert code == "signer.revocation-unknown"


def test_a_list_of_another_authority_counts_for_nothing(
    authority: Any, make_authority: Any
) -> None:
    certificate = authority.issue()
    impostor = make_authority()
    assert revocation_code(authority, certificate, impostor.crl()) == "signer.revocation-unknown"
    listed = impostor.crl(2**100 + 1)
    anchors = anchors_of(authority, crls=(authority.crl(), listed))
    check_revocation(certificate, Authority.from_bytes(authority.certificate), anchors, now=NOW)


def crl_by_another_library(
    authority: Any,
    *extensions: tuple[x509.ExtensionType, bool],
    identifier: bytes | None = None,
) -> bytes:
    issuer = x509.load_der_x509_certificate(authority.certificate)
    own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    identifier = own if identifier is None else identifier
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(NOW - DAY)
        .next_update(NOW + DAY)
        .add_extension(x509.AuthorityKeyIdentifier(identifier, None, None), critical=False)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    return builder.sign(authority.key, hashes.SHA384()).public_bytes(Encoding.DER)


def test_a_list_with_an_unknown_critical_extension_proves_nothing(authority: Any) -> None:
    certificate = authority.issue()
    found = Authority.from_bytes(authority.certificate)
    for critical in (False, True):
        crl = crl_by_another_library(
            authority, (x509.UnrecognizedExtension(UNKNOWN, b"\x05\x00"), critical)
        )
        if critical:
            assert revocation_code(authority, certificate, crl) == "signer.revocation-unknown"
        else:
            anchors = anchors_of(authority, crls=(crl,))
            check_revocation(certificate, found, anchors, now=NOW)


def test_a_list_under_another_key_identifier_counts_for_nothing(authority: Any) -> None:
    crl = crl_by_another_library(authority, identifier=bytes(20))
    assert revocation_code(authority, authority.issue(), crl) == "signer.revocation-unknown"


def test_a_delta_list_proves_nothing(authority: Any) -> None:
    crl = crl_by_another_library(authority, (x509.DeltaCRLIndicator(1), True))
    assert revocation_code(authority, authority.issue(), crl) == "signer.revocation-unknown"


# Anchors


def test_a_signers_certificate_is_no_anchor(authority: Any) -> None:
    action = lambda: TrustAnchors.from_bytes(certificates=[authority.issue()], crls=[])  # noqa: E731 - one of many alike
    assert code_of(action) == "trust.authority-invalid"


def anchor_by_another_library(
    *, signing_key: ec.EllipticCurvePrivateKey | None = None, **changes: Any
) -> bytes:
    key = changes.pop("key", None) or ec.generate_private_key(ec.SECP384R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.COMMON_NAME, "TEST root"),
        ]
    )
    extensions: dict[str, Any] = {
        "identifier": (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        "usage": (_usage(sign=True), True),
        "constraints": (x509.BasicConstraints(ca=True, path_length=0), True),
    }
    builder = (
        x509.CertificateBuilder()
        .subject_name(changes.pop("subject", name))
        .issuer_name(changes.pop("issuer", name))
        .public_key(key.public_key())
        .serial_number(99)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    for item in (extensions | changes).values():
        if item is not None:
            builder = builder.add_extension(item[0], critical=item[1])
    return builder.sign(signing_key or key, hashes.SHA384()).public_bytes(Encoding.DER)


def link(older: Any, newer: Any, **changes: Any) -> bytes:
    """The older authority's word for the newer one's name and key."""
    old, new = (x509.load_der_x509_certificate(item.certificate) for item in (older, newer))
    identifier = old.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return anchor_by_another_library(
        signing_key=older.key,
        key=newer.key,
        subject=new.subject,
        issuer=old.subject,
        linked=(x509.AuthorityKeyIdentifier(identifier, None, None), False),
        **changes,
    )


def test_link_certificates_admit_the_next_authorities_in_any_order(make_authority: Any) -> None:
    first, second, third = (make_authority(common_name=f"TEST {name}") for name in "abc")
    links = [link(second, third), link(first, second)]
    for certificates in (
        [*links, first.certificate],
        [first.certificate, *reversed(links)],
    ):
        anchors = TrustAnchors.from_bytes(certificates=certificates, crls=[third.crl()])
        found = judge(third.issue(), anchors)
        assert found.name == "C=VN, CN=TEST c"
        assert not found.is_self_signed
        assert find_authority(first.issue(), anchors).is_self_signed


def test_a_roll_over_keeps_the_name_and_changes_the_key(make_authority: Any) -> None:
    first, second = make_authority(), make_authority()
    anchors = TrustAnchors.from_bytes(
        certificates=[first.certificate, link(first, second), second.certificate],
        crls=[first.crl(), second.crl()],
    )
    assert judge(second.issue(), anchors).der == second.certificate
    assert judge(first.issue(), anchors).der == first.certificate


def test_a_link_from_nobody_or_with_a_wrong_signature_admits_nothing(make_authority: Any) -> None:
    first, second = (make_authority(common_name=f"TEST {name}") for name in "ab")
    good = link(first, second)
    broken = good[:-1] + bytes((good[-1] ^ 1,))
    for certificates in ([good], [first.certificate, broken], [second.certificate, good]):
        action = lambda certificates=certificates: TrustAnchors.from_bytes(  # noqa: E731 - one of many alike
            certificates=certificates, crls=[]
        )
        assert code_of(action) == "trust.authority-invalid"


def test_a_link_cannot_change_country_or_test_mark(make_authority: Any) -> None:
    first = make_authority(common_name="Card signing", is_test=False)
    second = make_authority(common_name="TEST next")
    action = lambda: TrustAnchors.from_bytes(  # noqa: E731 - one of many alike
        certificates=[first.certificate, link(first, second)], crls=[]
    )
    assert code_of(action) == "trust.authority-invalid"


def test_an_authority_of_another_library_is_taken() -> None:
    assert Authority.from_bytes(anchor_by_another_library()).is_test


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "VN")])},
        {"identifier": None},
        {"usage": None},
        {"usage": (_usage(sign=True), False)},
        {"usage": (_usage(sign=True, digital_signature=True), True)},
        {"constraints": None},
        {"constraints": (x509.BasicConstraints(ca=True, path_length=0), False)},
        {"constraints": (x509.BasicConstraints(ca=True, path_length=None), True)},
        {"constraints": (x509.BasicConstraints(ca=True, path_length=1), True)},
        {"constraints": (x509.BasicConstraints(ca=False, path_length=None), True)},
        {"unknown": (x509.UnrecognizedExtension(UNKNOWN, b"\x05\x00"), True)},
    ],
)
def test_an_anchor_that_is_no_country_signing_authority_is_refused(changes: dict[str, Any]) -> None:
    certificate = anchor_by_another_library(**changes)
    assert code_of(lambda: Authority.from_bytes(certificate)) == "trust.authority-invalid"


def test_an_anchor_whose_own_signature_is_wrong_is_refused(authority: Any) -> None:
    broken = bytearray(authority.certificate)
    broken[-1] ^= 1
    action = lambda: TrustAnchors.from_bytes(certificates=[bytes(broken)], crls=[])  # noqa: E731 - one of many alike
    assert code_of(action) == "trust.authority-invalid"


@pytest.mark.parametrize("data", [b"", b"\x30", bytes(100), b"0" * 20000])
def test_rubbish_in_the_trust_directory_is_refused(data: bytes) -> None:
    assert (
        code_of(lambda: TrustAnchors.from_bytes(certificates=[data], crls=[]))
        == "trust.authority-invalid"
    )
    assert (
        code_of(lambda: TrustAnchors.from_bytes(certificates=[], crls=[data]))
        == "trust.crl-malformed"
    )


@settings(max_examples=300)
@given(position=st.integers(0, 10_000), mask=st.integers(1, 255))
def test_no_flipped_byte_in_a_certificate_is_ever_accepted(
    authority: Any, position: int, mask: int
) -> None:
    altered = bytearray(CACHE.setdefault("signer", authority.issue()))
    altered[position % len(altered)] ^= mask
    anchors = CACHE.setdefault("anchors", anchors_of(authority, crls=(authority.crl(),)))
    with pytest.raises(PkiError):
        judge(bytes(altered), anchors)


CACHE: dict[str, Any] = {}


@settings(max_examples=300)
@given(position=st.integers(0, 10_000), mask=st.integers(1, 255))
def test_no_flipped_byte_in_a_crl_is_ever_accepted(
    authority: Any, position: int, mask: int
) -> None:
    certificate = CACHE.setdefault("signer", authority.issue())
    altered = bytearray(CACHE.setdefault("crl", authority.crl()))
    altered[position % len(altered)] ^= mask
    found = Authority.from_bytes(authority.certificate)
    with pytest.raises(PkiError):
        check_revocation(certificate, found, anchors_of(authority, crls=(bytes(altered),)), now=NOW)


@given(st.binary(max_size=200))
def test_any_bytes_as_a_certificate_are_a_data_error(data: bytes) -> None:
    with pytest.raises(PkiDataError):
        check_signer_profile(data, document_code="CM", allow_test=True)
