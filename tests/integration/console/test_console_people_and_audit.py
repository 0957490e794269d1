"""Pages for the administrator and the auditor: accounts, roles, and what was done, without names of members."""

import re
import uuid
from dataclasses import replace
from typing import Any

import pytest

from issuer.domain.rights import AccountName
from issuer.domain.session import SessionToken
from issuer.services.audit_office import AuditOffice
from issuer.services.audit_verification import AuditVerification
from issuer.services.operation_ports import OperationId, OperationKind
from issuer.services.operations import OperationWork
from tests.integration.console.strict_page import StrictPage

SHOWN = re.compile(r'<code class="number">([0-9]{24})</code>')
KEY = "0123456789abcdef"


def stepped_up(office: Any, account: str) -> Any:
    """A client who has just shown a second factor."""
    client = office.client(account)
    (cookie,) = list(client.cookies.jar)
    old = SessionToken.from_text(str(cookie.value))
    fresh = SessionToken(uuid.uuid4().bytes * 2)
    with office.register.writing() as transaction:
        session = transaction.sessions.find(old.digest).session
        transaction.sessions.replace(old.digest, session.stepped_up(fresh, office.services.now()))
    cookie.value = fresh.text
    return client


def test_an_administrator_makes_an_account_whose_password_is_shown_once(office: Any) -> None:
    client = stepped_up(office, "van")
    page = client.get("/people")
    assert page.status_code == 200
    StrictPage(page.text)
    fields = {"name": "thu", "role": "clerk", "organisation": "P-01"}
    made = client.post("/people", fields)
    assert made.status_code == 200
    StrictPage(made.text)
    (password,) = SHOWN.findall(made.text)
    assert not SHOWN.findall(client.get("/people/thu").text)
    newcomer = office.client(None)
    sent = newcomer.post("/login", {"account": "thu", "password": password})
    assert sent.status_code == 303
    assert newcomer.get("/members").headers["location"].startswith("/password")
    again = client.post("/people", fields)
    assert (again.status_code, "account.name-taken" in again.text) == (409, True)
    StrictPage(again.text)
    assert password not in str(office.trail())


def test_roles_are_given_and_taken_and_accounts_disabled_and_enabled(office: Any) -> None:
    client = stepped_up(office, "van")
    role = {"act": "assign", "role": "endorser", "organisation": "P-02"}
    assert client.post("/people/hoa", role).headers["location"] == "/people/hoa"
    assert "Endorser" in client.get("/people/hoa").text
    client.post("/people/hoa", role | {"act": "unassign"})
    assert (
        'value="unassign"><input type="hidden" name="role" value="endorser"'
        not in client.get("/people/hoa").text
    )
    clerk = office.client("hoa")
    client.post("/people/hoa", {"act": "disable"})
    assert clerk.get("/members").headers["location"].startswith("/login")
    assert "Disabled" in client.get("/people/hoa").text
    client.post("/people/hoa", {"act": "enable"})
    assert SHOWN.findall(client.post("/people/hoa", {"act": "reset"}).text)
    actions = [each.action for each in office.trail() if each.account == "van"]
    for action in ("role-given", "role-taken", "disabled", "enabled", "password-reset"):
        assert f"account.{action}" in actions


def test_nobody_gives_themselves_a_right_or_loses_the_last_administrator(office: Any) -> None:
    client = stepped_up(office, "van")
    own = client.get("/people/van").text
    assert 'value="assign"' not in own
    for act in ("assign", "unassign", "disable", "reset"):
        answer = client.post("/people/van", {"act": act, "role": "auditor"})
        assert answer.status_code == 409
        assert "account.own" in answer.text
    mixed = client.post("/people/lan", {"act": "assign", "role": "administrator"})
    assert "account.administrator-alone" in mixed.text


@pytest.mark.parametrize(
    "fields",
    [{"x": ""}, {"act": "delete"}, {"act": "assign", "role": "king"}, {"act": "assign", "role": "clerk", "organisation": "<b>"}],
)  # fmt: skip
def test_a_form_that_says_nothing_sensible_changes_nothing(
    office: Any, fields: dict[str, str]
) -> None:
    client = stepped_up(office, "van")
    before = len(office.trail())
    answer = client.post("/people/hoa", fields)
    assert answer.status_code == 422
    StrictPage(answer.text)
    assert len(office.trail()) == before


def test_changing_people_leads_to_the_second_factor_and_looking_does_not(office: Any) -> None:
    client = office.client("van")
    assert client.get("/people/hoa").status_code == 200
    sent = client.post(
        "/people/hoa", {"act": "disable"}, referer="https://console.example/people/hoa"
    )
    assert sent.headers["location"] == "/second-factor?next=%2Fpeople%2Fhoa"
    for account in ("lan", "tuan"):
        assert office.client(account).get("/people").status_code == 403
        assert office.client(account).post("/people/hoa", {"act": "disable"}).status_code == 403


