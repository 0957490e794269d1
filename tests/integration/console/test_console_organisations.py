"""The tree of organisations is changed by people in the console and by programs."""

import io
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from issuer.domain.list_row import ListRow
from issuer.domain.rights import Role
from issuer.services.bring_organisations import MOST_AT_ONCE
from tests.integration.console.test_console_member_acts import PDF, SCRIPT, form_of, key

ONE = {
    "renaming": {"name": "Đảng ủy xã Mới", "level": "đảng ủy cơ sở", "on": "01/07/2026"},
    "move": {"under": "P-02", "on": "01/07/2026"},
    "merger": {"into": "P-02", "on": "01/07/2026"},
    "closure": {"on": "01/07/2026"},
}
HEAD = "code,name,parent_code,committee_number,level,valid_from\n"


def opened(client: Any, code: str, act: str) -> dict[str, str]:
    page = client.get(f"/organisation/change/{act}/{code}")
    assert page.status_code == 200, page.text
    return form_of(page.text)


def check(client: Any, code: str, act: str, fields: dict[str, str]) -> Any:
    return client.post(f"/organisation/change/{act}/{code}", fields)


def store(
    client: Any, code: str, act: str, fields: dict[str, str], *, evidence: bytes | None = None
) -> Any:
    files = {"evidence": ("scan.pdf" if evidence else "", evidence or b"", "application/pdf")}
    return client.send("POST", f"/organisation/store/{act}/{code}", data=fields, files=files)


def weighed(client: Any, code: str, act: str, fields: dict[str, str]) -> dict[str, str]:
    page = check(client, code, act, opened(client, code, act) | fields)
    assert page.status_code == 200, page.text
    return form_of(page.text) | {"reason": "Nghị quyết số 5"}


def act_by_api(client: Any, code: str, noun: str, fields: dict[str, str], **headers: str) -> Any:
    read = client.get(f"/v1/organisations/{code}")
    sent = {"If-Match": read.headers.get("etag", '"none"'), "Idempotency-Key": key(), **headers}
    files = {name: (None, text) for name, text in ({"reason": "x"} | fields).items()}
    return client.send("POST", f"/v1/organisations/{code}/{noun}", files=files, headers=sent)


def bring(client: Any, text: str, *, once: str | None = None) -> Any:
    return client.send(
        "POST",
        "/organisation/list",
        data={"once": once or key()},
        files={"list": ("list.csv", io.BytesIO(text.encode()), "text/csv")},
    )


def new(client: Any, fields: dict[str, str], *, evidence: bytes | None = None) -> Any:
    files: dict[str, Any] = {name: (None, text) for name, text in fields.items()}
    if evidence is not None:
        files["evidence"] = ("scan.pdf", evidence, "application/pdf")
    return client.send("POST", "/organisation/new", files=files)


def test_another_name_is_weighed_stored_with_its_paper_and_told(office: Any) -> None:
    office.add_members(2)
    client = office.client("van")
    page = check(client, "P-01", "renaming", opened(client, "P-01", "renaming") | ONE["renaming"])
    assert "<del>Đảng ủy xã Một</del>" in page.text
    assert "<ins>Đảng ủy xã Mới</ins>" in page.text
    assert client.get("/v1/organisations/P-01").json()["version"] == 1
    carried = form_of(page.text) | {"reason": "Nghị quyết số 5"}
    done = store(client, "P-01", "renaming", carried, evidence=PDF)
    assert (done.status_code, done.headers["location"]) == (
        303, "/organisations/P-01?done=renaming",
    )  # fmt: skip
    page = client.get(done.headers["location"])
    assert "The new name is recorded." in page.text
    assert "Nghị quyết số 5" in page.text
    (newest, first) = client.get("/v1/organisation-versions?organisation=P-01").json()["versions"]
    assert (newest["name"], newest["level"], newest["valid_from"], newest["account"]) == (
        "Đảng ủy xã Mới", "đảng ủy cơ sở", "2026-07-01", "van",
    )  # fmt: skip
    assert (first["change"], first["valid_until"]) == ("recorded", "2026-07-01")
    paper = client.get(f"/organisation/evidence/{newest['evidence']}/P-01")
    assert (paper.content, paper.headers["content-type"]) == (PDF, "application/pdf")
    assert f"/organisation/evidence/{newest['evidence']}/P-01" in page.text
    # Whoever looks at the tree sees what happened, and not the paper, which names people.
    looking = office.client("lan")
    assert "Nghị quyết số 5" in looking.get("/organisations/P-01").text
    assert newest["evidence"] not in looking.get("/organisations/P-01").text
    assert looking.get(f"/organisation/evidence/{newest['evidence']}/P-01").status_code == 403


