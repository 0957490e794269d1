"""Commands of single members and organisations, run as people run them."""

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from issuer.bootstrap import open_register_home
from issuer.cli import main
from issuer.domain.card_number import CardNumber
from issuer.domain.member import (
    Member,
    MemberId,
    MemberName,
    MemberStatement,
    PortraitDigest,
    Sex,
)
from issuer.domain.organisation import OrganisationCode
from issuer.domain.record_number import CitizenNumber, RecordNumber
from simulators.population.appearance import draw_appearance
from simulators.population.portrait import draw_portrait, encode_portrait
from tests.integration.everybody import log_in_everybody

NAMES = ("Nguyễn Thị Hòa", "Lê Văn Hoà", "Trần An")
WHY = ("--reason", "Quyết định 12")


class Office:
    """One home directory with two organisations and three members."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys

    def run(self, *words: object) -> tuple[int, str, str]:
        status = main(["--home", str(self.home), *map(str, words)])
        captured = self._capsys.readouterr()
        return status, captured.out, captured.err

    def json(self, *words: object) -> Any:
        status, out, error = self.run(*words, "--format", "json")
        assert (status, error) == (0, "")
        return json.loads(out)

    def refused(self, *words: object) -> str:
        """The code of the refusal."""
        status, out, error = self.run(*words)
        assert (status, out) == (1, "")
        return error.splitlines()[0].rpartition("[")[2].rstrip("]")


@pytest.fixture
def office(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Office:
    for name in [each for each in os.environ if each.startswith("MEMBERCARD_")]:
        monkeypatch.delenv(name)
    made = Office(tmp_path / "home", capsys)
    assert made.run("database", "upgrade")[0] == 0
    log_in_everybody(made.home)
    pin = tmp_path / "issuer.pin"
    assert made.run("keys", "create", "--keystore", "file", "--pin-file", pin)[0] == 0
    listed = tmp_path / "organisations.csv"
    listed.write_text(
        "code,name,parent_code,committee_number\nP,Tỉnh ủy Giả Định,,98\n"
        "P-1,Đảng ủy xã Một,P,\nP-2,Đảng ủy xã Hai,P,\n"
    )
    assert made.run("organisations", "import", listed)[0] == 0
    with open_register_home(made.home) as opened, opened.register.writing() as transaction:
        transaction.members.add([member(n, name) for n, name in enumerate(NAMES, start=1)])
    return made


def member(number: int, name: str) -> Member:
    return Member(
        member_id=MemberId(UUID(int=number)),
        statement=MemberStatement(
            earlier_card_number=CardNumber(f"97{number:06}"),
            record_number=RecordNumber(f"{number:06}AB"),
            citizen_number=CitizenNumber(f"001090{number:06}"),
            name=MemberName(full=name, primary=name),
            birth_date=date(1990, 2, 3),
            sex=Sex.FEMALE,
            place_of_birth="xã Mẫu",
            home_town="xã Mẫu",
            ethnic_group="Kinh",
            admission_date=date(2015, 2, 3),
            recognition_date=date(2016, 2, 3),
            organisation_code=OrganisationCode("P-1"),
        ),
        portrait=PortraitDigest(bytes(32)),
        portrait_source=PortraitDigest(bytes(32)),
        recorded_at=datetime(2026, 11, 1, tzinfo=UTC),
    )


def test_members_are_found_page_by_page(office: Office) -> None:
    first = office.json("members", "search", "hoa", "--limit", 1)
    assert [each["full_name"] for each in first["members"]] == ["Lê Văn Hoà"]
    second = office.json("members", "search", "hoa", "--limit", 1, "--behind", first["end"])
    assert [each["full_name"] for each in second["members"]] == ["Nguyễn Thị Hòa"]
    assert second["end"] is None
    _, out, _ = office.run("members", "search", "HOA", "--limit", 1)
    assert out.splitlines()[-1] == f"There are more: --behind {first['end']}"
    for wrong in ("x", "***", "é", "AAAA"):
        assert office.refused("members", "search", "hoa", "--behind", wrong) == "page.malformed"
    assert office.json("members", "search", "hoa", "--organisation", "P-2")["members"] == []
    assert office.refused("members", "search", "%") == "search.malformed"


def test_a_member_is_changed_and_history_says_how(office: Office, tmp_path: Path) -> None:
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF-1.7 scan")
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"residence": "xã Mới", "citizen_number": "001090999999"}))
    changed = office.json(
        "members", "change", "000001AB", "--version", 1, "--set", "phone=0912 345 678",
        "--from", values, "--evidence", scan, *WHY,
    )  # fmt: skip
    assert (changed["version"], changed["phone"], changed["residence"]) == (
        2,
        "0912345678",
        "xã Mới",
    )
    assert office.json("members", "show", "001090999999")["version"] == 2
    emptied = office.json("members", "change", "000001AB", "--version", 2, "--set", "phone=", *WHY)
    assert emptied["phone"] is None
    page = office.json("members", "history", "000001AB", "--limit", 1)
    line = page["changes"][0]
    assert (line["field"], line["old"], line["new"]) == ("phone", "0912345678", None)
    rest = office.json("members", "history", "000001AB", "--behind", page["end"])
    assert [each["field"] for each in rest["changes"]] == ["residence", "phone", "citizen_number"]
    assert all(each["evidence"] for each in rest["changes"])
    again = ("members", "change", "000001AB", "--version", 2, "--set", "phone=0912345678", *WHY)
    assert office.refused(*again) == "member.changed"


def test_what_is_no_change_is_refused(office: Office, tmp_path: Path) -> None:
    change = ("members", "change", "000001AB", "--version", 1, *WHY)
    assert office.refused(*change) == "member.unchanged"
    assert office.refused(*change, "--set", "x=1") == "member.field-unknown"
    assert office.refused(*change, "--set", "phone=x") == "phone.malformed"
    assert office.refused(*change, "--set", "portrait=x") == "member.field-fixed"
    assert office.run(*change, "--set", "phone")[0] == 64
    values = tmp_path / "values.json"
    for content in ("[]", "{", '{"phone": 1}', "[" * 60_000, '"' + "x" * 70_000 + '"'):
        values.write_text(content)
        assert office.refused(*change, "--from", values) == "member.values-malformed"
    status, _, error = office.run(*change, "--from", tmp_path / "missing")
    assert (status, "[file.unavailable]" in error) == (2, True)
    status, _, error = office.run(*change, "--evidence", tmp_path / "missing")
    assert (status, "[file.unavailable]" in error) == (2, True)
    unknown = ("members", "change", "000009AB", "--version", 1, *WHY)
    assert office.refused(*unknown, "--set", "phone=0912345678") == "member.unknown"


def test_standing_transfer_and_service_are_events(office: Office) -> None:
    suspended = office.json(
        "members", "standing", "000002AB", "suspended", "--since", "01/10/2026", "--version", 1, *WHY,
    )  # fmt: skip
    assert (suspended["standing"], suspended["standing_since"]) == ("suspended", "2026-10-01")
    served = office.json(
        "members", "serve", "000002AB", "--in", "P-2", "--since", "2026-10-02", "--version", 2, *WHY,
    )  # fmt: skip
    assert served["served_in"] == "P-2"
    moved = office.json(
        "members", "transfer", "000002AB", "--to", "P-2", "--on", "2026-10-03", "--version", 3, *WHY,
    )  # fmt: skip
    assert (moved["organisation_code"], moved["served_in"]) == ("P-2", None)
    events = office.json("members", "history", "000002AB")["changes"]
    assert {each["effective"] for each in events} == {"2026-10-01", "2026-10-02", "2026-10-03"}
    _, out, _ = office.run("members", "history", "000002AB", "--limit", 2)
    assert out.splitlines()[0].startswith("Version\tField\tBefore\tAfter")
    assert out.splitlines()[-1].startswith("There are more: --behind ")
    assert office.refused("members", "history", "000002AB", "--behind", "x") == "page.malformed"


def test_the_tree_changes_and_shows_every_day_of_its_past(office: Office) -> None:
    on = ("--on", "2026-07-01", *WHY)
    renamed = office.json("organisations", "rename", "P-1", "Xã Mới", "--level", "cơ sở", *on)
    assert (renamed["version"], renamed["name"], renamed["level"]) == (2, "Xã Mới", "cơ sở")
    moved = office.json("organisations", "move", "P-2", "--under", "P-1", *on)
    assert moved["parent_code"] == "P-1"
    shown = office.json("organisations", "show", "P-2")
    assert [each["code"] for each in shown["above"]] == ["P-1", "P"]
    before = office.json("organisations", "show", "P-2", "--as-of", "2026-06-30")
    assert [each["code"] for each in before["above"]] == ["P"]
    assert office.refused("organisations", "close", "P-1", *on) == "organisation.not-empty"
    assert office.refused("organisations", "move", "P", "--under", "P-2", *on) == (
        "organisation.circle"
    )
    merged = office.json("organisations", "merge", "P-1", "--into", "P", *on)
    assert (merged["moved_members"], merged["moved_organisations"]) == (3, 1)
    assert office.json("members", "show", "000001AB")["organisation_code"] == "P"
    closed = office.json("organisations", "close", "P-2", *on)
    assert closed["change"] == "closed"
    history = office.json("organisations", "history", "P-1")
    assert [each["change"] for each in history] == ["merged", "renamed", "recorded"]
    assert [each["successor"] for each in history] == ["P", None, None]
    last = office.json("organisations", "history", "P-1", "--behind", 2)
    assert [each["version"] for each in last] == [1]
    _, out, _ = office.run("organisations", "show", "P")
    assert out.splitlines() == [
        "Place\tCode\tName\tLevel\tNumber",
        "itself\tP\tTỉnh ủy Giả Định\t\t98",
    ]
    assert office.refused("organisations", "show", "P-1") == "organisation.unknown"


def test_a_home_without_a_keystore_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = Office(tmp_path / "bare", capsys)
    assert bare.run("database", "upgrade")[0] == 0
    log_in_everybody(bare.home)
    assert bare.json("members", "search", "hoa")["members"] == []
    status, _, error = bare.run("members", "search", "001090000001")
    assert status == 1
    assert "[keystore.missing]" in error
    assert "hint: membercard-issuer --home" in error
    assert "keys create" in error


def test_a_portrait_is_replaced_and_a_doubtful_one_only_by_somebody_who_looked(
    office: Office, tmp_path: Path
) -> None:
    picture = tmp_path / "new.jpg"
    picture.write_bytes(
        encode_portrait(draw_portrait(draw_appearance(Random(3), is_woman=True, age=36)))
    )
    grey = tmp_path / "grey.png"
    Image.new("RGB", (300, 400), "grey").save(grey)
    replace = ("members", "portrait", "000001AB")
    assert office.run(*replace, tmp_path / "none.jpg", "--version", 1, *WHY)[0] == 2
    assert office.refused(*replace, grey, "--version", 1, *WHY) == "portrait.too-little-detail"
    done = office.json(*replace, picture, "--version", 1, *WHY)
    assert done["version"] == 2
    assert done["portrait"] != bytes(32).hex()
    assert office.refused(*replace, picture, "--version", 2, *WHY) == "member.unchanged"
    with Image.open(picture) as drawn:
        drawn.resize((300, 400)).save(tmp_path / "small.png")
    small = (*replace, tmp_path / "small.png", "--version", 2, *WHY)
    assert office.refused(*small) == "portrait.doubtful"
    assert office.json(*small, "--accept-doubts")["version"] == 3
    lines = office.json("members", "history", "000001AB")["changes"]
    assert [each["field"] for each in lines] == ["portrait", "portrait"]
    # The picture that was replaced is not kept, nor is what waited.
    kept = [each for each in (office.home / "portraits").rglob("*") if each.is_file()]
    assert len(kept) == 1
    assert not list((office.home / "portraits-waiting").iterdir())
