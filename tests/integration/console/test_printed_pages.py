"""What a page looks like on paper: A4, without what is for the screen alone, and with nothing cut off at its edge.

With ``MEMBERCARD_PRINTED`` the first sheet of each page is kept there as a picture.
"""

import os
import re
from pathlib import Path
from typing import Final

import pypdfium2
import pytest
from playwright.sync_api import Page

from issuer.api.app import bounded
from tests.integration.console.batch_console import BatchConsole
from tests.integration.console.conftest import Office
from tests.integration.console.test_console_exchange_walk import CHROMIUM, at_a_browser

PICTURES = os.environ.get("MEMBERCARD_PRINTED")
PRINTABLE_WIDTH: Final = 718
"""A4 without margins of 10 mm, at 96 dots an inch."""

PAGES: Final = {
    "lan": (
        "/", "/members", "/members/{member}", "/requests", "/decisions", "/batches", "/organisations", "/reports",
        "/reports/production",
    ),
    "van": ("/people",),
    "tuan": ("/audit",),
}  # fmt: skip
"""Whose pages they are."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]

CUT_OFF: Final = """() => [...document.querySelectorAll('main *')].filter(each => {
    const box = each.getBoundingClientRect();
    const isSeen = box.width > 0 && box.height > 0 && !each.closest('.unseen');
    return isSeen && box.right > document.documentElement.clientWidth + 1;
}).map(each => each.tagName + '.' + each.className + ': ' + each.textContent.trim().slice(0, 40))"""
WORDS: Final = """() => [...document.querySelectorAll('main h1, main h2, main thead th')]
    .filter(each => each.getBoundingClientRect().height > 1 && !each.closest('.unseen'))
    .map(each => each.textContent.trim())"""


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text).casefold()


def printed(page: Page, name: str) -> str:
    document = pypdfium2.PdfDocument(
        page.pdf(format="A4", margin=dict.fromkeys(("top", "right", "bottom", "left"), "10mm"))
    )
    if PICTURES is not None:
        document[0].render(scale=1.4).to_pil().save(Path(PICTURES) / f"{name}.png")
    return squeezed("\n".join(each.get_textpage().get_text_range() for each in document))


def paper(page: Page, path: str, *, name: str = "") -> None:
    """Print a page, and look at what came out."""
    page.emulate_media(media="screen")
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == 200, path
    page.emulate_media(media="print")
    assert page.evaluate(CUT_OFF) == [], path
    wanted = [squeezed(each) for each in page.evaluate(WORDS) if each]
    text = printed(page, name or path.strip("/").replace("/", "-") or "overview")
    assert wanted, path
    assert [each for each in wanted if each not in text] == [], path
    for menu in ("Đăng xuất", "Khóa bảo mật"):
        assert squeezed(menu) not in text, path


@pytest.mark.parametrize("account", PAGES)
def test_pages_are_printed_whole_and_without_what_is_for_the_screen(
    office: Office, account: str
) -> None:
    (member, *_) = office.add_members(6)
    with at_a_browser(bounded(office.app), account) as page:
        page.set_viewport_size({"width": PRINTABLE_WIDTH, "height": 1000})
        for path in PAGES[account]:
            paper(page, path.format(member=member), name="member" if "{" in path else "")


def test_a_batch_and_the_list_of_its_papers_are_printed_whole(batches: BatchConsole) -> None:
    batch = batches.stage.received()
    with at_a_browser(bounded(batches.office.app), "lan") as page:
        page.set_viewport_size({"width": PRINTABLE_WIDTH, "height": 1000})
        paper(page, f"/batches/{batch.batch_id}", name="batch")
        paper(page, f"/batches/{batch.batch_id}/papers", name="batch-papers")
