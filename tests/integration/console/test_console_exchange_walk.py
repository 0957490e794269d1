"""A clerk settles what a commune's bundle contradicts, and sends one back, in a real browser.

With ``MEMBERCARD_SCREENSHOTS=docs/console`` the pictures of the documents are made anew.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from issuer.api.app import bounded
from issuer.db.reports import SqlReportFigures
from simulators.population.appearance import draw_appearance
from simulators.population.portrait import draw_portrait, encode_portrait
from tests.contract.bundle_stage import OPERATOR, PROVINCE_CLERK
from tests.contract.stock_stage import OfficeStock, serial_of
from tests.e2e.served_app import served
from tests.integration.console.conftest import PASSWORD
from tests.integration.console.exchange_console import Desk

PICTURE = encode_portrait(draw_portrait(draw_appearance(Random(1), is_woman=True, age=36)))

expect.set_options(timeout=60_000)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PICTURES = os.environ.get("MEMBERCARD_SCREENSHOTS")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]


class Drawn:
    """Keeps one drawn picture of everybody."""

    def get(self, digest: bytes) -> bytes:
        del digest
        return PICTURE


@contextmanager
def at_a_browser(app: Any, account: str) -> Iterator[Page]:
    """Somebody who has logged in; whatever the browser complains about is a failure."""
    complaints: list[str] = []
    with served(app) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            base_url=address, viewport={"width": 1180, "height": 740}, locale="vi-VN"
        )
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/")
        page.get_by_label("Tài khoản").fill(account)
        page.get_by_label("Mật khẩu đăng nhập").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator(".account")).to_contain_text(account)
        yield page
        browser.close()
    assert complaints == []


def picture(page: Page, name: str) -> None:
    if PICTURES is not None:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def test_a_clerk_settles_a_conflict_and_makes_a_bundle_by_keyboard(desk: Desk) -> None:
    desk.exchange.enrol()
    province, commune = desk.exchange.province, desk.exchange.commune
    desk.know(4)
    commune.endorsed(2, 4)
    stock = OfficeStock(commune.database, commune.clock)
    stock.receive([serial_of(each) for each in range(1, 1251)], delivery="box")
    stock.condemn(serial_of(7), code="chip.damaged")
    for each in (province, commune):
        counting = SqlReportFigures(each.database, register_of=each.own.organisation)
        counting.count(now=each.clock())
    desk.bring("clerk", commune.send(province, by=PROVINCE_CLERK).content)
    province.handing.hand_indices(commune.own.name, 3000, actor=OPERATOR)
    office = desk.office.with_services(portraits=Drawn())
    with at_a_browser(bounded(office.app), "lan") as page:
        page.keyboard.press("g")
        page.keyboard.press("e")
        page.wait_for_url("**/instances")
        picture(page, "instances")
        page.goto("/bundles")
        picture(page, "bundles")
        page.goto("/conflicts")
        expect(page.locator("a.row")).to_have_count(2)
        picture(page, "conflicts")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/conflicts/*-*")
        picture(page, "conflict")
        page.locator("#reason").fill("đã gọi điện hỏi xã")
        page.locator("button[value=ours]").click()
        page.wait_for_url("**/conflicts")
        expect(page.locator("a.row")).to_have_count(0)
        page.goto("/instances/xa-mau")
        page.locator("input[value=export] ~ button").click()
        expect(page.get_by_role("status")).to_contain_text("gói số 1")
        picture(page, "instance")
        with page.expect_download() as waiting:
            page.locator(".done a").click()
        assert waiting.value.suggested_filename == "tinh-uy-xa-mau-00000001.bundle"
        page.goto("/reports/instances?above=P")
        expect(page.get_by_text("gộp số liệu").first).to_be_visible()
        picture(page, "reports-merged")
        page.get_by_role("link", name="Tiến độ sản xuất").click()
        page.wait_for_url("**/reports/instances/production?above=P")
        expect(page.get_by_text("Có số liệu sản xuất")).to_be_visible()
        expect(page.locator(".equation")).to_contain_text("1.250")
        picture(page, "production-merged")
        # Wherever an organisation is asked for it is found by parts of its name, without leaving the keyboard.
        page.goto("/members")
        field = page.locator("#organisation")
        field.press_sequentially("thon mot")
        expect(page.locator(".picker li:visible")).to_have_count(1)
        expect(page.locator(".picker li:visible")).to_contain_text(
            "Tỉnh ủy Giả Định › Đảng ủy xã Mẫu"
        )
        picture(page, "organisation-picker")
        field.press("Enter")
        expect(field).to_have_value("P-01-01")
        field.press("Enter")
        page.wait_for_url(re.compile("organisation=P-01-01"))
        expect(page.locator("a.row")).to_have_count(2)
        field.fill("không có nơi này")
        expect(page.get_by_text("Không có tổ chức nào tên như vậy.")).to_be_visible()
        field.fill("xa")
        expect(page.locator(".picker li:visible").first).to_be_visible()
        field.press("Escape")
        expect(page.locator(".picker li:visible")).to_have_count(0)
