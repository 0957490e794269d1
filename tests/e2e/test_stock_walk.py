"""A storekeeper takes chips in, issues them and counts; a second one closes the day: a real service, a real browser.

With ``MEMBERCARD_SCREENSHOTS=docs/console`` the pictures of the documents are made anew.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from issuer.bootstrap import open_register_home
from issuer.bootstrap_stock import stock_of
from issuer.cli import main
from issuer.domain.account import Account, AccountId, PasswordHash
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.domain.stock_account import FIRST_STORE
from issuer.domain.stock_acts import StopReason
from issuer.identity.argon2_passwords import Argon2Parameters, Argon2Passwords
from tests.contract.stock_stage import delivery_of, serial_of, staff
from tests.integration.everybody import log_in_everybody

expect.set_options(timeout=60_000)

PROGRAM = Path(sys.executable).with_name("membercard-issuer")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PASSWORD = "mật khẩu của thủ kho"
HASHER = Argon2Passwords(Argon2Parameters(memory_kib=64, passes=1, lanes=1, at_once=1))
PICTURES = os.environ.get("MEMBERCARD_SCREENSHOTS")
CHIPS = 24

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the console of an office with a store is served."""
    folder = tmp_path_factory.mktemp("office")
    home, pin = folder / "home", folder / "pin"
    pin.write_text(secrets.token_hex(16))
    pin.chmod(0o600)
    assert main(["--home", str(home), "database", "upgrade"]) == 0
    log_in_everybody(home)
    assert (
        main(["--home", str(home), "keys", "create", "--keystore", "file", "--pin-file", str(pin)])
        == 0
    )
    now = datetime.now(UTC)
    password = PasswordHash(encoded=HASHER.hash(PASSWORD), set_at=now, is_provisional=False)
    with open_register_home(home) as opened:
        with opened.register.writing() as transaction:
            for name in ("thukho", "thukho2"):
                transaction.people.add(
                    Account(
                        account_id=AccountId(uuid.uuid4()),
                        name=AccountName(name),
                        assignments=(Assignment(role=Role.STOREKEEPER),),
                        password=password,
                        created_at=now,
                    )
                )
        # What asks for a second factor was done before: security keys have a walk of their own.
        stock = stock_of(opened.register)
        keeper = staff("thukho", Role.STOREKEEPER, now=now)
        controller = staff("kiemtra", Role.QUALITY_CONTROLLER, now=now)
        stock.room.receive(delivery_of(*range(101, 105)), delivery="a.csv", actor=keeper)
        for number in (101, 102):
            stock.room.condemn(serial_of(number), reason="gãy", actor=controller)
        stock.destructions.witness(
            [serial_of(101)], site=FIRST_STORE, manner="cắt vụn", actor=controller
        )
        stock.stops.report(
            [serial_of(104)],
            reason=StopReason.MISSING,
            actor=staff("thukho2", Role.STOREKEEPER, now=now),
        )
    process = subprocess.Popen(
        [str(PROGRAM), "--home", str(home), "serve", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith("ready: http://127.0.0.1:")
        yield ready.removeprefix("ready: ").strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def visit(browser: Browser, address: str, account: str) -> Iterator[Page]:
    """A person at a browser; whatever it complains about, or loads from elsewhere, is a failure."""
    context = browser.new_context(
        base_url=address, viewport={"width": 1180, "height": 740}, locale="vi-VN"
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
    )
    page.on(
        "request",
        lambda asked: None if asked.url.startswith(address) else complaints.append(asked.url),
    )
    page.goto("/stock")
    page.get_by_label("Tài khoản").fill(account)
    page.get_by_label("Mật khẩu đăng nhập").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Kho phôi thẻ", level=1)).to_be_visible()
    yield page
    context.close()
    assert complaints == []


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def names(*numbers: int) -> str:
    return "\n".join(serial_of(each).hex().upper() for each in numbers)


def test_two_people_run_the_day_of_a_store(browser: Browser, address: str, tmp_path: Path) -> None:
    delivery = tmp_path / "lo-12.csv"
    delivery.write_bytes(delivery_of(*range(1, CHIPS + 1)))
    with visit(browser, address, "thukho") as page:
        # By the keyboard alone, from the navigation on.
        page.keyboard.press("g")
        page.keyboard.press("s")
        page.get_by_label("Danh sách giao hàng").set_input_files(delivery)
        page.get_by_role("button", name="Nhập kho").press("Enter")
        expect(page.get_by_role("status")).to_contain_text("24")
        page.get_by_label("Mã nơi", exact=True).fill("station-1")
        page.get_by_label("Tên", exact=True).fill("Trạm 1")
        page.get_by_label("Tên", exact=True).press("Enter")
        expect(page.get_by_role("heading", name="Trạm 1")).to_be_visible()
        page.goto("/stock/sites/store")
        page.get_by_text("Xuất phôi").press("Enter")
        page.get_by_label("Chip", exact=True).first.fill(names(*range(1, 11)))
        picture(page, "stock-issue")
        page.get_by_role("button", name="Xuất", exact=True).press("Enter")
        expect(page.get_by_role("status")).to_contain_text("10")
        picture(page, "stock-site")
        page.goto("/stock")
        picture(page, "stock")
        page.goto("/stock/sites/station-1/count")
        for label, count in (
            ("Phôi còn lại", "9"),
            ("Thẻ thành phẩm", "0"),
            ("Chip hỏng chưa hủy", "0"),
            ("Mẫu", "0"),
        ):
            page.get_by_label(label, exact=True).fill(count)
        page.get_by_label("Tất cả số chip").fill(names(*range(1, 10)))
        page.get_by_role("button", name="Lưu kết quả đếm").press("Enter")
        expect(page.get_by_text("thiếu 1")).to_be_visible()
        expect(page.get_by_text(names(10))).to_be_visible()
        picture(page, "stock-count-differs")
        page.goto("/stock/sites/station-1/count")
        picture(page, "stock-count")
        for label in ("Thẻ thành phẩm", "Chip hỏng chưa hủy", "Mẫu"):
            page.get_by_label(label, exact=True).fill("0")
        page.get_by_label("Phôi còn lại", exact=True).fill("10")
        page.get_by_role("button", name="Lưu kết quả đếm").press("Enter")
        expect(page.get_by_text("Chờ người thứ hai")).to_be_visible()
    with visit(browser, address, "thukho2") as page:
        page.goto("/stock/counts")
        page.get_by_role("row").filter(has_text="Chờ người thứ hai").get_by_role("link").press(
            "Enter"
        )
        page.get_by_role("button", name="Đóng sổ ngày").press("Enter")
        expect(page.get_by_text("Đã đóng")).to_be_visible()
        picture(page, "stock-close")
        page.goto("/stock/destructions")
        expect(page.get_by_text("Chờ người chứng kiến thứ hai")).to_be_visible()
        picture(page, "stock-destructions")
        page.goto("/stock/stops")
        expect(page.get_by_text("Đã báo: chờ người thứ hai")).to_be_visible()
        picture(page, "stock-stops")
