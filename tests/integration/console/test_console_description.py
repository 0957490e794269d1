"""The API's description: it is what the code makes, and the application keeps to it (schemathesis)."""

import re
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance

from issuer.api.app import describe
from issuer.api.gate import all_routes, declarations
from issuer.api.problems import API_CODES, CODE_STATUSES
from issuer.bootstrap_api import api_description

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "issuer-api.json"


def test_the_document_is_what_the_code_makes() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == api_description(), (
        "write it anew: membercard-issuer api describe > docs/issuer-api.json"
    )


def test_every_operation_has_a_summary_and_names_its_problems() -> None:
    operations = [each for path in describe()["paths"].values() for each in path.values()]
    assert len(operations) >= 17
    for operation in operations:
        assert operation["summary"]
        for status in ("4XX", "5XX"):
            assert set(operation["responses"][status]["content"]) == {"application/problem+json"}


def test_every_post_that_makes_something_carries_a_key() -> None:
    paths = describe()["paths"]
    # Stations' events are numbered, and a chip that is asked for again is given again: the message needs no key. A
    # conflict is settled once.
    need_none = {"/v1/stations/messages", "/v1/conflicts/{conflict}"}
    posts = [
        path["post"] for name, path in paths.items() if "post" in path and name not in need_none
    ]
    assert posts
    for each in posts:
        names = {parameter["name"] for parameter in each["parameters"] if parameter["required"]}
        assert "Idempotency-Key" in names


def test_every_code_of_the_edge_is_explained() -> None:
    page = (ROOT / "docs" / "console.md").read_text(encoding="utf-8")
    assert [code for code in API_CODES if f"`{code}`" not in page] == []


def test_every_code_of_the_console_is_explained() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    issuer = ROOT / "issuer"
    modules = [*issuer.glob("api/**/*.py"), *issuer.glob("uploads/*.py"), *issuer.glob("services/operat*.py"),
               *issuer.glob("services/import_uploads.py"), *issuer.glob("db/operations.py")]  # fmt: skip
    found = {
        code
        for module in modules
        for code in re.findall(r'code="([a-z-]+\.[a-z-]+)"', module.read_text(encoding="utf-8"))
    }
    assert len(found) > 20
    assert [code for code in sorted(found) if f"`{code}`" not in pages] == []


def test_statuses_are_those_of_errors() -> None:
    for status in [*(status for status, _ in API_CODES.values()), *CODE_STATUSES.values()]:
        assert 400 <= status < 600
    assert not set(API_CODES) & set(CODE_STATUSES)


def test_the_page_of_rights_is_complete(office: Any) -> None:
    """Whoever looks for a route's right finds it in its declaration; here is how many of each there are."""
    kinds = [type(declarations(each)[0]).__name__ for each in all_routes(office.app.routes)]
    assert kinds.count("Demand") >= 18
    assert set(kinds) == {"Demand", "AnySession", "NoSession"}


@pytest.mark.parametrize(
    "examples", [3, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_whatever_fits_the_description_or_not_is_answered_as_it_says(
    office: Any, examples: int
) -> None:
    office.add_members(3)
    schema = schemathesis.openapi.from_dict(describe())
    callers = [office.client(name, is_program=True) for name in ("lan", "hoa", "van", None)]
    seen: set[int] = set()
    for result in schema.get_all_operations():
        operation = result.ok()

        @hypothesis.given(
            case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
            | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
            caller=hypothesis.strategies.sampled_from(callers),
        )
        @hypothesis.settings(
            max_examples=examples, deadline=None, database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
        def answers(case: Any, caller: Any) -> None:
            sent = case.as_transport_kwargs(base_url="https://console.example")
            sent.pop("cookies", None)
            data = sent.pop("data", None)
            if data is not None:
                sent["content"] = data if isinstance(data, bytes) else str(data).encode()
            try:
                response = caller.send(sent.pop("method"), sent.pop("url"), **sent)
            except (UnicodeError, httpx.InvalidURL, httpx.LocalProtocolError, ValueError):
                # What the client itself cannot put on the wire says nothing about the service.
                hypothesis.reject()
            seen.add(response.status_code)
            assert response.status_code < 500, response.text
            if response.status_code < 400:
                # What was sent in parts is put together for those who look at it.
                response.request.read()
                case.validate_response(response, checks=[response_schema_conformance])
            else:
                assert response.headers["content-type"] == "application/problem+json"
                assert "." in response.json()["code"]

        answers()
    assert {200, 401, 422} <= seen
