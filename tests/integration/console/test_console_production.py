"""How far production has come, in the console: level by level, with its files."""

from typing import Any

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
        assert client.get(f"/reports/production/file?form={form}&above=T").content.startswith(start)
    assert "/reports/production" in client.get("/reports").text
    # Whoever sees P-01 alone learns nothing of its neighbour; whoever reads no reports has no such page.
    hoa = office.client("hoa")
    assert hoa.get("/reports/production?above=P-02").status_code == 404
    assert "P-02" not in hoa.get("/reports/production").text
    assert office.client("van").get("/reports/production").status_code == 403
