"""A station's screen in a real browser, its readers behind the real pcscd: a card that is left in, one that is pulled out.

With ``MEMBERCARD_SCREENSHOTS=docs/stations`` the picture of docs/stations.md is made anew.
"""

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from card_layout.transport.readers import open_reader
from simulators.faults import Fault, FaultKind
from simulators.image import CardImage
from tests.integration.production.pcsc_slots import Slot, slots
from tests.integration.production.screen_stage import ScreenStage
from tests.integration.production.station_stage import Stations, prepared
from tests.integration.production.test_station_screen_in_the_browser import (
    CHROMIUM,
    browser,
    paired,
    panel,
    picture,
)

__all__ = ["browser", "slots"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.pcsc,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]


def test_an_operator_sees_what_happens_in_real_readers(
    browser: Browser, workshop: Any, stations: Stations, slots: tuple[Slot, Slot]
) -> None:
    under_test = stations.here("station-1")
    first, second = (card.image for card in prepared(workshop, under_test, 2))
    left, right = slots
    readers = [open_reader(slot.name) for slot in slots]
    stage = ScreenStage(workshop, under_test, readers=readers)
    with stage.served() as addresses, stage.working():
        watched = paired(browser, addresses[-1])
        page = watched.page
        for number, slot in enumerate(slots, start=1):
            expect(panel(page, number, "empty")).to_contain_text(slot.name)
        page.keyboard.press("Shift")

        # One card is made and stays in; the other is pulled out in the middle.
        left.put(first)
        torn = right.put(second, Fault(kind=FaultKind.TEAR_AFTER, at=12))
        green = panel(page, 1, "good")
        expect(green.locator(".number")).to_have_text("98.000001")
        red = panel(page, 2, "bad")
        expect(red).to_contain_text("Trao đổi với chip bị ngắt giữa chừng")
        expect(red).to_contain_text("Đặt lại chip")
        picture(page, "screen-over-pcsc")

        # It is put in again, and goes on; nothing is told of the card that was left in.
        right.put(CardImage.load(torn))
        expect(panel(page, 2, "good").locator(".number")).to_have_text("98.000002")
        expect(panel(page, 1, "good").locator(".number")).to_have_text("98.000001")
        expect(page.locator(".made dd")).to_have_text("2")
        assert page.locator(".last li").count() == 2

        # A finished card that comes back is green no more, and changes nothing.
        left.take()
        right.take()
        # pcscd looks two times a second: a card that is back sooner was never out for it.
        expect(panel(page, 2, "good")).to_contain_text("Đầu đọc trống")
        right.put(CardImage.load(torn))
        refused = panel(page, 2, "bad")
        expect(refused.locator("code")).to_have_text("card.already-issued")
        right.take()
        page.keyboard.press("d")
        page.keyboard.press("Enter")
        expect(page.locator(".banner")).to_contain_text("Đã đóng sổ ngày: 2 thẻ, 0 bị loại")
    assert [each for each in watched.complaints if "net::" not in each] == []
