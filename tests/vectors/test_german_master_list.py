"""The master list that Germany published on 7 August 2024: every certificate is read, or refused with a reason."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pki.certificates.anchor_policy import combine_anchors
from pki.certificates.anchors import read_authorities
from pki.certificates.authority_path import fingerprint
from pki.certificates.certificate import Reading, load_certificate
from pki.certificates.import_policy import ImportPolicy
from pki.certificates.imported_anchors import ImportedAnchors
from pki.certificates.lint.element import read_element
from pki.certificates.lint.master_list import MasterListView
from pki.certificates.master_list_signer import ListAuthorities
from pki.errors import PkiError
from pki.services.master_list_import import DirectoryContents, plan_import
from pki.services.master_list_reading import MasterListReport, verify_master_list

SIGNERS_AUTHORITY = "66b09a816ff5c76d3d6ef10f035ded4a8ac4b961b75955f1d5926dc3c63ecb5b"
"""csca-germany of November 2021, which issued the list's signer and stands in the list itself."""

IN_TIME = datetime(2024, 9, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def whole(shared_vectors: Path) -> bytes:
    return (shared_vectors / "master-lists" / "DE_ML_2024-08-07-07-38-24.ml").read_bytes()


@pytest.fixture(scope="module")
def listed(whole: bytes) -> list[bytes]:
    view = MasterListView.from_element(read_element(whole))
    return [item.encoded for item in view.listed]


def verified(whole: bytes, *roots: bytes, at: datetime = IN_TIME) -> MasterListReport:
    return verify_master_list(whole, trusted=ListAuthorities.from_bytes(given=roots), at=at)


@pytest.fixture(scope="module")
def report(whole: bytes, listed: list[bytes]) -> MasterListReport:
    (root,) = (der for der in listed if fingerprint(der) == SIGNERS_AUTHORITY)
    return verified(whole, root)


def test_the_list_is_verified_within_its_time(report: MasterListReport) -> None:
    assert report.code is None
    assert report.master_list.signing_time == datetime(2024, 8, 7, 5, 38, 24, tzinfo=UTC)
    assert (len(report.certificates), report.duplicates, report.read) == (541, 0, 535)
    assert (report.usable, len(report.countries)) == (421, 107)
    assert {item.code for item in report.certificates} == {
        None,
        "certificate.algorithm-not-allowed",
        "trust.authority-invalid",
    }
    assert all(item.reason for item in report.certificates if item.code is not None)


@pytest.mark.parametrize("name", ["DE_ROOT_CA_CSCA07.cer", "2020-10_CSCA.cer", "2010-12_CSCA.cer"])
def test_neither_a_later_key_of_the_state_nor_another_state_vouches_for_its_signer(
    whole: bytes, shared_vectors: Path, name: str
) -> None:
    root = (shared_vectors / "master-lists" / name).read_bytes()
    assert verified(whole, root).code == "master-list.signer-untrusted"


@pytest.mark.parametrize(
    ("year", "code"), [(2024, "master-list.signing-time"), (2028, "master-list.signer-expired")]
)
def test_before_it_was_signed_and_after_its_signer_ended_it_is_not_believed(
    whole: bytes, report: MasterListReport, year: int, code: str
) -> None:
    assert report.judgement is not None
    found = verified(whole, report.judgement.authority.der, at=datetime(year, 1, 1, tzinfo=UTC))
    assert found.code == code


def test_every_country_can_be_imported_as_far_as_terminals_read_it(
    report: MasterListReport,
) -> None:
    rules = "".join(
        f'[[rules]]\ncountry = "{country}"\npurposes = ["travel-documents"]\n'
        f'states = ["{country}"]\ndocument_codes = ["P"]\n'
        for country in report.countries
        if country.isupper()
    )
    head = 'format = 1\nname = "all"\ncountry = "DE"\nmax_age_days = 60\nrequire_crl = false\n'
    policy = ImportPolicy.from_bytes((head + rules).encode())
    plan = plan_import(report, policy, present=DirectoryContents())
    # What is written is what a terminal takes: every link has its root, every binding is well-formed.
    authorities = read_authorities(item.der for item in plan.certificates)
    assert len(authorities) == len(plan.record.anchors) > 100
    assert {item.code for item in plan.left_out} <= {
        "certificate.algorithm-not-allowed",
        "certificate.malformed",
        "trust.authority-invalid",
        "master-list.not-valid",
        "master-list.link-unproven",
    }
    kinds = [item.is_link for item in plan.certificates]
    assert kinds == sorted(kinds, key=bool)
    assert set(kinds) == {False, True}
    again = ImportedAnchors.from_bytes(plan.record.to_bytes())
    assert combine_anchors({}, [again.anchors]) == plan.record.anchors


def test_every_certificate_is_read_or_refused_with_a_reason(listed: list[bytes]) -> None:
    assert len(listed) == 541
    refused: Counter[str] = Counter()
    for der in listed:
        try:
            certificate = load_certificate(der, Reading.TOLERANT)
        except PkiError as error:
            refused[error.code] += bool(str(error))
        else:
            assert certificate.public_key is not None
    # Four seeds that are not the published one, and two RSA keys without the NULL of RFC 3279, 2.3.1.
    assert refused == {"certificate.algorithm-not-allowed": 6}
    assert (541 - 6) / 541 >= 0.98


def test_what_a_card_may_be_signed_under_stays_stricter(listed: list[bytes]) -> None:
    def is_read(der: bytes) -> bool:
        try:
            load_certificate(der)
        except PkiError:
            return False
        return True

    # RSASSA-PKCS1-v1_5, SHA-1, small exponents: read as anchors of others, and never in a card's path.
    assert 0 < sum(map(is_read, listed)) < 200
