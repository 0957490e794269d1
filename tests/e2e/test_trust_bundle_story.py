"""From the authority's home to a terminal's verdict: states, status list, bundle, delta, all by the commands."""

import io
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from pki.cli import main as pki
from pki.signed.security_object import StatusReference
from simulators.authority import TestAuthority
from simulators.issued_image import issue_image
from simulators.population.member import draw_member
from simulators.trust_directory import add_to_trust_directory
from verifier.cli import main as verifier

REFERENCE = StatusReference(list_id=bytes.fromhex("8d1f00aa42c70b35"), index=77)
CAN = "314159"
Run = Callable[..., SimpleNamespace]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(program: Callable[..., int], *words: object, status: int = 0) -> SimpleNamespace:
        monkeypatch.setattr("sys.stdin", io.StringIO(CAN))
        capfd.readouterr()
        found = program([str(word) for word in words])
        captured = capfd.readouterr()
        assert found == status, captured.out + captured.err
        return SimpleNamespace(out=captured.out, err=captured.err)

    return call


def states_file(path: Path, state: str) -> Path:
    path.write_text(
        "membercard-card-states 1\npositions 131072\n"
        f"list {REFERENCE.list_id.hex()} not-handed-over\n{state} {REFERENCE.index}\n",
        encoding="ascii",
    )
    return path


def test_from_the_authority_to_the_terminal(tmp_path: Path, run: Run) -> None:
    home, export, trust = tmp_path / "pki", tmp_path / "export", tmp_path / "trust"
    now = datetime.now(UTC)
    # The card is another test authority's, which the first export brings beside ours.
    cards = TestAuthority.create(now=now - timedelta(hours=1))
    image = issue_image(
        draw_member(Random(9), serial_number=9),
        authority=cards,
        random=Random(9),
        can=CAN,
        status_reference=REFERENCE,
    )
    image.save(tmp_path / "card.json")

    def at_home(*words: object) -> None:
        run(pki, "--home", home, *words)

    def next_second() -> None:
        # One list a second is signed, by the computer's own clock.
        time.sleep(1.1)

    at_home("authority", "create", "--test", "--name", "Trial", "--pin-file", tmp_path / "pin")
    at_home("crl", "issue")
    for name, profile in (("status-1", "status-list"), ("bundles-1", "trust-bundle")):
        at_home("signer", "create", "--id", name, "--profile", f"{profile}-signer")
    at_home("status-list", "issue", states_file(tmp_path / "one.states", "valid"))
    at_home("trust", "export", export)
    add_to_trust_directory(export, cards, now=now, bind=True)

    def bring(number: int) -> None:
        at_home("trust", "export", export)
        draft = tmp_path / "draft"
        run(verifier, "bundle", "build", "--trust", export, "--output", draft)
        at_home("trust-bundle", "issue", draft)
        shown = run(
            verifier, "bundle", "show", home / "bundle" / "csca-1.bundle", "--format", "json"
        )
        assert json.loads(shown.out)["number"] == number

    bring(1)
    first = home / "bundle" / "csca-1.bundle"
    refused = run(verifier, "bundle", "install", first, "--trust", trust, status=2)
    assert "[bundle.approval-missing]" in refused.err
    lines, approvals = ["format = 1"], []
    for name in ("Lan", "Bình"):
        pin = tmp_path / f"{name}.pin"
        pin.touch(mode=0o600)
        pin.write_text("86420975\n", encoding="ascii")
        key = tmp_path / f"{name}.pem"
        words = ("bundle", "approver", "--name", name, "--key", key, "--pin-file", pin)
        made = json.loads(run(verifier, *words, "--format", "json").out)
        lines += ["[[approvers]]", f'name = "{name}"', f'key = "{made["key"]}"']
        approvals += ["--approval", tmp_path / f"{name}.json"]
    (trust / "approvers.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in ("Lan", "Bình"):
        run(
            verifier, "bundle", "approve", first, "--trust", trust, "--name", name,
            "--key", tmp_path / f"{name}.pem", "--pin-file", tmp_path / f"{name}.pin",
            "--output", tmp_path / f"{name}.json",
        )  # fmt: skip
    run(verifier, "bundle", "install", first, "--trust", trust, *approvals)

    def inspect(*, status: int) -> str:
        words = ("inspect", "--reader", f"sim:{tmp_path}/card.json", "--can", "-", "--trust", trust)
        return str(run(verifier, *words, "--format", "json", status=status).out)

    # Our own list is no list of the authority that signed this card.
    assert json.loads(inspect(status=1))["codes"] == ["status.no-list"]

    next_second()
    at_home("status-list", "issue", states_file(tmp_path / "two.states", "lost"))
    bring(2)
    delta = home / "bundle" / "csca-1-2.delta"
    assert delta.stat().st_size < 4000
    verified = run(verifier, "bundle", "verify", delta, "--trust", trust, "--format", "json")
    assert json.loads(verified.out)["new_anchors"] == []
    installed = run(verifier, "bundle", "install", delta, "--trust", trust, "--format", "json")
    assert json.loads(installed.out)["before"] == 1
    again = run(verifier, "bundle", "install", delta, "--trust", trust, status=2)
    assert "[trust-delta.other-base]" in again.err
    older = tmp_path / "older.bundle"
    older.write_bytes((next((trust / "bundles").glob("1-*")) / "trust.bundle").read_bytes())
    back = run(verifier, "bundle", "install", older, "--trust", trust, status=2)
    assert "[bundle.not-newer]" in back.err
