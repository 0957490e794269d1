"""A custodian's sheet on paper: one A4 page with 33 numbered words, and what to do with it, in two languages."""

import io
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Final

from reportlab.lib.colors import Color, black, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from pki.ceremony.shares import Quorum, Sheet, fingerprint_of

__all__ = ["SheetPage", "print_sheet"]

_REGULAR: Final = "MembercardSheet"
_BOLD: Final = "MembercardSheetBold"
_INK: Final = Color(0.10, 0.12, 0.20)
_GREY: Final = Color(0.42, 0.44, 0.50)
_LINE: Final = Color(0.78, 0.80, 0.84)
_BAND: Final = Color(0.955, 0.96, 0.97)
_RED: Final = Color(0.72, 0.05, 0.08)
_COLUMNS: Final = 3
_MARGIN: Final[float] = 18 * mm
_ROW: Final[float] = 13.2 * mm


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPage:
    """One sheet and what stands around its words."""

    sheet: Sheet
    quorum: Quorum
    authority: str
    made_at: datetime
    is_rehearsal: bool

    @property
    def custodian(self) -> str:
        """Whose it is."""
        return self.quorum.custodians[self.sheet.number - 1]


def print_sheet(page: SheetPage) -> bytes:
    """The page as PDF; its words can be read by programs, too, and nothing secret but the words stands on it."""
    _register_fonts()
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=A4, invariant=True)
    canvas.setTitle(f"{page.quorum.ceremony}: {page.sheet.number}")
    canvas.setAuthor("membercard")
    width, height = A4
    top = _header(canvas, page, height)
    top = _facts(canvas, page, top)
    top = _words(canvas, page, top)
    _instructions(canvas, page, top)
    _footer(canvas, page, width)
    canvas.showPage()
    canvas.save()
    return target.getvalue()


def _header(canvas: Canvas, page: SheetPage, height: float) -> float:
    width = A4[0]
    top: float = height - 15 * mm
    canvas.setFillColor(_RED if page.is_rehearsal else _INK)
    canvas.rect(_MARGIN, top - 15 * mm, width - 2 * _MARGIN, 15 * mm, stroke=0, fill=1)
    canvas.setFillColor(white)
    canvas.setFont(_BOLD, 17)
    canvas.drawString(
        _MARGIN + 5 * mm,
        top - 7.4 * mm,
        _title("MẬT", "TỜ GIỮ KHOÁ GỐC", is_rehearsal=page.is_rehearsal),
    )
    canvas.setFont(_REGULAR, 10)
    canvas.drawString(
        _MARGIN + 5 * mm,
        top - 12.2 * mm,
        _title("SECRET", "custodian's sheet of the root key", is_rehearsal=page.is_rehearsal),
    )
    canvas.setFont(_BOLD, 24)
    canvas.drawRightString(
        width - _MARGIN - 5 * mm,
        top - 10.4 * mm,
        f"{page.sheet.number} / {len(page.quorum.custodians)}",
    )
    bottom: float = top - 15 * mm
    return bottom


def _title(mark: str, title: str, *, is_rehearsal: bool) -> str:
    if is_rehearsal:
        mark = "DIỄN TẬP" if mark == "MẬT" else "REHEARSAL"
    return f"{mark}: {title}"


def _facts(canvas: Canvas, page: SheetPage, top: float) -> float:
    left = (
        ("Người giữ / Custodian", page.custodian),
        ("Cơ quan chứng thực / Authority", page.authority),
    )
    right = (
        ("Nghi lễ / Ceremony", page.quorum.ceremony),
        (
            "Bộ / Set · Mã tờ / Sheet code",
            f"{page.quorum.identifier} · {fingerprint_of(page.sheet)}",
        ),
    )
    for column, items in ((_MARGIN, left), (A4[0] / 2 + 8 * mm, right)):
        for row, (label, value) in enumerate(items):
            y = top - 8 * mm - row * 12.5 * mm
            canvas.setFillColor(_GREY)
            canvas.setFont(_REGULAR, 8)
            canvas.drawString(column, y, label)
            canvas.setFillColor(_INK)
            room = A4[0] / 2 - _MARGIN - 8 * mm + (16 * mm if column == _MARGIN else 0)
            canvas.setFont(_BOLD, _size_that_fits(value, _BOLD, 13, room - 2 * mm))
            canvas.drawString(column, y - 5.6 * mm, value)
    bottom: float = top - 30.5 * mm
    return bottom


