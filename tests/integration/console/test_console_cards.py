"""Finished cards in the console: found by what stands on them, their dossier, and what people say of them."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from issuer.api.app import create_app
from issuer.api.pages import card_words
from issuer.bootstrap_cards import cards_of
from issuer.db.base import Database
from issuer.domain.card import CardState
from issuer.domain.card_dossier import DossierRoom
from issuer.domain.card_validity import EndReason, ValidityEvent
from issuer.domain.rights import Right, Role
from issuer.services.card_acts import CardAct
from pki.signed.card_states import CardState as ListedState
from tests.contract.cards_stage import CardsStage, fresh_sqlite
from tests.integration.console.conftest import SCHEME
from tests.integration.console.strict_page import StrictPage
from tests.integration.console.test_console_decisions import stepped_up

ALL = [each.value for each in CardAct]


class Cards:
    """A console over a register with one card in its member's hand, for people of all parts."""

    def __init__(self, office: Any, database: Database) -> None:
        self.stage = CardsStage(database, now=office.services.now() - timedelta(hours=1))
        self.reference = self.stage.hand_over(17, self.stage.add_member(17)).hex()
        self.path = f"/cards/{self.reference}"
        services = cards_of(self.stage.register, SCHEME, clock=office.services.now)
        office.services = replace(office.services, cards=services)
        office.app = create_app(office.services)
        self.office = office
        office.add_person("son", Role.DECIDER)
        office.add_person("kho", Role.STOREKEEPER)
        office.add_person("may", Role.PRODUCTION_OPERATOR)

    def act(self, client: Any, act: str, **fields: str) -> Any:
        return client.post(self.path, {"once": secrets.token_urlsafe(24), "act": act, **fields})

    def page(self, client: Any, path: str | None = None) -> str:
        found = client.get(path or self.path)
        assert found.status_code == 200, found.text
        StrictPage(found.text)
        return str(found.text)

    def offered(self, client: Any) -> list[str]:
        text = self.page(client)
        return [each for each in ALL if f'name="act" value="{each}"' in text]

    def counts_as(self) -> str:
        with self.stage.register.reading() as transaction:
            record = transaction.cards.get(bytes.fromhex(self.reference))
        return str(record.validity.state.label)


@pytest.fixture
def cards(office: Any, tmp_path: Path) -> Iterator[Cards]:
    (tmp_path / "cards").mkdir()
    database = fresh_sqlite(tmp_path / "cards")
    yield Cards(office, database)
    database.close()


def test_a_card_is_found_by_number_serial_and_reference(cards: Cards) -> None:
    client = cards.office.client("lan")
    assert 'name="card"' in cards.page(client, "/cards")
    for name in ("98.000017", " 98.000017 ", f"{17:020x}", cards.reference.upper()):
        found = client.get(f"/cards?card={name}")
        assert (found.status_code, found.headers.get("location")) == (303, cards.path), name
    for name, status, code in (
        ("98.000018", 404, "card.unknown"),
        ("0" * 20, 404, "card.unknown"),
        ("f" * 32, 404, "card.unknown"),
        ("<script>", 422, "card-number.malformed"),
    ):
        answer = client.get(f"/cards?card={name}")
        assert answer.status_code == status, name
        assert f"<code>{code}</code>" in answer.text
        StrictPage(answer.text)


def test_a_card_of_another_part_of_the_tree_is_not_there(cards: Cards) -> None:
    # The card's member belongs to A-1; this clerk sees P-01 alone.
    stranger = cards.office.client("hoa")
    answer = stranger.get("/cards?card=98.000017")
    assert answer.status_code == 404
    assert "card.unknown" in answer.text
    program = cards.office.client("hoa", is_program=True)
    assert program.get("/v1/cards?card=98.000017").json()["code"] == "card.unknown"
    for path in (cards.path, f"{cards.path}/dossier"):
        assert stranger.get(path).status_code == 403
    assert cards.act(stranger, "report", reason="lost").status_code == 403
    assert cards.counts_as() == "valid"


def test_the_dossier_tells_the_whole_line_of_time_and_its_reading_is_recorded(
    cards: Cards,
) -> None:
    client = cards.office.client("lan")
    cards.act(client, "report", reason="stolen", remark="ở chợ & bến")
    text = cards.page(client)
    for told in ("Card 98.000017", "Suspended for now", "In force from the hand-over on", "Reported",
                 "lan reported it", "ở chợ &amp; bến", f"{17:020X}", "/members/"):  # fmt: skip
        assert told in text, told
    paper = client.get(f"{cards.path}/dossier")
    assert paper.content.startswith(b"%PDF-")
    assert paper.headers["cache-control"] == "no-store"
    with cards.stage.register.reading() as transaction:
        trail = [each.record() for each in transaction.audit.records()]
    reads = [each for each in trail if each.action == "card.dossier-read"]
    assert {each.subject_id for each in reads} == {cards.reference}
    assert {each.account for each in reads} == {"lan"}
    assert len(reads) == 2
    # Whoever makes cards reads dossiers, and no members.
    assert "/members/" not in cards.page(cards.office.client("may"))


