"""Reports in the console and the API: bars by organisation, files, and everybody their own part."""

from typing import Any

import pytest

from issuer.domain.rights import AccountName
from issuer.services.operation_ports import OperationKind
from tests.integration.console.strict_page import StrictPage

KEY = {"once": "0123456789abcdef"}


@pytest.fixture
def counted(office: Any) -> Any:
    office.add_members(3, organisation="C-011")
    office.add_members(2, organisation="P-02")
    office.services.reports.count_for(AccountName("tuan"))
    return office


def test_a_register_that_was_not_counted_says_so_and_can_be_counted(office: Any) -> None:
    client = office.client("tuan")
    page = client.get("/reports")
    assert page.status_code == 200
    StrictPage(page.text)
    assert "There is no report yet." in page.text
    sent = client.post("/reports/count", KEY)
    assert sent.status_code == 303
    assert client.post("/reports/count", KEY).headers["location"] == sent.headers["location"]
    operation = client.get(sent.headers["location"])
    assert operation.status_code == 200
    assert "Count for reports" in operation.text
    assert OperationKind.COUNT_REPORTS.value == "count-reports"
    assert client.get("/v1/reports/file").json()["code"] == "report.not-counted"


def test_the_tree_is_shown_in_bars_and_leads_down(counted: Any) -> None:
    client = counted.client("tuan")
    top = client.get("/reports")
    StrictPage(top.text)
    assert 'href="/reports?above=T"' in top.text
    level = client.get("/reports?above=T")
    StrictPage(level.text)
    assert "5 members, here and below" in level.text
    assert level.text.index("Đảng ủy xã Một") < level.text.index("Đảng ủy xã Hai")
    # Nobody states a phone, and two of each three names are alike: nothing of it is complete.
    assert 'width="0" height="10"' in level.text
    assert 'class="gauge-good" width="1000"' in level.text
    deepest = client.get("/reports?above=C-011")
    assert deepest.status_code == 200
    StrictPage(deepest.text)


def test_the_api_gives_the_same_figures_page_by_page(counted: Any) -> None:
    client = counted.client("tuan", is_program=True)
    first = client.get("/v1/reports?above=T&limit=1").json()
    assert [each["code"] for each in first["lines"]] == ["P-01"]
    assert first["head"]["members"] == 5
    assert (first["head"]["complete"], first["head"]["right"]) == (0, 1000)
    second = client.get(f"/v1/reports?above=T&limit=1&cursor={first['next']}").json()
    assert [each["code"] for each in second["lines"]] == ["P-02"]
    assert second.get("next") is None
    assert client.get("/v1/reports?above=nowhere").status_code == 404


def test_files_are_taken_with_a_record_of_it(counted: Any) -> None:
    client = counted.client("tuan")
    book = client.get("/reports/file?form=xlsx")
    assert book.content.startswith(b"PK")
    assert "attachment" in book.headers["content-disposition"]
    paper = client.get("/reports/file?form=pdf&above=P-01")
    assert paper.content.startswith(b"%PDF-")
    taken = [each for each in counted.trail() if each.action == "report.exported"]
    assert [(each.account, each.organisation, each.details["form"]) for each in taken] == [
        ("tuan", None, "xlsx"),
        ("tuan", "P-01", "pdf"),
    ]


def test_everybody_sees_their_own_part_and_an_administrator_none(counted: Any) -> None:
    local = counted.client("hoa", is_program=True)
    assert [each["code"] for each in local.get("/v1/reports").json()["lines"]] == ["P-01"]
    for above in ("T", "P-02"):
        assert local.get(f"/v1/reports?above={above}").status_code == 404
        assert local.get(f"/v1/reports/file?above={above}").status_code == 404
    administrator = counted.client("van", is_program=True)
    for path in ("/v1/reports", "/v1/reports/file", "/reports"):
        assert administrator.get(path).status_code == 403
