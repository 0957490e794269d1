"""`membercard-verifier` as people and programs call it."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from PIL import Image

from simulators.authority import TestAuthority
from simulators.forge import ForgeKind, forge
from simulators.image import CardImage
from simulators.issued_image import issue_image
from simulators.population.member import SyntheticMember, draw_member
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.trust_directory import write_trust_directory
from verifier.cli import main
from verifier.inspection.codes import to_markdown

AT = (TEST_TIME + timedelta(days=1)).isoformat()


@dataclass(frozen=True)
class Desk:
    """A folder with cards and a trust directory, and a way to call the command in it."""

    folder: Path
    call: Callable[..., SimpleNamespace]

    def inspect(self, *words: str, typed: str | bytes = "") -> SimpleNamespace:
        result = self.call(
            "inspect", "--reader", f"sim:{self.folder}/cards/1.json",
            "--trust", str(self.folder / "trust"), "--at", AT, *words, typed=typed,
        )  # fmt: skip
        assert isinstance(result, SimpleNamespace)
        return result


@pytest.fixture(scope="session")
def folder(
    tmp_path_factory: pytest.TempPathFactory, test_pki: TestAuthority, issued_card: CardImage
) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "cards").mkdir()
    issued_card.save(folder / "cards" / "1.json")
    second = draw_member(Random(7), serial_number=7)
    issue_image(second, authority=test_pki, random=Random(7), can="777777").save(
        folder / "cards" / "2.json"
    )
    forge(ForgeKind.CLONE, authority=test_pki, random=Random(3), can="333333").save(
        folder / "cards" / "3.json"
    )
    write_trust_directory(folder / "trust", [test_pki], now=TEST_TIME)
    return folder


@pytest.fixture
def desk(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    def call(*words: str, typed: str | bytes = "") -> SimpleNamespace:
        data = typed.encode() if isinstance(typed, str) else typed
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        status = main(words)
        output = capsys.readouterr()
        return SimpleNamespace(status=status, out=output.out, err=output.err)

    return Desk(folder=folder, call=call)


def test_the_json_report_has_the_fields_of_the_contract(
    desk: Desk, synthetic_member: SyntheticMember
) -> None:
    result = desk.inspect("--can", TEST_CAN, "--format", "json")
    report = json.loads(result.out)
    assert result.status == 0
    assert result.err == ""
    assert report["verdict"] == "accepted"
    assert report["assurance"] == "data-and-chip"
    assert report["codes"] == []
    assert report["access"]["path"] == "pace-can"
    assert len(report["checks"]) == 22
    status = [check for check in report["checks"] if check["name"] == "status.card"]
    assert [(check["state"], check["required"]) for check in status] == [("not-performed", False)]
    for check in (item for item in report["checks"] if item not in status):
        assert check["state"] == "passed"
        assert check["code"] is None
        assert check["sentence"].endswith(".")
    assert report["holder"]["citizen_number"] == synthetic_member.citizen_number
    assert set(report["timings"]) == {"connect", "access", "chip", "files", "judge", "total"}
    assert TEST_CAN not in result.out


def test_the_text_report_shows_verdict_clauses_and_holder(
    desk: Desk, synthetic_member: SyntheticMember
) -> None:
    result = desk.inspect("--can", TEST_CAN)
    assert result.status == 0
    assert "ACCEPTED" in result.out
    for text in ("9.1 ", "9.18", "chip.authentication", synthetic_member.card_number):
        assert text in result.out
    assert "\x1b" not in result.out


def test_the_card_access_number_can_be_typed(desk: Desk) -> None:
    assert desk.inspect("--can", "-", typed=f"{TEST_CAN}\n").status == 0


def test_the_zone_is_read_from_standard_input(desk: Desk, issued_card: CardImage) -> None:
    information = issued_card.secrets.mrz_information
    assert information is not None
    result = desk.inspect("--mrz", "-", "--format", "json", typed=information)
    assert result.status == 0
    assert json.loads(result.out)["access"]["path"] == "pace-mrz"


def test_a_wrong_password_is_unreadable_and_tells_what_to_do(desk: Desk) -> None:
    result = desk.inspect("--can", "000000")
    assert result.status == 2
    assert "UNREADABLE" in result.out
    assert "access.wrong-password" in result.out
    assert "Read the six digits" in result.out


def test_a_refused_card_shows_its_data_only_when_asked_to(desk: Desk) -> None:
    words = ("--reader", f"sim:{desk.folder}/cards/3.json", "--can", "333333")
    plain = desk.inspect(*words, "--format", "json")
    assert plain.status == 1
    report = json.loads(plain.out)
    assert report["codes"] == ["chip.not-proven"]
    assert report["assurance"] == "data"
    assert "holder" not in report
    shown = json.loads(desk.inspect(*words, "--format", "json", "--show-unverified").out)
    assert shown["holder_is_verified"] is False
    text = desk.inspect(*words, "--show-unverified").out
    assert "UNVERIFIED" in text
    assert shown["holder"]["citizen_number"] in text


def test_the_time_of_judgement_can_be_given(desk: Desk) -> None:
    early = (TEST_TIME - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    result = desk.inspect("--can", TEST_CAN, "--at", early, "--format", "json")
    report = json.loads(result.out)
    assert result.status == 1
    assert "security-object.signing-time-in-future" in report["codes"]
    assert datetime.fromisoformat(report["judged_at"]).astimezone(UTC) == datetime.fromisoformat(
        early
    )


def test_an_empty_trust_directory_refuses_every_card(desk: Desk, tmp_path: Path) -> None:
    result = desk.inspect("--can", TEST_CAN, "--trust", str(tmp_path), "--format", "json")
    assert result.status == 1
    assert json.loads(result.out)["codes"] == ["policy.empty"]


def test_a_batch_reads_one_card_after_another_and_keeps_what_was_asked_for(
    desk: Desk, tmp_path: Path
) -> None:
    cans = tmp_path / "cans.csv"
    cans.write_text(f"label,can\none,{TEST_CAN}\ntwo,777777\nthree,333333\n")
    words = (
        "--reader", f"sim:{desk.folder}/cards", "--batch", str(cans),
        "--portraits", str(tmp_path / "portraits"), "--reports", str(tmp_path / "reports"),
    )  # fmt: skip
    result = desk.inspect(*words)
    assert result.status == 1
    assert "3 cards: 2 accepted, 1 refused" in result.out
    verdicts = {
        path.stem: json.loads(path.read_text("utf-8"))["verdict"]
        for path in (tmp_path / "reports").iterdir()
    }
    assert verdicts == {"one": "accepted", "two": "accepted", "three": "refused"}
    assert sorted(path.name for path in (tmp_path / "portraits").iterdir()) == [
        "one.png",
        "two.png",
    ]
    with Image.open(tmp_path / "portraits" / "one.png") as picture:
        assert picture.size == (480, 640)
    assert (tmp_path / "portraits" / "one.png").stat().st_mode & 0o077 == 0
    assert TEST_CAN not in result.out + result.err


def test_a_batch_as_json_is_a_list_and_a_missing_card_is_unreadable(
    desk: Desk,
) -> None:
    listing = f"label,can\none,{TEST_CAN}\ntwo,777777\nthree,333333\nfour,123456\nfive,123456\n"
    result = desk.inspect(
        "--reader", f"sim:{desk.folder}/cards", "--batch", "-", "--wait", "0", "--format", "json",
        typed=listing,
    )  # fmt: skip
    assert result.status == 2
    reports = json.loads(result.out)
    assert [report["label"] for report in reports] == ["one", "two", "three", "four", "five"]
    assert [report["codes"] for report in reports[3:]] == [["transport.no-card"]] * 2


USAGE: dict[str, tuple[str, ...]] = {
    "no password": (),
    "two passwords": ("--can", "123456", "--mrz", "-"),
    "five digits": ("--can", "12345"),
    "a zone in the command line": ("--mrz", "A12345678/900101/300101"),
    "an empty zone": ("--mrz", "-"),
    "a time without zone": ("--can", "123456", "--at", "2026-01-01T00:00:00"),
    "no time": ("--can", "123456", "--at", "now"),
    "an unknown option": ("--can", "123456", "--pin", "1234"),
    "an unknown format": ("--can", "123456", "--format", "xml"),
    "an endless wait": ("--can", "123456", "--wait", "1e9"),
}


@pytest.mark.parametrize("words", USAGE.values(), ids=USAGE.keys())
def test_what_means_nothing_is_a_usage_error(desk: Desk, words: tuple[str, ...]) -> None:
    result = desk.inspect(*words)
    assert result.status == 64
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert result.err.splitlines()[0].endswith("[input.malformed]")
    assert "12345" not in result.err
    assert "A12345678" not in result.err


FAILURES: dict[str, tuple[tuple[str, ...], str]] = {
    "no trust directory": (("--trust", "/nowhere"), "trust.missing"),
    "no such scheme": (("--reader", "nfc:1"), "transport.no-"),
    "no such image": (("--reader", "sim:"), "transport.no-reader"),
    "no such profile": (("--profile", "passport"), "profile.not-found"),
    "no such purpose": (("--purpose", "party"), "policy.unknown-purpose"),
    "a place that cannot be written": (("--reports", "/dev/null/reports"), "output.failed"),
}


@pytest.mark.parametrize(("words", "code"), FAILURES.values(), ids=FAILURES.keys())
def test_what_cannot_be_done_is_one_line_with_its_code(
    desk: Desk, words: tuple[str, ...], code: str
) -> None:
    result = desk.inspect("--can", TEST_CAN, *words)
    assert result.status == 2
    assert result.out == ""
    assert f"[{code}" in result.err.splitlines()[0]
    assert "Traceback" not in result.err


def test_a_broken_file_of_the_trust_directory_is_named(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "csca").mkdir()
    (tmp_path / "csca" / "broken.cer").write_bytes(b"\x1b[2Jno certificate")
    result = desk.inspect("--can", TEST_CAN, "--trust", str(tmp_path))
    assert result.status == 2
    assert "broken.cer" in result.err
    assert "[trust.malformed]" in result.err


def test_bad_input_changes_nothing_and_is_not_written_anywhere(desk: Desk, tmp_path: Path) -> None:
    result = desk.inspect("--can", "12345", "--reports", str(tmp_path / "reports"))
    assert result.status == 64
    assert list(tmp_path.iterdir()) == []


def test_every_code_can_be_explained(desk: Desk) -> None:
    assert desk.call("explain", "--all").out == to_markdown()
    one = desk.call("explain", "chip.not-proven", "--format", "json")
    assert one.status == 0
    assert json.loads(one.out)["clause"] == "9.17"
    assert "private key" in desk.call("explain", "chip.not-proven").out


@pytest.mark.parametrize("words", [("explain",), ("explain", "no.such"), ("explain", "a", "--all")])
def test_an_explanation_of_nothing_is_a_usage_error(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk.call(*words).status == 64


@pytest.mark.parametrize("names", [(), ("Reader 0", "Reader 1")])
def test_readers_are_listed_and_none_is_no_error(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    monkeypatch.setattr("verifier.cli.list_readers", lambda: names)
    listed = desk.call("reader", "list", "--format", "json")
    assert listed.status == 0
    assert json.loads(listed.out) == list(names)
    assert desk.call("reader", "list").out.splitlines() == list(names)


@pytest.mark.parametrize("words", [("inspect",), ("explain",), ("reader", "list")])
def test_every_command_helps_with_examples(desk: Desk, words: tuple[str, ...]) -> None:
    result = desk.call(*words, "--help")
    assert result.status == 0
    assert "Examples:" in result.out


def test_an_interrupt_ends_without_a_traceback(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> tuple[str, ...]:
        raise KeyboardInterrupt

    monkeypatch.setattr("verifier.cli.list_readers", interrupt)
    result = desk.call("reader", "list")
    assert result.status == 2
    assert result.err == "error: interrupted [verifier.error]\n"
