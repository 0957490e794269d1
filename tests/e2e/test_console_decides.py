"""A clerk, an endorser and two deciders take members from a spreadsheet to decisions: a real service, real browsers.

The normal run takes one committee; the slow one takes three, one of them by bundle from an instance that has no
network, and signs the authorisation with two security keys. With ``MEMBERCARD_SCREENSHOTS=docs/console`` the slow one
makes the pictures of the documents anew.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from issuer.bootstrap import open_register_home
from issuer.domain.requests import RequestState
from issuer.domain.rights import Role
from issuer.services.request_ports import RequestQuestion
from pki.bootstrap import read_state
from pki.home import Home as PkiHome
from pki.signed.authorisation import BatchAuthorisation
from pki.signed.security_object import SecurityObject
from pki.signer_service.client import SocketDocumentSigner
from simulators.population.member import ISSUING_COMMITTEE
from tests.e2e.province import (
    COMMITTEES,
    PASSWORD,
    PROVINCE,
    act_as,
    add_account,
    free_port,
    issuer,
    make_office,
    serving,
    write_decision,
    write_list,
)  # fmt: skip
from tests.integration.console.test_console_authorisations import Pki, card
from tests.integration.everybody import log_in_everybody

# A busy machine takes longer than the five seconds that Playwright waits by itself.
expect.set_options(timeout=120_000)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PICTURES = os.environ.get("MEMBERCARD_SCREENSHOTS")
REASON = "ảnh bị mờ, đề nghị chụp lại"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]


class Walk:
    """The office, and the browsers of the four people."""

    def __init__(self, folder: Path, browser: Browser, *, are_pictures_made: bool) -> None:
        self.folder = folder
        self.home = folder / "office"
        self.port = free_port()
        self.address = f"http://localhost:{self.port}"
        self._browser = browser
        self._pictures = PICTURES if are_pictures_made else None

    def open(self) -> None:
        organisations = (ISSUING_COMMITTEE, *COMMITTEES)
        make_office(
            self.home, self.folder, organisations=organisations, console_origin=self.address
        )
        issuer(self.home, "numbers", "grant", PROVINCE, "--from", "98.000001", "--to", "98.000999")
        for name, role in (
            ("lan", Role.CLERK), ("mai", Role.ENDORSER), ("minh", Role.DECIDER), ("son", Role.DECIDER),
        ):  # fmt: skip
            add_account(self.home, name, role, PROVINCE)

    @contextmanager
    def person(self, name: str, *, has_key: bool = False) -> Iterator[Page]:
        """Somebody at a browser, logged in; whatever it complains about, or loads from elsewhere, is a failure."""
        context = self._browser.new_context(
            base_url=self.address, locale="vi-VN", viewport={"width": 1180, "height": 740}
        )
        context.set_default_timeout(120_000)
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda asked: (
                None if asked.url.startswith(self.address) else complaints.append(asked.url)
            ),
        )
        if has_key:
            devtools = context.new_cdp_session(page)
            devtools.send("WebAuthn.enable")
            options: dict[str, Any] = {
                "protocol": "ctap2", "transport": "usb", "hasUserVerification": True,
                "isUserVerified": True, "automaticPresenceSimulation": True,
            }  # fmt: skip
            devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        page.goto("/")
        page.get_by_label("Tài khoản").fill(name)
        page.get_by_label("Mật khẩu đăng nhập").fill(PASSWORD)
        page.get_by_role("button", name="Đăng nhập").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Tổng quan")
        yield page
        context.close()
        assert complaints == []

    def picture(self, page: Page, name: str) -> None:
        if self._pictures is not None:
            page.screenshot(path=Path(self._pictures) / f"{name}.png")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def bring_list(page: Page, folder: Path, *, members: int) -> None:
    page.goto("/imports")
    page.get_by_label("Danh sách", exact=True).set_input_files(folder / "members.xlsx")
    page.get_by_label("Ảnh chân dung").set_input_files(sorted((folder / "portraits").iterdir()))
    page.locator("main").get_by_role("button", name="Nhập danh sách").click()
    expect(page.get_by_text("Đã xong")).to_be_visible()
    expect(page.locator(".figures div").first).to_contain_text(str(members))


def draft(page: Page, kind: str, *, count: int) -> None:
    page.goto("/requests/draft")
    page.get_by_label("Nội dung đề nghị").select_option(kind)
    page.get_by_role("main").get_by_role("button", name="Lập đề nghị").click()
    expect(page.get_by_text("Đã xong")).to_be_visible()
    expect(page.locator(".figures div").first).to_contain_text(str(count))


def take_all(page: Page, waiting: str, button: str, *, count: int) -> None:
    """Pick the whole page and press the button."""
    page.goto(f"/requests?waiting={waiting}")
    expect(page.locator("a.row")).to_have_count(count)
    page.get_by_label("Chọn cả trang").check()
    page.get_by_role("button", name=f"{button} ({count})").click()
    expect(page.get_by_role("status")).to_contain_text(f"{count} đề nghị")


def register_key(page: Page, name: str) -> None:
    page.goto("/security-keys")
    form = page.locator("section[aria-labelledby=new]")
    form.get_by_label("Tên gọi").fill(name)
    form.get_by_role("button", name="Đăng ký").click()
    expect(page.get_by_role("cell", name=name, exact=True)).to_be_visible()


def show_key_for(page: Page, target: str) -> None:
    page.goto(f"/second-factor?next={target}")
    page.get_by_role("button", name="Dùng khóa bảo mật").click()
    page.wait_for_url(f"**{target}")


def prepare(walk: Walk, page: Page, *, count: int) -> str:
    """Somebody's decision with every compiled request in it; where it is."""
    show_key_for(page, "/decisions/prepare")
    page.get_by_label("Số", exact=True).fill("12-QĐ/TU")
    page.get_by_label("Ngày", exact=True).fill("20/11/2026")
    page.get_by_label("Quyết định đã ký").set_input_files(write_decision(walk.folder / "12.pdf"))
    expect(page.get_by_label("Cấp ủy quyết định")).to_have_value(PROVINCE)
    walk.picture(page, "decision-form")
    page.get_by_role("main").get_by_role("button", name="Lập quyết định").click()
    expect(page.get_by_text("Đã xong")).to_be_visible()
    expect(page.locator(".figures div").first).to_contain_text(str(count))
    page.get_by_role("link", name="Xem quyết định").click()
    expect(page.get_by_text(f"Đang trình quyết định: {count}")).to_be_visible()
    # Whoever prepared it is offered no confirmation.
    expect(page.get_by_role("button", name="Phê duyệt quyết định")).to_have_count(0)
    return page.url.removeprefix(walk.address)


