"""The command that lints files: what it prints and how it ends."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pki.certificates.lint.registry import ALL_RULES
from pki.cli import main

Lint = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lint(capfd: pytest.CaptureFixture[str]) -> Lint:
    def call(*words: str | Path) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main(["lint", *map(str, words)])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def certificate(tmp_path: Path, authority: Any) -> Path:
    path = tmp_path / "csca.cer"
    path.write_bytes(authority.certificate)
    return path


def pem(der: bytes, label: str = "CERTIFICATE") -> bytes:
    body = base64.encodebytes(der)
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label.encode(), body, label.encode())


def test_a_certificate_of_ours_has_no_errors_in_the_private_dialect(
    lint: Lint, certificate: Path
) -> None:
    status, out, _ = lint("--dialect", "private", certificate)
    assert status == 0
    assert "csca-root, 0 errors" in out


def test_errors_give_status_1_with_rule_and_clause(lint: Lint, certificate: Path) -> None:
    status, out, _ = lint("--dialect", "icao", certificate)
    assert status == 1
    assert "error lint.key.parameters-explicit" in out
    assert "ICAO 9303-12, 4.1.6.3" in out


def test_every_block_of_a_pem_file_is_judged(lint: Lint, tmp_path: Path, certificate: Path) -> None:
    path = tmp_path / "several.pem"
    path.write_bytes(b"a comment\n" + pem(certificate.read_bytes()) * 2 + pem(b"\x30\x00"))
    status, out, _ = lint("--format", "json", "--dialect", "private", path)
    assert status == 2
    documents = json.loads(out)
    assert [item["profile"] for item in documents] == ["csca-root", "csca-root", None]
    assert documents[2]["findings"][0]["rule"] == "lint.object.malformed"


def test_a_crl_is_recognised(lint: Lint, tmp_path: Path, authority: Any) -> None:
    path = tmp_path / "csca.crl"
    path.write_bytes(pem(authority.crl(5), "X509 CRL"))
    status, out, _ = lint("--format", "json", path)
    assert status == 0
    assert json.loads(out)[0]["profile"] == "crl"


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x30\x80", b"-----BEGIN CERTIFICATE-----"])
def test_rubbish_gives_status_2(lint: Lint, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rubbish"
    path.write_bytes(content)
    status, out, _ = lint(path)
    assert status == 2
    assert out.count("lint.object.malformed") == 1


def test_a_missing_file_gives_status_2_and_the_others_are_judged(
    lint: Lint, tmp_path: Path, certificate: Path
) -> None:
    status, out, _ = lint("--dialect", "private", tmp_path / "absent", certificate)
    assert status == 2
    assert "absent: cannot be opened" in out
    assert "csca-root, 0 errors" in out


def test_a_wrong_profile_is_told(lint: Lint, certificate: Path) -> None:
    status, out, _ = lint("--profile", "crl", certificate)
    assert status == 2
    assert "expected a crl" in out


def test_rules_are_listed_for_programs_and_people(lint: Lint) -> None:
    status, out, _ = lint("--rules", "--format", "json")
    assert status == 0
    documents = json.loads(out)
    assert [item["code"] for item in documents] == [rule.code for rule in ALL_RULES]
    assert set(documents[0]) == {
        "code",
        "severity",
        "clause",
        "demands",
        "profiles",
        "dialects",
    }
    status, out, _ = lint("--rules")
    assert status == 0
    assert all(rule.code in out for rule in ALL_RULES)


@pytest.mark.parametrize("words", [(), ("--format", "markdown", "file"), ("--profile", "x", "f")])
def test_wrong_usage_gives_status_64(lint: Lint, words: tuple[str, ...]) -> None:
    status, _, err = lint(*words)
    assert status == 64
    assert "[usage]" in err
