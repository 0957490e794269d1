"""Requests in the console and through the API: from a draft to what waits for the deciding committee."""

import secrets
import uuid
from dataclasses import replace
from typing import Any

import pytest

from issuer.domain.account import AccountState
from issuer.domain.rights import Role
from issuer.services.operation_ports import OperationKind
from issuer.services.operations import OperationWork
from issuer.services.request_operations import DraftWork, StepWork
from tests.integration.console.strict_page import StrictPage

EXCHANGE = {"kind": "exchange"}


def key() -> dict[str, str]:
    return {"idempotency-key": secrets.token_urlsafe(24)}


def send(client: Any, path: str, body: dict[str, Any], **headers: str) -> Any:
    return client.send("POST", path, json=body, headers=key() | headers)


def drafts(office: Any, count: int = 3, organisation: str = "P-01") -> list[str]:
    """Members with drafted requests; the identifiers of the requests."""
    members = office.add_members(count, organisation=organisation)
    answer = send(office.client("lan"), "/v1/requests", EXCHANGE | {"members": members})
    assert answer.status_code == 200
    return [each["request"] for each in answer.json()["outcomes"]]


def step(client: Any, name: str, requests: list[str], **more: str) -> dict[str, Any]:
    body = {"step": name, "requests": [{"id": each} for each in requests]} | more
    answer = send(client, "/v1/requests/steps", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def people(office: Any) -> Any:
    """An endorser of one commune, and one of the province who compiles."""
    office.add_person("mai", Role.ENDORSER, organisation="P-01")
    office.add_person("quan", Role.ENDORSER, organisation="T")
    return office


def work(office: Any, operation: str) -> dict[str, Any]:
    """Do an operation, as whoever runs jobs would."""
    requests, desk = office.services.requests, office.services.operations
    works = {
        OperationKind.DRAFT_REQUESTS: DraftWork(
            register=office.register, drafting=requests.drafting
        ),
        OperationKind.MOVE_REQUESTS: StepWork(
            register=office.register, reading=requests.reading, steps=requests.steps
        ),
    }
    OperationWork(ledger=desk.ledger, works=works, clock=office.services.now).work(operation)
    found = desk.ledger.get(uuid.UUID(operation))
    assert found.code is None, found.sentence
    return dict(found.counts)


def test_requests_go_from_hand_to_hand_and_wait_for_whoever_takes_the_next_step(
    people: Any,
) -> None:
    wanted = drafts(people)
    lan, mai, quan = (people.client(name) for name in ("lan", "mai", "quan"))
    for client, name, waiting in (
        (lan, "propose", "endorse"), (mai, "endorse", "compile"), (quan, "compile", "decide"),
    ):  # fmt: skip
        found = client.get(f"/v1/requests?waiting={name}").json()["requests"]
        assert sorted(each["id"] for each in found) == sorted(wanted)
        assert {each["full_name"] for each in found} >= {"Nguyễn Văn An"}
        tasks = {each["name"]: each for each in client.get("/v1/overview").json()["waiting"]}
        ours = next(each for each in tasks.values() if each["href"].endswith(f"={name}"))
        assert ours["count"] == 3
        done = step(client, name, wanted)
        assert (done["changed"], done["refused"]) == (3, 0)
        # What was handed on waits for others, and no more for whoever did it.
        assert client.get(f"/v1/requests?waiting={name}").json()["requests"] == []
        assert client.get(f"/v1/requests?waiting={waiting}").status_code == 403
    shown = quan.get(f"/v1/requests/{wanted[0]}").json()
    assert [each["step"] for each in shown["time_line"]] == [
        "drafted", "proposed", "endorsed", "compiled",
    ]  # fmt: skip
    assert [each["account"] for each in shown["time_line"]] == ["lan", "lan", "mai", "quan"]
    assert (shown["state"], shown["findings"]) == ("compiled", [])


def test_the_deciding_committees_step_does_not_wait_for_people_below_it(people: Any) -> None:
    wanted = drafts(people, 2)
    step(people.client("lan"), "propose", wanted)
    # The commune's endorser has the right to compile at the commune, where nobody compiles.
    step(people.client("mai"), "endorse", wanted)
    mai = people.client("mai")
    assert mai.get("/v1/requests?waiting=compile").status_code == 403
    assert mai.get(f"/v1/requests/{wanted[0]}").json()["steps"] == []
    refused = step(mai, "compile", wanted)
    assert {each["code"] for each in refused["outcomes"]} == {"right.missing"}


def test_a_request_outside_of_ones_part_of_the_tree_is_not_there(people: Any) -> None:
    (elsewhere,) = drafts(people, 1, organisation="P-02")
    mai = people.client("mai")
    assert mai.get(f"/v1/requests/{elsewhere}").json()["code"] == "request.unknown"
    assert mai.get("/v1/requests").json()["requests"] == []
    assert mai.get("/v1/requests?organisation=P-02").status_code == 403
    assert mai.get("/v1/requests?organisation=T").status_code == 200
    outcome = step(mai, "endorse", [elsewhere])["outcomes"][0]
    assert outcome["code"] == "right.missing"


def test_one_request_is_changed_as_it_was_read_or_not_at_all(people: Any) -> None:
    (wanted,) = drafts(people, 1)
    lan = people.client("lan")
    seen = lan.get(f"/v1/requests/{wanted}")
    path = f"/v1/requests/{wanted}/steps"
    assert send(lan, path, {"step": "propose"}).json()["code"] == "api.precondition-missing"
    done = send(lan, path, {"step": "propose"}, **{"if-match": seen.headers["etag"]})
    assert (done.status_code, done.json()["changed"]) == (200, 1)
    late = send(
        people.client("mai"), path, {"step": "endorse"}, **{"if-match": seen.headers["etag"]}
    )
    assert (late.status_code, late.json()["code"]) == (412, "api.precondition-failed")
    # A version that was read and is gone is refused in a batch, too.
    body = {"step": "endorse", "requests": [{"id": wanted, "version": 1}]}
    batch = send(people.client("mai"), "/v1/requests/steps", body)
    assert batch.json()["outcomes"][0]["code"] == "request.changed-meanwhile"


def test_a_refused_step_with_one_request_is_a_problem_with_its_code(people: Any) -> None:
    (wanted,) = drafts(people, 1)
    lan, mai = people.client("lan"), people.client("mai")
    path = f"/v1/requests/{wanted}/steps"
    tag = {"if-match": mai.get(f"/v1/requests/{wanted}").headers["etag"]}
    answer = send(mai, path, {"step": "endorse"}, **tag)
    assert (answer.status_code, answer.json()["code"]) == (409, "request.wrong-state")
    tag = {"if-match": lan.get(f"/v1/requests/{wanted}").headers["etag"]}
    answer = send(lan, path, {"step": "withdraw"}, **tag)
    assert (answer.status_code, answer.json()["code"]) == (422, "request.remark")


def test_the_same_key_takes_a_step_once(people: Any) -> None:
    wanted = drafts(people, 2)
    headers, body = key(), {"step": "propose", "requests": [{"id": each} for each in wanted]}
    lan = people.client("lan")
    first, again = (
        lan.send("POST", "/v1/requests/steps", json=body, headers=headers) for _ in range(2)
    )
    assert first.json() == again.json()
    assert first.json()["changed"] == 2
    actions = [each.action for each in people.trail()]
    assert actions.count("request.proposed") == 2


def test_drafting_tells_of_each_member_why_there_is_no_request(people: Any) -> None:
    members = [*people.add_members(1), str(uuid.uuid4())]
    lan = people.client("lan")
    body = {"kind": "new-issue", "members": members}
    codes = [each["code"] for each in send(lan, "/v1/requests", body).json()["outcomes"]]
    assert codes == ["eligibility.has-card", "member.unknown"]
    wrong = send(lan, "/v1/requests", {"kind": "re-issue", "members": members})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "request.reason")
    found = lan.get(f"/v1/members/{members[0]}/eligibility?kind=new-issue").json()
    assert [each["code"] for each in found["findings"]] == ["eligibility.has-card"]
    assert lan.get(f"/v1/members/{members[0]}/eligibility?kind=exchange").json()["findings"] == []
    gone = lan.get(f"/v1/members/{members[1]}/eligibility?kind=exchange")
    assert (gone.status_code, gone.json()["code"]) == (404, "member.unknown")


