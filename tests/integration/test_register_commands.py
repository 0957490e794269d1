"""The issuer's commands from an empty directory to approved members, run as people run them."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import xlsxwriter

from issuer.bootstrap import open_register_home
from issuer.bootstrap_keys import take_sealers
from issuer.cli import main
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.domain.audit_reads import MEMBERS_LISTED, members_shown
from issuer.domain.card_number import CardNumber
from issuer.domain.member_list import MemberColumn
from issuer.settings import load_settings, remember
from simulators.population.appearance import draw_appearance
from simulators.population.portrait import draw_portrait, encode_portrait
from tests.integration.everybody import EVERYBODY, log_in_everybody

COLUMNS = tuple(MemberColumn)


def person(number: int, **changes: str) -> dict[str, str]:
    cells = {
        "earlier_card_number": f"97.{number:06}",
        "record_number": f"{number:06}AB",
        "citizen_number": f"001090{number:06}",
        "full_name": "Đỗ Thị Đào",
        "primary_name": "Đỗ",
        "secondary_name": "Thị Đào",
        # Nobody has the name and the date of birth of another.
        "birth_date": f"{number % 28 + 1:02}/{number // 28 % 12 + 1:02}/{1960 + number // 336}",
        "sex": "nữ",
        "place_of_birth": "xã Mẫu",
        "home_town": "xã Mẫu",
        "ethnic_group": "Kinh",
        "admission_date": "2015-02-03",
        "recognition_date": "2016-02-03",
        "organisation_code": "P-01",
        "standing": "official",
        "portrait": "portrait.jpg",
    }
    return cells | changes


def write_csv(path: Path, people: Sequence[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(people)
    return path


def write_xlsx(path: Path, people: Sequence[dict[str, str]]) -> Path:
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    for number, row in enumerate([dict(zip(COLUMNS, COLUMNS, strict=True)), *people]):
        for position, column in enumerate(COLUMNS):
            sheet.write_string(number, position, row.get(column, ""))
    book.close()
    return path


class Office:
    """One home directory and the files that come in."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.home = directory / "home"
        self.portraits = directory / "portraits"
        self._capsys = capsys

    def run(self, *words: str | Path) -> tuple[int, str, str]:
        status = main(["--home", str(self.home), *map(str, words)])
        captured = self._capsys.readouterr()
        return status, captured.out, captured.err

    def json(self, *words: str | Path) -> tuple[int, Any]:
        status, out, _ = self.run(*words, "--format", "json")
        return status, json.loads(out)

    def take(self, path: Path, *words: str | Path) -> tuple[int, Any]:
        return self.json("members", "import", path, "--portraits", self.portraits, *words)


@pytest.fixture
def office(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Office:
    for name in [each for each in os.environ if each.startswith("MEMBERCARD_")]:
        monkeypatch.delenv(name)
    made = Office(tmp_path, capsys)
    made.portraits.mkdir()
    drawn = draw_portrait(draw_appearance(Random(1), is_woman=True, age=36))
    (made.portraits / "portrait.jpg").write_bytes(encode_portrait(drawn))
    assert made.run("database", "upgrade")[0] == 0
    log_in_everybody(made.home)
    pin = tmp_path / "issuer.pin"
    assert made.run("keys", "create", "--keystore", "file", "--pin-file", pin)[0] == 0
    organisations = tmp_path / "organisations.csv"
    organisations.write_text(
        "code,name,parent_code,committee_number\nP,Tỉnh ủy Giả Định,,98\nP-01,Đảng ủy xã Mẫu,P,98\n"
    )
    assert made.run("organisations", "import", organisations)[0] == 0
    return made


def test_members_come_in_from_a_spreadsheet(office: Office) -> None:
    people = [person(1), person(2, full_name="Y Bhăm Êban", primary_name="Êban", secondary_name="Y Bhăm"),
              person(3, birth_date="31/02/1990"), person(4, portrait="missing.jpg")]  # fmt: skip
    path = write_xlsx(office.directory / "members.xlsx", people)
    report = office.directory / "report.csv"
    status, told = office.take(path, "--report", report)
    assert status == 1
    assert (told["taken"], told["already_present"], told["refused"]) == (2, 0, 2)
    with report.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["row"], line["column"], line["code"]) for line in lines] == [
        ("4", "birth_date", "date.impossible"),
        ("5", "portrait", "portrait.missing"),
    ]
    assert [each["reason"] for each in told["refusals"]] == [line["reason"] for line in lines]

    status, listed = office.json("members", "list")
    assert status == 0
    assert [(each["earlier_card_number"], each["full_name"]) for each in listed] == [
        ("97.000001", "Đỗ Thị Đào"),
        ("97.000002", "Y Bhăm Êban"),
    ]


def test_the_same_people_from_another_kind_of_file_are_present_already(office: Office) -> None:
    people = [person(1), person(2)]
    assert office.take(write_xlsx(office.directory / "a.xlsx", people))[1]["taken"] == 2
    status, told = office.take(write_csv(office.directory / "a.csv", people))
    assert status == 0
    assert (told["taken"], told["already_present"], told["refused"]) == (0, 2, 0)


