"""Members are corrected, transferred and change their standing, by people in the console and by programs."""

import secrets
from typing import Any

import pytest

from issuer.domain.rights import Role
from tests.integration.console.strict_page import StrictPage

PDF = b"%PDF-1.7 a birth record"
SCRIPT = "<script>alert(1)</script>"


def key() -> str:
    return secrets.token_urlsafe(24)


@pytest.fixture
def dao(office: Any) -> str:
    (member,) = office.add_members(names=("Đỗ Thị Đào",), organisation="C-011")
    return str(member)


def form_of(text: str) -> dict[str, str]:
    """The fields of the page's last form, as a browser would send them."""
    page = StrictPage(text)
    fields: dict[str, str] = {}
    select = ""
    for tag, attributes in page.tags:
        name = attributes.get("name") or ""
        if tag == "form":
            fields = {}
        elif tag == "input" and attributes.get("type") != "file":
            fields[name] = attributes.get("value") or ""
        elif tag == "select":
            select = name
            fields[select] = ""
        elif tag == "option" and ("selected" in attributes or not fields[select]):
            fields[select] = attributes.get("value") or ""
    return fields


def check(client: Any, member: str, act: str, fields: dict[str, str]) -> Any:
    return client.post(f"/members/{member}/change/{act}", fields)


def store(
    client: Any, member: str, act: str, fields: dict[str, str], *, evidence: bytes | None = None
) -> Any:
    files = {"evidence": ("scan.pdf" if evidence else "", evidence or b"", "application/pdf")}
    return client.send("POST", f"/members/{member}/change/{act}/store", data=fields, files=files)


def opened(client: Any, member: str, act: str) -> dict[str, str]:
    page = client.get(f"/members/{member}/change/{act}")
    assert page.status_code == 200
    return form_of(page.text)


def act_by_api(
    client: Any,
    member: str,
    act: str,
    fields: dict[str, str],
    *,
    evidence: bytes | None = None,
    **headers: str,
) -> Any:
    read = client.get(f"/v1/members/{member}")
    sent = {"If-Match": read.headers.get("etag", '"none"'), "Idempotency-Key": key(), **headers}
    files: dict[str, Any] = {name: (None, text) for name, text in fields.items()}
    if evidence is not None:
        files["evidence"] = ("scan.pdf", evidence, "application/pdf")
    return client.send("POST", f"/v1/members/{member}/{act}", files=files, headers=sent)


def test_a_clerk_corrects_a_record_looks_once_more_and_the_history_tells_why(
    office: Any, dao: str
) -> None:
    client = office.client("hoa")
    fields = opened(client, dao, "correction")
    assert fields["birth_date"] == "03/02/1990"
    assert fields["version"] == "1"
    second = check(
        client, dao, "correction", fields | {"home_town": "xã Mới", "phone": "0912345678"}
    )
    assert second.status_code == 200
    assert "<del>xã Mẫu, tỉnh Giả Định</del>" in second.text
    assert "<ins>xã Mới</ins>" in second.text
    assert "no card that counts and no open request" in second.text
    assert client.get(f"/v1/members/{dao}").json()["version"] == 1
    carried = form_of(second.text)
    assert carried["home_town"] == "xã Mới"
    done = store(
        client, dao, "correction", carried | {"reason": "theo giấy khai sinh"}, evidence=PDF
    )
    assert (done.status_code, done.headers["location"]) == (303, f"/members/{dao}?done=correction")
    page = client.get(done.headers["location"])
    assert "The record was corrected." in page.text
    assert "theo giấy khai sinh" in page.text
    assert "<ins>xã Mới</ins>" in page.text
    history = client.get(f"/v1/members/{dao}/history").json()["changes"]
    assert [(each["column"], each["version"], each["account"]) for each in history] == [
        ("phone", 2, "hoa"), ("home_town", 2, "hoa"),
    ]  # fmt: skip
    document = client.get(f"/members/{dao}/evidence/{history[0]['evidence']}")
    assert (document.content, document.headers["content-type"]) == (PDF, "application/pdf")
    assert document.headers["content-disposition"].startswith("attachment")
    actions = [
        each.action
        for each in office.trail()
        if each.subject_id.replace("-", "") == dao.replace("-", "")
    ]
    assert actions.count("member.corrected") == 1
    assert actions[-1] == "member.evidence-read"