def test_everybody_below_an_organisation_gets_a_draft_and_all_that_wait_are_proposed(
    people: Any,
) -> None:
    people.add_members(5, organisation="P-01")
    people.add_members(2, organisation="P-02")
    hoa = people.client("hoa")
    begun = send(hoa, "/v1/requests/draft-all", EXCHANGE)
    assert begun.status_code == 202
    counts = work(people, begun.json()["id"])
    # The clerk of one commune drafts for that commune alone.
    assert counts == {"changed": 5, "unchanged": 0, "left-out": 0}
    assert work(people, send(hoa, "/v1/requests/draft-all", {"kind": "new-issue"}).json()["id"]) == {
        "changed": 0, "unchanged": 0, "left-out": 5, "eligibility.has-card": 5,
    }  # fmt: skip
    begun = send(hoa, "/v1/requests/steps-for-all", {"step": "propose"})
    assert begun.headers["location"] == f"/v1/operations/{begun.json()['id']}"
    assert work(people, begun.json()["id"])["changed"] == 5
    page = hoa.get(f"/operations/{begun.json()['id']}")
    assert ">5<" in page.text
    StrictPage(page.text)
    assert send(people.client("mai"), "/v1/requests/draft-all", EXCHANGE).status_code == 403


def test_an_account_that_was_disabled_meanwhile_drafts_nothing(people: Any) -> None:
    people.add_members(1)
    begun = send(people.client("hoa"), "/v1/requests/draft-all", EXCHANGE).json()["id"]
    with people.register.writing() as transaction:
        account = transaction.people.get("hoa")
        transaction.people.replace(replace(account, state=AccountState.DISABLED))
    with pytest.raises(AssertionError, match="disabled"):
        work(people, begun)


