"""The command that shows how far production has come, run as people run it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from issuer.cli import main
from issuer.errors import IssuerUnavailableError
from issuer.settings import remember
from tests.integration.everybody import log_in_everybody


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [each for each in os.environ if each.startswith("MEMBERCARD_")]:
        monkeypatch.delenv(name)
    made = tmp_path / "home"
    assert main(["--home", str(made), "database", "upgrade"]) == 0
    log_in_everybody(made)
    organisations = tmp_path / "organisations.csv"
    organisations.write_text(
        "code,name,parent_code,committee_number\nP,Tỉnh ủy Giả Định,,98\nP-01,Đảng ủy xã Mẫu,P,98\n"
    )
    assert main(["--home", str(made), "organisations", "import", str(organisations)]) == 0
    return made


def test_progress_is_shown_and_written_as_it_was_counted(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["--home", str(home), "reports", *map(str, words)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    status, _, told = run("production")
    assert (status, "[report.not-counted]" in told) == (1, True)
    assert run("count")[0] == 0
    remember(home, {"reports": {"deadline": "2999-12-31"}})
    status, shown, _ = run("production", "--organisation", "P", "--format", "json")
    found: Any = json.loads(shown)
    assert (status, found["deadline"]) == (0, "2999-12-31")
    assert [each["code"] for each in found["lines"]] == ["P", "P-01"]
    assert found["lines"][0]["stages"]["handed-over"] == {"cards": 0, "long": 0, "very_long": 0}
    assert (found["lines"][0]["per_mille"], found["lines"][0]["needed_a_day"]) == (None, 0)
    for name, start in (("all.xlsx", b"PK"), ("all.pdf", b"%PDF-")):
        out = tmp_path / name
        status, shown, _ = run("production", "--out", out)
        assert (status, "handed-over" in shown) == (0, True)
        assert out.read_bytes().startswith(start)
    status, shown, _ = run("production", "--with-instances", "--format", "json")
    merged: Any = json.loads(shown)
    assert (status, merged["own_instance"], merged["instances"]) == (0, "-", [])
    assert (merged["lines"][0]["instance"], merged["lines"][0]["stock"]["received"]) == ("-", 0)
    out = tmp_path / "nation.pdf"
    status, shown, _ = run("production", "--with-instances", "--organisation", "P", "--out", out)
    assert (status, "As of" in shown, out.read_bytes()[:5]) == (0, True, b"%PDF-")
    assert "[report.form]" in run("production", "--out", tmp_path / "all.txt")[2]
    with pytest.raises(IssuerUnavailableError, match=r"reports\.deadline"):
        remember(home, {"reports": {"deadline": "soon"}})
