"""The CSCA's next key: a link admits it, the one CRL covers both keys, and a break-off does no harm."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from pki.certificates import extensions as ext
from pki.certificates.anchor_scope import NO_SCOPE, AnchorScope, AnchorScopes, TrustPurpose
from pki.certificates.authority_path import fingerprint, scope_of
from pki.certificates.certificate import load_certificate
from pki.certificates.issue import prepare_link_certificate
from pki.certificates.profile import ProfileVariant, load_certificate_profile
from pki.certificates.trust import TrustAnchors, check_revocation, find_authority
from pki.errors import PkiError
from pki.services.authority import AuthorityRequest
from pki.services.revocation import RevocationService
from pki.services.trust_export import export_trust

CSCA = load_certificate_profile("csca")
DS = load_certificate_profile("document-signer")
REQUEST = AuthorityRequest(
    name="Trial",
    country="VN",
    is_test=True,
    distribution_point="http://pki.example/csca-1.crl",
    variant=ProfileVariant.ICAO,
)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


@pytest.fixture
def rolled(memory_office: Any) -> Any:
    """An authority with a signer under its first key, and one under its second."""
    with memory_office.open() as service:
        service.create_authority(REQUEST, profile=CSCA)
        service.create_signer("ds-1", profile=DS)
        service.issue_crl()
        memory_office.now += timedelta(days=365)
        record = service.roll_over(profile=CSCA.with_key("brainpoolP384r1"))
        assert record.key_id == "csca-2"
        service.create_signer("ds-2", profile=DS)
        service.issue_crl()
    return memory_office


def test_the_link_is_signed_with_the_old_key_over_the_new_one(rolled: Any) -> None:
    first, second, link = (
        load_certificate(rolled.shelf.certificates[name])
        for name in ("csca-1", "csca-2", "csca-2-link")
    )
    assert link.public_key == second.public_key != first.public_key
    assert link.public_key_info == second.public_key_info
    assert (link.issuer, link.subject) == (first.subject, second.subject)
    assert link.verify_by(first.public_key)
    assert not link.verify_by(second.public_key)
    assert ext.decode_authority_key_identifier(
        link.extensions
    ) == ext.decode_subject_key_identifier(first.extensions)
    assert ext.decode_subject_key_identifier(link.extensions) == ext.decode_subject_key_identifier(
        second.extensions
    )
    # Doc 9303-12, 7.1.1: the link ends with the key that vouches for it.
    assert link.not_after == first.not_after < second.not_after
    assert len({item.serial_number for item in (first, second, link)}) == 3


def test_the_export_carries_both_authorities_and_the_link(rolled: Any) -> None:
    assert {file.path for file in export_trust(rolled.state)} == {
        "csca/csca-1.cer",
        "csca/csca-2.cer",
        "csca/csca-2-link.cer",
        "crl/csca-1.crl",
        "policy.toml",
    }


def test_signers_of_both_keys_are_trusted_under_the_newer_keys_list(rolled: Any) -> None:
    anchors = rolled.anchors()
    for signer_id, key_id in (("ds-1", "csca-1"), ("ds-2", "csca-2")):
        certificate = rolled.shelf.certificates[signer_id]
        authority = find_authority(certificate, anchors)
        assert authority.der == rolled.shelf.certificates[key_id]
        check_revocation(certificate, authority, anchors, now=rolled.now)


def test_a_signer_of_the_earlier_key_is_revoked_by_the_newer_keys_list(rolled: Any) -> None:
    with rolled.open() as service:
        service.revoke_signer("ds-1", reason="token lost")
        service.issue_crl()
    certificate = rolled.shelf.certificates["ds-1"]
    anchors = rolled.anchors()
    authority = find_authority(certificate, anchors)
    action = lambda: check_revocation(certificate, authority, anchors, now=rolled.now)  # noqa: E731 - one of many alike
    assert code_of(action) == "signer.revoked"


def test_without_the_link_a_list_of_the_newer_key_says_nothing_of_the_earlier_one(
    rolled: Any,
) -> None:
    certificates = [rolled.shelf.certificates[name] for name in ("csca-1", "csca-2")]
    anchors = TrustAnchors.from_bytes(certificates=certificates, crls=rolled.shelf.crls.values())
    certificate = rolled.shelf.certificates["ds-1"]
    authority = find_authority(certificate, anchors)
    action = lambda: check_revocation(certificate, authority, anchors, now=rolled.now)  # noqa: E731 - one of many alike
    assert code_of(action) == "signer.revocation-unknown"


def test_a_terminal_with_the_old_root_and_the_link_trusts_the_new_keys_signers(
    rolled: Any,
) -> None:
    anchors = TrustAnchors.from_bytes(
        certificates=[rolled.shelf.certificates[name] for name in ("csca-2-link", "csca-1")],
        crls=rolled.shelf.crls.values(),
    )
    certificate = rolled.shelf.certificates["ds-2"]
    authority = find_authority(certificate, anchors)
    assert authority.der == rolled.shelf.certificates["csca-2-link"]
    check_revocation(certificate, authority, anchors, now=rolled.now)


def test_a_link_alone_is_no_authority(rolled: Any) -> None:
    action = lambda: TrustAnchors.from_bytes(  # noqa: E731 - one of many alike
        certificates=[rolled.shelf.certificates["csca-2-link"]], crls=()
    )
    assert code_of(action) == "trust.authority-invalid"


def test_the_key_in_use_stays_and_the_earlier_one_can_be_destroyed(rolled: Any) -> None:
    with rolled.open() as service:
        revocation = RevocationService(service)
        assert code_of(lambda: revocation.destroy_key("csca-2")) == "signer.in-use"
        assert code_of(lambda: revocation.destroy_key("csca-2", is_early=True)) == "signer.in-use"
        revocation.destroy_key("csca-1")
        assert code_of(lambda: revocation.destroy_key("csca-1")) == "signer.destroyed"
        service.create_signer("ds-3", profile=DS)
        service.issue_crl()
    assert "csca-1" not in rolled.keystore.key_ids()
    assert rolled.state.authorities["csca-1"].destroyed_at == rolled.now


def test_a_third_key_follows_the_second_and_its_list_covers_all_three(rolled: Any) -> None:
    with rolled.open() as service:
        rolled.now += timedelta(days=300)
        assert service.roll_over(profile=CSCA).key_id == "csca-3"
        service.issue_crl()
    anchors = rolled.anchors()
    for signer_id in ("ds-1", "ds-2"):
        certificate = rolled.shelf.certificates[signer_id]
        authority = find_authority(certificate, anchors)
        check_revocation(certificate, authority, anchors, now=rolled.now)


def test_a_key_past_its_use_vouches_for_no_other(memory_office: Any) -> None:
    with memory_office.open() as service:
        service.create_authority(REQUEST, profile=CSCA)
        memory_office.now += timedelta(days=55 * 31)
        assert code_of(lambda: service.roll_over(profile=CSCA)) == "authority.key-usage-period"
    assert memory_office.keystore.key_ids() == ("csca-1",)


def test_a_profile_of_something_else_makes_no_key(memory_office: Any) -> None:
    with memory_office.open() as service:
        service.create_authority(REQUEST, profile=CSCA)
        assert code_of(lambda: service.roll_over(profile=DS)) == "certificate.request-invalid"
    assert memory_office.keystore.key_ids() == ("csca-1",)


def test_a_link_never_changes_name_or_test_mark(
    authority: Any, make_authority: Callable[..., Any]
) -> None:
    for other in (
        make_authority(common_name="TEST other"),
        make_authority(common_name="authority", is_test=False),
    ):
        action = lambda other=other: prepare_link_certificate(  # noqa: E731 - one of many alike
            authority_certificate=authority.certificate,
            successor_certificate=other.certificate,
            profile=CSCA,
            serial_number=2**100 + 9,
            not_before=authority.start,
        )
        assert code_of(action) == "certificate.request-invalid"


def test_the_next_key_is_trusted_for_what_the_key_that_linked_to_it_is(rolled: Any) -> None:
    shelf = rolled.shelf.certificates
    every = TrustAnchors.from_bytes(
        certificates=[shelf[name] for name in ("csca-2", "csca-2-link", "csca-1")], crls=[]
    ).authorities
    scope = AnchorScope(purposes=frozenset({TrustPurpose.MASTER_LISTS}))
    bound = AnchorScopes(named={fingerprint(shelf["csca-1"]): scope})
    assert {scope_of(item, every, bound) for item in every} == {scope}
    # Without the link nobody vouches for the next key; and the next key says nothing of the one before.
    alone = [item for item in every if item.is_self_signed]
    assert [scope_of(item, alone, bound) for item in alone] == [NO_SCOPE, scope]
    later = AnchorScopes(named={fingerprint(shelf["csca-2"]): scope})
    assert scope_of(alone[1], every, later) == NO_SCOPE
