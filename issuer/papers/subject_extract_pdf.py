"""The extract for a person as a document to be read: A4, in Vietnamese and English."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from issuer.domain.subject_extract import SubjectExtract
from issuer.papers.sheet import Sheet

__all__ = ["extract_pdf"]

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
    sheet = Sheet(_TITLE)
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
        ("Đề nghị cấp thẻ · Requests", _requests(document["requests"])),
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
    return sheet.content()


def _requests(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A line for each request, and one for each of its steps."""
    return [
        line
        for each in found
        for line in (
            {name: value for name, value in each.items() if name != "time_line"},
            *each["time_line"],
        )
    ]


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
