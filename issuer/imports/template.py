"""Empty lists for people to fill in: xlsx with comments and checks, csv, json."""

import csv
import enum
import io
import json
from collections.abc import Sequence
from typing import Any

import xlsxwriter

from issuer.domain.member_list import MemberColumn
from issuer.imports.column_guide import GUIDE, ColumnGuide
from issuer.imports.table import MAX_ROWS

__all__ = ["ListFormat", "member_template", "text_template"]

_BYTE_ORDER_MARK = "\ufeff"


class ListFormat(enum.StrEnum):
    """The kinds of files that lists come in."""

    XLSX = "xlsx"
    CSV = "csv"
    JSON = "json"


def member_template(form: ListFormat) -> bytes:
    """An empty member list; what it says of its columns is for people and does not count as a row."""
    columns = tuple(MemberColumn)
    if form is ListFormat.XLSX:
        return _workbook(columns)
    if form is ListFormat.JSON:
        empty = [dict.fromkeys(columns, "")]
        return (json.dumps(empty, ensure_ascii=False, indent=2) + "\n").encode()
    return text_template(columns)


def text_template(columns: Sequence[str]) -> bytes:
    """A header line alone, marked as UTF-8 for spreadsheets."""
    out = io.StringIO(newline="")
    csv.writer(out).writerow(columns)
    return (_BYTE_ORDER_MARK + out.getvalue()).encode()


def _workbook(columns: Sequence[MemberColumn]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet("members")
    heading = book.add_format(
        {"bold": True, "bg_color": "#E8EEF4", "border": 1, "text_wrap": True, "num_format": "@"}
    )
    text = book.add_format({"num_format": "@"})
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    for position, column in enumerate(columns):
        guide = GUIDE[column]
        sheet.write_string(0, position, column, heading)
        sheet.write_comment(
            0, position, f"{guide.label}\n{guide.vi}\n\n{guide.en}", {"x_scale": 2, "y_scale": 1.5}
        )
        sheet.set_column(position, position, guide.width, day if guide.is_date else text)
        check = _check(column, guide)
        if check is not None:
            sheet.data_validation(1, position, MAX_ROWS, position, check)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, 0, len(columns) - 1)
    book.close()
    return out.getvalue()


def _check(column: MemberColumn, guide: ColumnGuide) -> dict[str, Any] | None:
    """What the spreadsheet itself watches over; the import judges everything again."""
    said = {"error_title": guide.label, "error_message": f"{guide.vi} / {guide.en}"[:255]}
    if guide.choices:
        return said | {"validate": "list", "source": list(guide.choices)}
    if column is MemberColumn.ORDINAL:
        whole = [str(number) for number in range(1, 10)]
        return said | {"validate": "list", "source": whole, "error_type": "warning"}
    lengths = {
        MemberColumn.CARD_NUMBER: (9, 9),
        MemberColumn.RECORD_NUMBER: (7, 9),
        MemberColumn.CITIZEN_NUMBER: (12, 12),
        MemberColumn.ORGANISATION_CODE: (1, 32),
    }
    if column in lengths:
        least, most = lengths[column]
        return said | {
            "validate": "length", "criteria": "between", "minimum": least, "maximum": most
        }  # fmt: skip
    return None
