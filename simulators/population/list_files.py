"""Writes a synthetic population: the member list twice, the organisations, the portraits, and what to expect."""

import csv
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import xlsxwriter

from simulators.errors import SimulatorError
from simulators.population.member import ORGANISATIONS
from simulators.population.member_list import COLUMNS, Cell, MemberList

__all__ = ["write_population"]

_CREATED = datetime(2025, 9, 1, tzinfo=UTC)
"""A fixed date in the workbook's properties, so that a seed gives the same bytes for ever."""

_NOTE = "Synthetic data: nobody of this list exists."


def write_population(member_list: MemberList, directory: Path) -> None:
    """Write everything into a new or empty directory.

    Raises:
        SimulatorError: the directory holds something already (``population.folder-not-empty``), or it cannot be
            written (``population.not-written``).
    """
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise SimulatorError(
                f"{directory} exists and is not an empty folder",
                code="population.folder-not-empty",
                hint="name a new folder, or empty this one",
            )
        (directory / "portraits").mkdir(parents=True, exist_ok=True)
        for row in member_list.rows:
            if row.portrait is not None:
                (directory / "portraits" / row.portrait_name).write_bytes(row.portrait)
        _write_workbook(member_list, directory / "members.xlsx")
        _write_csv(
            directory / "members.csv",
            [COLUMNS, *(map(_text, row.cells) for row in member_list.rows)],
        )
        _write_csv(directory / "organisations.csv", _organisations())
        _write_expectation(member_list, directory / "expected.json")
    except OSError as error:
        raise SimulatorError(
            f"{directory} cannot be written: {error.strerror}", code="population.not-written"
        ) from error


def _text(cell: Cell) -> str:
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def _organisations() -> list[tuple[str, ...]]:
    return [
        ("code", "name", "parent_code", "committee_number"),
        *(
            (each.code, each.name, each.parent_code or "", each.committee_number)
            for each in ORGANISATIONS
        ),
    ]


def _write_csv(path: Path, rows: Iterable[Iterable[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def _write_workbook(member_list: MemberList, path: Path) -> None:
    workbook = xlsxwriter.Workbook(
        str(path), {"strings_to_numbers": False, "strings_to_formulas": False}
    )
    workbook.set_properties(
        {"title": "Members", "comments": _NOTE, "created": _CREATED.replace(tzinfo=None)}
    )
    sheet = workbook.add_worksheet("members")
    head = workbook.add_format({"bold": True, "bg_color": "#DCE6F1", "border": 1})
    text = workbook.add_format({"num_format": "@"})
    day = workbook.add_format({"num_format": "yyyy-mm-dd"})
    for column, title in enumerate(COLUMNS):
        longest = max(len(_text(row.cells[column])) for row in member_list.rows)
        sheet.set_column(column, column, min(max(longest, len(title)) + 2, 60))
        sheet.write_string(0, column, title, head)
    sheet.freeze_panes(1, 0)
    for row in member_list.rows:
        for column, cell in enumerate(row.cells):
            if isinstance(cell, date):
                sheet.write_datetime(row.number - 1, column, cell, day)
            elif isinstance(cell, int):
                sheet.write_number(row.number - 1, column, cell)
            else:
                sheet.write_string(row.number - 1, column, cell, text)
    workbook.close()


def _write_expectation(member_list: MemberList, path: Path) -> None:
    refused = [
        {"row": row.number, "column": row.defect.column, "code": row.defect.value}
        for row in member_list.rows
        if row.defect is not None
    ]
    content = {
        "note": _NOTE,
        "seed": member_list.seed,
        "rows": len(member_list.rows),
        "accepted": len(member_list.rows) - len(refused),
        "refused": refused,
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