def test_the_same_form_sent_twice_is_stored_once(office: Any, dao: str) -> None:
    client = office.client("lan")
    carried = form_of(
        check(
            client, dao, "correction", opened(client, dao, "correction") | {"phone": "0912345678"}
        ).text
    ) | {"reason": "báo lại"}
    for _ in range(2):
        assert store(client, dao, "correction", carried).status_code == 303
    assert client.get(f"/v1/members/{dao}").json()["version"] == 2


def test_of_two_clerks_the_second_is_told_in_one_sentence_and_loses_nothing(
    office: Any, dao: str
) -> None:
    first, second = office.client("lan"), office.client("hoa")
    ours = opened(second, dao, "correction") | {"home_town": "xã Thứ Hai", "phone": "0912345678"}
    carried = form_of(check(second, dao, "correction", ours).text) | {"reason": "khai lại"}
    theirs = opened(first, dao, "correction") | {"home_town": "xã Thứ Nhất", "residence": "số 1"}
    theirs = form_of(check(first, dao, "correction", theirs).text) | {"reason": "giấy tờ"}
    assert store(first, dao, "correction", theirs).status_code == 303
    late = store(second, dao, "correction", carried)
    assert late.status_code == 409
    assert "member.changed" in late.text
    assert "Somebody else changed this record while you were at it." in late.text
    assert "xã Thứ Nhất" in late.text
    again = form_of(late.text)
    # What was typed stays, what was not touched is what the register says now, and the reason goes along.
    assert (again["home_town"], again["phone"], again["reason"]) == (
        "xã Thứ Hai", "0912345678", "khai lại",
    )  # fmt: skip
    assert (again["residence"], again["version"]) == ("số 1", "2")
    settled = form_of(check(second, dao, "correction", again).text)
    assert settled["reason"] == "khai lại"
    assert store(second, dao, "correction", settled).status_code == 303
    now = second.get(f"/v1/members/{dao}").json()
    assert (now["home_town"], now["residence"], now["phone"]) == (
        "xã Thứ Hai", "số 1", "0912345678",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ({"birth_date": "31/02/1990"}, "date.impossible"),
        ({"birth_date": "01/01/2020"}, "birth-date.age"),
        ({"citizen_number": "12"}, "citizen-number.malformed"),
        ({"full_name": ""}, "cell.empty"),
        ({"full_name": SCRIPT}, "name.character"),
        ({"phone": "'; DROP TABLE members"}, "phone.malformed"),
        ({"home_town": "x" * 2000}, "text.too-long"),
        ({"organisation_code": "NONE"}, "organisation.unknown"),
        ({"sex": "?"}, "sex.unknown"),
        ({}, "member.unchanged"),
    ],
)
def test_what_breaks_a_rule_comes_back_with_its_code_and_everything_typed(
    office: Any, dao: str, typed: dict[str, str], code: str
) -> None:
    client = office.client("lan")
    fields = opened(client, dao, "correction") | {"residence": "số 7"} | typed
    if not typed:
        fields["residence"] = ""
    page = check(client, dao, "correction", fields)
    assert page.status_code in {409, 422}
    assert f"<code>{code}</code>" in page.text
    assert SCRIPT not in page.text
    again = form_of(page.text)
    assert {name: again[name] for name in (*typed, "residence") if name != "sex"} == {
        name: fields[name] for name in (*typed, "residence") if name != "sex"
    }
    assert client.get(f"/v1/members/{dao}").json()["version"] == 1


def test_a_reason_that_is_none_is_asked_for_again_with_all_that_was_typed(
    office: Any, dao: str
) -> None:
    client = office.client("lan")
    fields = opened(client, dao, "standing") | {"standing": "suspended", "since": "01/11/2026"}
    carried = form_of(check(client, dao, "standing", fields).text)
    page = store(client, dao, "standing", carried | {"reason": "\n"})
    assert (page.status_code, "<code>change.reason</code>" in page.text) == (422, True)
    page = store(client, dao, "standing", carried | {"reason": "x"}, evidence=b"MZ a program")
    assert (page.status_code, "<code>evidence.kind</code>" in page.text) == (422, True)
    assert form_of(page.text)["standing"] == "suspended"