def test_pages_of_requests_come_in_order_and_are_whole(people: Any) -> None:
    wanted = drafts(people, 7)
    client, seen, cursor = people.client("lan"), [], None
    while True:
        page = client.get(f"/v1/requests?limit=3{'' if cursor is None else f'&cursor={cursor}'}")
        seen += [each["id"] for each in page.json()["requests"]]
        cursor = page.json().get("next")
        if cursor is None:
            break
    assert sorted(seen) == sorted(wanted)
    other = people.client("hoa").get("/v1/requests?limit=3").json()["next"]
    assert client.get(f"/v1/requests?limit=3&cursor={other}").json()["code"] == "api.cursor-invalid"


def test_the_pages_are_well_formed_and_a_form_hands_requests_on(people: Any) -> None:
    wanted = drafts(people, 3)
    lan, mai = people.client("lan"), people.client("mai")
    for path in (
        "/requests",
        "/requests?waiting=propose",
        "/requests/draft",
        f"/requests/{wanted[0]}",
    ):
        page = lan.get(path)
        assert page.status_code == 200, path
        StrictPage(page.text)
    fields = {
        "once": secrets.token_urlsafe(24),
        "step": "propose",
        "back": "/requests?waiting=propose",
    }
    picked = {f"request-{each}": "1" for each in wanted}
    sent = lan.post("/requests/act", fields | picked)
    assert sent.headers["location"] == "/requests?waiting=propose&done=3"
    assert "3 requests went on." in lan.get(sent.headers["location"]).text
    assert "/requests?waiting=endorse" in mai.get("/").text
    # One was sent back by the time of the next form: it says which, and why it did not go on.
    send_back = {"step": "send-back", "reason": "the portrait is blurred", "version": "2"}
    one = mai.post(f"/requests/{wanted[0]}", send_back | {"once": secrets.token_urlsafe(24)})
    assert one.headers["location"] == f"/requests/{wanted[0]}"
    assert "the portrait is blurred" in mai.get(f"/requests/{wanted[0]}").text
    stale = fields | {"once": secrets.token_urlsafe(24), "step": "endorse"}
    result = mai.post("/requests/act", stale | {f"request-{each}": "2" for each in wanted})
    assert result.status_code == 200
    StrictPage(result.text)
    assert "2 went on, 1 did not" in result.text
    assert "request.wrong-state" in result.text or "request.changed-meanwhile" in result.text
    none = mai.post("/requests/act", {"once": secrets.token_urlsafe(24), "step": "endorse"})
    assert "request.none-chosen" in none.text


def test_a_member_page_says_whether_there_may_be_a_card_and_why_not(people: Any) -> None:
    (member,) = people.add_members(1)
    lan = people.client("lan")
    page = lan.get(f"/members/{member}")
    StrictPage(page.text)
    assert "Draft a request" in page.text
    fields = {"once": secrets.token_urlsafe(24), "kind": "re-issue:lost"}
    sent = lan.post(f"/members/{member}/requests", fields)
    assert sent.status_code == 303
    page = lan.get(f"/members/{member}")
    StrictPage(page.text)
    assert "Another request for the same member is open" in page.text
    assert sent.headers["location"] in page.text
    again = lan.post(
        f"/members/{member}/requests",
        fields | {"once": secrets.token_urlsafe(24), "kind": "exchange"},
    )
    assert again.status_code == 409
    assert "eligibility.other-request" in again.text


def test_who_may_not_read_requests_sees_none(people: Any) -> None:
    van = people.client("van")
    assert van.get("/requests").status_code == 403
    assert "/requests" not in StrictPage(van.get("/").text).links()


def test_the_figure_of_what_waits_is_the_length_of_the_list_that_it_leads_to(people: Any) -> None:
    wanted = drafts(people, 4)
    lan = people.client("lan")
    step(lan, "propose", wanted[:2])
    listed = lan.get("/v1/requests?waiting=propose").json()["requests"]
    tasks = {each["name"]: each["count"] for each in lan.get("/v1/overview").json()["waiting"]}
    assert tasks == {"proposed": 2}
    assert {each["id"] for each in listed} == set(wanted[2:])
    assert {each["state"] for each in listed} == {"draft"}