def confirm(walk: Walk, page: Page, *, count: int) -> None:
    show_key_for(page, "/")
    page.get_by_role("link", name="Quyết định chờ phê duyệt").click()
    page.locator("a.row").click()
    expect(page.get_by_text(f"phê duyệt {count} đề nghị")).to_be_visible()
    walk.picture(page, "decision-confirm")
    page.get_by_role("button", name="Phê duyệt quyết định").click()
    expect(page.get_by_text("Đã xong")).to_be_visible()
    expect(page.locator(".figures div").first).to_contain_text(str(count))


def test_one_committee_from_a_spreadsheet_to_a_decision(browser: Browser, tmp_path: Path) -> None:
    walk = Walk(tmp_path, browser, are_pictures_made=False)
    walk.open()
    members = write_list(tmp_path / "list", COMMITTEES[0], members=4, first=100)
    with serving(walk.home, walk.port, tmp_path / "log"):
        with walk.person("lan") as lan, walk.person("mai") as mai:
            bring_list(lan, members, members=4)
            draft(lan, "exchange", count=2)
            draft(lan, "new-issue", count=2)
            take_all(lan, "propose", "Đề nghị", count=4)
            take_all(mai, "endorse", "Xác nhận", count=4)
            take_all(mai, "compile", "Tổng hợp", count=4)
        with walk.person("minh", has_key=True) as minh, walk.person("son", has_key=True) as son:
            register_key(minh, "khóa của Minh")
            register_key(son, "khóa của Sơn")
            decision = prepare(walk, minh, count=4)
            confirm(walk, son, count=4)
            son.goto(decision)
            expect(son.get_by_text("Đã có quyết định: 4")).to_be_visible()
            numbers = son.locator("tbody td.number").all_inner_texts()
            assert len(numbers) == len(set(numbers)) == 4
            assert sorted(each[:2] for each in numbers) == ["97", "97", "98", "98"]