def test_accounts_come_page_by_page(office: Any) -> None:
    client = stepped_up(office, "van")
    with office.register.writing() as transaction:
        hoa = transaction.people.get(AccountName("hoa"))
        for number in range(60):
            transaction.people.add(
                replace(hoa, account_id=uuid.uuid4(), name=AccountName(f"clerk{number:02}"))
            )
    first = StrictPage(client.get("/people").text).links()
    (following,) = [each for each in first if each.startswith("/people?behind=")]
    second = StrictPage(client.get(following).text).links()
    seen = [each for each in (*first, *second) if each.startswith("/people/")]
    assert len(seen) == len(set(seen)) == 67


def test_the_auditor_sees_what_was_done_and_no_names(office: Any) -> None:
    (member,) = office.add_members(names=["Nguyễn Thị Hòa"])
    office.client("lan").get(f"/members/{member}")
    client = office.client("tuan")
    page = client.get("/audit")
    StrictPage(page.text)
    assert "member.read" in page.text
    assert uuid.UUID(member).hex[:12] in page.text
    assert "Nguyễn" not in page.text
    narrowed = client.get("/audit?account=lan&subject=member&subject_id=" + uuid.UUID(member).hex)
    assert "member.read" in narrowed.text
    assert "session.opened" not in narrowed.text
    assert "There is no such record." in client.get("/audit?account=nobody-there").text
    assert "There is no such record." in client.get("/audit?subject=card").text
    assert office.client("lan").get("/audit").status_code == 403


def test_the_trail_is_read_page_by_page(office: Any) -> None:
    for _ in range(60):
        office.client("lan")
    client = office.client("tuan")
    first = client.get("/audit?account=lan").text
    (following,) = [each for each in StrictPage(first).links() if "before=" in each]
    assert "account=lan" in following
    second = client.get(following).text
    assert first.count("session.opened") + second.count("session.opened") == 60


def test_the_trail_is_checked_by_an_operation(office: Any) -> None:
    client = office.client("tuan")
    sent = client.post("/audit/verify", {"once": KEY})
    again = client.post("/audit/verify", {"once": KEY})
    where = sent.headers["location"]
    assert (sent.status_code, again.headers["location"]) == (303, where)
    assert client.post("/audit/verify", {"once": "x"}).status_code == 422
    assert office.client("lan").post("/audit/verify", {"once": KEY}).status_code == 403
    StrictPage(client.get(where).text)
    ledger = office.services.operations.ledger
    work = AuditVerification(
        register=office.register,
        office=AuditOffice(register=office.register, clock=office.services.now),
        anchors=list,
        mark=lambda: None,
    )
    OperationWork(
        ledger=ledger, works={OperationKind.VERIFY_AUDIT: work}, clock=office.services.now
    ).work(where.rpartition("/")[2])
    found = ledger.get(OperationId(uuid.UUID(where.rpartition("/")[2])))
    assert found.counts["faults"] == 0
    assert found.counts["records"] >= 1
    ended = client.get(where).text
    StrictPage(ended)
    assert "The audit trail is whole." in ended


def test_what_takes_two_administrators_waits_on_the_page_of_people(office: Any) -> None:
    with office.register.writing() as transaction:
        van = transaction.people.get(AccountName("van"))
        transaction.people.add(replace(van, account_id=uuid.uuid4(), name=AccountName("second")))
    first, second = stepped_up(office, "van"), stepped_up(office, "second")
    made = first.post("/people", {"name": "thu", "role": "decider", "organisation": "T"})
    assert made.status_code == 200
    StrictPage(made.text)
    assert "Waiting for another administrator" in made.text
    (path,) = set(re.findall(r"/account-proposals/[0-9]+", made.text))
    own = first.post(path, {"act": "confirm"})
    assert (own.status_code, "right.same-person" in own.text) == (403, True)
    StrictPage(own.text)
    page = second.get("/people").text
    StrictPage(page)
    assert path in page
    assert 'value="confirm"' in page
    assert 'value="confirm"' not in first.get("/people").text
    assert second.post(path, {"act": "confirm"}).headers["location"] == "/people/thu"
    assert "Waiting for another administrator" not in second.get("/people/thu").text
    with office.register.reading() as transaction:
        assert transaction.people.get(AccountName("thu")).assignments
    # The password of a reset is shown to whoever confirmed it, and to nobody else.
    asked = first.post("/people/thu", {"act": "reset"})
    assert asked.headers["location"] == "/people/thu"
    (path,) = set(re.findall(r"/account-proposals/[0-9]+", first.get("/people/thu").text))
    confirmed = second.post(path, {"act": "confirm"})
    (password,) = SHOWN.findall(confirmed.text)
    newcomer = office.client(None)
    assert newcomer.post("/login", {"account": "thu", "password": password}).status_code == 303
    late = second.post(path, {"act": "confirm"})
    assert (late.status_code, "account.proposal-unknown" in late.text) == (404, True)
    first.post("/people/thu", {"act": "forget-keys"})
    (path,) = set(re.findall(r"/account-proposals/[0-9]+", first.get("/people").text))
    assert first.post(path, {"act": "withdraw"}).headers["location"] == "/people/thu"
    assert "/account-proposals/" not in first.get("/people").text
    assert first.post(path, {"act": "x"}).status_code == 422
    for account in ("lan", "tuan"):
        assert office.client(account).post(path, {"act": "confirm"}).status_code == 403
