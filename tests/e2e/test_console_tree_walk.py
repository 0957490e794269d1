"""An administrator adds an organisation, renames one while somebody else does, merges it, and grants numbers: a real browser, by the keyboard.

With ``MEMBERCARD_SCREENSHOTS=docs/console`` the pictures of the documents are made anew.
"""

from datetime import date
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from issuer.api.app import bounded
from issuer.domain.organisation import OrganisationCode
from issuer.domain.organisation_acts import Renaming
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.services.change_members import Justification
from tests.e2e.test_console_member_acts_walk import SCAN, press_to
from tests.integration.console.conftest import console_template, office
from tests.integration.console.test_console_exchange_walk import CHROMIUM, at_a_browser, picture

__all__ = ["console_template", "office"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]

COLLEAGUE = Actor(account=AccountName("binh"), assignments=(Assignment(role=Role.ADMINISTRATOR),))


def press(page: Page, name: str) -> None:
    press_to(page, name)
    page.keyboard.press("Enter")


def store(page: Page, button: str) -> None:
    page.get_by_label("Lý do, trong một dòng").fill("Nghị quyết số 5-NQ/TU")
    page.get_by_label("Tài liệu làm căn cứ").set_input_files([SCAN])  # type: ignore[list-item]
    press(page, button)
    expect(page.locator(".done")).to_be_visible()


def test_an_administrator_adds_renames_merges_and_grants_numbers(office: Any) -> None:
    office.add_members(3)
    with at_a_browser(bounded(office.app), "van") as page:
        # 1. A list that is wrong in two rows changes nothing; one organisation is added by hand.
        page.keyboard.press("g")
        page.keyboard.press("o")
        picture(page, "organisations")
        press(page, "Nhập từ danh sách")
        head = "code,name,parent_code,committee_number,level,valid_from\n"
        wrong = head + "C-021,Chi bộ Hai Mốt,P-09,,chi bộ,\nC-022,,P-02,,chi bộ,31/02/2026\n"
        page.get_by_label("Danh sách").set_input_files(
            [{"name": "to-chuc.csv", "mimeType": "text/csv", "buffer": wrong.encode()}]
        )
        press(page, "Nhập")
        expect(page.get_by_role("alert")).to_contain_text("Chưa nhập dòng nào")
        expect(page.locator("tbody tr")).to_have_count(2)
        picture(page, "organisation-list-wrong")
        page.goto("/organisations/P-01")
        press(page, "Thêm tổ chức trực thuộc")
        page.get_by_label("Mã", exact=True).fill("C-012")
        page.get_by_label("Tên", exact=True).fill("Chi bộ Hai")
        page.get_by_label("Cấp", exact=True).fill("chi bộ")
        page.get_by_label("Ngày thành lập").fill("01/07/2026")
        picture(page, "organisation-new")
        store(page, "Ghi tổ chức")
        expect(page.get_by_role("heading", level=1)).to_have_text("Chi bộ Hai")
        # 2. Another name; while it is typed, somebody else changes the same organisation.
        page.goto("/organisations/P-01")
        press(page, "Đổi tên, cấp")
        page.get_by_label("Tên", exact=True).fill("Đảng ủy phường Một")
        page.get_by_label("Từ ngày").fill("01/09/2026")
        office.services.organisation_changes.take(
            OrganisationCode("P-01"),
            Renaming(on=date(2026, 8, 1), level="đảng ủy cơ sở"),
            actor=COLLEAGUE,
            why=Justification(reason="bổ sung cấp"),
        )
        press(page, "Xem trước khi lưu")
        expect(page.get_by_role("alert")).to_contain_text("Có người vừa sửa tổ chức này")
        expect(page.get_by_label("Tên", exact=True)).to_have_value("Đảng ủy phường Một")
        expect(page.get_by_label("Cấp", exact=True)).to_have_value("đảng ủy cơ sở")
        picture(page, "organisation-changed-meanwhile")
        press(page, "Xem trước khi lưu")
        expect(page.locator("tbody tr")).to_have_count(1)
        picture(page, "organisation-renaming-check")
        store(page, "Lưu tên mới")
        expect(page.get_by_role("heading", level=1)).to_have_text("Đảng ủy phường Một")
        picture(page, "organisation")
        with page.expect_download() as begun:
            page.get_by_role("link", name="Tài liệu làm căn cứ").first.click()
        assert begun.value.path().read_bytes() == SCAN["buffer"]
        # 3. A merger, the organisation found by a part of its name.
        press(page, "Sáp nhập")
        page.get_by_label("Tổ chức tiếp nhận").press_sequentially("xa hai")
        expect(page.get_by_role("option").first).to_contain_text("P-02")
        page.keyboard.press("Enter")
        page.get_by_label("Từ ngày").fill("01/11/2026")
        press(page, "Xem trước khi lưu")
        expect(page.locator("main")).to_contain_text("3 đảng viên được chuyển sang")
        expect(page.locator("main")).to_contain_text("2 tổ chức trực thuộc trực tiếp")
        picture(page, "organisation-merger-check")
        store(page, "Thực hiện sáp nhập")
        expect(page.get_by_text("Đã giải thể").first).to_be_visible()
        picture(page, "organisation-merged")
        # 4. Card numbers for the committee that decides.
        page.goto("/organisations/T")
        press(page, "Số thẻ")
        page.get_by_text("Cấp dải số cho cấp ủy").click()
        page.get_by_label("Cấp ủy quyết định").fill("T")
        page.get_by_label("Số nhỏ nhất của dải").fill("98.000001")
        page.get_by_label("Số lớn nhất của dải").fill("98.050000")
        press(page, "Cấp dải số")
        expect(page.locator(".done")).to_contain_text("Đã cấp dải số")
        expect(page.get_by_role("row").nth(1)).to_contain_text("50.000")
        picture(page, "numbers")
    with office.register.reading() as transaction:
        tree = transaction.organisations.tree()
        assert tree.place(OrganisationCode("C-012")) == ("T", "P-02", "C-012")
        assert transaction.members.count_in(OrganisationCode("P-02")) == 3
