"""The commands of docs/register.md, run as a provincial office would on its first day."""

import re
import shlex
from pathlib import Path

import pytest

from issuer.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "register.md"
TREE = (
    "code,name,parent_code,committee_number\n"
    "T,Tỉnh ủy Giả Định,,98\nT-01,Đảng ủy xã Mẫu,T,\nT-01-1,Chi bộ thôn Một,T-01,\n"
)


def test_the_lines_of_the_page_make_an_office_that_people_can_log_in_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = re.findall(
        r"^\$ membercard-issuer (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert lines[0].endswith("database upgrade")
    assert lines[-1].endswith(" serve")
    monkeypatch.chdir(tmp_path)
    pin = tmp_path / "issuer.pin"
    pin.write_text("0123456789abcdef")
    pin.chmod(0o600)
    for line in lines[:-1]:
        words = shlex.split(line)
        if "keys" in words:
            # The page means a token; a test has none.
            words += ["--keystore", "file"]
        assert main(words) == 0, (line, capsys.readouterr().err)
        if "template" in words:
            assert (tmp_path / words[-1]).read_text(encoding="utf-8-sig").startswith("code,name")
            (tmp_path / words[-1]).write_text(TREE, encoding="utf-8")
    told = capsys.readouterr().out
    assert "3 organisations taken" in told
    assert "20000 numbers granted to T" in told
    assert "give-role decider (T) for hai.vo: done." in told
    clerk = ["--home", "office", "login", "lan.tran", "--password-file", "lan.password"]
    # A password that was handed over is changed first, and a new one is asked for at a terminal.
    assert main(clerk) == 1
    assert "password.no-terminal" in capsys.readouterr().err
    assert main([*clerk, "--new-password-file", "lan.own"]) == 0
    assert main(["--home", "office", "members", "list"]) == 0
    assert main(["--home", "office", "people", "list"]) == 1