@pytest.mark.slow
def test_three_committees_one_of_them_by_bundle_from_the_lists_to_a_signed_authorisation(
    browser: Browser, tmp_path: Path
) -> None:
    walk = Walk(tmp_path, browser, are_pictures_made=True)
    walk.open()
    pki = Pki(tmp_path)
    lists = [
        write_list(tmp_path / each.code, each, members=6, first=100 * number)
        for number, each in enumerate(COMMITTEES, start=1)
    ]
    with ExitStack() as stack:
        stack.enter_context(serving(walk.home, walk.port, tmp_path / "log"))
        lan, mai = (stack.enter_context(walk.person(name)) for name in ("lan", "mai"))
        _two_committees_in_the_browser(walk, lan, mai, lists[:2])
        _one_committee_by_bundle(walk, pki, lists[2])
        # What the commune endorsed waits beside the rest, and goes on in one go.
        mai.goto("/requests?waiting=compile")
        expect(mai.locator("a.row")).to_have_count(18)
        mai.get_by_role("button", name="Tất cả đang chờ").click()
        expect(mai.get_by_text("Đã xong")).to_be_visible()
        expect(mai.locator(".figures div").first).to_contain_text("18")
        minh, son = (
            stack.enter_context(walk.person(name, has_key=True)) for name in ("minh", "son")
        )
        for page, name in ((minh, "minh"), (son, "son")):
            become_operator(walk, pki, page, name)
        decision = prepare(walk, minh, count=18)
        confirm(walk, son, count=18)
        son.goto(decision)
        expect(son.get_by_text("Đã có quyết định: 18")).to_be_visible()
        signed = sign_authorisation(walk, decision, minh, son)
    _present(pki, signed)
    _down_to_the_commune(walk)


def _two_committees_in_the_browser(walk: Walk, lan: Page, mai: Page, lists: list[Path]) -> None:
    for folder in lists:
        bring_list(lan, folder, members=6)
    draft(lan, "exchange", count=6)
    draft(lan, "new-issue", count=6)
    lan.goto("/requests?waiting=propose")
    lan.get_by_label("Chọn cả trang").check()
    walk.picture(lan, "requests-propose")
    take_all(lan, "propose", "Đề nghị", count=12)
    # One is sent back with a reason, put right, and comes again.
    mai.goto("/")
    expect(mai.get_by_role("link", name="Đề nghị chờ xác nhận")).to_contain_text("12")
    mai.goto("/requests?waiting=endorse")
    mai.locator("td.pick input").first.check()
    name = mai.locator("a.row").first.inner_text()
    mai.locator("summary").click()
    mai.get_by_label("Lý do").fill(REASON)
    walk.picture(mai, "requests-send-back")
    mai.locator("details").get_by_role("button", name="Trả lại").click()
    expect(mai.get_by_role("status")).to_contain_text("1 đề nghị")
    lan.goto("/requests?waiting=propose")
    expect(lan.locator("a.row")).to_have_text(name)
    lan.locator("a.row").click()
    expect(lan.get_by_text(REASON)).to_be_visible()
    walk.picture(lan, "request")
    lan.get_by_role("button", name="Đề nghị", exact=True).click()
    expect(lan.get_by_role("button", name="Rút")).to_be_visible()
    take_all(mai, "endorse", "Xác nhận", count=12)


def _one_committee_by_bundle(walk: Walk, pki: Pki, folder: Path) -> None:
    """The commune's own register, on a machine without a network; what leaves it is a file."""
    home, stick = walk.folder / "commune", walk.folder / "stick"
    stick.mkdir()
    pki.run("service", "create-root")
    make_office(home, walk.folder, organisations=(ISSUING_COMMITTEE, COMMITTEES[2]))
    for each in (home, walk.home):
        log_in_everybody(each)
        add_account(each, "witness", Role.ADMINISTRATOR)
    certificates = {
        name: _certify(pki, walk.folder, each, name, organisation)
        for name, each, organisation in (
            ("tinh-uy", walk.home, PROVINCE), ("xa-mau-ba", home, COMMITTEES[2].code),
        )
    }  # fmt: skip
    for each, other, side, organisation in (
        (walk.home, "xa-mau-ba", "below", COMMITTEES[2].code), (home, "tinh-uy", "above", PROVINCE),
    ):  # fmt: skip
        _enrol(each, other, side, organisation, certificates[other])
    add_account(home, "hue", Role.CLERK)
    add_account(home, "thu", Role.ENDORSER)
    act_as(home, "hue")
    issuer(home, "members", "import", folder / "members.xlsx", "--portraits", folder / "portraits")
    for kind in ("exchange", "new-issue"):
        issuer(home, "requests", "draft", "--kind", kind, "--all")
    issuer(home, "requests", "propose", "--all")
    act_as(home, "thu")
    issuer(home, "requests", "endorse", "--all")
    act_as(home, "hue")
    issuer(home, "bundle", "export", "tinh-uy", "--out", stick)
    (bundle,) = stick.iterdir()
    act_as(walk.home, "lan")
    issuer(walk.home, "bundle", "import", bundle)


