"""``membercard-pki status-list``: what it prints, what it leaves in the home, how it ends."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pki.cli import main
from pki.record.journal import read_journal

Run = Callable[..., Any]
HEAD = "membercard-card-states 1\npositions 1024\nlist 0123456789abcdef valid\n"


class Outcome:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> Outcome:
        capfd.readouterr()
        status = main([str(word) for word in words])
        captured = capfd.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call


@pytest.fixture
def home(tmp_path: Path, run: Run) -> Path:
    home = tmp_path / "pki"
    pin = tmp_path / "pki.pin"
    for words in (
        ("authority", "create", "--test", "--name", "Trial", "--pin-file", pin),
        ("crl", "issue"),
        ("signer", "create", "--id", "status-1", "--profile", "status-list-signer"),
    ):
        assert run("--home", home, *words).status == 0
    return home


def states_file(folder: Path, text: str) -> Path:
    path = folder / "cards.states"
    path.write_text(HEAD + text, encoding="ascii")
    return path


def issue(run: Run, home: Path, text: str) -> Outcome:
    path = states_file(home.parent, text)
    outcome: Outcome = run("--home", home, "status-list", "issue", path, "--format", "json")
    if "status-list.not-newer" in outcome.err:
        # One list a second is signed; the commands have no clock of their own.
        time.sleep(1.1)
        outcome = run("--home", home, "status-list", "issue", path, "--format", "json")
    return outcome


def test_from_states_to_what_terminals_trust(run: Run, home: Path, tmp_path: Path) -> None:
    first = issue(run, home, "not-handed-over 17 40-49\n")
    assert first.status == 0, first.err
    assert (first.json["number"], first.json["not_handed_over"]) == (1, 11)
    assert first.json["delta_bytes"] is None
    monday = tmp_path / "monday.status"
    monday.write_bytes((home / "status" / "csca-1.status").read_bytes())
    second = issue(run, home, "not-handed-over 40-49\nlost 12\n")
    assert second.json["changes"] == 2
    assert second.json["delta_bytes"] < 400
    current = home / "status" / "csca-1.status"

    applied = tmp_path / "applied.status"
    delta = home / "status" / "csca-1-2.delta"
    assert run("status-list", "apply", delta, "--base", monday, "--output", applied).status == 0
    assert applied.read_bytes() == current.read_bytes()
    made = tmp_path / "made.delta"
    words = ("status-list", "delta", "--base", monday, "--list", current, "--output", made)
    assert run(*words).status == 0
    assert made.read_bytes() == delta.read_bytes()

    for reference, state in (
        ("0123456789abcdef:12", "lost"),
        ("0123456789abcdef:13", "valid"),
        ("0123456789abcdef:1024", "unknown"),
        ("0000000000000000:12", "unknown"),
    ):
        shown = run(
            "status-list", "show", current, "--reference", reference, "--format", "json"
        ).json
        assert shown["state"] == state
    assert run("status-list", "show", current, "--reference", "12").status == 64

    trust = tmp_path / "trust"
    assert run("--home", home, "trust", "export", trust).status == 0
    exported = trust / "status" / "csca-1.status"
    assert exported.read_bytes() == current.read_bytes()
    assert run("status-list", "verify", exported, "--trust", trust).status == 0
    late = run("status-list", "verify", exported, "--trust", trust, "--at", "2099-01-01T00:00:00Z")
    assert (late.status, "[status-list.not-current]" in late.err) == (1, True)
    policy = trust / "policy.toml"
    policy.write_text(policy.read_text().replace('"status-lists", ', ""))
    unbound = run("status-list", "verify", exported, "--trust", trust)
    assert (unbound.status, "[status-list.untrusted]" in unbound.err) == (2, True)


def test_a_card_that_would_revive_is_refused_with_its_place(run: Run, home: Path) -> None:
    assert issue(run, home, "lost 12\n").status == 0
    refused = issue(run, home, "suspended 12\n")
    assert refused.status == 1
    assert "index 12 of list 0123456789abcdef would be suspended after lost" in refused.err
    assert "[status-list.transition]" in refused.err


def test_a_list_has_a_leaf_in_the_log_and_is_published_again(run: Run, home: Path) -> None:
    assert issue(run, home, "lost 12\n").status == 0
    (intent,) = [
        entry
        for entry in read_journal(home / "journal.jsonl")
        if entry.kind == "status-list.intended"
    ]
    assert intent.number("log_index") > 0
    published = home / "status" / "csca-1.status"
    content = published.read_bytes()
    published.unlink()
    # The next command finds what a crash had kept from being published.
    assert run("--home", home, "crl", "issue").status == 0
    assert published.read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"MZ", b"0" * 100])
def test_a_file_that_is_no_list_is_refused(run: Run, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no.status"
    path.write_bytes(content)
    outcome = run("status-list", "show", path)
    assert (outcome.status, "[status-list.malformed]" in outcome.err) == (2, True)


def test_tokens_repeat_the_newest_list_and_are_recorded_before_they_are_signed(
    home: Path, run: Run
) -> None:
    refused = run("--home", home, "status-list", "tokens", "--base", "https://status.example")
    assert (refused.status, "[token-status-list.no-list]" in refused.err) == (1, True)
    first = issue(run, home, "revoked 1017\n")
    assert first.status == 0, first.err
    outcome = run(
        *("--home", home, "status-list", "tokens", "--base", "https://status.example/cards"),
        *("--format", "json"),
    )
    assert outcome.status == 0, outcome.err
    issued = outcome.json
    assert (issued["number"], issued["tokens"]) == (1, 1)
    token = home / "status" / "tokens" / "0123456789abcdef"
    shown = run("status-list", "token", token, "--index", 1017, "--format", "json").json
    assert shown["uri"] == "https://status.example/cards/0123456789abcdef"
    assert (shown["positions"], shown["invalid"], shown["status"]) == (1024, 1, "invalid")
    assert shown["expires"] == issued["expires"]
    assert run("status-list", "token", token, "--index", 1024, "--format", "json").json[
        "status"
    ] == ("unknown")
    entries = [entry for entry in read_journal(home / "journal.jsonl") if "status" in entry.kind]
    assert entries[-1].kind == "status-jwt.intended"
    assert (entries[-1].text("list"), entries[-1].number("number")) == ("0123456789abcdef", 1)
    wrong = run("--home", home, "status-list", "tokens", "--base", "http://status.example")
    assert (wrong.status, "[token-status-list.uri]" in wrong.err) == (1, True)