def test_a_merger_tells_beforehand_how_far_it_goes_and_the_same_form_sent_twice_is_done_once(
    office: Any,
) -> None:
    office.add_members(3)
    client = office.client("van")
    page = check(client, "P-01", "merger", opened(client, "P-01", "merger") | ONE["merger"])
    assert "3 members go there" in page.text
    assert "1 organisation directly below it goes there" in page.text
    assert 'class="danger"' in page.text
    carried = form_of(page.text) | {"reason": "Nghị quyết số 5"}
    for _ in range(2):
        assert store(client, "P-01", "merger", carried).status_code == 303
    gone = client.get("/organisations/P-01")
    assert "Closed down" in gone.text
    assert "/organisation/change/" not in gone.text
    assert client.get("/v1/organisations/P-01").json()["is_open"] is False
    assert client.get("/v1/organisations/C-011").json()["path"][1]["code"] == "P-02"
    assert client.get("/organisation/change/renaming/P-01").status_code == 409
    merged = [each for each in office.trail() if each.action == "organisation.merged"]
    assert [each.details["moved_members"] for each in merged] == [3]


def test_of_two_administrators_the_second_loses_nothing_that_was_typed(office: Any) -> None:
    first, second = (
        office.client("van"),
        office.client(office.add_person("thu", Role.ADMINISTRATOR)),
    )
    late = opened(second, "P-01", "renaming") | {"name": "Đảng ủy xã Hai Bà", "on": "02/07/2026"}
    theirs = weighed(first, "P-01", "renaming", {"level": "đảng ủy cơ sở", "on": "01/07/2026"})
    assert store(first, "P-01", "renaming", theirs).status_code == 303
    page = check(second, "P-01", "renaming", late)
    assert (page.status_code, "<code>organisation.changed</code>" in page.text) == (409, True)
    assert "Somebody else changed this organisation while you were at it." in page.text
    again = form_of(page.text)
    # What was typed stays, what was not touched is what the register says now.
    assert (again["name"], again["level"], again["on"], again["version"]) == (
        "Đảng ủy xã Hai Bà", "đảng ủy cơ sở", "02/07/2026", "2",
    )  # fmt: skip
    settled = form_of(check(second, "P-01", "renaming", again).text) | {"reason": "x"}
    assert store(second, "P-01", "renaming", settled).status_code == 303
    now = second.get("/v1/organisations/P-01").json()
    assert (now["name"], now["level"], now["version"]) == ("Đảng ủy xã Hai Bà", "đảng ủy cơ sở", 3)


REFUSED = (
    ("renaming", {"name": " "}, "text.empty"),
    ("renaming", {"name": "x" * 400}, "text.too-long"),
    ("renaming", {"name": "Đảng ủy xã Một", "level": ""}, "organisation.unchanged"),
    ("renaming", {"on": "31/02/2026"}, "date.impossible"),
    ("renaming", {"on": "01/01/2999"}, "organisation.future"),
    ("move", {"under": "P-01"}, "organisation.circle"),
    ("move", {"under": "C-011"}, "organisation.circle"),
    ("move", {"under": "NOWHERE"}, "organisation.unknown"),
    ("move", {"under": SCRIPT}, "organisation.code-malformed"),
    ("move", {"under": "T"}, "organisation.unchanged"),
    ("merger", {"into": "P-01"}, "organisation.circle"),
    ("closure", {}, "organisation.not-empty"),
)


