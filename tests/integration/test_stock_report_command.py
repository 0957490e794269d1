"""The command that reports the stock, run as people run it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from issuer.cli import main
from tests.contract.stock_stage import delivery_of
from tests.integration.everybody import log_in_everybody


def test_the_stock_is_reported_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [each for each in os.environ if each.startswith("MEMBERCARD_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    assert main(["--home", str(home), "database", "upgrade"]) == 0
    log_in_everybody(home)

    def run(*words: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["--home", str(home), "stock", *map(str, words)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    delivery = tmp_path / "delivery.csv"
    delivery.write_bytes(delivery_of(1, 2, 3))
    assert run("receive", delivery)[0] == 0
    status, shown, _ = run("report", "--format", "json")
    found: Any = json.loads(shown)
    assert (status, found["total"]["received"], found["total"]["left"]) == (0, 3, 3)
    (site,) = found["sites"]
    assert (site["site"], site["balanced"], site["last_close"]) == ("store", True, None)
    assert found["stop_list"] == {"reported": 0, "confirmed": 0}
    for name, start in (("stock.xlsx", b"PK"), ("stock.pdf", b"%PDF-")):
        out = tmp_path / name
        status, shown, _ = run("report", "--out", out)
        assert (status, "agree" in shown, f"{name}: written." in shown) == (0, True, True)
        assert out.read_bytes().startswith(start)
    assert "[report.form]" in run("report", "--out", tmp_path / "stock.txt")[2]
    assert "[report.unwritable]" in run("report", "--out", delivery / "stock.pdf")[2]
