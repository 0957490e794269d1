"""Reports on how far production has come, as a workbook and as a paper; Vietnamese first, English beside it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final

import xlsxwriter

from issuer.domain.production_report import Progress, Stage
from issuer.errors import IssuerRefusedError
from issuer.papers.report_files import (
    MAX_PAPER_LINES,
    source_of_line,
    source_table,
    write_source_sheet,
)
from issuer.papers.sheet import Sheet
from issuer.services.merged_reports import SourceLine
from issuer.services.production_reports import ProductionLine

__all__ = ["production_paper", "write_production_workbook"]

_STAGES: Final[Mapping[Stage, tuple[str, str]]] = {
    Stage.TO_EXCHANGE: ("Chưa có quyết định", "to exchange"),
    Stage.DECIDED: ("Đã quyết định", "decided"),
    Stage.BOUND: ("Đã ghép chip", "bound"),
    Stage.SIGNED: ("Đã ký", "signed"),
    Stage.PRODUCING: ("Đang sản xuất", "in production"),
    Stage.ISSUED: ("Đã hoàn thành", "issued"),
    Stage.DISPATCHED: ("Đã gửi", "dispatched"),
    Stage.HANDED_OVER: ("Đã trao", "handed over"),
    Stage.CONDEMNED: ("Bị loại", "condemned"),
}
_WORK: Final = tuple(each for each in Stage if each.is_work)
_STOCK: Final[Mapping[str, tuple[str, str]]] = {
    "received": ("Phôi đã nhận", "chips received"),
    "good": ("Thẻ thành phẩm", "good"),
    "spoiled": ("Phôi hỏng", "spoiled"),
    "samples": ("Mẫu", "samples"),
    "left": ("Phôi còn lại", "left"),
    "destroyed": ("Đã hủy", "destroyed"),
    "stolen": ("Đã mất", "gone for good"),
}
_NOT_STATED: Final = (
    "Hệ thống không nêu số liệu sản xuất: lấy số liệu mà hệ thống cấp trên biết.",
    "Of an instance that states no production, what the register above it knows is counted.",
)
_INDENT: Final = "    "


def write_production_workbook(
    path: Path,
    lines: Iterator[tuple[int, ProductionLine]],
    *,
    counted_at: datetime,
    deadline: date | None,
    today: date,
    sources: Sequence[SourceLine] | None = None,
) -> int:
    """Write a workbook row by row, in memory that does not grow; gives back how many organisations it has.

    With ``sources`` each row says whose its figures are and as of when, and a second sheet names every instance.
    """
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    try:
        sheet = book.add_worksheet("production")
        bold = book.add_format(
            {"bold": True, "text_wrap": True, "bg_color": "#E8EEF4", "border": 1}
        )
        share = book.add_format({"num_format": "0.0%"})
        whole = book.add_format({"num_format": "#,##0"})
        words = [
            ("Mã", "code"),
            ("Tổ chức đảng", "organisation"),
            ("Đã trao", "share handed over"),
            ("Cần mỗi ngày", "needed a day"),
            *(_STAGES[each] for each in Stage),
            *((f"{_STAGES[each][0]} > 7 ngày", f"{_STAGES[each][1]} > 7 days") for each in _WORK),
            *((f"{_STAGES[each][0]} > 30 ngày", f"{_STAGES[each][1]} > 30 days") for each in _WORK),
            *_STOCK.values(),
            ("Lý do loại", "rejects by reason"),
        ]
        if sources is not None:
            words += [("Hệ thống", "instance"), ("Thời điểm", "as of")]
        sheet.set_column(0, 0, 14)
        sheet.set_column(1, 1, 48)
        sheet.set_column(2, len(words) - 1, 13)
        sheet.freeze_panes(2, 2)
        notes = () if sources is None else _NOT_STATED
        sheet.write_string(0, 0, " ".join((_as_of(counted_at), *_against(deadline), *notes)))
        for column, (vietnamese, english) in enumerate(words):
            sheet.write_string(1, column, f"{vietnamese}\n{english}", bold)
        row = 1
        for row, (depth, line) in enumerate(lines, start=2):
            progress = line.progress
            # Strings, whatever they look like: a name is no formula.
            sheet.write_string(row, 0, line.code)
            sheet.write_string(row, 1, _INDENT * depth + line.name)
            if progress.per_mille is not None:
                sheet.write_number(row, 2, progress.per_mille / 1000, share)
            needed = _needed(progress, deadline, today)
            if needed is not None:
                sheet.write_number(row, 3, needed, whole)
            counts = [
                *(progress.at(each).cards for each in Stage),
                *(progress.at(each).long for each in _WORK),
                *(progress.at(each).very_long for each in _WORK),
                *(getattr(progress.stock, name) for name in _STOCK),
            ]
            for column, count in enumerate(counts, start=4):
                sheet.write_number(row, column, count, whole)
            sheet.write_string(row, 4 + len(counts), _rejects(progress))
            if sources is not None:
                for column, text in enumerate(source_of_line(line.source), start=5 + len(counts)):
                    sheet.write_string(row, column, text)
        if sources is not None:
            write_source_sheet(book, sources)
        return row - 1
    finally:
        book.close()


def production_paper(
    lines: Iterator[tuple[int, ProductionLine]],
    *,
    counted_at: datetime,
    deadline: date | None,
    today: date,
    sources: Sequence[SourceLine] | None = None,
) -> bytes:
    """The report as a paper to be signed and sent upwards; ``sources`` as for a workbook.

    Raises:
        IssuerRefusedError: ``report.too-long``.
    """
    sheet = Sheet("Tiến độ sản xuất thẻ / Progress of production", is_landscape=True)
    sheet.pair("Thời điểm / As of", _as_of(counted_at))
    for each in _against(deadline):
        sheet.line(each)
    sheet.heading("Theo tổ chức đảng / By organisation")
    sheet.table(
        (
            "Tổ chức đảng / Organisation", "Đã trao / Handed over", "% / %", "Còn lại / Left",
            "Mỗi ngày / A day", "> 30 ngày / days", "Phôi nhận / Received", "Phôi còn / Left",
            "Hỏng / Spoiled", "Bị loại / Rejects", *(() if sources is None else ("Hệ thống / Instance",)),
        ),
        _paper_rows(lines, deadline, today),
        shares=(6, 2.4, 1.6, 2.4, 2, 2, 2.4, 2.4, 2, 4.2, *(() if sources is None else (3.2,))),
        figures=range(1, 9),
    )  # fmt: skip
    if sources is not None:
        for each in _NOT_STATED:
            sheet.line(each)
        source_table(sheet, sources)
    sheet.signatures(("Người lập / Made by", "Người duyệt / Approved by"))
    return sheet.content()


def _paper_rows(
    lines: Iterator[tuple[int, ProductionLine]], deadline: date | None, today: date
) -> Iterator[Sequence[str]]:
    for number, (depth, line) in enumerate(lines):
        if number == MAX_PAPER_LINES:
            raise IssuerRefusedError(
                f"the report has more than {MAX_PAPER_LINES} organisations, which is no paper",
                code="report.too-long",
                hint="take a part of the tree, or xlsx",
            )
        progress = line.progress
        share = progress.per_mille
        needed = _needed(progress, deadline, today)
        yield (
            f"{'· ' * depth}{line.name} ({line.code})",
            _figure(progress.done),
            "–" if share is None else f"{share // 10},{share % 10}%",
            _figure(progress.left),
            "–" if needed is None else _figure(needed),
            _figure(sum(progress.at(each).very_long for each in _WORK)),
            _figure(progress.stock.received),
            _figure(progress.stock.left),
            _figure(progress.stock.spoiled),
            _rejects(progress) or "–",
            *(() if line.source is None else (" ".join(source_of_line(line.source)),)),
        )


def _needed(progress: Progress, deadline: date | None, today: date) -> int | None:
    return None if deadline is None else progress.needed_a_day(deadline, today=today)


def _rejects(progress: Progress) -> str:
    return ", ".join(
        f"{reason}: {cards}" + (f" + {blanks} phôi" if blanks else "")
        for reason, (cards, blanks) in progress.reasons.items()
    )


def _figure(count: int) -> str:
    return f"{count:,}".replace(",", ".")


def _against(deadline: date | None) -> tuple[str, ...]:
    return () if deadline is None else (f"Hạn chót / Deadline: {deadline:%d/%m/%Y}.",)


def _as_of(moment: datetime) -> str:
    return moment.strftime("%d/%m/%Y %H:%M UTC")
