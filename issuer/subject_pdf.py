"""The extract for a person as a document to be read: A4, in Vietnamese and English."""

import io
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from issuer.domain.subject_extract import SubjectExtract

__all__ = ["extract_pdf"]

_FONT: Final = "membercard-text"
_BOLD: Final = "membercard-bold"
_FONT_FILES: Final = {_FONT: "NotoSans-Regular.ttf", _BOLD: "NotoSans-Bold.ttf"}
_MARGIN: Final = 20 * mm
_SIZE: Final = 9.0
_LEADING: Final = 13.0
_LABEL_WIDTH: Final = 62 * mm
_PORTRAIT_WIDTH: Final = 30 * mm

_TITLE: Final = "Dữ liệu cá nhân được lưu giữ · Personal data that is held"
_LABELS: Final[Mapping[str, str]] = {
    "member_id": "Mã hồ sơ · Identifier",
    "taken_at": "Thời điểm trích · Extracted at",
    "recorded_at": "Ghi nhận · Recorded at",
    "name.full": "Họ và tên · Full name",
    "name.primary": "Tên chính · Primary name",
    "name.secondary": "Tên phụ · Secondary name",
    "card_number": "Số thẻ · Card number",
    "earlier_card_number": "Số thẻ trước · Earlier card number",
    "record_number": "Số lý lịch · Record number",
    "citizen_number": "Số định danh · Citizen number",
    "birth_date": "Ngày sinh · Date of birth",
    "sex": "Giới tính · Sex",
    "place_of_birth": "Nơi sinh · Place of birth",
    "home_town": "Quê quán · Home town",
    "residence": "Nơi ở · Residence",
    "phone": "Điện thoại · Phone",
    "ethnic_group": "Dân tộc · Ethnic group",
    "admission_date": "Ngày kết nạp · Admission",
    "recognition_date": "Ngày chính thức · Recognition",
    "organisation_code": "Tổ chức · Organisation",
    "served_in": "Sinh hoạt tại · Served in",
    "standing": "Tình trạng · Standing",
    "standing_since": "Từ ngày · Since",
    "kind": "Loại cấp · Kind of issue",
    "ordinal": "Lần cấp · Ordinal",
    "portrait_digest": "Mã ảnh · Digest of the picture",
}


def extract_pdf(extract: SubjectExtract) -> bytes:
    """The document; what its letters cannot show is exact in the JSON file beside it."""
    for name, file in _FONT_FILES.items():
        if name not in pdfmetrics.getRegisteredFontNames():
            content = files("pki.ceremony").joinpath("fonts", file).read_bytes()
            pdfmetrics.registerFont(TTFont(name, io.BytesIO(content)))
    buffer = io.BytesIO()
    sheet = _Sheet(Canvas(buffer, pagesize=A4, invariant=True))
    sheet.title(_TITLE)
    if extract.portrait is not None:
        sheet.picture(extract.portrait)
    document = extract.document()
    for name in ("member_id", "taken_at", "recorded_at", "portrait_digest"):
        sheet.pair(_label(name), str(document[name]))
    sheet.heading("Hồ sơ · The record")
    for name, value in _leaves(document["statement"]):
        sheet.pair(_label(name), _text(value))
    for title, items in (
        ("Thay đổi · Changes", document["changes"]),
        ("Thẻ · Cards", document["cards"]),
        ("Đã cung cấp cho · Disclosed to", document["disclosures"]),
        ("Việc đã làm với hồ sơ · What was done with the record", document["acts"]),
    ):
        sheet.heading(title)
        if not items:
            sheet.line("Không có · None")
        for item in items:
            sheet.line(" · ".join(f"{name}: {_text(value)}" for name, value in _leaves(item)))
    if extract.acts_left_out:
        sheet.line("Còn việc cũ hơn · There are older ones")
    sheet.end()
    return buffer.getvalue()


class _Sheet:
    """Lines from the top of a page to its bottom, on as many pages as it takes."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._page = 1
        self._top = A4[1] - _MARGIN
        self._canvas.setTitle(_TITLE)

    def title(self, text: str) -> None:
        self._write(_MARGIN, text, _BOLD, 13.0)
        self._down(2 * _LEADING)

    def heading(self, text: str) -> None:
        self._down(_LEADING)
        self._write(_MARGIN, text, _BOLD, 10.5)
        self._down(1.3 * _LEADING)

    def picture(self, image: bytes) -> None:
        height = _PORTRAIT_WIDTH * 4 / 3
        self._canvas.drawImage(
            ImageReader(io.BytesIO(image)),
            _MARGIN,
            self._top - height,
            width=_PORTRAIT_WIDTH,
            height=height,
            preserveAspectRatio=True,
        )
        self._down(height + 1.5 * _LEADING)

    def pair(self, label: str, value: str) -> None:
        self._write(_MARGIN, label, _BOLD, _SIZE)
        left = _MARGIN + _LABEL_WIDTH
        for part in _wrapped(value, A4[0] - _MARGIN - left):
            self._write(left, part, _FONT, _SIZE)
            self._down(_LEADING)

    def line(self, text: str) -> None:
        for part in _wrapped(text, A4[0] - 2 * _MARGIN):
            self._write(_MARGIN, part, _FONT, _SIZE)
            self._down(_LEADING)

    def end(self) -> None:
        self._number()
        self._canvas.save()

    def _write(self, left: float, text: str, font: str, size: float) -> None:
        self._canvas.setFont(font, size)
        self._canvas.drawString(left, self._top, text)

    def _down(self, height: float) -> None:
        self._top -= height
        if self._top < _MARGIN + _LEADING:
            self._number()
            self._canvas.showPage()
            self._page += 1
            self._top = A4[1] - _MARGIN

    def _number(self) -> None:
        self._canvas.setFont(_FONT, _SIZE)
        self._canvas.drawCentredString(A4[0] / 2, _MARGIN / 2, str(self._page))


def _wrapped(text: str, room: float) -> Sequence[str]:
    """The text in lines that fit; a word that is too long for a line is cut into pieces that fit."""
    lines: list[str] = [""]
    for word in text.split():
        candidate = f"{lines[-1]} {word}".strip()
        if pdfmetrics.stringWidth(candidate, _FONT, _SIZE) <= room:
            lines[-1] = candidate
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if pdfmetrics.stringWidth(lines[-1] + letter, _FONT, _SIZE) > room:
                lines.append("")
            lines[-1] += letter
    return lines


def _leaves(found: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in found.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _label(name: str) -> str:
    return _LABELS.get(name, name)


def _text(value: Any) -> str:
    return "-" if value is None or value == "" else str(value)
