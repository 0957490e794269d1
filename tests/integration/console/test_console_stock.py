"""The stock in the console and the API: accounts, the close of a day by two, destructions, the stop list."""

import re
from typing import Any

import pytest

from issuer.domain.rights import Role
from tests.contract.stock_stage import EVERYBODY, delivery_of, serial_of
from tests.integration.console.strict_page import StrictPage

KEY = "0123456789abcdef"
SITE = "/stock/sites/store"


def names(*numbers: int) -> list[str]:
    return [serial_of(each).hex().upper() for each in numbers]


class Keys:
    """A new key for each form."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, **fields: str) -> dict[str, str]:
        self._count += 1
        return {"once": f"{KEY}-{self._count}", **fields}


@pytest.fixture
def form() -> Keys:
    return Keys()


@pytest.fixture
def stock(office: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store with six chips, a storekeeper, a quality controller; their second factor is always fresh."""
    monkeypatch.setattr("issuer.domain.rights.STEP_UP_RIGHTS", frozenset())
    office.add_person("kho", Role.STOREKEEPER)
    office.add_person("kiem", Role.QUALITY_CONTROLLER)
    office.services.stock.room.receive(
        delivery_of(*range(1, 7)), delivery="box.csv", actor=EVERYBODY
    )
    return office


def page_of(client: Any, path: str) -> str:
    found = client.get(path)
    assert found.status_code == 200, found.text
    StrictPage(found.text)
    return str(found.text)


def test_a_storekeeper_takes_in_issues_and_takes_back(stock: Any, form: Keys) -> None:
    keeper = stock.client("kho")
    assert "In order" in page_of(keeper, "/stock")
    opened = keeper.post("/stock", form(code="station-1", kind="station", name="Trạm 1"))
    assert opened.headers["location"] == "/stock/sites/station-1"
    sent = keeper.send(
        "POST",
        "/stock/receive",
        data=form(site="store"),
        files={"list": ("box 8.csv", delivery_of(6, 7, 8), "text/csv")},
    )
    assert sent.headers["location"] == "/stock?new=2"
    assert "2 chips are new in the stock." in page_of(keeper, "/stock?new=2")
    issued = keeper.post(SITE, form(act="issue", to="station-1", serials="\r\n".join(names(1, 2))))
    assert issued.headers["location"] == f"{SITE}?done=2"
    back = keeper.post(
        "/stock/sites/station-1", form(act="return", to="store", serials=" ".join(names(2)))
    )
    assert back.status_code == 303
    text = page_of(keeper, "/stock/sites/station-1")
    assert text.index("Returned") < text.index("Issued")


def test_what_is_refused_is_told_beside_the_form(stock: Any, form: Keys) -> None:
    keeper = stock.client("kho")
    keeper.post("/stock", form(code="station-1", kind="station", name="Trạm 1"))
    for fields, code in (
        ({"act": "issue", "to": "station-1", "serials": "12"}, "chip.serial-malformed"),
        ({"act": "issue", "to": "station-1", "serials": ""}, "stock.serials-malformed"),
        ({"act": "issue", "to": "station-1", "serials": names(99)[0]}, "chip.not-in-stock"),
        ({"act": "issue", "to": "", "serials": names(1)[0]}, "stock.site-unknown"),
        ({"act": "sample", "remark": "", "serials": names(1)[0]}, "stock.remark-malformed"),
        ({"act": "condemn", "remark": "x", "serials": " ".join(names(1, 2))}, "stock.serials-malformed"),
    ):  # fmt: skip
        answer = keeper.post(SITE, form(**fields))
        assert answer.status_code >= 400
        StrictPage(answer.text)
        assert f"<code>{code}</code>" in answer.text
    assert keeper.post(SITE, form(act="nothing")).status_code == 422
    assert keeper.get("/stock/sites/nowhere").status_code in (404, 422)


