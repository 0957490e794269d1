"""``membercard-verifier watch`` and ``trust show``: card after card at a keyboard, and what is trusted there."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pki.signed.trust_bundle import TrustBundle
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.trust_directory import write_trust_directory
from tests.unit.verifier.bundle_office import BundleOffice, layout_files
from tests.unit.verifier.status_office import StatusOffice
from verifier.cli import main
from verifier.trust.bundle_install import install_bundle


@pytest.fixture
def trust(test_pki: Any, tmp_path: Path) -> Path:
    write_trust_directory(tmp_path / "trust", [test_pki], now=datetime.now(UTC))
    return tmp_path / "trust"


@pytest.fixture
def reader(issued_card: Any, tmp_path: Path) -> str:
    (tmp_path / "card.json").write_text(issued_card.to_json(), "utf-8")
    return f"sim:{tmp_path / 'card.json'}"


def test_one_card_is_judged_and_a_slip_of_the_finger_is_asked_for_again(
    trust: Path, reader: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"12345\nabcdef\n{TEST_CAN}\n"))
    status = main(
        ["watch", "--reader", reader, "--trust", str(trust), "--profile", "membercard-1-icao",
         "--count", "1", "--format", "json"]
    )  # fmt: skip
    captured = capsys.readouterr()
    assert status == 0, captured.err
    assert json.loads(captured.out)["verdict"] == "accepted"
    assert len(captured.out.splitlines()) == 1
    assert captured.err.count("error: ") == 2
    assert captured.err.startswith("Put a card in.\nThe six digits on the card: ")


def test_it_ends_with_its_input(
    trust: Path, reader: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["watch", "--reader", reader, "--trust", str(trust)]) == 0
    assert capsys.readouterr().out == ""


def test_what_was_put_there_one_by_one_is_shown(
    trust: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trust", "show", "--trust", str(trust), "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["bundle"] is None
    assert [each["kind"] for each in shown["trusted"]] == ["csca", "crl"]
    assert shown["trusted"][0]["detail"] == "for tests only"
    assert shown["trusted"][0]["name"] == shown["trusted"][1]["name"]
    assert shown["allows_test_authorities"] is True
    assert main(["trust", "show", "--trust", str(trust)]) == 0
    text = capsys.readouterr().out
    assert "No bundle is installed" in text
    assert "this is no terminal for real cards" in text


def test_an_installed_bundle_is_shown_with_its_lists(
    test_pki: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = TEST_TIME + timedelta(minutes=1)
    status = StatusOffice(authority=test_pki).sign(None, None, at=now)
    trust = tmp_path / "installed"
    write_trust_directory(trust, [test_pki], now=now)
    files = layout_files(test_pki, now=now, status=status)
    install_bundle(TrustBundle.from_bytes(BundleOffice(test_pki).bundle(files, at=now)), trust)

    assert main(["trust", "show", "--trust", str(trust), "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["bundle"]["number"] == 1
    assert [each["kind"] for each in shown["trusted"]] == ["csca", "crl", "status-list"]
    assert shown["trusted"][2]["detail"].startswith("8 positions, as of ")


def test_a_directory_that_trusts_nobody_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trust", "show", "--trust", str(tmp_path)]) == 0
    assert "every card is refused" in capsys.readouterr().out
    assert main(["trust", "show", "--trust", str(tmp_path / "nowhere")]) == 2
    assert "[trust.missing]" in capsys.readouterr().err
