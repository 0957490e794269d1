"""The protocols of the stock as papers: the close of a day, and a destruction."""

from datetime import datetime, timedelta, timezone
from typing import Final

from issuer.domain.stock_account import Site
from issuer.domain.stock_acts import DayClose, DayCloseState
from issuer.papers.sheet import Sheet
from issuer.services.destroy_chips import DestroyedChips

__all__ = ["day_close_pdf", "destruction_pdf"]

_VIET_NAM: Final = timezone(timedelta(hours=7), "+07:00")
_SERIALS_A_ROW: Final = 3
_STATES: Final = {
    DayCloseState.DIFFERS: "KHÔNG KHỚP, chưa đóng · DIFFERS, not closed",
    DayCloseState.COUNTED: "Đã kiểm đếm, chờ xác nhận · Counted, waits for confirmation",
    DayCloseState.CLOSED: "Đã đóng · Closed",
}


def day_close_pdf(close: DayClose, site: Site) -> bytes:
    """The protocol of a count: the account, what was counted, and both people."""
    sheet = Sheet("Biên bản kiểm kê phôi thẻ cuối ngày · Protocol of the day close")
    sheet.pair("Nơi · Site", f"{site.name} ({site.code})")
    sheet.pair("Ngày · Day", close.day.strftime("%d/%m/%Y"))
    sheet.pair("Kết quả · Result", _STATES[close.state])
    sheet.pair("Mã biên bản · Protocol number", str(close.close_id))
    sheet.heading("Cân đối · Balance")
    sheet.table(
        (
            "Đã nhận · Received",
            "Thành phẩm · Good",
            "Hỏng · Spoiled",
            "Mẫu · Samples",
            "Còn lại · Left",
        ),
        [
            [
                str(each)
                for each in (
                    close.received,
                    close.good,
                    close.spoiled,
                    close.samples,
                    close.left,
                )
            ]
        ],
        shares=(1, 1, 1, 1, 1),
    )
    sheet.line(
        f"{close.received} = {close.good} + {close.spoiled} + {close.samples} + {close.left}"
        if close.received == close.good + close.spoiled + close.samples + close.left
        else "Sổ sách không cân · The books do not agree"
    )
    sheet.heading("Kiểm đếm tại chỗ · Counted at the site")
    rows = (
        ("Thẻ thành phẩm · Finished cards", close.counted.finished, close.expected.finished),
        (
            "Chip hỏng chưa hủy · Spoiled, not yet destroyed",
            close.counted.spoiled,
            close.expected.spoiled,
        ),
        ("Mẫu · Samples", close.counted.samples, close.expected.samples),
        ("Phôi còn lại · Blanks left", close.counted.left, close.expected.left),
    )
    sheet.table(
        ("", "Đếm được · Counted", "Theo sổ · By the records", "Lệch · Difference"),
        [
            [
                label,
                str(counted),
                str(expected),
                f"{counted - expected:+d}" if counted != expected else "0",
            ]
            for label, counted, expected in rows
        ],
        shares=(4, 2, 2, 2),
    )
    sheet.heading("Người thực hiện · People")
    sheet.pair("Người kiểm đếm · Counted by", f"{close.counted_by}, {_time(close.counted_at)}")
    sheet.pair(
        "Người xác nhận · Confirmed by",
        "-"
        if close.closed_by is None or close.closed_at is None
        else f"{close.closed_by}, {_time(close.closed_at)}",
    )
    sheet.signatures(("Người kiểm đếm · Counted", "Người xác nhận · Confirmed"))
    return sheet.content()


def destruction_pdf(destroyed: DestroyedChips, site: Site) -> bytes:
    """The protocol of a destruction: how, which chips, and both witnesses."""
    destruction = destroyed.destruction
    sheet = Sheet("Biên bản hủy chip và thẻ hỏng · Protocol of a destruction")
    sheet.pair("Nơi · Site", f"{site.name} ({site.code})")
    sheet.pair("Cách hủy · Manner", destruction.manner)
    sheet.pair("Số lượng · Chips", str(destruction.chips))
    sheet.pair("Mã biên bản · Protocol number", str(destruction.destruction_id))
    sheet.pair("Mã danh sách · Digest of the list", destruction.digest.hex())
    sheet.heading("Người chứng kiến · Witnesses")
    sheet.pair("Thứ nhất · First", f"{destruction.first_witness}, {_time(destruction.first_at)}")
    sheet.pair(
        "Thứ hai · Second",
        "CHƯA XÁC NHẬN · NOT CONFIRMED"
        if destruction.second_witness is None or destruction.second_at is None
        else f"{destruction.second_witness}, {_time(destruction.second_at)}",
    )
    sheet.heading("Số chip · Serials")
    names = [each.hex().upper() for each in destroyed.serials]
    names += [""] * (-len(names) % _SERIALS_A_ROW)
    sheet.table(
        ("", "", ""),
        [names[start : start + _SERIALS_A_ROW] for start in range(0, len(names), _SERIALS_A_ROW)],
        shares=(1,) * _SERIALS_A_ROW,
    )
    sheet.signatures(
        ("Người chứng kiến thứ nhất · First witness", "Người chứng kiến thứ hai · Second witness")
    )
    return sheet.content()


def _time(at: datetime) -> str:
    return at.astimezone(_VIET_NAM).strftime("%H:%M:%S %d/%m/%Y")