def _words(canvas: Canvas, page: SheetPage, top: float) -> float:
    words = page.sheet.words
    rows = -(-len(words) // _COLUMNS)
    width = (A4[0] - 2 * _MARGIN) / _COLUMNS
    for row in range(rows):
        y = top - (row + 1) * _ROW
        if row % 2 == 0:
            canvas.setFillColor(_BAND)
            canvas.rect(_MARGIN, y, A4[0] - 2 * _MARGIN, _ROW, stroke=0, fill=1)
    for index, word in enumerate(words):
        column, row = divmod(index, rows)
        x = _MARGIN + column * width
        y = top - (row + 1) * _ROW + 3.9 * mm
        canvas.setFillColor(_GREY)
        canvas.setFont(_REGULAR, 10)
        canvas.drawRightString(x + 10 * mm, y, str(index + 1))
        canvas.setFillColor(black)
        canvas.setFont(_BOLD, 17)
        canvas.drawString(x + 14 * mm, y, word)
    canvas.setStrokeColor(_LINE)
    canvas.setLineWidth(0.8)
    bottom = top - rows * _ROW
    canvas.rect(_MARGIN, bottom, A4[0] - 2 * _MARGIN, rows * _ROW, stroke=1, fill=0)
    for column in range(1, _COLUMNS):
        x = _MARGIN + column * width
        canvas.line(x, bottom, x, top)
    return bottom


def _instructions(canvas: Canvas, page: SheetPage, top: float) -> None:
    threshold, count = page.quorum.threshold, len(page.quorum.custodians)
    vietnamese = (
        f"Cần {threshold} trong {count} tờ để dùng khoá gốc; một tờ không đủ.",
        "Đọc theo cột, từ 1 đến 33. Thứ tự là một phần của bí mật.",
        "Cho vào phong bì niêm phong, ký trên mép,",
        "rồi cất vào két riêng.",
        "Không sao chép, chụp ảnh hoặc gõ vào máy nào khác.",
        "Mất hoặc có người khác đã xem: báo ngay chủ trì nghi lễ.",
        "Khi bàn giao hoặc thay người: làm lễ chia lại khoá.",
    )
    english = (
        f"The root's key needs {threshold} of {count} sheets; one is not enough.",
        "Read down the columns, from 1 to 33. The order matters.",
        "Seal it in an envelope, sign across the flap,",
        "and keep it in a safe of your own.",
        "Do not copy, photograph or type it anywhere but here.",
        "Lost, or seen by others: tell the administrator at once.",
        "When it goes to somebody else, the key is shared anew.",
    )
    for x, title, lines in (
        (_MARGIN, "Việc phải làm", vietnamese),
        (A4[0] / 2 + 2 * mm, "What to do", english),
    ):
        canvas.setFillColor(_INK)
        canvas.setFont(_BOLD, 10)
        canvas.drawString(x, top - 7.5 * mm, title)
        room = A4[0] / 2 - _MARGIN - 3 * mm
        for row, line in enumerate(lines):
            canvas.setFont(_REGULAR, _size_that_fits(line, _REGULAR, 9.2, room))
            canvas.drawString(x, top - 13 * mm - row * 4.9 * mm, line)


def _footer(canvas: Canvas, page: SheetPage, width: float) -> None:
    y = 22 * mm
    canvas.setStrokeColor(_GREY)
    canvas.setLineWidth(0.5)
    thirds = (width - 2 * _MARGIN) / 3
    labels = ("Chữ ký người giữ / Custodian", "Chữ ký người chứng kiến / Witness", "Ngày / Date")
    for index, label in enumerate(labels):
        x = _MARGIN + index * thirds
        canvas.line(x, y, x + thirds - 6 * mm, y)
        canvas.setFillColor(_GREY)
        canvas.setFont(_REGULAR, 8)
        canvas.drawString(x, y - 3.8 * mm, label)
    canvas.setFont(_REGULAR, 7.5)
    canvas.drawString(_MARGIN, 11 * mm, f"membercard · SLIP-39 · {page.made_at:%Y-%m-%d %H:%M} UTC")
    canvas.setFillColor(_RED if page.is_rehearsal else _INK)
    canvas.setFont(_BOLD, 8.5)
    text = "DIỄN TẬP / REHEARSAL" if page.is_rehearsal else "MẬT / SECRET"
    canvas.drawRightString(width - _MARGIN, 11 * mm, text)


def _size_that_fits(text: str, font: str, size: float, room: float) -> float:
    needed: float = pdfmetrics.stringWidth(text, font, size)
    return size if needed <= room else size * room / needed


def _register_fonts() -> None:
    """Noto Sans (OFL, see fonts/OFL.txt), cut down to the letters of Vietnamese and English."""
    if _REGULAR in pdfmetrics.getRegisteredFontNames():
        return
    for name, file in ((_REGULAR, "NotoSans-Regular.ttf"), (_BOLD, "NotoSans-Bold.ttf")):
        content = files("pki.ceremony").joinpath("fonts", file).read_bytes()
        pdfmetrics.registerFont(TTFont(name, io.BytesIO(content)))