def test_standing_transfer_and_serving_are_acts_of_their_own(office: Any, dao: str) -> None:
    client = office.client("lan")
    for act, typed, field, value in (
        ("standing", {"standing": "suspended", "since": "01/11/2026"}, "standing", "suspended"),
        ("standing", {"standing": "official", "since": "02/11/2026"}, "standing", "official"),
        ("serving", {"organisation": "P-02", "since": "03/11/2026"}, "served_in", "P-02"),
        ("transfer", {"to": "P-02", "on": "04/11/2026"}, "organisation", "P-02"),
    ):
        page = check(client, dao, act, opened(client, dao, act) | typed)
        assert page.status_code == 200, page.text
        done = store(client, dao, act, form_of(page.text) | {"reason": "Quyết định 12"})
        assert done.status_code == 303
        assert client.get(f"/v1/members/{dao}").json()[field] == value
    assert client.get(f"/v1/members/{dao}").json()["served_in"] is None
    assert [
        each.action for each in office.trail() if each.action.startswith("member.") and "read" not in each.action
    ] == [
        "member.standing-changed", "member.standing-changed", "member.served-elsewhere", "member.transferred",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("act", "typed", "code"),
    [
        ("standing", {"standing": "suspended", "since": "01/01/2999"}, "change.future"),
        ("standing", {"standing": "king", "since": "01/11/2026"}, "standing.unknown"),
        ("standing", {"standing": "suspended", "since": "heute"}, "date.malformed"),
        ("transfer", {"to": "NOWHERE", "on": "01/11/2026"}, "organisation.unknown"),
        ("transfer", {"to": SCRIPT, "on": "01/11/2026"}, "organisation.code-malformed"),
        ("transfer", {"to": "C-011", "on": "01/11/2026"}, "member.unchanged"),
        ("serving", {"organisation": "C-011", "since": "01/11/2026"}, "served-in.same"),
    ],
)  # fmt: skip
def test_events_that_cannot_be_come_back_with_a_code(
    office: Any, dao: str, act: str, typed: dict[str, str], code: str
) -> None:
    client = office.client("lan")
    page = check(client, dao, act, opened(client, dao, act) | typed)
    assert page.status_code in {409, 422}
    assert f"<code>{code}</code>" in page.text
    assert SCRIPT not in page.text


def test_nobody_gives_a_member_away_to_where_they_have_no_right(office: Any, dao: str) -> None:
    client = office.client("hoa")
    page = check(
        client,
        dao,
        "transfer",
        opened(client, dao, "transfer") | {"to": "P-02", "on": "01/11/2026"},
    )
    assert (page.status_code, "<code>right.missing</code>" in page.text) == (403, True)
    assert form_of(page.text)["to"] == "P-02"
    program = office.client("hoa", is_program=True)
    refused = act_by_api(
        program, dao, "transfers", {"to": "P-02", "on": "2026-11-01", "reason": "x"}
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "right.missing")


def test_who_may_not_change_members_is_not_offered_it_and_other_parts_of_the_tree_are_not_there(
    office: Any, dao: str
) -> None:
    (elsewhere,) = office.add_members(1, organisation="P-02")
    reader = office.client(office.add_person("endorser", Role.ENDORSER))
    assert "/change/" not in reader.get(f"/members/{dao}").text
    assert "/change/correction" in office.client("hoa").get(f"/members/{dao}").text
    for act in ("correction", "standing", "transfer", "serving"):
        assert reader.get(f"/members/{dao}/change/{act}").status_code == 403
        hidden = office.client("hoa").get(f"/members/{elsewhere}/change/{act}")
        assert (hidden.status_code, "member.unknown" in hidden.text) == (404, True)
    program = office.client("hoa", is_program=True)
    for act, fields in (
        ("corrections", {"phone": "0912345678"}),
        ("standings", {"standing": "suspended", "since": "2026-11-01"}),
        ("transfers", {"to": "P-01", "on": "2026-11-01"}),
        ("servings", {"organisation": "P-01", "since": "2026-11-01"}),
    ):
        found = act_by_api(program, elsewhere, act, {**fields, "reason": "x"})
        assert (found.status_code, found.json()["code"]) == (404, "member.unknown")
    digest = "00" * 32
    assert (
        program.get(f"/v1/members/{elsewhere}/evidence/{digest}").json()["code"] == "member.unknown"
    )
    assert program.get(f"/v1/members/{dao}/evidence/{digest}").json()["code"] == "evidence.unknown"


