"""Nothing with an error is signed, and what was signed is what was linted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.curves import NamedCurve
from pki.certificates.crl import prepare_crl
from pki.certificates.issue import (
    PreparedCertificate,
    prepare_authority_certificate,
    prepare_signer_certificate,
)
from pki.certificates.lint.findings import Dialect, LintProfile, Severity
from pki.certificates.lint.linter import lint
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import load_certificate_profile
from pki.errors import PkiRefusedError
from pki.keys.software import SoftwareKeystore, SoftwareSigner
from pki.record.journal import JournalEntry, Record
from pki.services.authority import AuthorityRequest, AuthorityService
from pki.services.linted_issuance import lint_prepared
from pki.services.recorder import Recorder
from pki.services.state import PkiState

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
CSCA = load_certificate_profile("csca")


def authority_signer() -> SoftwareSigner:
    return SoftwareSigner(ec.generate_private_key(ec.SECP384R1()))


def prepared_root(
    signer: SoftwareSigner, *, point: str | None = "http://pki.example/csca.crl"
) -> PreparedCertificate:
    return prepare_authority_certificate(
        public_key=signer.public_key,
        profile=CSCA,
        name=DistinguishedName(country="VN", common_name="Authority"),
        serial_number=2**100,
        not_before=NOW,
        is_test=False,
        distribution_point=point,
    )


def test_what_the_authority_issues_has_no_errors_before_and_after_signing() -> None:
    signer = authority_signer()
    root = prepared_root(signer)
    certificate = root.sign(signer)
    lint_prepared(root, profile=LintProfile.CSCA_ROOT).check_signed(certificate)
    document_signer = prepare_signer_certificate(
        authority_certificate=certificate,
        public_key=ec.generate_private_key(ec.SECP256R1()).public_key(),
        profile=load_certificate_profile("document-signer"),
        name=DistinguishedName(country="VN", common_name="Signer"),
        serial_number=2**100 + 1,
        not_before=NOW,
        distribution_point="http://pki.example/csca.crl",
    )
    crl = prepare_crl(
        authority_certificate=certificate,
        number=1,
        this_update=NOW,
        next_update=NOW + timedelta(days=90),
        revoked={5: NOW},
    )
    for prepared, profile in (
        (document_signer, LintProfile.DOCUMENT_SIGNER),
        (crl, LintProfile.CRL),
    ):
        linted = lint_prepared(prepared, profile=profile)
        linted.check_signed(prepared.sign(signer))
        assert {item.severity for item in linted.warnings} <= {Severity.WARNING}


def test_content_that_breaks_a_shall_is_refused_by_the_rule_that_it_breaks() -> None:
    prepared = prepared_root(authority_signer(), point=None)
    with pytest.raises(PkiRefusedError, match="distribution-points-present") as caught:
        lint_prepared(prepared, profile=LintProfile.CSCA_ROOT)
    assert caught.value.code == "issuance.lint-failed"


def test_content_of_another_profile_is_refused() -> None:
    with pytest.raises(PkiRefusedError, match=r"issuance|lint\.object\.malformed"):
        lint_prepared(prepared_root(authority_signer()), profile=LintProfile.CRL)


def test_named_curves_are_refused_where_the_dialect_wants_them_written_out() -> None:
    with pytest.raises(PkiRefusedError, match="parameters-explicit"):
        lint_prepared(
            prepared_root(authority_signer()),
            profile=LintProfile.CSCA_ROOT,
            dialect=Dialect.ICAO,
        )


def test_a_signature_over_other_content_does_not_get_out() -> None:
    signer = authority_signer()
    linted = lint_prepared(prepared_root(signer), profile=LintProfile.CSCA_ROOT)
    other = prepared_root(signer, point="http://other.example/csca.crl").sign(signer)
    for signed in (other, b"", b"\x30\x00"):
        with pytest.raises(PkiRefusedError) as caught:
            linted.check_signed(signed)
        assert caught.value.code == "issuance.content-changed"


def test_a_root_that_another_key_signed_does_not_get_out() -> None:
    prepared = prepared_root(authority_signer())
    linted = lint_prepared(prepared, profile=LintProfile.CSCA_ROOT)
    with pytest.raises(PkiRefusedError, match="self-signature") as caught:
        linted.check_signed(prepared.sign(authority_signer()))
    assert caught.value.code == "issuance.lint-failed"


def test_the_rehearsal_is_never_a_valid_certificate() -> None:
    signer = authority_signer()
    prepared = prepared_root(signer)
    rehearsed = prepared.sign(SoftwareSigner(ec.derive_private_key(2, ec.SECP384R1())))
    rules = {item.rule for item in lint(rehearsed, profile=LintProfile.CSCA_ROOT).errors}
    assert "lint.csca-root.self-signature" in rules


class MemoryJournal:
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def append_many(self, records: Sequence[Record]) -> tuple[JournalEntry, ...]:
        self.kinds += [record.kind for record in records]
        return ()


class Nowhere:
    def publish_certificate(self, name: str, der: bytes) -> None:
        raise AssertionError(name, der)

    publish_crl = publish_certificate


def test_the_authority_does_not_even_intend_to_sign_what_has_an_error(tmp_path: Path) -> None:
    journal = MemoryJournal()
    keystore = SoftwareKeystore.create(tmp_path / "keys", passphrase=b"0123456789abcdef")
    service = AuthorityService(
        keystore=keystore,
        recorder=Recorder(journal=journal, state=PkiState(), now=lambda: NOW),
        publication=Nowhere(),
        random_bytes=lambda count: bytes(range(count)),
    )
    request = AuthorityRequest(
        name="Trial", country="VN", is_test=True, distribution_point="ftp://pki.example/csca.crl"
    )
    with pytest.raises(PkiRefusedError, match=r"lint\.distribution-points\.scheme"):
        service.create_authority(request, profile=replace(CSCA, curve=NamedCurve.SECP384R1))
    assert journal.kinds == ["key.intended", "key.created"]
