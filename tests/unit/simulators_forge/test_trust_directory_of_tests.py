from datetime import timedelta
from pathlib import Path

import pytest

from pki.certificates.authority_path import fingerprint
from simulators.authority import TestAuthority
from simulators.errors import SimulatorError
from simulators.testing import TEST_TIME
from simulators.trust_directory import TEST_POLICY, add_to_trust_directory, write_trust_directory
from verifier.inspection.checks import CheckName
from verifier.inspection.policy import Policy
from verifier.trust.directory import load_trust


def test_the_verifier_takes_the_trust_directory(test_pki: TestAuthority, tmp_path: Path) -> None:
    write_trust_directory(tmp_path / "trust", [test_pki], now=TEST_TIME)
    trust = load_trust(tmp_path / "trust")
    assert [each.der for each in trust.anchors.authorities] == [test_pki.root.certificate]
    assert len(trust.anchors.revocation_lists) == 1


def test_the_policy_requires_every_check_of_the_card() -> None:
    policy = Policy.from_bytes(TEST_POLICY.encode())
    assert policy.allow_test_authorities
    # What a terminal may do and show says nothing about the card (SPEC.md, 9.21 to 9.23).
    about_the_terminal = {
        CheckName.TERMINAL_AUTHENTICATION,
        CheckName.PROTECTED_DATA_GROUPS,
        CheckName.PORTRAIT,
    }
    # Test authorities publish no status list.
    about_the_terminal.add(CheckName.CARD_STATUS)
    assert policy.required_checks() == frozenset(CheckName) - about_the_terminal


def test_a_further_authority_is_added_beside_the_first(
    test_pki: TestAuthority, tmp_path: Path
) -> None:
    write_trust_directory(tmp_path, [test_pki], now=TEST_TIME)
    other = TestAuthority.create(now=TEST_TIME, name="TEST other")
    add_to_trust_directory(tmp_path, other, now=TEST_TIME)
    assert len(load_trust(tmp_path).anchors.authorities) == 2


def test_adding_again_renews_the_revocation_list_only(
    test_pki: TestAuthority, tmp_path: Path
) -> None:
    write_trust_directory(tmp_path, [test_pki], now=TEST_TIME)
    later = TEST_TIME + timedelta(days=80)
    add_to_trust_directory(tmp_path, test_pki, now=later)
    trust = load_trust(tmp_path)
    (current,) = trust.anchors.revocation_lists
    assert len(trust.anchors.authorities) == 1
    assert current.this_update == later


def test_a_policy_that_binds_authorities_binds_the_further_one_once(
    test_pki: TestAuthority, tmp_path: Path
) -> None:
    policy = TEST_POLICY + (
        f'\n[[anchors]]\ncertificate = "sha256:{fingerprint(test_pki.root.certificate)}"\n'
        'purposes = ["documents"]\nstates = ["VNM"]\ndocument_codes = ["CM"]\n'
    )
    write_trust_directory(tmp_path, [test_pki], now=TEST_TIME, policy=policy)
    other = TestAuthority.create(now=TEST_TIME, name="TEST other")
    for _ in range(2):
        add_to_trust_directory(tmp_path, other, now=TEST_TIME, bind=True)
    anchors = load_trust(tmp_path).policy.anchors
    assert anchors is not None
    assert set(anchors) == {
        fingerprint(authority.root.certificate) for authority in (test_pki, other)
    }


def test_a_policy_that_binds_nobody_is_left_alone(test_pki: TestAuthority, tmp_path: Path) -> None:
    write_trust_directory(tmp_path, [], now=TEST_TIME)
    add_to_trust_directory(tmp_path, test_pki, now=TEST_TIME, bind=True)
    assert (tmp_path / "policy.toml").read_text() == TEST_POLICY


def test_what_is_no_trust_directory_is_left_alone(test_pki: TestAuthority, tmp_path: Path) -> None:
    with pytest.raises(SimulatorError) as caught:
        add_to_trust_directory(tmp_path, test_pki, now=TEST_TIME)
    assert caught.value.code == "trust.not-found"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_told(
    test_pki: TestAuthority, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SimulatorError) as caught:
        write_trust_directory(tmp_path / "file", [test_pki], now=TEST_TIME)
    assert caught.value.code == "trust.not-written"