def test_a_program_names_the_tag_it_read_and_gets_the_same_answer_under_the_same_key(
    office: Any, dao: str
) -> None:
    program = office.client("lan", is_program=True)
    fields = {"home_town": "xã Mới", "recognition_date": "", "reason": "theo giấy khai sinh"}
    refused = act_by_api(program, dao, "corrections", fields)
    assert (refused.status_code, refused.json()["code"]) == (422, "recognition-date.missing")
    del fields["recognition_date"]
    used = key()
    done = act_by_api(
        program, dao, "corrections", fields, evidence=PDF, **{"Idempotency-Key": used}
    )
    assert done.json() == {
        "id": dao,
        "version": 2,
        "changed": ["home_town"],
        "cards": [],
        "request_breaks": [],
    }
    again = act_by_api(
        program, dao, "corrections", fields, evidence=PDF, **{"Idempotency-Key": used}
    )
    assert again.json() == done.json()
    other = act_by_api(program, dao, "corrections", fields, **{"Idempotency-Key": used})
    assert other.json()["code"] == "idempotency.key-reused"
    stale = act_by_api(
        program, dao, "corrections", fields | {"home_town": "x"}, **{"If-Match": '"old"'}
    )
    assert (stale.status_code, stale.json()["code"]) == (412, "api.precondition-failed")
    assert program.get(f"/v1/members/{dao}").json()["version"] == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"shoe_size": "42", "reason": "x"}, "member.field-unknown"),
        ({"portrait": "a.jpg", "reason": "x"}, "member.field-fixed"),
        ({"phone": "0912345678"}, "change.reason"),
        ({"phone": "0912345678", "reason": "a\nb"}, "change.reason"),
    ],
)
def test_programs_are_refused_with_codes_as_well(
    office: Any, dao: str, fields: dict[str, str], code: str
) -> None:
    found = act_by_api(office.client("lan", is_program=True), dao, "corrections", fields)
    assert found.json()["code"] == code


def test_who_finds_everything_right_says_so_and_nothing_of_the_record_changes(
    office: Any, dao: str
) -> None:
    (elsewhere,) = office.add_members(1, organisation="P-02")
    client = office.client("hoa")
    page = client.get(f"/members/{dao}")
    assert "Checked: all of it is right" in page.text
    for _ in range(2):
        done = client.post(f"/members/{dao}/checked", {"once": "x" * 20, "version": "1"})
        assert done.headers["location"] == f"/members/{dao}?done=checked"
    shown = client.get(done.headers["location"]).text
    assert "found everything right" in shown
    assert "Found right last" in shown
    found = client.get(f"/v1/members/{dao}").json()
    assert (found["version"], found["checked_by"]) == (1, "hoa")
    stale = client.post(f"/members/{dao}/checked", {"once": key(), "version": "7"})
    assert (stale.status_code, "member.changed" in stale.text) == (409, True)
    hidden = client.post(f"/members/{elsewhere}/checked", {"once": key(), "version": "1"})
    assert (hidden.status_code, "member.unknown" in hidden.text) == (404, True)
    assert [each.action for each in office.trail()].count("member.checked") == 1


def test_all_of_an_organisation_are_checked_by_somebody_who_has_looked(
    office: Any, dao: str
) -> None:
    client = office.client("hoa")
    assert 'name="looked"' in client.get("/organisations/C-011").text
    assert 'name="looked"' not in office.client("tuan").get("/organisations/C-011").text
    form = {"once": key(), "looked": "yes"}
    assert client.post("/organisations/C-011", {"once": key()}).status_code == 422
    done = client.post("/organisations/C-011", form)
    assert done.headers["location"] == "/organisations/C-011?checked=1"
    assert "It is noted of 1 member" in client.get(done.headers["location"]).text
    nobody = client.post("/organisations/P-01", form | {"once": key()})
    assert (nobody.status_code, "<code>check.nobody</code>" in nobody.text) == (409, True)
    StrictPage(nobody.text)
    assert client.post("/organisations/P-02", form | {"once": key()}).status_code == 403
    program = office.client("hoa", is_program=True)
    read = program.get(f"/v1/members/{dao}").headers["etag"]
    for path, body, code in (
        (f"/v1/members/{dao}/checks", None, 200),
        ("/v1/member-checks", {"organisation": "C-011"}, 200),
        ("/v1/member-checks", {"organisation": "P-02"}, 403),
        ("/v1/member-checks", {"organisation": "NOWHERE"}, 404),
    ):
        answer = program.send(
            "POST", path, json=body, headers={"If-Match": read, "Idempotency-Key": key()}
        )
        assert answer.status_code == code, answer.text
