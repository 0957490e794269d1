"""The dossier of a card as a document to be read: A4, in Vietnamese and English."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from issuer.domain.card_dossier import CardDossier
from issuer.papers.sheet import Sheet

__all__ = ["dossier_pdf"]

_TITLE: Final = "Hồ sơ thẻ · Dossier of a card"
_SECTIONS: Final[Mapping[str, str]] = {
    "request": "Đề nghị · Request",
    "making": "Sản xuất · Making",
    "status": "Hiệu lực · Status",
    "chip": "Chip và khóa · Chip and its key",
    "signature": "Chữ ký số · Signature",
}
_LABELS: Final[Mapping[str, str]] = {
    "taken_at": "Thời điểm lập · Put together at",
    "reference": "Mã thẻ · Reference",
    "card_number": "Số thẻ · Card number",
    "member_id": "Mã đảng viên · Member",
    "organisation": "Tổ chức · Organisation",
    "ordinal": "Lần cấp · Ordinal",
    "profile": "Mẫu thẻ · Profile",
    "valid_until": "Có giá trị đến · Valid until",
    "request_id": "Mã đề nghị · Identifier",
    "kind": "Loại cấp · Kind of issue",
    "reason": "Lý do · Reason",
    "decisions": "Quyết định · Decisions",
    "state": "Trạng thái · State",
    "bound_at": "Ghép chip · Bound at",
    "issued_at": "Hoàn thành · Finished at",
    "handed_over_at": "Trao thẻ · Handed over at",
    "handed_over_to": "Người nhận · Handed over to",
    "condemned_for": "Lý do loại bỏ · Condemned for",
    "list": "Danh sách · Status list",
    "index": "Vị trí · Position",
    "counts_as": "Hiện là · Counts as",
    "published_as": "Đã công bố là · Published as",
    "ended_for": "Chấm dứt vì · Ended for",
    "report": "Đã báo · Reported as",
    "reported_by": "Người báo · Reported by",
    "serial": "Số chip · Serial",
    "delivery": "Lô nhận · Delivery",
    "received_at": "Nhận kho · Received at",
    "key_curve": "Đường cong · Curve of the key",
    "key_sha256": "SHA-256 khóa công khai · of the public key",
    "key_origin": "Nơi tạo khóa · Where the key was made",
    "key_recorded_at": "Ghi nhận khóa · Key recorded at",
    "key_station": "Trạm · Station",
    "signed_at": "Ký lúc · Signed at",
    "signer_serial": "Số chứng thư · Signer's certificate",
    "file_sha256": "SHA-256 EF.SOD",
    "signer_sha256": "SHA-256 chứng thư · of that certificate",
}
_HEAD: Final = (
    "Thời điểm · Time (UTC)",
    "Sự việc · Event",
    "Người, trạm · By, at",
    "Chi tiết · Detail",
)
_SHARES: Final = (0.2, 0.3, 0.18, 0.32)


def dossier_pdf(dossier: CardDossier) -> bytes:
    """The document; every word of it stands in the JSON form, too."""
    document = dossier.document()
    sheet = Sheet(_TITLE)
    _pairs(sheet, {name: value for name, value in document.items() if name in _LABELS})
    for name, heading in _SECTIONS.items():
        sheet.heading(heading)
        if document[name] is None:
            sheet.line("Không có · None")
        else:
            _pairs(sheet, document[name])
    sheet.heading("Mọi sự việc · Everything that happened")
    sheet.table(_HEAD, _rows(document["events"]), shares=_SHARES)
    return sheet.content()


def _pairs(sheet: Sheet, items: Mapping[str, Any]) -> None:
    for name, value in items.items():
        sheet.pair(_LABELS[name], _text(value))


def _rows(events: list[dict[str, str | None]]) -> Iterator[tuple[str, ...]]:
    for event in events:
        yield (
            str(event["at"])[:19].replace("T", " "),
            f"{event['room']}: {event['what']}",
            ", ".join(each for each in (event["account"], event["station"]) if each),
            ", ".join(each for each in (event["code"], event["detail"]) if each),
        )


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return "-" if value is None or value == "" else str(value)
