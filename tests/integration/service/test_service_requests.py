"""Requests through the API: who may ask and decide, what two people are, and that nothing counts twice."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pki.record.journal import read_journal

Call = Callable[[str | None], Any]

CRL = {"days": 30}


def problem(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert found["status"] == answer.status_code
    assert found["type"] == "about:blank"
    return answer.status_code, found["code"]


def test_what_one_asks_and_another_approves_is_approved(call: Call) -> None:
    request = call("an").ask("crl.issue", CRL)
    assert (request["state"], request["requester"], request["approvals_due"]) == ("open", "an", 1)
    decided = call("binh").decide(request)
    assert decided.status_code == 200
    assert decided.json()["state"] == "approved"
    assert [each["operator"] for each in decided.json()["decisions"]] == ["binh"]
    shown = call("dung").get(f"/v1/requests/{request['id']}")
    assert shown.json() == decided.json()
    assert shown.headers["etag"] == decided.headers["etag"] == '"v2"'


def test_where_two_approvals_are_due_one_is_not_enough(call: Call) -> None:
    request = call("an").ask("signer.create", {"signer": "ds-2", "profile": "document-signer"})
    assert call("binh").decide(request).json()["state"] == "open"
    assert call("chi").decide(request).json()["state"] == "approved"


def test_nobody_decides_on_a_request_of_their_own(call: Call) -> None:
    request = call("binh").ask("crl.issue", CRL)
    assert problem(call("binh").decide(request)) == (403, "request.own")
    assert call("an").get(f"/v1/requests/{request['id']}").json()["decisions"] == []


def test_the_same_person_approves_once(call: Call) -> None:
    request = call("an").ask("signer.create", {"signer": "ds-2", "profile": "document-signer"})
    assert call("binh").decide(request).status_code == 200
    assert problem(call("binh").decide(request)) == (409, "request.decided-already")
    assert call("an").get(f"/v1/requests/{request['id']}").json()["state"] == "open"


def test_a_rejection_ends_a_request_and_needs_a_reason(call: Call) -> None:
    request = call("an").ask("crl.issue", CRL)
    assert problem(call("binh").decide(request, "reject")) == (422, "request.reason-invalid")
    assert call("binh").decide(request, "reject", reason="not now").json()["state"] == "rejected"
    assert problem(call("chi").decide(request)) == (409, "request.closed")


def test_asking_twice_under_one_key_asks_once(call: Call) -> None:
    key, body = uuid.uuid4().hex, {"kind": "crl.issue", "content": CRL}
    first = call("an").post("/v1/requests", body, key=key)
    again = call("an").post("/v1/requests", body, key=key)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert first.headers["location"] == f"/v1/requests/{first.json()['id']}"
    other = call("an").post("/v1/requests", {"kind": "crl.issue", "content": {"days": 1}}, key=key)
    assert problem(other) == (409, "request.key-reused")
    assert len(call("an").get("/v1/requests").json()["requests"]) == 1


def test_deciding_twice_under_one_key_counts_once(call: Call) -> None:
    request = call("an").ask("signer.create", {"signer": "ds-2", "profile": "document-signer"})
    path, key = f"/v1/requests/{request['id']}/decisions", uuid.uuid4().hex
    match = {"If-Match": request["etag"]}
    first = call("binh").post(path, {"decision": "approve"}, key=key, **match)
    again = call("binh").post(path, {"decision": "approve"}, key=key, **match)
    assert first.status_code == again.status_code == 200
    assert len(again.json()["decisions"]) == 1
    changed = {"decision": "reject", "reason": "after all"}
    assert problem(call("binh").post(path, changed, key=key, **match)) == (
        409,
        "request.key-reused",
    )


def test_a_decision_on_what_was_changed_meanwhile_is_refused(call: Call) -> None:
    request = call("an").ask("signer.create", {"signer": "ds-2", "profile": "document-signer"})
    path = f"/v1/requests/{request['id']}/decisions"
    assert call("binh").decide(request).status_code == 200
    stale = call("chi").post(path, {"decision": "approve"}, **{"If-Match": request["etag"]})
    assert problem(stale) == (412, "request.changed")
    assert problem(call("chi").post(path, {"decision": "approve"})) == (
        428,
        "api.precondition-missing",
    )
    for tag in ("*", '"x"', 'W/"v2"', '"v0"'):
        given = call("chi").post(path, {"decision": "approve"}, **{"If-Match": tag})
        assert problem(given) == (400, "api.precondition-malformed")


@pytest.mark.parametrize(
    ("name", "method", "code"),
    [
        (None, "list", (401, "api.client-certificate-missing")),
        ("em", "list", (403, "operator.role-missing")),
        ("dung", "ask", (403, "operator.role-missing")),
        ("dung", "decide", (403, "operator.role-missing")),
        ("an", "decide", (403, "operator.role-missing")),
    ],
)
def test_who_has_not_the_role_is_refused(
    call: Call, name: str | None, method: str, code: tuple[int, str]
) -> None:
    request = call("binh").ask("crl.issue", CRL)
    decisions = f"/v1/requests/{request['id']}/decisions"
    answer = {
        "list": lambda: call(name).get("/v1/requests"),
        "ask": lambda: call(name).post("/v1/requests", {"kind": "crl.issue", "content": CRL}),
        "decide": lambda: call(name).post(
            decisions, {"decision": "approve"}, **{"If-Match": request["etag"]}
        ),
    }[method]()
    assert problem(answer) == code
    if code[0] == 401:
        assert answer.headers["www-authenticate"]


def test_a_revoked_operator_is_refused_from_the_next_call_on(call: Call, service_home: Any) -> None:
    assert call("binh").get("/v1/requests").status_code == 200
    assert service_home.pki("operator", "revoke", "binh", "--reason", "has left") == 0
    assert problem(call("binh").get("/v1/requests")) == (401, "operator.revoked")


def test_a_certificate_of_another_root_is_refused(
    call: Call, service_home: Any, tmp_path: Path
) -> None:
    other = type(service_home)(tmp_path / "other")
    pin = str(tmp_path / "other.pin")
    create = ("--test", "--name", "Trial", "--keystore", "file", "--pin-file", pin)
    assert other.pki("authority", "create", *create) == 0
    request = str(service_home.directory / "binh.csr")
    assert other.pki("operator", "enrol", "binh", "--request", request, "--role", "officer") == 0
    entries = read_journal(other.home.journal)
    forged = next(each for each in entries if each.kind == "operator-certificate.issued")
    der = bytes.fromhex(forged.text("certificate"))
    (service_home.directory / "forged.cer").write_bytes(der)
    assert problem(call("forged").get("/v1/requests")) == (401, "operator.certificate-invalid")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "crl.issue", "content": {"days": 91}}, (422, "request.content-invalid")),
        ({"kind": "crl.issue", "content": {"days": True}}, (422, "request.content-invalid")),
        ({"kind": "crl.issue", "content": {}}, (422, "request.content-invalid")),
        ({"kind": "crl.issue", "content": {"days": 1, "x": 1}}, (422, "request.content-invalid")),
        ({"kind": "crl.issue", "content": []}, (422, "request.content-invalid")),
        ({"kind": "root.destroy", "content": {}}, (422, "request.kind-unknown")),
        ({"kind": ["crl.issue"], "content": CRL}, (422, "request.kind-unknown")),
        ({"kind": "crl.issue"}, (422, "api.request-invalid")),
        ({"kind": "crl.issue", "content": CRL, "more": 1}, (422, "api.request-invalid")),
        ([], (422, "api.request-invalid")),
        (
            {"kind": "signer.revoke", "content": {"signer": "ds-1", "reason": "a\u0001b"}},
            (422, "request.content-invalid"),
        ),
        (
            {"kind": "signer.revoke", "content": {"signer": "ds-1", "reason": "a\u0000b"}},
            (400, "api.body-malformed"),
        ),
        (
            {"kind": "terminal.issue", "content": {"request": "AAAB", "files": [1, 1]}},
            (422, "request.content-invalid"),
        ),
        (
            {"kind": "terminal.issue", "content": {"request": "AAB=", "files": [1]}},
            (422, "request.content-invalid"),
        ),
    ],
)
def test_a_content_that_is_not_as_its_table_says_is_refused(
    call: Call, body: Any, code: tuple[int, str]
) -> None:
    assert problem(call("an").post("/v1/requests", body)) == code
    assert call("an").get("/v1/requests").json()["requests"] == []


@pytest.mark.parametrize(
    ("content", "media_type", "code"),
    [
        (b'{"kind": "crl.issue", "kind": "crl.issue", "content": {"days": 1}}', "application/json", (400, "api.body-malformed")),
        (b'{"kind": "crl.issue", "content": {"days": NaN}}', "application/json", (400, "api.body-malformed")),
        (b"\xff\xfe{}", "application/json", (400, "api.body-malformed")),
        (b"[" * 60000, "application/json", (400, "api.body-malformed")),
        (b" " * 65537, "application/json", (413, "api.body-too-large")),
        (b'{"kind": "crl.issue", "content": {"days": 1}}', "text/plain", (415, "api.media-type")),
        (b'{"kind": "crl.issue", "content": {"days": 1}}', "", (415, "api.media-type")),
    ],
)  # fmt: skip
def test_a_body_that_is_encoded_otherwise_is_refused(
    call: Call, content: bytes, media_type: str, code: tuple[int, str]
) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    assert problem(call("an").post_bytes("/v1/requests", content, media_type, **key)) == code


@pytest.mark.parametrize(
    "types", [("application/json", "text/plain"), ("text/plain", "application/json")]
)
def test_a_body_of_two_types_is_refused_and_is_no_fault(call: Call, types: tuple[str, str]) -> None:
    headers = [("Idempotency-Key", uuid.uuid4().hex), *(("Content-Type", each) for each in types)]
    answer = call("an").send("POST", "/v1/requests", content=b'{"a": 1, "a": 2}', headers=headers)
    assert problem(answer) == (400, "api.header-twice")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/requests?limit=201", (422, "api.request-invalid")),
        ("/v1/requests?limit=1&limit=2", (400, "api.query-malformed")),
        ("/v1/requests?unknown=1", (422, "api.request-invalid")),
        ("/v1/requests?after=0", (422, "api.request-invalid")),
        ("/v1/requests?state=lost", (422, "api.request-invalid")),
        ("/v1/requests?a=%ff", (400, "api.query-malformed")),
        (f"/v1/requests?state={'x' * 2048}", (414, "api.target-too-long")),
        ("/v1/requests/17", (422, "api.request-invalid")),
        (f"/v1/requests/{uuid.UUID(int=1)}", (404, "request.unknown")),
        ("/v1/nothing", (404, "api.not-found")),
    ],
)
def test_a_target_that_is_out_of_bounds_is_refused(
    call: Call, path: str, code: tuple[int, str]
) -> None:
    assert problem(call("an").get(path)) == code


def test_a_key_that_is_too_short_is_refused(call: Call) -> None:
    body = {"kind": "crl.issue", "content": CRL}
    refused = call("an").post("/v1/requests", body, key="short")
    assert problem(refused) == (422, "api.request-invalid")


def test_pages_go_on_where_the_last_one_ended(call: Call) -> None:
    asked = [call("an").ask("crl.issue", {"days": day})["id"] for day in range(1, 8)]
    seen: list[str] = []
    after = ""
    for _ in range(4):
        page = call("an").get(f"/v1/requests?limit=2{after}").json()
        seen += [each["id"] for each in page["requests"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
        # What is asked meanwhile shifts nothing.
        call("an").ask("crl.issue", {"days": 60})
    assert seen == asked[::-1]


def test_an_approved_request_is_carried_out_once_with_the_peoples_names_on_record(
    call: Call, service_home: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    request = call("an").ask("crl.issue", CRL)
    execute = (
        "request",
        "execute",
        request["id"],
        "--out",
        str(service_home.directory / "new.crl"),
    )
    assert service_home.pki(*execute) == 1
    assert "request.not-approved" in capsys.readouterr().err
    call("binh").decide(request)
    assert service_home.pki(*execute) == 0
    newest = call(None).get("/v1/lists/crl")
    assert newest.content == (service_home.directory / "new.crl").read_bytes()
    assert call("an").get(f"/v1/requests/{request['id']}").json()["state"] == "taken"
    capsys.readouterr()
    assert service_home.pki(*execute) == 1
    assert "request.taken" in capsys.readouterr().err
    taken = [
        each for each in read_journal(service_home.home.journal) if each.kind == "request.taken"
    ]
    assert len(taken) == 1
    assert taken[0].text("requester") == "an"
    assert taken[0].text("approvers") == "binh"
    assert taken[0].text("digest") == request["digest"]


def test_an_approver_who_has_left_stands_behind_nothing_any_more(
    call: Call, service_home: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    request = call("an").ask("crl.issue", CRL)
    call("binh").decide(request)
    assert service_home.pki("operator", "revoke", "binh", "--reason", "has left") == 0
    capsys.readouterr()
    assert service_home.pki("request", "execute", request["id"]) == 1
    assert "request.approvals-missing" in capsys.readouterr().err
    assert not [
        each for each in read_journal(service_home.home.journal) if each.kind == "request.taken"
    ]


def test_an_operator_asks_and_decides_at_the_command_line_with_their_own_key(
    service_home: Any, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = service_home.directory
    for name, role in (("gia", "registrar"), ("ha", "officer")):
        pin = ("--operator-pin-file", str(directory / f"{name}.pin"))
        assert service_home.pki("operator", "enrol", name, *pin, "--role", role) == 0
    (directory / "crl.json").write_text(json.dumps({"days": 5}))
    as_gia = ("--operator", "gia", "--operator-pin-file", str(directory / "gia.pin"))
    as_ha = ("--operator", "ha", "--operator-pin-file", str(directory / "ha.pin"))
    capsys.readouterr()
    create = ("crl.issue", str(directory / "crl.json"), *as_gia, "--format", "json")
    assert service_home.pki("request", "create", *create) == 0
    request = json.loads(capsys.readouterr().out)
    assert service_home.pki("request", "approve", request["id"], *as_gia) == 1
    assert "operator.role-missing" in capsys.readouterr().err
    assert service_home.pki("request", "approve", request["id"], *as_ha) == 0
    assert call("an").get(f"/v1/requests/{request['id']}").json()["state"] == "approved"
    listed = ("request", "list", "--state", "approved", "--format", "json")
    capsys.readouterr()
    assert service_home.pki(*listed) == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == [request["id"]]
    assert service_home.pki("request", "reject", request["id"], *as_ha, "--reason", "no") == 1
    assert service_home.pki("request", "show", request["id"]) == 0
