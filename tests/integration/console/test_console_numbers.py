"""Card numbers: who has which blocks, what is left, and one more block, in the console and for programs."""

from pathlib import Path
from typing import Any

import pytest

from issuer.domain.card_number import CardNumber
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.storage.number_mark_file import MARK_FILE
from tests.integration.console.test_console_member_acts import form_of, key

ROOT = Actor(account=AccountName("van"), assignments=(Assignment(role=Role.ADMINISTRATOR),))


def grant(office: Any, committee: str, first: int, last: int) -> None:
    office.services.requests.numbers.grant(
        committee, first=CardNumber(f"98{first:06}"), last=CardNumber(f"98{last:06}"), actor=ROOT
    )


@pytest.fixture
def granted(office_on_either: Any) -> Any:
    grant(office_on_either, "T", 1, 100)
    grant(office_on_either, "P-02", 201, 300)
    grant(office_on_either, "P-01", 101, 200)
    with office_on_either.register.writing() as transaction:
        for block in transaction.numbers.blocks():
            used = {"T": 0, "P-01": 95, "P-02": 100}[block.committee]
            transaction.numbers.advance(block.block_id, int(block.first) + used)
    return office_on_either


def test_blocks_come_in_pages_by_their_numbers_with_what_is_left(granted: Any) -> None:
    program = granted.client("van", is_program=True)
    found, cursor = [], ""
    while cursor is not None:
        address = "/v1/number-blocks?limit=1" + (f"&cursor={cursor}" if cursor else "")
        page = program.get(address).json()
        (supply,) = page["supplies"]
        found += [
            (each["committee"], each["first"], each["last"], each["granted"], each["left"], supply["supply"])
            for each in page["blocks"]
        ]  # fmt: skip
        assert page["fault"] is None
        cursor = page["next"]
    assert found == [
        ("T", "98.000001", "98.000100", 100, 100, "enough"),
        ("P-01", "98.000101", "98.000200", 100, 5, "numbers.near-exhausted"),
        ("P-02", "98.000201", "98.000300", 100, 0, "numbers.exhausted"),
    ]
    page = granted.client("tuan").get("/numbers")
    assert page.status_code == 200
    for text in ("98.000001 – 98.000100", "Enough", "Nearly used up", "Used up", "Đảng ủy xã Hai"):
        assert text in page.text
    assert "Grant a committee numbers" not in page.text


def test_one_sees_the_blocks_of_ones_own_part_of_the_tree(granted: Any) -> None:
    hoa = granted.client("hoa")
    page = hoa.get("/numbers")
    assert "98.000101 – 98.000200" in page.text
    assert "98.000001" not in page.text
    assert "98.000201" not in page.text
    for path in ("/numbers?organisation=P-02", "/v1/number-blocks?organisation=P-02"):
        assert hoa.get(path).status_code == 404
    below = granted.client("van").get("/v1/number-blocks?organisation=P-01").json()
    assert [each["committee"] for each in below["blocks"]] == ["P-01"]
    assert "Card numbers of Đảng ủy xã Một and below" in granted.client("van").get(
        "/numbers?organisation=P-01"
    ).text  # fmt: skip
    assert granted.client("nobody").get("/numbers").status_code == 403


def test_what_another_office_gives_out_is_no_supply_of_ours(office: Any) -> None:
    grant(office, "P-01", 1, 100)
    with office.register.writing() as transaction:
        (block,) = transaction.numbers.blocks()
        transaction.numbers.grant(
            type(block)(
                block_id=type(block.block_id)(int=7), committee=block.committee, first=CardNumber("98000201"),
                last=CardNumber("98000300"), next=98000301, granted_at=block.granted_at,
                granted_by=block.granted_by, held_by="xa-mot",
            )
        )  # fmt: skip
        transaction.numbers.advance(block.block_id, 98000086)
    page = office.client("van").get("/v1/number-blocks").json()
    # 15 of 100 are left; of 200 they would be nearly none.
    assert [each["supply"] for each in page["supplies"]] == ["enough"]
    assert [each["held_by"] for each in page["blocks"]] == [None, "xa-mot"]
    assert "Given out by xa-mot" in office.client("van").get("/numbers").text


def test_a_missing_mark_is_told_where_everybody_sees_it(office: Any, tmp_path: Path) -> None:
    grant(office, "T", 1, 100)
    assert "numbers.mark" not in office.client("lan").get("/numbers").text
    (tmp_path / "numbers" / MARK_FILE).unlink()
    assert "<code>numbers.mark-missing</code>" in office.client("lan").get("/numbers").text


def test_an_administrator_grants_a_block_once(office: Any) -> None:
    client = office.client("van")
    fields = form_of(client.get("/numbers").text) | {
        "committee": "T", "first": "98.000001", "last": "98.000500",
    }  # fmt: skip
    for _ in range(2):
        done = client.post("/numbers", fields)
        assert (done.status_code, done.headers["location"]) == (303, "/numbers?granted=1")
    assert "The numbers are granted." in client.get("/numbers?granted=1").text
    assert [
        each.details["last"] for each in office.trail() if each.action == "numbers.granted"
    ] == ["98000500"]
    for typed, code in (
        ({"first": "98.000400", "last": "98.000600"}, "numbers.block-overlaps"),
        ({"first": "97.000001", "last": "97.000002"}, "numbers.other-committee"),
        ({"first": "98.000009", "last": "98.000001"}, "numbers.range"),
        ({"first": "<b>"}, "card-number.malformed"),
        ({"committee": "NOWHERE"}, "organisation.unknown"),
    ):
        page = client.post("/numbers", fields | {"once": key()} | typed)
        assert page.status_code in {409, 422}
        assert f"<code>{code}</code>" in page.text
        assert form_of(page.text)["committee"] == (fields | typed)["committee"]
    assert client.post("/numbers", fields | {"once": key(), "last": ""}).status_code == 422


def test_numbers_are_granted_by_whoever_has_the_right_there(office: Any) -> None:
    assert office.client("lan").post("/numbers", {"once": key()}).status_code == 403
    office.add_person("local", Role.ADMINISTRATOR, organisation="P-01")
    program = office.client("local", is_program=True)
    for committee, code in (("T", "organisation.unknown"), ("P-02", "organisation.unknown")):
        answer = program.send(
            "POST",
            "/v1/number-blocks",
            json={"committee": committee, "first": "98.000001", "last": "98.000002"},
            headers={"Idempotency-Key": key()},
        )
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    made = program.send(
        "POST",
        "/v1/number-blocks",
        json={"committee": "P-01", "first": "98.000001", "last": "98.000002"},
        headers={"Idempotency-Key": key()},
    )
    assert (made.status_code, made.json()["left"]) == (201, 2)


def test_the_page_of_numbers_speaks_vietnamese(office: Any) -> None:
    grant(office, "T", 1, 100)
    client = office.client("van")
    client.headers["accept-language"] = "vi"
    page = client.get("/numbers")
    assert "Số thẻ" in page.text
    assert "Cấp dải số" in page.text
