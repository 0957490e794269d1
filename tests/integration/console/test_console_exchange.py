"""Other offices in the console: enrolled by two, given numbers, sent bundles; what contradicts ours is settled by a person."""

import re
import uuid
from typing import Any

from issuer.db.reports import SqlReportFigures
from issuer.domain.bundle import ConflictId
from tests.contract.bundle_stage import PROVINCE_CLERK
from tests.contract.requests_stage import COMMUNE
from tests.contract.stock_stage import OfficeStock, serial_of
from tests.integration.console.exchange_console import Desk
from tests.integration.console.strict_page import StrictPage

KEY = "0123456789abcdef"


def enrol(desk: Desk) -> None:
    desk.exchange.enrol()


def test_an_instance_is_proposed_by_one_and_confirmed_by_another_who_types_its_fingerprint(
    desk: Desk,
) -> None:
    commune = desk.exchange.commune
    assert "No other office" in desk.page("first", "/instances")
    files = {
        "signer_certificate": ("s.cer", commune.keys.own.signer),
        "certificate": ("r.cer", commune.keys.own.receiver),
    }
    fields = {"once": KEY, "name": "xa-mau", "side": "below", "organisation": str(COMMUNE)}
    wrong = desk.clients["first"].send(
        "POST", "/instances", data=fields | {"organisation": "P-02"}, files=files
    )
    assert wrong.status_code == 303, "the commune's certificate says nothing of its place"
    other = desk.clients["first"].send(
        "POST", "/instances", data=fields | {"once": KEY * 2}, files=files
    )
    assert "instance.wrong-place" in other.text
    none = desk.clients["first"].send(
        "POST", "/instances", data=fields | {"once": KEY * 3}, files={"certificate": ("r", b"x")}
    )
    assert "exchange.certificate" in none.text
    assert (
        desk.clients["clerk"].send("POST", "/instances", data=fields, files=files).status_code
        == 403
    )
    print_of = commune.keys.own.fingerprint
    spoken = " ".join(re.findall("....", print_of))
    assert spoken not in desk.page("second", "/instances/xa-mau")
    assert spoken in desk.page("first", "/instances/xa-mau")
    own = desk.form("first", "/instances/xa-mau", act="confirm", fingerprint=print_of)
    assert "right.same-person" in own.text
    typo = desk.form("second", "/instances/xa-mau", act="confirm", fingerprint="0" * 64)
    assert "instance.other-fingerprint" in typo.text
    typed = spoken.upper()
    confirmed = desk.form("second", "/instances/xa-mau", act="confirm", fingerprint=typed)
    assert confirmed.status_code == 303
    assert "Enrolled" in desk.page("clerk", "/instances/xa-mau")
    assert desk.form("second", "/instances/xa-mau", act="suspend").status_code == 303
    assert "Suspended" in desk.page("clerk", "/instances")


def test_whose_organisation_is_elsewhere_is_not_there(desk: Desk) -> None:
    enrol(desk)
    assert "xa-mau" in desk.page("clerk", "/instances")
    assert "xa-mau" not in desk.page("elsewhere", "/instances")
    assert desk.clients["elsewhere"].get("/instances/xa-mau").status_code == 404
    program = desk.office.client("elsewhere", is_program=True)
    assert program.get("/v1/instances").json()["instances"] == []
    assert program.get("/v1/instances/xa-mau").json()["code"] == "instance.unknown"
    made = program.send(
        "POST", "/v1/instances/xa-mau/bundles", json={}, headers={"Idempotency-Key": KEY}
    )
    assert made.json()["code"] == "right.missing"
    assert desk.clients["clerk"].get("/instances/none-such").status_code == 404


def test_numbers_and_indices_are_given_and_go_with_the_next_bundle(desk: Desk) -> None:
    enrol(desk)
    assert "It was given none" in desk.page("first", "/instances/xa-mau")
    given = desk.form(
        "first", "/instances/xa-mau",
        act="numbers", committee=str(COMMUNE), first="98.000001", last="98.000050",
    )  # fmt: skip
    if given.status_code != 303:
        assert "numbers.other-committee" in given.text
    wrong = desk.form("first", "/instances/xa-mau", act="indices", count="0")
    assert "status.set-size" in wrong.text
    assert desk.form("first", "/instances/xa-mau", act="indices", count="7").status_code == 303
    assert "With the next bundle" in desk.page("first", "/instances/xa-mau")
    assert desk.form("clerk", "/instances/xa-mau", act="indices", count="7").status_code == 403
    made = desk.form("clerk", "/instances/xa-mau", act="export")
    assert made.headers["location"] == "/instances/xa-mau?made=1"
    assert "Download the file" in desk.page("clerk", made.headers["location"])
    assert "Sets of status indices: 1" in desk.page("clerk", "/bundles")
    path = "/instances/xa-mau/bundles/1"
    file = desk.clients["clerk"].get(path)
    assert file.headers["content-disposition"].endswith('"tinh-uy-xa-mau-00000001.bundle"')
    assert file.content == desk.clients["clerk"].get(path).content
    report = desk.exchange.commune.importing.take(file.content, actor=PROVINCE_CLERK)
    assert report.record.counts["index-sets-new"] == 1
    nothing = desk.form("clerk", "/instances/xa-mau", act="export")
    assert nothing.headers["location"] == "/instances/xa-mau?made=0"
    assert "nothing to tell" in desk.page("clerk", nothing.headers["location"])
    assert desk.clients["first"].get(path).status_code == 403


