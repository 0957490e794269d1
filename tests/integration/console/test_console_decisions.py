"""Decisions in the console and through the API: prepared with a signed document by one, confirmed by another."""

import secrets
import uuid
from datetime import timedelta
from typing import Any

import pytest

from issuer.api.gate import SESSION_COOKIE
from issuer.domain.card_number import CardNumber
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.domain.session import SessionToken
from issuer.services.decision_operations import ConfirmWork, DropWork, TableWork
from issuer.services.operation_ports import OperationKind
from issuer.services.operations import OperationWork
from tests.integration.console.strict_page import StrictPage
from tests.integration.console.test_console_requests import drafts, send, step

PDF = b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\ntrailer\n<< >>\n%%EOF\n"
WORDS = {"number": "12-QĐ/TU", "decided_on": "20/11/2026", "committee": "T"}


def key() -> dict[str, str]:
    return {"idempotency-key": secrets.token_urlsafe(24)}


def stepped_up(office: Any, name: str, *, minutes_ago: int = 0) -> Any:
    """A client of somebody who has shown the second factor."""
    client = office.client(name)
    old = SessionToken.from_text(client.cookies.get(SESSION_COOKIE))
    fresh = SessionToken(secrets.token_bytes(32))
    with office.register.writing() as transaction:
        found = transaction.sessions.find(old.digest)
        at = office.services.now() - timedelta(minutes=minutes_ago)
        transaction.sessions.replace(old.digest, found.session.stepped_up(fresh, at))
    client.cookies.set(SESSION_COOKIE, fresh.text, domain="console.example", path="/")
    return client


def compiled(office: Any, count: int = 3, organisation: str = "P-01") -> list[str]:
    wanted = drafts(office, count, organisation=organisation)
    for name, who in (("propose", "lan"), ("endorse", "mai"), ("compile", "quan")):
        assert step(office.client(who), name, wanted)["refused"] == 0
    return wanted


@pytest.fixture
def people(office: Any) -> Any:
    office.add_person("mai", Role.ENDORSER, organisation="T")
    office.add_person("quan", Role.ENDORSER, organisation="T")
    office.add_person("son", Role.DECIDER, organisation="T")
    administrator = Actor(
        account=AccountName("van"),
        assignments=(Assignment(role=Role.ADMINISTRATOR),),
        stepped_up_at=office.services.now(),
    )
    office.services.requests.numbers.grant(
        OrganisationCode("T"),
        first=CardNumber("98000001"),
        last=CardNumber("98000099"),
        actor=administrator,
    )
    return office


def prepare(client: Any, **changes: Any) -> Any:
    document = changes.pop("document", PDF)
    return client.send(
        "POST", "/v1/decisions", data=WORDS | changes,
        files={"document": ("12.pdf", document, "application/pdf")}, headers=key(),
    )  # fmt: skip


def work(office: Any, operation: str) -> dict[str, int]:
    services = office.services
    requests, ledger = services.requests, services.operations.ledger
    works = {
        OperationKind.TABLE_REQUESTS: TableWork(
            register=office.register, reading=requests.reading,
            preparing=requests.preparing, clock=services.now,
        ),
        OperationKind.CONFIRM_DECISION: ConfirmWork(
            register=office.register, confirming=requests.confirming
        ),
        OperationKind.DROP_DECISION: DropWork(
            register=office.register, preparing=requests.preparing
        ),
    }  # fmt: skip
    OperationWork(ledger=ledger, works=works, clock=services.now).work(operation)
    found = ledger.get(uuid.UUID(operation))
    assert found.code is None, found.sentence
    return dict(found.counts)


def confirm(client: Any, decision: str, requests: int) -> Any:
    tag = client.get(f"/v1/decisions/{decision}").headers["etag"]
    path = f"/v1/decisions/{decision}/confirmation"
    return send(client, path, {"requests": requests}, **{"if-match": tag})


