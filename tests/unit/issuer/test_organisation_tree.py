import pytest

from issuer.domain.list_row import ListRow
from issuer.domain.organisation import (
    MAX_DEPTH,
    Organisation,
    OrganisationCode,
    OrganisationTree,
    parse_organisation_code,
)
from issuer.domain.organisation_list import JudgedOrganisation, judge_organisation_row
from issuer.errors import IssuerDataError


def organisation(code: str, parent: str | None = None, number: str | None = None) -> Organisation:
    return Organisation(
        code=OrganisationCode(code),
        name=f"Chi bộ {code}",
        parent_code=None if parent is None else OrganisationCode(parent),
        committee_number=number,
    )


TREE = OrganisationTree(
    [
        organisation("P", None, "98"),
        organisation("C", "P"),
        organisation("G", "C", "97"),
        organisation("N"),
    ]
)


def test_the_top_most_organisation_issues_the_card() -> None:
    assert TREE.issuing_committee(OrganisationCode("G")).code == "P"
    assert TREE.issuing_committee(OrganisationCode("N")).code == "N"


def test_the_nearest_committee_number_upwards_counts() -> None:
    assert TREE.committee_number(OrganisationCode("C")) == "98"
    assert TREE.committee_number(OrganisationCode("G")) == "97"
    assert TREE.committee_number(OrganisationCode("N")) is None


def test_an_unknown_organisation_is_refused() -> None:
    assert "X" not in TREE
    with pytest.raises(IssuerDataError) as refusal:
        TREE.get(OrganisationCode("X"))
    assert refusal.value.code == "organisation.unknown"


def test_a_code_stands_once() -> None:
    with pytest.raises(IssuerDataError) as refusal:
        OrganisationTree([organisation("A"), organisation("A")])
    assert refusal.value.code == "organisation.repeated"


def test_a_circle_is_found() -> None:
    tree = OrganisationTree([organisation("A", "B"), organisation("B", "A")])
    with pytest.raises(IssuerDataError) as refusal:
        tree.path(OrganisationCode("A"))
    assert refusal.value.code == "organisation.circle"


def test_the_deepest_tree_is_walked_and_a_deeper_one_refused() -> None:
    chain = [organisation("0")] + [
        organisation(str(n), str(n - 1)) for n in range(1, MAX_DEPTH + 1)
    ]
    tree = OrganisationTree(chain)
    assert len(tree.path(OrganisationCode(str(MAX_DEPTH - 1)))) == MAX_DEPTH
    with pytest.raises(IssuerDataError):
        tree.path(OrganisationCode(str(MAX_DEPTH)))


def test_a_missing_parent_is_named() -> None:
    with pytest.raises(IssuerDataError, match="parent Z of organisation A") as refusal:
        OrganisationTree([organisation("A", "Z")]).path(OrganisationCode("A"))
    assert refusal.value.code == "organisation.parent-unknown"


@pytest.mark.parametrize("written", ["", "a b", "é", "-A", "A" * 33, "A\n", "A;B", "=A"])
def test_a_code_in_another_form_is_refused(written: str) -> None:
    with pytest.raises(IssuerDataError):
        parse_organisation_code(written)


def test_a_row_of_the_list_is_an_organisation() -> None:
    row = ListRow(
        number=2,
        cells={
            "code": " GD-01 ",
            "name": "Đảng ủy xã Mẫu",
            "parent_code": "",
            "committee_number": "98",
        },
    )
    assert judge_organisation_row(row) == JudgedOrganisation(
        organisation=Organisation(
            code=OrganisationCode("GD-01"), name="Đảng ủy xã Mẫu", committee_number="98"
        ),
        valid_from=None,
    )


def test_every_finding_of_a_row_is_reported() -> None:
    row = ListRow(
        number=5, cells={"code": 7.0, "name": None, "parent_code": "x y", "committee_number": "9"}
    )
    findings = judge_organisation_row(row)
    assert not isinstance(findings, JudgedOrganisation)
    assert [(each.row, each.column, each.code) for each in findings] == [
        (5, "code", "cell.not-text"),
        (5, "name", "cell.empty"),
        (5, "parent_code", "organisation.code-malformed"),
        (5, "committee_number", "organisation.committee-number-malformed"),
    ]