def test_a_bundle_is_taken_as_an_operation_and_a_conflict_is_settled_side_by_side(
    desk: Desk,
) -> None:
    enrol(desk)
    province, commune = desk.exchange.province, desk.exchange.commune
    desk.know(4)
    desk.office.services.portraits.put(b"portrait")
    commune.endorsed(2, 4)
    file = commune.send(province, by=PROVINCE_CLERK).content
    counts = desk.bring("clerk", file)
    assert (counts["members-new"], counts["conflicts"], counts["repeated"]) == (1, 2, 0)
    assert desk.bring("clerk", file)["repeated"] == 1
    listed = desk.page("clerk", "/conflicts")
    assert "the two records differ" in listed
    assert "Residence" in listed
    assert "xã Đông" not in listed
    assert "No conflict waits" in desk.page("elsewhere", "/conflicts")
    paths = re.findall(r'href="(/conflicts/[0-9a-f-]+)"', listed)
    pages = {path: desk.page("clerk", path) for path in paths}
    (member,) = [path for path, text in pages.items() if "Ours is true" in text]
    (waits,) = [path for path in paths if path != member]
    assert "xã Đông" in pages[member]
    assert "Endorsed by the grassroots committee" in pages[waits]
    assert "Take the request" not in pages[waits]
    picture = desk.clients["clerk"].get(member + "/portrait")
    assert picture.headers["content-type"] == "image/jpeg"
    assert desk.clients["elsewhere"].get(member).status_code == 404
    program = desk.office.client("clerk", is_program=True)
    shown = program.get(f"/v1{member}").json()
    assert shown["choices"] == ["theirs", "ours", "neither"]
    assert shown["ours"]["residence"] == "xã Đông"
    assert "residence" not in shown["theirs"]
    silent = desk.form("clerk", member, choice="theirs", reason=" ")
    assert "request.remark" in silent.text
    assert desk.form("clerk", member, choice="ours", reason="đã gọi hỏi").status_code == 303
    assert "No conflict waits" in desk.page("clerk", "/conflicts")
    assert "ours was kept" in desk.page("clerk", member)
    late = desk.form("clerk", member, choice="theirs", reason="no")
    assert "conflict.settled" in late.text
    with desk.register.reading() as transaction:
        acts = [each.record().action for each in transaction.audit.records()]
        settled = transaction.exchange.find_conflict(
            ConflictId(uuid.UUID(member.rpartition("/")[2]))
        )
    assert "conflict.read" in acts
    assert "member.read" in acts
    assert settled is not None
    assert settled.content == b""


def test_lists_of_bundles_and_conflicts_go_on_behind_their_cursors(desk: Desk) -> None:
    enrol(desk)
    province, commune = desk.exchange.province, desk.exchange.commune
    desk.know(2)
    commune.endorsed(2)
    desk.bring("clerk", commune.send(province, by=PROVINCE_CLERK).content)
    assert desk.form("first", "/instances/xa-mau", act="indices", count="3").status_code == 303
    assert desk.form("clerk", "/instances/xa-mau", act="export").status_code == 303
    program = desk.office.client("clerk", is_program=True)
    seen, path = [], "/v1/bundles?limit=1"
    while path:
        answer = program.get(path).json()
        seen += [(each["direction"], each["sequence"]) for each in answer["bundles"]]
        path = answer["next"] and f"/v1/bundles?limit=1&cursor={answer['next']}"
    assert sorted(seen) == [("in", 1), ("out", 1)]
    first = program.get("/v1/conflicts?limit=1").json()
    second = program.get(f"/v1/conflicts?limit=1&cursor={first['next']}").json()
    assert first["conflicts"][0]["id"] != second["conflicts"][0]["id"]
    assert second["next"] is None
    assert program.get("/v1/bundles?instance=none").json()["bundles"] == []


def test_a_program_changes_only_the_instance_that_it_read(desk: Desk) -> None:
    enrol(desk)
    program = desk.office.client("first", is_program=True)
    path = "/v1/instances/xa-mau"
    tag = program.get(path).headers["etag"]
    send = lambda key, **headers: program.send(  # noqa: E731 - one of many alike
        "POST", f"{path}/suspension", json={}, headers={"Idempotency-Key": key} | headers
    )
    assert send(KEY).json()["code"] == "api.precondition-missing"
    given = program.send(
        "POST", f"{path}/indices", json={"count": 2}, headers={"Idempotency-Key": KEY * 2}
    )
    assert given.json()["index_sets"][0]["count"] == 2
    assert send(KEY, **{"If-Match": tag}).json()["code"] == "api.precondition-failed"
    tag = program.get(path).headers["etag"]
    assert send(KEY, **{"If-Match": tag}).json()["state"] == "suspended"
    assert send(KEY, **{"If-Match": tag}).json()["state"] == "suspended"