def test_one_prepares_another_confirms_and_the_requests_get_numbers(people: Any) -> None:
    wanted = compiled(people)
    minh, son = stepped_up(people, "minh"), stepped_up(people, "son")
    made = prepare(minh)
    assert made.status_code == 201, made.text
    decision = made.json()["id"]
    assert made.json()["signature"] == "absent"
    begun = send(minh, f"/v1/decisions/{decision}/requests-for-all", {})
    assert begun.json()["about"] == f"/v1/decisions/{decision}"
    assert work(people, begun.json()["id"])["changed"] == 3
    # It waits for the other one, and for nobody else.
    assert minh.get("/v1/decisions?waiting=true").json()["decisions"] == []
    assert [each["id"] for each in son.get("/v1/decisions?waiting=true").json()["decisions"]] == [
        decision
    ]
    tasks = {each["name"]: each["count"] for each in son.get("/v1/overview").json()["waiting"]}
    assert tasks == {"decisions": 1}
    own = confirm(minh, decision, 3)
    assert (own.status_code, own.json()["code"]) == (403, "right.same-person")
    stale = confirm(son, decision, 2)
    assert (stale.status_code, stale.json()["code"]) == (409, "decision.changed-meanwhile")
    done = confirm(son, decision, 3)
    assert done.status_code == 202
    assert work(people, done.json()["id"]) == {"changed": 3, "unchanged": 0, "left-out": 0}
    shown = son.get(f"/v1/decisions/{decision}").json()
    assert (shown["state"], shown["confirmed_by"], shown["states"]) == (
        "confirmed",
        "son",
        {"decided": 3},
    )
    lines = son.get(f"/v1/requests?decision={decision}").json()["requests"]
    assert {each["id"] for each in lines} == set(wanted)
    # An exchange keeps the number that the member held.
    assert all(each["card_number"].startswith("97.") for each in lines)
    assert son.get(f"/v1/decisions/{decision}/document").content == PDF


def test_without_the_second_factor_nobody_decides_and_the_page_leads_to_it(people: Any) -> None:
    compiled(people)
    answer = prepare(people.client("minh"))
    assert (answer.status_code, answer.json()["code"]) == (403, "right.step-up-needed")
    answer = prepare(stepped_up(people, "minh", minutes_ago=6))
    assert answer.json()["code"] == "right.step-up-needed"
    form = people.client("minh").send(
        "POST", "/decisions/prepare", data=WORDS | {"once": secrets.token_urlsafe(24)},
        files={"document": ("12.pdf", PDF, "application/pdf")},
        headers={"referer": "https://console.example/decisions/prepare"},
    )  # fmt: skip
    assert form.headers["location"] == "/second-factor?next=%2Fdecisions%2Fprepare"


def test_nobody_puts_requests_into_the_decision_of_another(people: Any) -> None:
    """Whoever confirms would confirm alone what they put in."""
    wanted = compiled(people)
    decision = prepare(stepped_up(people, "minh")).json()["id"]
    son = stepped_up(people, "son")
    for path, body in (("requests", {"requests": wanted}), ("requests-for-all", {})):
        answer = send(son, f"/v1/decisions/{decision}/{path}", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "decision.other-preparer")


def test_a_decision_is_given_up_and_its_requests_can_stand_in_another(people: Any) -> None:
    wanted = compiled(people)
    minh = stepped_up(people, "minh")
    decision = prepare(minh).json()["id"]
    added = send(minh, f"/v1/decisions/{decision}/requests", {"requests": wanted[:2]})
    assert added.json()["changed"] == 2
    tag = minh.get(f"/v1/decisions/{decision}").headers["etag"]
    path = f"/v1/decisions/{decision}/dropping"
    assert minh.send("POST", path, headers=key()).json()["code"] == "api.precondition-missing"
    dropped = minh.send("POST", path, headers=key() | {"if-match": tag})
    assert dropped.status_code == 202, dropped.text
    assert work(people, dropped.json()["id"])["changed"] == 2
    assert minh.get(f"/v1/decisions/{decision}").json()["state"] == "dropped"
    assert len(minh.get("/v1/requests?waiting=decide").json()["requests"]) == 3


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"document": b"no pdf"}, "document.no-pdf"),
        ({"document": PDF + bytes((16 << 20) + 1)}, "document.too-large"),
        ({"number": "12\u202e"}, "decision.number-malformed"),
        ({"decided_on": "31/02/2026"}, "date.impossible"),
        ({"committee": "Z-99"}, "organisation.unknown"),
    ],
)
def test_what_is_no_decision_is_refused_with_its_code(
    people: Any, changes: dict[str, Any], code: str
) -> None:
    answer = prepare(stepped_up(people, "minh"), **changes)
    assert answer.status_code in {404, 422}
    assert answer.json()["code"] == code
    assert stepped_up(people, "minh").get("/v1/decisions").json()["decisions"] == []


def test_the_same_words_by_somebody_else_are_another_decision(people: Any) -> None:
    first = prepare(stepped_up(people, "minh"))
    again = prepare(stepped_up(people, "minh"))
    assert first.json()["id"] == again.json()["id"]
    other = prepare(stepped_up(people, "son"))
    assert (other.status_code, other.json()["code"]) == (409, "decision.number-used")


def test_a_decision_outside_of_ones_part_of_the_tree_is_not_there(people: Any) -> None:
    decision = prepare(stepped_up(people, "minh")).json()["id"]
    hoa = people.client("hoa")
    for path in (f"/v1/decisions/{decision}", f"/v1/decisions/{decision}/document"):
        assert (hoa.get(path).status_code, hoa.get(path).json()["code"]) == (
            404,
            "decision.unknown",
        )
    assert hoa.get("/v1/decisions").json()["decisions"] == []


