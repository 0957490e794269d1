from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pki.certificates.issue import issue_authority_certificate
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import load_certificate_profile
from pki.certificates.trust import (
    TrustAnchors,
    check_revocation,
    check_signer_profile,
    check_validity,
    find_authority,
)
from pki.errors import PkiRefusedError
from pki.keys.software import SoftwareSigner
from simulators.authority import CertifiedKey, SignerKind, TestAuthority
from simulators.errors import SimulatorError

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority.create(now=NOW.replace(microsecond=7))


def anchors(authority: TestAuthority, *, now: datetime = NOW) -> TrustAnchors:
    return TrustAnchors.from_bytes(
        certificates=[authority.root.certificate], crls=[authority.revocation_list(now=now)]
    )


@pytest.mark.parametrize("kind", SignerKind)
def test_every_signer_has_the_profile_and_the_path(
    authority: TestAuthority, kind: SignerKind
) -> None:
    certificate = authority.signers[kind].certificate
    check_signer_profile(certificate, document_code="CM", allow_test=True)
    assert find_authority(certificate, anchors(authority)).der == authority.root.certificate


@pytest.mark.parametrize("kind", SignerKind)
def test_every_signer_is_marked_as_a_test(authority: TestAuthority, kind: SignerKind) -> None:
    with pytest.raises(PkiRefusedError) as caught:
        check_signer_profile(
            authority.signers[kind].certificate, document_code="CM", allow_test=False
        )
    assert caught.value.code == "signer.test-authority"


@pytest.mark.parametrize("later", [timedelta(0), timedelta(days=400)])
def test_what_the_current_signer_signed_at_its_time_stays_valid(
    authority: TestAuthority, later: timedelta
) -> None:
    certificate = authority.signers[SignerKind.CURRENT].certificate
    now = NOW + later
    trusted = anchors(authority, now=now)
    found = find_authority(certificate, trusted)
    check_validity(certificate, found, signing_time=authority.created_at, now=now)
    check_revocation(certificate, found, trusted, now=now)


def test_the_expired_signer_had_expired(authority: TestAuthority) -> None:
    certificate = authority.signers[SignerKind.EXPIRED].certificate
    found = find_authority(certificate, anchors(authority))
    with pytest.raises(PkiRefusedError) as caught:
        check_validity(certificate, found, signing_time=authority.created_at, now=NOW)
    assert caught.value.code == "signer.expired-at-signing"


def test_the_revoked_signer_is_valid_and_listed(authority: TestAuthority) -> None:
    certificate = authority.signers[SignerKind.REVOKED].certificate
    trusted = anchors(authority)
    found = find_authority(certificate, trusted)
    check_validity(certificate, found, signing_time=authority.created_at, now=NOW)
    with pytest.raises(PkiRefusedError) as caught:
        check_revocation(certificate, found, trusted, now=NOW)
    assert caught.value.code == "signer.revoked"


def test_the_time_of_creation_has_whole_seconds(authority: TestAuthority) -> None:
    assert authority.created_at == NOW


def test_a_saved_authority_loads_as_it_was(authority: TestAuthority, tmp_path: Path) -> None:
    authority.save(tmp_path / "forger")
    loaded = TestAuthority.load(tmp_path / "forger")
    assert (loaded.created_at, loaded.name) == (authority.created_at, authority.name)
    assert loaded.root.certificate == authority.root.certificate
    for kind in SignerKind:
        assert loaded.signers[kind].certificate == authority.signers[kind].certificate
        assert loaded.signers[kind].signer.public_key == authority.signers[kind].signer.public_key


def test_keys_are_for_their_owner_only(authority: TestAuthority, tmp_path: Path) -> None:
    authority.save(tmp_path)
    keys = list(tmp_path.glob("*.key"))
    assert len(keys) == 4
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}


def test_load_or_create_makes_one_and_keeps_it(tmp_path: Path) -> None:
    first = TestAuthority.load_or_create(tmp_path / "new", now=NOW, name="TEST one")
    second = TestAuthority.load_or_create(
        tmp_path / "new", now=NOW + timedelta(days=1), name="TEST two"
    )
    assert second.root.certificate == first.root.certificate
    assert second.name == "TEST one"


def test_a_folder_without_an_authority_is_told(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError) as caught:
        TestAuthority.load(tmp_path)
    assert caught.value.code == "authority.not-found"


@pytest.mark.parametrize("name", ["csca.key", "signer-current.cer", "signer-revoked.key"])
@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_broken_files_of_an_authority_are_refused(
    authority: TestAuthority, tmp_path: Path, name: str, content: bytes | None
) -> None:
    authority.save(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SimulatorError) as caught:
        TestAuthority.load(tmp_path)
    assert caught.value.code == "authority.malformed"


def test_a_key_of_another_certificate_is_refused(authority: TestAuthority, tmp_path: Path) -> None:
    current = authority.signers[SignerKind.CURRENT]
    swapped = replace(current, private_key=authority.signers[SignerKind.REVOKED].private_key)
    replace(authority, signers={**authority.signers, SignerKind.CURRENT: swapped}).save(tmp_path)
    with pytest.raises(SimulatorError) as caught:
        TestAuthority.load(tmp_path)
    assert caught.value.code == "authority.malformed"


def test_an_authority_that_cannot_be_saved_is_told(
    authority: TestAuthority, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SimulatorError) as caught:
        authority.save(tmp_path / "file")
    assert caught.value.code == "authority.not-written"


def test_no_key_shows_in_the_text_of_an_authority(authority: TestAuthority) -> None:
    scalar = authority.root.private_key.private_numbers().private_value
    assert f"{scalar}" not in repr(authority)
    assert "private_key" not in repr(authority)


@pytest.mark.parametrize("is_test", [True, False])
def test_only_an_authority_that_is_marked_as_a_test_makes_simulated_cards(
    authority: TestAuthority, *, is_test: bool
) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    certificate = issue_authority_certificate(
        signer=SoftwareSigner(key),
        profile=load_certificate_profile("csca"),
        # The mark is the policy, or the word in the name: here there are both, or neither.
        name=DistinguishedName(country="VN", common_name="TEST CSCA" if is_test else "CSCA"),
        serial_number=2**100,
        not_before=NOW,
        is_test=is_test,
    )
    root = CertifiedKey(private_key=key, certificate=certificate)
    if is_test:
        assert replace(authority, root=root).name == "TEST CSCA"
        return
    with pytest.raises(SimulatorError) as caught:
        replace(authority, root=root)
    assert caught.value.code == "authority.not-for-tests"
