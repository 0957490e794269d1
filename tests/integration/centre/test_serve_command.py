"""`membercard-verifier serve`, `centre` and `bundle fetch`, as commands in processes of their own."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pki.signed.trust_bundle import TrustBundle
from simulators.authority import TestAuthority
from tests.unit.verifier.bundle_office import BundleOffice, layout_files
from tests.unit.verifier.centre_stage import trust_from
from verifier.cli import main

Run = Callable[..., str]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object, status: int = 0) -> str:
        capfd.readouterr()
        found = main([str(word) for word in words])
        captured = capfd.readouterr()
        assert found == status, captured.out + captured.err
        return captured.out + captured.err

    return call


def test_a_bundle_goes_from_the_centre_to_a_terminal(tmp_path: Path, run: Run) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    authority = TestAuthority.create(now=now - timedelta(days=1))
    office, files = BundleOffice(authority), layout_files(authority, now=now)
    first, second = (
        TrustBundle.from_bytes(office.bundle(files, at=now + timedelta(seconds=n), number=n))
        for n in (1, 2)
    )
    trust_from(first, tmp_path / "terminal")
    trust_from(second, tmp_path / "centre")
    url = f"sqlite:///{tmp_path / 'centre.sqlite'}"
    for bundle in (first, second):
        (tmp_path / "signed.bundle").write_bytes(bundle.der)
        run("bundle", "publish", tmp_path / "signed.bundle", "--to", tmp_path / "public")
    run("centre", "upgrade", "--database", url)
    run("centre", "enrol", "VNGATE1", "--organisation", "01.02", "--database", url)
    assert "[centre.terminal-exists]" in run(
        "centre", "enrol", "VNGATE1", "--organisation", "01", "--database", url, status=2
    )
    run("centre", "block", "VNGATE1", "--reason", "stolen", "--database", url)
    listed = json.loads(run("centre", "terminals", "--database", url, "--format", "json"))
    assert [(item["holder"], item["standing"]) for item in listed] == [("VNGATE1", "blocked")]
    words = ["--database", url, "--trust", tmp_path / "centre", "--files", tmp_path / "public"]
    serving = subprocess.Popen(
        [
            Path(sys.executable).with_name("membercard-verifier"),
            *("serve", *map(str, words)),
            *("--keys", str(tmp_path / "keys")),
            *("--address", "https://centre.example", "--listen", "127.0.0.1:0"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert serving.stdout is not None
        ready = serving.stdout.readline()
        assert ready.startswith("ready: http://127.0.0.1:")
        address = ready.removeprefix("ready: ").strip()
        fetched = run(
            "bundle", "fetch", f"{address}/v1/bundles", "--trust", tmp_path / "terminal",
            "--format", "json",
        )  # fmt: skip
        assert json.loads(fetched)["fetched"] == "delta"
        again = run("bundle", "fetch", f"{address}/v1/bundles", "--trust", tmp_path / "terminal")
        assert "nothing newer" in again
    finally:
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(30) == 0
        serving.stdout.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--database", "sqlite:///x"), "expected one as https"),
        (("--database", "postgresql://a:secret@b/c"), "no place in a command line"),
        ((), "give one of --database and --database-file"),
        (("--database", "sqlite:///x", "--listen", "0.0.0.0:80"), "expected a loopback address"),
    ],
)
def test_what_serve_cannot_mean_is_refused(
    tmp_path: Path, run: Run, words: tuple[str, ...], said: str
) -> None:
    address = "nonsense" if "https" in said else "https://centre.example"
    given = ("--keys", tmp_path, "--trust", tmp_path, "--files", tmp_path, "--address", address)
    assert said in run("serve", *words, *given, status=64)
