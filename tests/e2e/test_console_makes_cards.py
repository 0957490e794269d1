"""Three committees' decided members come to their cards: an operator, a quality controller and a storekeeper at work.

What is done in the browser (headless Chromium, a real service): chips are taken in and issued to two stations, a batch
is opened for each committee, its freeze is proposed and confirmed against the proof sheet that was downloaded, two
deciders sign the authorisation with security keys, the operator has the batches signed, each card is passed, packed,
dispatched, counted in and handed over, and the day of a station is counted and closed by two; the operator's screen of
the office's station is watched while it makes its cards. By commands: the members'
lists and their decision (``test_console_decides`` does these in the browser); and what has no page, both stations (one
of the office, one on no network that gets its orders and gives its reports as files), print data, the status list,
the terminal.

The chips are virtual. Through ``pcsc`` they are in two readers of the real PC/SC stack, and both stations work at the
same time; ``in-process`` needs no readers. The station on no network has the sealed keys of its chips alone. Not here: a
token (keys are in files of a test authority), a printer, boxes and paper signatures, cards that fail (tests of production have those).

With ``MEMBERCARD_SCREENSHOTS=docs/console`` the pictures of the documents are made anew.
"""

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pypdfium2
import pytest
from playwright.sync_api import Browser, Page, expect

from card_layout.transport.readers import list_readers
from tests.e2e.production_unit import CARDS, MEMBERS_OF_COMMITTEE, Readers, Unit, say
from tests.e2e.province import COMMITTEES, act_as, serving
from tests.e2e.test_console_decides import (
    CHROMIUM,
    Walk,
    become_operator,
    browser,
    register_key,
    show_key_for,
    sign_authorisation,
)

__all__ = ["browser"]

PICTURES = os.environ.get("MEMBERCARD_SCREENSHOTS")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.timeout(900),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]


def picture(page: Page, name: str) -> None:
    if PICTURES is not None:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


@pytest.fixture(params=["in-process", pytest.param("pcsc", marks=pytest.mark.pcsc)])
def readers(request: pytest.FixtureRequest, tmp_path: Path) -> Readers:
    if request.param == "in-process":
        return Readers(tmp_path, [])
    names = [name for name in list_readers() if "Virtual PCD" in name]
    if len(names) < 2:
        pytest.skip("pcscd does not run here with two readers of vsmartcard-vpcd")
    return Readers(tmp_path, names)


