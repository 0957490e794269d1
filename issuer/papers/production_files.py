"""Reports on how far production has come, as a workbook and as a paper; Vietnamese first, English beside it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final

import xlsxwriter

from issuer.domain.production_report import Progress, Stage
from issuer.errors import IssuerRefusedError
from issuer.papers.report_files import MAX_PAPER_LINES
from issuer.papers.sheet import Sheet
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
_INDENT: Final = "    "


def write_production_workbook(
    path: Path,
    lines: Iterator[tuple[int, ProductionLine]],
    *,
    counted_at: datetime,
    deadline: date | None,
    today: date,
) -> int:
    """Write a workbook row by row, in memory that does not grow; gives back how many organisations it has."""
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
            ("Lý do loại", "rejects by reason"),
        ]
        sheet.set_column(0, 0, 14)
        sheet.set_column(1, 1, 48)
        sheet.set_column(2, len(words) - 1, 13)
        sheet.freeze_panes(2, 2)
        sheet.write_string(0, 0, " ".join((_as_of(counted_at), *_against(deadline))))
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
            ]
            for column, count in enumerate(counts, start=4):
                sheet.write_number(row, column, count, whole)
            sheet.write_string(row, 4 + len(counts), _rejects(progress))
        return row - 1
    finally:
        book.close()


def production_paper(
    lines: Iterator[tuple[int, ProductionLine]],
    *,
    counted_at: datetime,
    deadline: date | None,
    today: date,
) -> bytes:
    """The report as a paper to be signed and sent upwards.

    Raises:
        IssuerRefusedError: ``report.too-long``.
    """
    sheet = Sheet("Tiến độ sản xuất thẻ / Progress of production")
    sheet.pair("Thời điểm / As of", _as_of(counted_at))
    for each in _against(deadline):
        sheet.line(each)
    sheet.heading("Theo tổ chức đảng / By organisation")
    sheet.table(
        (
            "Tổ chức đảng / Organisation", "Đã trao / Handed over", "% / %", "Còn lại / Left",
            "Mỗi ngày / A day", "> 30 ngày / days", "Bị loại / Rejects",
        ),
        _paper_rows(lines, deadline, today),
        shares=(6, 2, 1.5, 2, 2, 2, 4),
    )  # fmt: skip
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
            _rejects(progress) or "–",
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
