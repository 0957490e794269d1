"""Operators and authorisations on the command line."""

import json
import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pki.cli import main

Run = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main(["--home", str(tmp_path / "pki"), *(str(word) for word in words)])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    create = ("--test", "--name", "Trial", "--keystore", "file", "--pin-file", tmp_path / "pki.pin")
    assert call("authority", "create", *create)[0] == 0
    assert call("signer", "create", "--id", "ds-1")[0] == 0
    return call


@pytest.fixture
def enrolled(run: Run, tmp_path: Path) -> Run:
    for name in ("an", "binh"):
        assert (
            run("operator", "enrol", name, "--operator-pin-file", tmp_path / f"{name}.pin")[0] == 0
        )
    return run


def document(outcome: tuple[int, str, str]) -> Any:
    status, out, err = outcome
    assert status == 0, err
    return json.loads(out)


def create(run: Run, path: Path, *words: object) -> tuple[int, str, str]:
    return run("authorisation", "create", "--cards", 5, "--out", path, *words)


def sign(run: Run, path: Path, name: str, *words: object) -> tuple[int, str, str]:
    pin_file = path.with_name(f"{name}.pin")
    options = ("--operator", name, "--operator-pin-file", pin_file, *words)
    return run("authorisation", "sign", path, *options)


def test_two_operators_sign_what_was_written_down(enrolled: Run, tmp_path: Path) -> None:
    path = tmp_path / "batch.json"
    made = document(create(enrolled, path, "--until", "3d", "--format", "json"))
    assert (made["signer"], made["cards"]) == ("ds-1", 5)
    assert (made["operators"], made["problem"]) == ("", "authorisation.signatures-missing")
    until = datetime.strptime(made["until"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(until - datetime.now(UTC) - timedelta(days=3)) < timedelta(minutes=1)
    signed = document(sign(enrolled, path, "an", "--format", "json"))
    assert signed["problem"] == "authorisation.signatures-missing"
    signed = document(sign(enrolled, path, "binh", "--format", "json"))
    assert (signed["operators"], signed["problem"]) == ("an, binh", None)
    shown = document(enrolled("authorisation", "show", path, "--format", "json"))
    assert shown == signed
    assert shown["batch"] == made["batch"]


def test_an_operator_signs_once_and_with_the_operators_own_pin(
    enrolled: Run, tmp_path: Path
) -> None:
    path = tmp_path / "batch.json"
    create(enrolled, path, "--until", "1h")
    status, _, err = enrolled(
        "authorisation",
        "sign",
        path,
        "--operator",
        "an",
        "--operator-pin-file",
        tmp_path / "binh.pin",
    )
    assert (status, "[keystore.passphrase-wrong]" in err) == (2, True)
    assert sign(enrolled, path, "an")[0] == 0
    status, _, err = sign(enrolled, path, "an")
    assert (status, "[authorisation.same-operator]" in err) == (1, True)
    keys = tmp_path / "pki" / "operators" / "an"
    status, _, err = sign(enrolled, path, "binh", "--keys", keys)
    assert status == 2
    status, _, err = sign(enrolled, path, "nobody")
    assert (status, "[operator.unknown]" in err) == (1, True)


def test_another_operators_key_does_not_sign_in_ones_name(enrolled: Run, tmp_path: Path) -> None:
    path = tmp_path / "batch.json"
    create(enrolled, path, "--until", "1h")
    status, _, err = enrolled(
        "authorisation", "sign", path, "--operator", "binh",
        "--operator-pin-file", tmp_path / "an.pin", "--keys", tmp_path / "pki/operators/an",
    )  # fmt: skip
    assert (status, "[signing.key-mismatch]" in err) == (1, True)


def test_terms_that_were_edited_show_as_a_problem(enrolled: Run, tmp_path: Path) -> None:
    path = tmp_path / "batch.json"
    create(enrolled, path, "--until", "1h")
    for name in ("an", "binh"):
        sign(enrolled, path, name)
    path.write_text(path.read_text().replace('"cards": 5', '"cards": 500'))
    shown = document(enrolled("authorisation", "show", path, "--format", "json"))
    assert (shown["problem"], shown["operators"]) == ("authorisation.signature-wrong", "")


def test_a_key_lies_where_the_operator_wants_it_and_only_its_pin_opens_it(
    run: Run, tmp_path: Path
) -> None:
    stick = tmp_path / "stick"
    pin_file = tmp_path / "an.pin"
    options = ("--operator-pin-file", pin_file, "--keys", stick, "--format", "json")
    made = document(run("operator", "enrol", "an", *options))
    assert (made["name"], made["state"]) == ("an", "usable")
    assert not (tmp_path / "pki" / "operators").exists()
    assert stat.S_IMODE(pin_file.stat().st_mode) == 0o600
    assert stat.S_IMODE((stick / "operator.key").stat().st_mode) == 0o600
    assert document(run("operator", "list", "--format", "json")) == [made]


def test_an_operator_does_not_share_the_authoritys_pin(run: Run, tmp_path: Path) -> None:
    status, _, err = run("operator", "enrol", "an", "--operator-pin-file", tmp_path / "pki.pin")
    assert (status, "[operator.pin-shared]" in err) == (1, True)
    assert run("operator", "list")[1] == ""


def test_a_name_is_given_once_and_a_revoked_operator_signs_nothing(
    enrolled: Run, tmp_path: Path
) -> None:
    status, _, err = enrolled("operator", "enrol", "an", "--operator-pin-file", tmp_path / "x.pin")
    assert (status, "[operator.exists]" in err) == (1, True)
    assert not (tmp_path / "x.pin").exists()
    revoked = document(enrolled("operator", "revoke", "an", "--reason", "left", "--format", "json"))
    assert revoked["state"] == "revoked"
    path = tmp_path / "batch.json"
    create(enrolled, path, "--until", "1h")
    status, _, err = sign(enrolled, path, "an")
    assert (status, "[operator.revoked]" in err) == (1, True)
    assert "revoked" in enrolled("operator", "list")[1]


def test_an_authorisation_is_written_over_nothing_and_for_a_usable_signer(
    enrolled: Run, tmp_path: Path
) -> None:
    path = tmp_path / "batch.json"
    assert create(enrolled, path, "--until", "2030-01-01T00:00:00Z")[0] == 0
    before = path.read_bytes()
    status, _, err = create(enrolled, path, "--until", "1h")
    assert (status, "[authorisation.unwritable]" in err) == (2, True)
    assert path.read_bytes() == before
    status, _, err = create(enrolled, tmp_path / "b", "--until", "1h", "--signer", "ds-9")
    assert (status, "[signer.unknown]" in err) == (1, True)
    enrolled("signer", "revoke", "--id", "ds-1", "--reason", "lost")
    status, _, err = create(enrolled, tmp_path / "b", "--until", "1h")
    assert (status, "[signer.unknown]" in err) == (1, True)
    assert not (tmp_path / "b").exists()


def test_a_file_that_is_no_authorisation_is_refused(enrolled: Run, tmp_path: Path) -> None:
    status, _, err = enrolled("authorisation", "show", tmp_path / "none")
    assert (status, "[authorisation.unreadable]" in err) == (2, True)
    (tmp_path / "x").write_bytes(b"{}")
    status, _, err = enrolled("authorisation", "show", tmp_path / "x")
    assert (status, "[authorisation.malformed]" in err) == (2, True)


@pytest.mark.parametrize("until", ["tomorrow", "0h", "3w", "2030-01-01T00:00:00", "99999d", ""])
def test_an_end_that_is_none_is_wrong_usage(enrolled: Run, tmp_path: Path, until: str) -> None:
    assert create(enrolled, tmp_path / "b", "--until", until)[0] == 64


def test_every_command_shows_examples(run: Run) -> None:
    for words in (
        "signer serve", "operator enrol", "operator revoke", "operator list",
        "authorisation create", "authorisation sign", "authorisation show",
    ):  # fmt: skip
        status, out, _ = run(*words.split(), "--help")
        assert status == 0
        assert f"membercard-pki --home pki {words}" in out


def test_every_code_is_in_the_protocols_page() -> None:
    page = (ROOT / "docs" / "signer-protocol.md").read_text(encoding="utf-8")
    sources = [
        *(ROOT / "pki" / "signer_service").glob("*.py"),
        *(
            ROOT / "pki" / name
            for name in (
                "bootstrap_operators.py", "services/authorising.py", "services/operators.py",
                "certificates/operator_certificates.py", "signed/authorisation.py",
                "keys/token_process.py", "services/document_signer.py",
            )
        ),
        ROOT / "issuer" / "bootstrap_production.py",
    ]  # fmt: skip
    code = re.compile(
        r'code(?:: str)? ?= ?"((?:authorisation|operator|protocol|signer|keystore\.process)[a-z.-]*)"'
    )
    found = {match for path in sources for match in code.findall(path.read_text(encoding="utf-8"))}
    assert len(found) > 25
    # An unfinished certificate is told by the commands that make signers.
    assert {each for each in found if f"`{each}`" not in page} <= {"signer.unfinished"}
