"""The commands of backups, run as people run them."""

import json
import os
from pathlib import Path

import pytest

from issuer.cli import main


@pytest.fixture
def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> object:
    for name in [each for each in os.environ if each.startswith("MEMBERCARD_")]:
        monkeypatch.delenv(name)

    def run(home: str, *words: object) -> tuple[int, str, str]:
        status = main(["--home", str(tmp_path / home), *map(str, words)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_a_backup_is_made_checked_and_restored_in_one_command_each(
    tmp_path: Path, run: object
) -> None:
    assert callable(run)
    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("a sentence for tests")
    backup = tmp_path / "a.backup"
    words = ("--passphrase-file", passphrase, "--format", "json")
    assert run("office", "database", "upgrade")[0] == 0
    # What lies beside the database while somebody writes is no file that a backup could lack.
    (tmp_path / "office" / "issuer.sqlite.turn-lock").touch()
    status, out, _ = run("office", "backup", "create", "--output", backup, *words)
    assert status == 0
    created = json.loads(out)
    assert created["left_out"] == []
    status, out, _ = run("office", "backup", "verify", backup, *words)
    assert status == 0
    assert json.loads(out)["sha256"] == created["sha256"]
    status, out, error = run("restored", "backup", "restore", backup, *words)
    assert status == 0
    steps = json.loads(out)["steps"]
    assert steps == ["keystore", "numbers", "deletions", "cards", "audit"]
    assert [f"[{step}]" in error for step in steps] == [True] * len(steps)
    status, out, error = run("restored", "backup", "restore", backup, *words)
    assert (status, out) == (1, "")
    assert "[backup.target-not-empty]" in error
    inside = tmp_path / "office" / "a.backup"
    status, out, error = run("office", "backup", "create", "--output", inside, *words)
    assert (status, out) == (1, "")
    assert "[backup.inside-home]" in error