def test_what_cannot_be_comes_back_with_its_code_and_everything_typed(office: Any) -> None:
    client = office.client("van")
    for act, typed, code in REFUSED:
        fields = opened(client, "P-01", act) | ONE[act] | typed
        page = check(client, "P-01", act, fields)
        assert page.status_code in {409, 422}, code
        assert f"<code>{code}</code>" in page.text
        assert SCRIPT not in page.text
        assert form_of(page.text) == fields
    assert client.get("/v1/organisations/P-01").json()["version"] == 1


def test_a_reason_that_is_none_is_asked_for_again(office: Any) -> None:
    client = office.client("van")
    carried = weighed(client, "C-011", "closure", ONE["closure"])
    page = store(client, "C-011", "closure", carried | {"reason": "\n"})
    assert (page.status_code, "<code>change.reason</code>" in page.text) == (422, True)
    page = store(client, "C-011", "closure", carried, evidence=b"MZ a program")
    assert (page.status_code, "<code>evidence.kind</code>" in page.text) == (422, True)
    assert form_of(page.text)["on"] == "01/07/2026"
    assert store(client, "C-011", "closure", carried).status_code == 303


def test_whoever_administers_one_part_changes_that_part_and_learns_of_no_other(
    office: Any,
) -> None:
    local = office.client(office.add_person("local", Role.ADMINISTRATOR, organisation="P-01"))
    assert local.get("/organisation/change/renaming/P-02").status_code == 404
    page = check(local, "C-011", "move", opened(local, "C-011", "move") | ONE["move"])
    assert (page.status_code, "<code>right.missing</code>" in page.text) == (403, True)
    assert form_of(page.text)["under"] == "P-02"
    program = office.client("local", is_program=True)
    for noun, fields in (
        ("renamings", {"name": "x", "on": "2026-07-01"}),
        ("moves", {"under": "P-01", "on": "2026-07-01"}),
        ("mergers", {"into": "P-01", "on": "2026-07-01"}),
        ("closures", {"on": "2026-07-01"}),
    ):
        answer = act_by_api(program, "P-02", noun, fields)
        assert (answer.status_code, answer.json()["code"]) == (404, "organisation.unknown")
    clerk = office.client("lan")
    assert clerk.get("/organisation/change/renaming/P-01").status_code == 403
    assert "/organisation/" not in clerk.get("/organisations/P-01").text
    for path in ("/organisation/new", "/organisation/list", "/organisation/list/template"):
        assert clerk.get(path).status_code == 403


