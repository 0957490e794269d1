"""The API's description: it is what the code makes, and the application keeps to it (schemathesis)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance

from pki.api.app import describe
from pki.api.problems import API_CODES
from pki.bootstrap_api import api_description

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "pki-api.json"

Call = Callable[[str | None], Any]


def test_the_document_is_what_the_code_makes() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == api_description(), (
        "write it anew: membercard-pki api describe > docs/pki-api.json"
    )


def test_every_operation_has_a_summary_and_names_its_problems() -> None:
    operations = [each for path in describe()["paths"].values() for each in path.values()]
    assert len(operations) >= 17
    for operation in operations:
        assert operation["summary"]
        for status in ("4XX", "5XX"):
            assert set(operation["responses"][status]["content"]) == {"application/problem+json"}


def test_every_code_of_the_edge_is_explained() -> None:
    page = (ROOT / "docs" / "pki.md").read_text(encoding="utf-8")
    assert [code for code in API_CODES if f"`{code}`" not in page] == []


@pytest.mark.parametrize(
    "examples", [6, pytest.param(300, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_whatever_fits_the_description_or_not_is_answered_as_it_says(
    call: Call, examples: int
) -> None:
    schema = schemathesis.openapi.from_dict(describe())
    callers = [call("an"), call("binh"), call("dung"), call(None)]
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
            sent = case.as_transport_kwargs(base_url="https://pki.example")
            sent.pop("cookies", None)
            data = sent.pop("data", None)
            if data is not None:
                sent["content"] = data if isinstance(data, bytes) else str(data).encode()
            try:
                response = caller.send(sent.pop("method"), sent.pop("url"), **sent)
            except (UnicodeError, httpx.InvalidURL, httpx.LocalProtocolError):
                # What the client itself cannot put on the wire says nothing about the service.
                hypothesis.reject()
            seen.add(response.status_code)
            assert response.status_code < 500 or response.status_code == 503, response.text
            case.validate_response(response, checks=[response_schema_conformance])
            if response.status_code >= 400:
                assert response.headers["content-type"] == "application/problem+json"
                assert "." in response.json()["code"]

        answers()
    assert {200, 401, 422} <= seen
