"""A clerk corrects a record, is overtaken once, transfers a member and strikes one off: a real browser, by the keyboard.

With ``MEMBERCARD_SCREENSHOTS=docs/console`` the pictures of the documents are made anew.
"""

import io
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from card_layout.profile import load_profile
from issuer.api.app import bounded
from issuer.db.base import Database
from issuer.db.production_tables import CardContentsRow
from issuer.domain.member import MemberId
from issuer.domain.member_rules import MemberColumn
from issuer.domain.requests import RequestKind
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.portraits.bounds import PortraitBounds
from issuer.portraits.process_normaliser import ProcessPortraitNormaliser
from issuer.services.change_members import Justification
from issuer.services.draft_requests import Wish
from simulators.population.appearance import draw_appearance
from simulators.population.portrait import draw_portrait, encode_portrait
from tests.contract.cards_stage import CardsStage
from tests.integration.console.conftest import console_template, office
from tests.integration.console.test_console_exchange_walk import (
    CHROMIUM,
    Drawn,
    at_a_browser,
    picture,
)

__all__ = ["console_template", "office"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]

CLERK = Actor(account=AccountName("hoa.pham"), assignments=(Assignment(role=Role.CLERK),))
SCAN = {"name": "quyet-dinh.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 a scan"}
NEWCOMER = {
    "Họ và tên": "Lò Thị Mẩy", "Ngày sinh": "31/02/2001", "Nơi sinh": "xã Mẫu", "Quê quán": "xã Mẫu",
    "Dân tộc": "Thái", "Số định danh": "1", "Số lý lịch": "000099AB", "Ngày vào Đảng": "03/02/2026",
    "Tổ chức đảng": "C-011",
}  # fmt: skip


@pytest.fixture
def cards(office: Any, tmp_path: Path) -> Iterator[CardsStage]:
    """Cards of the register that the console is over."""
    database = Database(f"sqlite:///{tmp_path / 'issuer.sqlite'}")
    yield CardsStage(database, now=office.services.now() - timedelta(hours=1))
    database.close()


def with_card(cards: CardsStage, number: int, member: str) -> None:
    """A card in the member's hand that says what the register says."""
    reference = cards.hand_over(number, MemberId(uuid.UUID(member)))
    with cards.database.writing() as session:
        session.add(CardContentsRow(reference=reference, sealed=b"", prepared_at=cards.now))


def press_to(page: Page, name: str) -> None:
    """Go with the tabulator to what is called so, as somebody without a mouse does."""
    target = (
        page.locator("main")
        .get_by_role("link", name=name, exact=True)
        .or_(page.locator("main").get_by_role("button", name=name, exact=True))
    )
    for _ in range(60):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name} is not reached by the keyboard")


def press_to_box(page: Page, name: str) -> None:
    """Tick a box without a mouse."""
    page.get_by_label(name).focus()
    page.keyboard.press("Space")


def drawn(seed: int) -> bytes:
    return encode_portrait(draw_portrait(draw_appearance(Random(seed), is_woman=True, age=36)))


def face(seed: int) -> Any:
    """A picture as a browser is given one."""
    return {"name": "anh.jpg", "mimeType": "image/jpeg", "buffer": drawn(seed)}


def small_picture() -> bytes:
    """A picture of fewer points than a portrait has."""
    made = io.BytesIO()
    with Image.open(io.BytesIO(drawn(5))) as opened:
        opened.resize((360, 480)).save(made, "PNG")
    return made.getvalue()


def look(page: Page) -> None:
    press_to(page, "Xem trước khi lưu")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Những gì sẽ thay đổi").first).to_be_visible()


def store(page: Page, button: str, reason: str) -> None:
    page.get_by_label("Lý do, trong một dòng").fill(reason)
    page.get_by_label("Tài liệu làm căn cứ").set_input_files([SCAN])  # type: ignore[list-item]
    press_to(page, button)
    page.keyboard.press("Enter")
    expect(page.locator(".done")).to_be_visible()


