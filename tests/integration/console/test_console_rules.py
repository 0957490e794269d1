"""What every route of the API keeps to: keys, cursors, entity tags, operations, and one's own part of the tree."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from issuer.api.app import describe
from issuer.domain.rights import Role
from tests.integration.console.conftest import Office

DESCRIPTION: Final = describe()
SCHEMAS: Final = DESCRIPTION["components"]["schemas"]
CHANGES: Final = frozenset({"post", "put", "patch", "delete"})
KEY: Final = "Idempotency-Key"

NEED_NO_KEY: Final = {
    "/v1/stations/messages": "events are numbered, and a chip that is asked for again is given again",
    "/v1/conflicts/{conflict}": "a conflict is settled once",
}
PAGES_OF_THEIR_OWN: Final = {
    "/v1/imports/{number}/findings": "the position is the number of a row, which its reader knows anyhow",
    "/v1/session": "one's own roles",
    "/v1/organisation-choices": "the few that fit best; one types on",
    "/v1/decisions/{decision_id}/authorisation": "one authorisation, and the two who sign it",
    "/v1/members/{member_id}/eligibility": "the rules, each once",
    "/v1/batches/{batch_id}/levels": "who takes cards of one batch, which is bounded",
    "/v1/overview": "a line for each of a few figures",
}
ADD_TO_A_VERSION: Final = {
    "/v1/decisions/{decision_id}/requests": "puts something in, and overwrites nothing",
    "/v1/decisions/{decision_id}/requests-for-all": "puts something in, and overwrites nothing",
    "/v1/decisions/{decision_id}/authorisations": "adds an authorisation to a decision that changes no more",
    "/v1/decisions/{decision_id}/authorisation/signatures": "signs one digest, which the signature names",
    "/v1/instances/{name}/numbers": "gives a block that nobody has",
    "/v1/instances/{name}/indices": "gives a set that nobody has",
    "/v1/instances/{name}/bundles": "the number of the bundle orders them",
}
TAKE_OPERATIONS: Final = {"/v1/reports/count"}
"""One of those answered with 202, so that the rule below cannot hold of nothing."""


def operations(*methods: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, each in DESCRIPTION["paths"].items():
        for method, operation in each.items():
            if not methods or method in methods:
                yield path, method, operation


def parameters(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in operation.get("parameters", ())}


def answer(operation: dict[str, Any], status: str = "200") -> dict[str, Any]:
    """The schema of the JSON that is answered, or an empty one."""
    content = operation["responses"].get(status, {}).get("content", {})
    schema: dict[str, Any] = content.get("application/json", {}).get("schema", {})
    while "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    return schema


def is_list(operation: dict[str, Any]) -> bool:
    """An answer whose first property is an array of documents."""
    properties = list(answer(operation).get("properties", {}).values())
    return any(
        each.get("type") == "array" and "$ref" in each.get("items", {}) for each in properties
    )


def test_whatever_changes_something_carries_a_key_or_says_why_not() -> None:
    without = {
        path
        for path, _, operation in operations(*CHANGES)
        if not parameters(operation).get(KEY, {}).get("required")
    }
    assert without == set(NEED_NO_KEY)


def test_every_list_has_a_cursor_a_bounded_limit_and_says_what_comes_next() -> None:
    lists = {
        path: operation
        for path, _, operation in operations("get")
        if is_list(operation) and not path.endswith("}")
    }
    assert len(lists) > 12
    assert set(PAGES_OF_THEIR_OWN) <= set(lists)
    for path, operation in lists.items():
        if path in PAGES_OF_THEIR_OWN:
            continue
        known = parameters(operation)
        assert "cursor" in known, path
        assert known["limit"]["schema"]["maximum"] <= 200, path
        assert "offset" not in known, path
        assert "next" in answer(operation)["properties"], path


def test_a_change_of_what_has_a_version_takes_the_tag_that_was_read() -> None:
    versioned = {
        path
        for path, _, operation in operations("get")
        if "version" in str(answer(operation).get("properties", {}))
        or any(
            "version" in SCHEMAS[name].get("properties", {})
            for name in re.findall(r"schemas/(\w+)", str(answer(operation).get("properties", {})))
        )
    }
    versioned = {path for path in versioned if path.endswith("}")}
    assert {"/v1/requests/{request_id}", "/v1/instances/{name}"} <= versioned
    changes = {
        path: parameters(operation)
        for path, _, operation in operations(*CHANGES)
        if any(path.startswith(f"{each}/") or path == each for each in versioned)
    }
    assert len(changes) > 5
    without = {path for path, known in changes.items() if "If-Match" not in known}
    assert without <= set(ADD_TO_A_VERSION)


def test_what_goes_on_after_its_answer_is_answered_with_an_operation() -> None:
    found = set()
    for path, _, operation in operations(*CHANGES):
        if "202" in operation["responses"]:
            found.add(path)
            assert answer(operation, "202")["title"] == "OperationDocument", path
    assert found > TAKE_OPERATIONS


NAMES_OF_PLACES: Final = frozenset({"organisation", "above", "code", "committee"})
QUESTIONS: Final = sorted(
    (path, name)
    for path, _, operation in operations("get")
    for name in parameters(operation)
    if name in NAMES_OF_PLACES
)


@pytest.fixture
def clerk_of_one_commune(office: Office) -> Any:
    """A program of a clerk of one commune; the members are another one's."""
    office.add_person("clerk-of-one", Role.CLERK, organisation="P-01")
    office.add_members(3, organisation="P-02")
    return office.client("clerk-of-one", is_program=True)


def test_questions_that_name_a_place_are_many() -> None:
    assert len(QUESTIONS) >= 4


@pytest.mark.parametrize(("path", "name"), QUESTIONS)
def test_who_asks_for_another_place_is_told_that_it_is_not_there(
    clerk_of_one_commune: Any, path: str, name: str
) -> None:
    address = (
        path.replace(f"{{{name}}}", "P-02") if f"{{{name}}}" in path else f"{path}?{name}=P-02"
    )
    found = clerk_of_one_commune.get(address)
    if found.status_code == 200:
        # A list of what one may see there: nothing.
        lists = [each for each in found.json().values() if isinstance(each, list)]
        assert lists
        assert not any(lists), (address, found.text)
    else:
        assert found.json()["code"] in {
            "organisation.unknown",
            "right.missing",
            "report.not-counted",
        }, (address, found.text)
