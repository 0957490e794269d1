"""Reports on how good the register is, as a workbook and as a paper; Vietnamese first, English beside it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import xlsxwriter

from issuer.domain.report import Measures, Quality
from issuer.errors import IssuerRefusedError
from issuer.papers.sheet import Sheet
from issuer.services.report_ports import ReportLine

__all__ = ["MAX_PAPER_LINES", "report_paper", "write_report_workbook"]

MAX_PAPER_LINES: Final = 5000
"""More organisations are no paper that anybody reads: a part of the tree, or a workbook, is."""

_QUALITIES: Final[Mapping[Quality, tuple[str, str]]] = {
    Quality.RIGHT: ("Đúng", "right"),
    Quality.COMPLETE: ("Đủ", "complete"),
    Quality.CLEAN: ("Sạch", "clean"),
    Quality.LIVE: ("Sống", "live"),
}
_COUNTS: Final[Mapping[str, tuple[str, str]]] = {
    "members": ("Đảng viên", "members"),
    "waiting_rows": ("Dòng chờ xem xét", "rows waiting"),
    "incomplete": ("Thiếu thông tin", "incomplete"),
    "duplicates": ("Nghi trùng", "likely duplicates"),
    "look_alikes": ("Chữ giống hình", "look-alike letters"),
    "stale": ("Lâu chưa cập nhật", "not touched for a year"),
    "open_requests": ("Đề nghị đang xử lý", "open requests"),
    "ageing_requests": ("Đề nghị quá 30 ngày", "requests older than 30 days"),
}
_MEANING: Final = (
    "Đúng: không có dòng nào chờ xem xét. Đủ: có nơi cư trú, điện thoại, ngày chính thức, ảnh.",
    "Sạch: không nghi trùng, không chữ giống hình. Sống: được ghi nhận hoặc sửa trong một năm qua.",
    "Right: no row waits for a judgement. Complete: residence, phone, day of recognition, portrait.",
    "Clean: no likely duplicate, no look-alike letter. Live: recorded or changed within a year.",
)
_INDENT: Final = "    "


def write_report_workbook(
    path: Path, lines: Iterator[tuple[int, ReportLine]], *, counted_at: datetime
) -> int:
    """Write a workbook row by row, in memory that does not grow; gives back how many organisations it has."""
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    try:
        sheet = book.add_worksheet("report")
        bold = book.add_format(
            {"bold": True, "text_wrap": True, "bg_color": "#E8EEF4", "border": 1}
        )
        share = book.add_format({"num_format": "0.0%"})
        whole = book.add_format({"num_format": "#,##0"})
        sheet.set_column(0, 0, 14)
        sheet.set_column(1, 1, 48)
        sheet.set_column(2, 1 + len(_QUALITIES) + len(_COUNTS), 13)
        sheet.freeze_panes(2, 2)
        sheet.write_string(0, 0, " ".join((_as_of(counted_at), *_MEANING)))
        words = [
            ("Mã", "code"),
            ("Tổ chức đảng", "organisation"),
            *_QUALITIES.values(),
            *_COUNTS.values(),
        ]
        for column, (vietnamese, english) in enumerate(words):
            sheet.write_string(1, column, f"{vietnamese}\n{english}", bold)
        row = 1
        for row, (depth, line) in enumerate(lines, start=2):
            # Strings, whatever they look like: a name is no formula.
            sheet.write_string(row, 0, line.code)
            sheet.write_string(row, 1, _INDENT * depth + line.name)
            for column, quality in enumerate(_QUALITIES, start=2):
                value = line.measures.per_mille(quality)
                if value is not None:
                    sheet.write_number(row, column, value / 1000, share)
            for column, name in enumerate(_COUNTS, start=2 + len(_QUALITIES)):
                sheet.write_number(row, column, getattr(line.measures, name), whole)
        return row - 1
    finally:
        book.close()


def report_paper(lines: Iterator[tuple[int, ReportLine]], *, counted_at: datetime) -> bytes:
    """The report as a paper to be signed and sent upwards.

    Raises:
        IssuerRefusedError: ``report.too-long``.
    """
    sheet = Sheet("Báo cáo dữ liệu đúng, đủ, sạch, sống / Data right, complete, clean, live")
    sheet.pair("Thời điểm / As of", _as_of(counted_at))
    for each in _MEANING:
        sheet.line(each)
    sheet.heading("Theo tổ chức đảng / By organisation")
    sheet.table(
        (
            "Tổ chức đảng / Organisation", "Đảng viên / Members",
            *(f"{vietnamese} / {english}" for vietnamese, english in _QUALITIES.values()),
            "Quá hạn / Ageing",
        ),
        _paper_rows(lines),
        shares=(7, 2.4, 2, 2, 2, 2, 2),
    )  # fmt: skip
    sheet.signatures(("Người lập / Made by", "Người duyệt / Approved by"))
    return sheet.content()


def _paper_rows(lines: Iterator[tuple[int, ReportLine]]) -> Iterator[Sequence[str]]:
    for number, (depth, line) in enumerate(lines):
        if number == MAX_PAPER_LINES:
            raise IssuerRefusedError(
                f"the report has more than {MAX_PAPER_LINES} organisations, which is no paper",
                code="report.too-long",
                hint="take a part of the tree, or xlsx",
            )
        measures = line.measures
        yield (
            f"{'· ' * depth}{line.name} ({line.code})",
            f"{measures.members:,}".replace(",", "."),
            *(_percent(measures, quality) for quality in _QUALITIES),
            f"{measures.ageing_requests}/{measures.open_requests}",
        )


def _percent(measures: Measures, quality: Quality) -> str:
    value = measures.per_mille(quality)
    return "–" if value is None else f"{value // 10},{value % 10}%"


def _as_of(moment: datetime) -> str:
    return moment.strftime("%d/%m/%Y %H:%M UTC")
