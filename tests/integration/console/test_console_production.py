"""How far production has come, in the console: level by level, with its files."""

from typing import Any

from issuer.domain.rights import Role
from tests.integration.console.strict_page import StrictPage


def test_production_is_shown_level_by_level_against_the_deadline(office: Any) -> None:
    office.add_members(3)
    client = office.client("lan")
    empty = client.get("/reports/production")
    assert "There is no report yet." in empty.text
    StrictPage(empty.text)
    office.services.reports.count_for("lan")
    whole = client.get("/reports/production").text
    StrictPage(whole)
    assert "/reports/production?above=T" in whole
    assert "Deadline 01/01/2100" in whole
    assert "0 handed over, 3 left" in whole
    below = client.get("/reports/production?above=T").text
    StrictPage(below)
    for told in ("Where cards stand, and for how long", "To exchange", "1 a day are needed", "Đảng ủy xã Một"):  # fmt: skip
        assert told in below, told
    for form, start in (("pdf", b"%PDF-"), ("xlsx", b"PK")):
        for path in ("/reports/production/file", "/v1/reports/production/file"):
            assert client.get(f"{path}?form={form}&above=T").content.startswith(start)
    assert "/reports/production" in client.get("/reports").text
    # Whoever sees P-01 alone learns nothing of its neighbour; whoever reads no reports has no such page.
    hoa = office.client("hoa")
    assert hoa.get("/reports/production?above=P-02").status_code == 404
    assert "P-02" not in hoa.get("/reports/production").text
    assert office.client("van").get("/reports/production").status_code == 403


def test_programs_read_the_progress_page_by_page(office: Any) -> None:
    office.add_members(3)
    client = office.client("lan", is_program=True)
    assert client.get("/v1/reports/production").json()["lines"] == []
    office.services.reports.count_for("lan")
    whole = client.get("/v1/reports/production").json()
    (top,) = whole["lines"]
    assert (top["code"], top["handed_over"], top["left"], top["per_mille"]) == ("T", 0, 3, 0)
    assert whole["deadline"] == "2100-01-01"
    assert {each["stage"]: each["cards"] for each in top["stages"]}["to-exchange"] == 3
    first = client.get("/v1/reports/production?above=T&limit=1").json()
    assert first["head"]["code"] == "T"
    second = client.get(f"/v1/reports/production?above=T&limit=1&cursor={first['next']}").json()
    assert [first["lines"][0]["code"], second["lines"][0]["code"]] == ["P-01", "P-02"]
    for role in (Role.PRODUCTION_OPERATOR, Role.QUALITY_CONTROLLER, Role.STOREKEEPER):
        office.add_person(role.value, role)
        assert office.client(role.value).get("/reports/production").status_code == 200
    assert office.client("van", is_program=True).get("/v1/reports/production").status_code == 403
