"""People for programs: accounts page by page, every act with a key and a tag, and four eyes on what takes two."""

import secrets
import uuid
from dataclasses import replace
from typing import Any

import pytest

from issuer.api.app import describe
from issuer.domain.account import AccountState
from issuer.domain.rights import AccountName, Role
from tests.integration.console.test_console_decisions import stepped_up

GIVEN = "mật khẩu đưa tay 01"
CLERK = {"role": "clerk", "organisation": "P-01"}
DECIDER = {"role": "decider", "organisation": "T"}


class Manager:
    """A program of an administrator who has shown the second factor; each act goes under a key of its own."""

    def __init__(self, office: Any, name: str) -> None:
        self.client = stepped_up(office, name)

    def read(self, name: str) -> Any:
        return self.client.get(f"/v1/people/{name}")

    def post(self, path: str, body: Any = None, *, key: str = "", tag: str | None = None) -> Any:
        headers = {"idempotency-key": key or secrets.token_urlsafe(24)}
        if tag is not None:
            headers["if-match"] = tag
        return self.client.send("POST", path, json=body or {}, headers=headers)

    def act(self, name: str, act: str, body: Any = None, *, key: str = "") -> Any:
        """An act on an account as it stands now."""
        tag = self.read(name).headers["etag"]
        return self.post(f"/v1/people/{name}/{act}", body, key=key, tag=tag)


@pytest.fixture
def first(office: Any) -> Manager:
    with office.register.writing() as transaction:
        van = transaction.people.get(AccountName("van"))
        transaction.people.add(replace(van, account_id=uuid.uuid4(), name=AccountName("second")))
    return Manager(office, "van")


def acts(office: Any) -> list[str]:
    """What was done, but for logging in."""
    return [each.action for each in office.trail() if not each.action.startswith("session.")]


def account(office: Any, name: str) -> Any:
    with office.register.reading() as transaction:
        return transaction.people.get(AccountName(name))


def test_an_account_is_made_once_and_its_password_is_kept_nowhere(
    office: Any, first: Manager
) -> None:
    body = {"account": "thu", "assignments": [CLERK], "password": GIVEN}
    key = secrets.token_urlsafe(24)
    made = first.post("/v1/people", body, key=key)
    assert (made.status_code, made.headers["location"]) == (201, "/v1/people/thu")
    assert made.json()["person"]["assignments"] == [CLERK]
    assert made.json()["person"]["has_password"]
    assert first.post("/v1/people", body, key=key).content == made.content
    # A key stands for no digest of a password: it would give the password away.
    repeated = first.post("/v1/people", body | {"password": GIVEN + "!"}, key=key)
    assert repeated.content == made.content
    other = first.post("/v1/people", body | {"account": "thu2"}, key=key)
    assert other.json()["code"] == "idempotency.key-reused"
    taken = first.post("/v1/people", body)
    assert (taken.status_code, taken.json()["code"]) == (409, "account.name-taken")
    sent = office.client(None).post("/login", {"account": "thu", "password": GIVEN})
    assert sent.status_code == 303
    assert account(office, "thu").password.is_provisional
    assert GIVEN not in str(office.trail()) + made.text


def test_without_a_password_another_service_says_who_they_are(office: Any, first: Manager) -> None:
    made = first.post("/v1/people", {"account": "thu"})
    assert made.json()["person"] | {"created_at": ""} == {
        "account": "thu", "state": "active", "assignments": [], "has_password": False, "created_at": ""
    }  # fmt: skip
    assert account(office, "thu").password is None


WRONG_BODIES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"account": "thu", "password": "ngắn"}, "password.too-short"),
    ({"account": "thu", "password": ""}, "api.request-invalid"),
    ({"account": "thu", "password": "x" * 257}, "api.request-invalid"),
    ({"account": "Thu Hà"}, "account.name-malformed"),
    ({"account": "system"}, "account.name-malformed"),
    ({"account": "thu", "assignments": [{"role": "king"}]}, "api.request-invalid"),
    ({"account": "thu", "assignments": [{"role": "clerk", "organisation": "nowhere"}]}, "organisation.unknown"),
    ({"account": "thu", "assignments": [{"role": "clerk", "organisation": "<b>"}]}, "organisation.code-malformed"),
    ({"account": "thu", "assignments": [CLERK] * 65}, "api.request-invalid"),
    ({"account": "thu", "state": "active"}, "api.request-invalid"),
)  # fmt: skip


