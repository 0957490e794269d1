"""The trust directory: all of it or an error that names the broken file; nothing there is nothing trusted."""

import os
from datetime import datetime
from pathlib import Path

import pytest

from simulators.authority import TestAuthority
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
        ("policy.toml", b"format = 3", "policy.malformed"),
        ("policy.toml", b"\xff", "policy.malformed"),
    ],
)
def test_a_broken_file_is_an_error_that_names_it(
    directory: Path, name: str, content: bytes, code: str
) -> None:
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
