"""Members and organisations as pages and documents: found, in order, and only in one's own part of the tree."""

import uuid
from typing import Any
from urllib.parse import quote

import pytest

from issuer.domain.audit_reads import members_shown
from issuer.domain.member import MemberId
from issuer.domain.member_list import MemberColumn
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.services.change_members import Justification
from tests.integration.console.strict_page import StrictPage

NAMES = (
    "Nguyễn Văn An", "Trần Thị Ánh", "Lê Văn Bình", "Đỗ Thị Đào", "Nguyễn Văn Đạt", "Phạm Văn Dũng",
    "H'Hen Niê", "Nguyễn Thị An", "Võ An",
)  # fmt: skip
IN_ORDER = ["Võ An", "Nguyễn Thị An", "Nguyễn Văn An", "Trần Thị Ánh", "Lê Văn Bình", "Phạm Văn Dũng",
            "Đỗ Thị Đào", "Nguyễn Văn Đạt", "H'Hen Niê"]  # fmt: skip


def walk(client: Any, path: str) -> list[str]:
    names: list[str] = []
    cursor = ""
    while True:
        page = client.get(path + cursor).json()
        names += [each["full_name"] for each in page["members"]]
        if page["next"] is None:
            return names
        cursor = f"&cursor={page['next']}"


@pytest.mark.parametrize("limit", [1, 2, 4, 50])
def test_the_list_is_walked_in_vietnamese_order_without_gap_or_repeat(
    office: Any, limit: int
) -> None:
    office.add_members(names=NAMES)
    found = walk(office.client("lan", is_program=True), f"/v1/members?limit={limit}")
    assert sorted(found) == sorted(NAMES)
    assert [each.split()[-1] for each in found] == [each.split()[-1] for each in IN_ORDER]


@pytest.mark.parametrize("limit", [1, 50])
@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("Nguyễn Văn An", {"Nguyễn Văn An"}),
        ("nguyen van an", {"Nguyễn Văn An"}),
        ("ngu an", {"Nguyễn Văn An", "Nguyễn Thị An"}),
        ("000004AB", {"Đỗ Thị Đào"}),
        ("001090000004", {"Đỗ Thị Đào"}),
        ("an", {"Nguyễn Văn An", "Nguyễn Thị An", "Võ An", "Trần Thị Ánh"}),
        ("DAO", {"Đỗ Thị Đào"}),
        ("Đạt", {"Nguyễn Văn Đạt"}),
        ("hhen nie", {"H'Hen Niê"}),
        ("nobody", set()),
    ],
)
def test_people_are_found_by_what_is_typed_with_or_without_marks(
    office: Any, typed: str, found: set[str], limit: int
) -> None:
    office.add_members(names=NAMES)
    client = office.client("lan", is_program=True)
    assert set(walk(client, f"/v1/members?limit={limit}&name={quote(typed)}")) == found


@pytest.mark.parametrize("typed", ["%", "'; DROP TABLE members", "\u0001"])
def test_what_is_nobody_s_name_is_refused_to_programs_and_finds_nobody_for_people(
    office: Any, typed: str
) -> None:
    office.add_members(names=NAMES)
    response = office.client("lan", is_program=True).get(f"/v1/members?name={quote(typed)}")
    assert (response.status_code, response.json()["code"]) == (422, "search.malformed")
    text = office.client("lan").get(f"/members?name={quote(typed)}").text
    assert "Nobody was found" in text


def test_everybody_sees_their_own_part_of_the_tree_and_learns_of_no_other(office: Any) -> None:
    mine = office.add_members(names=("Nguyễn Văn An",), organisation="C-011")
    other = office.add_members(names=("Trần Thị Bích",), organisation="P-02")
    lan, hoa = (office.client(name, is_program=True) for name in ("lan", "hoa"))
    assert walk(lan, "/v1/members?limit=9") == ["Nguyễn Văn An", "Trần Thị Bích"]
    assert walk(hoa, "/v1/members?limit=9") == ["Nguyễn Văn An"]
    for code in ("P-02", "T"):
        response = hoa.get(f"/v1/members?limit=9&organisation={code}")
        assert (response.status_code, response.json()["code"]) == (403, "right.missing")
    assert walk(hoa, "/v1/members?limit=9&organisation=P-01") == ["Nguyễn Văn An"]
    assert walk(lan, "/v1/members?limit=9&organisation=P-01") == ["Nguyễn Văn An"]
    assert hoa.get(f"/v1/members/{mine[0]}").json()["full_name"] == "Nguyễn Văn An"
    for path in (f"/v1/members/{other[0]}", f"/v1/members/{other[0]}/portrait"):
        response = hoa.get(path)
        assert (response.status_code, response.json()["code"]) == (404, "member.unknown")
    assert [each["code"] for each in hoa.get("/v1/organisations").json()["organisations"]] == [
        "P-01"
    ]
    for path in ("/v1/organisations/P-02", "/v1/organisations?above=P-02", "/v1/organisations/T"):
        response = hoa.get(path)
        assert (response.status_code, response.json()["code"]) == (404, "organisation.unknown")
    assert [each["code"] for each in hoa.get("/v1/organisations/C-011").json()["path"]] == [
        "P-01",
        "C-011",
    ]
    figures = {each["name"]: each["count"] for each in hoa.get("/v1/overview").json()["figures"]}
    assert (figures["members"], figures["organisations"]) == (1, 2)


