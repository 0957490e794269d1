"""A station before its operator, in a real browser: a green card, a red one, keys alone, a page that is loaded anew.

With ``MEMBERCARD_SCREENSHOTS=docs/stations`` the pictures of docs/stations.md are made anew.
"""

import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from simulators.faults import Fault, FaultKind
from tests.integration.production.screen_stage import ScreenStage
from tests.integration.production.station_stage import Stations, prepared

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PICTURES = os.environ.get("MEMBERCARD_SCREENSHOTS")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def picture(page: Page, name: str) -> None:
    if PICTURES is not None:
        small = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        small.quantize(128, dither=Image.Dither.NONE).save(
            Path(PICTURES) / f"{name}.png", optimize=True
        )


@dataclass
class Watched:
    """A page, what it complained of, and where it went."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


def paired(browser: Browser, address: str) -> Watched:
    page = browser.new_context(locale="vi-VN", viewport={"width": 1366, "height": 768}).new_page()
    watched = Watched(page)
    page.on(
        "console",
        lambda said: (
            watched.complaints.append(said.text) if said.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    page.on("request", lambda request: watched.addresses.append(request.url))
    page.goto(address)
    page.wait_for_url("**/")
    return watched


def panel(page: Page, number: int, kind: str) -> Any:
    found = page.locator(f'[data-panel="{number}"][data-kind="{kind}"]')
    expect(found).to_be_visible(timeout=30_000)
    return found


def heard(page: Page, sound: str) -> None:
    expect(page.locator(f'body[data-heard="{sound}"]')).to_have_count(1)
    page.evaluate("document.body.dataset.heard = ''")


def test_an_operator_makes_cards_with_keys_alone(
    browser: Browser, workshop: Any, stations: Stations
) -> None:
    under_test = stations.here("station-1")
    first, second, third = prepared(workshop, under_test, 3)
    workshop.receive(4, site="station-1")
    stage = ScreenStage(workshop, under_test, "ACS ACR39U 00 00", "ACS ACR39U 01 00")
    left, right = stage.trays
    with stage.served() as addresses, stage.working():
        watched = paired(browser, addresses[-1])
        page = watched.page
        panel(page, 1, "empty")
        page.keyboard.press("Shift")

        # A blank chip, then a good card; on the other reader somebody pulls a card out too early.
        right.put(workshop.blank(4))
        panel(page, 2, "good")
        heard(page, "good")
        expect(panel(page, 2, "good")).to_contain_text("chip đã khởi tạo")
        right.take()
        slow = Fault(kind=FaultKind.DELAY, at=24, milliseconds=1500)
        left.put(first, slow)
        busy = panel(page, 1, "busy")
        expect(busy.locator(".number")).to_have_text("98.000001")
        expect(busy.locator("[aria-current]")).to_have_count(1)
        picture(page, "screen-busy")
        green = panel(page, 1, "good")
        heard(page, "good")
        expect(green).to_contain_text("98.000001")
        expect(green).to_contain_text("Bỏ thẻ vào hộp thẻ thành phẩm")
        right.put(second, Fault(kind=FaultKind.TEAR_AFTER, at=12))
        red = panel(page, 2, "bad")
        heard(page, "bad")
        expect(red).to_contain_text("Trao đổi với chip bị ngắt giữa chừng")
        expect(red).to_contain_text("Đặt lại chip")
        expect(red.locator("code")).not_to_be_empty()
        picture(page, "screen-green-and-red")

        # The page is loaded anew in the middle, and another one is opened: both know everything, and make no noise.
        page.reload()
        other = paired(browser, addresses[-1]).page
        for each in (page, other):
            panel(each, 1, "good")
            expect(panel(each, 2, "bad")).to_contain_text("bị ngắt giữa chừng")
            expect(each.locator(".made dd")).to_have_text("1")
            assert each.evaluate("document.body.dataset.heard ?? ''") == ""
        right.put(second)
        expect(panel(other, 2, "good").locator(".number")).to_have_text("98.000002")
        right.take()

        # Keys alone: suspended, nothing is begun; Space again, and it goes on.
        page.keyboard.press(" ")
        expect(other.locator(".banner")).to_contain_text("Trạm tạm nghỉ")
        left.take()
        left.put(third)
        expect(panel(page, 1, "good").locator(".number")).to_have_text("98.000001")
        page.keyboard.press(" ")
        expect(page.locator('[data-panel="1"][data-kind="good"] .number')).to_have_text(
            "98.000003", timeout=30_000
        )
        left.take()

        # A finished card is rejected: which, why, sure; Escape goes back, and the reader makes nothing of it.
        page.keyboard.type("x")
        page.keyboard.press("Escape")
        expect(page.locator("#ask")).to_be_hidden()
        page.keyboard.type("x11")
        expect(page.locator("#ask-card")).to_have_text("98.000003")
        picture(page, "screen-reject-sure")
        assert under_test.journal.events()[-1].kind.value == "issued"
        page.keyboard.press("Enter")
        rejected = panel(page, 1, "bad")
        heard(page, "bad")
        expect(rejected).to_contain_text("card.rejected-by-operator")
        expect(page.locator("#said")).to_contain_text("Đã loại thẻ")
        event = under_test.journal.events()[-1]
        assert (event.kind.value, event.code, event.detail, event.account) == (
            "condemned", "card.rejected-by-operator", "misprinted", "anna",
        )  # fmt: skip
        page.keyboard.type("p2")
        expect(page.locator("#said")).to_contain_text("Trạm này chưa được đặt máy in")

        # Nothing of a person is on the screen, and the page speaks to nobody else.
        shown = page.content()
        assert "Hòa" not in shown
        assert all(
            card.image.secrets.can not in page.inner_text("main") for card in (first, second, third)
        )
        assert page.locator(".last li").count() == 4

        # The day is closed, the station ends, and says so.
        page.keyboard.press("d")
        page.keyboard.press("Enter")
        expect(page.locator(".banner")).to_contain_text("Đã đóng sổ ngày: 3 thẻ, 1 bị loại")
        picture(page, "screen-day-closed")
        page.keyboard.press("l")
        expect(page.locator(".banner")).to_contain_text("The day is closed: 3 cards, 1 rejected")
        page.keyboard.type("q")
        page.keyboard.press("Enter")
        expect(page.locator(".banner")).to_contain_text("The station has ended.")
        assert {address.split("/")[2] for address in watched.addresses} == {
            addresses[0].split("/")[2]
        }
    expect(page.locator(".banner")).to_contain_text("The station has ended.")
    assert [each for each in watched.complaints if "409" not in each and "net::" not in each] == []
