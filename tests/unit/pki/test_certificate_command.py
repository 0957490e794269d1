"""``membercard-pki certificate verify``: every step, and what does not hold, with its code."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from pki.cli import main
from simulators.authority import SignerKind, TestAuthority
from simulators.testing import TEST_TIME
from simulators.trust_directory import write_trust_directory

NOW = TEST_TIME + timedelta(days=1)
AT = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def trust(tmp_path: Path, test_pki: TestAuthority) -> Path:
    directory = tmp_path / "trust"
    write_trust_directory(directory, [test_pki], now=NOW)
    return directory


def written(tmp_path: Path, name: str, content: bytes) -> str:
    path = tmp_path / name
    path.write_bytes(content)
    return str(path)


def test_a_document_signer_holds_and_every_step_says_why(
    tmp_path: Path, trust: Path, test_pki: TestAuthority, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, "ds.cer", test_pki.signers[SignerKind.CURRENT].certificate)
    status = main(
        ["certificate", "verify", file, "--trust", str(trust), "--at", AT, "--format", "json"]
    )
    (document,) = json.loads(capsys.readouterr().out)
    assert (status, document["holds"], document["code"], document["at"]) == (0, True, None, AT)
    assert [step["check"] for step in document["steps"]] == [
        "profile",
        "path",
        "validity",
        "revocation",
    ]
    assert len(document["path"]) == 2


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (SignerKind.REVOKED, ("[signer.revoked]", "revocation: ")),
        (SignerKind.EXPIRED, ("[signer.expired-at-signing]", "validity: ")),
    ],
)
def test_a_signer_that_does_not_hold_is_told_with_its_code(
    trust: Path,
    test_pki: TestAuthority,
    capsys: pytest.CaptureFixture[str],
    kind: SignerKind,
    told: tuple[str, str],
) -> None:
    file = written(trust, "ds.cer", test_pki.signers[kind].certificate)
    assert main(["certificate", "verify", file, "--trust", str(trust), "--at", AT]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert f"the path does not hold {told[0]}" in out
    assert told[1] in out


def test_the_general_profile_shows_what_it_tried(
    tmp_path: Path, trust: Path, test_pki: TestAuthority, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, "ds.cer", test_pki.signers[SignerKind.CURRENT].certificate)
    arguments = [
        "certificate",
        "verify",
        file,
        "--trust",
        str(trust),
        "--at",
        AT,
        "--format",
        "json",
    ]
    assert main([*arguments, "--profile", "path-alone"]) == 0
    (document,) = json.loads(capsys.readouterr().out)
    assert [step["check"] for step in document["steps"]] == [
        "signature",
        "constraints",
        "validity",
        "revocation",
    ]


def test_what_is_no_certificate_is_told_and_what_is_no_file_ends_the_command(
    tmp_path: Path, trust: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = written(tmp_path, "noise.cer", b"noise")
    assert main(["certificate", "verify", noise, "--trust", str(trust)]) == 1
    assert "[signer.profile]" in " ".join(capsys.readouterr().out.split())
    assert main(["certificate", "verify", str(tmp_path / "none.cer"), "--trust", str(trust)]) == 2
    assert "[certificate.unreadable]" in " ".join(capsys.readouterr().err.split())


def test_an_empty_trust_directory_trusts_nobody(
    tmp_path: Path, test_pki: TestAuthority, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, "ds.cer", test_pki.signers[SignerKind.CURRENT].certificate)
    assert (
        main(["certificate", "verify", file, "--trust", str(tmp_path / "nothing"), "--at", AT]) == 1
    )
    assert "[signer.authority-unknown]" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("moment", ["yesterday", "2026-11-22T08:00:00"])
def test_a_time_that_is_none_is_a_usage_error(tmp_path: Path, trust: Path, moment: str) -> None:
    file = written(tmp_path, "ds.cer", b"")
    assert main(["certificate", "verify", file, "--trust", str(trust), "--at", moment]) == 64
