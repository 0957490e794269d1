"""The terminal as a service: the files that `terminal install` writes, and what systemd says of them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from verifier.cli import main

ANALYZE = shutil.which("systemd-analyze")
UNIT = Path("etc/systemd/system/membercard-terminal.service")


def install(root: Path, *words: str, reader: str = "ACS ACR1252 1S CL Reader") -> int:
    return main(
        ["terminal", "install", "--reader", reader, "--trust", "/etc/membercard/trust",
         "--root", str(root), *words]
    )  # fmt: skip


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """systemd looks whether the program is there and can be run."""
    path = tmp_path / "bin" / "membercard-verifier"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(path)])
    return path


@pytest.mark.skipif(
    ANALYZE is None and os.environ.get("CI") != "true", reason="there is no systemd-analyze"
)
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, program: Path) -> None:
    assert install(tmp_path, "--purpose", "meeting") == 0
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert str(program) in (tmp_path / UNIT).read_text()


@pytest.mark.skipif(
    ANALYZE is None and os.environ.get("CI") != "true", reason="there is no systemd-analyze"
)
@pytest.mark.usefixtures("program")
def test_systemd_finds_nothing_wrong_with_the_timer_and_what_it_starts(tmp_path: Path) -> None:
    words = ("--terminal", "/var/lib/gate", "--terminal-pin-file", "/etc/membercard/gate.pin")
    assert install(tmp_path, *words, "--centre", "https://centre.example", "--pki", "https://pki.example") == 0  # fmt: skip
    units = [UNIT.with_name(f"membercard-terminal-sync.{kind}") for kind in ("service", "timer")]
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit) for unit in units)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    unit = (tmp_path / units[0]).read_text()
    assert "sync --centre https://centre.example --pki https://pki.example --trust" in unit
    assert "ReadWritePaths=-/etc/membercard/trust -/var/lib/gate" in unit


@pytest.mark.skipif(
    ANALYZE is None and os.environ.get("CI") != "true", reason="there is no systemd-analyze"
)
@pytest.mark.usefixtures("program")
def test_systemd_counts_the_unit_as_hardened(tmp_path: Path) -> None:
    assert install(tmp_path) == 0
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(tmp_path / UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-2000:]


@pytest.mark.usefixtures("program")
def test_the_unit_runs_the_terminal_with_words_that_mean_themselves(tmp_path: Path) -> None:
    assert install(tmp_path, reader="Reader 100% $HOME; it's") == 0
    unit = (tmp_path / UNIT).read_text()
    assert '--reader "Reader 100%% $$HOME; it\'s" --trust /etc/membercard/trust' in unit
    for word in ("COMMAND", "USER", "GROUP"):
        assert word not in unit
    rules = tmp_path / "etc/polkit-1/rules.d/50-membercard-terminal.rules"
    assert 'subject.user === "membercard-terminal"' in rules.read_text()


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(
    "words",
    [
        ("--user", "Root"),
        ("--user", 'x" === "x'),
        ("--page-group", "a b"),
        ("--listen", "0.0.0.0:80"),
        ("--purpose", 'a"\nExecStartPre=/bin/sh'),
        ("--terminal", "/etc/x"),
        ("--centre", "https://centre.example"),
        ("--pki", "https://pki.example"),
        ("--terminal", "/x", "--terminal-pin-file", "/y", "--centre", "http://centre.example"),
        ("--terminal", "/x", "--terminal-pin-file", "/y", "--centre", 'https://a" x'),
    ],
)
def test_what_would_change_the_units_meaning_is_refused(
    tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert install(tmp_path, *words) == 64
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / UNIT).exists()


@pytest.mark.usefixtures("program")
def test_a_relative_trust_directory_is_refused(tmp_path: Path) -> None:
    words = ["terminal", "install", "--reader", "x", "--trust", "trust", "--root", str(tmp_path)]
    assert main(words) == 64


@pytest.mark.usefixtures("program")
def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "etc").write_text("")
    assert install(tmp_path) == 2
    assert "[terminal.not-installed]" in capsys.readouterr().err
