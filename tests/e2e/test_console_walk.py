"""A clerk works in the console: a real service, a real browser.

With ``MEMBERCARD_SCREENSHOTS=docs/console`` the pictures of the documents are made anew.
"""

import json
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
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from issuer.bootstrap import open_register_home
from issuer.cli import main
from issuer.domain.account import Account, AccountId, PasswordHash
from issuer.domain.rights import AccountName, Assignment, Role
from issuer.identity.argon2_passwords import Argon2Parameters, Argon2Passwords
from simulators.population.list_files import write_population
from simulators.population.member_list import draw_member_list
from tests.integration.everybody import log_in_everybody

# A busy machine takes longer than the five seconds that Playwright waits by itself.
expect.set_options(timeout=60_000)

PROGRAM = Path(sys.executable).with_name("membercard-issuer")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PASSWORD = "mật khẩu của cô Lan"
MEMBERS = 15
HASHER = Argon2Passwords(Argon2Parameters(memory_kib=64, passes=1, lanes=1, at_once=1))
PICTURES = os.environ.get("MEMBERCARD_SCREENSHOTS")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]


def _issuer(home: Path, *words: str) -> None:
    assert main(["--home", str(home), *words]) == 0


def _add_account(home: Path, name: str, role: Role) -> None:
    now = datetime.now(UTC)
    password = PasswordHash(encoded=HASHER.hash(PASSWORD), set_at=now, is_provisional=False)
    with open_register_home(home) as opened, opened.register.writing() as transaction:
        transaction.people.add(
            Account(
                account_id=AccountId(uuid.uuid4()),
                name=AccountName(name),
                assignments=(Assignment(role=role),),
                password=password,
                created_at=now,
            )
        )


@pytest.fixture(scope="module")
def population(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("population") / "lists"
    write_population(draw_member_list(2026, members=MEMBERS, advance=lambda: None), folder)
    return folder


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, population: Path) -> Iterator[str]:
    """Where the console of a new office is served."""
    folder = tmp_path_factory.mktemp("office")
    home, pin = folder / "home", folder / "pin"
    pin.write_text(secrets.token_hex(16))
    pin.chmod(0o600)
    _issuer(home, "database", "upgrade")
    log_in_everybody(home)
    _issuer(home, "keys", "create", "--keystore", "file", "--pin-file", str(pin))
    _issuer(home, "organisations", "import", str(population / "organisations.csv"))
    _add_account(home, "lan", Role.CLERK)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [str(PROGRAM), "--home", str(home), "serve", "--port", "0"],
            stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready.startswith("ready: http://127.0.0.1:"), (folder / "log").read_text()
            yield ready.removeprefix("ready: ").strip()
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert process.returncode == 0
    lines = [json.loads(line) for line in (folder / "log").read_text("utf-8").splitlines()]
    assert {line["event"] for line in lines} == {"answered"}
    assert {line["status"] for line in lines if line["status"] >= 400} <= {404}
    assert "Nguyễn" not in (folder / "log").read_text("utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def visit(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    """A person at a browser; whatever it complains about, or loads from elsewhere, is a failure."""
    context: BrowserContext = browser.new_context(
        base_url=address, viewport={"width": 1180, "height": 740}, **options
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
    yield page
    context.close()
    assert complaints == []


def log_in(page: Page) -> None:
    page.goto("/members")
    page.get_by_label("Tài khoản").fill("lan")
    page.get_by_label("Mật khẩu đăng nhập").fill(PASSWORD)
    page.get_by_role("button", name="Đăng nhập").click()
    expect(page).to_have_url(f"{page.url.partition('/members')[0]}/members")


def picture(page: Page, name: str) -> None:
    if PICTURES is not None:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def test_a_clerk_brings_a_list_finds_a_member_and_goes_home(
    browser: Browser, address: str, population: Path
) -> None:
    with visit(browser, address, locale="vi-VN", color_scheme="light") as page:
        log_in(page)
        expect(page.get_by_role("heading", level=1)).to_have_text("Đảng viên")
        # 1. A list comes in, and its progress is followed without touching anything.
        page.get_by_role("link", name="Nhập danh sách").last.click()
        page.get_by_label("Danh sách", exact=True).set_input_files(population / "members.xlsx")
        page.get_by_label("Ảnh chân dung").set_input_files(
            sorted((population / "portraits").iterdir())
        )
        page.locator("main").get_by_role("button", name="Nhập danh sách").click()
        expect(page.get_by_text("Đã xong")).to_be_visible(timeout=120_000)
        expect(page.locator(".figures div").first).to_contain_text(str(MEMBERS - 6))
        expect(page.get_by_role("row")).to_have_count(1 + 6)
        picture(page, "import")
        with page.expect_download() as begun:
            page.get_by_role("link", name="Tải báo cáo").click()
        report = begun.value.path().read_text("utf-8-sig").splitlines()
        assert len(report) == 1 + 6
        # 2. By the keyboard to the members; the list follows what is typed.
        page.keyboard.press("g")
        page.keyboard.press("m")
        rows = page.locator("a.row")
        expect(rows).to_have_count(MEMBERS - 6)
        picture(page, "members")
        name = rows.first.inner_text()
        page.keyboard.press("/")
        page.keyboard.type(name)
        # The address follows the last answer: after it nothing changes under the keyboard any more.
        page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("name") == [name])
        expect(rows).to_have_count(1)
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        portrait = page.get_by_role("img", name=name)
        expect(portrait).to_be_visible()
        assert portrait.evaluate("image => image.decode().then(() => image.naturalWidth > 100)")
        picture(page, "member")
        # 3. Up the tree, over the overview, into the other language, and out.
        page.get_by_role("link", name="Tổ chức đảng").click()
        page.locator("a.row").first.click()
        expect(page.locator("a.row")).to_have_count(2)
        page.keyboard.press("g")
        page.keyboard.press("d")
        expect(page.locator(".figures div").first).to_contain_text(str(MEMBERS - 6))
        picture(page, "overview")
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        page.get_by_role("button", name="Log out").click()
        page.goto("/members")
        expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_everything_can_be_read_and_found_without_scripts(browser: Browser, address: str) -> None:
    with visit(
        browser, address, locale="vi-VN", java_script_enabled=False, color_scheme="dark"
    ) as page:
        log_in(page)
        page.get_by_label("Tên").fill("nobody has this name")
        page.get_by_role("button", name="Tìm kiếm").click()
        expect(page.get_by_text("Không tìm thấy ai.")).to_be_visible()
        page.get_by_role("link", name="Tổng quan").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Tổng quan")
        page.get_by_role("button", name="Đăng xuất").click()
        expect(page.get_by_role("button", name="Đăng nhập")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(browser: Browser, address: str, scheme: Any) -> None:
    """The contrast of ordinary text is at least 4.5 : 1 (WCAG 2.2, 1.4.3)."""
    with visit(browser, address, locale="vi-VN", color_scheme=scheme) as page:
        log_in(page)
        ratios = page.evaluate(_CONTRAST)
    assert len(ratios) > 20
    assert [each for each in ratios if each["ratio"] < 4.5] == []


_CONTRAST = """() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([red, green, blue]) => {
    const part = [red, green, blue].map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = numbers(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .filter((element) => element.checkVisibility())
    .map((element) => {
      const pair = [light(numbers(getComputedStyle(element).color)), light(ground(element))].sort();
      const [dark, bright] = pair[0] < pair[1] ? pair : [pair[1], pair[0]];
      return { text: element.textContent.trim().slice(0, 30), ratio: (bright + 0.05) / (dark + 0.05) };
    });
}"""