def test_a_clerk_corrects_transfers_and_strikes_off(office: Any, cards: CardsStage) -> None:
    dao, an = office.add_members(names=("Đỗ Thị Đào", "Nguyễn Văn An"), organisation="C-011")
    with_card(cards, 1, dao)
    with_card(cards, 2, an)
    list(
        office.services.requests.drafting.draft(
            [MemberId(uuid.UUID(an))], Wish(kind=RequestKind.EXCHANGE), actor=CLERK
        )
    )
    profile = load_profile("membercard-1")
    bounds = PortraitBounds(
        min_bytes=profile.portrait_min_bytes, max_bytes=profile.portrait_max_bytes
    )
    desk = replace(
        office.services.new_portraits, open_normaliser=lambda: ProcessPortraitNormaliser(bounds)
    )
    recording = replace(office.services.recording, open_normaliser=desk.open_normaliser)
    console = office.with_services(portraits=Drawn(), new_portraits=desk, recording=recording)
    with at_a_browser(bounded(console.app), "lan") as page:
        # 1. A correction; while it is typed, somebody else corrects the same record.
        page.goto(f"/members/{dao}")
        press_to(page, "Sửa hồ sơ")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sửa hồ sơ của Đỗ Thị Đào")
        page.get_by_label("Quê quán").fill("xã Mới, tỉnh Giả Định")
        page.get_by_label("Nơi cư trú").fill("số 7, thôn Hạ")
        picture(page, "member-correct")
        office.services.changes.correct(
            MemberId(uuid.UUID(dao)),
            {MemberColumn.RESIDENCE: "thôn Thượng", MemberColumn.PHONE: "0912345678"},
            actor=CLERK,
            version=1,
            why=Justification(reason="theo giấy khai sinh"),
        )
        press_to(page, "Xem trước khi lưu")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("Có người vừa sửa hồ sơ này")
        expect(page.get_by_label("Quê quán")).to_have_value("xã Mới, tỉnh Giả Định")
        expect(page.get_by_label("Nơi cư trú")).to_have_value("số 7, thôn Hạ")
        expect(page.get_by_text("thôn Thượng")).to_be_visible()
        picture(page, "member-changed-meanwhile")
        look(page)
        expect(page.locator("tbody tr")).to_have_count(2)
        expect(page.get_by_text("Dữ liệu trên thẻ sẽ khác với hồ sơ.")).to_be_visible()
        picture(page, "member-correct-check")
        store(page, "Lưu nội dung sửa", "theo bản chính giấy khai sinh")
        expect(page.get_by_text("Dữ liệu trên thẻ khác với hồ sơ")).to_be_visible()
        picture(page, "member-corrected")
        with page.expect_download() as begun:
            page.get_by_role("link", name="Tài liệu làm căn cứ").first.click()
        assert begun.value.path().read_bytes() == SCAN["buffer"]
        # 2. A transfer, the organisation found by a part of its name.
        page.goto(f"/members/{an}")
        press_to(page, "Chuyển sinh hoạt")
        page.keyboard.press("Enter")
        page.get_by_label("Tổ chức mới").press_sequentially("xa hai")
        expect(page.get_by_role("option").first).to_contain_text("P-02")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.type("01/11/2026")
        look(page)
        expect(page.get_by_text("Nay đã thuộc tổ chức đảng khác")).to_be_visible()
        picture(page, "member-transfer-check")
        store(page, "Lưu việc chuyển sinh hoạt", "Giấy chuyển sinh hoạt số 7")
        # 3. A standing after which nothing follows: the card counts for nothing at once.
        press_to(page, "Đổi tình trạng")
        page.keyboard.press("Enter")
        page.get_by_label("Tình trạng mới").select_option(label="Khai trừ")
        page.get_by_label("Từ ngày").fill("10/11/2026")
        look(page)
        expect(page.locator("main")).to_contain_text("Một người khác xác nhận")
        picture(page, "member-standing-check")
        store(page, "Lưu tình trạng mới", "Quyết định kỷ luật số 12")
        expect(page.locator("main")).to_contain_text("chờ người khác xác nhận")
        # 4. Another portrait: a small one is doubtful, and whoever takes it says so.
        page.goto(f"/members/{dao}")
        press_to(page, "Thay ảnh")
        page.keyboard.press("Enter")
        page.get_by_label("Ảnh mới").set_input_files(
            [{"name": "anh.png", "mimeType": "image/png", "buffer": small_picture()}]
        )
        press_to(page, "Xem trước khi lưu")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Ảnh nhỏ hơn 480 x 640 điểm ảnh.")).to_be_visible()
        made = page.get_by_role("img", name="Ảnh mới")
        assert made.evaluate("image => image.decode().then(() => image.naturalWidth)") == 480
        picture(page, "member-portrait-check")
        press_to_box(page, "Tôi đã xem những điểm nghi ngờ: ảnh dùng được")
        store(page, "Lưu ảnh mới", "ảnh cũ bị mờ")
        # 5. Somebody who was admitted today; what is wrong is told beside its field, all at once.
        page.keyboard.press("g")
        page.keyboard.press("m")
        press_to(page, "Ghi đảng viên mới")
        page.keyboard.press("Enter")
        for label, text in NEWCOMER.items():
            page.get_by_label(label, exact=True).fill(text)
        page.get_by_label("Giới tính").select_option(label="Nữ")
        page.get_by_label("Tình trạng", exact=True).select_option(label="Dự bị")
        page.get_by_label("Ảnh", exact=True).set_input_files([face(7)])
        press_to(page, "Ghi đảng viên")
        page.keyboard.press("Enter")
        expect(page.locator(".wrong")).to_have_count(2)
        picture(page, "member-new-wrong")
        page.get_by_label("Ngày sinh").fill("05/06/2001")
        page.get_by_label("Số định danh").fill("001301000099")
        page.get_by_label("Ảnh", exact=True).set_input_files([face(7)])
        press_to(page, "Ghi đảng viên")
        page.keyboard.press("Enter")
        expect(page.locator(".done")).to_contain_text("Đã ghi đảng viên mới")
        expect(page.get_by_role("heading", level=1)).to_have_text("Lò Thị Mẩy")
    changes = office.services.changes.history(
        MemberId(uuid.UUID(an)), actor=CLERK, limit=20
    ).changes
    assert {(each.account, each.evidence is not None) for each in changes} == {("lan", True)}
    assert len({each.version for each in changes}) == 2
