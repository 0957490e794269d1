"""Papers of the office: tables that go on over pages, places to sign, and bytes that depend on the content alone."""

import re

import pypdfium2
import pytest

from issuer.papers.sheet import Sheet


def _pages(content: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(content)
    return [page.get_textpage().get_text_range() for page in document]


def _list_of(count: int) -> bytes:
    sheet = Sheet("Bảng kê · Packing list")
    sheet.table(
        ("Số thẻ · Card number", "Họ và tên · Name"),
        [(f"41.{number:06d}", "Nguyễn Thị Đoàn Ánh " * 4) for number in range(count)],
        shares=(1, 2),
    )
    sheet.signatures(("Người giao · Handed over by", "Người nhận · Received by"))
    return sheet.content()


def test_a_long_table_goes_on_with_its_head_on_every_page_and_loses_no_row() -> None:
    pages = _pages(_list_of(200))

    assert len(pages) > 5
    assert all("Số thẻ" in page for page in pages[:-1])
    numbers = re.findall(r"41\.\d{6}", "".join(pages))
    assert numbers == [f"41.{number:06d}" for number in range(200)]


def test_places_to_sign_stand_together_on_one_page() -> None:
    for count in range(20, 40):
        last = _pages(_list_of(count))[-1]

        assert "Người giao" in last
        assert "Người nhận" in last


def test_the_same_content_gives_the_same_bytes() -> None:
    assert _list_of(3) == _list_of(3)


def test_a_row_of_another_length_than_the_head_is_a_mistake_of_the_program() -> None:
    sheet = Sheet("Bảng · Table")

    with pytest.raises(ValueError, match=r"shorter|longer"):
        sheet.table(("a", "b"), [("only one",)], shares=(1, 1))


def test_a_paper_without_anybody_to_sign_it_is_refused() -> None:
    with pytest.raises(ValueError, match="places to sign"):
        Sheet("Biên bản · Minutes").signatures(())