def _certify(pki: Pki, folder: Path, home: Path, name: str, organisation: str) -> dict[str, Path]:
    """The two certificates of an instance, taken into its home."""
    paths = {
        part: folder / f"{name}-{part}"
        for part in ("sign.csr", "seal.csr", "sign.cer", "seal.cer", "root.cer")
    }
    act_as(home, "everybody")
    issuer(
        home, "instances", "request", name, "--organisation", organisation,
        "--out-signer", paths["sign.csr"], "--out", paths["seal.csr"],
    )  # fmt: skip
    for kind, part in (("--instance-signer", "sign"), ("--instance", "seal")):
        pki.run(
            "service", "issue", kind, "--id", f"{name}-{part}", "--name", name,
            "--request", paths[f"{part}.csr"], "--out", paths[f"{part}.cer"],
        )  # fmt: skip
    root = read_state(PkiHome(pki.home)).service_authority_certificate
    assert root is not None
    paths["root.cer"].write_bytes(root)
    issuer(
        home, "instances", "install", "--signer-certificate", paths["sign.cer"],
        "--certificate", paths["seal.cer"], "--root", paths["root.cer"],
    )  # fmt: skip
    return paths


def _enrol(home: Path, other: str, side: str, organisation: str, paths: dict[str, Path]) -> None:
    """Two people take the other instance in; they compare the fingerprint with what its office tells them."""
    act_as(home, "everybody")
    issuer(
        home, "instances", "propose", other, "--side", side, "--organisation", organisation,
        "--signer-certificate", paths["sign.cer"], "--certificate", paths["seal.cer"],
    )  # fmt: skip
    certificates = paths["sign.cer"].read_bytes() + paths["seal.cer"].read_bytes()
    act_as(home, "witness")
    fingerprint = hashlib.sha256(certificates).hexdigest()
    issuer(home, "instances", "confirm", other, "--fingerprint", fingerprint)


def become_operator(walk: Walk, pki: Pki, page: Page, name: str) -> None:
    """A key that the PKI enrols, registered in the browser, with the certificate that comes of it."""
    challenge = walk.folder / f"{name}-challenge.json"
    challenge.write_bytes(pki.challenge(name, origin=walk.address))
    page.goto("/security-keys")
    form = page.locator("section[aria-labelledby=pki]")
    form.get_by_label("Thử thách của PKI").set_input_files(challenge)
    form.get_by_label("Tên gọi").fill(f"khóa của {name}")
    form.get_by_role("button", name="Đăng ký cho PKI").click()
    with page.expect_download() as begun:
        page.get_by_role("link", name="Bản đăng ký cho PKI").click()
    certificate = walk.folder / f"{name}.der"
    certificate.write_bytes(pki.enrol(name, begun.value.path().read_bytes()))
    show_key_for(page, "/security-keys")
    form.get_by_label("Chứng thư người vận hành").set_input_files(certificate)
    form.get_by_role("button", name="Lưu chứng thư").click()
    expect(page.get_by_text("đã có chứng thư")).to_be_visible()
    walk.picture(page, "security-keys")


def sign_authorisation(walk: Walk, decision: str, minh: Page, son: Page) -> bytes:
    """Both sign what both see; the file that the signer reads."""
    show_key_for(minh, decision)
    minh.get_by_label("Bộ ký", exact=True).fill("ds-1")
    minh.get_by_role("button", name="Lập lệnh ký").click()
    for page, count in ((minh, 1), (son, 2)):
        page.goto(decision)
        if page is son:
            page.get_by_role("heading", name="Lệnh ký cho bộ ký thẻ").evaluate(
                "heading => heading.scrollIntoView()"
            )
            walk.picture(page, "authorisation")
        page.get_by_role("button", name="Ký bằng khóa bảo mật").click()
        expect(page.get_by_text(f"{count} trên 2")).to_be_visible()
    walk.picture(son, "decision")
    with son.expect_download() as begun:
        son.get_by_role("link", name="Tải về cho bộ ký").click()
    return begun.value.path().read_bytes()


def _present(pki: Pki, signed: bytes) -> None:
    assert BatchAuthorisation.from_bytes(signed).cards == 18
    with (
        pki.signer() as path,
        SocketDocumentSigner(path, authorisation=signed, timeout=30) as signer,
    ):
        (content_info,) = signer.sign_many([card()])
        SecurityObject.from_bytes(content_info).verify_signature()


def _down_to_the_commune(walk: Walk) -> None:
    """What the province decided comes back by the stick: the commune's requests are decided, with their numbers."""
    home, stick = walk.folder / "commune", walk.folder / "stick back"
    stick.mkdir()
    act_as(walk.home, "lan")
    issuer(walk.home, "bundle", "export", "xa-mau-ba", "--out", stick)
    act_as(home, "hue")
    for each in sorted(stick.iterdir()):
        issuer(home, "bundle", "import", each)
    with open_register_home(home) as opened, opened.register.reading() as transaction:
        found = transaction.requests.page(RequestQuestion(), limit=50).requests
    assert len(found) == 6
    assert {each.state for each in found} == {RequestState.DECIDED}
    assert len({each.card_number for each in found} - {None}) == 6
