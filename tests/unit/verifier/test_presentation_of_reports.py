"""Nothing from outside steers the terminal of whoever reads a report."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import Console

from pki.certificates.trust import TrustAnchors
from verifier.cli import main
from verifier.errors import TrustError
from verifier.inspection import procedure
from verifier.inspection.checks import CheckFailedError
from verifier.inspection.policy import Policy
from verifier.inspection.report import Verdict, inspect
from verifier.inspection.snapshot import CardSnapshot
from verifier.presentation import printable, report_view
from verifier.services.inspect_card import Inspection
from verifier.trust.directory import load_trust

HOSTILE = "\x1b[2J\x9b31m\u202eevil\r\n[red]markup[/]"


def test_characters_that_print_nothing_are_replaced() -> None:
    shown = printable(HOSTILE)
    assert shown.isprintable()
    assert "evil" in shown
    assert printable("Đặng Thị Ngọc Ánh") == "Đặng Thị Ngọc Ánh"


def test_a_hostile_sentence_is_shown_as_plain_text(
    accepted_snapshot: CardSnapshot,
    anchors: TrustAnchors,
    policy: Policy,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hostile(_: object) -> str:
        raise CheckFailedError("signer.authority-unknown", HOSTILE)

    steps = list(procedure.PROCEDURE)
    steps[6] = replace(steps[6], judge=hostile)
    monkeypatch.setattr("verifier.inspection.report.PROCEDURE", tuple(steps))
    report = inspect(accepted_snapshot, trust=anchors, policy=policy, now=now)
    assert report.verdict is Verdict.REFUSED
    console = Console(width=200, force_terminal=True, color_system=None)
    inspection = Inspection(snapshot=accepted_snapshot, report=report, judge_seconds=0.0)
    with console.capture() as capture:
        console.print(report_view(inspection, show_unverified=False, is_terminal=False))
    shown = capture.get()
    for character in "\x1b\x9b\u202e\r":
        assert character not in shown
    assert "[red]markup[/]" in shown


def test_a_hostile_file_name_is_no_part_of_a_control_sequence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "csca").mkdir()
    (tmp_path / "csca" / "\x1b[2J.cer").write_bytes(b"")
    with pytest.raises(TrustError):
        load_trust(tmp_path)
    status = main(("inspect", "--reader", "sim:x", "--can", "123456", "--trust", str(tmp_path)))
    assert status == 2
    assert "\x1b" not in capsys.readouterr().err