def test_what_is_no_account_is_refused_and_changes_nothing(office: Any, first: Manager) -> None:
    before = acts(office)
    for body, code in WRONG_BODIES:
        answer = first.post("/v1/people", body)
        assert answer.json()["code"] == code, answer.text
        if body.get("password"):
            assert body["password"] not in answer.text
    assert acts(office) == before


def test_roles_are_given_and_taken_with_the_tag_that_was_read(office: Any, first: Manager) -> None:
    path, role = "/v1/people/hoa", {"role": "endorser", "organisation": "P-02"}
    shown = first.read("hoa")
    tag = shown.headers["etag"]
    assert first.client.get(path, **{"if-none-match": tag}).status_code == 304
    missing = first.post(f"{path}/roles", role)
    assert missing.json()["code"] == "api.precondition-missing"
    given = first.post(f"{path}/roles", role, tag=tag)
    assert role in given.json()["person"]["assignments"]
    late = first.post(f"{path}/roles", CLERK, tag=tag)
    assert (late.status_code, late.json()["code"]) == (412, "api.precondition-failed")
    taken = first.act("hoa", "role-removals", role)
    assert role not in taken.json()["person"]["assignments"]
    assert first.act("hoa", "role-removals", role).json()["code"] == "account.not-assigned"
    assert acts(office) == ["account.role-given", "account.role-taken"]


def test_an_account_is_disabled_enabled_and_logged_out(office: Any, first: Manager) -> None:
    clerk = office.client("hoa", is_program=True)
    assert first.act("hoa", "disabling").json()["person"]["state"] == "disabled"
    assert clerk.get("/v1/session").status_code == 401
    assert first.act("hoa", "enabling").json()["person"]["state"] == "active"
    again = office.client("hoa", is_program=True)
    assert first.act("hoa", "sessions-end").json()["sessions_ended"] == 1
    assert again.get("/v1/session").status_code == 401
    assert first.act("hoa", "second-factor-removal").status_code == 200
    reset = first.act("hoa", "password-reset", {"password": GIVEN})
    assert reset.status_code == 200
    assert (
        office.client(None).post("/login", {"account": "hoa", "password": GIVEN}).status_code == 303
    )
    without = first.act("hoa", "password-reset")
    assert (without.status_code, without.json()["code"]) == (422, "api.request-invalid")
    assert account(office, "hoa").state is AccountState.ACTIVE


def test_what_takes_two_is_proposed_by_one_and_confirmed_by_another(
    office: Any, first: Manager
) -> None:
    second = Manager(office, "second")
    made = first.post("/v1/people", {"account": "thu", "assignments": [DECIDER, CLERK]}).json()
    assert made["person"]["assignments"] == [CLERK]
    (proposal,) = made["proposals"]
    assert (proposal["act"], proposal["assignment"]) == ("give-role", DECIDER)
    path = f"/v1/account-proposals/{proposal['number']}"
    assert first.read("thu").json()["proposals"] == [proposal]
    own = first.post(f"{path}/confirmation")
    assert (own.status_code, own.json()["code"]) == (403, "right.same-person")
    listed = second.client.get("/v1/account-proposals").json()
    assert (listed["proposals"], listed.get("next")) == ([proposal], None)
    confirmed = second.post(f"{path}/confirmation")
    assert (confirmed.status_code, confirmed.json()["proposal"]) == (200, proposal)
    assert len(account(office, "thu").assignments) == 2
    # Whoever asks for a reset does not say what the password is: whoever confirms it does.
    asked = first.act("thu", "password-reset", {"password": GIVEN})
    (proposal,) = asked.json()["proposals"]
    assert account(office, "thu").password is None
    path = f"/v1/account-proposals/{proposal['number']}"
    without = second.post(f"{path}/confirmation")
    assert (without.status_code, without.json()["code"]) == (422, "api.request-invalid")
    other = "một mật khẩu khác 2"
    assert second.post(f"{path}/confirmation", {"password": other}).status_code == 200
    newcomer = office.client(None)
    assert newcomer.post("/login", {"account": "thu", "password": other}).status_code == 303
    gone = second.post(f"{path}/confirmation", {"password": other})
    assert (gone.status_code, gone.json()["code"]) == (404, "account.proposal-unknown")
    (proposal,) = first.act("thu", "second-factor-removal").json()["proposals"]
    path = f"/v1/account-proposals/{proposal['number']}"
    assert first.post(f"{path}/withdrawal").json()["proposal"] == proposal
    assert second.client.get("/v1/account-proposals").json()["proposals"] == []


