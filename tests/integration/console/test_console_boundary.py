"""What comes in is bounded, what goes out is hardened, and every error is a problem with a code."""

import json
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from issuer.api.boundary import MAX_BODY_BYTES, MAX_UPLOAD_BYTES
from issuer.api.ports import Readiness
from issuer.errors import IssuerUnavailableError

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "more", "told"),
    [
        ("GET", "/v1/nothing", {}, (404, "api.not-found")),
        ("PATCH", "/v1/session", {}, (405, "api.method-not-allowed")),
        ("GET", "/v1/session?" + "a=" + "x" * 5000, {}, (414, "api.target-too-long")),
        ("GET", "/v1/operations?limit=1&limit=2", {}, (400, "api.query-malformed")),
        ("GET", "/v1/operations?limit=%ff", {}, (400, "api.query-malformed")),
        ("GET", "/v1/operations?limit=0", {}, (422, "api.request-invalid")),
        ("GET", "/v1/operations?offset=5", {}, (422, "api.request-invalid")),
        ("GET", "/v1/operations?cursor=AAAA", {}, (400, "api.cursor-invalid")),
        ("GET", "/v1/session", {"content": b"{}"}, (400, "api.body-unexpected")),
        ("POST", "/logout", {"content": b"x" * (MAX_BODY_BYTES + 1)}, (413, "api.body-too-large")),
        ("POST", "/logout", {"content": b"{", "headers": {"content-type": "application/json"}}, (400, "api.body-malformed")),
        ("POST", "/logout", {"content": b'{"a":1,"a":2}', "headers": {"content-type": "application/json"}}, (400, "api.body-malformed")),
        ("POST", "/logout", {"content": b'{"a":1,"a":2}', "headers": {"content-type": "application/json"}, "repeated": [("content-type", "text/plain")]}, (400, "api.header-twice")),
        ("POST", "/logout", {"content": b"{}", "headers": {"content-type": "application/json"}, "repeated": [("idempotency-key", "a"), ("idempotency-key", "b")]}, (400, "api.header-twice")),
        ("POST", "/logout", {"content": b"", "headers": {"content-length": "0", "transfer-encoding": "chunked"}}, (400, "api.body-malformed")),
        ("GET", "/v1/session", {"repeated": [("authorization", "Bearer a"), ("authorization", "Bearer b")]}, (400, "api.header-twice")),
        ("POST", "/logout", {"content": b'{"a":1,"a":2}', "headers": {"content-type": "application/merge-patch+json"}}, (415, "api.media-type")),
        ("POST", "/logout", {"content": b'{"a":1,"a":2}'}, (415, "api.media-type")),
        ("POST", "/logout", {"content": b"x", "headers": {"content-encoding": "gzip"}}, (415, "api.media-type")),
        ("POST", "/logout", {"files": {"list": b"x"}}, (415, "api.media-type")),
        ("POST", "/v1/imports", {"content": b"", "headers": {"content-type": "multipart/form-data; boundary=x", "content-length": str(MAX_UPLOAD_BYTES + 1)}}, (413, "api.body-too-large")),
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_a_problem(
    office: Any, method: str, path: str, more: dict[str, Any], told: tuple[int, str]
) -> None:
    response = office.client("lan", is_program=True).send(method, path, **more)
    assert response.headers["content-type"] == PROBLEM
    assert (response.status_code, response.json()["code"]) == told


def test_every_answer_is_hardened_and_has_a_number(office: Any) -> None:
    client = office.client("lan")
    for path in ("/", "/v1/session", "/nothing", "/v1/nothing", "/static/console.css"):
        response = client.get(path)
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "same-origin"
        assert len(response.headers["x-request-id"]) == 32
    assert client.get("/").headers["cache-control"] == "no-store"


def test_head_is_get_without_its_body(office: Any) -> None:
    response = office.client("lan").send("HEAD", "/v1/session")
    assert response.status_code == 200
    assert response.content == b""


def test_the_log_names_routes_and_numbers_and_nobody(office: Any) -> None:
    client = office.client("lan")
    structlog.reset_defaults()
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        response = client.get("/v1/operations?cursor=secret-of-lan")
    (line,) = lines
    assert line["route"] == "/v1/operations"
    assert line["status"] == 400
    assert line["request_id"] == response.headers["x-request-id"]
    assert "lan" not in json.dumps(line)


def test_a_fault_of_the_program_says_nothing_of_itself(office: Any) -> None:
    def broken() -> Readiness:
        raise RuntimeError("Đỗ Thị Đào, 001090000001")

    response = office.with_services(readiness=broken).client(None).get("/health/ready")
    assert response.status_code == 500
    assert response.headers["content-type"] == PROBLEM
    assert response.json()["code"] == "api.internal"
    assert "Đào" not in response.text
    assert "content-security-policy" in response.headers


def test_what_is_not_to_be_had_is_503_with_its_code(office: Any) -> None:
    def unavailable() -> Readiness:
        raise IssuerUnavailableError("no answer", code="database.unavailable")

    response = office.with_services(readiness=unavailable).client(None).get("/health/ready")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert response.json()["code"] == "database.unavailable"


@pytest.mark.parametrize("part", ["database", "migrations", "keystore"])
def test_readiness_names_what_fails(office: Any, part: str) -> None:
    checks: dict[str, str | None] = {"database": None, "migrations": None, "keystore": None}
    found = Readiness(**(checks | {part: f"{part}.broken"}))
    client = office.with_services(readiness=lambda: found).client(None)
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["code"]) == (503, f"{part}.broken")
    assert client.get("/health/live").json() == {"status": "alive"}
    assert office.client(None).get("/health/ready").status_code == 200


def test_figures_count_answers_by_route_and_are_given_by_right(office: Any) -> None:
    office.client("lan").get("/v1/operations")
    assert office.client(None).get("/metrics").status_code == 401
    assert office.client("lan").get("/metrics").status_code == 403
    text = office.client("van").get("/metrics").text
    assert (
        'membercard_issuer_http_answers_total{method="GET",route="/v1/operations",status="200"} 1.0'
        in text
    )
