"""The description of the central service is what the code makes, and the service keeps to it (schemathesis)."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance

from simulators.authority import TestAuthority
from simulators.testing import TEST_TIME
from tests.unit.verifier.centre_stage import ADDRESS, Stage, open_stage
from verifier.bootstrap_centre import centre_description
from verifier.centre_api.app import describe
from verifier.centre_api.problems import _STATUSES
from verifier.inspection.codes import CODES
from verifier.services.request_signing import sign_request

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "centre-api.json"


@pytest.fixture
def now() -> datetime:
    return TEST_TIME + timedelta(days=1)


def test_the_document_is_what_the_code_makes() -> None:
    assert DOCUMENT.read_text("utf-8") == centre_description(), (
        "write it anew: membercard-verifier centre describe > docs/centre-api.json"
    )


def test_every_operation_has_a_summary_and_names_its_problems() -> None:
    operations = [each for path in describe()["paths"].values() for each in path.values()]
    assert len(operations) >= 6
    for operation in operations:
        assert operation["summary"]
        for status in ("4XX", "5XX"):
            assert set(operation["responses"][status]["content"]) == {"application/problem+json"}


def test_every_code_of_the_edge_is_explained() -> None:
    assert [code for code in _STATUSES if code not in CODES] == []


@pytest.mark.parametrize(
    "examples", [3, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_whatever_fits_the_description_or_not_is_answered_as_it_says(
    tmp_path: Path, test_pki: TestAuthority, now: datetime, examples: int
) -> None:
    schema = schemathesis.openapi.from_dict(describe())
    seen: set[int] = set()
    with open_stage(tmp_path, authority=test_pki, now=now) as stage:
        for result in schema.get_all_operations():
            operation = result.ok()

            @hypothesis.given(
                case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
                | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
                is_signed=hypothesis.strategies.booleans(),
            )
            @hypothesis.settings(
                max_examples=examples, deadline=None, database=None,
                suppress_health_check=list(hypothesis.HealthCheck),
            )  # fmt: skip
            def answers(case: Any, *, is_signed: bool) -> None:
                try:
                    response = _send(stage, case, is_signed=is_signed)
                except (UnicodeError, httpx.InvalidURL, httpx.LocalProtocolError):
                    # What the client itself cannot put on the wire says nothing about the service.
                    hypothesis.reject()
                seen.add(response.status_code)
                assert response.status_code < 500, response.text
                case.validate_response(response, checks=[response_schema_conformance])
                if response.status_code >= 400:
                    assert response.headers["content-type"] == "application/problem+json"
                    assert response.json()["code"] in CODES

            answers()
    assert {200, 401, 422} <= seen


def _send(stage: Stage, case: Any, *, is_signed: bool) -> httpx.Response:
    sent = case.as_transport_kwargs(base_url=ADDRESS)
    sent.pop("cookies", None)
    data = sent.pop("data", None)
    if data is not None:
        sent["content"] = data if isinstance(data, bytes) else str(data).encode()
    request = httpx.Request(sent.pop("method"), sent.pop("url"), **sent)
    body = request.read()
    headers = dict(request.headers)
    if is_signed:
        headers |= sign_request(
            stage.credentials,
            chain=stage.chain,
            method=request.method,
            target=f"{ADDRESS}{request.url.raw_path.decode()}",
            body=body,
            now=stage.clock(),
        )
    return stage.client.send(request.method, str(request.url), content=body, headers=headers)