def test_nobody_changes_their_own_account(first: Manager) -> None:
    for act, body in (
        ("roles", CLERK), ("disabling", {}), ("enabling", {}), ("password-reset", {"password": GIVEN}),
    ):  # fmt: skip
        assert first.act("van", act, body).json()["code"] == "account.own"


def test_accounts_and_proposals_come_page_by_page(office: Any, first: Manager) -> None:
    for number in range(5):
        first.post("/v1/people", {"account": f"thu{number}", "assignments": [DECIDER]})
    for listing, key, name in (
        ("people", "people", "account"), ("account-proposals", "proposals", "number"),
    ):  # fmt: skip
        seen: list[Any] = []
        cursor = ""
        while True:
            page = first.client.get(f"/v1/{listing}?limit=2{cursor}").json()
            assert len(page[key]) <= 2
            seen += [each[name] for each in page[key]]
            if not page.get("next"):
                break
            cursor = f"&cursor={page['next']}"
        assert seen == sorted(set(seen))
        assert len(seen) >= 5
    other = Manager(office, "second").client.get(f"/v1/people?limit=2{cursor}")
    assert other.json()["code"] == "api.cursor-invalid"


PATHS = sorted(
    (path, method)
    for path, each in describe()["paths"].items()
    for method in each
    if path.startswith(("/v1/people", "/v1/account-proposals"))
)


def test_every_path_of_people_is_judged() -> None:
    assert len(PATHS) == 13


def body_for(path: str) -> dict[str, Any]:
    if path == "/v1/people":
        return {"account": "thu"}
    return CLERK if path.endswith(("/roles", "/role-removals")) else {}


def ask(client: Any, path: str, method: str, tag: str = '"x"') -> Any:
    address = path.replace("{name}", "hoa").replace("{number}", "1")
    if method == "get":
        return client.get(address)
    headers = {"idempotency-key": secrets.token_urlsafe(24), "if-match": tag}
    return client.send("POST", address, json=body_for(path), headers=headers)


def test_who_manages_nobody_is_refused_at_every_path(office: Any) -> None:
    office.add_person("of-p-02", Role.ADMINISTRATOR, organisation="P-02")
    others = [office.client(name) for name in ("lan", "tuan", "nobody")]
    elsewhere = stepped_up(office, "of-p-02")
    before = acts(office)
    for path, method in PATHS:
        assert ask(office.client(None), path, method).status_code == 401
        for client in others:
            answer = ask(client, path, method)
            assert (answer.status_code, answer.json()["code"]) == (403, "right.missing"), path
        # An administrator of another part of the tree does not see the account at all.
        if "{name}" in path:
            assert ask(elsewhere, path, method).json()["code"] == "right.missing", path
    assert acts(office) == before


def test_a_token_of_the_command_line_reads_and_changes_nothing(office: Any) -> None:
    program = office.client("van", is_program=True)
    tag = program.get("/v1/people/hoa").headers["etag"]
    for path, method in PATHS:
        answer = ask(program, path, method, tag)
        if method == "get":
            assert answer.status_code == 200, path
        elif "account-proposals" not in path:
            assert answer.json()["code"] == "right.step-up-needed", path
    made = Manager(office, "van").post("/v1/people", {"account": "thu", "assignments": [DECIDER]})
    (proposal,) = made.json()["proposals"]
    with office.register.writing() as transaction:
        van = transaction.people.get(AccountName("van"))
        transaction.people.add(replace(van, account_id=uuid.uuid4(), name=AccountName("second")))
    second = office.client("second", is_program=True)
    for act in ("confirmation", "withdrawal"):
        headers = {"idempotency-key": secrets.token_urlsafe(24)}
        path = f"/v1/account-proposals/{proposal['number']}/{act}"
        sent = second.send("POST", path, json={}, headers=headers)
        assert sent.json()["code"] == "right.step-up-needed"
    assert acts(office) == ["account.created", "account.proposed"]