def test_programs_name_what_they_read_and_what_they_ask_is_done_once(office: Any) -> None:
    program = office.client("van", is_program=True)
    tag = program.get("/v1/organisations/P-01").headers["etag"]
    fields = {"name": "Đảng ủy xã Mới", "on": "2026-07-01"}
    once = key()
    for _ in range(2):
        done = act_by_api(
            program, "P-01", "renamings", fields, **{"If-Match": tag, "Idempotency-Key": once}
        )
        assert done.status_code == 200, done.text
        assert done.json() == {
            "code": "P-01", "version": 2, "change": "renamed", "moved_members": 0,
            "moved_organisations": 0, "stale_cards": 0,
        }  # fmt: skip
    late = act_by_api(program, "P-01", "moves", ONE["move"], **{"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "api.precondition-failed")
    blind = act_by_api(program, "P-01", "moves", ONE["move"], **{"If-Match": "*"})
    assert (blind.status_code, blind.json()["code"]) == (428, "api.precondition-missing")
    # What a renaming does not name stays; what no organisation has is refused.
    assert act_by_api(
        program, "P-01", "renamings", {"level": "cơ sở", "on": "2026-07-02"}
    ).is_success
    assert program.get("/v1/organisations/P-01").json()["name"] == "Đảng ủy xã Mới"
    odd = act_by_api(program, "P-01", "renamings", {"colour": "red", "on": "2026-07-02"})
    assert (odd.status_code, odd.json()["code"]) == (422, "api.request-invalid")
    assert act_by_api(program, "C-011", "moves", ONE["move"]).json()["moved_organisations"] == 0
    assert act_by_api(program, "P-01", "closures", ONE["closure"]).status_code == 409
    assert act_by_api(program, "P-01", "mergers", {"into": "P-02", "on": "2026-07-03"}).is_success


def test_versions_come_in_pages(office: Any) -> None:
    program = office.client("van", is_program=True)
    for number in range(6):
        fields = {"name": f"Tên {number}", "on": "2026-07-01"}
        assert act_by_api(program, "P-01", "renamings", fields).is_success
    address, found = "/v1/organisation-versions?organisation=P-01&limit=3", []
    cursor = ""
    while cursor is not None:
        page = program.get(address + (f"&cursor={cursor}" if cursor else "")).json()
        found += [each["number"] for each in page["versions"]]
        cursor = page["next"]
    assert found == [7, 6, 5, 4, 3, 2, 1]
    page = office.client("lan").get("/organisations/P-01")
    assert "/organisation/history/P-01" in page.text
    assert "Tên 0" in office.client("lan").get("/organisation/history/P-01").text
    hoa = office.client("hoa")
    assert hoa.get("/organisation/history/P-02").status_code == 404
    assert hoa.get("/v1/organisation-versions?organisation=P-02").status_code == 404


def test_one_more_organisation_is_recorded_below_another_one(office: Any) -> None:
    client = office.client("van")
    page = client.get("/organisation/new?above=P-01")
    assert "Add an organisation below Đảng ủy xã Một" in page.text
    fields = form_of(page.text) | {
        "code": "C-012", "name": "Chi bộ Hai", "level": "chi bộ", "valid_from": "1/7/2026",
        "reason": "Quyết định 9",
    }  # fmt: skip
    for _ in range(2):
        done = new(client, fields, evidence=PDF)
        assert (done.status_code, done.headers["location"]) == (
            303, "/organisations/C-012?done=added",
        )  # fmt: skip
    assert "The organisation was recorded." in client.get(done.headers["location"]).text
    assert client.get("/v1/organisations/C-012").json()["path"][1]["code"] == "P-01"
    again = new(client, fields | {"once": key()})
    assert (again.status_code, "<code>organisation.repeated</code>" in again.text) == (409, True)
    wrong = new(
        client,
        fields | {"once": key(), "code": "đ", "committee_number": "x", "valid_from": "31/2/26"},
    )
    assert wrong.status_code == 422
    assert wrong.text.count('class="wrong"') == 3
    assert form_of(wrong.text)["name"] == "Chi bộ Hai"
    assert form_of(wrong.text)["reason"] == "Quyết định 9"
    local = office.client(office.add_person("local", Role.ADMINISTRATOR, organisation="P-01"))
    assert local.get("/organisation/new?above=P-02").status_code == 404
    top = new(local, fields | {"once": key(), "code": "X", "parent_code": ""})
    assert (top.status_code, "<code>right.missing</code>" in top.text) == (403, True)
    hidden = new(local, fields | {"once": key(), "code": "X", "parent_code": "P-02"})
    assert (hidden.status_code, "<code>organisation.unknown</code>" in hidden.text) == (422, True)


def test_programs_record_one_organisation_and_take_lists(office: Any) -> None:
    program = office.client("van", is_program=True)
    headers = {"Idempotency-Key": key()}
    files = {
        name: (None, text)
        for name, text in {"code": "X/1", "name": "Tỉnh ủy Khác", "reason": "x"}.items()
    }
    made = program.send("POST", "/v1/organisations", files=files, headers=headers)
    assert (made.status_code, made.headers["location"]) == (201, "/v1/organisations/X%2F1")
    assert program.get(made.headers["location"]).json()["name"] == "Tỉnh ủy Khác"
    rows = HEAD + "X/2,Đảng ủy Một,X/1,,,2026-07-01\nX/1,Tỉnh ủy Khác,,,,\n"
    files = {"list": ("list.csv", rows.encode(), "text/csv")}
    headers = {"Idempotency-Key": key()}
    for _ in range(2):
        taken = program.send("POST", "/v1/organisation-lists", files=files, headers=headers)
        assert taken.json() == {"taken": 1, "already_present": 1}
    files = {"list": ("list.csv", (HEAD + "X/3,Ba,NONE,,,\n").encode(), "text/csv")}
    refused = program.send(
        "POST", "/v1/organisation-lists", files=files, headers={"Idempotency-Key": key()}
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "organisation.list-refused")
    assert "row 2, parent_code" in refused.json()["detail"]


def test_a_list_is_taken_as_a_whole_or_what_is_wrong_is_listed(office: Any) -> None:
    client = office.client("van")
    template = client.get("/organisation/list/template")
    assert template.text.lstrip("\ufeff").strip() == HEAD.strip()
    wrong = bring(client, HEAD + "N-1,Chi bộ Một,P-01,,,\nN-2,Chi bộ Hai,NONE,,,\nN-3,,P-01,,,\n")
    assert wrong.status_code == 422
    assert "<code>organisation.list-refused</code>" in wrong.text
    assert "cell.empty" in wrong.text
    assert client.get("/v1/organisations/N-1").status_code == 404
    once = key()
    for _ in range(2):
        done = bring(client, HEAD + "N-2,Chi bộ Hai,N-1,,,\nN-1,Chi bộ Một,P-01,,,\n", once=once)
        assert done.headers["location"] == "/organisations?taken=2&present=0"
    assert (
        "The list was taken: 2 new, 0 there already." in client.get(done.headers["location"]).text
    )
    for text in ("", "a,b\n1,2\n", "\x00", "PK\x03\x04 no workbook"):
        refused = bring(client, text)
        assert refused.status_code == 422
        assert "<code>file." in refused.text
    local = office.client(office.add_person("local", Role.ADMINISTRATOR, organisation="P-01"))
    refused = bring(local, HEAD + "N-9,Chi bộ,P-02,,,\n")
    assert (refused.status_code, "<code>right.missing</code>" in refused.text) == (403, True)


def test_pages_of_the_tree_speak_vietnamese(office: Any) -> None:
    client = office.client("van")
    client.headers["accept-language"] = "vi"
    page = check(client, "P-01", "merger", opened(client, "P-01", "merger") | ONE["merger"])
    assert "Sáp nhập Đảng ủy xã Một vào tổ chức khác" in page.text
    wrong = bring(client, HEAD + "N-2,Chi bộ Hai,NONE,,,\n")
    assert "Chưa nhập dòng nào." in wrong.text
    assert "Tổ chức cấp trên chưa có trong sổ" in wrong.text


def test_a_list_of_more_rows_than_are_waited_for_changes_nothing(office: Any) -> None:
    class Long:
        def rows(self) -> Iterator[ListRow]:
            for number in range(MOST_AT_ONCE + 1):
                cells = {"code": f"N-{number}", "name": "Chi bộ", "parent_code": "P-01"}
                yield ListRow(number=number + 2, cells=cells)

    lists = replace(office.services.organisation_lists, open_list=lambda _path: nullcontext(Long()))
    page = bring(office.with_services(organisation_lists=lists).client("van"), HEAD)
    assert (page.status_code, "<code>file.too-many-rows</code>" in page.text) == (422, True)
    assert office.client("van").get("/v1/organisations/N-0").status_code == 404