def test_a_day_is_counted_by_one_and_closed_by_another(stock: Any, form: Keys) -> None:
    keeper, controller = stock.client("kho"), stock.client("kiem")
    empty = page_of(keeper, f"{SITE}/count")
    # Whoever counts is not told what they should find.
    assert re.search(r'name="left"[^>]*value=""', empty)
    fields = {"finished": "0", "spoiled": "0", "samples": "0"}
    wrong = keeper.post(
        f"{SITE}/count", form(left="5", scanned="\n".join(names(1, 2, 3, 4, 6)), **fields)
    )
    StrictPage(wrong.text)
    assert names(5)[0] in wrong.text
    assert "1 too few" in wrong.text
    right = form(left="6", **fields)
    counted = keeper.post(f"{SITE}/count", right)
    StrictPage(counted.text)
    assert "Close the day" not in counted.text
    # Sent again, nothing is counted twice.
    keeper.post(f"{SITE}/count", right)
    found = stock.services.stock.days.newest(actor=EVERYBODY, limit=9)
    assert [each.state.value for each in found] == ["counted", "differs"]
    path = f"/stock/counts/{found[0].close_id}"
    own = keeper.post(path, form())
    assert "<code>right.same-person</code>" in own.text
    assert "Close the day" in page_of(controller, path)
    assert controller.post(path, form()).status_code == 303
    assert "Closed" in page_of(controller, "/stock/counts")
    assert controller.get(f"{path}/protocol").content.startswith(b"%PDF-")


def test_two_witnesses_destroy_and_one_does_not(stock: Any, form: Keys) -> None:
    keeper, controller = stock.client("kho"), stock.client("kiem")
    assert (
        controller.post(SITE, form(act="condemn", remark="gãy", serials=names(1)[0])).status_code
        == 303
    )
    page_of(controller, "/stock/destructions")
    made = keeper.post(
        "/stock/destructions", form(site="store", serials=names(1)[0], manner="cắt vụn")
    )
    path = made.headers["location"]
    assert "I am the second witness" not in page_of(keeper, path)
    refused = keeper.post(path, form(act="confirm", chips="1"))
    assert "<code>right.same-person</code>" in refused.text
    differs = controller.post(path, form(act="confirm", chips="2"))
    assert "<code>stock.destruction-differs</code>" in differs.text
    assert "I am the second witness" in page_of(controller, path)
    assert controller.post(path, form(act="confirm", chips="1")).status_code == 303
    assert names(1)[0] in page_of(controller, path)
    assert controller.get(f"{path}/protocol").content.startswith(b"%PDF-")


def test_a_stolen_chip_is_reported_by_one_and_settled_by_another(stock: Any, form: Keys) -> None:
    keeper, controller = stock.client("kho"), stock.client("kiem")
    sent = keeper.post(
        "/stock/stops", form(act="report", reason="stolen", serials="\n".join(names(1, 2, 99)))
    )
    assert sent.status_code == 303
    assert "They are gone" not in page_of(keeper, "/stock/stops")
    assert "They are gone" in page_of(controller, "/stock/stops")
    own = keeper.post("/stock/stops", form(act="confirm", **{f"serial-{names(1)[0]}": "yes"}))
    assert "<code>right.same-person</code>" in own.text
    controller.post("/stock/stops", form(act="confirm", **{f"serial-{names(1)[0]}": "yes"}))
    controller.post("/stock/stops", form(act="lift", **{f"serial-{names(2)[0]}": "yes"}))
    states = {
        each.serial: each.state.value
        for each in stock.services.stock.stops.newest(actor=EVERYBODY, limit=9)
    }
    assert states == {
        serial_of(1): "confirmed",
        serial_of(2): "lifted",
        serial_of(99): "reported",
    }
    assert "1 chip of this site is on the stop list" in page_of(controller, SITE)


