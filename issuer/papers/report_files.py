"""Reports on how good the register is, as a workbook and as a paper; Vietnamese first, English beside it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from issuer.domain.report import Measures, Quality
from issuer.errors import IssuerRefusedError
from issuer.papers.sheet import Sheet
from issuer.services.instance_sources import SourceState
from issuer.services.merged_reports import SourceLine
from issuer.services.report_ports import LineSource, ReportLine

__all__ = [
    "MAX_PAPER_LINES",
    "report_paper",
    "source_of_line",
    "source_table",
    "write_report_workbook",
    "write_source_sheet",
]

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
_STATES: Final[Mapping[SourceState, tuple[str, str]]] = {
    SourceState.CURRENT: ("Còn mới", "current"),
    SourceState.STALE: ("Đã cũ", "stale"),
    SourceState.MISSING: ("Chưa báo cáo", "missing"),
    SourceState.SUSPENDED: ("Tạm dừng", "suspended"),
    SourceState.REPLACED: ("Đã thay thế", "replaced"),
}
_SOURCES: Final = (
    ("Hệ thống", "instance"),
    ("Tổ chức đảng", "organisation"),
    ("Nhận qua", "via"),
    ("Tình trạng", "state"),
    ("Thời điểm", "as of"),
    ("Không có dòng riêng", "without a line"),
    ("Sản xuất", "production"),
)
_STATES_PRODUCTION: Final = "Có số liệu / stated"
_NO_PRODUCTION: Final = "Không nêu / not stated"
_INDENT: Final = "    "


def write_report_workbook(
    path: Path,
    lines: Iterator[tuple[int, ReportLine]],
    *,
    counted_at: datetime,
    sources: Sequence[SourceLine] | None = None,
) -> int:
    """Write a workbook row by row, in memory that does not grow; gives back how many organisations it has.

    With ``sources`` each row says whose its figures are and as of when, and a second sheet names every instance.
    """
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
        sheet.set_column(2, 3 + len(_QUALITIES) + len(_COUNTS), 13)
        sheet.freeze_panes(2, 2)
        sheet.write_string(0, 0, " ".join((_as_of(counted_at), *_MEANING)))
        words = [
            ("Mã", "code"),
            ("Tổ chức đảng", "organisation"),
            *_QUALITIES.values(),
            *_COUNTS.values(),
        ]
        if sources is not None:
            words += [("Hệ thống", "instance"), ("Thời điểm", "as of")]
        for column, (vietnamese, english) in enumerate(words):
            sheet.write_string(1, column, f"{vietnamese}\n{english}", bold)
        row = 1
        for row, (depth, line) in enumerate(lines, start=2):
            # Strings, whatever they look like: a name is no formula.
            sheet.write_string(row, 0, line.code)
            sheet.write_string(row, 1, _INDENT * depth + line.name)
            _write_measures(sheet, row, line.measures, share=share, whole=whole)
            if sources is not None:
                _write_strings(
                    sheet,
                    row,
                    source_of_line(line.source),
                    first=2 + len(_QUALITIES) + len(_COUNTS),
                )
        if sources is not None:
            write_source_sheet(book, sources)
        return row - 1
    finally:
        book.close()


def write_source_sheet(book: xlsxwriter.Workbook, sources: Sequence[SourceLine]) -> None:
    """A sheet of a workbook that names every instance below."""
    listed = book.add_worksheet("instances")
    listed.set_column(0, len(_SOURCES) - 1, 20)
    heads = [f"{vietnamese}\n{english}" for vietnamese, english in _SOURCES]
    for at, texts in enumerate((heads, *_source_rows(sources))):
        _write_strings(listed, at, texts)


def _write_measures(
    sheet: Worksheet, row: int, measures: Measures, *, share: Format, whole: Format
) -> None:
    for column, quality in enumerate(_QUALITIES, start=2):
        value = measures.per_mille(quality)
        if value is not None:
            sheet.write_number(row, column, value / 1000, share)
    for column, name in enumerate(_COUNTS, start=2 + len(_QUALITIES)):
        sheet.write_number(row, column, getattr(measures, name), whole)


def _write_strings(sheet: Worksheet, row: int, texts: Sequence[str], *, first: int = 0) -> None:
    for column, text in enumerate(texts, start=first):
        sheet.write_string(row, column, text)


def report_paper(
    lines: Iterator[tuple[int, ReportLine]],
    *,
    counted_at: datetime,
    sources: Sequence[SourceLine] | None = None,
) -> bytes:
    """The report as a paper to be signed and sent upwards; ``sources`` as for a workbook.

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
            "Quá hạn / Ageing", *(() if sources is None else ("Hệ thống / Instance",)),
        ),
        _paper_rows(lines),
        shares=(7, 2.4, 2, 2, 2, 2, 2, *(() if sources is None else (3.4,))),
    )  # fmt: skip
    if sources is not None:
        source_table(sheet, sources)
    sheet.signatures(("Người lập / Made by", "Người duyệt / Approved by"))
    return sheet.content()


def source_table(sheet: Sheet, sources: Sequence[SourceLine]) -> None:
    """A section of a paper that names every instance below."""
    sheet.heading("Các hệ thống cấp dưới / Instances below")
    sheet.table(
        tuple(f"{vietnamese} / {english}" for vietnamese, english in _SOURCES),
        _source_rows(sources),
        shares=(3, 3, 3, 3, 3, 2, 3),
    )


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
            *(() if line.source is None else (" ".join(source_of_line(line.source)),)),
        )


def source_of_line(source: LineSource | None) -> tuple[str, str]:
    """Whose figures a line holds, and as of when."""
    if source is None:
        return "", ""
    merged = f" +{source.merged}" if source.merged else ""
    return f"{source.instance}{merged}", _as_of(source.as_of)


def _source_rows(sources: Sequence[SourceLine]) -> Iterator[Sequence[str]]:
    for each in sources:
        counted_at = each.source.counted_at
        yield (
            each.source.instance,
            each.source.organisation,
            each.source.via,
            " / ".join(_STATES[each.state]),
            "–" if counted_at is None else _as_of(counted_at),
            str(each.left_out),
            _STATES_PRODUCTION if each.states_production else _NO_PRODUCTION,
        )


def _percent(measures: Measures, quality: Quality) -> str:
    value = measures.per_mille(quality)
    return "–" if value is None else f"{value // 10},{value % 10}%"


def _as_of(moment: datetime) -> str:
    return moment.strftime("%d/%m/%Y %H:%M UTC")