def test_decisions_come_in_pages(people: Any) -> None:
    minh = stepped_up(people, "minh")
    made = [prepare(minh, number=f"{number}-QĐ/TU").json()["id"] for number in range(5)]
    seen, cursor = list[str](), ""
    while True:
        page = minh.get(f"/v1/decisions?limit=2{cursor}").json()
        seen += [each["id"] for each in page["decisions"]]
        if page.get("next") is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == made[::-1]


def test_two_people_decide_by_the_pages_alone(people: Any) -> None:
    compiled(people)
    minh, son = stepped_up(people, "minh"), stepped_up(people, "son")
    for path in ("/decisions", "/decisions/prepare", "/requests?waiting=decide"):
        StrictPage(minh.get(path).text)
    sent = minh.send(
        "POST", "/decisions/prepare",
        data=WORDS | {"once": secrets.token_urlsafe(24), "all": "all"},
        files={"document": ("12.pdf", PDF, "application/pdf")},
    )  # fmt: skip
    assert sent.status_code == 303, sent.text
    work(people, sent.headers["location"].removeprefix("/operations/"))
    page = minh.get(sent.headers["location"])
    StrictPage(page.text)
    (link,) = [each for each in StrictPage(page.text).links() if each.startswith("/decisions/")]
    page = son.get(link)
    StrictPage(page.text)
    assert "you confirm 3 requests" in page.text
    fields = {"once": secrets.token_urlsafe(24), "act": "confirm", "requests": "3"}
    # Whoever prepared it is told why they cannot.
    refused = minh.post(link, fields | {"once": secrets.token_urlsafe(24)})
    assert refused.status_code == 403
    assert "right.same-person" in refused.text
    StrictPage(refused.text)
    sent = son.post(link, fields)
    work(people, sent.headers["location"].removeprefix("/operations/"))
    page = son.get(link)
    StrictPage(page.text)
    assert "Decided: 3" in page.text
    assert "97.000001" in page.text
    StrictPage(son.get("/decisions").text)
    assert son.get(f"{link}/document").content == PDF


def test_picked_requests_are_put_into_ones_own_decision(people: Any) -> None:
    wanted = compiled(people)
    minh = stepped_up(people, "minh")
    decision = prepare(minh).json()["id"]
    page = minh.get("/requests?waiting=decide")
    StrictPage(page.text)
    assert decision in page.text
    fields = {"once": secrets.token_urlsafe(24), "decision": decision}
    sent = minh.post("/requests/table", fields | {f"request-{wanted[0]}": "4"})
    assert sent.status_code == 303, sent.text
    assert sent.headers["location"] == f"/decisions/{decision}"
    assert minh.get(f"/v1/decisions/{decision}").json()["requests"] == 1
    again = fields | {"once": secrets.token_urlsafe(24)}
    StrictPage(minh.post("/requests/table", again | {f"request-{uuid.uuid4()}": "4"}).text)
    none = minh.post("/requests/table", again)
    assert "request.none-chosen" in none.text


def test_what_is_decided_is_withdrawn_by_two_as_long_as_there_is_no_card(people: Any) -> None:
    wanted = compiled(people, 2)
    minh, son = stepped_up(people, "minh"), stepped_up(people, "son")
    decision = prepare(minh).json()["id"]
    work(people, send(minh, f"/v1/decisions/{decision}/requests-for-all", {}).json()["id"])
    work(people, confirm(son, decision, 2).json()["id"])
    reason = {"reason": "the member moved abroad"}
    # The clerk who might withdraw a draft does not withdraw what a committee decided.
    lan = step(people.client("lan"), "withdraw", wanted[:1], **reason)
    assert lan["outcomes"][0]["code"] == "right.missing"
    asked = step(minh, "withdraw", wanted[:1], **reason)["outcomes"][0]
    assert (asked["state"], asked["changed"]) == ("decided", True)
    again = step(minh, "withdraw", wanted[:1], **reason)["outcomes"][0]
    assert again["code"] == "right.same-person"
    assert "withdraw" not in minh.get(f"/v1/requests/{wanted[0]}").json()["steps"]
    assert son.get(f"/v1/requests/{wanted[0]}").json()["steps"] == ["withdraw"]
    StrictPage(son.get(f"/requests/{wanted[0]}").text)
    done = step(son, "withdraw", wanted[:1], **reason)["outcomes"][0]
    assert done["state"] == "withdrawn"
    shown = son.get(f"/v1/requests/{wanted[0]}").json()
    assert shown["card_number"] is None
    assert [each["step"] for each in shown["time_line"]][-2:] == ["withdrawal-asked", "withdrawn"]
    assert son.get(f"/v1/decisions/{decision}").json()["states"] == {"decided": 1, "withdrawn": 1}