def test_whom_an_account_was_shown_stands_in_the_trail(office: Any) -> None:
    ids = office.add_members(names=("Nguyễn Văn An", "Trần Thị Bích"))
    client = office.client("lan", is_program=True)
    client.get("/v1/members")
    client.get(f"/v1/members/{ids[0]}")
    client.get(f"/v1/members/{ids[0]}/portrait")
    client.get("/v1/members?name=nobody")
    records = [each for each in office.trail() if each.account == "lan" and "member" in each.action]
    assert [each.action for each in records] == ["members.listed", "member.read", "member.read"]
    assert [[str(who) for who in members_shown(each)] for each in records] == [
        ids, [ids[0]], [ids[0]],
    ]  # fmt: skip


def test_a_member_is_shown_with_everything_and_a_portrait(office: Any) -> None:
    (member,) = office.add_members(names=("Đỗ Thị Đào",), organisation="C-011")
    client = office.client("lan")
    found = client.get(f"/v1/members/{member}")
    assert found.json()["citizen_number"] == "001090000001"
    assert found.json()["organisation"] == "C-011"
    assert (
        client.get(f"/v1/members/{member}", **{"If-None-Match": found.headers["etag"]}).status_code
        == 304
    )
    portrait = client.get(f"/v1/members/{member}/portrait")
    assert portrait.headers["content-type"] == "image/jpeg"
    assert portrait.headers["cache-control"] == "no-store"
    text = client.get(f"/members/{member}").text
    assert "Đỗ Thị Đào" in text
    assert "Chi bộ Một" in text


def test_organisations_are_walked_level_by_level(office: Any) -> None:
    client = office.client("lan", is_program=True)
    (top,) = client.get("/v1/organisations").json()["organisations"]
    assert (top["code"], top["below"], top["members"]) == ("T", 2, 0)
    first = client.get("/v1/organisations?above=T&limit=1").json()
    second = client.get(f"/v1/organisations?above=T&limit=1&cursor={first['next']}").json()
    codes = [each["code"] for each in first["organisations"] + second["organisations"]]
    assert (codes, second["next"]) == (["P-01", "P-02"], None)
    other = client.get(f"/v1/organisations?above=P-01&cursor={first['next']}")
    assert other.json()["code"] == "api.cursor-invalid"


def test_what_changed_of_a_member_is_told_with_who_when_and_why(office: Any) -> None:
    (member,) = office.add_members(names=("Đỗ Thị Đào",), organisation="C-011")
    clerk = Actor(account=AccountName("lan"), assignments=(Assignment(role=Role.CLERK),))
    for version, town in enumerate(("xã Mới", "xã Cũ <b>"), start=1):
        office.services.changes.correct(
            MemberId(uuid.UUID(member)),
            {MemberColumn.HOME_TOWN: town.replace("<b>", "").strip()},
            actor=clerk,
            version=version,
            why=Justification(reason="theo giấy khai sinh"),
        )
    client = office.client("hoa", is_program=True)
    first = client.get(f"/v1/members/{member}/history?limit=1").json()
    second = client.get(f"/v1/members/{member}/history?limit=1&cursor={first['next']}").json()
    told = [
        (each["version"], each["new"], each["account"])
        for each in first["changes"] + second["changes"]
    ]
    assert told == [(3, "xã Cũ", "lan"), (2, "xã Mới", "lan")]
    assert second["next"] is None
    assert first["changes"][0]["reason"] == "theo giấy khai sinh"
    page = office.client("hoa").get(f"/members/{member}").text
    StrictPage(page)
    assert page.index("<ins>xã Cũ</ins>") < page.index("<ins>xã Mới</ins>")
