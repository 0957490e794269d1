"""A page of a list asks the database a fixed number of things, however many organisations its lines are of."""

from typing import Any

import pytest

from issuer.domain.organisation import Organisation, OrganisationCode
from tests.contract.statements_seen import statements


def test_the_page_of_a_member_asks_a_dozen_statements(office: Any) -> None:
    """Beside the two that begin its transactions: who asks, and everything about the member."""
    (member,) = office.add_members(1, organisation="C-011")
    client = office.client("lan")
    client.get(f"/members/{member}")
    with statements() as seen:
        page = client.get(f"/members/{member}")
    assert page.status_code == 200
    assert "Chi bộ Một" in page.text
    assert len([each for each in seen if not each.startswith("BEGIN")]) <= 12, seen


@pytest.mark.parametrize("path", ["/v1/members", "/members", "/v1/organisations?above=T"])
def test_more_organisations_on_a_page_ask_no_more_statements(office: Any, path: str) -> None:
    client = office.client("lan", is_program=path.startswith("/v1/"))
    counts = []
    for number in range(2):
        for place in range(4):
            code = f"C-{number}{place}"
            with office.register.writing() as transaction:
                transaction.organisations.add(
                    [
                        Organisation(
                            code=OrganisationCode(code),
                            name=f"Chi bộ {code}",
                            parent_code=OrganisationCode("T"),
                        )
                    ]
                )
            office.add_members(1, organisation=code)
        client.get(path)
        with statements() as seen:
            assert client.get(path).status_code == 200
        counts.append(len(seen))
    assert counts[0] == counts[1] < 30
