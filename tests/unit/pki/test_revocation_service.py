"""A compromised signer is stopped at once, its cards are listed, and keys end with a record."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from pki.certificates.certificate import load_certificate, load_certificate_list
from pki.certificates.profile import load_certificate_profile
from pki.certificates.trust import check_revocation, find_authority
from pki.errors import PkiError
from pki.services.authority import AuthorityRequest
from pki.services.document_signer import InProcessDocumentSigner, SigningRequest
from pki.services.recorder import Recorder
from pki.services.revocation import RevocationService, references_signed_by
from pki.services.trust_export import export_trust
from pki.signed.security_object import StatusReference
from pki.signed.stop_list import StopList

CSCA = load_certificate_profile("csca")
DS = load_certificate_profile("document-signer")
STOP = load_certificate_profile("stop-list-signer")
REQUEST = AuthorityRequest(
    name="Trial", country="VN", is_test=True, distribution_point="http://pki.example/csca-1.crl"
)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


@pytest.fixture
def office(memory_office: Any) -> Any:
    with memory_office.open() as service:
        service.create_authority(REQUEST, profile=CSCA)
        service.create_signer("ds-1", profile=DS)
        service.create_signer("ds-2", profile=DS)
        service.create_signer("stop-1", profile=STOP)
        service.issue_crl()
    return memory_office


def sign(office: Any, recorder: Recorder, signer_id: str, *references: int) -> None:
    signer = InProcessDocumentSigner(
        record=recorder.state.signers[signer_id],
        signer=office.keystore.signer(signer_id),
        recorder=recorder,
    )
    signer.sign_many(
        [
            SigningRequest(
                reference=number.to_bytes(16, "big"),
                file_hashes={1: bytes(32), 2: bytes(32)},
                status_reference=StatusReference(list_id=bytes(8), index=number),
                signing_time=office.now,
            )
            for number in references
        ]
    )


def refusal(office: Any, signer_id: str) -> str:
    anchors = office.anchors()
    certificate = office.shelf.certificates[signer_id]
    authority = find_authority(certificate, anchors)
    return code_of(lambda: check_revocation(certificate, authority, anchors, now=office.now))


def test_a_compromised_signer_is_refused_by_the_export_before_any_new_crl(office: Any) -> None:
    with office.open() as service:
        record = RevocationService(service).compromise("ds-1", reason="token stolen")
        assert record.compromised_at == record.revoked_at == office.now
    assert refusal(office, "ds-1") == "signer.revoked"
    assert load_certificate_list(office.shelf.crls["csca-1"]).revoked == {}
    paths = {file.path for file in export_trust(office.state)}
    assert "stop/csca-1.stop" in paths
    stop_list = StopList.from_bytes(office.shelf.stop_lists["csca-1"])
    serial_number = load_certificate(office.shelf.certificates["ds-1"]).serial_number
    assert stop_list.stopped == {serial_number: office.now}
    assert b"token stolen" not in stop_list.der
    # The other signer goes on.
    anchors = office.anchors()
    certificate = office.shelf.certificates["ds-2"]
    check_revocation(certificate, find_authority(certificate, anchors), anchors, now=office.now)


def test_the_crl_is_staged_until_it_is_signed(office: Any) -> None:
    with office.open() as service:
        RevocationService(service).compromise("ds-1", reason="token stolen")
        assert service.state.crl_due == office.now + timedelta(hours=48)
        office.now += timedelta(hours=5)
        RevocationService(service).compromise("ds-2", reason="the same token")
        assert service.state.crl_due == office.now + timedelta(hours=43)
        crl = load_certificate_list(service.issue_crl())
        assert service.state.crl_due is None
    assert len(crl.revoked) == 2


def test_stop_lists_only_grow(office: Any) -> None:
    with office.open() as service:
        revocation = RevocationService(service)
        revocation.compromise("ds-1", reason="stolen")
        revocation.compromise("ds-2", reason="stolen")
        again = StopList.from_bytes(revocation.issue_stop_list(lifetime=timedelta(days=5)))
    assert again.number == 3
    assert len(again.stopped) == 2
    assert again.next_update == office.now + timedelta(days=5)


def test_without_a_stop_list_signer_the_compromise_is_recorded_all_the_same(
    memory_office: Any,
) -> None:
    with memory_office.open() as service:
        service.create_authority(REQUEST, profile=CSCA)
        service.create_signer("ds-1", profile=DS)
        service.issue_crl()
        revocation = RevocationService(service)
        action = lambda: revocation.compromise("ds-1", reason="stolen")  # noqa: E731 - one of many alike
        assert code_of(action) == "stop-list.no-signer"
    assert memory_office.state.signers["ds-1"].compromised_at == memory_office.now
    assert memory_office.state.crl_due is not None
    with memory_office.open() as service:
        service.create_signer("stop-1", profile=STOP)
        RevocationService(service).issue_stop_list()
    assert refusal(memory_office, "ds-1") == "signer.revoked"
    assert len(memory_office.entries("signer.compromised")) == 1


def test_a_compromised_stop_list_signer_signs_no_more(office: Any) -> None:
    with office.open() as service:
        revocation = RevocationService(service)
        action = lambda: revocation.compromise("stop-1", reason="stolen")  # noqa: E731 - one of many alike
        assert code_of(action) == "stop-list.no-signer"
        service.create_signer("stop-2", profile=STOP)
        revocation.issue_stop_list()
        service.issue_crl()
    found = StopList.from_bytes(office.shelf.stop_lists["csca-1"])
    assert found.signer.der == office.shelf.certificates["stop-2"]
    office.anchors()


def test_a_stop_list_signer_past_its_keys_use_is_not_taken(office: Any) -> None:
    office.now += timedelta(days=370)
    with office.open() as service:
        assert code_of(RevocationService(service).issue_stop_list) == "stop-list.no-signer"


def test_a_compromise_of_nobody_or_without_a_reason_does_nothing(office: Any) -> None:
    before = len(office.entries())
    with office.open() as service:
        revocation = RevocationService(service)
        for signer_id, reason, code in (
            ("ds-9", "stolen", "signer.unknown"),
            ("ds-1", "", "signing.request-invalid"),
            ("ds-1", "two\nlines", "signing.request-invalid"),
        ):
            action = lambda signer_id=signer_id, reason=reason: revocation.compromise(  # noqa: E731 - the same
                signer_id, reason=reason
            )
            assert code_of(action) == code
    assert len(office.entries()) == before


def test_a_revoked_signer_can_still_be_compromised(office: Any) -> None:
    with office.open() as service:
        service.revoke_signer("ds-1", reason="not needed")
        revoked_at = office.now
        office.now += timedelta(days=1)
        RevocationService(service).compromise("ds-1", reason="stolen after all")
    record = office.state.signers["ds-1"]
    assert (record.revoked_at, record.compromised_at) == (revoked_at, office.now)
    assert record.reason == "not needed"


def test_the_cards_of_a_signer_are_listed_exactly(office: Any) -> None:
    with office.open() as service:
        sign(office, service.recorder, "ds-1", 1, 2, 3)
        sign(office, service.recorder, "ds-2", 4)
        sign(office, service.recorder, "ds-1", 5)
        RevocationService(service).compromise("ds-1", reason="stolen")
        assert code_of(lambda: sign(office, service.recorder, "ds-1", 6)) == "signer.revoked"
    found = list(references_signed_by(office.entries(), "ds-1"))
    assert [int(item.reference, 16) for item in found] == [1, 2, 3, 5]
    assert {item.signing_time for item in found} == {f"{office.now:%Y-%m-%dT%H:%M:%SZ}"}


def test_a_key_is_destroyed_at_the_end_of_its_use_with_a_record(office: Any) -> None:
    with office.open() as service:
        revocation = RevocationService(service)
        assert code_of(lambda: revocation.destroy_key("ds-1")) == "signer.in-use"
        office.now += timedelta(days=93)
        revocation.destroy_key("ds-1")
        assert code_of(lambda: revocation.destroy_key("ds-1")) == "signer.destroyed"
        assert code_of(lambda: revocation.destroy_key("stop-1")) == "signer.in-use"
        revocation.destroy_key("stop-1", is_early=True)
        assert code_of(lambda: revocation.destroy_key("ds-9")) == "signer.unknown"
    assert office.keystore.key_ids() == ("csca-1", "ds-2")
    for kind in ("key.destruction-intended", "key.destroyed"):
        assert [entry.text("key") for entry in office.entries(kind)] == ["ds-1", "stop-1"]
    assert office.state.signers["ds-1"].destroyed_at == office.now
    # Its cards stay good: only the key is gone.
    anchors = office.anchors()
    certificate = office.shelf.certificates["ds-1"]
    with office.open() as service:
        service.issue_crl()
    anchors = office.anchors()
    check_revocation(certificate, find_authority(certificate, anchors), anchors, now=office.now)


def test_a_revoked_signers_key_can_be_destroyed_at_once(office: Any) -> None:
    with office.open() as service:
        service.revoke_signer("ds-1", reason="not needed")
        RevocationService(service).destroy_key("ds-1")
        # A key that a crash destroyed before it was recorded is recorded the next time.
        service.revoke_signer("ds-2", reason="not needed")
        office.keystore.destroy("ds-2")
        RevocationService(service).destroy_key("ds-2")
    assert office.keystore.key_ids() == ("csca-1", "stop-1")
    assert office.state.signers["ds-2"].destroyed_at == office.now
