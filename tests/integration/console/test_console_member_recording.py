"""One new member is recorded by hand: taken, questionable or refused, exactly as a list's row."""

from typing import Any

import pytest

from issuer.domain.rights import Role
from tests.integration.console.strict_page import StrictPage
from tests.integration.console.test_console_member_acts import SCRIPT, form_of, key

PICTURE = b"\xff\xd8 a new member"
STATED = {
    "full_name": "Lò Thị Mẩy", "birth_date": "05/06/2001", "sex": "F", "place_of_birth": "xã Mẫu",
    "home_town": "xã Mẫu", "ethnic_group": "Thái", "citizen_number": "001301000099", "record_number": "000099AB",
    "admission_date": "03/02/2026", "organisation_code": "C-011", "standing": "probationary",
}  # fmt: skip


def send(client: Any, fields: dict[str, str], picture: bytes = PICTURE) -> Any:
    files = {"picture": ("anh.jpg", picture, "image/jpeg")}
    return client.send("POST", "/members/new", data=fields, files=files)


def opened(client: Any) -> dict[str, str]:
    page = client.get("/members/new")
    assert page.status_code == 200
    StrictPage(page.text)
    return form_of(page.text)


def by_api(client: Any, fields: dict[str, str], picture: bytes = PICTURE, **headers: str) -> Any:
    files: dict[str, Any] = {name: (None, text) for name, text in fields.items()}
    files["picture"] = ("anh.jpg", picture, "image/jpeg")
    sent = {"Idempotency-Key": key(), **headers}
    return client.send("POST", "/v1/members", files=files, headers=sent)


def count(office: Any) -> int:
    with office.register.reading() as transaction:
        return int(transaction.members.count())


def test_a_member_admitted_today_is_recorded_once(office: Any) -> None:
    client = office.client("hoa")
    assert 'href="/members/new"' in client.get("/members").text
    form = opened(client)
    assert (form["organisation_code"], form["standing"]) == ("P-01", "official")
    for _ in range(2):
        done = send(client, form | STATED)
        assert done.status_code == 303, done.text
    assert count(office) == 1
    page = client.get(done.headers["location"])
    assert "The member was recorded." in page.text
    assert "Lò Thị Mẩy" in page.text
    portrait = client.get(
        done.headers["location"].partition("?")[0].replace("/members", "/v1/members") + "/portrait"
    )
    assert portrait.content == PICTURE + b" made"
    assert [each.action for each in office.trail() if each.action.startswith("import.")] == [
        "import.begun", "import.rows-ended", "import.finished",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "codes"),
    [
        ({"birth_date": "31/02/2001", "citizen_number": "1"}, ["citizen-number.malformed"]),
        ({"full_name": SCRIPT}, ["name.character"]),
        ({"organisation_code": "NOWHERE"}, ["organisation.unknown"]),
        ({"standing": "official"}, ["cell.empty"]),
        ({"record_number": "000001AB"}, ["record-number.taken"]),
    ],
)
def test_what_breaks_a_rule_comes_back_with_all_that_was_typed_and_leaves_nothing(
    office: Any, typed: dict[str, str], codes: list[str]
) -> None:
    office.add_members(1, organisation="C-011")
    client = office.client("lan")
    page = send(client, opened(client) | STATED | typed)
    assert page.status_code in {409, 422}
    assert all(f"<code>{code}</code>" in page.text for code in codes)
    assert SCRIPT not in page.text
    again = form_of(page.text)
    assert {name: again[name] for name in STATED} == STATED | typed
    assert count(office) == 1
    assert not [each for each in office.trail() if each.action.startswith("import.")]
    answer = by_api(office.client("lan", is_program=True), STATED | typed)
    assert answer.json()["code"] == codes[0]


def test_all_that_is_wrong_is_told_at_once(office: Any) -> None:
    client = office.client("lan")
    page = send(
        client, opened(client) | STATED | {"birth_date": "31/02/2001", "phone": "x"}, b"GIF"
    )
    assert page.text.count('class="wrong"') == 2
    page = send(client, opened(client) | STATED, b"GIF")
    assert "<code>portrait.unreadable</code>" in page.text
    assert "the picture is no JPEG" in page.text


def test_who_resembles_somebody_waits_for_a_person_beside_them(office: Any) -> None:
    office.add_members(names=("Đỗ Thị Đào",), organisation="C-011")
    client = office.client("lan")
    alike = STATED | {"full_name": "Đỗ Thị Đào", "birth_date": "03/02/1990"}
    done = send(client, opened(client) | alike)
    assert done.status_code == 303
    assert done.headers["location"].startswith("/questionable/")
    assert count(office) == 1
    page = client.get(done.headers["location"])
    assert "Đỗ Thị Đào" in page.text
    accepted = client.post(
        done.headers["location"],
        {"decision": "accept", "reason": "đã gặp cả hai người", "once": key()},
    )
    assert accepted.status_code == 303, accepted.text
    assert count(office) == 2


def test_programs_record_one_member_and_are_told_what_became_of_it(office: Any) -> None:
    program = office.client("lan", is_program=True)
    used = key()
    done = by_api(program, STATED, **{"Idempotency-Key": used})
    member = done.json()["member"]
    assert done.json() == {"result": "taken", "member": member, "doubts": []}
    assert done.headers["location"] == f"/v1/members/{member}"
    assert by_api(program, STATED, **{"Idempotency-Key": used}).json() == done.json()
    assert by_api(program, STATED).json() == {"result": "already-present", "doubts": []}
    doubtful = STATED | {"record_number": "000098AB", "citizen_number": "001301000098"}
    found = by_api(program, doubtful, PICTURE + b" doubtful").json()
    assert (found["result"], found["questionable"].endswith(":1")) == ("questionable", True)
    assert set(found["doubts"]) == {"member.alike", "portrait.blurred"}
    odd = by_api(program, STATED | {"shoe_size": "42"})
    assert odd.json()["code"] == "member.field-unknown"


def test_nobody_records_members_where_they_may_not(office: Any) -> None:
    hoa = office.client("hoa")
    page = send(hoa, opened(hoa) | STATED | {"organisation_code": "P-02"})
    assert (page.status_code, "<code>right.missing</code>" in page.text) == (403, True)
    assert form_of(page.text)["full_name"] == "Lò Thị Mẩy"
    assert count(office) == 0
    reader = office.client(office.add_person("endorser", Role.ENDORSER))
    assert reader.get("/members/new").status_code == 403
    assert send(reader, STATED | {"once": key()}).status_code == 403
