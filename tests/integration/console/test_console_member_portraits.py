"""Members get other portraits: looked at before they are stored, and the earlier picture is gone."""

import hashlib
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from issuer.domain.member import PortraitDigest
from issuer.errors import IssuerRefusedError
from tests.integration.console.conftest import PORTRAIT
from tests.integration.console.strict_page import StrictPage
from tests.integration.console.test_console_member_acts import act_by_api, form_of, key

GOOD, DOUBTFUL = b"\xff\xd8 another picture", b"\xff\xd8 a doubtful picture"


@pytest.fixture
def dao(office: Any) -> str:
    (member,) = office.add_members(names=("Đỗ Thị Đào",), organisation="C-011")
    return str(member)


def bring(client: Any, member: str, picture: bytes, version: str = "1") -> Any:
    files = {"picture": ("anh.jpg", picture, "image/jpeg")}
    return client.send(
        "POST", f"/members/{member}/portrait/new", data={"version": version}, files=files
    )


def store(client: Any, member: str, fields: dict[str, str]) -> Any:
    files = {"evidence": ("", b"", "application/octet-stream")}
    return client.send("POST", f"/members/{member}/portrait/new/store", data=fields, files=files)


def portrait_of(client: Any, member: str) -> bytes:
    return bytes(client.get(f"/v1/members/{member}/portrait").content)


def test_a_new_portrait_is_seen_before_it_is_stored_and_the_earlier_one_is_destroyed(
    office: Any, dao: str
) -> None:
    client = office.client("hoa")
    StrictPage(client.get(f"/members/{dao}/portrait/new").text)
    page = bring(client, dao, GOOD)
    assert page.status_code == 200
    assert "Nothing about the picture is doubtful" in page.text
    carried = form_of(page.text)
    assert "accept_doubts" not in carried
    seen = client.get(f"/members/{dao}/portrait/new/{carried['word']}")
    assert (seen.content, seen.headers["cache-control"]) == (GOOD + b" made", "no-store")
    assert portrait_of(client, dao) == PORTRAIT
    for _ in range(2):
        done = store(client, dao, carried | {"reason": "ảnh cũ mờ"})
        assert done.headers["location"] == f"/members/{dao}?done=portrait"
    assert portrait_of(client, dao) == GOOD + b" made"
    with pytest.raises(IssuerRefusedError, match="not in the store"):
        office.services.portraits.get(PortraitDigest(hashlib.sha256(PORTRAIT).digest()))
    text = client.get(done.headers["location"]).text
    assert "The portrait was replaced." in text
    assert "ảnh cũ mờ" in text
    (change,) = client.get(f"/v1/members/{dao}/history").json()["changes"]
    assert (change["column"], change["version"]) == ("portrait", 2)
    assert change["new"] == hashlib.sha256(GOOD + b" made").hexdigest()
    gone = client.get(f"/members/{dao}/portrait/new/{carried['word']}")
    assert "portrait.gone" in gone.text
    assert [each.action for each in office.trail()].count("member.portrait-replaced") == 1


def test_a_picture_that_another_member_has_too_stays_in_the_store(office: Any, dao: str) -> None:
    (other,) = office.add_members(1, organisation="C-011")
    client = office.client("lan")
    carried = form_of(bring(client, dao, GOOD).text)
    assert store(client, dao, carried | {"reason": "ảnh mới"}).status_code == 303
    assert portrait_of(client, other) == PORTRAIT


def test_a_doubtful_picture_is_stored_only_by_somebody_who_has_looked(
    office: Any, dao: str
) -> None:
    client = office.client("lan")
    page = bring(client, dao, DOUBTFUL)
    assert "the portrait is not sharp" in page.text
    carried = form_of(page.text) | {"reason": "ảnh duy nhất"}
    carried.pop("accept_doubts")
    refused = store(client, dao, carried)
    assert (refused.status_code, "portrait.doubtful" in refused.text) == (409, True)
    assert form_of(refused.text)["reason"] == "ảnh duy nhất"
    again = store(client, dao, form_of(refused.text) | {"accept_doubts": "yes"})
    assert again.status_code == 303
    program = office.client("lan", is_program=True)
    for fields, status in (({}, 409), ({"accept_doubts": "yes"}, 200)):
        files = {"picture": ("a.jpg", DOUBTFUL + b"!", "image/jpeg"), "reason": (None, "x")}
        files |= {name: (None, text) for name, text in fields.items()}
        read = program.get(f"/v1/members/{dao}").headers["etag"]
        answer = program.send(
            "POST", f"/v1/members/{dao}/portraits", files=files,
            headers={"If-Match": read, "Idempotency-Key": key()},
        )  # fmt: skip
        assert answer.status_code == status, answer.text
    assert answer.json()["changed"] == ["portrait"]


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (b"GIF89a", "portrait.unreadable"),
        (b"", "portrait.unreadable"),
        (b"\xff\xd8" + bytes(5 << 20), "portrait.too-large"),
    ],
)
def test_what_is_no_portrait_is_refused_with_a_code_and_changes_nothing(
    office: Any, dao: str, picture: bytes, code: str
) -> None:
    client = office.client("lan")
    page = bring(client, dao, picture)
    assert (page.status_code, f"<code>{code}</code>" in page.text) == (422, True)
    StrictPage(page.text)
    assert portrait_of(client, dao) == PORTRAIT


def test_a_waiting_picture_belongs_to_one_member_and_to_whoever_may_change_them(
    office: Any, dao: str
) -> None:
    (elsewhere,) = office.add_members(1, organisation="P-02")
    lan, hoa = office.client("lan"), office.client("hoa")
    word = form_of(bring(lan, elsewhere, GOOD).text)["word"]
    assert lan.get(f"/members/{elsewhere}/portrait/new/{word}").status_code == 200
    assert "portrait.gone" in lan.get(f"/members/{dao}/portrait/new/{word}").text
    hidden = hoa.get(f"/members/{elsewhere}/portrait/new/{word}")
    assert (hidden.status_code, "member.unknown" in hidden.text) == (404, True)
    assert hoa.get(f"/members/{elsewhere}/portrait/new").status_code == 404
    assert bring(hoa, elsewhere, GOOD).status_code == 404
    found = act_by_api(
        office.client("hoa", is_program=True), elsewhere, "portraits", {"reason": "x"}
    )
    assert found.json()["code"] in {"member.unknown", "api.precondition-missing"}


def test_who_was_overtaken_is_told_so_and_brings_it_again(office: Any, dao: str) -> None:
    client = office.client("lan")
    carried = form_of(bring(client, dao, GOOD).text)
    other = act_by_api(
        office.client("lan", is_program=True),
        dao,
        "corrections",
        {"phone": "0912345678", "reason": "x"},
    )
    assert other.status_code == 200
    late = store(client, dao, carried | {"reason": "ảnh mới"})
    assert (late.status_code, "member.changed" in late.text) == (409, True)
    assert form_of(late.text)["version"] == "2"
    assert portrait_of(client, dao) == PORTRAIT


def test_what_waits_longer_than_an_hour_is_gone_from_the_disk(
    office: Any, dao: str, tmp_path: Path
) -> None:
    client = office.client("lan")
    word = form_of(bring(client, dao, GOOD).text)["word"]
    (file,) = (tmp_path / "portraits-waiting").iterdir()
    assert GOOD not in file.read_bytes()
    long_ago = file.stat().st_mtime - timedelta(minutes=61).total_seconds()
    os.utime(file, (long_ago, long_ago))
    assert "portrait.gone" in client.get(f"/members/{dao}/portrait/new/{word}").text
    assert not list((tmp_path / "portraits-waiting").iterdir())
