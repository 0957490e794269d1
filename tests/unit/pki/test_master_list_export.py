"""Our own master list goes through the issuance cycle: recorded, linted, logged, signed once, and never back in time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pki.certificates.lint.findings import Dialect
from pki.certificates.lint.linter import lint
from pki.certificates.master_list_signer import ListAuthorities
from pki.certificates.profile import ProfileVariant, load_certificate_profile
from pki.errors import PkiError
from pki.services.authority import AuthorityRequest
from pki.services.master_list_export import MasterListExport
from pki.services.master_list_reading import verify_master_list
from pki.services.revocation import RevocationService
from pki.services.rule_linter import RuleLinter
from pki.services.state import SIGNATURE_KINDS
from pki.signed.master_list import MasterList

CSCA = load_certificate_profile("csca")
LISTS = load_certificate_profile("master-list-signer")
DS = load_certificate_profile("document-signer")
REQUEST = AuthorityRequest(
    name="Trial", country="VN", is_test=True, distribution_point="http://pki.example/csca-1.crl"
)
SECOND = timedelta(seconds=1)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


@pytest.fixture
def office(memory_office: Any) -> Any:
    memory_office.linter = RuleLinter()
    with memory_office.open() as service:
        service.create_authority(REQUEST, profile=CSCA)
        service.create_signer("lists-1", profile=LISTS)
        service.create_signer("ds-1", profile=DS)
    return memory_office


def export(office: Any, signer_id: str | None = None) -> MasterList:
    with office.open() as service:
        return MasterListExport(service).issue(signer_id)


def test_a_list_holds_roots_and_links_and_our_own_verification_believes_it(office: Any) -> None:
    with office.open() as service:
        service.roll_over(profile=CSCA)
    found = export(office, "lists-1")
    first, second = office.state.authorities.values()
    assert set(found.listed) == {first.certificate, second.certificate, second.link}
    assert set(found.carried) == {
        first.certificate,
        office.state.signers["lists-1"].certificate,
    }
    assert office.shelf.master_lists == {"csca-1": found.der}
    for root in (first.certificate, second.certificate):
        report = verify_master_list(
            found.der, trusted=ListAuthorities.from_bytes(given=[root]), at=office.now
        )
        is_issuer = root == first.certificate
        assert (report.judgement is not None) is is_issuer
        assert report.usable == len(found.listed)


def test_a_list_of_the_icao_profile_is_linted_and_believed_as_well(memory_office: Any) -> None:
    memory_office.linter = RuleLinter()
    with memory_office.open() as service:
        service.create_authority(replace(REQUEST, variant=ProfileVariant.ICAO), profile=CSCA)
        service.create_signer("lists-1", profile=LISTS)
    found = export(memory_office)
    assert not lint(found.der, dialect=Dialect.ICAO).errors
    report = verify_master_list(
        found.der, trusted=ListAuthorities.from_bytes(given=found.listed), at=memory_office.now
    )
    assert report.code is None


def test_the_signature_is_announced_before_it_is_made_and_has_a_leaf(office: Any) -> None:
    found = export(office)
    intended, issued = office.entries("master-list.intended"), office.entries("master-list.issued")
    assert len(intended) == len(issued) == 1
    assert intended[0].sequence < issued[0].sequence
    assert bytes.fromhex(issued[0].text("list")) == found.der
    assert intended[0].kind in SIGNATURE_KINDS
    assert office.state.master_list == found.der


def test_signing_times_only_grow(office: Any) -> None:
    office.now += timedelta(days=2)
    first = export(office)
    assert code_of(lambda: export(office)) == "master-list.not-newer"
    office.now -= timedelta(days=1)
    assert code_of(lambda: export(office)) == "master-list.not-newer"
    office.now += timedelta(days=1) + SECOND
    assert export(office).signing_time == first.signing_time + SECOND


def test_a_time_stays_used_where_a_crash_left_it_unknown_whether_a_list_exists(
    office: Any, crash_error: type[Exception]
) -> None:
    office.keystore.after.at = office.keystore.after.count + 1
    with pytest.raises(crash_error):
        export(office)
    assert office.state.master_list is None
    assert code_of(lambda: export(office)) == "master-list.not-newer"
    office.now += SECOND
    assert export(office).signing_time == office.now


def test_only_a_master_list_signer_that_may_sign_now_signs(office: Any) -> None:
    assert code_of(lambda: export(office, "nobody")) == "signer.unknown"
    assert code_of(lambda: export(office, "ds-1")) == "master-list.no-signer"
    with office.open() as service:
        RevocationService(service).destroy_key("lists-1", is_early=True)
    assert code_of(lambda: export(office, "lists-1")) == "master-list.no-signer"
    assert code_of(lambda: export(office)) == "master-list.no-signer"
    office.now += timedelta(days=30)
    with office.open() as service:
        service.create_signer("lists-2", profile=LISTS)
        service.create_signer("lists-3", profile=LISTS)
        service.revoke_signer("lists-3", reason="not wanted")
    assert export(office).signer_certificate == office.state.signers["lists-2"].certificate
    office.now += timedelta(days=400)
    assert code_of(lambda: export(office)) == "master-list.no-signer"


def test_without_an_authority_there_is_no_list(memory_office: Any) -> None:
    with memory_office.open() as service:
        assert code_of(MasterListExport(service).issue) == "authority.missing"


def test_what_the_lint_finds_is_not_signed(office: Any) -> None:
    class Strict:
        def findings(self, draft: Any) -> list[str]:
            return [f"no {draft.kind.value} today"]

    office.linter = Strict()
    assert code_of(lambda: export(office)) == "issuance.lint-failed"
    assert not office.entries("master-list.intended")
    assert office.shelf.master_lists == {}
