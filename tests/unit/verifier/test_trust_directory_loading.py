"""The trust directory: all of it or an error that names the broken file; nothing there is nothing trusted."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pki.certificates.certificate import load_certificate
from pki.certificates.issue import issue_link_certificate, issue_signer_certificate
from pki.certificates.names import DistinguishedName
from pki.certificates.profile import load_certificate_profile
from pki.keys.software import SoftwareSigner
from pki.signed.stop_list import prepare_stop_list
from simulators.authority import SignerKind, TestAuthority
from simulators.trust_directory import write_trust_directory
from verifier.errors import TrustError
from verifier.inspection.policy import Policy
from verifier.inspection.report import Verdict, inspect
from verifier.inspection.snapshot import CardSnapshot
from verifier.trust.directory import load_trust


@pytest.fixture
def directory(tmp_path: Path, test_pki: TestAuthority, now: datetime) -> Path:
    write_trust_directory(tmp_path, [test_pki], now=now)
    return tmp_path


def test_a_whole_directory_accepts_the_cards_of_its_authorities(
    directory: Path, accepted_snapshot: CardSnapshot, now: datetime
) -> None:
    (directory / "csca" / "README").write_text("notes are left alone")
    trust = load_trust(directory)
    report = inspect(accepted_snapshot, trust=trust.anchors, policy=trust.policy, now=now)
    assert report.verdict is Verdict.ACCEPTED


def test_an_empty_directory_refuses_every_card(
    tmp_path: Path, accepted_snapshot: CardSnapshot, now: datetime
) -> None:
    trust = load_trust(tmp_path)
    assert trust.policy == Policy()
    report = inspect(accepted_snapshot, trust=trust.anchors, policy=trust.policy, now=now)
    assert report.verdict is Verdict.REFUSED
    assert report.codes == ("policy.empty",)


def test_no_directory_is_an_error_and_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(TrustError) as caught:
        load_trust(tmp_path / "nowhere")
    assert caught.value.code == "trust.missing"
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("csca/broken.cer", b"not a certificate", "trust.malformed"),
        ("csca/empty.cer", b"", "trust.malformed"),
        ("csca/long.cer", bytes(20_000), "trust.malformed"),
        ("crl/broken.crl", b"\x30\x00", "trust.malformed"),
        ("crl/long.crl", bytes(5_000_000), "trust.malformed"),
        ("stop/broken.stop", b"\x30\x00", "trust.malformed"),
        ("stop/empty.stop", b"", "trust.malformed"),
        ("stop/long.stop", bytes(1_100_000), "trust.malformed"),
        ("policy.toml", b"format = 3", "policy.malformed"),
        ("policy.toml", b"\xff", "policy.malformed"),
    ],
)
def test_a_broken_file_is_an_error_that_names_it(
    directory: Path, name: str, content: bytes, code: str
) -> None:
    (directory / name).parent.mkdir(exist_ok=True)
    (directory / name).write_bytes(content)
    with pytest.raises(TrustError) as caught:
        load_trust(directory)
    assert caught.value.code == code
    assert name in str(caught.value)


def test_a_certificate_of_a_signer_is_no_authority(
    directory: Path, test_pki: TestAuthority
) -> None:
    signer = next(iter(test_pki.signers.values()))
    (directory / "csca" / "signer.cer").write_bytes(signer.certificate)
    with pytest.raises(TrustError) as caught:
        load_trust(directory)
    assert caught.value.code == "trust.malformed"


def test_a_pipe_in_the_directory_does_not_hang(directory: Path) -> None:
    os.mkfifo(directory / "crl" / "pipe.crl")
    with pytest.raises(TrustError) as caught:
        load_trust(directory)
    assert "pipe.crl" in str(caught.value)


def test_too_many_files_are_refused(directory: Path) -> None:
    for number in range(257):
        (directory / "crl" / f"{number}.crl").write_bytes(b"")
    with pytest.raises(TrustError) as caught:
        load_trust(directory)
    assert "257 files" in str(caught.value) or "258 files" in str(caught.value)


def write_stop_list(
    directory: Path, authority: TestAuthority, *, of: TestAuthority, now: datetime
) -> None:
    """A list that stops the current signer of one authority, its signer certified by another or the same."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = issue_signer_certificate(
        authority_signer=authority.root.signer,
        authority_certificate=authority.root.certificate,
        public_key=key.public_key(),
        profile=load_certificate_profile("stop-list-signer"),
        name=DistinguishedName(country="VN", common_name="TEST stop"),
        serial_number=1 << 100,
        not_before=now - timedelta(days=2),
    )
    stopped = load_certificate(of.signers[SignerKind.CURRENT].certificate).serial_number
    prepared = prepare_stop_list(
        signer_certificate=certificate,
        public_key=key.public_key(),
        number=7,
        this_update=now - timedelta(days=1),
        next_update=now + timedelta(days=20),
        stopped={stopped: now - timedelta(days=1)},
    )
    (directory / "stop").mkdir()
    (directory / "stop" / "now.stop").write_bytes(prepared.sign(SoftwareSigner(key)))


def test_a_card_of_a_stopped_signer_is_refused_at_once_and_the_report_names_the_list(
    directory: Path, test_pki: TestAuthority, accepted_snapshot: CardSnapshot, now: datetime
) -> None:
    write_stop_list(directory, test_pki, of=test_pki, now=now)
    trust = load_trust(directory)
    report = inspect(accepted_snapshot, trust=trust.anchors, policy=trust.policy, now=now)
    assert report.verdict is Verdict.REFUSED
    assert report.codes == ("signer.revoked",)
    assert "is on stop list 7" in str(report.to_json())


def test_a_stop_list_that_is_out_of_date_fails_closed(
    directory: Path, test_pki: TestAuthority, accepted_snapshot: CardSnapshot, now: datetime
) -> None:
    other = TestAuthority.create(now=now)
    write_stop_list(directory, test_pki, of=other, now=now)
    trust = load_trust(directory)
    for moment, codes in (
        (now, ()),
        (now + timedelta(days=21), ("signer.revocation-unknown",)),
    ):
        report = inspect(accepted_snapshot, trust=trust.anchors, policy=trust.policy, now=moment)
        assert report.codes == codes


def test_a_stop_list_that_no_authority_vouches_for_stops_the_terminal(
    directory: Path, test_pki: TestAuthority, now: datetime
) -> None:
    write_stop_list(directory, TestAuthority.create(now=now), of=test_pki, now=now)
    with pytest.raises(TrustError, match=r"now\.stop") as caught:
        load_trust(directory)
    assert caught.value.code == "trust.malformed"


def test_a_link_certificate_is_admitted_with_its_root_and_never_alone(
    tmp_path: Path, test_pki: TestAuthority, now: datetime
) -> None:
    successor = TestAuthority.create(now=now)
    link = issue_link_certificate(
        authority_signer=test_pki.root.signer,
        authority_certificate=test_pki.root.certificate,
        successor_certificate=successor.root.certificate,
        profile=load_certificate_profile("csca"),
        serial_number=1 << 100,
        not_before=now,
    )
    write_trust_directory(tmp_path, [test_pki], now=now)
    (tmp_path / "csca" / "link.cer").write_bytes(link)
    assert len(load_trust(tmp_path).anchors.authorities) == 2
    for path in (tmp_path / "csca").glob("test-*.cer"):
        path.unlink()
    with pytest.raises(TrustError) as caught:
        load_trust(tmp_path)
    assert caught.value.code == "trust.malformed"
