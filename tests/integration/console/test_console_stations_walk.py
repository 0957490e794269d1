"""The office watches its stations in a real browser; the page keeps itself up to date.

With ``MEMBERCARD_SCREENSHOTS=docs/stations`` the picture of the documents is made anew.
"""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from issuer.api.app import bounded
from issuer.bootstrap_stock import stock_of
from issuer.db.register import SqlRegister
from issuer.domain.account import Account, AccountId, PasswordHash
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.services.look_at_stations import LookingAtStations
from issuer.services.station_ports import StationPresence
from tests.integration.console.conftest import HASHER, MADE_AT, PASSWORD
from tests.integration.console.test_console_exchange_walk import CHROMIUM, at_a_browser, picture
from tests.integration.console.test_console_stations import (
    make_workshop,
    stations,
    template_database,
    workshop,
)
from tests.integration.production.station_stage import Stations, prepared

__all__ = ["make_workshop", "stations", "template_database", "workshop"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]


def test_the_page_of_stations_keeps_itself_up_to_date(
    office: Any, workshop: Any, stations: Stations
) -> None:
    near = stations.here("tram-1")
    first, second, third = prepared(workshop, near, 3)
    for card in (first, second):
        assert near.visit(card).result.value == "done"
    near.ledger.find(third.image.serial)
    assert near.ledger.hand_in()
    silent = stations.over_the_network("tram-3", stations.enrol("tram-3"))
    silent.ledger.greet(StationPresence(readers=("HID OMNIKEY 5022 00 00",)), None)
    stations.offline("tram-4", stations.enrol("tram-4"))
    stations.clock.now += timedelta(minutes=12)
    readers = ("ACS ACR39U 00 00", "ACS ACR39U 01 00")
    near.ledger.greet(StationPresence(readers=readers), None)
    far = stations.over_the_network("tram-2", stations.enrol("tram-2"))
    far.ledger.greet(StationPresence(readers=readers[:1], is_suspended=True), None)
    register = SqlRegister(workshop.database, workshop.sealer)
    watched = office.with_services(
        station_list=LookingAtStations(room=stock_of(register, clock=stations.clock).room),
        now=stations.clock,
    )
    with office.register.writing() as transaction:
        transaction.people.add(
            Account(
                account_id=AccountId(uuid.uuid4()),
                name=AccountName("an"),
                assignments=(Assignment(role=Role.PRODUCTION_OPERATOR),),
                password=PasswordHash(
                    encoded=HASHER.hash(PASSWORD), set_at=MADE_AT, is_provisional=False
                ),
                created_at=MADE_AT,
            )
        )
    with at_a_browser(bounded(watched.app), "an") as page:
        page.keyboard.press("g")
        page.keyboard.press("w")
        page.wait_for_url("**/stations")
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(4)
        expect(rows.nth(0)).to_contain_text("Đang làm")
        expect(rows.nth(1)).to_contain_text("Tạm nghỉ")
        expect(rows.nth(2)).to_contain_text("Lâu không liên lạc")
        expect(rows.nth(3)).to_contain_text("Đã tắt")
        picture(page, "console-stations")
        far.ledger.greet(StationPresence(readers=readers[:1]), None)
        expect(rows.nth(1)).to_contain_text("Đang làm")
        expect(page.locator("h1")).to_have_count(1)