def test_three_committees_from_the_decision_to_cards_in_their_members_hands(
    browser: Browser, tmp_path: Path, readers: Readers
) -> None:
    walk = Walk(tmp_path, browser, are_pictures_made=False)
    walk.open()
    unit = Unit(tmp_path, walk.home, readers)
    unit.hire()
    unit.take_keys()
    decision = unit.decide()
    unit.know_signer()
    with ExitStack() as stack:
        stack.enter_context(serving(walk.home, walk.port, tmp_path / "log"))
        an, kho = (stack.enter_context(walk.person(name)) for name in ("an", "kho"))
        kiem = stack.enter_context(walk.person("kiem", has_key=True))
        register_key(kiem, "khóa của Kiểm")
        take_chips_in(kho, unit)
        unit.carry_order(1, jobs=0)
        unit.both_stations()
        unit.carry_report(1)
        batches = [open_batch(unit, an, each.name) for each in COMMITTEES]
        for batch in batches:
            freeze(unit, batch, an, kiem)
        expect(kiem.get_by_text("signer.unreachable")).to_have_count(0)
        cannot_sign(an, batches[0], "signer.unreachable")
        _authorise(walk, unit, decision, stack)
        unit.open_trust()
        socket = stack.enter_context(unit.pki.signer())
        assert socket == unit.pki.socket
        for batch in batches:
            sign(an, batch)
        unit.carry_order(2, jobs=CARDS // 2)
        unit.both_stations(watch=lambda address: watch_station(browser, address))
        _close_days_of_stations(unit)
        cans = unit.cans()
        assert len(cans) == CARDS
        for batch in batches:
            control(unit, batch, an, kiem)
            deliver(unit, batch, kho)
        *others, last = [card for batch in batches for card in unit.cards(batch)]
        _hand_over_all_but_the_last(unit, batches, kho)
        unit.publish(socket, "--trust", tmp_path / "trust")
        for card in (others[0], others[-1]):
            serial = str(card["serial"])
            assert unit.inspect(serial, cans[serial]) == ("accepted", [])
        serial = str(last["serial"])
        assert unit.inspect(serial, cans[serial]) == ("refused", ["status.not-handed-over"])
        # Its secrets are there until its member has it, those of the others are destroyed.
        assert unit.cans() == {serial: cans[serial]}
        hand_over(kho, batches[-1], [str(last["card_number"])])
        expect_state(kho, batches[-1], "Đã trao cho đảng viên")
        picture(kho, "batch-handed-over")
        kho.goto("/batches")
        expect(kho.locator("tbody").get_by_text("Đã trao cho đảng viên")).to_have_count(3)
        picture(kho, "batches")
        unit.publish(socket, "--trust", tmp_path / "trust")
        assert unit.inspect(serial, cans[serial]) == ("accepted", [])
        assert unit.cans() == {}
        close_day_of_site(kho, kiem)


def watch_station(browser: Browser, address: str) -> None:
    """The operator's screen, from the first card to the last: green with its number, counted, and then ended."""
    page = browser.new_context(locale="vi-VN", viewport={"width": 1366, "height": 768}).new_page()
    page.goto(address)
    page.wait_for_url("**/")
    green = page.locator('[data-panel="1"][data-kind="good"]')
    expect(green).to_be_visible(timeout=120_000)
    expect(green.locator(".number")).to_have_text(re.compile(r"\d+\.\d{6}"))
    expect(page.locator(".made dd")).to_have_text(str(CARDS // 2), timeout=120_000)
    expect(page.locator(".last li")).to_have_count(CARDS // 2)
    expect(page.locator(".last code")).to_have_count(0)
    expect(page.locator(".banner")).to_contain_text("Trạm đã tắt", timeout=30_000)
    page.context.close()


def take_chips_in(page: Page, unit: Unit) -> None:
    """The storekeeper takes the delivery, opens two stations and issues each its tray."""
    page.goto("/stock")
    page.get_by_label("Danh sách giao hàng").set_input_files(unit.folder / "chips" / "delivery.csv")
    page.get_by_role("button", name="Nhập kho").click()
    expect(page.get_by_role("status")).to_contain_text(str(CARDS))
    for number in (1, 2):
        page.goto("/stock")
        page.get_by_label("Mã nơi", exact=True).fill(f"station-{number}")
        page.get_by_label("Tên", exact=True).fill(f"Trạm {number}")
        page.get_by_role("button", name="Mở nơi này").click()
        expect(page.get_by_role("heading", name=f"Trạm {number}")).to_be_visible()
        page.goto("/stock/sites/store")
        page.get_by_text("Xuất phôi").click()
        page.get_by_label("Đến", exact=True).select_option(f"station-{number}")
        chips = "\n".join(unit.serials_of_tray(number - 1))
        page.get_by_label("Chip", exact=True).first.fill(chips)
        page.get_by_role("button", name="Xuất", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text(str(CARDS // 2))


def open_batch(unit: Unit, an: Page, committee: str) -> str:
    """The operator opens a batch for a committee: the decision, the committee, who goes in; its identifier."""
    an.goto("/batches")
    an.get_by_role("link", name="Mở lô thẻ").click()
    an.get_by_label("Số quyết định").fill("12-qd")
    an.get_by_role("button", name="Xem").click()
    an.get_by_role("link", name="12-QD/TU").click()
    an.get_by_label("Tên hoặc mã của cấp ủy").fill(committee)
    an.get_by_role("button", name="Xem").click()
    picture(an, "batch-receiver")
    an.get_by_role("link", name=committee).click()
    expect(an.get_by_text(f"{MEMBERS_OF_COMMITTEE} thẻ sẽ vào lô")).to_be_visible()
    picture(an, "batch-preview")
    an.get_by_role("button", name="Mở lô này").click()
    expect(an.locator(".heading .pill")).to_have_text("Đang xếp")
    # One is taken out, and put in again.
    an.locator("td.pick input").first.check()
    picture(an, "batch-open")
    an.get_by_role("button", name="Bỏ khỏi lô (1)").click()
    expect(an.locator("td.pick input")).to_have_count(MEMBERS_OF_COMMITTEE - 1)
    an.get_by_role("button", name="Xếp những đề nghị đang chờ").click()
    expect(an.locator("td.pick input")).to_have_count(MEMBERS_OF_COMMITTEE)
    batch = an.url.rpartition("/")[2]
    assert len(unit.cards(batch)) == MEMBERS_OF_COMMITTEE
    return batch


def cannot_sign(an: Page, batch: str, code: str) -> None:
    """What is missing is said, and no button is there."""
    expect_state(an, batch, "Đã chốt")
    expect(an.get_by_text(code)).to_be_visible()
    expect(an.get_by_role("button", name="Cho ký lô này")).to_have_count(0)


def sign(an: Page, batch: str) -> None:
    """The operator has a batch signed, and follows the progress."""
    expect_state(an, batch, "Đã chốt")
    an.get_by_role("button", name="Cho ký lô này").click()
    expect(an.get_by_text("Đã xong", exact=True)).to_be_visible()
    expect(an.locator(".figures div").first).to_contain_text(str(MEMBERS_OF_COMMITTEE))
    picture(an, "batch-signing")
    an.get_by_role("link", name="Xem lô thẻ").click()
    expect(an.locator(".heading .pill")).to_have_text("Đã ký")


def expect_state(page: Page, batch: str, state: str) -> None:
    page.goto(f"/batches/{batch}")
    expect(page.locator(".heading .pill")).to_have_text(state)


def freeze(unit: Unit, batch: str, an: Page, kiem: Page) -> None:
    """The operator proposes; the controller types what stands on the sheet that was read."""
    expect_state(an, batch, "Đang xếp")
    an.get_by_role("button", name="Đề nghị chốt lô").click()
    expect(an.locator(".heading .pill")).to_have_text("Đã đề nghị chốt")
    expect(an.get_by_role("button", name="Xác nhận chốt lô")).to_have_count(0)
    # The sheet shows everybody in the batch: whoever takes it shows their key.
    show_key_for(kiem, f"/batches/{batch}")
    kiem.get_by_role("link", name="Giấy tờ cần in").click()
    with kiem.expect_download() as begun:
        kiem.get_by_role("link", name=f"Thẻ 1 đến {MEMBERS_OF_COMMITTEE}").click()
    sheet = pypdfium2.PdfDocument(begun.value.path())
    text = "\n".join(page.get_textpage().get_text_range() for page in sheet)
    sheet.close()
    (proof,) = set(re.findall(r"Proof: ((?:[0-9A-F]{4} ){3}[0-9A-F]{4})", text))
    kiem.goto(f"/batches/{batch}")
    form = kiem.get_by_label("Mã ghi trên bản in thử đồng chí đã đọc")
    form.fill("0" * 16)
    kiem.get_by_role("button", name="Xác nhận chốt lô").click()
    expect(kiem.get_by_role("alert")).to_contain_text("batch.other-proof")
    kiem.goto(f"/batches/{batch}")
    form.fill(proof)
    picture(kiem, "batch-freeze")
    kiem.get_by_role("button", name="Xác nhận chốt lô").click()
    expect(kiem.locator(".heading .pill")).to_have_text("Đã chốt")
    assert len(unit.cards(batch)) == MEMBERS_OF_COMMITTEE


def _authorise(walk: Walk, unit: Unit, decision: str, stack: ExitStack) -> None:
    minh, son = (stack.enter_context(walk.person(name, has_key=True)) for name in ("minh", "son"))
    for page, name in ((minh, "minh"), (son, "son")):
        become_operator(walk, unit.pki, page, name)
    sign_authorisation(walk, f"/decisions/{decision}", minh, son)


def _close_days_of_stations(unit: Unit) -> None:
    act_as(unit.home, "an")
    for home in (unit.home, unit.far):
        assert say(home, "station", "close-day")["issued"] == CARDS // 2
    # What opens its chips ends with the station's day.
    assert not unit.keys.exists()
    unit.carry_report(2)


def control(unit: Unit, batch: str, an: Page, kiem: Page) -> None:
    """Who made the cards is offered no pass of them; another person passes each by its serial."""
    expect_state(an, batch, "Đang sản xuất")
    expect(an.get_by_role("button", name="Duyệt đạt")).to_have_count(0)
    serials = [str(card["serial"]) for card in unit.cards(batch)]
    kiem.goto(f"/batches/{batch}")
    kiem.get_by_label("Chip của những thẻ đồng chí đã xem và thấy đạt").fill("\n".join(serials))
    picture(kiem, "batch-control")
    kiem.get_by_role("button", name="Duyệt đạt").click()
    expect(kiem.locator(".heading .pill")).to_have_text("Đạt kiểm tra chất lượng")


def deliver(unit: Unit, batch: str, page: Page) -> None:
    """Packed, sent and counted in; a card that was not scanned is named, and the batch waits for it."""
    page.goto(f"/batches/{batch}")
    page.get_by_label("Số thẻ mỗi hộp").fill("1")
    page.get_by_role("button", name="Đóng gói").click()
    expect(page.locator(".heading .pill")).to_have_text("Đã đóng gói")
    page.get_by_role("link", name="Giấy tờ cần in").click()
    with page.expect_download() as begun:
        page.get_by_role("link", name="Phiếu đóng gói (PDF)").click()
    assert begun.value.path().read_bytes().startswith(b"%PDF")
    page.goto(f"/batches/{batch}")
    page.get_by_label("Người vận chuyển").fill("xe số 7")
    page.get_by_role("button", name="Gửi đi").click()
    expect(page.locator(".heading .pill")).to_have_text("Đang vận chuyển")
    first, second = (str(card["card_number"]) for card in unit.cards(batch))
    for scanned in (first, second):
        page.get_by_label("Số của những thẻ đã đến").fill(scanned)
        page.get_by_role("button", name="Đếm nhận").click()
        if scanned == first:
            expect(page.get_by_role("status")).to_contain_text(second)
            picture(page, "batch-receive")
    expect(page.locator(".heading .pill")).to_have_text("Cấp ủy đã nhận")


def hand_over(page: Page, batch: str, numbers: Sequence[str]) -> None:
    page.goto(f"/batches/{batch}")
    page.get_by_label("Số của những thẻ đảng viên đã ký nhận").fill("\n".join(numbers))
    picture(page, "batch-hand-over")
    page.get_by_role("button", name="Trao thẻ").click()


def _hand_over_all_but_the_last(unit: Unit, batches: Sequence[str], page: Page) -> None:
    for batch in batches:
        numbers = [str(card["card_number"]) for card in unit.cards(batch)]
        is_last = batch == batches[-1]
        hand_over(page, batch, numbers[:-1] if is_last else numbers)
        expected = "Cấp ủy đã nhận" if is_last else "Đã trao cho đảng viên"
        expect(page.locator(".heading .pill")).to_have_text(expected)
    expect(page.locator("tbody").get_by_text("Đã trao")).to_have_count(1)


def close_day_of_site(kho: Page, kiem: Page) -> None:
    """Nothing is left at the station: the storekeeper counts so, the controller confirms."""
    kho.goto("/stock/sites/station-1/count")
    for label in ("Phôi còn lại", "Thẻ thành phẩm", "Chip hỏng chưa hủy", "Mẫu"):
        kho.get_by_label(label, exact=True).fill("0")
    kho.get_by_role("button", name="Lưu kết quả đếm").click()
    expect(kho.get_by_text("Chờ người thứ hai")).to_be_visible()
    kiem.goto("/stock/counts")
    row = kiem.get_by_role("row").filter(has_text="Chờ người thứ hai")
    row.get_by_role("link").click()
    kiem.get_by_role("button", name="Đóng sổ ngày").click()
    expect(kiem.get_by_text("Đã đóng")).to_be_visible()
