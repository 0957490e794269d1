"""A master list is believed for its signer alone: profile, path to an authority bound to lists, times, revocation."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asn1crypto import cms, x509
from asn1crypto.core import OctetBitString
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from pki.certificates.anchor_scope import AnchorScope, TrustPurpose
from pki.certificates.authority_path import fingerprint
from pki.certificates.master_list_signer import ListAuthorities
from pki.errors import PkiDataError
from pki.services.master_list_reading import MasterListReport, read_listed, verify_master_list

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def judged(
    office: Any,
    *,
    trusted: ListAuthorities | None = None,
    at: datetime = NOW,
    signed: datetime = NOW - DAY,
    requires_crl: bool = False,
) -> MasterListReport:
    return verify_master_list(
        office.make(at=signed),
        trusted=trusted or ListAuthorities.from_bytes(given=[office.authority.certificate]),
        at=at,
        requires_crl=requires_crl,
    )


def bound(office: Any, *purposes: TrustPurpose) -> ListAuthorities:
    root = office.authority.certificate
    scope = AnchorScope(
        purposes=frozenset(purposes), states=frozenset({"VNM"}), document_codes=frozenset({"CM"})
    )
    return ListAuthorities.from_bytes(bound=[root], anchors={fingerprint(root): scope})


def test_a_list_under_an_authority_that_was_named_for_it_is_believed(list_office: Any) -> None:
    report = judged(list_office)
    assert report.code is None
    assert report.judgement is not None
    assert report.judgement.authority.der == list_office.authority.certificate
    assert not report.judgement.has_current_crl
    assert (report.read, report.usable, report.duplicates) == (1, 1, 0)
    assert report.countries == {"VN": 1}
    assert [item.is_link for item in report.certificates] == [False]


def test_a_binding_to_master_lists_is_needed_and_no_other_will_do(list_office: Any) -> None:
    assert judged(list_office, trusted=bound(list_office, TrustPurpose.MASTER_LISTS)).code is None
    others = [item for item in TrustPurpose if item is not TrustPurpose.MASTER_LISTS]
    for purposes in ([item] for item in others):
        report = judged(list_office, trusted=bound(list_office, *purposes))
        assert (report.code, report.judgement) == ("master-list.signer-untrusted", None)
    root = list_office.authority.certificate
    assert (
        judged(list_office, trusted=ListAuthorities.from_bytes(bound=[root])).code
        == "master-list.signer-untrusted"
    )


def test_nobody_else_vouches_for_the_signer_whatever_the_name(
    list_office: Any, make_authority: Any
) -> None:
    namesake = make_authority()
    trusted = ListAuthorities.from_bytes(given=[namesake.certificate])
    assert judged(list_office, trusted=trusted).code == "master-list.signer-untrusted"


@pytest.mark.parametrize(
    "profile", ["stop-list-signer", "status-list-signer", "trust-bundle-signer", "journal-signer"]
)
def test_a_signer_of_other_things_signs_no_master_list(
    make_list_office: Any, list_office: Any, authority: Any, profile: str
) -> None:
    office = make_list_office(authority=authority, profile=profile)
    list_key, certificate = office.key, office.certificate
    report = judged(forged(list_office, list_key, certificate))
    assert report.code == "master-list.signer-profile"


def test_a_csca_signs_no_master_list_itself(list_office: Any, authority: Any) -> None:
    report = judged(forged(list_office, authority.key, authority.certificate))
    assert report.code == "master-list.signer-profile"


def test_a_document_signer_signs_no_master_list(list_office: Any, authority: Any) -> None:
    report = judged(forged(list_office, list_office.key, authority.issue(key=list_office.key)))
    assert report.code == "master-list.signer-profile"


def forged(office: Any, key: Any, certificate: bytes) -> Any:
    """Lists as the office makes them, but signed by somebody else."""
    return _Forger(office, key, certificate)


class _Forger:
    def __init__(self, office: Any, key: Any, certificate: bytes) -> None:
        self.authority = office.authority
        self._office, self._key, self._certificate = office, key, certificate

    def make(self, *, at: datetime) -> bytes:
        info = cms.ContentInfo.load(self._office.make(at=at))
        signer = info["content"]["signer_infos"][0]
        certificate = x509.Certificate.load(self._certificate)
        signer["sid"] = cms.SignerIdentifier("subject_key_identifier", certificate.key_identifier)
        info["content"]["certificates"] = cms.CertificateSet(
            [cms.CertificateChoices("certificate", cms.Certificate.load(self._certificate))]
        )
        attributes = signer["signed_attrs"].untag().dump(force=True)
        signer["signature"] = self._key.sign(attributes, ec.ECDSA(hashes.SHA256()))
        encoded: bytes = info.dump(force=True)
        return encoded


@pytest.mark.parametrize(
    ("at", "signed", "code"),
    [
        (NOW, NOW + DAY, "master-list.signing-time"),
        (NOW, NOW - 31 * DAY, "master-list.signing-time"),
        (NOW + 500 * DAY, NOW + 400 * DAY, "master-list.signing-time"),
        (NOW + 900 * DAY, NOW, "master-list.signer-expired"),
        (NOW + 500 * DAY, NOW, None),
    ],
    ids=["future", "before", "key-use-over", "expired", "key-use-over-since"],
)
def test_it_was_signed_while_the_key_signs_and_the_signer_is_still_valid(
    list_office: Any, at: datetime, signed: datetime, code: str | None
) -> None:
    assert judged(list_office, at=at, signed=signed).code == code


def test_a_crl_that_names_the_signer_counts_however_old_and_one_is_needed_where_it_is_demanded(
    list_office: Any, authority: Any
) -> None:
    root, serial = authority.certificate, list_office.serial_number

    def code(*crls: bytes, requires_crl: bool = False) -> tuple[str | None, bool]:
        trusted = ListAuthorities.from_bytes(given=[root], crls=crls)
        report = judged(list_office, trusted=trusted, requires_crl=requires_crl)
        return report.code, bool(report.judgement and report.judgement.has_current_crl)

    old = authority.crl(serial, this_update=NOW - 20 * DAY, lifetime=DAY)
    assert code(old) == ("master-list.signer-revoked", False)
    assert code(authority.crl(serial)) == ("master-list.signer-revoked", False)
    assert code(authority.crl(), requires_crl=True) == (None, True)
    assert code(requires_crl=True) == ("master-list.revocation-unknown", False)
    outdated = authority.crl(this_update=NOW - 20 * DAY, lifetime=DAY)
    assert code(outdated, requires_crl=True) == ("master-list.revocation-unknown", False)


def test_a_crl_of_a_namesake_proves_nothing(list_office: Any, make_authority: Any) -> None:
    trusted = ListAuthorities.from_bytes(
        given=[list_office.authority.certificate], crls=[make_authority().crl()]
    )
    report = judged(list_office, trusted=trusted, requires_crl=True)
    assert report.code == "master-list.revocation-unknown"


def test_an_authority_certifies_no_signer_of_another_country(
    list_office: Any, authority: Any
) -> None:
    parsed = x509.Certificate.load(list_office.certificate)
    content = parsed["tbs_certificate"].dump()
    subject = parsed.subject.dump()
    abroad = content.replace(subject, subject.replace(b"\x13\x02VN", b"\x13\x02DE"))
    assert abroad != content
    parsed["tbs_certificate"] = x509.TbsCertificate.load(abroad)
    parsed["signature_value"] = OctetBitString(
        authority.key.sign(abroad, ec.ECDSA(hashes.SHA384()))
    )
    report = judged(forged(list_office, list_office.key, parsed.dump(force=True)))
    assert report.code == "master-list.signer-untrusted"
    assert "country" in (report.reason or "")


def test_what_cannot_be_read_of_those_who_are_trusted_stops_everything(authority: Any) -> None:
    with pytest.raises(PkiDataError) as caught:
        ListAuthorities.from_bytes(given=[authority.certificate, b"0"])
    assert caught.value.code == "trust.authority-invalid"
    with pytest.raises(PkiDataError) as caught:
        ListAuthorities.from_bytes(given=[authority.certificate], crls=[b"0"])
    assert caught.value.code == "trust.crl-malformed"


def test_every_certificate_of_a_list_has_its_reason(authority: Any, list_office: Any) -> None:
    nothing = read_listed(b"\x30\x00")
    assert (nothing.is_read, nothing.name, nothing.code) == (False, None, "certificate.malformed")
    end_entity = read_listed(list_office.certificate)
    assert (end_entity.is_read, end_entity.code) == (True, "trust.authority-invalid")
    broken = bytearray(authority.certificate)
    broken[-1] ^= 1
    assert read_listed(bytes(broken)).code == "master-list.self-signature"
    assert read_listed(authority.certificate).code is None