def test_the_portrait_of_the_card_is_kept_in_the_store(office: Office) -> None:
    office.take(write_csv(office.directory / "a.csv", [person(1)]))
    files = [path for path in (office.home / "portraits").rglob("*") if path.is_file()]
    assert len(files) == 1
    assert 12_000 <= files[0].stat().st_size <= 20_000
    assert files[0].stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("members", "import", "missing.csv", "--portraits", "{portraits}"), (2, "file.unavailable")),
        (("members", "import", "{csv}", "--portraits", "missing"), (2, "portraits.unavailable")),
        (("members", "import", "{portraits}/portrait.jpg", "--portraits", "{portraits}"), (1, "file.")),
        (("members", "import", "{csv}", "--portraits", "{portraits}", "--report", "no/such/file"), (2, "file.unavailable")),
        (("members", "import", "{csv}"), (64, "usage")),
        (("members", "list", "--organisation", "X"), (1, "organisation.unknown")),
        (("members", "list", "--limit", "0"), (64, "usage")),
        (("members", "unknown"), (64, "usage")),
        ((), (64, "usage")),
        (("organisations", "import", "{csv}"), (1, "file.columns")),
    ],
)  # fmt: skip
def test_a_wrong_command_ends_with_one_line_and_its_status_and_changes_nothing(
    office: Office, words: tuple[str, ...], expected: tuple[int, str]
) -> None:
    path = write_csv(office.directory / "members.csv", [person(1)])
    filled = [word.format(portraits=office.portraits, csv=path) for word in words]
    status, out, err = office.run(*filled)
    assert status == expected[0]
    assert out == ""
    assert err.startswith("error: ")
    assert f"[{expected[1]}" in err.splitlines()[0]
    assert "Traceback" not in err
    assert office.json("members", "list")[1] == []


def test_a_home_that_was_never_made_is_not_made_by_reading(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = office.directory / "elsewhere"
    assert main(["--home", str(elsewhere), "members", "list"]) == 2
    assert "[home.missing]" in capsys.readouterr().err
    assert not elsewhere.exists()


def test_a_command_without_a_home_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEMBERCARD_ISSUER_HOME", raising=False)
    assert main(["members", "list"]) == 64
    assert "--home" in capsys.readouterr().err


def test_a_name_of_a_file_does_not_steer_the_terminal(office: Office) -> None:
    status, _, err = office.run("organisations", "import", "\x1b[2Jx\n.csv")
    assert status == 2
    assert "\x1b" not in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        (), ("database",), ("database", "upgrade"), ("database", "check"), ("database", "show"),
        ("organisations",), ("organisations", "import"), ("organisations", "list"),
        ("organisations", "template"), ("members",), ("members", "import"),
        ("members", "list"), ("members", "template"),
    ],
)  # fmt: skip
def test_every_command_explains_itself(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Usage: membercard-issuer" in out
    if len(words) != 1:
        assert "Examples:\n    membercard-issuer " in out


def test_an_empty_template_is_an_empty_list(office: Office) -> None:
    for kind, rest in (("members", ("--portraits", str(office.portraits))), ("organisations", ())):
        template = office.directory / f"{kind}.csv"
        assert office.run(kind, "template", template)[0] == 0
        assert office.run(kind, "import", template, *rest)[0] == 0
        status, out, _ = office.run(kind, "template")
        assert status == 0
        assert out.strip() == template.read_text(encoding="utf-8-sig").strip()


def test_the_database_tells_its_revision(office: Office) -> None:
    status, told = office.json("database", "show")
    assert status == 0
    assert told["revision"] == told["latest"]
    assert office.json("database", "check") == (0, {"migrations": "complete"})


def test_lists_are_walked_page_by_page(office: Office) -> None:
    remember(office.home, {"import_chunk_rows": 3})
    people = [person(number) for number in range(1, 12)]
    assert office.take(write_csv(office.directory / "a.csv", people))[1]["taken"] == 11
    assert len(office.json("members", "list")[1]) == 11
    shown = office.json("members", "list", "--limit", "4")[1]
    assert len(shown) == 4
    with open_register_home(office.home) as opened, opened.register.reading() as transaction:
        records = [each.record() for each in transaction.audit.records()]
    listed = [each for each in records if each.action == MEMBERS_LISTED]
    assert [str(each) for each in members_shown(listed[-1])] == [
        each["member_id"] for each in shown
    ]
    assert listed[-1].account == EVERYBODY
    assert len(office.json("members", "list", "--organisation", "P-01")[1]) == 11
    _, out, _ = office.run("members", "list", "--limit", "1")
    assert out.splitlines()[0] == "Record number\tName\tBorn\tOrganisation\tStanding\tEarlier card"


def test_an_import_that_was_killed_is_completed_by_repeating_it(office: Office) -> None:
    remember(office.home, {"import_chunk_rows": 2})
    people = [person(number) for number in range(1, 61)]
    path = write_csv(office.directory / "a.csv", people)
    words = ("--home", office.home, "members", "import", path, "--portraits", office.portraits)
    database = Database(f"sqlite:///{office.home}/issuer.sqlite")
    register = SqlRegister(
        database, lambda: take_sealers(office.home, load_settings(office.home)).register
    )

    def taken() -> int:
        with register.reading() as transaction:
            return transaction.members.count()

    process = subprocess.Popen(
        (sys.executable, "-m", "issuer.cli", *map(str, words)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while taken() < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = taken()
    assert before % 2 == 0
    status, told = office.take(path)
    assert status == 0
    assert (told["taken"], told["already_present"]) == (60, 0)
    with register.reading() as transaction:
        page = transaction.members.page(limit=100)
        assert {each.statement.earlier_card_number for each in page.members} == {
            CardNumber(f"97{number:06}") for number in range(1, 61)
        }
    database.close()