def test_a_register_that_exchanges_nothing_says_what_to_do(office: Any) -> None:
    page = office.client("van").get("/instances")
    StrictPage(page.text)
    assert "instances request" in page.text
    assert office.client("lan").get("/bundles").status_code == 409


def test_the_report_of_many_registers_says_whose_each_line_is(desk: Desk) -> None:
    enrol(desk)
    province, commune = desk.exchange.province, desk.exchange.commune
    early = desk.clients["clerk"].get("/reports/instances")
    assert "report.not-counted" in early.text
    for office in (province, commune):
        SqlReportFigures(office.database).count(now=office.clock())
    lines = lambda: {  # noqa: E731 - of the level below the province, by code
        each["code"]: each
        for each in desk.office.client("clerk", is_program=True)
        .get("/v1/merged-reports?above=P")
        .json()["lines"]
    }
    assert lines()["P-01"]["members"] == 0
    assert "Has told nothing yet" in desk.page("clerk", "/reports/instances")
    desk.bring("clerk", commune.send(province, by=PROVINCE_CLERK).content)
    found = lines()["P-01"]
    assert (found["members"], found["instance"]) == (4, "xa-mau")
    shown = desk.page("clerk", "/reports/instances?above=P")
    assert "Counted within the month" in shown
    assert "4 members" in shown
    file = desk.clients["clerk"].get("/reports/instances/file?above=P")
    assert file.status_code == 200
    program = desk.office.client("clerk", is_program=True)
    first = program.get("/v1/merged-reports?above=P&limit=1").json()
    second = program.get(f"/v1/merged-reports?above=P&limit=1&cursor={first['next']}").json()
    assert [each["code"] for each in (*first["lines"], *second["lines"])] == ["P-01", "P-02"]
    assert second["next"] is None
    # A cursor of one report leads nowhere in another one.
    strange = program.get(f"/v1/merged-reports/production?above=P&cursor={first['next']}").json()
    assert strange["code"] == "api.cursor-invalid"
    elsewhere = desk.office.client("elsewhere", is_program=True)
    seen = elsewhere.get("/v1/merged-reports").json()
    assert [each["code"] for each in seen["lines"]] == ["P-02"]
    assert seen["sources"] == []
    assert elsewhere.get("/v1/merged-reports?above=P-01").json()["code"] == "organisation.unknown"


def test_the_production_of_many_registers_is_one_report(desk: Desk) -> None:
    enrol(desk)
    province, commune = desk.exchange.province, desk.exchange.commune
    program = desk.office.client("clerk", is_program=True)
    assert program.get("/v1/merged-reports/production").json()["code"] == "report.not-counted"
    OfficeStock(commune.database, commune.clock).receive(
        [serial_of(each) for each in (1, 2, 3)], delivery="box"
    )
    for office in (province, commune):
        counting = SqlReportFigures(office.database, register_of=office.own.organisation)
        counting.count(now=office.clock())
    assert "States no production" in desk.page("clerk", "/reports/instances/production")
    desk.bring("clerk", commune.send(province, by=PROVINCE_CLERK).content)
    page = program.get("/v1/merged-reports/production?above=P").json()
    lines = {each["code"]: each for each in page["lines"]}
    assert (lines["P-01"]["instance"], lines["P-01"]["stock"]["left"]) == ("xa-mau", 3)
    assert (page["head"]["stock"]["received"], page["head"]["merged"]) == (3, 1)
    assert (lines["P-01"]["left"], lines["P-02"]["instance"]) == (4, "tinh-uy")
    assert [each["states_production"] for each in page["sources"]] == [True]
    first = program.get("/v1/merged-reports/production?above=P&limit=1").json()
    second = program.get(
        f"/v1/merged-reports/production?above=P&limit=1&cursor={first['next']}"
    ).json()
    assert [each["code"] for each in (*first["lines"], *second["lines"])] == ["P-01", "P-02"]
    assert second["next"] is None
    shown = desk.page("clerk", "/reports/instances/production?above=P")
    for words in (
        "Chips of the sites here and below",
        "States its production",
        "xa-mau",
        "1 office merged in it",
    ):
        assert words in shown, words
    for path in ("/reports/instances/production/file", "/v1/merged-reports/production/file"):
        for form, start in (("xlsx", b"PK"), ("pdf", b"%PDF-")):
            taken = program.get(f"{path}?form={form}&above=P")
            assert (taken.status_code, taken.content[: len(start)]) == (200, start)
    elsewhere = desk.office.client("elsewhere", is_program=True)
    seen = elsewhere.get("/v1/merged-reports/production").json()
    assert ([each["code"] for each in seen["lines"]], seen["sources"]) == (["P-02"], [])
    hidden = elsewhere.get("/v1/merged-reports/production?above=P-01").json()
    assert hidden["code"] == "organisation.unknown"
