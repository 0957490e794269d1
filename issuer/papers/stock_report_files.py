"""The report of the stock, as a workbook and as a paper; Vietnamese first, English beside it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import xlsxwriter

from issuer.domain.stock_account import SiteKind, StockClass
from issuer.domain.stock_figures import StockFigures
from issuer.papers.sheet import Sheet
from issuer.services.stock_reports import SiteLine, StockReport

__all__ = ["stock_paper", "write_stock_workbook"]

_VIET_NAM: Final = timezone(timedelta(hours=7), "+07:00")
_KINDS: Final[Mapping[SiteKind, str]] = {
    SiteKind.STORE: "Kho / store",
    SiteKind.STATION: "Trạm / station",
}
_TITLE: Final = "Báo cáo phôi thẻ và thẻ theo kho / Stock of chips, by site"
_MEANING: Final = (
    "Đã nhận = thành phẩm + hỏng + mẫu + còn lại. Đã hủy nằm trong hỏng và mẫu; chip đã mất không nằm trong số nào.",
    "Received = good + spoiled + samples + left. Destroyed chips are among spoiled and samples, lost ones in none.",
)
_FIGURES: Final = (
    ("Đã nhận", "received"),
    ("Thành phẩm", "good"),
    ("Hỏng", "spoiled"),
    ("Mẫu", "samples"),
    ("Còn lại", "left"),
    ("Đã hủy", "destroyed"),
)
_STOPS: Final = (("Chặn, chờ xác nhận", "stopped, waiting"), ("Đã mất", "gone for good"))
_IN_HAND: Final = (
    ("Thẻ tại chỗ", "finished, in hand"),
    ("Hỏng tại chỗ", "spoiled, in hand"),
    ("Mẫu tại chỗ", "samples, in hand"),
    ("Phôi tại chỗ", "blanks, in hand"),
)
_ZONE: Final = "(giờ Việt Nam / Viet Nam time)"
_TOTAL: Final = "Cộng / Total"
_OF_NO_SITE: Final = "Chip chưa từng nhập kho / Chips of no site"


def write_stock_workbook(path: Path, report: StockReport) -> int:
    """Write a workbook with a row a site and their sum; gives back how many sites it has."""
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    try:
        sheet = book.add_worksheet("stock")
        bold = book.add_format(
            {"bold": True, "text_wrap": True, "bg_color": "#E8EEF4", "border": 1}
        )
        whole = book.add_format({"num_format": "#,##0"})
        summed = book.add_format({"num_format": "#,##0", "bold": True, "top": 1})
        strong = book.add_format({"bold": True, "top": 1})
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        words = [
            ("Mã", "code"), ("Nơi", "site"), ("Loại", "kind"), ("Tổ chức đảng", "organisation"),
            *_FIGURES, *_STOPS, *_IN_HAND, ("Tình trạng", "state"), ("Ngày đóng gần nhất", "last day closed"),
            ("Người kiểm đếm", "counted by"), ("Người xác nhận", "closed by"), ("Số liệu lúc", "figures as of"),
        ]  # fmt: skip
        counts = len(_FIGURES) + len(_STOPS) + len(_IN_HAND)
        sheet.set_column(0, 0, 14)
        sheet.set_column(1, 1, 34)
        sheet.set_column(2, 3, 15)
        sheet.set_column(4, 3 + counts, 12)
        sheet.set_column(4 + counts, 4 + counts, 36)
        sheet.set_column(5 + counts, len(words) - 1, 20)
        sheet.freeze_panes(2, 2)
        sheet.write_string(0, 0, " ".join((f"{_time(report.made_at)} {_ZONE}.", *_MEANING)))
        for column, (vietnamese, english) in enumerate(words):
            sheet.write_string(1, column, f"{vietnamese}\n{english}", bold)
        row = 1
        for row, line in enumerate(report.lines, start=2):
            site, close = line.view.site, line.last_close
            # Strings, whatever they look like: a name is no formula.
            for column, text in enumerate(
                (site.code, site.name, _KINDS[site.kind], site.organisation or "")
            ):
                sheet.write_string(row, column, text)
            for column, count in enumerate((*_numbers(line), *_in_hand(line)), start=4):
                sheet.write_number(row, column, count, whole)
            sheet.write_string(row, 4 + counts, _state(line))
            if close is not None:
                sheet.write_datetime(
                    row, 5 + counts, datetime.combine(close.day, datetime.min.time()), day
                )
                sheet.write_string(row, 6 + counts, close.counted_by)
                sheet.write_string(row, 7 + counts, close.closed_by or "")
            sheet.write_string(row, 8 + counts, _time(line.view.as_of or report.made_at))
        if report.of_no_site is not None and _stray(report) != (0, 0):
            row += 1
            sheet.write_string(row, 1, _OF_NO_SITE)
            for column, count in enumerate(_stray(report), start=4 + len(_FIGURES)):
                sheet.write_number(row, column, count, whole)
        for column in range(len(words)):
            sheet.write_blank(row + 1, column, None, strong)
        sheet.write_string(row + 1, 1, _TOTAL, strong)
        in_hand = [sum(each) for each in zip(*map(_in_hand, report.lines), strict=True)]
        for column, count in enumerate((*_sums(report), *in_hand), start=4):
            sheet.write_number(row + 1, column, count, summed)
        return len(report.lines)
    finally:
        book.close()


def stock_paper(report: StockReport) -> bytes:
    """The report as a paper to be signed."""
    sheet = Sheet(_TITLE, is_landscape=True)
    sheet.pair("Lập lúc / Made at", f"{_time(report.made_at)} {_ZONE}")
    for each in _MEANING:
        sheet.line(each)
    sheet.heading("Theo kho và trạm / By store and station")
    sheet.table(
        (
            "Nơi / Site",
            *(f"{vietnamese} / {english.capitalize()}" for vietnamese, english in _FIGURES),
            "Chặn, chờ / Stopped",
            "Đã mất / Gone",
            "Đóng ngày / Day closed",
            "Tình trạng / State",
        ),
        _paper_rows(report),
        shares=(5, 2.5, 2.5, 2.4, 2.4, 2.5, 2.7, 2.3, 2.3, 2.7, 3.7),
        figures=range(1, 9),
    )
    late = [each for each in report.lines if each.view.as_of is not None]
    if late:
        sheet.heading("Số liệu theo lần đóng ngày gần nhất / Figures of the last close")
    for line in late:
        sheet.line(f"{line.view.site.name} ({line.view.site.code}): {_as_of(line)}")
    sheet.heading("Kiểm kê gần nhất / Counted and closed last")
    sheet.table(
        (
            "Nơi / Site", "Ngày / Day", "Người kiểm đếm / Counted by", "Lúc / At",
            "Người xác nhận / Closed by", "Lúc / At",
        ),
        _close_rows(report),
        shares=(5, 2.4, 4, 4, 4, 4),
    )  # fmt: skip
    sheet.signatures(("Thủ kho / Storekeeper", "Người lập / Made by", "Người duyệt / Approved by"))
    return sheet.content()


def _paper_rows(report: StockReport) -> Iterator[Sequence[str]]:
    for line in report.lines:
        site, close = line.view.site, line.last_close
        yield (
            f"{site.name} ({site.code})",
            *map(_figure, _of(line.figures)),
            _figure(line.tally.reported),
            _figure(line.tally.confirmed),
            "–" if close is None else close.day.strftime("%d/%m/%Y"),
            _state(line),
        )
    if report.of_no_site is not None and _stray(report) != (0, 0):
        yield (_OF_NO_SITE, *("–" for _ in _FIGURES), *map(_figure, _stray(report)), "–", "–")
    total = report.total
    yield (
        _TOTAL,
        *map(_figure, _of(total)),
        _figure(report.reported),
        _figure(report.confirmed),
        "–",
        "Khớp / agree" if total.is_balanced else "KHÔNG KHỚP / differ",
    )


def _close_rows(report: StockReport) -> Iterator[Sequence[str]]:
    for line in report.lines:
        site, close = line.view.site, line.last_close
        if close is None:
            yield f"{site.name} ({site.code})", "–", "–", "–", "–", "–"
            continue
        yield (
            f"{site.name} ({site.code})",
            close.day.strftime("%d/%m/%Y"),
            close.counted_by,
            _time(close.counted_at),
            close.closed_by or "–",
            "–" if close.closed_at is None else _time(close.closed_at),
        )


def _of(figures: StockFigures) -> tuple[int, ...]:
    """In the order of ``_FIGURES``."""
    return (
        figures.received, figures.good, figures.spoiled, figures.samples, figures.left, figures.destroyed,
    )  # fmt: skip


def _numbers(line: SiteLine) -> tuple[int, ...]:
    return (*_of(line.figures), line.tally.reported, line.tally.confirmed)


def _sums(report: StockReport) -> tuple[int, ...]:
    return (*_of(report.total), report.reported, report.confirmed)


def _in_hand(line: SiteLine) -> tuple[int, ...]:
    """What lies there to be counted, in the order of ``_IN_HAND``."""
    return tuple(line.view.account.in_hand.get(each, 0) for each in StockClass)


def _stray(report: StockReport) -> tuple[int, int]:
    """Stopped chips that never came to any site: waiting, and gone for good."""
    tally = report.of_no_site
    return (0, 0) if tally is None else (tally.reported, tally.confirmed)


def _state(line: SiteLine) -> str:
    if not line.view.account.is_balanced:
        return "SỔ SÁCH KHÔNG KHỚP / BOOKS DIFFER"
    if line.view.owes_since is not None:
        return f"Chưa đóng ngày {line.view.owes_since:%d/%m/%Y} / owes this close"
    return "Khớp / agree"


def _as_of(line: SiteLine) -> str:
    return "" if line.view.as_of is None else _time(line.view.as_of)


def _figure(count: int) -> str:
    return f"{count:,}".replace(",", ".")


def _time(at: datetime) -> str:
    return at.astimezone(_VIET_NAM).strftime("%d/%m/%Y %H:%M")