def test_programs_do_the_same_once_a_key(stock: Any) -> None:
    keeper = stock.client("kho", is_program=True)
    controller = stock.client("kiem", is_program=True)

    def ask(client: Any, path: str, body: dict[str, Any] | None, key: str) -> Any:
        values = {} if body is None else {"json": body}
        return client.send(
            "POST", f"/v1/stock{path}", headers={"idempotency-key": key * 8}, **values
        )

    site = {"code": "station-1", "kind": "station", "name": "Trạm 1"}
    assert ask(keeper, "/sites", site, "aa").json()["is_balanced"] is True
    delivery = {"serials": names(7, 8), "delivery": "box 8"}
    assert ask(keeper, "/sites/store/deliveries", delivery, "bb").json() == {"chips": 2}
    move = {"serials": names(1, 2), "to": "station-1"}
    assert ask(keeper, "/sites/store/issues", move, "cc").json() == {"chips": 2}
    # The same key once more is answered and not done.
    assert ask(keeper, "/sites/store/issues", move, "cc").json() == {"chips": 2}
    again = ask(keeper, "/sites/store/issues", move, "dd")
    assert again.json()["code"] == "stock.elsewhere"
    back = {"serials": names(2), "to": "store"}
    assert ask(keeper, "/sites/station-1/returns", back, "ee").json() == {"chips": 1}
    sample = {"serials": names(3), "purpose": "laboratory"}
    assert ask(keeper, "/sites/store/samples", sample, "ff").status_code == 200
    assert (
        ask(controller, f"/chips/{names(4)[0]}/condemn", {"reason": "x"}, "gg").status_code == 200
    )
    assert (
        ask(controller, f"/chips/{names(5)[0]}/release", None, "hh").json()["code"]
        == "chip.not-held"
    )
    counts = {"finished": 0, "spoiled": 1, "samples": 1, "left": 5}
    count = ask(keeper, "/sites/store/counts", counts, "ii").json()
    assert count["state"] == "counted"
    closed = ask(controller, f"/counts/{count['id']}/close", None, "jj").json()
    assert closed["closed_by"] == "kiem"
    assert keeper.get("/v1/stock/counts").json()["counts"] == [
        keeper.get(f"/v1/stock/counts/{count['id']}").json()
    ]
    assert keeper.get(f"/v1/stock/counts/{count['id']}/protocol").content.startswith(b"%PDF-")
    body = {"serials": names(3, 4), "site": "store", "manner": "shredded"}
    made = ask(keeper, "/destructions", body, "kk").json()
    path = f"/destructions/{made['id']}"
    assert ask(keeper, f"{path}/withdraw", None, "ll").json()["state"] == "withdrawn"
    second = ask(keeper, "/destructions", body, "mm").json()
    path = f"/destructions/{second['id']}"
    assert ask(controller, f"{path}/confirm", {"chips": 2}, "nn").json()["state"] == "destroyed"
    assert keeper.get(f"/v1/stock{path}").json()["serials"] == names(3, 4)
    assert keeper.get(f"/v1/stock{path}/protocol").content.startswith(b"%PDF-")
    assert len(keeper.get("/v1/stock/destructions").json()["destructions"]) == 2
    stop = {"serials": names(5, 6), "reason": "missing"}
    assert ask(keeper, "/stops", stop, "oo").json() == {"chips": 2}
    assert ask(controller, "/stops/confirm", {"serials": names(5)}, "pp").status_code == 200
    assert ask(controller, "/stops/lift", {"serials": names(6)}, "qq").status_code == 200
    reported = keeper.get("/v1/stock/stops?state=confirmed").json()["stops"]
    assert [each["serial"] for each in reported] == names(5)
    store = keeper.get("/v1/stock/sites/store").json()
    assert (store["received"], store["left"], store["stolen"]) == (6, 4, 1)
    first = keeper.get("/v1/stock/sites/store/movements?limit=2").json()
    rest = keeper.get(f"/v1/stock/sites/store/movements?limit=9&cursor={first['next']}").json()
    kinds = [each["kind"] for each in first["movements"] + rest["movements"]]
    assert kinds == ["stolen", "returned", "issued", "delivered", "delivered"]
    assert rest.get("next") is None


def test_whoever_has_nothing_to_do_with_the_stock_sees_none(stock: Any, form: Keys) -> None:
    clerk = stock.client("lan")
    for path in ("/stock", SITE, "/stock/counts", "/stock/destructions", "/stock/stops"):
        assert clerk.get(path).status_code == 403
    assert 'href="/stock"' not in clerk.get("/").text
    assert clerk.post("/stock/stops", form(act="report")).status_code == 403
    stock.add_person("xa", Role.STOREKEEPER, organisation="P-01")
    local = stock.client("xa")
    assert "There is no site in your part of the register." in local.get("/stock").text
    assert local.get(SITE).status_code == 403
    opened = local.post("/stock", form(code="x", kind="store", name="Kho xã", organisation="P-02"))
    assert opened.status_code == 403


def test_the_report_of_the_stock_is_taken_as_workbook_and_as_paper(stock: Any) -> None:
    stock.add_person("van-thu", Role.CLERK)
    keeper = stock.client("kho")
    assert "/stock/file?form=pdf" in page_of(keeper, "/stock")
    for path in ("/stock/file", "/v1/stock/file"):
        for form, start in (("xlsx", b"PK"), ("pdf", b"%PDF-")):
            taken = keeper.get(f"{path}?form={form}")
            assert (taken.status_code, taken.content[: len(start)]) == (200, start)
            assert taken.headers["content-disposition"] == f'attachment; filename="stock.{form}"'
            assert taken.headers["cache-control"] == "no-store"
        assert keeper.get(f"{path}?form=docx").status_code == 422
        assert stock.client("van-thu").get(path).status_code == 403