def test_one_reports_and_another_one_ends_the_card(cards: Cards) -> None:
    lan, minh = cards.office.client("lan"), cards.office.client("minh")
    assert cards.offered(lan) == ["report", "collect", "return"]
    assert cards.offered(minh) == ["report", "suspend", "collect", "return"]
    assert cards.offered(cards.office.client("may")) == []
    none = cards.act(lan, "report", reason="")
    assert (none.status_code, "<code>card.report-reason</code>" in none.text) == (422, True)
    reported = cards.act(minh, "report", reason="lost", remark="mất ở chợ")
    assert (reported.status_code, reported.headers["location"]) == (303, cards.path)
    assert cards.counts_as() == "suspended"
    # Whoever reported it judges nothing, and nobody without having just shown the second factor.
    assert cards.offered(minh) == ["suspend", "collect", "return"]
    own = cards.act(stepped_up(cards.office, "minh"), "confirm")
    assert (own.status_code, "<code>right.same-person</code>" in own.text) == (403, True)
    son = cards.office.client("son")
    assert cards.offered(son) == ["confirm", "suspend", "resume", "collect", "return"]
    later = cards.act(son, "confirm")
    assert (later.status_code, later.headers["location"][:14]) == (303, "/second-factor")
    assert cards.counts_as() == "suspended"
    assert cards.act(stepped_up(cards.office, "son"), "confirm").status_code == 303
    assert cards.counts_as() == "lost"
    text = cards.page(lan)
    assert "Confirmed by a second person" in text
    late = cards.act(stepped_up(cards.office, "son"), "suspend")
    assert (late.status_code, "<code>card.ended</code>" in late.text) == (409, True)


def test_an_office_suspends_and_an_organisation_collects(cards: Cards) -> None:
    son, kho = stepped_up(cards.office, "son"), cards.office.client("kho")
    steps = (
        (son, "suspend", "suspended"), (son, "resume", "valid"), (kho, "collect", "suspended"),
        (kho, "give-back", "valid"), (kho, "return", "suspended"),
    )  # fmt: skip
    for client, act, state in steps:
        assert act in cards.offered(client)
        assert cards.act(client, act, remark="biên bản 7").status_code == 303
        assert cards.counts_as() == state, act
    long = cards.act(kho, "collect", remark="a" * 401)
    assert (long.status_code, "<code>card.remark</code>" in long.text) == (422, True)
    assert cards.act(kho, "suspend").status_code == 403
    assert cards.act(kho, "burn").status_code == 422


def test_a_form_that_is_sent_twice_is_done_once(cards: Cards) -> None:
    client = cards.office.client("lan")
    fields = {"once": secrets.token_urlsafe(24), "act": "collect"}
    assert [client.post(cards.path, fields).status_code for _ in range(2)] == [303, 303]
    with cards.stage.register.reading() as transaction:
        changes = transaction.cards.changes(bytes.fromhex(cards.reference))
    assert [each.event.value for each in changes] == ["handed-over", "collected"]


def test_programs_do_the_same(cards: Cards) -> None:
    lan = cards.office.client("lan", is_program=True)
    found = lan.get("/v1/cards?card=98.000017").json()
    assert found == {"reference": cards.reference}
    path = f"/v1/cards/{found['reference']}"

    def send(client: Any, act: str, **body: str) -> Any:
        key = {"idempotency-key": secrets.token_urlsafe(24)}
        return client.send("POST", f"{path}/{act}", json=body, headers=key)

    assert send(lan, "report", reason="expired").json()["code"] == "card.report-reason"
    assert send(lan, "report", reason="nothing").json()["code"] == "api.request-invalid"
    reported = send(lan, "report", reason="lost", remark="mất").json()
    assert reported == {
        "reference": cards.reference, "counts_as": "suspended", "report": "lost", "reported_by": "lan",
    }  # fmt: skip
    assert send(lan, "confirm").json()["code"] == "right.missing"
    minh = cards.office.client("minh", is_program=True)
    assert send(minh, "confirm").json()["code"] == "right.step-up-needed"
    dossier = lan.get(path).json()
    assert dossier["status"]["counts_as"] == "suspended"
    assert [each["what"].split()[0] for each in dossier["events"]][-1] == "reported"
    assert lan.get(f"{path}/dossier").headers["content-type"] == "application/pdf"
    for act, code in (("give-back", "card.not-collected"), ("collect", None), ("return", "card.collected-before")):  # fmt: skip
        assert send(lan, act).json().get("code") == code, act


def test_every_word_of_the_records_has_its_word_in_the_console() -> None:
    assert (
        set(card_words.COUNTS_AS) == set(card_words.PILLS) == {each.label for each in ListedState}
    )
    assert set(card_words.MAKING) == {each.value for each in CardState}
    assert set(card_words.REASONS) == {each.value for each in EndReason}
    assert set(card_words.ACTS) == set(card_words.ACT_NOTES) == set(ALL)
    assert set(card_words.ROOMS) == {each.value for each in DossierRoom}
    assert set(card_words.EVENTS["validity"]) == {each.value for each in ValidityEvent}
    assert {each.right for each in CardAct} == {Right.REPORT_CARDS, Right.REVOKE_CARDS}
